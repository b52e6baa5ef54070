"""What the strategies of layers draw from: small numbers, choices, and numbers written as expressions."""

from __future__ import annotations

from hypothesis import strategies as st

ASSUMED = 8  # what a free size counts as where a strategy needs a number


class Draw:
    """Wraps hypothesis' draw. names: what an expression may name here, with its value in the first instance."""

    def __init__(self, draw):
        self._draw = draw
        self.names: dict[str, int] = {}
        self.refs: dict[str, tuple] = {}  # what may be read here: reference -> (shape, dtype)

    def int(self, least: int, most: int) -> int:
        return self._draw(st.integers(least, most))

    def choice(self, options):
        options = list(options)
        return options[self.int(0, len(options) - 1)]

    def chance(self, percent: int) -> bool:
        """True in about so many cases; shrinks to false."""
        return self.int(0, 99) >= 100 - percent

    def flag(self) -> bool:
        return self.chance(50)

    def real(self) -> float:
        return self.choice((0.1, 0.25, 0.5, 1.0, 1.5, 2, 1e-3, 3))

    def some(self, **options) -> dict:
        """Some of the optional arguments. A function is called for its value."""
        if not self.chance(60):
            return {}
        return {name: made() if callable(made) else made for name, made in options.items() if self.chance(40)}

    def divisor(self, number: int) -> int:
        return self.choice([k for k in range(1, number + 1) if number % k == 0])

    def width(self) -> int:
        return self.choice((4, 6, 8, 12))

    def size(self, number: int):
        """A number as it is, or as an expression of the names that are known."""
        return self.spelled(number) if self.names and self.chance(50) else number

    def spelled(self, number: int):
        name = self.choice(sorted(self.names))
        value = self.names[name]
        ways = [f"{name} + {number - value}" if number >= value else f"{name} - {value - number}"]
        if value == number:
            ways = [name]
        elif value > 1 and number % value == 0:
            ways += [f"{number // value} * {name}", f"{name} * {number // value}"]
        elif number > 0 and value % number == 0:
            ways += [f"{name} // {value // number}", f"round({name} / {value // number})"]
        return self.choice([*ways, f"max({name}, {number})" if value <= number else f"min({name}, {number})"])

    def per_dimension(self, ndim: int, made):
        """One value for all dimensions, or a list."""
        if self.chance(70):
            return made()
        return [made() for _ in range(ndim)]

    def axis(self, rank: int, first: int = 0) -> int:
        """A dimension, counted from either end."""
        number = self.int(first, rank - 1)
        return number - rank if self.flag() else number


def known(size) -> int:
    return size if type(size) is int else ASSUMED
