"""The few of many formulas that a maximum needs: those below several others together are left out.

Of two formulas neither may be above the other for all sizes, and yet a third be above both or between them everywhere.
What is left out is proven to be below; what stays may still be more than is needed.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, islice, product
from operator import ge, mul

from ..arith import Formula, Quotient, compare, prod

MANY = 120  # formulas beyond which pairs of them are not looked at, where there are maxima in them
POINTS = 150  # at which it is looked which formula is the highest


def undominated(sizes: list) -> list[int]:
    """The indices, ascending, of the sizes whose maximum is the maximum of all."""
    vectors = _vectors(sizes)
    kept = _reaching(sizes) if vectors is None else _front(vectors[1])
    if len(kept) < 3:
        return kept
    lines = [_line(sizes[index]) for index in kept]
    names = {name for name, *_ in lines if name != ""}
    if None not in names and len(names) == 1:
        return sorted(_hull([(slope, start, index) for (_, slope, start), index in zip(lines, kept, strict=True)]))
    if vectors is not None:
        return _unmixed(*vectors, kept)
    return _unblended(sizes, kept) if len(kept) <= MANY else kept


def _reaching(sizes: list) -> list[int]:
    kept: list[int] = []
    for index, size in enumerate(sizes):
        if not any(_reaches(sizes[other], size) for other in kept):
            kept = [other for other in kept if not _reaches(size, sizes[other])] + [index]
    return kept


def _reaches(a, b) -> bool:
    return compare(">=", a, b) is True


# -- sums of products as vectors: their coefficients, and their value where each product has the least that it can have. One
# -- that is not below another in any of these is nowhere below it.


def _vectors(sizes: list) -> tuple | None:
    """(products with their least values, vectors) of polynomials in symbols and quotients; None where there is another
    formula, or a quotient that may be negative."""
    least: dict = {}
    for size in sizes:
        for mono in size.terms if isinstance(size, Formula) else ():
            if mono not in least:
                found = [_least(atom) if power > 0 else None for atom, power in mono]
                if None in found:
                    return None
                least[mono] = prod(low**power for low, (_, power) in zip(found, mono, strict=True))
    least.pop((), None)
    found = []
    for size in sizes:
        terms = size.terms if isinstance(size, Formula) else {(): size}
        start = sum(coef * least.get(mono, 1) for mono, coef in terms.items())
        found.append((*(terms.get(mono, 0) for mono in least), start))
    return least, found


def _least(atom) -> int | None:
    """A bound below a symbol or a quotient, from 0 on; None where there is none."""
    if isinstance(atom, str):
        return 1
    low = atom.bounds()[0] if isinstance(atom, Quotient) else None
    return low if low is not None and low >= 0 else None


def _above(a: tuple, b: tuple) -> bool:
    return all(map(ge, a, b))


def _front(vectors: list[tuple]) -> list[int]:
    """Those that no other one is above; the first of equal ones."""
    kept: list[int] = []
    for index in sorted(range(len(vectors)), key=lambda index: vectors[index], reverse=True):
        if not any(_above(vectors[other], vectors[index]) for other in kept):
            kept.append(index)
    return sorted(kept)


def _unmixed(least: dict, vectors: list[tuple], kept: list[int]) -> list[int]:
    """Without those that some mean of two of the rest is above: the rest begins as those that are highest at some point."""
    rest = _highest_somewhere(least, vectors, kept)
    for index in _from_the_ends(sorted(kept, key=lambda index: vectors[index])):
        if index not in rest and not any(_mixed_above(vectors[index], vectors[a], vectors[b]) for a, b in combinations(rest, 2)):  # fmt: skip
            rest.append(index)
    return sorted(rest)


def _from_the_ends(items: list) -> list:
    """First, last, second, last but one ...: in a row of equal layers the others lie between the first and the last."""
    return [items[place // 2] if place % 2 == 0 else items[-1 - place // 2] for place in range(len(items))]


def _highest_somewhere(least: dict, vectors: list[tuple], kept: list[int]) -> list[int]:
    atoms = {atom for mono in least for atom, _ in mono}
    names = sorted({name for atom in atoms for name in ([atom] if isinstance(atom, str) else atom.names())})
    each = max(3, int(POINTS ** (1 / len(names))))
    grid = [1 << (28 * step // (each - 1)) for step in range(each)] if each < 29 else [1 << step for step in range(29)]
    found = set()
    for point in islice(product(grid, repeat=len(names)), 4 * POINTS):
        values = dict(zip(names, point, strict=True))
        known = {atom: values[atom] if isinstance(atom, str) else atom.at(values) for atom in atoms}
        scale = [prod(known[atom] ** power for atom, power in mono) - low for mono, low in least.items()]
        found.add(max(kept, key=lambda index: vectors[index][-1] + sum(map(mul, vectors[index], scale))))
    return sorted(found)


def _mixed_above(own: tuple, a: tuple, b: tuple) -> bool:
    """Whether w*a + (1-w)*b is above for some weight w: a fraction near the middle of those that will do, then exactly."""
    low, high = 0.0, 1.0
    for c, first, second in zip(own, a, b, strict=True):
        over, under = first - c, second - c  # w*over + (1-w)*under >= 0
        if over > under:
            low = max(low, -under / (over - under))
        elif over < under:
            high = min(high, under / (under - over))
        elif under < 0:
            return False
        if low > high + 1e-9:  # rounding; what comes out is looked at exactly
            return False
    weight = Fraction((low + high) / 2).limit_denominator(1 << 20)
    w, whole = weight.numerator, weight.denominator
    return all(w * first + (whole - w) * second >= whole * c for c, first, second in zip(own, a, b, strict=True))


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
