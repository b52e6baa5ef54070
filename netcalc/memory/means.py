"""Means of vectors: whether some mean of several is above another one in every place, decided exactly."""

from __future__ import annotations

from math import gcd


def some_mean_above(own: tuple, others: list[tuple]) -> bool:
    """Whether there are weights w >= 0 with sum 1 such that the sum of w*other is at least `own`, place by place. Of ints.

    A linear program: the largest sum of weights, up to 1, for which no place is below. It is 1 or 0. Solved by the simplex
    method on whole numbers (Edmonds 1967; Bareiss 1968), with the smallest index first (Bland 1977), so that it ends.
    """
    if any(all(map(int.__ge__, other, own)) for other in others):
        return True
    rows = _rows(own, others)
    return rows is not None and _Simplex(rows, len(others)).reaches_one()


def _rows(own: tuple, others: list[tuple]) -> list[list[int]] | None:
    """own - other for each place (a row) and each other (a column); None where a place is above all others."""
    found = []
    for size, *sizes in zip(own, *others, strict=True):
        row = [size - other for other in sizes]
        if min(row) > 0:
            return None
        if max(row) > 0:
            factor = gcd(*row)
            found.append([number // factor for number in row])
    return found


class _Simplex:
    """max sum(w) with rows*w <= 0, sum(w) <= 1, w >= 0: a tableau of whole numbers over one denominator."""

    def __init__(self, rows: list[list[int]], count: int):
        self.rows = [[*row, 0] for row in rows] + [[1] * count + [1], [-1] * count + [0]]
        self.count, self.limit, self.denominator = count, len(rows), 1
        self.inside = list(range(count, count + len(rows) + 1))  # the variables of the basis
        self.outside = list(range(count))

    def reaches_one(self) -> bool:
        while True:
            goal = self.rows[-1]
            entering = [(self.outside[place], place) for place in range(self.count) if goal[place] < 0]
            if not entering:
                return goal[-1] == self.denominator
            column = min(entering)[1]
            row = self._leaving(column)
            if row == self.limit:
                return True
            self._pivot(row, column)

    def _leaving(self, column: int) -> int:
        best = None
        for number, row in enumerate(self.rows[:-1]):
            if row[column] > 0:
                known = best is not None and self.rows[best]
                order = known and row[-1] * known[column] - known[-1] * row[column]
                if best is None or order < 0 or (order == 0 and self.inside[number] < self.inside[best]):
                    best = number
        return best  # the row of the sum is always there to leave

    def _pivot(self, at: int, column: int) -> None:
        chosen, last = self.rows[at], self.denominator
        pivot = chosen[column]
        for number, row in enumerate(self.rows):
            if number != at:
                factor = row[column]
                self.rows[number] = [(a * pivot - b * factor) // last for a, b in zip(row, chosen, strict=True)]
                self.rows[number][column] = -factor
        chosen[column] = last
        self.denominator = pivot
        self.inside[at], self.outside[column] = self.outside[column], self.inside[at]
