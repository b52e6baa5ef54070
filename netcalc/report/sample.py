"""Sizes that meet the conditions of a network."""

from __future__ import annotations

import random
from math import lcm

from ..arith import Condition, names_of
from ..arith.domain import multiple
from .algebra import floors

USUAL = [8 * number for number in range(8, 17)]  # sizes that are tried first: head sizes that every kernel takes, say
LARGE, SAMPLES = (999, 99, 9, 9999, 99999), 60  # then sizes up to these, from the half on; so many times


def sample(graph, given: dict) -> dict:
    """Values for what is free beside `given` which meet all conditions: usual ones, so that what is open is answered as it
    is for most networks. Empty where nothing is free or none are found."""
    names = [name for name in graph.free if name not in given]
    conditions = graph.open_conditions(given)
    quotients = [quotient for c in conditions for quotient in (*floors(c.left), *floors(c.right))]
    multiples = [pair for pair in map(_multiple, conditions) if pair]
    steps, dice, best = {name: step_of(name, 0, conditions) for name in names}, random.Random(0), (0, {})
    for sizes in (USUAL, *(range(most // 2, most + 1) for most in LARGE)) if names else ():
        for _ in range(SAMPLES if conditions else 1):
            point = {name: dice.choice(sizes) * dice.choice((1, steps[name])) for name in names}
            for name, other in multiples:
                point[name] = point[other] * max(2, dice.choice(sizes))
            if all(condition.at(point) is True for condition in conditions):
                least = min([*point.values(), *(quotient.at(point) for quotient in quotients)])
                best = max(best, (least, point), key=lambda found: found[0])
        if best[1]:
            break
    return best[1]


def _multiple(condition: Condition) -> tuple | None:
    """(name, name of which it is a multiple), where a condition says that."""
    found = multiple(condition.left - condition.right) if condition.op == "==" else None
    names = found and (str(found[0]), str(found[1]))
    return names if names and set(names) <= set(condition.names()) else None


def step_of(name: str, value, conditions: list) -> int:
    """A number whose multiples meet conditions of divisibility."""
    quotients = [*floors(value), *(q for c in conditions for q in (*floors(c.left), *floors(c.right)))]
    dens = [q.den for q in quotients if isinstance(q.den, int) and name in names_of(q.num)]
    return min(lcm(*dens), 1 << 12) if dens else 1
