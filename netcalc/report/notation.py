"""How derivations and formulas are written: as text, as Python, and as LaTeX.

What is written is a tree of `arith.Traced`: what a rule recorded, or what `algebra.tree` makes of a formula.
"""

from __future__ import annotations

import re
from fractions import Fraction

from ..arith import Formula, Traced

SUM, PRODUCT, POWER, ATOM = 1, 2, 3, 4  # how tightly a text holds together


class Text:
    """A tree as a line of text. values: names give way to their values. floors: a // b instead of floor(a / b)."""

    power, times = "^", "*"

    def __init__(self, values: bool = False, floors: bool = False):
        self.values, self.floors = values, floors

    def __call__(self, tree) -> str:
        """The text; at the top level a product of a derivation has spaces around its signs."""
        if not self.floors and isinstance(tree, Traced) and tree.op == "*":
            return " * ".join(self._held(factor, PRODUCT + (i > 0)) for i, factor in enumerate(factors(tree)))
        return self._of(tree)[0]

    def _held(self, tree, strength: int) -> str:
        text, own = self._of(tree)
        return text if own >= strength else f"({text})"

    def _of(self, tree) -> tuple[str, int]:
        """The text and how tightly it holds together."""
        if not isinstance(tree, Traced):
            return self._number(tree)
        if tree.op == "name":
            return self._number(tree.value) if self.values else (tree.name, ATOM)
        if tree.op in ("+", "-"):
            return self._sum(tree), SUM
        if tree.op == "negative":
            return f"-{self._held(tree.parts[0], PRODUCT)}", SUM
        if tree.op == "*":
            return "*".join(self._held(factor, PRODUCT + (i > 0)) for i, factor in enumerate(factors(tree))), PRODUCT
        if tree.op == "**":
            return f"{self._held(tree.parts[0], ATOM)}{self.power}{self._held(tree.parts[1], ATOM)}", POWER
        return self._other(tree.op, tree.parts)

    def _sum(self, tree) -> str:
        """A sum; what comes three times or more in a row stands once, with its number."""
        written = [(sign, self._held(part, PRODUCT if i else SUM)) for i, (sign, part) in enumerate(addends(tree))]
        runs: list = []
        for sign, text in written:
            if runs and runs[-1][:2] == [sign, text] and sign == "+":
                runs[-1][2] += 1
            else:
                runs.append([sign, text, 1])
        parts = []
        for sign, text, count in runs:
            parts += [(sign, f"{count}{self.times}{text}")] if count > 2 else [(sign, text)] * count
        return parts[0][1] + "".join(f" {sign} {text}" for sign, text in parts[1:])

    def _other(self, op: str, parts) -> tuple[str, int]:
        if op == "ceil":
            return f"ceil({self._quotient(parts, ' / ')})", ATOM
        if op == "//" and not self.floors and any(map(is_compound, parts)):
            return f"floor({self._quotient(parts, ' / ')})", ATOM
        if op == "//":
            return self._quotient(parts, "//" if self.floors else " // "), PRODUCT - 0.5
        if op in ("/", "%"):
            return self._quotient(parts, "/" if op == "/" else " % "), PRODUCT - 0.5
        return f"{op}({', '.join(self._of(part)[0] for part in parts)})", ATOM

    def _quotient(self, parts, sign: str) -> str:
        return f"{self._held(parts[0], POWER)}{sign}{self._held(parts[1], POWER)}"

    def _number(self, value) -> tuple[str, int]:
        if isinstance(value, Formula):
            text = str(value)
            return text, ATOM if text.isidentifier() else 0
        if isinstance(value, Fraction) and value.denominator > 1:
            text = f"{float(value):.12g}"
            return (text, ATOM) if Fraction(text) == value else (f"{value}", PRODUCT - 0.5)
        return str(value), ATOM if value >= 0 else 0


class Python(Text):
    """A tree as a Python expression."""

    power = "**"

    def __init__(self):
        super().__init__(floors=True)

    def __call__(self, tree) -> str:
        return self._of(tree)[0]

    def _other(self, op, parts):
        if op == "ceil":
            return f"-(-{self._held(parts[0], POWER)}//{self._held(parts[1], POWER)})", SUM
        return super()._other(op, parts)


class Latex(Text):
    """A tree as LaTeX, for math mode."""

    times = r" \cdot "

    def __call__(self, tree) -> str:
        return self._of(tree)[0]

    def _held(self, tree, strength):
        text, own = self._of(tree)
        return text if own >= strength else rf"\left({text}\right)"

    def _of(self, tree):
        if isinstance(tree, Traced) and tree.op == "name" and not self.values:
            return latex_name(tree.name), ATOM
        if isinstance(tree, Traced) and tree.op == "*":
            parts = [self._held(factor, PRODUCT + (i > 0)) for i, factor in enumerate(factors(tree))]
            return r" \cdot ".join(parts), PRODUCT
        if isinstance(tree, Traced) and tree.op == "**":
            return f"{self._held(tree.parts[0], ATOM)}^{{{self._of(tree.parts[1])[0]}}}", POWER
        return super()._of(tree)

    def _other(self, op, parts):
        both = [self._of(part)[0] for part in parts]
        if op in ("//", "/", "ceil"):
            fraction = rf"\frac{{{both[0]}}}{{{both[1]}}}"
            bracket = {"//": "floor", "ceil": "ceil"}.get(op)
            return (rf"\left\l{bracket} {fraction} \right\r{bracket}", ATOM) if bracket else (fraction, PRODUCT)
        if op == "%":
            return rf"{self._held(parts[0], POWER)} \bmod {self._held(parts[1], POWER)}", PRODUCT - 0.5
        return rf"\{op}\left({', '.join(both)}\right)", ATOM

    def _number(self, value):
        if isinstance(value, Formula):
            from .algebra import tree

            return Latex()._of(tree(value))
        text, strength = super()._number(value)
        return text, strength


def latex_name(name: str) -> str:
    """`H_out` as H with an index, `kernel_size[0]` too; words upright."""
    index = re.fullmatch(r"(\w+)\[(\d+)\]", name)
    if index:
        return f"{latex_name(index[1])}_{{{index[2]}}}"
    head, _, tail = name.partition("_")
    if len(head) == 1 and tail:
        return rf"{head}_{{\mathrm{{{tail.replace('_', chr(92) + '_')}}}}}"
    return name if len(name) == 1 else rf"\mathrm{{{name.replace('_', chr(92) + '_')}}}"


def is_compound(part) -> bool:
    """Whether an operand is more than a name or a number."""
    return isinstance(part, Traced) and part.op != "name"


def factors(tree) -> list:
    """The factors of a product of products, in order."""
    found, open_ = [], [tree]
    while open_:
        part = open_.pop()
        if isinstance(part, Traced) and part.op == "*":
            open_ += [part.parts[1], part.parts[0]]
        else:
            found.append(part)
    return found


def addends(tree) -> list:
    """(sign, part) of a sum: of the sums on its left, and of those added on its right."""
    found: list = []
    while isinstance(tree, Traced) and tree.op in ("+", "-"):
        left, right = tree.parts
        inner = addends(right) if tree.op == "+" else [("+", right)]
        found = [(tree.op if i == 0 else sign, part) for i, (sign, part) in enumerate(inner)] + found
        tree = left
    return [("+", tree), *found]
