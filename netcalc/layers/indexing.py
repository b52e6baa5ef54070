"""Elements found by their size or by their number: the largest ones, a sorted order, look-ups by index.

Looking up moves data and counts no FLOPs; finding the largest k elements counts as k maxima, k comparisons per element.
"""

from __future__ import annotations

from ..arith import at_least
from .base import Layer, Work, arg, elements, layer, literal, need
from .kinds import dim, flag
from .shape import axis, axis_needs, described, in_range, normal

SORTING = "how many comparisons a sort takes depends on the method and on the data"


class Functional(Layer):
    """What these layers share: torch has them as functions."""

    accepts = "any"

    def needs(self, x, *rest):
        return axis_needs([self.dim], x)

    def torch(self, *inputs):
        return None

    def options(self, *names: str) -> str:
        """Arguments by keyword, those that are not the default."""
        return "".join(f", {name}={literal(self.value(name))}" for name in names if not self._is_default(name))


@layer("... -> ...")
class TopK(Functional):
    """The k largest elements along `dim` (outputs `values` and `indices`). Agrees with torch.topk.

    Other FLOPs: k comparisons per element of the input, as k maxima would take.
    """

    accepts = "number"

    k = arg(dim)
    dim = arg(axis, -1)
    largest = arg(flag, True, doc="false for the smallest")
    sorted = arg(flag, True)

    def needs(self, x):
        yield from super().needs(x)
        if in_range([self.dim], len(x)):
            size = x[self.dim]
            yield need(at_least(size, self.k), "E411",
                       lambda: f"k = {self.k} is more than the {size} elements of dimension {self.dim} of {described(x)}", "k")  # fmt: skip

    def shape(self, x):
        at = normal(self.dim, len(x))
        shape = (*x[:at], self.k, *x[at + 1 :])
        return [shape, shape]

    def parts(self, x):
        return ["values", "indices"]

    def dtype(self, x):
        return [x, "int64"]

    def work(self, x, y):
        return Work(other=self.k * elements(x))

    def call(self, names, x):
        return f"{names[0]}.topk({literal(self.k)}{self.options('dim', 'largest', 'sorted')})"

    def eager(self, op, weights, x):
        return op.picked(x, op.shape)


@layer("... -> ...")
class Argsort(Functional):
    """The places of the elements along `dim` in ascending order. Agrees with torch.argsort.

    Its comparisons are not modelled.
    """

    dim = arg(axis, -1)
    descending = arg(flag, False)

    def dtype(self, x):
        return "int64"

    def work(self, x, y):
        return Work(unmodelled=SORTING)

    def call(self, names, x):
        return f"{names[0]}.argsort({self.options('dim', 'descending').removeprefix(', ')})"

    def eager(self, op, weights, x):
        values = op.made(x.shape, x.dtype)
        indices = op.made(op.shape, "int64")
        del values
        return indices


@layer("..., ... -> ...")
class Gather(Functional):
    """For each element of the second input, which holds places along `dim`, the element of the first. Agrees with
    torch.gather.

    Looking up is movement of data: no FLOPs.
    """

    inputs = 2
    accepts = ("any", "integer")

    dim = arg(axis)

    def needs(self, x, index):
        yield from super().needs(x)
        yield need(len(x) == len(index), "E402",
                   lambda: f"Gather needs as many dimensions in the index {described(index)} as in {described(x)}")  # fmt: skip
        if len(x) != len(index) or not in_range([self.dim], len(x)):
            return
        for number, (size, wanted) in enumerate(zip(x, index, strict=True)):
            if number != normal(self.dim, len(x)):
                yield need(at_least(size, wanted), "E402", self._misfit(x, index, number))

    def _misfit(self, x, index, number):
        return lambda: (
            f"the index {described(index)} reaches beyond {described(x)}: "
            f"dimension {number} is {index[number]} and {x[number]}"
        )

    def shape(self, x, index):
        return index

    def call(self, names, *inputs):
        return f"{names[0]}.gather({self.dim}, {names[1]})"

    def eager(self, op, weights, x, index):
        return op.gathered(x, op.shape, index, whole=True)


@layer("..., I -> ...")
class IndexSelect(Functional):
    """The slices of the first input along `dim` whose numbers the second one lists. Agrees with torch.index_select.

    Looking up is movement of data: no FLOPs.
    """

    inputs = 2
    accepts = ("any", "integer")

    dim = arg(axis)

    def shape(self, x, index):
        at = normal(self.dim, len(x))
        return (*x[:at], index[0], *x[at + 1 :])

    def call(self, names, *inputs):
        return f"{names[0]}.index_select({self.dim}, {names[1]})"

    def eager(self, op, weights, x, index):
        return op.gathered(x, op.shape, index, whole=False)
