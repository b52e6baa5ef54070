"""Formulas held against counted networks: at random points, and where a size is 1."""

from __future__ import annotations

import random
from itertools import combinations
from typing import NamedTuple

from ..arith import Domain, Formula, at, names_of
from ..errors import NetcalcError, SpecError
from ..memory.envelope import same_maximum
from .maxima import items
from .sample import step_of

POINTS = 5  # at which a formula is compared with a counted network
RUNS = 2  # the same where it is that of a run, which is proven for all sizes that run alike
SLICED = 3  # names whose size of 1 is looked at
MAX_TRIES = 400  # random points that may be looked at to find those that meet all conditions


class One(NamedTuple):
    """The figure where names are 1, in the other names, and the sizes that it is proven for."""

    value: object
    domain: Domain


class Checked(NamedTuple):
    """points: how many were compared. domain: the sizes that the formula is proven for. ones: of names that must not be 1
    the figure where they are: a tensor with a size of 1 can be laid out in ways that others cannot."""

    points: int
    domain: Domain
    ones: dict[str, One] = {}


def check(net, asked, value, domain: Domain) -> Checked:
    """Compare a formula with counted networks. Raises NetcalcError where it differs."""
    if not isinstance(value, Formula) or not net.graph.free:
        return Checked(0, domain)
    domain, ones = _from_one(net, asked, value, domain) if asked.run else (domain, {})
    checked = 0
    for point, counted in _counted(net, asked, value, domain):
        if at(value, point) != counted:
            where = ", ".join(f"{name} = {number}" for name, number in point.items())
            raise NetcalcError(f"error: the formula of {asked.name} gives {at(value, point)} for {where}, but the network counted there has {counted}\n"
                               "  help: this is a fault of netcalc; please report it with the spec")  # fmt: skip
        checked += 1
        if checked == (RUNS if asked.run else POINTS):
            break
    return Checked(checked, domain, ones)


def _from_one(net, asked, value, domain: Domain) -> tuple[Domain, dict]:
    """The domain with sizes of 1 where the formula is proven for these too, and the figures where it is another one."""
    names = [name for name in net.graph.free if domain.least.get(name) == 2]
    if len(names) > SLICED:
        names = [name for name in names if name in names_of(value)]
    also: list[str] = []
    ones = {}
    for name in names if len(names) <= SLICED else ():
        slices = [
            dict.fromkeys((name, *others), 1) for count in range(len(also) + 1) for others in combinations(also, count)
        ]
        for fixed in slices:
            one = _sliced(net, asked, fixed)
            if one is None or not same_maximum(_terms(at(value, fixed)), _terms(one.value), one.domain):
                if one is not None and len(fixed) == 1:
                    ones[name] = one
                break
        else:
            also.append(name)
    return domain.from_one(also), ones


def _sliced(net, asked, fixed: dict) -> One | None:
    """The figure of the network with numbers for some names; None where there is no such network."""
    try:
        return One(*asked.run(bound(net, fixed)))
    except NetcalcError:
        return None


def _terms(value) -> list:
    return items(value) or [value]


def _counted(net, asked, value, domain: Domain):
    """Random points of the domain that meet all conditions, with the figure of the network that is counted there."""
    for point in _points(net.graph, value, random.Random(0)):
        if not domain.holds(point):
            continue
        try:
            yield point, asked.of(bound(net, point))
        except SpecError:  # a size that the conditions do not know of, such as more layers than fit
            continue


def bound(net, values: dict):
    """The network with numbers for names that were free."""
    left = tuple(name for name in net.free_names if name not in values)
    return type(net)(net.spec, {**net.given, **values}, net.variant_name, left)


def _points(graph, value, dice):
    """Random values for everything free that meet all conditions, small ones first."""
    conditions = [condition for condition, _ in graph.conditions]
    steps = {name: step_of(name, value, conditions) for name in graph.free}
    for attempt in range(MAX_TRIES):
        most = 8 << min(attempt // 50, 6)
        point = {name: dice.randint(1, most) * dice.choice((1, steps[name])) for name in graph.free}
        if all(condition.at(point) is True for condition in conditions):
            yield point
