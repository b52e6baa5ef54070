"""Element-wise operations and reductions."""

from __future__ import annotations

from ...arith import prod
from ...graph import FLOATS
from ..tensors import Tensor, is_one, iterated, like, same_shape
from .views import Views, promoted

HALF = ("bfloat16", "float16")


def broadcast(*shapes) -> tuple:
    """The common shape of several."""
    rank = max(map(len, shapes))
    found = []
    for k in range(rank):
        sizes = [shape[k - rank + len(shape)] for shape in shapes if k - rank + len(shape) >= 0]
        found.append(next((size for size in sizes if not is_one(size)), 1))
    return tuple(found)


class Pointwise(Views):
    overwrites = False  # whether the activation at work is made in-place though its spec does not say so

    def unary(self, x: Tensor, name: str, saves: str | None = "input", inplace: bool = False) -> Tensor:
        """A function of each element. saves: "input", "output" or None: what its gradient is made from."""
        if inplace or (self.overwrites and saves == "output"):
            made = self._overwritten(x, name, clone=saves == "input" and self.recording(x))
            saved = [made[1] if saves == "input" else x]
            y = made[0]
        else:
            y = self.make(x.shape, x.dtype, like(x), what="output")
            saved = [x if saves == "input" else y] if saves else []
        return self.record(name, y, [x], self.as_gradient, saved)

    def _overwritten(self, x: Tensor, name: str, clone: bool):
        """The tensor that an in-place operation leaves, and the copy of the old one where that is saved."""
        copy = self.make(x.shape, x.dtype, like(x), what=f"copy of the input of {name}") if clone else None
        return x.alias(), copy

    def as_gradient(self, g: Tensor) -> Tensor:
        """A gradient of the same size as the incoming one."""
        return self.make(g.shape, g.dtype, like(g), what=f"gradient in {self.layer}" if self.layer else "gradient")

    def relu(self, x: Tensor, inplace: bool = False) -> Tensor:
        return self.unary(x, "relu", "output", inplace)

    def scaled(self, x: Tensor) -> Tensor:
        """x + c, x * c, x / c: nothing is saved."""
        y = self.make(x.shape, x.dtype, like(x), what="output")
        return self.record("scaled", y, [x], self.as_gradient)

    def shifted(self, x: Tensor) -> Tensor:
        """x + c: the gradient passes as it is."""
        y = self.make(x.shape, x.dtype, like(x), what="output")
        return self.record("shifted", y, [x], lambda g: g.alias())

    def add(self, a: Tensor, b: Tensor, negative: bool = False) -> Tensor:
        """a + b, or a - b: both get the incoming gradient itself, summed where they were broadcast."""
        y = self._binary(a, b)
        needs = a.needs_grad, b.needs_grad

        def back(g):
            first = g.alias() if needs[0] else None
            if not needs[1]:
                return first, None
            return first, self.as_gradient(g) if negative else g.alias()

        return self.reduced(self.record("sub" if negative else "add", y, [a, b], back), a, b)

    def add_(self, a: Tensor, b: Tensor) -> Tensor:
        """a += b."""
        y = a.alias()
        needs = a.needs_grad, b.needs_grad
        return self.reduced(
            self.record("add_", y, [a, b], lambda g: [g.alias() if need else None for need in needs]), a, b
        )

    def mul(self, a: Tensor, b: Tensor, divide: bool = False) -> Tensor:
        """a * b or a / b: each is saved where the other needs a gradient."""
        y = self._binary(a, b)
        needs = a.needs_grad, b.needs_grad
        if divide:
            saved = [b, a if needs[1] else None]
        else:
            saved = [a if needs[1] else None, b if needs[0] else None]

        def back(g):
            if not divide:
                first = self.as_gradient(g) if needs[0] else None
                return first, self.as_gradient(g) if needs[1] else None
            second = None
            if needs[1]:  # -grad * (a / b / b)
                held = [self.as_gradient(g) for _ in range(3)]
                second = self.as_gradient(g)
                del held
            return self.as_gradient(g) if needs[0] else None, second

        return self.reduced(self.record("div" if divide else "mul", y, [a, b], back, saved), a, b)

    def _binary(self, a: Tensor, b: Tensor) -> Tensor:
        shape = a.shape if a.shape is b.shape else broadcast(a.shape, b.shape)
        return self.make(shape, promoted(a.dtype, b.dtype), iterated(shape, [a, b]), what="output")

    def reduced(self, y: Tensor, *inputs: Tensor) -> Tensor:
        """Note that the gradients of broadcast inputs are summed by the engine after the node has run."""
        if y.origin is not None and any(not same_shape(x.shape, y.shape) for x in inputs):
            y.origin[0].shapes = tuple(x.shape for x in inputs)
        return y

    # -- reductions

    def mean(self, x: Tensor, dims, keepdim: bool, scale: bool = True, dtype: str | None = None) -> Tensor:
        """mean or sum over dimensions: the gradient is expanded, and for the mean divided. dtype: of the sum of whole
        numbers or truth."""
        dtype = x.dtype if scale else self.summed_dtype(x, dtype)
        rank = len(x.shape)
        over = set(range(rank)) if dims is None else {d % rank for d in dims}
        kept = tuple(1 if k in over else size for k, size in enumerate(x.shape))
        shape = kept if keepdim else tuple(size for k, size in enumerate(x.shape) if k not in over)
        before = x.shape

        def back(g):
            strides = tuple(0 if k in over else s for k, s in enumerate(_kept_strides(g, over, rank, keepdim)))
            seen = g.alias(before, strides)
            return self.make(before, g.dtype, what="gradient") if scale else seen

        return self.record("mean" if scale else "sum", self.make(shape, dtype, what="output"), [x], back)

    def summed_dtype(self, x: Tensor, otherwise: str | None = None) -> str:
        """That of sums and products: under autocast on CUDA float32, which the kernel makes of its input by itself.
        otherwise: that of whole numbers or truth, where it is not their own."""
        if x.dtype not in FLOATS:
            return otherwise or x.dtype
        return "float32" if self.autocast and self.rules.cuda and x.dtype in HALF else x.dtype


def _kept_strides(g: Tensor, over: set, rank: int, keepdim: bool) -> list:
    from ..tensors import strides_of

    if keepdim:
        return list(strides_of(g))
    left = iter(strides_of(g))
    return [0 if k in over else next(left) for k in range(rank)]


__all__ = ["Pointwise", "broadcast", "prod", "promoted"]
