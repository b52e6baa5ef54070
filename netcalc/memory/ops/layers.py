"""Normalisation, pooling, dropout, embeddings, softmax."""

from __future__ import annotations

from ...arith import prod
from ..tensors import Tensor, is_one, like
from .autocast import autocast
from .pointwise import HALF
from .products import Products, format_of, last_order


class Modules(Products):
    # -- normalisation

    def batch_norm(
        self, x: Tensor, w: Tensor | None, b: Tensor | None, mean: Tensor | None, var: Tensor | None
    ) -> Tensor:
        """F.batch_norm with batch statistics, or stored ones in evaluation mode."""
        batch = self.rules.training or mean is None
        cudnn = self.rules.cuda and batch and self.cudnn_norm(x, w, b)
        given, c = x, x.shape[1]
        x = self.contiguous(x) if cudnn and last_order(x) is None else x
        y = self.make(x.shape, x.dtype, like(x), what="output")
        kind, weight = self.statistics(x, w), w.dtype if w is not None else x.dtype
        stats = [self.make((c,) if batch else (0,), kind, what=what) for what in ("mean", "invstd")]
        reserve = [self.make((0,), "uint8", what="reserve")] if cudnn or self.rules.cuda or not batch else []
        needs = [t is not None and t.needs_grad for t in (x, w, b)]

        def back(g):
            copy = self.make(g.shape, g.dtype, what="copy") if cudnn and g.strides is not None else None
            dx = self.make(g.shape, g.dtype, like(g), what="gradient of the input") if needs[0] or cudnn else None
            dw = self.make((c,), weight, what="gradient of the weight") if needs[1] or cudnn else None
            db = self.make((c,), weight, what="gradient of the bias") if needs[2] or cudnn else None
            del copy
            return [d if need else None for d, need in zip((dx, dw, db), needs, strict=True)]

        del given  # whoever calls the operation holds it until then
        return self.record("batch_norm", y, [x, w, b], back, [x, w, mean, var, *stats, *reserve])

    def statistics(self, x: Tensor, w: Tensor | None) -> str:
        """The dtype of mean and standard deviation: float32 for 16-bit inputs on CUDA, or with wider weights."""
        wider = w is not None and w.dtype != x.dtype
        return "float32" if x.dtype in HALF and (self.rules.cuda or wider) else x.dtype

    def cudnn_norm(self, x: Tensor, w: Tensor | None, b: Tensor | None) -> bool:
        """Whether CUDA normalises with cuDNN: float32, or float16 with float32 weights, of 3 to 5 dimensions, with a bias."""
        return (
            w is not None
            and b is not None
            and 3 <= len(x.shape) <= 5
            and x.dtype in ("float32", "float16")
            and w.dtype == "float32"
        )

    @autocast("layer_norm")
    def layer_norm(self, x: Tensor, w: Tensor | None, b: Tensor | None, axes: int) -> Tensor:
        """F.layer_norm over the last `axes` dimensions."""
        strided = x.strides is not None
        source = self.inside(x.shape, x.dtype, "copy") if strided else x
        y = self.make(x.shape, x.dtype, what="output")
        rows = (*x.shape[: len(x.shape) - axes], *[1] * axes)
        stats = [self.make(rows, self.statistics(x, w), what=what) for what in ("mean", "rstd")]
        needs = [t is not None and t.needs_grad for t in (x, w, b)]
        tail, weight = x.shape[len(x.shape) - axes :], w.dtype if w is not None else x.dtype

        def back(g):
            copies = [self.inside(g.shape, g.dtype, "copy") for copied in (g.strides is not None, strided) if copied]
            dx = self.make(g.shape, g.dtype, what="gradient of the input") if needs[0] else None
            dw = self.make(tail, weight, what="gradient of the weight") if needs[1] else None
            db = self.make(tail, weight, what="gradient of the bias") if needs[2] else None
            del copies
            return [dx, dw, db]

        del source
        return self.record("layer_norm", y, [x, w, b], back, [x, w, b, *stats])

    @autocast("group_norm")
    def group_norm(self, x: Tensor, w: Tensor | None, b: Tensor | None, groups) -> Tensor:
        source = self.contiguous(x)
        y = self.make(x.shape, x.dtype, what="output")
        kind = x.dtype if w is None or w.dtype == x.dtype else "float32"
        stats = [self.make((x.shape[0], groups), kind, what=what) for what in ("mean", "rstd")]
        needs = [t is not None and t.needs_grad for t in (x, w, b)]
        c = x.shape[1]

        def back(g):
            copy = self.make(g.shape, g.dtype, what="copy") if g.strides is not None else None
            dx = self.make(g.shape, g.dtype, what="gradient of the input") if needs[0] else None
            dw = self.make((c,), weight, what="gradient of the weight") if needs[1] else None
            db = self.make((c,), weight, what="gradient of the bias") if needs[2] else None
            del copy
            return [dx, dw, db]

        weight = w.dtype if w is not None else x.dtype
        return self.record("group_norm", y, [source, w, b], back, [source, w, *stats])

    # -- pooling

    def max_pool(self, x: Tensor, shape) -> Tensor:
        """Max pooling: the input and the int64 indices are saved."""
        strides = format_of(x, shape)
        y = self.make(shape, x.dtype, strides, what="output")
        indices = self.make(shape, "int64", strides, what="indices")
        return self.record("max_pool", y, [x], self._gradient_like(x), [x, indices])

    def _gradient_like(self, x: Tensor):
        """A backward that makes a gradient of the shape of x, in its memory format."""
        before, strides = x.shape, format_of(x, x.shape)
        return lambda g: self.make(before, g.dtype, strides, what="gradient of the input")

    def avg_pool(self, x: Tensor, shape) -> Tensor:
        """Average pooling: the input is kept, though only its shape is needed."""
        y = self.make(shape, x.dtype, format_of(x, shape), what="output")
        return self.record("avg_pool", y, [x], self._gradient_like(x), [x])

    def adaptive_avg_pool(self, x: Tensor, shape, axes: int) -> Tensor:
        """To one position it is a mean, else a pooling of its own."""
        if not all(map(is_one, shape[len(shape) - axes :])):
            return self.avg_pool(x, shape)
        y = self.mean(x, range(-axes, 0), True)
        if axes != 2 or last_order(x) is None:
            return y
        return self.record("as_strided", y.alias(), [y], self.as_gradient)  # in channels-last order

    def resized(self, x: Tensor, shape) -> Tensor:
        """Interpolation or constant padding: nothing is saved."""
        y = self.make(shape, x.dtype, format_of(x, shape), what="output")
        return self.record("upsample", y, [x], self._gradient_like(x))

    @autocast("upsample")
    def upsampled(self, x: Tensor, shape) -> Tensor:
        """F.interpolate."""
        return self.resized(x, shape)

    # -- dropout

    def dropout(self, x: Tensor, p, inplace: bool = False, mask: tuple | None = None) -> Tensor:
        """F.dropout: on CUDA a bool mask is saved, else the float noise that the input is multiplied with. mask: the shape
        of the noise where whole channels are dropped."""
        if not self.rules.training or p == 0:
            return x
        if self.rules.cuda and mask is None and not inplace and p != 1:
            y = self.make(x.shape, x.dtype, like(x), what="output")
            kept = self.make(x.shape, "bool", like(x), what="mask")
            return self.record("dropout", y, [x], self.as_gradient, [kept])
        if p == 1:
            mask = ()  # a single zero
        noise = self.make(
            x.shape if mask is None else mask, x.dtype, None if mask is not None else like(x), what="mask"
        )
        if inplace:
            self.overwrite(x)
            return self.record("mul_", x.alias(), [x], self.as_gradient, [noise])
        return self.mul(x, noise)

    def alpha_dropout(self, x: Tensor, p, noise_shape) -> Tensor:
        """F.alpha_dropout: x times a noise that is saved, plus one that is not."""
        if not self.rules.training or p == 0:
            return x
        if p == 1:
            return self.mul(x, self.make((), x.dtype, what="mask"))
        noise = self.make(noise_shape, x.dtype, what="noise")
        shift = self.make(noise_shape, x.dtype, what="shift")
        y = self.mul(x, noise)
        del shift
        return y

    # -- embeddings

    def embedding(self, indices: Tensor, w: Tensor) -> Tensor:
        y = self.make((*indices.shape, *w.shape[1:]), w.dtype, what="output")
        before = w.shape

        def back(g):
            """A gradient that does not lie in one piece is copied: on the CPU when the table's gradient is there, on CUDA before."""
            early = self.inside(g.shape, g.dtype, "copy") if g.strides is not None and self.rules.cuda else None
            table = self.make(before, g.dtype, what="gradient of the table")
            del early
            if not self.rules.cuda:
                self.in_one_piece(g)
            return table

        return self.record("embedding", y, [w], back, [indices])

    def embedding_bag(self, x: Tensor, w: Tensor, mode: str, padded: bool, sparse: bool) -> Tensor:
        """F.embedding_bag of [N, L] tokens: the bags' places are saved, and of a maximum where it was found. padded: whether
        a token is left out."""
        n, count = x.shape
        offsets = self.make((n,), x.dtype, what="offsets")
        y = self.make((n, w.shape[1]), w.dtype, what="output")
        words = 0 if mode == "sum" and not (padded or self.rules.cuda) else n * count + (0 if self.rules.cuda else 1)
        bags = self.make((words,), x.dtype, what="bag of each token")  # the CPU makes one more than it shows
        sizes = self.make((n,), x.dtype, what="sizes of the bags")
        none = (0,) if self.rules.cuda else (n,)
        found = self.make((n, w.shape[1]) if mode == "max" else none, x.dtype, what="places of the maxima")
        before, rows = w.shape, n * count

        def back(g):
            if not sparse:
                return self.make(before, g.dtype, what="gradient of the table")
            return self.make((rows, before[1]), g.dtype, what="rows of the gradient")

        return self.record("embedding_bag", y, [w], back, [x, offsets, bags, sizes, found])

    def softmax(self, x: Tensor, name: str = "softmax", typed: bool = False) -> Tensor:
        """Under autocast on CUDA in float32, from float16 without a copy of the input; as it comes where the call gives its
        dtype (`typed`), as cross_entropy does."""
        wide = not typed and self.autocast and self.rules.cuda
        if wide and x.dtype != "float16":
            x = self.cast(x, "float32")
        before, to = x.dtype, "float32" if wide else x.dtype
        y = self.make(x.shape, to, None, what="output")
        self.in_one_piece(x)

        def back(g):
            grad = self.make(g.shape, before, what="gradient")
            self.in_one_piece(g)
            return grad

        return self.record(name, y, [x], back, [y])

    def in_one_piece(self, x: Tensor):
        """The copy that a kernel makes of an operand that does not lie in one piece, and gives back."""
        if x.strides is not None:
            self.inside(x.shape, x.dtype, "copy")


__all__ = ["HALF", "Modules", "prod"]
