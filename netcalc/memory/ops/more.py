"""What layers are made of besides the common operations: gated, rearranging and picking ones, and attention."""

from __future__ import annotations

from ...arith import prod
from ..tensors import Tensor, like
from .autocast import autocast
from .functions import combined
from .layers import Modules
from .pointwise import HALF
from .products import last_order


class More(Modules):
    node = None  # the layer at work
    sized = None  # a shape of the graph with values for its free dimensions

    @property
    def shapes(self) -> list[tuple]:
        """Those of the outputs of the layer at work."""
        return [self.sized(value.shape) for value in self.node.outputs]

    @property
    def shape(self) -> tuple:
        return self.shapes[0]

    def made(self, shape, dtype: str) -> Tensor:
        """A new tensor without history."""
        return self.make(shape, dtype)

    def divided(self, x: Tensor) -> Tensor:
        return self.scaled(x)

    def negative(self, x: Tensor) -> Tensor:
        return self.scaled(x)

    @autocast("prelu")
    def prelu(self, x: Tensor, w: Tensor) -> Tensor:
        y = self.make(x.shape, x.dtype, like(x), what="output")
        wanted, before = (x.needs_grad, w.needs_grad), w.shape

        def back(g):
            dx = self.as_gradient(g)
            full = self.as_gradient(g)  # the kernel makes both
            dx = dx if wanted[0] else None
            dw = self.make(before, g.dtype, what="gradient of the weight") if wanted[1] else None
            del full
            return [dx, dw]

        return self.record("prelu", y, [x, w], back, [x, w])

    def glu(self, x: Tensor, shape) -> Tensor:
        y = self.make(shape, x.dtype, what="output")
        before = x.shape
        return self.record("glu", y, [x], lambda g: self.make(before, g.dtype, what="gradient"), [x])

    def rrelu(self, x: Tensor, inplace: bool) -> Tensor:
        if not self.rules.training:
            return self.unary(x, "leaky_relu", "output" if inplace else "input", inplace)
        noise = self.make(x.shape, x.dtype, like(x), what="noise")
        if inplace:
            self.overwrite(x)
        y = x.alias() if inplace else self.make(x.shape, x.dtype, like(x), what="output")
        return self.record("rrelu", y, [x], self.as_gradient, [y if inplace else x, noise])

    def sum_of(self, a, b, negative: bool = False) -> Tensor:
        """a + b or a - b, where one of them may be a number."""
        if not isinstance(b, Tensor):
            return self.shifted_by(a, combined(a.dtype, b))
        if not isinstance(a, Tensor):
            return self.shifted_by(b, combined(b.dtype, a), negative)
        return self.add(a, b, negative)

    def product_of(self, a, b, divide: bool = False) -> Tensor:
        """a * b or a / b, where one of them may be a number."""
        if not isinstance(b, Tensor):
            return self.scaled_by(a, combined(a.dtype, b, divide))
        if not isinstance(a, Tensor):
            return self.reciprocal(b) if divide else self.scaled_by(b, combined(b.dtype, a))
        return self.mul(a, b, divide)

    def reciprocal(self, x: Tensor) -> Tensor:
        """c / x: a reciprocal, then a product."""
        return self.scaled(self.function(x, "Reciprocal", combined(x.dtype, 1, True)))

    def chosen(self, a, b) -> Tensor:
        """maximum or minimum of two tensors, or clamp with a number."""
        if not isinstance(b, Tensor):
            return self.clamp(a, 1, combined(a.dtype, b))
        if not isinstance(a, Tensor):
            return self.clamp(b, 1, combined(b.dtype, a))
        y = self._binary(a, b)
        needs = a.needs_grad, b.needs_grad

        def back(g):
            found = []
            for need in needs:
                half = self.as_gradient(g) if need else None  # what each gets where both are equal
                mask = self.make(g.shape, "bool", like(g), what="mask") if need else None
                made = self.as_gradient(g) if need else None
                other = self.make(g.shape, "bool", like(g), what="mask") if need else None
                del half, mask, other
                found.append(made)
            return found

        return self.reduced(self.record("maximum", y, [a, b], back, [a, b]), a, b)

    # -- moving elements about

    def squeezed(self, x: Tensor, shape) -> Tensor:
        """Dimensions of size 1 left out, so that the shape comes out."""
        dims, left = [], list(shape)
        for k, size in enumerate(x.shape):
            if left and (size is left[0] or size == left[0]):
                left.pop(0)
            else:
                dims.append(k)
        return self.squeeze(x, dims)

    def copied(self, x: Tensor, shape, name: str) -> Tensor:
        """A new tensor whose gradient is a new one of the input's shape; nothing is saved."""
        before = x.shape
        return self.record(name, self.make(shape, x.dtype, what="output"), [x],
                           lambda g: self.make(before, g.dtype, what="gradient"))  # fmt: skip

    def repeat(self, x: Tensor, shape) -> Tensor:
        """x.repeat: the gradient is summed over each new dimension, then over the repeats of the old ones."""
        before, new = x.shape, len(shape) - len(x.shape)
        again = any(not _equal_sizes(a, b) for a, b in zip(shape[new:], before, strict=True))

        def back(g):
            for _ in range(new):
                g = self.make(g.shape[1:], g.dtype, what="sum")
            return self.make(before, g.dtype, what="sum") if again else g.alias()

        return self.record("repeat", self.make(shape, x.dtype, what="output"), [x], back)

    def rolled(self, x: Tensor) -> Tensor:
        return self.copied(x, x.shape, "roll")

    def rearranged(self, x: Tensor, shape) -> Tensor:
        """pixel_shuffle and its inverse."""
        return self.copied(x, shape, "rearranged")

    def outer(self, a: Tensor, b: Tensor) -> Tensor:
        """torch.outer of two vectors without gradients."""
        return self.make((a.shape[0], b.shape[0]), a.dtype, what="output")

    # -- normalisation in pieces

    @autocast("rms_norm")
    def rms_norm(self, x: Tensor, w: Tensor | None, axes: int) -> Tensor:
        """F.rms_norm: one kernel on CUDA, several operations on a CPU."""
        rows = (*x.shape[: len(x.shape) - axes], *[1] * axes)
        if self.rules.cuda and last_order(x) is None and (w is None or w.dtype == x.dtype):
            return self._fused_rms(x, w, rows, axes)
        y, inverse = self._composite_rms(x, w, axes)
        made = self.cast(y, x.dtype)
        del inverse
        return made

    def _composite_rms(self, x: Tensor, w: Tensor | None, axes: int) -> tuple[Tensor, Tensor]:
        """rms_norm_composite: the normalised tensor, in float32 of 16-bit types, and the inverse of the root."""
        up = self.cast(x, "float32") if x.dtype in HALF else x
        square = self.function(up, "Square")
        mean = self.mean(square, range(-axes, 0), True)
        inverse = self.function(mean, "Rsqrt")  # eps is added in place
        del square, mean
        y = self.mul(up, inverse)
        if w is not None:
            y = self.mul(y, w)
        return (y if last_order(x) is not None else self.contiguous(y)), inverse

    def _fused_rms(self, x, w, rows, axes):
        y = self.make(x.shape, x.dtype, what="output")
        rstd = self.make(rows, "float32", what="rstd")
        needs = x.needs_grad, w is not None and w.needs_grad
        tail = x.shape[len(x.shape) - axes :]

        def back(g):
            dx = self.make(g.shape, g.dtype, what="gradient of the input") if needs[0] else None
            dw = self.make(tail, w.dtype, what="gradient of the weight") if needs[1] else None
            return [dx, dw]

        return self.record("rms_norm", y, [x, w], back, [x, w, rstd])

    def instance_norm(self, x, w, b, mean, var) -> Tensor:
        """Batch norm over samples times channels, with weights and statistics repeated for each sample."""
        n, c = x.shape[0], x.shape[1]
        repeat = lambda t: None if t is None else self.repeat(t, (n * c,))  # noqa: E731
        weight, bias, mean_, var_ = map(repeat, (w, b, mean, var))
        rows = self.reshape(self.contiguous(x), (1, n * c, *x.shape[2:]))
        y = self.batch_norm(rows, weight, bias, mean_, var_)
        return self.view(y, x.shape)


def _equal_sizes(a, b) -> bool:
    return a is b or a == b


__all__ = ["More", "prod"]
