"""The figures of many designs: each combination of structural values is elaborated once, the rest is arrays."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import NamedTuple

from ..report.quantities import QUANTITIES
from .axes import Axis
from .family import Family, Fix, Invalid, error, family, fix, reason
from .formulas import column
from .peak import CannotRun, Running
from .stretches import Stretches

FEW = 4  # designs to a combination of structural values below which symbols are not worth their while
MAX_KEPT = 5_000  # families remembered
MAX_ASKED = 100  # designs elaborated alone only to say why they are invalid


class Block(NamedTuple):
    """Some designs: their numbers in the grid, the places of their values on the axes, figures. All are arrays."""

    index: object
    digits: dict
    figures: dict

    def take(self, rows) -> Block:
        """Those of a mask or of row numbers, in their order."""
        return Block(
            self.index[rows],
            {name: column[rows] for name, column in self.digits.items()},
            {name: column[rows] for name, column in self.figures.items()},
        )


class Evaluator:
    """Works out blocks of designs, and counts the invalid ones by reason.

    running: how a step is simulated. structural: the axes whose values are elaborated one by one. It grows when a rule turns out to ask about a symbol.
    """

    def __init__(self, net, axes: list[Axis], wanted: list[str], designs: int, running: Running | None = None):
        self.net, self.axes, self.wanted, self.running = (
            net,
            {axis.name: axis for axis in axes},
            wanted,
            running or Running(),
        )
        self.structural = [axis.name for axis in axes if not axis.numeric]
        self.reasons: Counter = Counter()
        self._families: dict = {}
        summed = all(name in QUANTITIES and QUANTITIES[name].row is not None for name in wanted)
        self._stretches = Stretches(net.spec) if summed else None
        self._reasons_known: dict = {}
        self._probe(designs)

    def _probe(self, designs: int):
        """Find the structural axes by the first design, so that blocks can be made along the others."""
        first = dict.fromkeys(self.axes, 0)
        while True:
            if self._combinations() * FEW > designs:
                self.structural = list(self.axes)
            try:
                self._family(first, [first, {name: len(axis) - 1 for name, axis in self.axes.items()}])
                return
            except Fix as problem:
                self._fix(problem.name)

    def _combinations(self) -> int:
        count = 1
        for name in self.structural:
            count *= len(self.axes[name])
        return count

    def _fix(self, name: str):
        self.structural.append(name)
        self._families.clear()

    def _family(self, at: dict, samples: list[dict]) -> Family | Invalid:
        """The family of the design at some places. samples: places of designs in it."""
        key = tuple(int(at[name]) for name in self.structural)
        found = self._families.get(key)
        if found is None:
            free = {name: axis for name, axis in self.axes.items() if name not in self.structural}
            fixed = self._values(at, self.structural)
            found = family(
                self.net, fixed, free, self.wanted, [self._values(one, free) for one in samples], self._stretches,
                self.running,
            )  # fmt: skip
            if len(self._families) > MAX_KEPT:
                self._families.clear()
            self._families[key] = found
        return found

    def _values(self, at: dict, names) -> dict:
        return {name: self.axes[name].values[int(at[name])] for name in names}

    def error_of_first(self):
        """The SpecError of the first design of all; None where it has none."""
        return error(self.net, self._values(dict.fromkeys(self.axes, 0), self.axes))

    # -- blocks

    def block(self, index, digits: dict) -> Block:
        """The valid ones of some designs with their figures. digits: places on the axes, an array for each."""
        while True:
            counted = Counter()
            try:
                found = self._block(index, digits, counted)
            except Fix as problem:
                self._fix(problem.name)
                continue
            self.reasons += counted
            return found

    def _block(self, index, digits: dict, counted: Counter) -> Block:
        import numpy

        count = len(index)
        valid = numpy.ones(count, dtype=bool)
        parts: dict[str, list] = {name: [] for name in self.wanted}
        for rows in self._groups(digits, count):
            places = {name: numbers[rows] for name, numbers in digits.items()}
            first, last = ({name: numbers[end] for name, numbers in places.items()} for end in (0, -1))
            found = self._family(first, [first, last])
            size = len(index[rows])
            if isinstance(found, Invalid):
                valid[rows] = False
                counted[found.reason] += size
                continue
            values = {n: self.axes[n].array()[places[n]] for n in self.axes if n not in self.structural}
            if found.tests:
                holds = valid[rows] = self._holds(found, values, places, counted, size)
                if not holds.all():
                    rows = numpy.arange(count)[rows][holds]
                    values = {name: array[holds] for name, array in values.items()}
            memo: dict = {}
            for name, figure in found.figures.items() if len(valid[rows]) else ():
                parts[name].append((rows, self._figure(figure, values, memo)))
        figures = {name: column(stretches, count) for name, stretches in parts.items()}
        block = Block(index, digits, figures)
        return block if valid.all() else block.take(valid)

    def _figure(self, figure, values: dict, memo: dict):
        try:
            return figure(values, memo)
        except CannotRun as problem:
            raise fix(problem, {name: self.axes[name] for name in values}) from None

    def _groups(self, digits: dict, count: int):
        """Stretches of rows (slices or arrays of numbers) with the same structural values."""
        import numpy

        if not self.structural:
            return [slice(0, count)]
        key = numpy.zeros(count, dtype=numpy.int64)
        for name in self.structural:
            key = key * len(self.axes[name]) + digits[name]
        changes = numpy.flatnonzero(key[1:] != key[:-1]) + 1
        if len(changes) + 1 == len(numpy.unique(key)):  # already side by side
            ends = [0, *changes.tolist(), count]
            return [slice(a, b) for a, b in itertools.pairwise(ends)]
        order = numpy.argsort(key, kind="stable")
        return numpy.split(order, numpy.flatnonzero(numpy.diff(key[order])) + 1)

    # -- invalid designs

    def _holds(self, found: Family, values: dict, places: dict, counted: Counter, size: int):
        """Where all conditions hold; the others are counted by the first that does not."""
        import numpy

        valid = numpy.ones(size, dtype=bool)
        for test in found.tests:
            failed = valid & ~numpy.broadcast_to(test(values), size)
            if failed.any():
                valid &= ~failed
                self._count(test, numpy.flatnonzero(failed), values, places, counted)
        return valid

    def _count(self, test, rows, values: dict, places: dict, counted: Counter):
        """Count failed designs under the reason that one of them gives when it stands alone."""
        import numpy

        names = test.condition.names()
        kinds, first, numbers = numpy.unique(
            numpy.stack([values[name][rows] for name in names], axis=1), axis=0, return_index=True, return_counts=True
        )
        for kind, row, number in zip(kinds.tolist(), rows[first], numbers.tolist(), strict=True):
            key = (str(test.condition), *kind)
            text = self._reasons_known.get(key)
            if text is None and len(self._reasons_known) < MAX_ASKED:
                at = {name: column[row] for name, column in places.items()}
                problem = error(self.net, self._values(at, self.axes))
                if problem is None:  # what the symbols say is not what the numbers say
                    raise Fix(next(name for name in names if name not in self.structural))
                text = self._reasons_known[key] = reason(problem)
            counted[text or f"{test.condition} does not hold"] += number
