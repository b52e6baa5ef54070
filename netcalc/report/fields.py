"""What one output position depends on along one side, exactly: also behind layers that make pictures larger.

A layer's output i reads the positions j of its input with  down*i + first <= up*j <= down*i + last  (`Reach`). A window of
kernel k, stride s, padding p and dilation d has up 1, down s, first -p, last d*(k - 1) - p. A transposed one has up s,
down 1, first p - d*(k - 1), last p. Behind it the field depends on where an output stands: the pattern repeats.
"""

from __future__ import annotations

from math import gcd, lcm
from typing import NamedTuple

from ..arith import Formula, divide, maximum
from ..layers.base import Reach

MAX_PERIOD = 4096  # positions after which a pattern repeats


class Side(NamedTuple):
    """Output i depends on the input from lows[r] + shift*q to highs[r] + shift*q, where i = q*len(lows) + r. None: on
    nothing, as between the steps of a transposed convolution that are longer than its kernel."""

    lows: tuple = (0,)
    highs: tuple = (0,)
    shift: object = 1

    def at(self, i: int) -> tuple | None:
        """(first, last) input position that output i depends on, were the input endless; None for none."""
        turns, place = divmod(i, len(self.lows))
        if self.lows[place] is None:
            return None
        return self.lows[place] + self.shift * turns, self.highs[place] + self.shift * turns

    @property
    def step(self):
        """How far apart the fields of neighbours are, on the average."""
        return divide(self.shift, len(self.lows))

    @property
    def sizes(self) -> list:
        """The least and the greatest number of positions; one where they are equal."""
        found = [0 if low is None else high - low + 1 for low, high in zip(self.lows, self.highs, strict=True)]
        return found if len(found) == 1 else sorted({min(found), max(found)})

    @property
    def size(self):
        return self.sizes[-1]

    @property
    def before(self):
        """How far it reaches before the place that the output stands at."""
        return maximum(*(divide(self.shift * place, len(self.lows)) - low for place, low in enumerate(self.lows) if low is not None))  # fmt: skip

    @property
    def after(self):
        return maximum(*(high - divide(self.shift * place, len(self.lows)) for place, high in enumerate(self.highs) if high is not None))  # fmt: skip


def behind(side: Side, reach: Reach) -> Side | None:
    """The side behind a layer; None where its pattern does not fit into what is worked out."""
    if len(side.lows) == 1 and reach.up == 1:
        low, high = side.lows[0] + side.shift * reach.first, side.highs[0] + side.shift * reach.last
        return Side((low,), (high,), side.shift * reach.down)
    numbers = (*side.lows, *side.highs, side.shift, *reach)
    period = len(side.lows)
    if any(isinstance(number, Formula) for number in numbers):
        return None
    length = reach.up * period // gcd(reach.down, reach.up * period)
    if length > MAX_PERIOD:
        return None
    ends = [_ends(side, reach, i) for i in range(length)]
    shift = side.shift * (reach.down * length // reach.up) // period
    return _reduced(tuple(a for a, _ in ends), tuple(b for _, b in ends), shift)


def _ends(side: Side, reach: Reach, i: int) -> tuple:
    """The input positions that output i of the layer depends on, by those that it reads: (None, None) for none."""
    up, down, first, last, gap = reach
    read = range(-((-down * i - first) // up), (down * i + last) // up + 1)
    fields = [side.at(j) for j in read if (down * i + last - up * j) % gap == 0]
    fields = [field for field in fields if field is not None]
    return (fields[0][0], fields[-1][1]) if fields else (None, None)


def _reduced(lows: tuple, highs: tuple, shift: int) -> Side:
    """The same with the shortest pattern."""
    whole = Side(lows, highs, shift)
    for length in range(1, len(lows)):
        if len(lows) % length == 0 and shift * length % len(lows) == 0:
            short = Side(lows[:length], highs[:length], shift * length // len(lows))
            if all(short.at(i) == whole.at(i) for i in range(len(lows))):
                return short
    return whole


def joined(sides: list[Side]) -> Side | None:
    """Where branches meet: as far as the widest of them; None where they move by different steps."""
    if len({side.step for side in sides}) > 1:
        return None
    if all(len(side.lows) == 1 for side in sides):
        return Side((-maximum(*(-s.lows[0] for s in sides)),), (maximum(*(s.highs[0] for s in sides)),), sides[0].shift)
    length = lcm(*(len(side.lows) for side in sides))
    if length > MAX_PERIOD:
        return None
    fields = [[field for side in sides if (field := side.at(i)) is not None] for i in range(length)]
    lows = tuple(min(low for low, _ in found) if found else None for found in fields)
    highs = tuple(max(high for _, high in found) if found else None for found in fields)
    return _reduced(lows, highs, sides[0].shift * length // len(sides[0].lows))
