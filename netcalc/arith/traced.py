"""Numbers that remember how they were computed: a rule that runs on them leaves its own derivation behind.

A `Traced` has a value, an int or a `Formula`, and the operation that gave it. Nothing is simplified but 1*x and 0 + x,
which come from the starts of products and sums.
"""

from __future__ import annotations

import operator
from fractions import Fraction

from .formula import Formula, divide

_OPERATIONS = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": divide, "//": operator.floordiv, "%": operator.mod,
    "**": operator.pow,
}  # fmt: skip


class Traced:
    """A number with its derivation. op: "name" for a named quantity, else how `parts` make it. Immutable."""

    __slots__ = ("name", "op", "parts", "value")
    __array_ufunc__ = None

    def __init__(self, value, op: str, parts: tuple = (), name: str = ""):
        self.value, self.op, self.parts, self.name = value, op, parts, name

    def __add__(self, other):
        return self if _is(other, 0) else _made("+", self, other)

    def __radd__(self, other):
        return self if _is(other, 0) else _made("+", other, self)

    def __sub__(self, other):
        return self if _is(other, 0) else _made("-", self, other)

    def __rsub__(self, other):
        return _made("-", other, self)

    def __mul__(self, other):
        return self if _is(other, 1) else 0 if _is(other, 0) else _made("*", self, other)

    def __rmul__(self, other):
        return self if _is(other, 1) else 0 if _is(other, 0) else _made("*", other, self)

    def __floordiv__(self, other):
        return self if _is(other, 1) and self._whole() else _made("//", self, other)

    def __rfloordiv__(self, other):
        return _made("//", other, self)

    def __truediv__(self, other):
        return _made("/", self, other)

    def __rtruediv__(self, other):
        return _made("/", other, self)

    def __mod__(self, other):
        return _made("%", self, other)

    def __rmod__(self, other):
        return _made("%", other, self)

    def __pow__(self, other):
        return _made("**", self, other)

    def __neg__(self):
        return Traced(-self.value, "negative", (self,))

    # -- what is asked of it is asked of its value

    def __eq__(self, other):
        return self.value == plain(other)

    def __lt__(self, other):
        return self.value < plain(other)

    def __le__(self, other):
        return self.value <= plain(other)

    def __gt__(self, other):
        return self.value > plain(other)

    def __ge__(self, other):
        return self.value >= plain(other)

    def __hash__(self):
        return hash(self.value)

    def __bool__(self):
        return bool(self.value)

    def __index__(self):
        return operator.index(self.value)

    def __str__(self):
        return str(self.value)

    __repr__ = __str__

    def _whole(self) -> bool:
        return self.value.is_whole() if isinstance(self.value, Formula) else isinstance(self.value, int)


def named(name: str, value) -> Traced:
    """The quantity of that name, with its value."""
    return Traced(value, "name", (), name)


def plain(value):
    """The value without its derivation; shapes and lists with all that is in them."""
    if isinstance(value, Traced):
        return value.value
    if isinstance(value, (tuple, list)):
        return type(value)([plain(item) for item in value])
    return value


def call(name: str, function, *parts) -> Traced:
    """The value of a function of numbers (max, min, ceil), some of them traced."""
    return Traced(function(*map(plain, parts)), name, parts)


def _made(op: str, left, right):
    if not isinstance(right, _NUMBERS) or not isinstance(left, _NUMBERS):
        return NotImplemented
    return Traced(_OPERATIONS[op](plain(left), plain(right)), op, (left, right))


def _is(value, number: int) -> bool:
    """Whether it is that plain number; true and false count as 1 and 0."""
    return isinstance(value, int) and value == number


_NUMBERS = (int, Fraction, Formula, Traced)
