"""The kinds of number that a rule runs on.

A dimension is a Python int, a `Formula` (exact integer algebra in free dimensions), a `Traced` (an int or Formula that
remembers its derivation), a sympy expression or a numpy integer array. Rules use `+ - * // %` and the functions of this
package; nothing else asks which kind a number is. No import of sympy or numpy at the top.
"""

from __future__ import annotations

from math import prod

from .assume import Assumed, Mixed, assuming, equal_sizes, holds
from .atoms import Extreme, Quotient, at, bounds_of, names_of, to_sympy
from .domain import Domain
from .floors import cancelled
from .formula import Condition, Formula, Undecided, atom_formula, divide, replaced, symbol
from .sizes import Sizes
from .traced import Traced, call, named, plain

__all__ = [
    "OPERATORS",
    "Assumed",
    "Condition",
    "Domain",
    "Extreme",
    "Formula",
    "Mixed",
    "Quotient",
    "Sizes",
    "Traced",
    "Undecided",
    "assuming",
    "at",
    "at_least",
    "atom_formula",
    "ceil_div",
    "compare",
    "divide",
    "divides",
    "equal",
    "equal_sizes",
    "holds",
    "is_array",
    "is_sympy",
    "less",
    "maximum",
    "minimum",
    "named",
    "names_of",
    "plain",
    "prod",
    "replaced",
    "same_shape",
    "symbol",
    "to_sympy",
]  # fmt: skip

OPERATORS = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}

_SYMPY = {"==": "Eq", "!=": "Ne", "<": "Lt", "<=": "Le", ">": "Gt", ">=": "Ge"}


def compare(op: str, a, b):
    """True or False where that can be decided, else a Condition (a sympy relation, a boolean array)."""
    if type(a) is int and type(b) is int:
        return OPERATORS[op](a, b)
    if isinstance(a, Traced) or isinstance(b, Traced):
        return compare(op, plain(a), plain(b))
    if isinstance(a, Formula) or isinstance(b, Formula):
        return _decide(op, a, b)
    if is_sympy(a) or is_sympy(b):
        import sympy

        found = getattr(sympy, _SYMPY[op])(a, b)
        return bool(found) if found in (sympy.true, sympy.false) else found
    return OPERATORS[op](a, b)


def equal(a, b):
    return a == b if type(a) is int and type(b) is int else compare("==", a, b)


def at_least(a, b):
    return a >= b if type(a) is int and type(b) is int else compare(">=", a, b)


def less(a, b):
    return a < b if type(a) is int and type(b) is int else compare("<", a, b)


def divides(divisor, number):
    """Whether `number` is a multiple of `divisor`."""
    if isinstance(divisor, Formula) or isinstance(number, Formula):
        divisor, number = cancelled(divisor, number)
        if type(number) is int and number == 1:
            return equal(divisor, 1)
    return equal(number % divisor, 0)


def same_shape(a: tuple, b: tuple) -> bool:
    """Whether two shapes are known to be equal."""
    if len(a) != len(b):
        return False
    return all([i is j or equal(i, j) is True for i, j in zip(a, b, strict=True)])


def maximum(first, *rest):
    return _extreme("max", first, rest)


def minimum(first, *rest):
    return _extreme("min", first, rest)


def ceil_div(a, b):
    """a / b rounded up, for b >= 1."""
    if isinstance(a, Traced) or isinstance(b, Traced):
        return call("ceil", ceil_div, a, b)
    return (a + b - 1) // b


def is_sympy(value) -> bool:
    return type(value).__module__.startswith("sympy")


def is_array(value) -> bool:
    return type(value).__module__.startswith("numpy")


def _decide(op: str, a, b):
    difference = a - b
    low, high = bounds_of(difference)
    if op in ("==", "!="):
        if (low is not None and low > 0) or (high is not None and high < 0):
            return op == "!="
        if low == high == 0:
            return op == "=="
        return Condition(op, a, b)
    if op in (">", ">="):
        found = _ordered("<" if op == ">" else "<=", *(None if end is None else -end for end in (high, low)))
    else:
        found = _ordered(op, low, high)
    return Condition(op, a, b) if found is None else found


def _ordered(op: str, low, high):
    """Whether every number from low to high is `op` 0: True, False, or None where only some are."""
    if high is not None and OPERATORS[op](high, 0):
        return True
    return False if low is not None and not OPERATORS[op](low, 0) else None


def _extreme(which: str, first, rest):
    if not rest:
        return first
    values = (first, *rest)
    if all(type(value) is int for value in values):
        return max(values) if which == "max" else min(values)
    if any(isinstance(value, Traced) for value in values):
        return call(which, maximum if which == "max" else minimum, *values)
    if any(isinstance(value, Formula) for value in values):
        return _extreme_formula(which, values)
    if any(map(is_array, values)):
        import functools

        import numpy

        return functools.reduce(numpy.maximum if which == "max" else numpy.minimum, values)
    if any(map(is_sympy, values)):
        import sympy

        return (sympy.Max if which == "max" else sympy.Min)(*values)
    return max(values) if which == "max" else min(values)


def _extreme_formula(which: str, values):
    kept: list = []
    for value in values:
        if not any(_dominates(which, other, value) for other in kept):
            kept = [other for other in kept if not _dominates(which, value, other)] + [value]
    return kept[0] if len(kept) == 1 else atom_formula(Extreme(which, tuple(kept)))


def _dominates(which: str, a, b) -> bool:
    return compare(">=" if which == "max" else "<=", a, b) is True
