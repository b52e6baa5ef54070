"""The memory of a step for many designs: one simulation on symbols serves all designs that run alike.

A simulation asks about sizes (is this one 1, do strides meet), and what it answers is noted; the designs that meet these
conditions run as it did, and their peak is the largest of a few polynomials. Those that do not are simulated anew.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import NamedTuple

from ..arith import Domain, Undecided, names_of
from ..errors import NetcalcError
from ..memory import profiles
from ..memory.conflicts import OF_A_STEP, in_words, refuse_conflicts
from ..memory.envelope import MEANS
from ..memory.fit import needed
from ..memory.profiles import Limit
from ..memory.timeline import Timeline
from .formulas import Compiled, Test, Unbounded, column, refuse_open


class Running(NamedTuple):
    """How the step runs. options: those of `net.memory`. limit: what it has to fit in."""

    options: dict = {}
    limit: Limit | None = None

    @property
    def figure(self) -> str | None:
        """The name of the figure that is held against the limit."""
        if self.limit is None:
            return None
        return "needed" if profiles.load(self.options.get("device", "cpu")).rules == "cuda" else "peak"

    def __str__(self):
        return in_words(self.options)


def running(options: dict, fits: str | None) -> Running:
    """How steps run that have to fit in a size or a GPU, whose name says the device too. Raises NetcalcError for what does
    not go together."""
    wrong = [name for name in options if name not in OF_A_STEP]
    if wrong:
        raise TypeError(f"sweep() has no option {wrong[0]!r}")
    refuse_conflicts(options)
    limit = None if fits is None else profiles.limit(fits)
    options = profiles.with_device_of(fits, options)
    if options.get("device"):
        profiles.load(options["device"])  # a misspelt one is told at once
    return Running(options, limit)


class CannotRun(Exception):
    """A step cannot be simulated while these names are symbols; none of them where it cannot be at all."""

    def __init__(self, problem: Exception, names=()):
        self.problem, self.names = problem, frozenset(names)
        super().__init__(str(problem))


class Run(NamedTuple):
    """Designs that run alike: what they meet, and what they do."""

    tests: list[Test]
    trace: object
    domain: Domain

    def holds(self, values: dict, size: int):
        """Where all conditions hold."""
        import numpy

        found = numpy.ones(size, dtype=bool)
        for test in self.tests:
            found &= numpy.broadcast_to(test(values), size)
        return found


class Runs:
    """The runs of a network that were simulated so far. ranges: (least, greatest) of the names that are left open."""

    def __init__(self, net, ranges: dict, running: Running):
        self.net, self.ranges, self.running = net, ranges, running
        self.known: list[Run] = []
        batch = {net.graph.batch} - ranges.keys()  # of one sample
        refuse_open(frozenset(net.graph.free) - batch, "peak", ranges)
        copies = frozenset().union(*(names_of(node.times) for node in net.graph.nodes))
        if copies:
            raise CannotRun(NetcalcError("error: the copies of a `repeat` run one by one"), copies)

    def figure(self, name: str) -> Simulated:
        """One of FIGURES as a function of arrays."""
        return Simulated(self, FIGURES[name])

    def split(self, values: dict):
        """(row numbers, values there, number of the run) of designs. values: arrays by name."""
        import numpy

        size = len(next(iter(values.values())))
        left, at = numpy.arange(size), 0
        while len(left):
            here = values if len(left) == size else {name: array[left] for name, array in values.items()}
            if at == len(self.known):
                self._simulate({name: int(array[0]) for name, array in here.items()})
            holds = self.known[at].holds(here, len(left))
            if holds.all():
                yield slice(0, size) if len(left) == size else left, here, at
                return
            if holds.any():
                yield left[holds], {name: array[holds] for name, array in here.items()}, at
            elif at == len(self.known) - 1:
                raise AssertionError("a design does not meet the conditions of its own run")
            left, at = left[~holds], at + 1

    def only(self) -> int:
        """The number of the run where no name is open."""
        if not self.known:
            self._simulate({})
        return 0

    def _simulate(self, point: dict) -> None:
        """Add the run of a design."""
        try:
            step = self.net.step(point, **self.running.options)
            domain = step.domain()
            tests = [Test(condition, self.ranges) for condition in domain.conditions]
            self.known.append(Run(tests, step.trace, domain))
        except Unbounded as problem:
            raise CannotRun(problem, problem.names) from None
        except (NetcalcError, Undecided, TypeError, ValueError) as problem:
            raise CannotRun(problem, self.ranges) from None


class Simulated:
    """A figure of simulated steps as a function of arrays, exactly. make: from a run to a function of its designs."""

    def __init__(self, runs: Runs, make):
        self.runs, self.make = runs, make
        self._made: dict[int, object] = {}

    def __call__(self, values: dict, memo: dict | None = None):
        """values: int64 arrays by name. An array of bytes; a number where no name is open."""
        if not values:
            return self._of(self.runs.only())(values)
        size = len(next(iter(values.values())))
        return column([(rows, self._of(at)(here)) for rows, here, at in self.runs.split(values)], size)

    def _of(self, at: int):
        if at not in self._made:
            try:
                self._made[at] = self.make(self.runs.known[at], self.runs.ranges, self.runs.running.limit)
            except Unbounded as problem:
                raise CannotRun(problem, problem.names) from None
        return self._made[at]


def _peak(run: Run, ranges: dict, limit) -> Compiled:
    return Compiled(Timeline(run.trace, run.domain, MEANS).peak().bytes, ranges)


class Replayed:
    """What the caching allocator needs to run designs within a limit: as `memory.fit.needed`, one design at a time."""

    def __init__(self, run: Run, ranges: dict, limit: Limit):
        self.trace, self.limit = run.trace, limit.bytes
        self.peak = _peak(run, ranges, limit)
        sizes = {str(storage.bytes): storage.bytes for storage in run.trace.storages}
        self.sizes = {text: Compiled(size, ranges) for text, size in sizes.items()}

    def __call__(self, values: dict):
        if not values:
            return self._one({text: size(values) for text, size in self.sizes.items()})
        import numpy

        count, memo = len(next(iter(values.values()))), {}
        found = numpy.array(numpy.broadcast_to(self.peak(values), count))
        columns = {text: numpy.broadcast_to(size(values, memo), count) for text, size in self.sizes.items()}
        for row in numpy.flatnonzero(found <= self.limit).tolist():  # the others need more than the limit already
            found[row] = self._one({text: int(array[row]) for text, array in columns.items()})
        return found

    def _one(self, sizes: dict) -> int:
        storages = [SimpleNamespace(bytes=sizes[str(storage.bytes)]) for storage in self.trace.storages]
        return needed(SimpleNamespace(events=self.trace.events, storages=storages), self.limit, "cuda")


#: "needed" is of a CUDA device: on the CPU it is the peak
FIGURES = {"peak": _peak, "needed": Replayed}

__all__ = ["CannotRun", "Running", "Runs", "running"]
