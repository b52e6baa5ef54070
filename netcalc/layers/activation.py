"""Activations, element by element.

Convention for `other`: every addition, multiplication, division, comparison and function evaluation (exp, log, tanh,
erf, sqrt) of the definition is one FLOP per element of the output; `flops_per_element` is their number.
"""

from __future__ import annotations

from ..arith import equal, prod
from .base import Layer, Work, arg, layer, need
from .kinds import dim, flag, real, word


class Elementwise(Layer):
    """What the activations share."""

    elementwise = True
    flops_per_element = 1

    def work(self, x, y):
        return Work(other=prod(y) * self.flops_per_element)

    saved: str | None = "input"  # what the backward pass needs: "input", "output" or nothing

    saved_in_place: str | None = None  # the same where the input is overwritten, if it differs

    def eager(self, op, weights, x):
        saved = self.saved_in_place or self.saved if self.inplace else self.saved
        if self.inplace:
            op.overwrite(x)
        return op.unary(x, self.type, saved, self.inplace)


class Inplace(Elementwise):
    """An activation that can overwrite its input."""

    inplace = arg(flag, False)


# -- activations


@layer("... -> ...")
class ReLU(Inplace):
    """max(0, x): 1 FLOP per element. Agrees with torch.nn.ReLU."""

    saved = "output"


@layer("... -> ...")
class ReLU6(Inplace):
    """min(max(0, x), 6): 2 FLOPs per element. Agrees with torch.nn.ReLU6."""

    flops_per_element = 2


@layer("... -> ...")
class LeakyReLU(Elementwise):
    """x, or a multiple of it below 0: 2 FLOPs per element (compare, multiply). Agrees with torch.nn.LeakyReLU."""

    negative_slope = arg(real, 0.01, main=True)
    inplace = arg(flag, False)
    flops_per_element = 2
    saved_in_place = "output"


@layer("... -> ...")
class PReLU(Elementwise):
    """LeakyReLU with a learnt slope, for all channels or for each: 2 FLOPs per element. Agrees with torch.nn.PReLU."""

    num_parameters = arg(dim, 1)
    init = arg(real, 0.25)
    flops_per_element = 2

    def needs(self, x):
        if type(self.num_parameters) is int and self.num_parameters == 1:
            return
        c = x[1] if len(x) > 1 else 1
        yield need(equal(self.num_parameters, c), "E411",
                   lambda: f"num_parameters = {self.num_parameters}, but the input has {c} channels", "num_parameters",
                   "one slope for all (1) or one for each channel")  # fmt: skip

    def params(self, x):
        return {"weight": (self.num_parameters,)}

    def eager(self, op, weights, x):
        return op.prelu(x, weights["weight"])


@layer("... -> ...")
class ELU(Elementwise):
    """x, or alpha*(exp(x) - 1) below 0: 4 FLOPs per element. Agrees with torch.nn.ELU."""

    alpha = arg(real, 1.0)
    inplace = arg(flag, False)
    flops_per_element = 4
    saved_in_place = "output"


@layer("... -> ...")
class SELU(Inplace):
    """A scaled ELU with fixed constants: 5 FLOPs per element. Agrees with torch.nn.SELU."""

    flops_per_element = 5
    saved_in_place = "output"


@layer("... -> ...")
class CELU(Elementwise):
    """x, or alpha*(exp(x/alpha) - 1) below 0: 5 FLOPs per element. Agrees with torch.nn.CELU."""

    alpha = arg(real, 1.0)
    inplace = arg(flag, False)
    flops_per_element = 5
    saved_in_place = "output"


@layer("... -> ...")
class GELU(Elementwise):
    """x times the normal distribution function: 5 FLOPs per element (divide, erf, add, multiply twice), 9 with
    `approximate: tanh`. Agrees with torch.nn.GELU."""

    approximate = arg(word("none", "tanh"), "none")

    @property
    def flops_per_element(self):
        return 9 if self.approximate == "tanh" else 5


@layer("... -> ...")
class SiLU(Inplace):
    """x * sigmoid(x): 5 FLOPs per element. Agrees with torch.nn.SiLU."""

    flops_per_element = 5


@layer("... -> ...")
class Mish(Inplace):
    """x * tanh(log(1 + exp(x))): 5 FLOPs per element. Agrees with torch.nn.Mish."""

    flops_per_element = 5


@layer("... -> ...")
class Tanh(Elementwise):
    """tanh(x): 1 FLOP per element. Agrees with torch.nn.Tanh."""

    saved = "output"


@layer("... -> ...")
class Sigmoid(Elementwise):
    """1 / (1 + exp(-x)): 4 FLOPs per element. Agrees with torch.nn.Sigmoid."""

    saved = "output"

    flops_per_element = 4


@layer("... -> ...")
class Hardswish(Inplace):
    """x * min(max(x + 3, 0), 6) / 6: 5 FLOPs per element. Agrees with torch.nn.Hardswish."""

    flops_per_element = 5


@layer("... -> ...")
class Hardsigmoid(Inplace):
    """min(max(x + 3, 0), 6) / 6: 4 FLOPs per element. Agrees with torch.nn.Hardsigmoid."""

    flops_per_element = 4


@layer("... -> ...")
class Hardtanh(Elementwise):
    """min(max(x, min_val), max_val): 2 FLOPs per element. Agrees with torch.nn.Hardtanh."""

    min_val = arg(real, -1.0)
    max_val = arg(real, 1.0)
    inplace = arg(flag, False)
    flops_per_element = 2


@layer("... -> ...")
class Softplus(Elementwise):
    """log(1 + exp(beta*x)) / beta, or x above the threshold: 6 FLOPs per element. Agrees with torch.nn.Softplus."""

    beta = arg(real, 1.0)
    threshold = arg(real, 20.0)
    flops_per_element = 6


@layer("... -> ...")
class Softsign(Elementwise):
    """x / (1 + |x|): 3 FLOPs per element. Agrees with torch.nn.Softsign."""

    flops_per_element = 3

    def eager(self, op, weights, x):
        return op.mul(x, op.shifted(op.unary(x, "abs")), divide=True)


@layer("... -> ...")
class Softshrink(Elementwise):
    """x moved towards 0 by lambd: 3 FLOPs per element (compare twice, subtract). Agrees with torch.nn.Softshrink."""

    lambd = arg(real, 0.5)
    flops_per_element = 3


@layer("... -> ...")
class Hardshrink(Elementwise):
    """x, or 0 from -lambd to lambd: 2 FLOPs per element. Agrees with torch.nn.Hardshrink."""

    lambd = arg(real, 0.5)
    flops_per_element = 2


@layer("... -> ...")
class Tanhshrink(Elementwise):
    """x - tanh(x): 2 FLOPs per element. Agrees with torch.nn.Tanhshrink."""

    flops_per_element = 2

    def eager(self, op, weights, x):
        return op.add(x, op.unary(x, "tanh", "output"), negative=True)


@layer("... -> ...")
class LogSigmoid(Elementwise):
    """-log(1 + exp(-x)): 5 FLOPs per element. Agrees with torch.nn.LogSigmoid."""

    flops_per_element = 5

    def eager(self, op, weights, x):
        return op.log_sigmoid(x)


@layer("... -> ...")
class Threshold(Elementwise):
    """x above the threshold, else a constant: 1 FLOP per element. Agrees with torch.nn.Threshold."""

    threshold = arg(real)
    constant = arg(real, name="value")
    inplace = arg(flag, False)


@layer("... -> ...")
class RReLU(Elementwise):
    """LeakyReLU whose slope is random in training: 2 FLOPs per element. Agrees with torch.nn.RReLU."""

    lower = arg(real, 1 / 8)
    upper = arg(real, 1 / 3)
    inplace = arg(flag, False)
    flops_per_element = 2

    def eager(self, op, weights, x):
        return op.rrelu(x, self.inplace)
