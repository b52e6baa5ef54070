"""Linear layers, matrix products and convolutions."""

from __future__ import annotations

from contextlib import contextmanager

from ...arith import at_least, holds, less, maximum, prod
from ...errors import NetcalcError
from ..tensors import Tensor, like, same, strides_in, view_strides
from .autocast import autocast, precision
from .pointwise import Pointwise, broadcast


class Products(Pointwise):
    # -- autocast

    def cast(self, x: Tensor, dtype: str) -> Tensor:
        """x.to(dtype) under autocast: a parameter that trains is cast once for the whole region."""
        if x.dtype == dtype or x.dtype not in ("float32", "float16", "bfloat16"):
            return x
        if x.leaf and id(x) in self.casts:
            return self.casts[id(x)]
        made = self.make(x.shape, dtype, like(x), what="cast")
        before = x.dtype
        self.record("cast", made, [x], lambda g: self.make(g.shape, before, like(g), what="cast of the gradient"))
        if x.leaf and dtype == self.autocast:
            self.casts[id(x)] = made
        return made

    def operand(self, name: str, x: Tensor) -> Tensor:
        """The operand of an operation in the dtype that autocast asks for."""
        wanted = None if self.autocast is None else precision(name, self.rules.cuda, self.autocast)
        return self.cast(x, wanted) if wanted else x

    @contextmanager
    def without_autocast(self):
        before, self.autocast = self.autocast, None
        yield
        self.autocast = before

    def agree(self, a: Tensor, b: Tensor):
        """PyTorch refuses products of different dtypes."""
        if a.dtype != b.dtype:
            raise NetcalcError(f"error: {self.layer} multiplies {a.dtype} with {b.dtype}, which PyTorch refuses\n"
                               "  help: train with --amp, or put a `To` before it")  # fmt: skip

    # -- linear

    @autocast("linear")
    def linear(self, x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
        """F.linear: addmm for 2-D inputs, and for contiguous ones with a bias; else a matrix product and an addition."""
        rank = len(x.shape)
        if rank == 1:
            y = self.select(self.linear(self.unsqueeze(x, 0), w, b), 0)
            return y
        if rank == 2:
            return self.addmm(x, w, b)
        if b is not None and x.strides is None:
            rows = self.view(x, (prod(x.shape[:-1]), x.shape[-1]))
            return self.view(self.addmm(rows, w, b), (*x.shape[:-1], w.shape[0]))
        y = self.folded(x, w)
        return y if b is None else self.with_bias(y, b)

    def with_bias(self, y: Tensor, b: Tensor) -> Tensor:
        """The bias is added in place; under a dispatch mode it is not."""
        return self.add_(y, b) if self.rules.in_place else self.add(y, b)

    def folded(self, x: Tensor, w: Tensor) -> Tensor:
        """x @ w.T with the leading dimensions of x as one; where that takes a copy, only for the gradient of w."""
        if not w.needs_grad and view_strides(x, (prod(x.shape[:-1]), x.shape[-1])) is False:
            return self.batched_product(x, self.transpose(w, 0, 1))
        rows = self.reshape(x, (prod(x.shape[:-1]), x.shape[-1]))
        return self.view(self.addmm(rows, w, None), (*x.shape[:-1], w.shape[0]))

    @autocast("addmm")
    def addmm(self, x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
        """[rows, i] by [o, i]: each operand is saved where the other needs a gradient."""
        self.agree(x, w)
        y = self.make((x.shape[0], w.shape[0]), x.dtype, what="output")
        saved = [w if x.needs_grad else None, x if w.needs_grad else None]
        needs = x.needs_grad, w.needs_grad, b is not None and b.needs_grad
        rows, out = x.shape, w.shape

        def back(g):
            dx = self.make(rows, g.dtype, what="gradient of the input") if needs[0] else None
            dw = self.make(out, g.dtype, what="gradient of the weight") if needs[1] else None
            return [g.alias() if needs[2] else None, dx, dw]

        turned = self.record("t", w.alias(), [w], lambda g: g.alias(g.shape, g.strides))
        y = self.record("addmm", y, [b, x, turned], back, saved)
        if b is not None and y.origin is not None:
            y.origin[0].shapes = (b.shape, x.shape, w.shape)
        return y

    @autocast("matmul")
    def matmul(self, a: Tensor, b: Tensor) -> Tensor:
        """a @ b of any ranks, as at::matmul does it."""
        ranks = len(a.shape), len(b.shape)
        if ranks == (1, 1):
            return self.dot(a, b)
        if ranks == (2, 1):
            return self.mv(a, b)
        if ranks == (1, 2):
            return self.squeeze(self.bmm(self.unsqueeze(a, 0), b), [0])
        if ranks == (2, 2):
            return self.bmm(a, b)
        if self.folds(a, b):
            return self.folded_product(a, b)
        return self.batched_product(a, b)

    def folds(self, a: Tensor, b: Tensor) -> bool:
        """Whether the larger of two is seen as one matrix (should_fold in LinearAlgebra.cpp)."""
        larger, smaller = (a, b) if len(a.shape) >= len(b.shape) else (self.transpose(b.alias(), -2, -1), a)
        if len(larger.shape) < 3 or len(smaller.shape) > 2:
            return False
        if smaller.needs_grad:
            return True
        return len(a.shape) != 2 and view_strides(larger, (prod(larger.shape[:-1]), larger.shape[-1])) is not False

    def folded_product(self, a: Tensor, b: Tensor) -> Tensor:
        """The larger as a matrix, times the smaller; the other way round both are transposed."""
        turned = len(a.shape) < len(b.shape)
        left = self.transpose(b, -2, -1) if turned else a
        right = (self.transpose(a, 0, 1) if len(a.shape) == 2 else a) if turned else b
        lead = left.shape[:-1]
        left = self.reshape(left, (prod(lead), left.shape[-1]))
        if len(right.shape) == 1:
            return self.view(self.mv(left, right), lead)
        y = self.view(self.bmm(left, right), (*lead, right.shape[1]))
        return self.contiguous(self.transpose(y, -2, -1)) if turned else y

    def batched_product(self, a: Tensor, b: Tensor) -> Tensor:
        """bmm of both, expanded to a common batch."""
        a_row, b_column = len(a.shape) == 1, len(b.shape) == 1
        a = self.unsqueeze(a, 0) if a_row else a
        b = self.unsqueeze(b, 1) if b_column else b
        lead = broadcast(a.shape[:-2], b.shape[:-2])
        count, rows, columns = prod(lead), a.shape[-2], b.shape[-1]
        left = self.reshape(self.expand(a, (*lead, *a.shape[-2:])), (count, *a.shape[-2:]))
        right = self.reshape(self.expand(b, (*lead, *b.shape[-2:])), (count, *b.shape[-2:]))
        shape = (*lead, *(() if a_row else (rows,)), *(() if b_column else (columns,)))
        return self.view(self.bmm(left, right), shape)

    def dot(self, a: Tensor, b: Tensor) -> Tensor:
        return self._vectors("dot", a, b, ())

    @autocast("mv")
    def mv(self, a: Tensor, b: Tensor) -> Tensor:
        return self._vectors("mv", a, b, (a.shape[0],))

    def _vectors(self, name: str, a: Tensor, b: Tensor, shape) -> Tensor:
        """A product with a vector: each operand is saved where the other needs a gradient."""
        needs = a.needs_grad, b.needs_grad
        left, right = a.shape, b.shape
        saved = [b if needs[0] else None, a if needs[1] else None]

        def back(g):
            da = self.make(left, g.dtype, what="gradient") if needs[0] else None
            return [da, self.make(right, g.dtype, what="gradient") if needs[1] else None]

        return self.record(name, self.make(shape, a.dtype, what="output"), [a, b], back, saved)

    @autocast("bmm")
    def bmm(self, a: Tensor, b: Tensor) -> Tensor:
        """A product of matrices, or of as many pairs of them: each operand is saved where the other needs a gradient."""
        self.agree(a, b)
        y = self.make((*a.shape[:-1], b.shape[-1]), a.dtype, what="output")
        needs = a.needs_grad, b.needs_grad
        saved = [b if needs[0] else None, a if needs[1] else None]
        left, right = a.shape, b.shape

        def back(g):
            db = self.make(right, g.dtype, what="gradient") if needs[1] else None
            da = self.make(left, g.dtype, what="gradient") if needs[0] else None
            return [da, db]

        return self.record("bmm", y, [a, b], back, saved)

    # -- convolutions

    @autocast("convolution")
    def transposed_3d(self, x: Tensor, w: Tensor, b: Tensor | None, shape, layer) -> Tensor:
        """A transposed 3-D convolution in one group. PyTorch's own kernel for the CPU makes the output as large as the input
        and then resizes it, which never shrinks a storage (NaiveConvolutionTranspose3d.cpp)."""
        own = not self.rules.cuda and not self._onednn_transposes(x, layer)
        return self.convolution(x, w, b, shape, maximum(prod(x.shape), prod(shape)) if own else None)

    def _onednn_transposes(self, x: Tensor, layer) -> bool:
        """use_mkldnn of ATen/native/Convolution.cpp for a transposed convolution in one group, with more than one thread."""
        if any(
            holds(at_least(extra, stride)) for extra, stride in zip(layer.output_padding, layer.stride, strict=True)
        ):
            return False
        if x.dtype != "float32":
            return x.dtype in self.rules.onednn
        wide = all(holds(less(3, side)) for side in layer.kernel_size[1:])
        return wide or holds(less(1, x.shape[0])) or holds(less(20480, prod(x.shape[:4])))

    @autocast("convolution")
    def convolution(self, x: Tensor, w: Tensor, b: Tensor | None, shape, room=None) -> Tensor:
        """Input and weight are saved, both, if anything needs a gradient. An input in channels-last order gives an output
        and gradients in that order, the weight's too, which is then copied into the order of the parameter."""
        self.agree(x, w)
        order = last_order(x)
        strided = x.strides is not None and order is None
        source = self.inside(x.shape, x.dtype, "copy") if strided else x
        strides = (lambda of: None) if order is None else (lambda of: strides_in(of, order))
        y = self.make(shape, x.dtype, strides(shape), what="output", room=room)
        needs = x.needs_grad, w.needs_grad, b is not None and b.needs_grad
        before, out, bias = x.shape, w.shape, b.shape if b is not None else ()

        def back(g):
            source = self.inside(before, g.dtype, "copy") if strided and (needs[1] or not self.rules.cuda) else None
            fits = g.strides is None if order is None else last_order(g) is not None
            copy = None if fits else self.inside(g.shape, g.dtype, "copy")
            dx = self.make(before, g.dtype, strides(before), what="gradient of the input") if needs[0] else None
            dw = self.make(out, g.dtype, strides(out), what="gradient of the weight") if needs[1] else None
            db = self.make(bias, g.dtype, what="gradient of the bias") if needs[2] else None
            del copy, source
            return [dx, dw, db]

        del source
        return self.record("convolution", y, [x, w, b], back, [x, w])

    def bilinear(self, x1: Tensor, x2: Tensor, w: Tensor, b: Tensor | None, shape) -> Tensor:
        """_trilinear over the flattened inputs, then the bias."""
        x1, x2 = (self.reshape(x, (prod(x.shape[:-1]), x.shape[-1])) for x in (x1, x2))
        y = self.make((x1.shape[0], w.shape[0]), x1.dtype, what="output")
        needs = [t.needs_grad for t in (x1, w, x2)]
        shapes = [t.shape for t in (x1, w, x2)]

        def back(g):
            return [self.make(s, g.dtype, what="gradient") if n else None for s, n in zip(shapes, needs, strict=True)]

        y = self.view(self.record("trilinear", y, [x1, w, x2], back, [x1, w, x2]), shape)
        return y if b is None else self.add(y, b)


def format_of(x: Tensor, shape: tuple) -> tuple | None:
    """The strides of a tensor of a shape in the memory format of another: channels last, or contiguous."""
    order = last_order(x)
    return None if order is None else strides_in(shape, order)


def last_order(x: Tensor) -> tuple | None:
    """The order of the dimensions of a 4-D or 5-D tensor whose channels lie innermost; None where they do not."""
    rank = len(x.shape)
    if x.strides is None or rank not in (4, 5):
        return None
    order = (0, *range(2, rank), 1)
    wanted = strides_in(x.shape, order)
    fits = wanted is not None and all(same(a, b) for a, b in zip(wanted, x.strides, strict=True))
    return order if fits else None
