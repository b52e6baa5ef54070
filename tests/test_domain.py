"""What many noted conditions come to."""

from __future__ import annotations

import random
from itertools import product

import pytest

from netcalc.arith import Condition, Domain, assuming, at, divides, equal, holds, less, symbol
from netcalc.arith.assume import NEGATED

N, T, D, H = map(symbol, "NTDH")


def noted(point: dict, *questions) -> Domain:
    """The domain of a run that asks these questions at a point."""
    with assuming(point) as assumed:
        for question in questions:
            holds(question)
    return Domain(assumed.taken, point)


@pytest.mark.parametrize("point, questions, said", [
    ({"N": 9}, [equal(N, 1)], ["N >= 2"]),
    ({"N": 9, "T": 7}, [equal(N * T, 1), equal(N, 1), less(1, T)], ["N >= 2", "T >= 2"]),  # then N*T is at least 4
    ({"N": 9, "T": 7}, [divides(768 * N, 768), divides(N * T, N)], ["N >= 2", "T >= 2"]),  # 768*N divides 768 where N is 1
    ({"D": 120}, [divides(12, D), equal(D // 12, 1)], ["D % 12 == 0", "D >= 24"]),
    ({"D": 120, "T": 5}, [divides(12, D), equal(12 * (D // 12), D), less(D // 12, 3 * D * T)], ["D % 12 == 0"]),
    ({"D": 120, "H": 4}, [divides(H, D), equal(D // H, 1), equal(D, H)], ["D % H == 0", "D//H >= 2"]),
    ({"D": 640}, [divides(2, D // 32), equal(2 * (D // 64), D // 32), equal(D // 64, 1)], ["(D//32) % 2 == 0", "D >= 128"]),
    ({"N": 9, "T": 7}, [equal((N * T + 3) // 4, 1), equal(N * T // 4, 1)], ["N*T >= 8"]),
    ({"D": 1152}, [divides(12, D), less(0, D // 12 % 8), less(D // 12, 257)], ["D % 96 == 0", "D <= 3072"]),  # heads of up to 256
    ({"H": 900}, [equal((H + 31) // 32, 1), equal((H + 7) // 8, 1)], ["H >= 33"]),
    ({"T": 64}, [less(T, 1025), less(2 * T, 3000)], ["T <= 1024"]),
    ({"H": 90, "T": 50}, [equal((H // 16) * (T // 16), T // 16)], ["T >= 16", "H >= 32"]),
])  # fmt: skip
def test_as_few_conditions_as_say_it(point, questions, said):
    found = noted(point, *questions)
    assert sorted(map(str, found.conditions)) == sorted(said) and found.holds(point)


def test_a_domain_is_within_its_conditions():
    """At every point of a grid: what lies in the domain meets all that was noted, and the sample lies in it."""
    dice = random.Random(5)
    sizes = [N, T, N * T, 2 * N, N // 2, (N * T + 1) // 3, (T + 3) // 4, N * N, T // 2, N + T, 3 * (N // 2)]
    inside = 0
    for _ in range(150):
        point = {"N": dice.randrange(1, 14), "T": dice.randrange(1, 14)}
        conditions = []
        for _ in range(dice.randrange(1, 5)):
            left, right = dice.choice(sizes), dice.choice([*sizes, 1, 2, 5])
            asked = (
                divides(dice.randrange(2, 5), left)
                if dice.random() < 0.2
                else Condition(dice.choice([*NEGATED]), left, right)
            )
            if not isinstance(asked, Condition):
                continue
            true = asked.at(point) is True
            conditions.append(asked if true else Condition(NEGATED[asked.op], asked.left, asked.right))
        domain = Domain(conditions, point)
        assert domain.holds(point), (conditions, domain.conditions)
        for n, t in product(range(1, 16), repeat=2):
            if domain.holds({"N": n, "T": t}):
                inside += 1
                assert all(condition.at({"N": n, "T": t}) is True for condition in conditions), (conditions, n, t)
    assert inside > 2000, "they are not all tiny"


def test_multiples_are_free_numbers():
    """With D a multiple of 12, 240*T*(D//12) is 20*T*D; in free numbers D is 12 times one of them."""
    domain = noted({"D": 120, "T": 7}, divides(12, D), equal(T, 1))
    assert str(domain.tidied(240 * T * (D // 12) + D)) == "20*D*T + D"
    assert str(domain.tidied(5 * (D // 12))) == "5*D/12"
    assert at(domain.tidied(5 * (D // 12)), {"D": 48}) == 20
    assert domain.smallest(["D", "T", "N"]) == {"D": 12, "T": 2, "N": 1}
    assert domain.named_point({"D//12": 5, "T": 3}) == {"D": 60, "T": 3}


def test_a_size_of_one_can_be_let_in_again():
    domain = noted({"N": 9, "T": 7}, equal(N, 1), equal(T, 1))
    assert list(map(str, domain.from_one(["N"]).conditions)) == ["T >= 2"]
    assert len(domain.conditions) == 2
