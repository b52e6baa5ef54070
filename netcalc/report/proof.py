"""Formulas held against counted networks: at random points, and where a size is 1."""

from __future__ import annotations

import random
from math import lcm
from typing import NamedTuple

from ..arith import Condition, Formula, at, names_of, symbol
from ..errors import NetcalcError, SpecError
from .algebra import floors

POINTS = 5  # at which a formula is compared with a counted network
MAX_TRIES = 400  # random points that may be looked at to find those that meet all conditions


class Checked(NamedTuple):
    """points: how many were compared. ones: names that must not be 1, with the figure where they are (None where that
    depends on other names): a tensor with a size of 1 can be laid out in ways that others cannot."""

    points: int
    ones: dict

    def conditions(self) -> list[Condition]:
        return [Condition(">=", symbol(name), 2) for name in self.ones]


def check(net, asked, value) -> Checked:
    """Compare a formula with counted networks. Raises NetcalcError where it differs."""
    if not isinstance(value, Formula) or not net.graph.free:
        return Checked(0, {})
    ones = _ones(net, asked, value) if asked.ones else {}
    checked = 0
    for point, counted in _counted(net, asked, value, {}):
        if any(point[name] == 1 for name in ones):
            continue
        if at(value, point) != counted:
            where = ", ".join(f"{name} = {number}" for name, number in point.items())
            raise NetcalcError(f"error: the formula of {asked.name} gives {at(value, point)} for {where}, but the network counted there has {counted}\n"
                               "  help: this is a fault of netcalc; please report it with the spec")  # fmt: skip
        checked += 1
        if checked == POINTS:
            break
    return Checked(checked, ones)


def _ones(net, asked, value) -> dict:
    """The names whose formula does not hold where they are 1, with the figure there."""
    names, found = names_of(value), {}
    for name in net.graph.free:
        if name not in names:
            continue
        for _, (point, counted) in zip(
            range(1 if names == {name} else POINTS), _counted(net, asked, value, {name: 1}), strict=False
        ):
            if at(value, point) != counted:
                found[name] = counted if names == {name} else None
                break
    return found


def _counted(net, asked, value, fixed: dict):
    """Random points that meet all conditions, with the figure of the network that is counted there."""
    for point in _points(net.graph, value, random.Random(0), fixed):
        try:
            yield point, asked.of(bound(net, point))
        except SpecError:  # a size that the conditions do not know of, such as more layers than fit
            continue


def bound(net, values: dict):
    """The network with numbers for names that were free."""
    left = tuple(name for name in net.free_names if name not in values)
    return type(net)(net.spec, {**net.given, **values}, net.variant_name, left)


def _points(graph, value, dice, fixed: dict):
    """Random values for everything free that meet all conditions, small ones first; `fixed` have theirs."""
    conditions = [condition for condition, _ in graph.conditions]
    steps = {name: _step(name, value, conditions) for name in graph.free}
    for attempt in range(MAX_TRIES):
        most = 8 << min(attempt // 50, 6)
        point = {name: dice.randint(1, most) * dice.choice((1, steps[name])) for name in graph.free} | fixed
        if all(condition.at(point) is True for condition in conditions):
            yield point


def _step(name: str, value, conditions: list) -> int:
    """A number whose multiples meet conditions of divisibility."""
    quotients = [*floors(value), *(q for c in conditions for q in (*floors(c.left), *floors(c.right)))]
    dens = [q.den for q in quotients if isinstance(q.den, int) and name in names_of(q.num)]
    return min(lcm(*dens), 1 << 12) if dens else 1
