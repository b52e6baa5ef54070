"""Masks: comparisons, truth, choices by a mask, and changes of dtype.

Other FLOPs: 1 per output for a comparison and for a choice by a mask, as for a mask in attention; truth and dtypes are free.
"""

from __future__ import annotations

from .arithmetic import Operator, broadcast, broadcast_needs
from .base import Layer, Work, arg, elements, layer, literal, need
from .kinds import dim, either, real, word
from .source import DTYPES

# -- comparisons


class Comparison(Operator):
    """What the comparisons share: one FLOP per element, and a mask as output."""

    most = 2

    def dtype(self, *dtypes):
        return "bool"

    def pair(self, op, a, b):
        return op.compared_to(op.shape, a, b)


@layer("... -> ...")
class Equal(Comparison):
    """True where two operands are equal, broadcast. Agrees with torch.eq."""

    sign = "=="


@layer("... -> ...")
class NotEqual(Comparison):
    """True where two operands differ, broadcast. Agrees with torch.ne."""

    sign = "!="


@layer("... -> ...")
class Less(Comparison):
    """True where the first operand is smaller than the second, broadcast. Agrees with torch.lt."""

    sign = "<"


@layer("... -> ...")
class LessEqual(Comparison):
    """True where the first operand is at most the second, broadcast. Agrees with torch.le."""

    sign = "<="


@layer("... -> ...")
class Greater(Comparison):
    """True where the first operand is larger than the second, broadcast. Agrees with torch.gt."""

    sign = ">"


@layer("... -> ...")
class GreaterEqual(Comparison):
    """True where the first operand is at least the second, broadcast. Agrees with torch.ge."""

    sign = ">="


# -- truth


class Logical(Operator):
    """What LogicalAnd and LogicalOr share. Truth counts no FLOPs."""

    accepts = "bool"

    def fits(self, *inputs):
        yield need(not self.numbers(), "E411", f"{self.type} joins masks, not numbers", "operands")
        yield from super().fits(*inputs)

    def work(self, *shapes):
        return Work()

    def pair(self, op, a, b):
        return op.compared_to(op.shape, a, b)


@layer("... -> ...")
class LogicalAnd(Logical):
    """True where all masks are, broadcast. Agrees with torch.logical_and."""

    sign = "&"


@layer("... -> ...")
class LogicalOr(Logical):
    """True where one of the masks is, broadcast. Agrees with torch.logical_or."""

    sign = "|"


@layer("... -> ...")
class LogicalNot(Layer):
    """True where the mask is not. Agrees with torch.logical_not."""

    accepts = "bool"
    elementwise = True

    def torch(self, x):
        return None

    def call(self, names, x):
        return f"~{names[0]}"

    def eager(self, op, weights, x):
        return op.compared_to(op.shape, x)


# -- choices


@layer("... -> ...")
class Where(Operator):
    """The second operand where the first, a mask, is true, and the third elsewhere; broadcast. Agrees with torch.where.

    The second and third may be numbers. Other FLOPs: 1 per output.
    """

    accepts = ("bool", "any")
    least = most = 3
    same_dtype = 1

    def fits(self, *inputs):
        given = self.operands
        yield need(given is None or given[0] is None, "E411", "the first operand of Where is a mask, not a number", "operands")  # fmt: skip
        yield from super().fits(*inputs)

    def dtype(self, mask, *dtypes):
        return super().dtype(*(dtypes or ("bool",)))

    def work(self, *shapes):
        return Work(other=elements(shapes[-1]))

    def call(self, names, *inputs):
        return f"torch.where({', '.join(self.written(names))})"

    def eager(self, op, weights, *inputs):
        left = iter(inputs)
        listed = [next(left) if value is None else None for value in self.operands or [None] * len(inputs)]
        real = listed[1:] if any(t is not None for t in listed[1:]) else []
        return op.where(*listed, self.dtype("bool", *(t.dtype for t in real if t is not None)))


@layer("..., ... -> ...")
class MaskedFill(Layer):
    """`value` where the second input, a mask, is true, and the first input elsewhere; broadcast. Agrees with
    torch.masked_fill.

    Other FLOPs: 1 per output.
    """

    inputs = 2
    accepts = ("any", "bool")

    value_ = arg(either(real, "inf", "-inf"), name="value", doc="-inf hides scores from a Softmax")

    def needs(self, x, mask):
        return broadcast_needs("MaskedFill", [x, mask])

    def shape(self, x, mask):
        return broadcast(x, mask)

    def work(self, x, mask, y):
        return Work(other=elements(y))

    def torch(self, *inputs):
        return None

    def call(self, names, *inputs):
        value = f'float("{self.value_}")' if isinstance(self.value_, str) else literal(self.value_)
        return f"{names[0]}.masked_fill({names[1]}, {value})"

    def eager(self, op, weights, x, mask):
        return op.masked_fill(x, mask)


# -- made from nothing, or from another dtype


@layer("-> T T")
class CausalMask(Layer):
    """A mask [size, size], true where a position may look: at itself and at those before it. Agrees with
    torch.ones(size, size, dtype=torch.bool).tril().

    Made from positions alone, so it counts no FLOPs. LogicalNot gives the mask of what MaskedFill has to hide.
    """

    inputs = 0
    accepts = "any"

    size = arg(dim, main=True)

    def shape(self):
        return (self.size, self.size)

    def dtype(self):
        return "bool"

    def torch(self):
        return None

    def call(self, names):
        device = f", device={names[0]}.device" if names else ""
        size = literal(self.size)
        return f"torch.ones({size}, {size}, dtype=torch.bool{device}).tril()"

    def eager(self, op, weights):
        ones = op.made(op.shape, "bool")
        return op.made(ones.shape, "bool")


@layer("... -> ...")
class To(Layer):
    """The same values in another dtype. Agrees with torch.Tensor.to.

    Changing the dtype counts no FLOPs.
    """

    accepts = "any"
    elementwise = True

    kind = arg(word(*DTYPES), main=True, name="dtype")

    def dtype(self, x):
        return self.kind

    def torch(self, x):
        return None

    def call(self, names, x):
        return f"{names[0]}.to(torch.{self.kind})"

    def eager(self, op, weights, x):
        return op.converted(x, self.kind)
