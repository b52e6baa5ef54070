"""Formulas of sizes as vectors: their coefficients of products that are never negative, in a box of sizes.

From a size x of at least a come the products of x - a; of one between a and b those of x - a and b - x (Bernstein's
polynomials). Floors are taken apart by remainders where these are few: with x = 2*k + r, for r = 0 and for r = 1; where there
is one floor, by any r between; else they are numbers of their own with a least value.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import comb, lcm
from operator import mul
from typing import NamedTuple

from ..arith import Domain, Extreme, Formula, Quotient, at, atom_formula, prod, replaced, symbol

CASES = 32  # combinations of remainders that are told apart, at most
GREATEST = 1 << 14  # size up to which points are tried
RESTS = 2  # remainders that may be anything


class Row(NamedTuple):
    """One polynomial of a size: the size is the largest of its rows. coefs: in the order of the products of the space."""

    size: int
    coefs: tuple


class Space:
    """The sizes in free numbers of a domain. known: whether all of them can be written as vectors. cases: combinations of
    remainders that are told apart, at most."""

    def __init__(self, sizes: list, domain: Domain, cases: int = CASES):
        split = [(index, terms) for index, size in enumerate(sizes) for terms in _maxima(_terms(domain.free(size)))]
        self.domain = domain
        self.monos = list({mono: None for _, terms in split for mono in terms} | {(): None})
        self.rows = [Row(index, tuple(terms.get(mono, 0) for mono in self.monos)) for index, terms in split]
        atoms = {atom: None for mono in self.monos for atom, _ in mono}
        self.names = sorted({name for atom in atoms for name in _names(atom)})
        self.box = {name: (domain.least.get(name, 1), domain.greatest.get(name)) for name in self.names}
        self.rests: dict[str, tuple] = {}  # remainders that may be any number up to the divisor: (0, greatest)
        self._steps: list[dict] = [{}]  # of each case: {name: (remainder, divisor)}
        self._cases = self._remainders([atom for atom in atoms if isinstance(atom, Quotient)], cases)
        self._plain = [[_terms(replaced(Formula({mono: 1}), case)) for case in self._cases] for mono in self.monos]
        powers = [pair for cases in self._plain for terms in cases for mono in terms for pair in mono]
        self._degrees: dict = {}
        for atom, power in powers:
            self._degrees[atom] = max(power, self._degrees.get(atom, 0))
        self._floors = {atom: self._least(atom) for atom in self._degrees if not isinstance(atom, str)}
        self.known = all(power > 0 for _, power in powers) and None not in self._floors.values()

    # -- what a formula is made of

    def _remainders(self, quotients: list, most: int) -> list[dict]:
        """For each case of remainders what the quotients are: {quotient: polynomial}."""
        families: dict[str, list] = {}
        for quotient in quotients:
            if type(quotient.den) is int and all(
                isinstance(atom, str) for mono in quotient.num.terms for atom, _ in mono
            ):
                families.setdefault(str(_without_constant(quotient.num)), []).append(quotient)
        cases, others = [{}], []
        for family in sorted(families.values(), key=lambda family: lcm(*(quotient.den for quotient in family))):
            whole = lcm(*(quotient.den for quotient in family))
            if len(cases) * whole <= most:
                cases = [case | _divided(family, rest) for case in cases for rest in range(whole)]
                name = _alone(family[0].num)
                self._steps = [step | {name: (rest, whole)} for step in self._steps for rest in range(whole)]
            else:
                others += family
        if len(others) <= RESTS:
            self.rests = {f"rest of {quotient}": (0, quotient.den - 1) for quotient in others}
            between = {q: (q.num - symbol(name)) / q.den for q, name in zip(others, self.rests, strict=True)}
            cases = [case | between for case in cases]
        return cases

    def _least(self, atom) -> int | None:
        """The least value of a quotient or maximum, from 0 on; None where there is none."""
        raised = at(atom_formula(atom), {name: symbol(name) + least - 1 for name, (least, _) in self.box.items()})
        low = raised.bounds()[0] if isinstance(raised, Formula) else raised
        return low if low is not None and low >= 0 else None

    # -- vectors

    def vectors(self, rows, box: dict | None = None) -> list[tuple]:
        """Of rows, in a box of the free numbers, {name: (least, greatest or None)}; whole numbers, all in one scale."""
        columns = self._columns(box or self.box)
        places = {place: None for column in columns for place in column}
        scale = lcm(*(Fraction(value).denominator for column in columns for value in column.values()))
        scale *= lcm(*(Fraction(coef).denominator for row in rows for coef in self.rows[row].coefs))
        lines = [[int(column.get(place, 0) * scale) for column in columns] for place in places]
        return [tuple(int(sum(map(mul, self.rows[row].coefs, line))) for line in lines) for row in rows]

    def _columns(self, box: dict) -> list[dict]:
        """Of each product of the space, {(case, product that is never negative): coefficient}."""
        found: list[dict] = [{} for _ in self.monos]
        for case, steps in enumerate(self._steps):
            here = box | {name: _stepped(box[name], *step) for name, step in steps.items() if name is not None}
            if any(high is not None and low > high for low, high in here.values()):
                continue  # no size in the box has this remainder
            tables = {atom: _powers(*self._sides(atom, here), degree) for atom, degree in self._degrees.items()}
            known: dict[tuple, dict] = {}
            for column, cases in zip(found, self._plain, strict=True):
                for mono, coef in cases[case].items():
                    if mono not in known:
                        known[mono] = _expanded(dict(mono), tables)
                    for key, value in known[mono].items():
                        column[case, key] = column.get((case, key), 0) + coef * value
        return found

    def _sides(self, atom, box: dict) -> tuple:
        if not isinstance(atom, str):
            return self._floors[atom], None
        return self.rests[atom] if atom in self.rests else box[atom]

    # -- points

    def points(self, count: int):
        """About so many points of the box, from small to large in equal ratios, that lie in the domain."""
        each = max(3, round(count ** (1 / max(1, len(self.names)))))
        lines = [_between(*self.box[name], each) for name in self.names]
        for values in product(*lines):
            point = dict(zip(self.names, values, strict=True))
            if self.domain.holds_free(point):
                yield point

    def values(self, rows, point: dict) -> list:
        """Of rows at a point of the free numbers."""
        products = [prod((point[atom] if isinstance(atom, str) else atom.at(point)) ** power for atom, power in mono) for mono in self.monos]  # fmt: skip
        return [sum(map(mul, self.rows[row].coefs, products)) for row in rows]


def _terms(value) -> dict:
    return value.terms if isinstance(value, Formula) else {(): value}


def _maxima(terms: dict) -> list[dict]:
    """The terms of a formula; one set for each item of a maximum that is added to the rest."""
    for mono, coef in terms.items():
        if (
            len(mono) == 1
            and mono[0][1] == 1
            and isinstance(mono[0][0], Extreme)
            and mono[0][0].which == "max"
            and coef > 0
        ):
            rest = Formula({other: number for other, number in terms.items() if other != mono}) + 0
            return [found for item in mono[0][0].items for found in _maxima(_terms(rest + coef * item))]
    return [terms]


def _names(atom) -> frozenset:
    return frozenset([atom]) if isinstance(atom, str) else atom.names()


def _alone(formula: Formula) -> str | None:
    """The name that a formula is, but for a constant."""
    monos = [mono for mono in formula.terms if mono]
    if len(monos) == 1 and len(monos[0]) == 1 and monos[0][0][1] == 1 and formula.terms[monos[0]] == 1:
        return monos[0][0][0]
    return None


def _stepped(sides: tuple, rest: int, whole: int) -> tuple:
    """The ends of a box for the sizes that leave this rest."""
    low, high = sides
    return low + (rest - low) % whole, None if high is None else high - (high - rest) % whole


def _without_constant(formula: Formula):
    return formula - formula.terms.get((), 0)


def _divided(family: list, rest: int) -> dict:
    """{quotient: polynomial} where what is divided, but for constants, leaves this rest."""
    return {q: (q.num - (rest + q.num.terms.get((), 0)) % q.den) / q.den for q in family}


def _powers(low: int, high: int | None, degree: int) -> list[list[tuple]]:
    """For each power of x up to `degree` its (number, coefficient) in products that are not negative for low <= x <= high."""
    if high is None:
        return [[(i, comb(k, i) * low ** (k - i)) for i in range(k + 1) if low or i == k] for k in range(degree + 1)]
    found = []
    for k in range(degree + 1):
        coefs = [1]
        for ends in [(low, high)] * k + [(1, 1)] * (degree - k):  # x = low*a + high*b where a + b = 1
            coefs = [
                ends[0] * (coefs[i] if i < len(coefs) else 0) + ends[1] * (coefs[i - 1] if i else 0)
                for i in range(len(coefs) + 1)
            ]
        found.append(list(enumerate(coefs)))
    return found


def _expanded(powers: dict, tables: dict) -> dict:
    found = {(): 1}
    for atom, table in tables.items():
        line = table[powers.get(atom, 0)]
        found = {(*key, number): value * coef for key, value in found.items() for number, coef in line}
    return found


def _between(low: int, high: int | None, count: int) -> list[int]:
    high = max(low, GREATEST) if high is None else high
    ratio = (high / low) ** (1 / (count - 1))
    return sorted({min(high, max(low, round(low * ratio**step))) for step in range(count)})
