"""Products named by letters, one for each dimension."""

from __future__ import annotations

import re

from ..arith import equal, prod
from .base import Layer, Work, arg, elements, layer, literal, need
from .kinds import ArgumentError, Kind
from .shape import described

EXAMPLE = "an equation is such as bhqd,bhkd->bhqk"


def _equation(value, ndim=0) -> str:
    """Letters, a comma between operands, an arrow: what netcalc and torch read alike."""
    text = re.sub(r"\s", "", str(value))
    if "..." in text:
        raise ArgumentError("E411", "`...` is not part of it here", "write a letter for every dimension")
    found = re.fullmatch(r"([A-Za-z,]*)->([A-Za-z]*)", text)
    if found is None:
        raise ArgumentError(
            "E411", "it needs letters, a comma between operands, and an arrow before the output", EXAMPLE
        )
    terms, output = found[1].split(","), found[2]
    if len(terms) > 2:
        raise ArgumentError(
            "E411", f"it has {len(terms)} operands", "multiply two at a time, in the order that costs least"
        )
    for term in [*terms, output]:
        twice = next((letter for letter in term if term.count(letter) > 1), None)
        if twice:
            raise ArgumentError("E411", f"`{term}` repeats the letter {twice}", "a diagonal is not supported")
    unknown = next((letter for letter in output if letter not in found[1]), None)
    if unknown:
        raise ArgumentError("E411", f"the letter {unknown} of the output is in no operand", EXAMPLE)
    return text


equation = Kind(
    "letters of each operand, an arrow, letters of the output", _equation, schema={"type": "string"}, raw=True
)


@layer("... -> ...")
class Einsum(Layer):
    """A sum of products over the letters that the output does not have. Agrees with torch.einsum for one or two
    operands, a letter for every dimension and none twice in an operand.

    A letter of one operand only that the output does not have is summed first, one FLOP per element of that operand.
    Then the MACs are one for each combination of the letters left; where no letter is common to both operands and
    summed, it is no matrix product, and each combination is one multiplication.
    """

    inputs = (1, None)
    accepts = "any"
    same_dtype = 0

    equation = arg(equation, main=True)

    def terms(self) -> list[str]:
        return self.equation.split("->")[0].split(",")

    def output(self) -> str:
        return self.equation.split("->")[1]

    def needs(self, *inputs):
        terms = self.terms()
        yield need(len(terms) == len(inputs), "E411",
                   f"the equation {self.equation} names {len(terms)} operands, but {len(inputs)} are read", "equation")  # fmt: skip
        sizes: dict = {}
        for term, shape in zip(terms, inputs, strict=False):
            yield need(len(term) == len(shape), "E411", self._wrong_rank(term, shape), "equation")
            for letter, size in zip(term, shape, strict=False):
                before = sizes.setdefault(letter, size)
                yield need(equal(before, size), "E402", self._misfit(letter, before, size), "equation")

    def _wrong_rank(self, term, shape):
        return lambda: (
            f"`{term}` of {self.equation} names {len(term)} dimensions, but {described(shape)} has {len(shape)}"
        )

    def _misfit(self, letter, a, b):
        return lambda: f"the letter {letter} of {self.equation} is {a} in the first operand, but {b} in the second"

    def sizes(self, inputs) -> dict:
        return {
            letter: size
            for term, x in zip(self.terms(), inputs, strict=True)
            for letter, size in zip(term, x, strict=True)
        }

    def shape(self, *inputs):
        sizes = self.sizes(inputs)
        return tuple(sizes[letter] for letter in self.output())

    def work(self, *shapes):
        inputs, terms, output = shapes[:-1], self.terms(), self.output()
        other, left = 0, set(output)
        for number, (term, x) in enumerate(zip(terms, inputs, strict=True)):
            elsewhere = set(output).union(*(t for n, t in enumerate(terms) if n != number))
            left |= set(term) & elsewhere
            if not set(term) <= elsewhere:
                other = other + elements(x)
        if len(terms) == 1:
            return Work(other=other)
        sizes = self.sizes(inputs)
        products = prod(sizes[letter] for letter in sizes if letter in left)
        return Work(macs=products, other=other) if left - set(output) else Work(other=other + products)

    def torch(self, *inputs):
        return None

    def call(self, names, *inputs):
        return f"torch.einsum({literal(self.equation)}, {', '.join(names)})"

    def eager(self, op, weights, *inputs):
        return op.einsum(list(inputs), self.terms(), self.output())
