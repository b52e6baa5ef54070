"""One network for many designs: what can be a symbol is one, and its figures become functions of arrays."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..arith import Formula, Undecided, names_of, symbol
from ..errors import NetcalcError, SpecError
from ..facts import UnevenCopies, rows
from ..layers.kinds import ArgumentError
from ..report.quantities import QUANTITIES
from .axes import VARIANT
from .formulas import Compiled, Test, Unbounded, closed, interval
from .peak import CannotRun, Running, Runs
from .stretches import Network, Stretches, whole

MAX_SIZE = 2**62  # of a dimension, as in the walk
MAX_LAYERS = 3_000  # executed by a free repeat; far below the limits of the walk, which are for numbers


class Fix(Exception):
    """An axis cannot be a symbol here: its values have to be tried one by one."""

    def __init__(self, name: str):
        self.name = name
        super().__init__(name)


class Family(NamedTuple):
    """Designs that differ only in the values of symbols. tests: what must hold. figures: by name of the quantity."""

    tests: list[Test]
    figures: dict


class Invalid(NamedTuple):
    """Designs that do not exist, and why."""

    reason: str


def with_values(net, values: dict):
    """The net with the values of axes, the one of variants among them."""
    variant = values.get(VARIANT)
    net = net.variant(variant) if variant is not None else net
    return net.at(**{name: value for name, value in values.items() if name != VARIANT})


def family(
    net, fixed: dict, free: dict, wanted: list[str], samples: list[dict], stretches: Stretches | None = None,
    running: Running | None = None,
):  # fmt: skip
    """The Family of the designs with the values `fixed`, or an Invalid. Raises Fix where it takes fewer symbols.

    free: the axes to leave open, by name. samples: the values of `free` in some of the designs. stretches: what is known
    of other designs. running: how a step is simulated.
    """
    ranges = {name: axis.range for name, axis in free.items()}
    try:
        made = with_values(net, {**fixed, **{name: symbol(name) for name in free}})
        network = whole(made) if stretches is None else stretches.of(made)  # its errors come before those of quantities
    except (SpecError, Undecided) as problem:
        return _refused(net, fixed, free, problem, samples)
    try:
        if ranges:
            _check_ranges(network, ranges)
        return _counted(network, wanted, ranges, running or Running())
    except (Unbounded, CannotRun) as problem:
        raise fix(problem, free) from None
    except UnevenCopies:
        raise Fix(_fewest(free, free)) from None
    except NetcalcError:
        raise
    except (Undecided, TypeError, ValueError) as problem:  # a quantity that asks about sizes
        if not free:
            raise
        raise Fix(_blamed(str(problem), free)) from None


def _counted(network: Network, wanted: list[str], ranges: dict, running: Running) -> Family:
    """The figures of a network: the sums of those of its stretches, and what a simulation of the whole gives."""
    conditions = dict.fromkeys(condition for stretch in network.stretches for condition in stretch.conditions)
    tests = [_test(condition, ranges) for condition in conditions if _concerns(condition, ranges)]
    summed = [name for name in wanted if name in QUANTITIES and QUANTITIES[name].row is not None]
    parts = [stretch.count(lambda one: _figures(network, one, summed)) for stretch in network.stretches]
    sums = {name: sum(part[name] for part in parts) for name in summed}
    figures = {name: Compiled(closed(figure, name, ranges), ranges) for name, figure in sums.items()}
    if len(summed) < len(wanted):
        runs = Runs(network.whole, ranges, running)
        figures |= {name: runs.figure(name) for name in wanted if name not in summed}
    return Family(tests, figures)


def _figures(network: Network, stretch, wanted: list[str]) -> dict:
    found = rows(stretch.graph, network.sizes, fed=stretch.fed) if wanted else []
    return {name: sum(getattr(row, QUANTITIES[name].row) for row in found) for name in wanted}


# -- when it cannot be


def _refused(net, fixed: dict, free: dict, problem, samples: list[dict]):
    """Invalid where the designs are so whatever the symbols; otherwise raises Fix."""
    if not free:
        return Invalid(reason(problem))
    if all(str(error(net, {**fixed, **values})) == str(problem) for values in samples):
        return Invalid(reason(problem))
    raise Fix(_blamed(str(problem), free))


def fix(problem, free: dict) -> Exception:
    """What to raise for names that must not be symbols: a Fix, or what is wrong where no axis is left."""
    if not free:
        return problem.problem if isinstance(problem, CannotRun) else problem
    return Fix(_fewest(problem.names & free.keys() or free, free))


def _blamed(message: str, free: dict) -> str:
    """The axis that a message names, or else the one with the fewest values."""
    first = message.split("\n", 1)[0]
    named = {name: axis for name, axis in free.items() if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", first)}
    return _fewest(named or free, free)


def _fewest(names, free: dict) -> str:
    return min(names, key=lambda name: len(free[name]))


def reason(problem) -> str:
    """Why a design is invalid, in a line."""
    return problem.diagnostics[0].text if isinstance(problem, SpecError) else str(problem)


def error(net, values: dict) -> SpecError | None:
    """What is wrong with a single design; None where nothing is."""
    try:
        with_values(net, values).graph  # noqa: B018
    except SpecError as problem:
        return problem
    return None


# -- what numbers are checked for and symbols are not


def _concerns(condition, ranges: dict) -> bool:
    return any(name in ranges for name in condition.names())


def _test(condition, ranges: dict) -> Test:
    others = set(condition.names()) - ranges.keys()
    if others:  # open for some values and decided for others
        raise Unbounded(set(condition.names()) & ranges.keys())
    return Test(condition, ranges)


def _check_ranges(network: Network, ranges: dict):
    """Raises Unbounded where a number in the place of a symbol might be refused: an argument that its layer does not
    take, a size below 1 or beyond any tensor, a negative or very large count of copies."""
    for value in network.inputs.values():
        for size in value.shape:
            _check_size(size, ranges, 1)
    for value in network.args.values():
        for formula in _formulas(value):
            _ends(formula, ranges)
    layers, free = 0, frozenset()
    for stretch in network.stretches:
        if stretch.size is None:
            stretch.size = _most_layers(stretch.graph, ranges)
        layers, free = layers + stretch.size[0], free | stretch.size[1]
    if layers > MAX_LAYERS and free:
        raise Unbounded(free)


def _most_layers(graph, ranges: dict) -> tuple[int, frozenset]:
    """The largest number of layers that a graph runs, and the names that it depends on. Raises Unbounded as above."""
    layers, free = 0, frozenset()
    for node in graph.nodes:
        _check_arguments(node.layer, ranges)
        for value in node.outputs:
            for size in value.shape:
                _check_size(size, ranges, None)
        layers += _check_copies(node, ranges)
        free |= names_of(node.times)
    return layers, free


def _ends(formula, ranges: dict) -> tuple | None:
    """(least, greatest); None where it is no formula in the axes alone."""
    if not isinstance(formula, Formula) or not formula.names() <= ranges.keys():
        return None
    return interval(formula, ranges)


def _check_size(size, ranges: dict, least: int | None):
    ends = _ends(size, ranges)
    if ends is not None and ((least is not None and ends[0] < least) or ends[1] > MAX_SIZE):
        raise Unbounded(size.names())


def _check_copies(node, ranges: dict) -> int:
    """How often a node runs at most."""
    ends = _ends(node.times, ranges)
    return 1 if ends is None else ends[1]


def _check_arguments(layer, ranges: dict):
    for name, value in layer.given.items():
        formulas = list(_formulas(value))
        if not formulas or name not in layer.args:
            continue
        for end in (0, 1):
            try:
                layer.args[name].kind.convert(_at_end(value, ranges, end), layer.ndim)
            except ArgumentError:
                raise Unbounded(frozenset().union(*(formula.names() for formula in formulas))) from None


def _formulas(value):
    if isinstance(value, Formula):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _formulas(item)
    elif isinstance(value, dict):
        yield from _formulas(list(value.values()))
    elif hasattr(value, "given"):
        yield from _formulas(value.given)


def _at_end(value, ranges: dict, end: int):
    """A value with the least (end 0) or greatest of each formula in its place."""
    if isinstance(value, (list, tuple)):
        return [_at_end(item, ranges, end) for item in value]
    ends = _ends(value, ranges)
    return value if ends is None else ends[end]
