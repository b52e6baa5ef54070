"""Equations for one argument: the largest, smallest or nearest value for which a figure meets a bound.

The figure is evaluated exactly, by the formula in the unknown where there is one, else by counting the network anew for
each value that is tried.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from ..arith import Condition, Domain, Extreme, Formula, Quotient, Undecided, at, names_of
from ..errors import NetcalcError, SpecError
from ..language.names import element
from ..memory.envelope import ANYWHERE
from .proof import bound, check
from .quantities import Quantity, quantity, unmodelled
from .table import mebibytes

_CONDITION = re.compile(r"\s*([a-z_-]+)\s*(<=|>=|==|=|<|>)\s*([\d_,]+(?:\.\d+)?)(?:e(\d+))?\s*([A-Za-z]*)\s*\Z")
_UNITS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12,
          "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}  # fmt: skip
_FINER = "Only whole numbers were tried; --step 0.05 tries numbers between them."
MAX_BELOW = 8  # sizes below those that a formula is proven for, that are counted one by one
LIMIT = 1 << 62  # no size is larger
MAX_WALK = 100_000  # values that are looked at to find one that meets the conditions
#: values that are looked at to be sure without knowing that a figure grows: by its formula, and by counting networks
MAX_EVALUATED, MAX_COUNTED = 20_000, 400


class Solution(NamedTuple):
    """value: what was found, None for nothing. figure: the quantity there. exact: whether it is the number asked for, or
    every value will do. further: (value, figure) of the neighbour on the
    other side of the bound. why: what to know about it, or why there is none."""

    model: str
    variant: str | None
    condition: str
    quantity: str
    unit: str
    unknown: str
    step: object
    sizes: dict  # free sizes that were given a value: one sample
    value: object
    figure: int | None
    exact: bool
    further: tuple | None
    why: str

    def to_dict(self) -> dict:
        """What `--format json` prints."""
        found = self._asdict()
        for name in ("value", "step"):
            found[name] = _number(found[name])
        found["further"] = {"value": _number(self.further[0]), "figure": self.further[1]} if self.further else None
        return found

    def format(self, format: str = "text") -> str:
        """As text or json."""
        if format == "json":
            import json

            return json.dumps(self.to_dict(), indent=2)
        return _text(self)

    def __str__(self):
        return self.format()

    def _repr_html_(self):
        import html

        return f"<pre>{html.escape(str(self))}</pre>"


def solve(net, condition: str, unknown: str, step=None) -> Solution:
    """The value of an argument or a free size for which `condition`, such as "params <= 25M", holds just so."""
    asked, op, target = _read(condition)
    given, step = step, _step(step)
    net, sizes = _one_sample(net, unknown, asked)
    curve = _curve(net, asked, unknown, step)
    shown = f"{asked.name} {op} {target:,}"
    facts = (net.graph.spec.name, net.graph.variant, shown, asked.name, asked.unit, unknown, step, sizes)
    found = Solution(*facts, *_solved(curve, op, target, asked.name, unknown))
    missing = [f"Not modelled, so {asked.name} is a lower bound: {text}." for text in unmodelled(net, asked)]
    finer = [_FINER] if given is None and not found.exact and _takes_fractions(net, unknown, found.value) else []
    return found._replace(why=" ".join(filter(None, (found.why, *finer, *missing))))


def _takes_fractions(net, unknown: str, value) -> bool:
    if element(unknown)[0] not in net.spec.args:
        return False
    try:
        return bool(bound(net, {unknown: (value or 1) - Fraction(1, 20)}).graph)
    except SpecError:
        return False


def _read(condition: str) -> tuple[Quantity, str, int]:
    """The quantity, the comparison and the number of a condition."""
    found = _CONDITION.match(condition)
    if not found or found[5] not in _UNITS:
        raise NetcalcError(f"error: `{condition}` is not a condition that can be solved\n"
                           '  help: write a quantity, a comparison and a number: "params <= 25M", "macs == 1.8G"')  # fmt: skip
    name, op, number, power, unit = found.groups()
    value = Fraction(number.replace("_", "").replace(",", "")) * 10 ** int(power or 0) * _UNITS[unit]
    if value.denominator != 1 or value > LIMIT**3:
        raise NetcalcError(f"error: `{number}{unit}` is not a whole number that a figure can have")
    return quantity(name), {"=": "=="}.get(op, op), value.numerator


def _step(step) -> object:
    try:
        value = Fraction(str(step if step is not None else 1))
    except (ValueError, ZeroDivisionError):
        value = Fraction(0)
    if value <= 0:
        raise NetcalcError(f"error: --step {step}: a step is a number above 0, such as 8 or 0.05")
    return _plain(value)


def _one_sample(net, unknown: str, asked: Quantity):
    """The network for one sample, unless the batch is what is looked for; and the sizes that were set for it."""
    known = [*net.spec.args, *net.graph.free]
    if element(unknown)[0] not in known:
        raise NetcalcError(f"error: --for {unknown}: there is no argument or free size of that name\n  help: there are {', '.join(known)}")  # fmt: skip
    batch = net.graph.batch
    if batch in net.graph.free and batch != unknown and batch in names_of(asked.of(net)):
        return bound(net, {batch: 1}), {batch: 1}
    return net, {}


# -- the figure as a function of the number of the step


class _Curve(NamedTuple):
    figure: object  # of the number of a step: the figure there, None where the network is wrong
    valid: object  # of the number of a step: whether the network meets its conditions
    value: object  # of the number of a step: the value of the unknown
    grows: bool  # whether the figure is known never to fall
    constant: int | None  # the figure where it does not depend on the unknown
    most: int  # steps that may be looked at one by one


def _curve(net, asked: Quantity, unknown: str, step) -> _Curve:
    def value(number):
        return _plain(number * Fraction(step))

    formula, freed, domain = _formula(net, asked, unknown) if isinstance(step, int) else (None, net, ANYWHERE)
    counted = _counted(net, asked, unknown, value)
    if formula is None:
        return counted
    others = sorted(names_of(formula) - {unknown})
    if others:
        raise _still_free(asked, others)
    check(freed, asked, formula, domain)
    conditions = [c for c, _ in freed.graph.conditions if set(c.names()) == {unknown}]
    constant = None if isinstance(formula, Formula) else formula

    def figure(number):
        here = {unknown: value(number)}
        return at(formula, here) if not asked.run or domain.holds(here) else counted.figure(number)

    def valid(number):
        here = value(number)
        return all(_holds(condition, unknown, here) for condition in conditions) and figure(number) is not None

    return _Curve(
        figure, valid, value, _grows(formula) and _grows_to(figure, valid, domain, unknown, step), constant, MAX_EVALUATED,
    )  # fmt: skip


def _formula(net, asked: Quantity, unknown: str):
    """The figure as a formula in the unknown; None where the network cannot be built with it free."""
    freed = net if unknown in net.graph.free else type(net)(
        net.spec, {n: v for n, v in net.given.items() if n != unknown}, net.variant_name, (*net.free_names, unknown))  # fmt: skip
    try:
        value, domain = asked.run(freed) if asked.run else (asked.of(freed), ANYWHERE)
        return value, freed, domain
    except (SpecError, Undecided):
        return None, net, ANYWHERE


def _grows_to(figure, valid, domain: Domain, unknown: str, step: int) -> bool:
    """Whether the figures of the sizes below the domain rise, up to that of its first; these are counted one by one."""
    first = domain.smallest([unknown])[unknown]
    if first > MAX_BELOW or any(
        unknown in condition.names() for condition in domain.conditions if condition.op == "<="
    ):
        return False
    figures = [figure(number) for number in range(1, -(-first // step) + 1) if valid(number)]
    return figures == sorted(figures)


def _counted(net, asked: Quantity, unknown: str, value) -> _Curve:
    """The figure of a network that is built for each value."""
    known: dict[int, int | None] = {}

    def figure(number):
        if number not in known:
            try:
                known[number] = asked.of(bound(net, {unknown: value(number)}))
            except SpecError:
                known[number] = None
            if isinstance(known[number], Formula):
                raise _still_free(asked, sorted(names_of(known[number])))
        return known[number]

    return _Curve(figure, lambda number: figure(number) is not None, value, False, None, MAX_COUNTED)


def _still_free(asked: Quantity, names: list) -> NetcalcError:
    settings = " ".join(f"{name}=..." for name in names)
    return NetcalcError(f"error: {asked.name} depends on {', '.join(names)} too\n  help: give values: --set {settings}")


def _holds(condition: Condition, unknown: str, value) -> bool:
    return condition.at({unknown: value}) is True


def _grows(formula) -> bool:
    """Whether it can be seen that a formula never falls when its names grow."""
    if not isinstance(formula, Formula):
        return True
    return all(
        coef > 0 and all(power > 0 and _atom_grows(atom) for atom, power in mono if atom) for mono, coef in formula.terms.items()
    )  # fmt: skip


def _atom_grows(atom) -> bool:
    if isinstance(atom, Quotient):
        return isinstance(atom.den, int) and _grows(_without_constant(atom.num))
    return all(map(_grows, atom.items)) if isinstance(atom, Extreme) else True


def _without_constant(formula):
    constant = formula.terms.get((), 0) if isinstance(formula, Formula) else formula
    return formula - constant


# -- the search


def _solved(curve: _Curve, op: str, target: int, name: str, unknown: str) -> tuple:
    """value, figure, exact, further and why of a Solution."""
    if curve.constant is not None:
        holds = {"<=": curve.constant <= target, "<": curve.constant < target, ">=": curve.constant >= target,
                 ">": curve.constant > target, "==": curve.constant == target}[op]  # fmt: skip
        every = "so every value will do" if holds else "so none will do"
        return (
            None,
            curve.constant,
            holds,
            None,
            f"{name} does not depend on {unknown}: it is {curve.constant:,}, {every}.",
        )
    most = {"<": target - 1, ">=": target - 1}.get(op, target)
    below, above, why = _around(curve, most)
    if op in (">=", ">"):
        below, above = above, below
    if op == "==" and below is not None and above is not None:
        if abs(curve.figure(above) - target) < abs(curve.figure(below) - target):
            below, above = above, below
    elif op == "==" and below is None:
        below, above = above, below
    if below is None:
        further = (curve.value(above), curve.figure(above)) if above is not None else None
        return None, None, False, further, " ".join(filter(None, (_none(op, curve, above, unknown, name), why)))
    figure = curve.figure(below)
    further = (curve.value(above), curve.figure(above)) if above is not None else None
    if op == "==" and figure != target:
        why = " ".join(filter(None, (f"No {'whole ' * (curve.value(1) == 1)}{unknown} gives exactly that.", why)))
    return curve.value(below), figure, figure == target, further, why


def _none(op: str, curve: _Curve, other, unknown: str, name: str) -> str:
    if other is None:
        return f"No value of {unknown} makes a network that meets its conditions."
    small = op in ("<=", "<")
    return f"There is none: {name} is {curve.figure(other):,} already at {unknown} = {_number(curve.value(other))}, the {'smallest' if small else 'largest'} possible."  # fmt: skip


def _around(curve: _Curve, most: int) -> tuple:
    """The last valid step whose figure is at most `most`, the first one above; and what to say about how sure that is."""
    first = _next_valid(curve, 0, +1)
    if first is None:
        return None, None, ""
    if not curve.grows:
        return _around_unknown(curve, first, most)
    if curve.figure(first) > most:
        return None, first, ""
    low, high = first, first * 2
    while high < LIMIT and curve.figure(high) <= most:
        low, high = high, high * 2
    if high >= LIMIT:
        return low, None, "It is not bounded: larger values meet the condition too."
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if curve.figure(middle) <= most else (low, middle)
    below = low if curve.valid(low) else _next_valid(curve, low, -1)
    return below, _next_valid(curve, low, +1), ""


def _around_unknown(curve: _Curve, first: int, most: int) -> tuple:
    """The same where it is not known that the figure grows: every step is looked at while they are few."""
    high = first
    while high < LIMIT and (figure := curve.figure(high)) is not None and figure <= most:
        high *= 2
    if high <= curve.most // 2:
        valid = [number for number in range(first, 2 * high + 1) if curve.valid(number)]
        below = max((number for number in valid if curve.figure(number) <= most), default=None)
        above = min((n for n in valid if curve.figure(n) > most and (below is None or n > below)), default=None)
        return below, above, f"Every step up to {_number(curve.value(2 * high))} was looked at."
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        figure = curve.figure(middle) if curve.valid(middle) else None
        low, high = (middle, high) if figure is not None and figure <= most else (low, middle)
    above = high if curve.valid(high) else None
    return low, above, "Found by halving, which takes for granted that the figure grows."


def _next_valid(curve: _Curve, number: int, direction: int):
    for _ in range(MAX_WALK if curve.grows or curve.constant is not None else 64):
        number += direction
        if number < 1:
            return None
        if curve.valid(number):
            return number
    return None


# -- how it is written


def _plain(value: Fraction):
    return value.numerator if value.denominator == 1 else value


def _number(value):
    """A value for JSON and for people: whole numbers as such, others as decimals."""
    return float(value) if isinstance(value, Fraction) else value


def _text(found: Solution) -> str:
    named = found.model + (f" ({found.variant})" if found.variant else "")
    kind = {"<": "largest", ">": "smallest"}.get(found.condition.split()[1][0], "nearest")
    steps = "" if found.step == 1 else f" in steps of {_number(found.step)}"
    at_sizes = "".join(f", {name} = {value}" for name, value in found.sizes.items())
    lines = [f"{named}: the {kind} {found.unknown}{steps} for {found.condition} {found.unit}{at_sizes}", ""]
    pairs = [(found.value, found.figure, "")] if found.value is not None else []
    if found.further and pairs:
        beyond = "next" if found.further[0] > found.value else "one before"
        pairs.append((*found.further, f"  (the {beyond})"))
    in_bytes = found.unit == "bytes"
    values = [f"{_number(value):,}" for value, _, _ in pairs]
    figures = [f"{figure:,}{f' bytes ({mebibytes(figure)})' if in_bytes else ''}" for _, figure, _ in pairs]
    wide, far = max(map(len, values), default=0), max(map(len, figures), default=0)
    for value, figure, (_, _, note) in zip(values, figures, pairs, strict=True):
        lines.append(f"  {found.unknown} = {value:<{wide}}  {found.quantity} = {figure:>{far}}{note}")
    if found.why:
        lines += ([""] if pairs else []) + [found.why]
    return "\n".join(lines)
