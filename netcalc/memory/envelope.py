"""The few of many formulas that a maximum needs: those below several others together are left out.

Of two formulas neither may be above the other for all sizes, and yet a third be above both or between them everywhere.
What is left out is proven to be below; what stays may still be more than is needed.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

from ..arith import Formula, compare

MANY = 120  # formulas beyond which pairs of them are not looked at


def undominated(sizes: list) -> list[int]:
    """The indices, ascending, of the sizes whose maximum is the maximum of all."""
    kept: list[int] = []
    for index, size in enumerate(sizes):
        if not any(_reaches(sizes[other], size) for other in kept):
            kept = [other for other in kept if not _reaches(size, sizes[other])] + [index]
    if not 2 < len(kept) <= MANY:
        return kept
    lines = [_line(sizes[index]) for index in kept]
    names = {name for name, *_ in lines if name != ""}
    if None not in names and len(names) == 1:
        return sorted(_hull([(slope, start, index) for (_, slope, start), index in zip(lines, kept, strict=True)]))
    return _unblended(sizes, kept)


def _reaches(a, b) -> bool:
    return compare(">=", a, b) is True


# -- a + b*x in one symbol


def _line(size) -> tuple:
    """(symbol, b, a) of a size a + b*x; the symbol is "" for a number, None for any other formula."""
    if not isinstance(size, Formula):
        return "", 0, size
    powers = [mono for mono in size.terms if mono]
    if len(powers) != 1 or len(powers[0]) != 1 or powers[0][0][1] != 1 or not isinstance(powers[0][0][0], str):
        return None, 0, 0
    return powers[0][0][0], size.terms[powers[0]], size.terms.get((), 0)


def _hull(lines: list[tuple]) -> list[int]:
    """Those lines (slope, start, index) that are highest somewhere."""
    hull: list = []
    for line in sorted(lines):
        while len(hull) > 1 and _hidden(hull[-2], hull[-1], line):
            hull.pop()
        hull.append(line)
    return [index for *_, index in hull]


def _hidden(low: tuple, middle: tuple, high: tuple) -> bool:
    """Whether the middle one of three lines, slopes ascending, is nowhere above both others."""
    (b1, a1, _), (b2, a2, _), (b3, a3, _) = low, middle, high
    return (a1 - a3) * (b2 - b1) <= (a1 - a2) * (b3 - b1)


# -- several symbols


def _unblended(sizes: list, kept: list[int]) -> list[int]:
    """Without those that a mean of two others, with some weights, is above of."""
    terms = [size.terms if isinstance(size, Formula) else {(): size} for size in sizes]
    for index in list(kept):
        others = [other for other in kept if other != index]
        if any(_below_mean(sizes, terms, index, a, b) for a, b in combinations(others, 2)):
            kept = others
    return kept


def _below_mean(sizes: list, terms: list[dict], index: int, a: int, b: int) -> bool:
    """Whether w*a + (1-w)*b >= the size at `index` for some weight w, coefficient by coefficient."""
    low, high = 0.0, 1.0
    own, first, second = terms[index], terms[a], terms[b]
    for mono in {**own, **first, **second}:
        c = own.get(mono, 0)
        over, under = first.get(mono, 0) - c, second.get(mono, 0) - c  # w*over + (1-w)*under >= 0
        slope = over - under
        if slope > 0:
            low = max(low, -under / slope)
        elif slope < 0:
            high = min(high, -under / slope)
        elif under < 0:
            return False
        if low > high:
            return False
    weight = Fraction((low + high) / 2).limit_denominator(1 << 20)
    return _reaches(weight * sizes[a] + (1 - weight) * sizes[b], sizes[index])
