"""Exact integer algebra in free names: polynomials over symbols, floor quotients and maxima, in normal form.

Equal sizes compare equal, and strided layers collapse to one quotient. Every symbol stands for a whole number >= 1.
"""

from __future__ import annotations

from fractions import Fraction

from .atoms import at, names_of, text_of, to_sympy

NUMBERS = (int, Fraction)


class Undecided(Exception):
    """A condition on free dimensions was asked for a truth value that it does not have."""

    def __init__(self, condition: Condition):
        self.condition = condition
        super().__init__(f"cannot tell whether {condition} while {', '.join(condition.names())} is free")


class Formula:
    """A polynomial: {((atom, power), ...): coefficient}, the empty tuple being the constant. Immutable."""

    __slots__ = ("_text", "terms")
    __array_ufunc__ = None  # numpy must not take operators over

    def __init__(self, terms: dict):
        self.terms = terms
        self._text = None

    # -- arithmetic

    def __add__(self, other):
        if isinstance(other, Formula):
            small = other.terms
        elif isinstance(other, NUMBERS):
            if not other:
                return self
            small = {(): other}
        else:
            return NotImplemented
        terms = dict(self.terms)
        for mono, coef in small.items():
            total = terms.get(mono, 0) + coef
            if total:
                terms[mono] = whole_or_fraction(total)
            else:
                terms.pop(mono, None)
        return made(terms)

    __radd__ = __add__

    def __neg__(self):
        return Formula({mono: -coef for mono, coef in self.terms.items()})

    def __sub__(self, other):
        return self + (-other) if isinstance(other, (Formula, *NUMBERS)) else NotImplemented

    def __rsub__(self, other):
        return -self + other

    def __mul__(self, other):
        if isinstance(other, NUMBERS):
            if other == 1:
                return self
            return Formula({m: whole_or_fraction(c * other) for m, c in self.terms.items()}) if other else 0
        if not isinstance(other, Formula):
            return NotImplemented
        terms: dict = {}
        for mono, coef in self.terms.items():
            for mono2, coef2 in other.terms.items():
                key = _times(mono, mono2)
                terms[key] = terms.get(key, 0) + coef * coef2
        return made({mono: whole_or_fraction(coef) for mono, coef in terms.items() if coef})

    __rmul__ = __mul__

    def __pow__(self, power):
        if not isinstance(power, int) or power < 0:
            return NotImplemented
        result = 1
        for _ in range(power):
            result = self * result
        return result

    def __truediv__(self, other):
        if isinstance(other, NUMBERS):
            return self * Fraction(1, 1) * (Fraction(1) / other)
        if isinstance(other, Formula):
            if len(other.terms) == 1:
                [(mono, coef)] = other.terms.items()
                inverse = tuple((atom, -power) for atom, power in mono)
                return self * made({inverse: whole_or_fraction(Fraction(1) / coef)})
            from .floors import exact_quotient

            if (exact := exact_quotient(self, other)) is not None:
                return exact
            raise TypeError(f"cannot divide by {other}")
        return NotImplemented

    def __rtruediv__(self, other):
        if isinstance(other, NUMBERS) and other == 0:
            low, high = self.bounds()
            if (low is not None and low > 0) or (high is not None and high < 0):
                return 0
        return Formula({(): other}) / self if isinstance(other, NUMBERS) else NotImplemented

    def __floordiv__(self, other):
        from .floors import floored

        return floored(self, other) if isinstance(other, (Formula, *NUMBERS)) else NotImplemented

    def __rfloordiv__(self, other):
        from .floors import floored

        return floored(Formula({(): other}), self) if isinstance(other, NUMBERS) else NotImplemented

    def __mod__(self, other):
        return self - other * (self // other)

    def __rmod__(self, other):
        return other - self * (other // self)

    # -- comparison: equality is of the normal forms; order goes through `less` and its kin

    def __eq__(self, other):
        return isinstance(other, Formula) and self.terms == other.terms

    def __hash__(self):
        return hash(str(self))

    def __bool__(self):
        raise Undecided(Condition("!=", self, 0))

    # -- looking at it

    def __str__(self):
        if self._text is None:
            self._text = text_of(self)
        return self._text

    __repr__ = __str__

    def names(self) -> frozenset:
        found = set()
        for mono in self.terms:
            for atom, _ in mono:
                found |= {atom} if isinstance(atom, str) else atom.names()
        return frozenset(found)

    def at(self, values: dict):
        """The same with symbols replaced: by ints, formulas, sympy expressions or arrays."""
        total = 0
        for mono, coef in self.terms.items():
            part = coef
            for atom, power in mono:
                value = values.get(atom) if isinstance(atom, str) else atom.at(values)
                if value is None:
                    value = symbol(atom)
                if power < 0:
                    part = divide(part, value**-power)
                else:
                    part = part * (value if power == 1 else value**power)
            total = total + part
        return whole_or_fraction(total) if isinstance(total, Fraction) else total

    def is_whole(self) -> bool:
        """Whether it can be seen to be a whole number for all values."""
        return all(isinstance(c, int) and all(p > 0 for _, p in m) for m, c in self.terms.items())

    def bounds(self):
        """(least, greatest) value, None where there is no bound that can be seen."""
        low = high = 0
        for mono, coef in self.terms.items():
            least, most = _mono_bounds(mono)
            if coef < 0:
                least, most = most, least
            low = None if low is None or least is None else low + coef * least
            high = None if high is None or most is None else high + coef * most
        if low is None or high is None:
            low, high = self._bounds_by_factor(low, high)
        return low, high

    def _bounds_by_factor(self, low, high):
        """The bounds where more is seen of what is left when symbols that all terms have are taken out, which are at least
        1: of k*a - k = k*(a - 1) that it is never below 0."""
        first, *others = ({atom: power for atom, power in mono if isinstance(atom, str)} for mono in self.terms)
        common = {atom: min([power, *(other.get(atom, 0) for other in others)]) for atom, power in first.items()}
        if not others or not any(common.values()):
            return low, high
        rest = Formula({
            tuple((atom, power - common.get(atom, 0)) for atom, power in mono if power > common.get(atom, 0)): coef
            for mono, coef in self.terms.items()
        })  # fmt: skip
        least, most = rest.bounds()
        return least if low is None and least is not None and least >= 0 else low, (
            most if high is None and most is not None and most <= 0 else high
        )

    def to_sympy(self):
        import sympy

        total = sympy.Integer(0)
        for mono, coef in self.terms.items():
            part = to_sympy(coef)
            for atom, power in mono:
                part *= (_sympy_symbol(atom) if isinstance(atom, str) else atom.to_sympy()) ** power
            total += part
        return total


def symbol(name: str) -> Formula:
    """A free dimension or argument: some whole number >= 1."""
    return Formula({((name, 1),): 1})


class Condition:
    """A comparison that depends on free dimensions: printed by formulas, asked of designs, never silently true."""

    __slots__ = ("left", "op", "right")

    def __init__(self, op: str, left, right):
        self.op, self.left, self.right = op, left, right

    def __str__(self):
        from .floors import remainder_text

        left = remainder_text(self.left) if self.right == 0 and isinstance(self.left, Formula) else None
        return f"{left or self.left} {self.op} {self.right}"

    __repr__ = __str__

    def __bool__(self):
        raise Undecided(self)

    def __eq__(self, other):
        return type(other) is Condition and str(self) == str(other)

    def __hash__(self):
        return hash(str(self))

    def names(self):
        return sorted(names_of(self.left) | names_of(self.right))

    def at(self, values):
        from . import compare

        return compare(self.op, at(self.left, values), at(self.right, values))


def divide(a, b):
    """Exact division: of whole numbers a Fraction, never a float."""
    if isinstance(a, NUMBERS) and isinstance(b, NUMBERS):
        return whole_or_fraction(Fraction(a) / b)
    return a / b


def whole_or_fraction(value):
    return value.numerator if isinstance(value, Fraction) and value.denominator == 1 else value


def made(terms: dict):
    """A Formula, or a plain number where no symbol is left."""
    if not terms:
        return 0
    if len(terms) == 1 and () in terms:
        return terms[()]
    return Formula(terms)


def replaced(value, atoms: dict):
    """A formula with other formulas for some of its atoms."""
    if not isinstance(value, Formula):
        return value
    total = 0
    for mono, coef in value.terms.items():
        part = coef
        for atom, power in mono:
            part = part * (atoms[atom] ** power if atom in atoms and power > 0 else Formula({((atom, power),): 1}))
        total = total + part
    return total


def _key(pair):
    return str(pair[0])


def _times(a: tuple, b: tuple) -> tuple:
    if not a:
        return b
    if not b:
        return a
    powers = dict(a)
    for atom, power in b:
        powers[atom] = powers.get(atom, 0) + power
    return tuple(sorted(((atom, power) for atom, power in powers.items() if power), key=_key))


def atom_formula(atom) -> Formula:
    return Formula({((atom, 1),): 1})


def _mono_bounds(mono: tuple):
    least, most = 1, 1
    for atom, power in mono:
        low, high = (1, None) if isinstance(atom, str) else atom.bounds()
        if low is None or low < 0 or power < 0:
            return None, None
        least = least * low**power
        most = None if most is None or high is None else most * high**power
    return least, most


def _sympy_symbol(name: str):
    import sympy

    return sympy.Symbol(name, integer=True, positive=True)
