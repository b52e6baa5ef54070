"""The element-wise functions of torch. FLOPs as in `activation`."""

from __future__ import annotations

from .activation import Elementwise
from .arithmetic import promoted
from .base import arg, layer, literal, need
from .kinds import optional, real


class Function(Elementwise):
    """A function of torch, one FLOP per element, that keeps whole numbers whole."""

    accepts = "any"

    def torch(self, x):
        return None

    def call(self, names, x):
        return f"torch.{self.type.lower()}({names[0]})"

    def eager(self, op, weights, x):
        return op.function(x, self.type, self.dtype(x.dtype))


class NumberFunction(Function):
    """A function that torch does not have for truth."""

    accepts = "number"


class Power(Function):
    """A function that makes whole numbers of truth."""

    def dtype(self, x):
        return "int64" if x == "bool" else x


class RealFunction(Function):
    """A function that turns whole numbers into real ones."""

    def dtype(self, x):
        return x if "float" in x or "complex" in x else "float32"


for _name, _base, _text in [
    ("Abs", NumberFunction, "|x|"),
    ("Square", Power, "x*x"),
    ("Sign", Function, "-1, 0 or 1"),
    ("Floor", NumberFunction, "x rounded down"),
    ("Ceil", NumberFunction, "x rounded up"),
    ("Round", NumberFunction, "x rounded, halves to even"),
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
class Neg(NumberFunction):
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

    def suits(self, x):
        yield need(
            "float" in x or not isinstance(self.exponent, int) or self.exponent >= 0,
            "E411",
            f"{x} cannot be taken to the power {self.exponent}",
            "exponent",
            "`To: float32` before it makes real numbers of it",
        )

    def dtype(self, x):
        return promoted(x, self.exponent)

    def call(self, names, x):
        return f"torch.pow({names[0]}, {literal(self.exponent)})"
