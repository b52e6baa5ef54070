"""The few of many formulas that a maximum needs: those that are nowhere above all others are left out.

A formula whose coefficients, as a vector of `space`, are not above those of some mean of others is nowhere above the
largest of these. Where one mean will not do for all sizes, they are cut into boxes, until it is proven for each or a point
is found where the formula is the largest. What is left out is proven to be below; what stays without a point could not be
decided.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count, permutations
from math import isqrt
from operator import ge
from typing import NamedTuple

from ..arith import Domain, compare
from .means import some_mean_above
from .space import CASES, GREATEST, Space

FEW_CASES = 4  # combinations of remainders that are told apart in a first look
POINTS = 150  # at which it is looked which formula is the highest
WORK = 30_000  # numbers that are looked at in all boxes, at most, to decide about all formulas
#: what is left out: what a single other formula is above of, or some mean of others, or one in each box of sizes
SINGLE, MEANS, BOXES = range(3)
STARTS, MOVES, STEPS = 3, 8, (4.0, 2.0, 1.4, 1.15, 1.05, 1.01, 1.0)  # of the search for a point
ANYWHERE = Domain()


class Lead(NamedTuple):
    """Where a formula is the highest. point: sizes for which it is above all others, None where none are known. share: at
    how many of the points tried."""

    point: dict | None
    share: int = 0


def undominated(sizes: list, domain: Domain = ANYWHERE) -> list[int]:
    """The indices, ascending, of the sizes whose maximum is the maximum of all in the domain."""
    return sorted(leads(sizes, domain, MEANS))


def leads(sizes: list, domain: Domain = ANYWHERE, effort: int = BOXES) -> dict[int, Lead]:
    """The sizes that the maximum of all needs, by index, each with where it is the highest. effort: SINGLE, MEANS or BOXES."""
    first = list({str(size): index for index, size in reversed([*enumerate(sizes)])}.values())
    space = Space([sizes[index] for index in first], domain, CASES if effort == BOXES else FEW_CASES)
    if not space.known:
        return dict.fromkeys((first[index] for index in _reaching([sizes[index] for index in first])), Lead(None))
    found = _Envelope(space).leads(effort)
    return {
        first[index]: lead._replace(point=lead.point and domain.named_point(lead.point))
        for index, lead in found.items()
    }


def same_maximum(one: list, other: list, domain: Domain) -> bool:
    """Whether two lists of sizes are proven to have the same maximum in the domain."""
    return _covers(one, other, domain) and _covers(other, one, domain)


def _covers(sizes: list, others: list, domain: Domain) -> bool:
    """Whether none of the others is ever above all sizes."""
    return all(
        len(sizes) not in leads([*sizes, other], domain) for other in others if str(other) not in map(str, sizes)
    )


def _reaching(sizes: list) -> list[int]:
    """The sizes that no single other one is known to reach."""
    kept: list[int] = []
    for index, size in enumerate(sizes):
        if not any(compare(">=", sizes[other], size) is True for other in kept):
            kept = [other for other in kept if compare(">=", size, sizes[other]) is not True] + [index]
    return kept


class _Envelope:
    def __init__(self, space: Space):
        self.space = space
        self.vectors = space.vectors(range(len(space.rows)))
        self._number, self._left = count(), WORK

    def leads(self, effort: int) -> dict[int, Lead]:
        """By the index of a size."""
        front = self._front()
        if effort == SINGLE or len(front) == 1:
            return {self.space.rows[row].size: Lead(None) for row in front}
        sure = self._highest(front)
        open = self._unmixed([*sure], [row for row in front if row not in sure], effort)
        for row in list(open) if effort == BOXES else ():
            others = [other for other in (*sure, *open) if other != row]
            decided = self._climb(row, others) or self._decide(row, others)
            if decided is not False:
                open.remove(row)
            if decided:
                sure[row] = Lead(decided)
        found = sure | dict.fromkeys(open, Lead(None))
        by_size: dict[int, Lead] = {}
        for row, lead in found.items():
            index = self.space.rows[row].size
            known = by_size.get(index, Lead(None))
            by_size[index] = Lead(known.point or lead.point, known.share + lead.share)
        return by_size

    def _front(self) -> list[int]:
        """The rows that no single other one is above of; the first of equal ones."""
        vectors, kept = self.vectors, []
        for row in sorted(range(len(vectors)), key=lambda row: vectors[row], reverse=True):
            own = vectors[row]
            above = next((place for place, other in enumerate(kept) if all(map(ge, vectors[other], own))), None)
            if above is None:
                kept.append(row)
            else:  # it may well be above the next ones too
                kept.insert(0, kept.pop(above))
        return sorted(kept)

    def _highest(self, rows: list[int]) -> dict[int, Lead]:
        """The rows that are above all others at some of the points that are tried."""
        found: dict[int, Lead] = {}
        for point in self.space.points(POINTS):
            values = self.space.values(rows, point)
            most = max(values)
            if values.count(most) == 1:
                row = rows[values.index(most)]
                known = found.get(row, Lead(point))
                found[row] = known._replace(share=known.share + 1)
        return found

    def _unmixed(self, sure: list[int], rest: list[int], effort: int) -> list[int]:
        """The rest without those that some mean of others is above of."""
        kept: list[int] = []
        for row in _from_the_ends(sorted(rest, key=lambda row: self.vectors[row])):
            if not self._mixed(row, sure + kept):
                kept.append(row)
        for row in list(kept) if effort == BOXES else ():
            if self._mixed(row, sure + [other for other in kept if other != row]):
                kept.remove(row)
        return kept

    def _mixed(self, row: int, others: list[int]) -> bool:
        return bool(others) and some_mean_above(self.vectors[row], [self.vectors[other] for other in others])

    def _climb(self, row: int, others: list[int]) -> dict | None:
        """A point at which the row is above all others, looked for step by step from where it comes closest."""
        points = sorted(self.space.points(POINTS), key=lambda point: self._ratio(row, others, point))[-STARTS:]
        for point in reversed(points):
            best = self._ratio(row, others, point)
            for step in STEPS:
                for _ in range(MOVES):
                    near = max(self._around(point, step), key=lambda near: self._ratio(row, others, near))
                    ratio = self._ratio(row, others, near)
                    if ratio <= best:
                        break
                    point, best = near, ratio
                    if ratio > 1:
                        return point
        return None

    def _around(self, point: dict, step: float):
        """The points one step away in a number, or in two that go against each other."""

        def moved(name: str, up: bool) -> int:
            low, high = self.space.box[name]
            size = (
                max(point[name] + 1, round(point[name] * step))
                if up
                else min(point[name] - 1, round(point[name] / step))
            )
            return max(low, size if high is None else min(size, high))

        names = self.space.names
        for name in names:
            yield point | {name: moved(name, True)}
            yield point | {name: moved(name, False)}
        for one, other in permutations(names, 2):
            yield point | {one: moved(one, True), other: moved(other, False)}

    def _ratio(self, row: int, others: list[int], point: dict) -> float:
        """How close the row comes to the largest of the others: above 1 where it is above them."""
        own, *values = self.space.values([row, *others], point)
        most = max(values)
        if own > most:  # as a float the two may be equal
            return max(own / most if most > 0 else 2.0, 1 + 1e-12) if self.space.domain.holds_free(point) else 0.0
        return min(own / most if most > 0 else 0.0, 1.0)

    def _decide(self, row: int, others: list[int]) -> dict | bool | None:
        """A point at which the row is above all others, None where it is proven that there is none, False where neither
        came out."""
        boxes: list[tuple] = []
        self._consider(boxes, row, others, self.space.box)
        while boxes and self._left > 0:
            ratio, _, point, box = heappop(boxes)
            if ratio < -1:
                return point
            own, *vectors = self.space.vectors([row, *others], box)
            self._left -= len(own) * len(vectors)
            if not some_mean_above(own, vectors):
                parts = _halves(box)
                if not parts:
                    continue  # a single point, at which the row is not above
                for part in parts:
                    self._consider(boxes, row, others, part)
        return False if boxes else None

    def _consider(self, boxes: list, row: int, others: list[int], box: dict) -> None:
        """Put a box among those to be looked at: first those in whose middle, or at whose ends, the row comes closest."""
        ratio, point = max(
            ((self._ratio(row, others, point), point) for point in _looks(box)), key=lambda look: look[0]
        )
        heappush(boxes, (-ratio, next(self._number), point, box))


def _from_the_ends(items: list) -> list:
    """First, last, second, last but one ...: in a row of equal layers the others lie between the first and the last."""
    return [items[place // 2] if place % 2 == 0 else items[-1 - place // 2] for place in range(len(items))]


def _middle(low: int, high: int | None) -> int:
    return min(high, isqrt(low * high)) if high is not None else min(8 * low, max(GREATEST, 2 * low))


def _looks(box: dict) -> list[dict]:
    """The middle of a box, and its ends."""
    ends = [{name: low for name, (low, _) in box.items()}]
    ends += (
        [{name: high for name, (_, high) in box.items()}] if all(high is not None for _, high in box.values()) else []
    )
    return [{name: _middle(*sides) for name, sides in box.items()}, *ends]


def _halves(box: dict) -> list[dict]:
    """A box cut in two, across the number that reaches furthest; empty for a single point."""
    reach = {name: (high or max(GREATEST, 4 * low)) / max(low, 1) for name, (low, high) in box.items() if low != high}
    if not reach:
        return []
    name = max(reach, key=reach.get)
    low, high = box[name]
    at = min(_middle(low, high), high - 1 if high is not None else 4 * low)
    return [box | {name: (low, at)}, box | {name: (at + 1, high)}]
