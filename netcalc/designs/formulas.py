"""Formulas on arrays, exactly: in int64 where no step of the calculation can leave its range, else in Python's ints.

Numpy's int64 wraps around without a word (2**40 * 2**40 is 0), so how large each step can become is worked out first,
from the least and the greatest value of every name.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm

from ..arith import OPERATORS, Condition, Extreme, Formula, Quotient, names_of
from ..errors import NetcalcError

LIMIT = 2**63 - 1


class Unbounded(Exception):
    """A formula that arrays must not be put into: a divisor may be 0, or a power is negative. `.names`: those in it."""

    def __init__(self, names):
        self.names = frozenset(names)
        super().__init__(", ".join(sorted(self.names)))


def interval(value, ranges: dict) -> tuple[int, int]:
    """(least, greatest) of a number or formula, at worst; `ranges`: (least, greatest) of every name."""
    if not isinstance(value, Formula):
        return value, value
    low = high = 0
    for mono, coef in value.terms.items():
        least, most = coef, coef
        for atom, power in mono:
            ends = ranges[atom] if isinstance(atom, str) else _atom_interval(atom, ranges)
            if power < 0:
                raise Unbounded(value.names())
            for _ in range(power):
                products = [a * b for a in (least, most) for b in ends]
                least, most = min(products), max(products)
        low, high = low + least, high + most
    return low, high


def _atom_interval(atom, ranges: dict) -> tuple[int, int]:
    if isinstance(atom, Quotient):
        least, most = interval(atom.den, ranges)
        if least < 1:
            raise Unbounded(atom.names())
        quotients = [a // b for a in interval(atom.num, ranges) for b in (least, most)]
        return min(quotients), max(quotients)
    lows, highs = zip(*(interval(item, ranges) for item in atom.items), strict=True)
    pick = max if atom.which == "max" else min
    return pick(lows), pick(highs)


def magnitude(value, ranges: dict) -> int:
    """A bound of the absolute value of every step in working out a formula."""
    if not isinstance(value, Formula):
        return abs(value)
    total = 0
    for mono, coef in value.terms.items():
        part = abs(coef)
        for atom, power in mono:
            if power < 0:
                raise Unbounded(value.names())
            part = part * max(1, _atom_magnitude(atom, ranges)) ** power
        total = total + part
    return total


def _atom_magnitude(atom, ranges: dict) -> int:
    if isinstance(atom, str):
        return max(map(abs, ranges[atom]))
    if isinstance(atom, Extreme):
        return max(magnitude(item, ranges) for item in atom.items)
    _atom_interval(atom, ranges)  # refuses a divisor that may be 0
    return max(magnitude(atom.num, ranges), magnitude(atom.den, ranges))


class Compiled:
    """A formula as a function of arrays of whole numbers; the result is exact."""

    __slots__ = ("formula", "scale", "scaled", "small")

    def __init__(self, formula, ranges: dict):
        self.formula = formula
        if not isinstance(formula, Formula):
            return
        self.scale = _denominator(formula)
        self.scaled = formula * self.scale
        if not _whole_inside(self.scaled):
            raise Unbounded(formula.names())
        self.small = magnitude(self.scaled, ranges) <= LIMIT

    def __call__(self, values: dict, memo: dict | None = None):
        """values: int64 arrays by name. An array of int64, or of Python's numbers where they may be too large; a number
        where no name is in it. memo: parts already worked out from the same values."""
        if not isinstance(self.formula, Formula):
            return self.formula
        memo = {} if memo is None else memo
        if not self.small:
            values = {name: _objects(values[name]) for name in self.formula.names()}
            memo = {}
        found = _value(self.scaled, values, memo)
        return found if self.scale == 1 else _divided(found, self.scale)


def _denominator(formula: Formula) -> int:
    return lcm(*(coef.denominator for coef in formula.terms.values() if isinstance(coef, Fraction)))


def _whole_inside(formula) -> bool:
    """Whether only whole numbers occur, also within quotients and maxima."""
    if not isinstance(formula, Formula):
        return type(formula) is int
    for mono, coef in formula.terms.items():
        if not isinstance(coef, int):
            return False
        for atom, _ in mono:
            if isinstance(atom, Quotient) and not (_whole_inside(atom.num) and _whole_inside(atom.den)):
                return False
            if isinstance(atom, Extreme) and not all(map(_whole_inside, atom.items)):
                return False
    return True


def _objects(array):
    return array.astype(object)


def _value(formula, values: dict, memo: dict):
    """The formula's value; products that come again are worked out once."""
    if not isinstance(formula, Formula):
        return formula
    total = 0
    for mono, coef in formula.terms.items():
        total = total + _term(mono, coef, values, memo)
    return total


def _term(mono: tuple, coef: int, values: dict, memo: dict):
    if not mono:
        return coef
    product = _product(mono, values, memo)
    return product if coef == 1 else product * coef


def _product(mono: tuple, values: dict, memo: dict):
    found = memo.get(mono)
    if found is None:
        (atom, power), rest = mono[-1], mono[:-1]
        if rest:
            found = _product(rest, values, memo) * _product(((atom, power),), values, memo)
        elif power > 1:
            half = _product(((atom, power // 2),), values, memo)
            found = half * half if power % 2 == 0 else half * half * _product(((atom, 1),), values, memo)
        else:
            found = values[atom] if isinstance(atom, str) else _atom(atom, values, memo)
        memo[mono] = found
    return found


def _atom(atom, values: dict, memo: dict):
    if isinstance(atom, Quotient):
        return _value(atom.num, values, memo) // _value(atom.den, values, memo)
    import functools

    import numpy

    pick = numpy.maximum if atom.which == "max" else numpy.minimum
    return functools.reduce(pick, [_value(item, values, memo) for item in atom.items])


def _divided(array, scale: int):
    """The array divided by a number: whole where it divides all of them."""
    if not (array % scale).any():
        return array // scale
    import numpy

    return numpy.frompyfunc(lambda value: _lowest(Fraction(int(value), scale)), 1, 1)(array)


def _lowest(value: Fraction):
    return value.numerator if value.denominator == 1 else value


class Test:
    """A condition as a function of arrays: where it holds."""

    __slots__ = ("condition", "difference")

    def __init__(self, condition: Condition, ranges: dict):
        self.condition = condition
        self.difference = Compiled(condition.left - condition.right, ranges)

    def __call__(self, values: dict, memo: dict | None = None):
        return OPERATORS[self.condition.op](self.difference(values, memo), 0)


def column(stretches: list, count: int):
    """One array out of the figures of groups: int64 where all of them fit, else of Python's numbers."""
    import numpy

    small = all(
        abs(figure) < 2**63 if type(figure) is int else getattr(figure, "dtype", None) == numpy.int64
        for _, figure in stretches
    )
    rows, figure = stretches[0] if len(stretches) == 1 else (None, 0)
    if small and isinstance(rows, slice) and rows == slice(0, count) and type(figure) is not int:
        return figure
    column = numpy.zeros(count, dtype=numpy.int64 if small else object)
    for rows, figure in stretches:
        column[rows] = figure
    return column


def closed(figure, name: str, ranges: dict):
    """A figure in which nothing is free but the axes. Raises NetcalcError where something is."""
    refuse_open(names_of(figure), name, ranges)
    return figure


def refuse_open(names, name: str, ranges: dict):
    """Raises NetcalcError where a figure is in names that are no axes."""
    others = sorted(names - ranges.keys())
    if others:
        settings = " ".join(f"--set {other}=..." for other in others)
        raise NetcalcError(f"error: {name} depends on {', '.join(others)}, which has no value\n  help: {settings}")


__all__ = ["Compiled", "Test", "Unbounded", "closed", "column", "interval", "magnitude", "refuse_open"]
