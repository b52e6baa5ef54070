"""What a formula is made of besides symbols: floor quotients and maxima; and how formulas are written."""

from __future__ import annotations

import re
from fractions import Fraction

_NAME = re.compile(r"[^\W\d]\w*(\[\d+\])?")  # `depths[0]` is a name too: of an element of a list


def at(value, values: dict):
    """`value` with its symbols replaced; numbers are themselves."""
    if type(value) is int:
        return value
    return value.at(values) if hasattr(value, "terms") or hasattr(value, "op") else value


def names_of(value) -> frozenset:
    """The free names in a number, shape or list."""
    if hasattr(value, "terms"):
        return value.names()
    if isinstance(value, (tuple, list)):
        return frozenset().union(*map(names_of, value))
    return frozenset()


def bounds_of(value):
    """(least, greatest) value of a number or formula, None where there is no bound that can be seen."""
    return value.bounds() if hasattr(value, "terms") else (value, value)


def to_sympy(value):
    """The same number as a sympy expression, its symbols positive integers."""
    import sympy

    return value.to_sympy() if hasattr(value, "terms") else sympy.Rational(value)


class Quotient:
    """The atom floor(num / den)."""

    __slots__ = ("den", "num", "text")

    def __init__(self, num, den):
        self.num, self.den = num, den
        self.text = f"{tight(num)}//{tight(den)}"

    def __str__(self):
        return self.text

    __repr__ = __str__  # the order of terms goes by it

    def __eq__(self, other):
        return type(other) is Quotient and self.text == other.text

    def __hash__(self):
        return hash(self.text)

    def at(self, values):
        return at(self.num, values) // at(self.den, values)

    def names(self):
        return self.num.names() | names_of(self.den)

    def bounds(self):
        if not isinstance(self.den, int):
            low = self.num.bounds()[0]
            return (0 if low is not None and low >= 0 else None), None
        low, high = self.num.bounds()
        return (None if low is None else low // self.den), (None if high is None else high // self.den)

    def to_sympy(self):
        import sympy

        return sympy.floor(to_sympy(self.num) / to_sympy(self.den))


class Extreme:
    """The atom max(a, b, ...) or min(a, b, ...)."""

    __slots__ = ("items", "text", "which")

    def __init__(self, which: str, items: tuple):
        self.which = which
        self.items = tuple(sorted(items, key=str))
        self.text = f"{which}({', '.join(map(str, self.items))})"

    def __str__(self):
        return self.text

    __repr__ = __str__

    def __eq__(self, other):
        return type(other) is Extreme and self.text == other.text

    def __hash__(self):
        return hash(self.text)

    def at(self, values):
        from . import maximum, minimum

        return (maximum if self.which == "max" else minimum)(*(at(item, values) for item in self.items))

    def names(self):
        return frozenset().union(*map(names_of, self.items))

    def bounds(self):
        lows, highs = zip(*(bounds_of(item) for item in self.items), strict=True)
        pick = max if self.which == "max" else min
        low = None if None in lows else pick(lows)
        if self.which == "max" and low is None:
            known = [value for value in lows if value is not None]
            low = max(known) if known else None
        return low, None if None in highs else pick(highs)

    def to_sympy(self):
        import sympy

        return (sympy.Max if self.which == "max" else sympy.Min)(*map(to_sympy, self.items))


def tight(value) -> str:
    """The text of a factor: in parentheses where it is not a single symbol or number."""
    text = str(value)
    return text if text.isdigit() or _NAME.fullmatch(text) else f"({text})"


def text_of(formula) -> str:
    """A formula as text: the terms of highest degree first."""
    parts = []
    for mono, coef in sorted(formula.terms.items(), key=lambda t: (-sum(p for _, p in t[0]), str(t[0]))):
        text = _term_text(mono, abs(coef), bare=bool(parts) or coef > 0)
        sign = "-" if coef < 0 else "+"
        parts.append(f" {sign} {text}" if parts else ("-" + text if coef < 0 else text))
    return "".join(parts)


def _term_text(mono: tuple, coef, bare: bool) -> str:
    """The text of a term without its sign. bare: a quotient by itself needs no parentheses, as it would in -(a//b)."""
    top = [_factor(atom, power, bare and len(mono) == 1 and coef == 1) for atom, power in mono if power > 0]
    bottom = [_factor(atom, -power, False) for atom, power in mono if power < 0]
    number, under = (coef.numerator, coef.denominator) if isinstance(coef, Fraction) else (coef, 1)
    if number != 1 or not top:
        top.insert(0, str(number))
    if under != 1:
        bottom.insert(0, str(under))
    text = "*".join(top)
    if not bottom:
        return text
    return f"{text}/{bottom[0]}" if len(bottom) == 1 else f"{text}/({'*'.join(bottom)})"


def _factor(atom, power: int, alone: bool) -> str:
    text = str(atom)
    if isinstance(atom, Quotient) and not (alone and power == 1):
        text = f"({text})"
    return text if power == 1 else f"{text}**{power}"
