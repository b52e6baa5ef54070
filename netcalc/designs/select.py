"""Which designs stay: those that meet a condition, the best by some order, the Pareto front. Keeps no more than these."""

from __future__ import annotations

from ..errors import NetcalcError
from ..report.quantities import QUANTITIES, unknown
from .evaluate import Block
from .peak import Running

MERGED = 20_000  # designs on the fronts of parts before these are made one
CUT = 4  # a pile is cut to size when it has grown so many times


class Selection:
    """Blocks of designs go in with `add`; `block` is what stays, in order."""

    def __init__(self, axes, where, sort: list[str], top: int | None, pareto: list[str], background: int = 0,
                 steps: Running | None = None):  # fmt: skip
        self.axes = {axis.name: axis for axis in axes}
        self.where, self.top, self.steps = where, top, steps or Running()
        self.sort = [self._key(name, "--sort") for name in sort]
        self.pareto = [self._key(name, "--pareto") for name in pareto]
        self.order = self.sort or self.pareto
        self.valid = self.met = self.fitting = 0  # designs that exist, that meet the condition, that fit too
        self._kept: list[Block] = []
        self._background, self._behind = background, []

    def _key(self, text: str, option: str) -> tuple[str, int]:
        """(name, 1 where the least is best or -1 where the greatest)."""
        name, sign = text, 1
        for prefix, means in (("-", -1), ("max:", -1), ("min:", 1)):
            if text.startswith(prefix):
                name, sign = text[len(prefix) :], means
        if name not in QUANTITIES and name not in self.axes:
            raise unknown(name, [*QUANTITIES, *self.axes], where=f"{option}: ")
        if option == "--pareto" and name in self.axes and self.axes[name].array().dtype == object:
            self._check_numbers(name)
        return name, sign

    def _check_numbers(self, name: str):
        from fractions import Fraction

        if not all(isinstance(value, (int, Fraction, float)) for value in self.axes[name].values):
            raise NetcalcError(f"error: --pareto: the values of `{name}` are not numbers")

    @property
    def quantities(self) -> list[str]:
        """The names of the figures that it looks at."""
        names = [*(self.where.names if self.where else ()), *(name for name, _ in (*self.sort, *self.pareto))]
        return list(dict.fromkeys(name for name in names if name in QUANTITIES))

    @property
    def figures(self) -> list[str]:
        """What has to be worked out for it."""
        return [*self.quantities, *([self.steps.figure] if self.steps.limit else [])]

    @property
    def narrows(self) -> bool:
        return self.where is not None or self.steps.limit is not None or self.top is not None or bool(self.pareto)

    def add(self, block: Block) -> None:
        """Take in some designs."""
        self.valid += len(block.index)
        if self.where is not None:
            block = block.take(self.where.holds(block))
        self.met += len(block.index)
        if self.steps.limit is not None:
            block = block.take(block.figures[self.steps.figure] <= self.steps.limit.bytes)
        self.fitting += len(block.index)
        if self._background:
            self._remember(block)
        if self.pareto:
            self._kept.append(block.take(self._front(block)))
            if sum(len(b.index) for b in self._kept[1:]) > max(MERGED, len(self._kept[0].index)):
                self._merge()
        elif len(block.index):
            self._kept.append(block)
            if self.top is not None and sum(len(b.index) for b in self._kept) > CUT * max(self.top, 1000):
                self._kept = [self._ordered(_joined(self._kept)).take(slice(0, self.top))]

    @property
    def block(self) -> Block | None:
        """What stays, in the order wanted; None where nothing does."""
        if not self._kept:
            return None
        if self.pareto:
            self._merge()
        found = self._ordered(_joined(self._kept))
        return found if self.top is None else found.take(slice(0, self.top))

    def _merge(self):
        """The front of the fronts found so far."""
        pile = _joined(self._kept)
        self._kept = [pile.take(self._front(pile))]

    @property
    def background(self) -> Block | None:
        """Some of all designs that met the condition, for a plot."""
        return _joined(self._behind) if self._behind else None

    def _remember(self, block: Block):
        """Every so many-th design, so that no more than the wanted number are kept."""
        self._behind.append(block)
        total = sum(len(b.index) for b in self._behind)
        if total > 2 * self._background:
            pile = _joined(self._behind)
            self._behind = [pile.take(slice(None, None, -(-total // self._background)))]

    def column(self, block: Block, name: str):
        """A figure, or the values of an axis."""
        if name in block.figures:
            return block.figures[name]
        return self.axes[name].array()[block.digits[name]]

    def _rank(self, block: Block, name: str, sign: int):
        """Numbers in the order wanted; of values that are no numbers, their places on the axis."""
        found = self.column(block, name)
        if found.dtype == object and name in self.axes:
            from fractions import Fraction

            if not all(isinstance(value, (int, Fraction, float)) for value in self.axes[name].values):
                found = block.digits[name]
        return found if sign > 0 else -found

    def _ordered(self, block: Block) -> Block:
        import numpy

        keys = [block.index, *(self._rank(block, name, sign) for name, sign in reversed(self.order))]
        return block.take(numpy.lexsort(keys) if all(k.dtype != object for k in keys) else _by_tuples(keys))

    def _front(self, block: Block):
        """The row numbers of the Pareto front; equal designs are all on it."""
        import numpy

        if not len(block.index):
            return numpy.arange(0)
        costs = [self._rank(block, name, sign) for name, sign in self.pareto]
        return front(numpy.stack([_places(cost) for cost in costs], axis=1))


def _places(column):
    """The ranks of values: whole numbers in the same order."""
    import numpy

    return numpy.unique(column, return_inverse=True)[1].reshape(-1)


def _by_tuples(keys):
    """As lexsort, for keys that are Python's numbers: the last key counts most."""
    import numpy

    columns = [key.tolist() for key in reversed(keys)]
    return numpy.array(
        sorted(range(len(columns[0])), key=lambda row: tuple(c[row] for c in columns)), dtype=numpy.int64
    )


def front(costs):
    """The rows of an array that no other row is below in one column and at most equal in the rest, in their order."""
    import numpy

    order = numpy.lexsort(costs.T[::-1])
    rows = costs[order]
    if costs.shape[1] <= 2:
        return numpy.sort(order[_staircase(rows)])
    if costs.shape[1] == 3:
        return numpy.sort(order[_surface(rows.tolist())])
    at = 0
    while at < len(rows):
        # nothing later in the order can be better than this one in all; what is nowhere better than it goes
        keeps = (rows < rows[at]).any(axis=1) | (rows == rows[at]).all(axis=1)
        keeps[: at + 1] = True
        rows, order = rows[keeps], order[keeps]
        at += 1
    return numpy.sort(order)


def _staircase(rows):
    """The front of rows in order, where there are at most two columns: those below all before them, and their equals."""
    import numpy

    last = rows[:, -1]
    lower = numpy.ones(len(rows), dtype=bool)
    lower[1:] = last[1:] < numpy.minimum.accumulate(last)[:-1]
    if rows.shape[1] == 1:
        lower[1:] = False
    latest = numpy.maximum.accumulate(numpy.where(lower, numpy.arange(len(rows)), 0))
    return (rows == rows[latest]).all(axis=1)


def _surface(rows: list) -> list[int]:
    """The front of rows in order with three columns: those that no row before them is at most equal to in the last two.

    The steps are what is best so far in these two: the second column rises along them while the third falls.
    """
    from bisect import bisect_right

    found, seconds, thirds, latest = [], [], [], None
    for number, row in enumerate(rows):
        _, second, third = row
        at = bisect_right(seconds, second)
        if at and thirds[at - 1] <= third:
            if row == latest:
                found.append(number)
            continue
        found.append(number)
        latest = row
        start = at - (at > 0 and seconds[at - 1] == second)
        end = start
        while end < len(thirds) and thirds[end] >= third:
            end += 1
        seconds[start:end], thirds[start:end] = [second], [third]
    return found


def _joined(blocks: list[Block]) -> Block:
    import numpy

    if len(blocks) == 1:
        return blocks[0]
    first = blocks[0]
    return Block(
        numpy.concatenate([b.index for b in blocks]),
        {name: numpy.concatenate([b.digits[name] for b in blocks]) for name in first.digits},
        {name: numpy.concatenate([b.figures[name] for b in blocks]) for name in first.figures},
    )
