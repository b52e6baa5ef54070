"""Softmaxes and gates: what works along one dimension. FLOPs as in `activation`."""

from __future__ import annotations

from ..arith import divides, prod
from .activation import Elementwise
from .base import Layer, Work, arg, layer, need
from .kinds import integer


def in_range(index, x):
    return type(index) is int and -len(x) <= index < len(x)


class AlongDim(Layer):
    """What works along one dimension share."""

    flops_per_element = 5

    def needs(self, x):
        yield need(in_range(self.dim, x), "E418",
                   lambda: f"dim = {self.dim}, but the input has {len(x)} dimensions ({-len(x)} to {len(x) - 1})", "dim")  # fmt: skip

    def work(self, x, y):
        return Work(other=prod(y) * self.flops_per_element)

    def torch(self, x):
        return f"nn.{self.type}(dim={self.dim})"


@layer("... -> ...")
class GLU(AlongDim):
    """The first half along `dim` times the sigmoid of the second: 5 FLOPs per output. Agrees with torch.nn.GLU."""

    dim = arg(integer, -1, main=True)

    def needs(self, x):
        yield from super().needs(x)
        if in_range(self.dim, x):
            size = x[self.dim]
            yield need(
                divides(2, size), "E413", lambda: f"dimension {self.dim} is {size}, which cannot be halved", "dim"
            )

    def shape(self, x):
        at = self.dim % len(x)
        return (*x[:at], x[at] // 2, *x[at + 1 :])

    def eager(self, op, weights, x):
        return op.glu(x, op.shape)


class SoftmaxAlongDim(AlongDim):
    """`dim` has no default: torch's depends on the rank and is deprecated."""

    dim = arg(integer, main=True)

    def eager(self, op, weights, x):
        return op.softmax(op.negative(x) if self.type == "Softmin" else x)


@layer("... -> ...")
class Softmax(SoftmaxAlongDim):
    """exp(x) / sum(exp(x)): 5 FLOPs per element (max, subtract, exp, sum, divide). Agrees with torch.nn.Softmax."""


@layer("... -> ...")
class LogSoftmax(SoftmaxAlongDim):
    """log(softmax(x)): 5 FLOPs per element (max, subtract, exp, sum, subtract). Agrees with torch.nn.LogSoftmax."""


@layer("... -> ...")
class Softmin(SoftmaxAlongDim):
    """softmax(-x): 6 FLOPs per element. Agrees with torch.nn.Softmin."""

    flops_per_element = 6


@layer("N C H W -> N C H W")
class Softmax2d(Elementwise):
    """Softmax over the channels: 5 FLOPs per element. Agrees with torch.nn.Softmax2d."""

    elementwise = False
    flops_per_element = 5

    def eager(self, op, weights, x):
        return op.softmax(x)
