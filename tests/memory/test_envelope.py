"""The few of many formulas whose maximum is that of all."""

from __future__ import annotations

import random
from itertools import pairwise, product
from operator import mul

import pytest

from netcalc.arith import Condition, Domain, at, maximum, symbol
from netcalc.memory.envelope import leads, same_maximum, undominated
from netcalc.memory.means import some_mean_above

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


# -- exact means


def meant(own, others, steps: int = 24) -> bool:
    """Whether a mean with weights that are multiples of 1/24 is above, tried one by one."""
    weights = (w for w in product(range(steps + 1), repeat=len(others)) if sum(w) == steps)
    return any(
        all(sum(map(mul, w, sizes)) >= steps * size for size, *sizes in zip(own, *others, strict=True)) for w in weights
    )


@pytest.mark.parametrize("own, others, found", [
    ((5, 5), [(10, 0), (0, 10)], True),
    ((5, 6), [(10, 0), (0, 10)], False),
    ((1, 1, 1), [(3, 0, 0), (0, 3, 0), (0, 0, 3)], True),  # a third of each, and nothing else
    ((1, 1, 1), [(3, 0, 0), (0, 3, 0)], False),
    ((0, 7), [(-1, 100), (1, 0)], True),
    ((2, 2), [(2, 2)], True),
    ((2, 3), [(3, 2)], False),
])  # fmt: skip
def test_whether_a_mean_is_above(own, others, found):
    assert some_mean_above(own, others) is found


def test_means_that_a_search_finds_are_found():
    dice, above = random.Random(3), 0
    for _ in range(400):
        places, count = dice.randrange(1, 5), dice.randrange(1, 4)
        others = [tuple(dice.randrange(-9, 10) for _ in range(places)) for _ in range(count)]
        own = tuple(dice.randrange(-9, 4) for _ in range(places))
        found = some_mean_above(own, others)
        assert found or not meant(own, others)
        if not found:  # Gale: some mixture of the places has all others below
            mixtures = product(range(13), repeat=places)
            assert any(
                all(sum(map(mul, m, other)) < sum(map(mul, m, own)) for other in others) for m in mixtures if any(m)
            ) or not meant(own, others, 60)
        above += found
    assert 80 < above < 320


# -- every point of a grid


def domains():
    """Domains of N and T, each with the points of a grid that lie in it."""
    asked = [
        [], [Condition(">=", N, 2), Condition(">=", T, 2)], [Condition("<=", T, 9)], [Condition("==", N % 3, 0)],
        [Condition("==", N % T, 0), Condition(">=", N // T, 2)], [Condition(">=", N * T, 8), Condition("<=", N, 12)],
    ]  # fmt: skip
    for conditions in asked:
        domain = Domain(conditions, {"N": 12, "T": 4})
        grid = [{"N": n, "T": t} for n, t in product(range(1, 19), repeat=2)]
        yield domain, [point for point in grid if domain.holds(point)]


def formulas(dice: random.Random, count: int) -> list:
    atoms = [N, T, N * T, N * T * T, T * T, N // 3, (N + 5) // 4, (N * T + 1) // 2, N * (N // 3)]
    chosen = dice.sample(atoms, 4)
    top = 10 ** dice.randrange(1, 5)
    return [sum((dice.randrange(9) * atom for atom in chosen), dice.randrange(top)) for _ in range(count)]


def test_at_every_point_of_a_grid_the_maximum_is_that_of_all():
    dice, left_out, proven = random.Random(8), 0, 0
    for domain, grid in domains():
        assert len(grid) > 20
        for _ in range(8):
            sizes = formulas(dice, 12)
            found = leads(sizes, domain)
            for point in grid:
                values = [at(size, point) for size in sizes]
                assert max(values[index] for index in found) == max(values)
            left_out, proven = (
                left_out + 12 - len(found),
                proven + sum(lead.point is not None for lead in found.values()),
            )
            for index, lead in found.items():
                if lead.point is not None:  # really above all others there
                    values = [at(size, lead.point) for size in sizes]
                    assert domain.holds(lead.point)
                    assert all(values[index] > values[o] for o in range(12) if str(sizes[o]) != str(sizes[index]))
    assert left_out > 300 and proven > 120


def test_no_formula_stays_that_is_nowhere_the_highest():
    """Of polynomials in two sizes all that stays has a point, and all that has one stays; seen for sizes up to 40."""
    dice, domain = random.Random(2), Domain([Condition("<=", N, 40), Condition("<=", T, 40)])
    for _ in range(8):
        sizes = [
            dice.randrange(9) * N * T + dice.randrange(99) * N + dice.randrange(99) * T + dice.randrange(999)
            for _ in range(15)
        ]
        highest = set()
        for n, t in product(range(1, 41), repeat=2):
            values = [at(size, {"N": n, "T": t}) for size in sizes]
            if values.count(max(values)) == 1:
                highest.add(values.index(max(values)))
        found = leads(sizes, domain)
        assert highest <= set(found) and all(lead.point for index, lead in found.items() if index in highest)
        assert len(found) <= len(highest) + 1  # one that is as high as another is needed now and then


def test_the_same_maximum_in_other_terms():
    """(3N + T)/2 is below max(N + T, 2*N) everywhere; with one more it is not, where N is T."""
    one = [2 * N, N + T]
    assert same_maximum(one, [2 * N, N + T, (3 * N + T) / 2], Domain())
    assert not same_maximum(one, [2 * N, N + T, (3 * N + T) / 2 + 1], Domain())
    assert same_maximum([5], [5, 3], Domain()) and not same_maximum([5], [5, N], Domain())


def test_a_maximum_that_is_added_is_taken_apart():
    assert undominated([maximum(N, T) + 5, N + 3, T + 6]) == [0, 2]
    assert undominated([maximum(N, 7) * T, N * T + 1, 3]) == [0, 1]
