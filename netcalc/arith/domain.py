"""The sizes that a formula holds for: what many noted conditions come to.

Sizes that are multiples are written as products of free numbers (n % 12 == 0: n is 12 times `n//12`), least and greatest
sizes are gathered, and what follows from these is left out. Of "x != 1" the side on which the sample lies is taken, so
that a domain may be smaller than its conditions, and is never larger.
"""

from __future__ import annotations

from copy import copy

from .atoms import Quotient, at
from .conditions import least_size
from .floors import cancelled, remainder
from .formula import Condition, Formula, atom_formula, made, replaced, symbol

ROUNDS = 4  # in which conditions are looked at again with what others said


class Domain:
    """least, greatest: of the free numbers, which are names or quotients such as `n//12`; where there is a bound.
    conditions: all of it, for people, in the names."""

    def __init__(self, conditions=(), point: dict | None = None):
        self.least: dict[str, int] = {}
        self.greatest: dict[str, int] = {}
        self.multiples: dict[str, tuple] = {}  # name -> (divisor, quotient as a formula in names)
        self._into: dict[str, object] = {}  # name -> product of free numbers
        self._even: dict[Quotient, object] = {}  # quotient -> multiple of another one
        self._others: list[Condition] = []
        asked = [(_op(c), c.left - c.right, _side(c, point or {})) for c in conditions]
        self._multiply([difference for op, difference, _ in asked if op == "=="])
        self._narrow(
            [part for op, difference, side in asked for part in _inequalities(op, self.free(difference), side)]
        )

    # -- in free numbers and back

    def free(self, value):
        """A number or formula in free numbers."""
        for name, product in self._into.items():
            value = at(value, {name: product})
        return replaced(value, self._even) if self._even else value

    def named(self, value):
        """A formula in free numbers as one in the names: without floors where a number is divided by, as n/12."""
        for name in reversed(self._into):
            divisor, quotient = self.multiples[name]
            free = _free_name(name, divisor)
            if isinstance(divisor, int):
                value = at(value, {free: symbol(name) / divisor})
            else:
                value = at(_joined(value, free, str(divisor), name), {free: quotient})
        return value

    def tidied(self, value):
        """A formula in the names without the floors that the domain spares."""
        return self.named(self.free(value)) if self._into or self._even else value

    def named_point(self, point: dict) -> dict:
        """Values of free numbers as values of the names."""
        made = {_free_name(name, divisor): name for name, (divisor, _) in self.multiples.items()}
        return {made.get(name, name): at(self._into.get(made.get(name), size), point) for name, size in point.items()}

    def from_one(self, names) -> Domain:
        """The same from a size of 1 on of some names."""
        found, names = copy(self), {*names}
        found.least = {name: size for name, size in self.least.items() if name not in names}
        return found

    def smallest(self, names) -> dict:
        """The least value of each name that its bounds allow."""
        found = {}
        for name in names:
            product = self._into.get(name, symbol(name))
            found[name] = at(product, {part: self.least.get(part, 1) for part in product.names()})
        return found

    # -- what holds

    @property
    def conditions(self) -> tuple[Condition, ...]:
        even = [Condition("==", symbol(name) % divisor, 0) for name, (divisor, _) in self.multiples.items()]
        even += [Condition("==", atom_formula(atom) - multiple, 0) for atom, multiple in self._even.items()]
        ends = [self._end(name, ">=", size) for name, size in self.least.items() if size > 1]
        ends += [self._end(name, "<=", size) for name, size in self.greatest.items()]
        named = [Condition(c.op, self.named(c.left), self.named(c.right)) for c in self._others]
        return (*even, *ends, *named)

    def holds(self, values: dict) -> bool:
        """Whether values of the names lie in it."""
        return all(condition.at(values) is True for condition in self.conditions)

    def holds_free(self, point: dict) -> bool:
        """Whether values of free numbers, within their bounds, lie in it."""
        even = all(at(atom_formula(atom) - multiple, point) == 0 for atom, multiple in self._even.items())
        return even and all(condition.at(point) is True for condition in self._others)

    def _end(self, name: str, op: str, size: int) -> Condition:
        for original, (divisor, quotient) in self.multiples.items():
            if name == _free_name(original, divisor):
                whole = isinstance(divisor, int)
                return Condition(op, symbol(original), size * divisor) if whole else Condition(op, quotient, size)
        return Condition(op, symbol(name), size)

    # -- making it

    def _multiply(self, differences: list) -> None:
        """Note the names that are multiples."""
        for difference in differences:
            name, divisor = multiple(self.free(difference)) or (None, 0)
            if isinstance(name, Quotient) and type(divisor) is int:
                self._even[name] = divisor * (atom_formula(name) // divisor)
            elif isinstance(name, str):
                self._divide(name, divisor)

    def _divide(self, name: str, divisor) -> None:
        """Note that a free number is a multiple; of a name that is one already, of both divisors."""
        for original, (known, _) in self.multiples.items():
            if name == _free_name(original, known) and type(known) is type(divisor) is int:
                name, divisor = original, known * divisor
                break
        if "//" not in name and (name not in self._into or type(divisor) is int):
            self.multiples[name] = divisor, symbol(name) // divisor
            self._into[name] = divisor * symbol(_free_name(name, divisor))

    def _narrow(self, asked: list) -> None:
        for _ in range(ROUNDS):
            left, before = [], (dict(self.least), dict(self.greatest))
            for op, difference in asked:
                if not self._follows(op, difference) and not (op == ">=" and self._bound(difference)):
                    left.append((op, difference))
            asked = left
            if before == (self.least, self.greatest):
                break
        self._others = _largest([_plain(op, difference) for op, difference in asked])

    def _follows(self, op: str, difference) -> bool:
        from . import compare

        shifted = at(difference, {name: symbol(name) + size - 1 for name, size in self.least.items() if size > 1})
        return compare(op, shifted, 0) is True

    def _bound(self, difference: Formula) -> bool:
        """Take a condition of one free number as a bound of it."""
        lowest = least_size(Condition(">=", difference, 0))
        if lowest is not None:
            name, size = lowest
            self.least[name] = max(self.least.get(name, 1), size)
            return True
        product, coef, constant = _one_term(difference) or (None, 0, 0)
        if coef < 0 and isinstance(product, str):
            most = constant // -coef
            self.greatest[product] = min(self.greatest.get(product, most), most)
        return coef < 0 and isinstance(product, str)


def multiple(difference) -> tuple | None:
    """(name or quotient, divisor) where a formula being 0 says that one is a multiple of the other; else None."""
    if not isinstance(difference, Formula):
        return None
    plain = cancelled(difference, difference)[0]
    found = isinstance(plain, Formula) and (remainder(plain) or remainder(-plain))
    if not found or not isinstance(found[0], Formula) or not _is_size(found[1]):
        return None
    atom = _single(found[0])
    return atom and (atom, found[1])


def _free_name(name: str, divisor) -> str:
    return f"{name}//{divisor}"


def _joined(value, one: str, other: str, product: str):
    """A formula with a name for the product of two."""
    if not isinstance(value, Formula):
        return value
    total = 0
    for mono, coef in value.terms.items():
        powers = dict(mono)
        both = max(0, min(powers.get(one, 0), powers.get(other, 0)))
        left = powers | {name: powers.get(name, 0) - both for name in (one, other)}
        rest = Formula({tuple(pair for pair in left.items() if pair[1]): coef})
        total = total + rest * symbol(product) ** both
    return total


def _op(condition: Condition) -> str:
    """The comparison; == where a remainder is not above 0."""
    difference = condition.left - condition.right
    if condition.op in (">=", "<=") and isinstance(difference, Formula):
        return "==" if remainder(difference if condition.op == "<=" else -difference) else condition.op
    return condition.op


def _side(condition: Condition, point: dict) -> int:
    """On which side of "!=" the sample lies: 1 above, -1 below, 0 where no one knows."""
    if condition.op != "!=":
        return 0
    size = at(condition.left - condition.right, point)
    return 0 if isinstance(size, Formula) else 1 if size > 0 else -1


def _inequalities(op: str, difference, side: int) -> list[tuple]:
    """(op, difference) of all that "difference op 0" says; the op is >=, == or, where no side is known, !=."""
    if op == "!=" and side and isinstance(difference, Formula) and (found := remainder(difference)):
        number, divisor = cancelled(*found)
        difference = divisor - 1 if type(number) is int and number == 1 else difference
    if op == "!=" and side:
        op = ">" if side > 0 else "<"
    if op in ("<", "<="):
        op, difference = {"<": ">", "<=": ">="}[op], -difference
    if op == "==" and (found := _one_term(difference)) and isinstance(found[0], (str, Quotient)):
        return [(">=", _without_floor(difference)), (">=", _without_floor(-difference))]
    if op == ">":
        return [(">=", _without_floor(factor - 1)) for factor in _factors(difference)]
    return [(op, _without_floor(difference) if op == ">=" else difference)]


def _factors(difference) -> list:
    """Of a product that is above 0 the factors, which are then above 0 each: quotients that are never below, and the rest."""
    if not isinstance(difference, Formula):
        return [difference]
    difference = cancelled(difference, difference)[0]  # symbols are at least 1
    if not isinstance(difference, Formula):
        return [difference]
    shared = [{atom for atom, power in mono if isinstance(atom, Quotient) and power == 1} for mono in difference.terms]
    common = [atom for atom in set.intersection(*shared) if _from_zero(atom)]
    for atom in common:
        difference = sum(
            made({tuple(pair for pair in mono if pair[0] != atom): coef}) for mono, coef in difference.terms.items()
        )
    return [difference, *map(atom_formula, common)]


def _from_zero(atom: Quotient) -> bool:
    low = atom.bounds()[0]
    return low is not None and low >= 0


def _without_floor(difference):
    """c*(p//d) + k >= 0 as an inequality of p: p//d >= m where p >= m*d."""
    while (found := _one_term(difference)) and isinstance(found[0], Quotient) and type(found[0].den) is int:
        quotient, coef, constant = found
        if coef > 0:
            difference = quotient.num + (constant // coef) * quotient.den
        else:
            difference = (constant // -coef + 1) * quotient.den - 1 - quotient.num
    return difference


def _one_term(difference):
    """(atom or product, coefficient, constant) where that is all; a lone atom as itself."""
    if not isinstance(difference, Formula) or len(difference.terms) > 2:
        return None
    terms = dict(difference.terms)
    constant = terms.pop((), 0)
    if len(terms) != 1 or not isinstance(constant, int):
        return None
    [(mono, coef)] = terms.items()
    if not isinstance(coef, int):
        return None
    return (mono[0][0] if len(mono) == 1 and mono[0][1] == 1 else Formula({mono: 1})), coef, constant


def _single(value: Formula):
    """The atom that a formula is."""
    if len(value.terms) == 1:
        [(mono, coef)] = value.terms.items()
        if coef == 1 and len(mono) == 1 and mono[0][1] == 1:
            return mono[0][0]
    return None


def _is_size(divisor) -> bool:
    """Whether a divisor is a number or a name, and so at least 1."""
    return type(divisor) is int or isinstance(_single(divisor), str)


def _plain(op: str, difference) -> Condition:
    """The condition as a person would write it: x >= 8 for x - 8 >= 0."""
    found = _one_term(difference)
    if found is None or op != ">=":
        return Condition(op, difference, 0)
    product, coef, constant = found
    value = product if isinstance(product, Formula) else atom_formula(product)
    return Condition(">=", value, -(constant // coef)) if coef > 0 else Condition("<=", value, constant // -coef)


def _largest(conditions: list[Condition]) -> list[Condition]:
    """Of several least values of one product the largest."""
    best: dict = {}
    for condition in conditions:
        key = (condition.op, str(condition.left))
        known = best.get(key)
        if known is None or condition.op not in (">=", "<=") or not isinstance(condition.right, int):
            best[key if known is None else str(condition)] = condition
        elif (condition.right > known.right) == (condition.op == ">="):
            best[key] = condition
    return list(best.values())
