"""The kinds of number that a rule runs on.

A dimension is a Python int, a `Formula` (exact integer algebra in free dimensions), a sympy expression or a numpy
integer array. Rules use `+ - * // %` and the functions of this module; no other module asks which kind it has.
`Formula` is what a free dimension of a spec becomes: a polynomial over symbols, floor quotients and maxima, always in
normal form, so that equal sizes compare equal and strided layers collapse to one quotient. It needs no import.

Every symbol stands for a whole number >= 1.
"""

from __future__ import annotations

from fractions import Fraction
from math import gcd

NUMBERS = (int, Fraction)


class Undecided(Exception):
    """A condition on free dimensions was asked for a truth value that it does not have."""

    def __init__(self, condition: Condition):
        self.condition = condition
        super().__init__(f"cannot tell whether {condition} while {', '.join(condition.names())} is free")


class Quotient:
    """The atom floor(num / den)."""

    __slots__ = ("den", "num", "text")

    def __init__(self, num: Formula, den):
        self.num, self.den = num, den
        self.text = f"{_tight(num)}//{_tight(den)}"

    def __str__(self):
        return self.text

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

    def __eq__(self, other):
        return type(other) is Extreme and self.text == other.text

    def __hash__(self):
        return hash(self.text)

    def at(self, values):
        return (maximum if self.which == "max" else minimum)(*(at(item, values) for item in self.items))

    def names(self):
        return frozenset().union(*map(names_of, self.items))

    def bounds(self):
        lows, highs = zip(*(_bounds(item) for item in self.items), strict=True)
        pick = max if self.which == "max" else min
        low = None if None in lows else pick(lows)
        if self.which == "max" and low is None:
            known = [value for value in lows if value is not None]
            low = max(known) if known else None
        return low, None if None in highs else pick(highs)

    def to_sympy(self):
        import sympy

        return (sympy.Max if self.which == "max" else sympy.Min)(*map(to_sympy, self.items))


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
                terms[mono] = _whole(total)
            else:
                terms.pop(mono, None)
        return _made(terms)

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
            return Formula({m: _whole(c * other) for m, c in self.terms.items()}) if other else 0
        if not isinstance(other, Formula):
            return NotImplemented
        terms: dict = {}
        for mono, coef in self.terms.items():
            for mono2, coef2 in other.terms.items():
                key = _times(mono, mono2)
                terms[key] = terms.get(key, 0) + coef * coef2
        return _made({mono: _whole(coef) for mono, coef in terms.items() if coef})

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
                return self * _made({inverse: _whole(Fraction(1) / coef)})
            if (exact := _exact_quotient(self, other)) is not None:
                return exact
            raise TypeError(f"cannot divide by {other}")
        return NotImplemented

    def __rtruediv__(self, other):
        return Formula({(): other}) / self if isinstance(other, NUMBERS) else NotImplemented

    def __floordiv__(self, other):
        if isinstance(other, int):
            return _floor_by_int(self, other)
        if isinstance(other, Fraction):
            return (self * other.denominator) // other.numerator
        return _floor_by_formula(self, other) if isinstance(other, Formula) else NotImplemented

    def __rfloordiv__(self, other):
        return _floor_by_formula(Formula({(): other}), self) if isinstance(other, NUMBERS) else NotImplemented

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
            self._text = _text(self)
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
        return _whole(total) if isinstance(total, Fraction) else total

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
        return low, high

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
        return f"{self.left} {self.op} {self.right}"

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
        return compare(self.op, at(self.left, values), at(self.right, values))


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
    return equal(number % divisor, 0)


def same_shape(a: tuple, b: tuple) -> bool:
    """Whether two shapes are known to be equal."""
    return len(a) == len(b) and all(i is j or equal(i, j) is True for i, j in zip(a, b, strict=True))


def maximum(first, *rest):
    return _extreme("max", first, rest)


def minimum(first, *rest):
    return _extreme("min", first, rest)


def ceil_div(a, b):
    """a / b rounded up, for b >= 1."""
    return (a + b - 1) // b


def prod(factors):
    result = 1
    for factor in factors:
        result = result * factor
    return result


def divide(a, b):
    """Exact division: a Fraction of ints, never a float."""
    if isinstance(a, NUMBERS) and isinstance(b, NUMBERS):
        return _whole(Fraction(a) / b)
    return a / b


def at(value, values: dict):
    """`value` with its symbols replaced; numbers are themselves."""
    return value.at(values) if isinstance(value, (Formula, Condition)) else value


def names_of(value) -> frozenset:
    """The free names in a number, shape or list."""
    if isinstance(value, Formula):
        return value.names()
    if isinstance(value, (tuple, list)):
        return frozenset().union(*map(names_of, value))
    return frozenset()


def is_sympy(value) -> bool:
    return type(value).__module__.startswith("sympy")


def is_array(value) -> bool:
    return type(value).__module__.startswith("numpy")


def is_symbolic(value) -> bool:
    return isinstance(value, Formula) or is_sympy(value)


def to_sympy(value):
    """The same number as a sympy expression, its symbols positive integers."""
    import sympy

    return value.to_sympy() if isinstance(value, Formula) else sympy.Rational(value)


def as_number(text) -> str:
    """How a dimension is printed: 224, N, H//2."""
    return str(text)


# -- the normal form


def _whole(value):
    return value.numerator if isinstance(value, Fraction) and value.denominator == 1 else value


def _made(terms: dict):
    """A Formula, or a plain number where no symbol is left."""
    if not terms:
        return 0
    if len(terms) == 1 and () in terms:
        return terms[()]
    return Formula(terms)


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


def _over(a: tuple, b: tuple) -> tuple | None:
    """The monomial a / b, or None where it is not one."""
    powers = dict(a)
    for atom, power in b:
        left = powers.get(atom, 0) - power
        if left < 0:
            return None
        powers[atom] = left
    return tuple((atom, power) for atom, power in powers.items() if power)


def _floor_by_int(formula: Formula, divisor: int):
    if divisor == 0:
        raise ZeroDivisionError("division by zero")
    if divisor < 0:
        return _floor_by_int(-formula, -divisor)
    if divisor == 1 and formula.is_whole():
        return formula
    if not formula.is_whole():
        return _clear_fractions(formula, divisor)
    outside, inside = {}, {}
    for mono, coef in formula.terms.items():
        if not mono:
            quotient, coef = divmod(coef, divisor)
            if quotient:
                outside[mono] = quotient
            if coef:
                inside[mono] = coef
        elif coef % divisor:
            inside[mono] = coef
        else:
            outside[mono] = coef // divisor
    rest = _made(inside)
    if not isinstance(rest, Formula):
        return _made(outside)
    return _made(outside) + _quotient(rest, divisor)


def _clear_fractions(formula: Formula, divisor: int):
    scale = 1
    for coef in formula.terms.values():
        scale = scale * coef.denominator // gcd(scale, coef.denominator)
    scaled = formula * scale
    if scale > 1 and isinstance(scaled, Formula) and scaled.is_whole():
        return _floor_by_int(scaled, divisor * scale)
    return _atom(Quotient(formula, divisor))


def _quotient(rest: Formula, divisor: int):
    """floor(rest / divisor) with common factors cancelled and quotients of quotients joined."""
    if all(coef < 0 for mono, coef in rest.terms.items() if mono):  # floor(-p/d) = -floor((p + d - 1)/d)
        return -_floor_by_int(-rest + (divisor - 1), divisor)
    common = divisor
    for mono, coef in rest.terms.items():
        if mono:
            common = gcd(common, coef)
    if common > 1:
        rest = _made({m: (c // common if not m else c // common) for m, c in rest.terms.items() if m or c // common})
        divisor //= common
    inner = [mono for mono in rest.terms if mono]
    if len(inner) == 1 and rest.terms[inner[0]] == 1 and len(inner[0]) == 1:
        atom, power = inner[0][0]
        if power == 1 and isinstance(atom, Quotient) and isinstance(atom.den, int):
            return _floor_by_int(atom.num + rest.terms.get((), 0) * atom.den, divisor * atom.den)
    return _atom(Quotient(rest, divisor))


def _floor_by_formula(formula: Formula, divisor: Formula):
    if (exact := _exact_quotient(formula, divisor)) is not None:
        return exact
    if len(divisor.terms) > 1:
        return _atom(Quotient(formula, divisor))
    [(mono, coef)] = divisor.terms.items()
    outside, inside = {}, {}
    for term, c in formula.terms.items():
        left = _over(term, mono)
        if left is None or not isinstance(c, int) or c % coef:
            inside[term] = c
        else:
            outside[left] = c // coef
    rest = _made(inside)
    if not isinstance(rest, Formula):
        high = divisor.bounds()[0]
        if rest == 0 or (high is not None and 0 <= rest < high):
            return _made(outside)
        rest = Formula({(): rest})
    return _made(outside) + _atom(Quotient(rest, divisor))


def _exact_quotient(formula: Formula, divisor: Formula):
    """The polynomial formula / divisor where there is one with whole coefficients, else None (long division)."""
    rest, quotient = formula, 0
    lead, lead_coef = max(divisor.terms.items(), key=_order)
    for _ in range(64):
        if not isinstance(rest, Formula):
            return quotient if rest == 0 else None
        mono, coef = max(rest.terms.items(), key=_order)
        left = _over(mono, lead)
        if left is None or not isinstance(coef, int) or coef % lead_coef:
            return None
        step = _made({left: coef // lead_coef})
        quotient = quotient + step
        rest = rest - step * divisor
    return None


def _order(term):
    """A total order of monomials in which the leading one of a product is the product of the leading ones."""
    mono, _ = term
    return sum(power for _, power in mono), sorted(((str(atom), power) for atom, power in mono), reverse=True)


def _atom(atom) -> Formula:
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


def _bounds(value):
    return value.bounds() if isinstance(value, Formula) else (value, value)


def _decide(op: str, a, b):
    difference = a - b
    low, high = _bounds(difference)
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
    return kept[0] if len(kept) == 1 else _atom(Extreme(which, tuple(kept)))


def _dominates(which: str, a, b) -> bool:
    return compare(">=" if which == "max" else "<=", a, b) is True


def _sympy_symbol(name: str):
    import sympy

    return sympy.Symbol(name, integer=True, positive=True)


def _tight(value) -> str:
    """The text of a factor: in parentheses where it is not a single symbol or number."""
    text = str(value)
    plain = isinstance(value, int) and value >= 0
    return text if plain or text.isidentifier() else f"({text})"


def _text(formula: Formula) -> str:
    parts = []
    for mono, coef in sorted(formula.terms.items(), key=lambda t: (-sum(p for _, p in t[0]), str(t[0]))):
        text = _term_text(mono, abs(coef))
        sign = "-" if coef < 0 else "+"
        parts.append(f" {sign} {text}" if parts else ("-" + text if coef < 0 else text))
    return "".join(parts)


def _term_text(mono: tuple, coef) -> str:
    top = [_factor(atom, power, len(mono) == 1 and coef == 1) for atom, power in mono if power > 0]
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
