"""The few of many formulas whose maximum is that of all."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from netcalc.arith import at, symbol
from netcalc.memory.envelope import undominated

N, T = symbol("N"), symbol("T")


@pytest.mark.parametrize("sizes, kept", [
    ([3, 5, 4], [1]),
    ([N, 2 * N, N + 1], [1]),  # 2N >= N + 1 for N >= 1
    ([10 * N, 100, 5 * N + 50], [0, 1]),  # equal at N = 10: the third touches and is never above
    ([10 * N, 100, 5 * N + 51], [0, 1, 2]),  # 101 at N = 10
    ([N * T, 100 * N, 50 * T, 7], [0, 1, 2]),
    ([8 * N * T, 8 * T + 800 * N, 4 * N * T + 4 * T + 400 * N], [0, 1]),  # the third is the mean of both
    ([8 * N * T, 800 * N, 4 * N * T + 400 * N + 1], [0, 1, 2]),
    ([2 * N**2, 100 * N, 50 * N + N**2], [0, 1]),
])  # fmt: skip
def test_which_stay(sizes, kept):
    assert undominated(sizes) == kept


def test_the_maximum_stays_the_same():
    draw = random.Random(11)
    atoms = [N, T, N * T, N * ((T + 31) // 32), T * T]
    fewer = 0
    for symbols in (atoms[:1], atoms[:3], atoms):
        for _ in range(40):
            sizes = [
                sum((draw.randrange(0, 40) * atom for atom in symbols), draw.randrange(0, 10 ** draw.randrange(1, 5)))
                for _ in range(25)
            ]
            kept = undominated(sizes)
            fewer += len(sizes) - len(kept)
            for _ in range(30):
                values = {"N": draw.randrange(1, 3) ** draw.randrange(1, 12), "T": draw.randrange(1, 400)}
                assert max(at(sizes[index], values) for index in kept) == max(at(size, values) for size in sizes)
    assert fewer > 120 * 10, "most of them are not needed"


def test_lines_that_stay_lead_somewhere():
    """In one symbol nothing stays that is not needed, for real x >= 1."""
    draw = random.Random(4)
    for _ in range(50):
        lines = [(draw.randrange(0, 50), draw.randrange(0, 500)) for _ in range(20)]
        kept = undominated([b * N + a if b else a for b, a in lines])
        chosen = sorted({lines[index] for index in kept})
        assert len(chosen) == len(kept)
        crossings = [(a1 - a2) / (b2 - b1) for (b1, a1), (b2, a2) in pairwise(chosen)]
        assert crossings == sorted(crossings) and all(x > 1 for x in crossings)


def test_shares_are_weighed_like_symbols():
    """(N + i) // 4 is never negative, so coefficients can be compared; the maximum stays the same everywhere."""
    dice, n = random.Random(7), symbol("N")
    for _ in range(60):
        sizes = [
            dice.randrange(9) * n + sum(dice.randrange(5) * ((n + i) // 4) for i in range(4)) + dice.randrange(50)
            for _ in range(dice.randrange(2, 9))
        ]
        kept = [sizes[index] for index in undominated(sizes)]
        for count in (1, 2, 3, 4, 5, 7, 30, 10**6):
            assert max(at(size, {"N": count}) for size in kept) == max(at(size, {"N": count}) for size in sizes)


def test_shares_that_are_below_another_are_left_out():
    n = symbol("N")
    assert undominated([3 * (n // 4) + 5, 2 * (n // 4) + 5, n + (n + 3) // 4]) == [0, 2]
