"""Linear maps on the last dimension."""

from __future__ import annotations

from ..arith import equal, prod
from .base import Layer, Work, arg, elements, layer, need
from .kinds import dim, flag
from .shape import described


@layer("... I -> ... O")
class Linear(Layer):
    """y = x W^T + b on the last dimension. Agrees with torch.nn.Linear."""

    in_features = arg(dim, infer=-1)
    out_features = arg(dim, main=True)
    bias = arg(flag, True)

    def shape(self, x):
        return (*x[:-1], self.out_features)

    def params(self, x):
        weight = (self.out_features, x[-1])
        return {"weight": weight, "bias": (self.out_features,)} if self.bias else {"weight": weight}

    def work(self, x, y):
        return Work(macs=elements(y) * x[-1], other=elements(y) if self.bias else 0)

    def eager(self, op, weights, x):
        return op.linear(x, weights["weight"], weights["bias"])


@layer("... I, ... J -> ... O")
class Bilinear(Layer):
    """y = x1^T A x2 + b on the last dimensions of two inputs. Agrees with torch.nn.Bilinear.

    torch computes x1^T A first (in1*in2 multiply-accumulates for each output), then its product with x2 (in2 more).
    """

    inputs = 2

    in1_features = arg(dim, infer=(0, -1))
    in2_features = arg(dim, infer=(1, -1))
    out_features = arg(dim)
    bias = arg(flag, True)

    def needs(self, x1, x2):
        def text():
            return f"Bilinear needs inputs equal in all but the last dimension, not {described(x1)} and {described(x2)}"

        yield need(len(x1) == len(x2), "E401", text)
        for a, b in zip(x1[:-1], x2[:-1], strict=False):
            yield need(equal(a, b), "E401", text)

    def shape(self, x1, x2):
        return (*x1[:-1], self.out_features)

    def params(self, x1, x2):
        weight = (self.out_features, x1[-1], x2[-1])
        return {"weight": weight, "bias": (self.out_features,)} if self.bias else {"weight": weight}

    def work(self, x1, x2, y):
        return Work(macs=prod(y) * (x1[-1] + 1) * x2[-1], other=prod(y) if self.bias else 0)

    def eager(self, op, weights, x1, x2):
        return op.bilinear(x1, x2, weights["weight"], weights["bias"], op.shape)


@layer("... -> ...")
class Identity(Layer):
    """The input itself. Agrees with torch.nn.Identity."""

    accepts = "any"
    elementwise = views = True

    def eager(self, op, weights, x):
        return x
