"""Activations, softmaxes and the element-wise functions of torch.

Convention for `other`: every addition, multiplication, division, comparison and function evaluation (exp, log, tanh,
erf, sqrt) of the definition is one FLOP per element of the output; `flops_per_element` is their number.
"""

from __future__ import annotations

from ..arith import divides, equal, prod
from .base import Layer, Work, arg, layer, literal, need
from .kinds import dim, flag, integer, optional, real, word


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


# -- along a dimension


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


# -- functions of torch


class Function(Elementwise):
    """A function of torch, one FLOP per element, that keeps whole numbers whole."""

    accepts = "any"

    def torch(self, x):
        return None

    def call(self, names, x):
        return f"torch.{self.type.lower()}({names[0]})"

    def eager(self, op, weights, x):
        return op.function(x, self.type, self.dtype(x.dtype))


class RealFunction(Function):
    """A function that turns whole numbers into real ones."""

    def dtype(self, x):
        return x if "float" in x or "complex" in x else "float32"


for _name, _base, _text in [
    ("Abs", Function, "|x|"),
    ("Square", Function, "x*x"),
    ("Sign", Function, "-1, 0 or 1"),
    ("Floor", Function, "x rounded down"),
    ("Ceil", Function, "x rounded up"),
    ("Round", Function, "x rounded, halves to even"),
    ("Exp", RealFunction, "exp(x)"),
    ("Expm1", RealFunction, "exp(x) - 1"),
    ("Log", RealFunction, "The natural logarithm"),
    ("Log1p", RealFunction, "log(1 + x)"),
    ("Sqrt", RealFunction, "The square root"),
    ("Rsqrt", RealFunction, "1 / sqrt(x)"),
    ("Sin", RealFunction, "sin(x)"),
    ("Cos", RealFunction, "cos(x)"),
    ("Erf", RealFunction, "The error function"),
    ("Reciprocal", RealFunction, "1 / x"),
]:
    _doc = f"{_text}: 1 FLOP per element. Agrees with torch.{_name.lower()}."
    globals()[_name] = layer("... -> ...")(type(_name, (_base,), {"__doc__": _doc, "__module__": __name__}))


@layer("... -> ...")
class Neg(Function):
    """-x: 1 FLOP per element. Agrees with torch.neg."""

    def call(self, names, x):
        return f"-{names[0]}"

    def eager(self, op, weights, x):
        return op.negative(x)


@layer("... -> ...")
class Clamp(Function):
    """x limited from below and above: 1 FLOP per element and limit. Agrees with torch.clamp."""

    min = arg(optional(real), None)
    max = arg(optional(real), None)

    def limits(self) -> dict:
        return {name: value for name in ("min", "max") if (value := getattr(self, name)) is not None}

    @property
    def flops_per_element(self):
        return len(self.limits())

    def needs(self, x):
        yield need(bool(self.limits()), "E411", "Clamp needs min, max or both", None, "write for example min: 0")

    def dtype(self, x):
        return promoted(x, *self.limits().values())

    def call(self, names, x):
        limits = ", ".join(f"{name}={literal(value)}" for name, value in self.limits().items())
        return f"torch.clamp({names[0]}, {limits})"

    def eager(self, op, weights, x):
        return op.clamp(x, len(self.limits()), self.dtype(x.dtype))


@layer("... -> ...")
class Pow(Function):
    """x to a fixed power: 1 FLOP per element. Agrees with torch.pow."""

    exponent = arg(real, main=True)

    def dtype(self, x):
        return promoted(x, self.exponent)

    def call(self, names, x):
        return f"torch.pow({names[0]}, {literal(self.exponent)})"


def promoted(dtype: str, *numbers) -> str:
    """The dtype of a tensor that is combined with numbers: a fraction makes whole numbers real."""
    if "float" in dtype or "complex" in dtype or all(isinstance(number, int) for number in numbers):
        return dtype
    return "float32"
