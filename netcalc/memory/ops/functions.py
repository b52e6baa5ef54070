"""Element-wise functions: what each saves, and what its gradient is made from."""

from __future__ import annotations

from ...graph import FLOATS
from ..tensors import Tensor, like
from .pointwise import promoted

#: what the gradient of a function needs, and how many tensors of the input's size it makes on the way to it
_FORMULAS = {
    "Abs": ("input", 1), "Square": ("input", 2), "Log": ("input", 0), "Log1p": ("input", 1), "Sin": ("input", 1),
    "Cos": ("input", 2), "Erf": ("input", 4), "Pow": ("input", 2), "Exp": ("output", 0), "Expm1": ("output", 1),
    "Sqrt": ("output", 1), "Rsqrt": ("output", 2), "Reciprocal": ("output", 2), "Sign": (None, 0), "Floor": (None, 0),
    "Ceil": (None, 0), "Round": (None, 0),
}  # fmt: skip


class Functions:
    def function(self, x: Tensor, name: str, dtype: str | None = None) -> Tensor:
        """torch.abs and its like. dtype: that of the output, where whole numbers become real."""
        saves, steps = _FORMULAS[name]
        given, x = x, self.operand("pow" if name == "Square" else name.lower(), x)
        dtype = dtype and promoted(dtype, x.dtype)
        y = self.make(x.shape, dtype or x.dtype, like(x), what="output")

        def back(g):
            held = [self.as_gradient(g) for _ in range(steps)]
            made = self.as_gradient(g)
            del held
            return made

        del given  # whoever calls the operation holds it until then
        saved = {"input": [x], "output": [y], None: []}[saves]
        return self.record(name.lower(), y, [x], back, saved)

    def clamp(self, x: Tensor, limits: int, dtype: str | None = None) -> Tensor:
        """torch.clamp with one or two limits: the gradient goes where a mask says that they were kept."""
        y = self.make(x.shape, dtype or x.dtype, like(x), what="output")

        def back(g):
            zero = self.make((), g.dtype, what="zero")
            masks = [self.make(g.shape, "bool", like(g), what="mask") for _ in range(limits)]
            if limits == 2 and not self.rules.in_place:
                masks.append(self.make(g.shape, "bool", like(g), what="mask"))
            made = self.as_gradient(g)
            del zero, masks
            return made

        return self.record("clamp", y, [x], back, [x])

    def log_sigmoid(self, x: Tensor) -> Tensor:
        """F.logsigmoid: on the CPU exp(-|x|) is saved too."""
        y = self.make(x.shape, x.dtype, like(x), what="output")
        buffer = None if self.rules.cuda else self.make(x.shape, x.dtype, like(x), what="buffer")
        return self.record("log_sigmoid", y, [x], self.as_gradient, [x, buffer])

    def shifted_by(self, x: Tensor, dtype: str, negative: bool = False) -> Tensor:
        """x + c, or c - x, in the dtype that comes out."""
        if dtype == x.dtype:
            return self.scaled(x) if negative else self.shifted(x)
        return self.make(x.shape, dtype, like(x), what="output")

    def scaled_by(self, x: Tensor, dtype: str) -> Tensor:
        """x * c or x / c, in the dtype that comes out."""
        return self.scaled(x) if dtype == x.dtype else self.make(x.shape, dtype, like(x), what="output")

    def converted(self, x: Tensor, dtype: str) -> Tensor:
        """x.to(dtype): itself where it has that dtype; whole numbers and truth have no gradient."""
        if x.dtype == dtype:
            return x
        y, before = self.make(x.shape, dtype, like(x), what="output"), x.dtype
        if dtype not in FLOATS or before not in FLOATS:
            return y
        return self.record("to", y, [x], lambda g: self.make(g.shape, before, like(g), what="gradient"))

    def cumsum(self, x: Tensor, dtype: str) -> Tensor:
        """Its gradient is a cumsum from the end: flip, cumsum, flip."""
        y, before = self.make(x.shape, self.summed_dtype(x, dtype), what="output"), x.dtype
        wider = y.dtype != before

        def back(g):
            g = self.make(g.shape, before, like(g), what="cast of the gradient") if wider else g
            flipped = self.as_gradient(g)
            summed = self.as_gradient(g)
            made = self.as_gradient(g)
            del flipped, summed
            return made

        return self.record("cumsum", y, [x], back)


def combined(dtype: str, number, divide: bool = False) -> str:
    """The dtype of a tensor combined with a number."""
    if dtype in FLOATS:
        return dtype
    if divide or not isinstance(number, int):
        return "float32"
    return "int64" if dtype == "bool" and not isinstance(number, bool) else dtype


__all__ = ["Functions", "combined"]
