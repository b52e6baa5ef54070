"""Operations that see the same storage in another way, or copy where that cannot be done."""

from __future__ import annotations

import functools

from ...arith import prod
from ...errors import NetcalcError
from ..tape import Tape
from ..tensors import Tensor, contiguous_strides, is_one, like, normal, same, strides_of, view_strides

WIDER = ("bool", "uint8", "int8", "int16", "int32", "int64", "bfloat16", "float16", "float32", "float64")

ONE = frozenset(("view", "permute", "expand", "slice", "squeeze", "unsqueeze", "select"))  # views of one tensor
SEVERAL = frozenset(("split", "unbind"))  # the same, several at once


def promoted(a: str, b: str) -> str:
    """The dtype of a sum of two tensors of these dtypes."""
    if {a, b} == {"bfloat16", "float16"}:
        return "float32"
    return max(a, b, key=WIDER.index)


class Views(Tape):
    def overwrite(self, x: Tensor):
        """Note that the layer at work writes over a tensor, as PyTorch does in version counters. It refuses to where
        autograd could not follow: views of parameters, and views that were made several at once."""
        made_by = _base(x) if self.grad_mode else None
        if made_by is not None:
            raise NetcalcError(f"error: {self.layer} overwrites {made_by}, which PyTorch refuses in training\n"
                               f"  help: leave inplace out of {self.layer}")  # fmt: skip
        x.storage.overwriters += (self.layer,)

    def _view(self, x: Tensor, shape, strides, name: str, back) -> Tensor:
        return self.record(name, x.alias(tuple(shape), normal(tuple(shape), strides)), [x], back)

    def view(self, x: Tensor, shape) -> Tensor | None:
        """x.view: None where the layout does not allow it. The gradient is reshaped back."""
        shape = tuple(shape)
        strides = view_strides(x, shape)
        if strides is False:
            return None
        before = x.shape
        return self._view(x, shape, strides, "view", lambda g: self.reshaped(g, before))

    def reshape(self, x: Tensor, shape) -> Tensor:
        """x.reshape: a view where that can be, else of a contiguous copy."""
        found = self.view(x, shape)
        return self.view(self.contiguous(x), shape) if found is None else found

    def reshaped(self, g: Tensor, shape) -> Tensor:
        """The same without history, as a backward formula does it."""
        strides = view_strides(g, shape)
        if strides is not False:
            return g.alias(shape, strides)
        return self.make(shape, g.dtype, what="copy")

    def flatten(self, x: Tensor, start: int = 0, end: int = -1) -> Tensor:
        rank = len(x.shape)
        if rank == 0:
            return self.reshape(x, (1,))
        start, end = start % rank, end % rank
        if start == end:
            return x
        return self.reshape(x, (*x.shape[:start], prod(x.shape[start : end + 1]), *x.shape[end + 1 :]))

    def unflatten(self, x: Tensor, dim: int, sizes) -> Tensor:
        dim = dim % len(x.shape)
        return self.reshape(x, (*x.shape[:dim], *sizes, *x.shape[dim + 1 :]))

    def contiguous(self, x: Tensor) -> Tensor:
        """x itself where it is contiguous; the gradient passes as it is."""
        return x if x.strides is None else self.clone(x, strides=None)

    def clone(self, x: Tensor, strides: tuple | str | None = "like") -> Tensor:
        made = self.make(x.shape, x.dtype, like(x) if strides == "like" else strides, what="copy")
        return self.record("clone", made, [x], lambda g: g.alias())

    def permute(self, x: Tensor, dims) -> Tensor:
        dims = tuple(d % len(x.shape) for d in dims)
        strides = strides_of(x)
        back = tuple(dims.index(k) for k in range(len(dims)))
        return self._view(
            x, [x.shape[d] for d in dims], tuple(strides[d] for d in dims), "permute", lambda g: permuted(g, back)
        )

    def transpose(self, x: Tensor, a: int, b: int) -> Tensor:
        dims = list(range(len(x.shape)))
        a, b = a % len(dims), b % len(dims)
        dims[a], dims[b] = dims[b], dims[a]
        return self.permute(x, dims)

    def expand(self, x: Tensor, shape) -> Tensor:
        """x.expand: dimensions of size 1, and new ones, see the same elements again."""
        new = len(shape) - len(x.shape)
        old = strides_of(x)
        strides, sizes, summed = [], [], False
        for k, size in enumerate(shape):
            before = x.shape[k - new] if k >= new else None
            if before is None or (is_one(before) and not is_one(size)):
                strides.append(0)
                sizes.append(size)
                summed = True
            else:
                strides.append(old[k - new])
                sizes.append(before)
        shape_before = x.shape
        return self._view(
            x, sizes, tuple(strides), "expand", lambda g: self.summed_to(g, shape_before) if summed else g.alias()
        )

    def summed_to(self, g: Tensor, shape) -> Tensor:
        """A gradient summed over the dimensions that were expanded, a view of that where these are left out; itself where
        there are none."""
        new = len(g.shape) - len(shape)
        reduced = new > 0 or any(not same(a, b) for a, b in zip(g.shape[new:], shape, strict=True))
        if not reduced:
            return g.alias()
        made = self.make(shape, g.dtype, what="sum")
        return made.alias(shape) if new > 0 else made

    def squeeze(self, x: Tensor, dims) -> Tensor:
        dims = {d % len(x.shape) for d in dims}
        strides = strides_of(x)
        kept = [k for k in range(len(x.shape)) if k not in dims]
        before = x.shape
        return self._view(x, [x.shape[k] for k in kept], tuple(strides[k] for k in kept), "squeeze",
                          lambda g: reinserted(g, before, dims))  # fmt: skip

    def unsqueeze(self, x: Tensor, dim: int) -> Tensor:
        dim = dim % (len(x.shape) + 1)
        strides = strides_of(x)
        step = strides[dim] * x.shape[dim] if dim < len(strides) else 1
        return self._view(x, (*x.shape[:dim], 1, *x.shape[dim:]), (*strides[:dim], step, *strides[dim:]), "unsqueeze",
                          lambda g: dropped(g, dim))  # fmt: skip

    def narrow(self, x: Tensor, dim: int, length, step: int = 1) -> Tensor:
        """A slice along a dimension; its gradient is zeros of the whole with the slice filled in."""
        dim = dim % len(x.shape)
        strides = list(strides_of(x))
        strides[dim] = strides[dim] * step
        before = x.shape
        shape = (*x.shape[:dim], length, *x.shape[dim + 1 :])
        return self._view(x, shape, tuple(strides), "slice", lambda g: self.make(before, g.dtype, what="zeros"))

    def select(self, x: Tensor, dim: int) -> Tensor:
        dim = dim % len(x.shape)
        strides = strides_of(x)
        before = x.shape
        return self._view(x, (*x.shape[:dim], *x.shape[dim + 1 :]), (*strides[:dim], *strides[dim + 1 :]), "select",
                          lambda g: self.make(before, g.dtype, what="zeros"))  # fmt: skip

    def split(self, x: Tensor, sizes, dim: int) -> list[Tensor]:
        """Views of the pieces; the gradient is their concatenation, with zeros for pieces that have none."""
        dim = dim % len(x.shape)
        strides, before = strides_of(x), x.shape
        pieces = []
        for size in sizes:
            shape = (*x.shape[:dim], size, *x.shape[dim + 1 :])
            pieces.append(x.alias(shape, normal(shape, strides)))

        def back(*grads):
            zeros = [
                self.make((*before[:dim], size, *before[dim + 1 :]), x_dtype, what="zeros")
                for g, size in zip(grads, sizes, strict=True)
                if g is None
            ]
            made = self.make(before, x_dtype, what="concatenation")
            del zeros
            return made

        x_dtype = x.dtype
        return self.record("split", pieces, [x], back)

    def unbind(self, x: Tensor, dim: int) -> list[Tensor]:
        """Views of the slices; the gradient stacks theirs."""
        dim = dim % len(x.shape)
        strides, before, dtype = strides_of(x), x.shape, x.dtype
        shape = (*x.shape[:dim], *x.shape[dim + 1 :])
        rest = (*strides[:dim], *strides[dim + 1 :])
        pieces = [x.alias(shape, normal(shape, rest)) for _ in range(before[dim])]

        def back(*grads):  # one expanded zero for each slice without a gradient
            zeros = [self.make((), dtype, what="zero") for g in grads if g is None]
            made = self.make(before, dtype, what="stack")
            del zeros
            return made

        return self.record("unbind", pieces, [x], back)

    def joined(self, xs: list[Tensor]) -> tuple[list[Tensor], str]:
        """What cat and stack join, and its dtype: under autocast a CPU casts all to it first."""
        dtype = functools.reduce(promoted, (x.dtype for x in xs))
        return [self.cast(x, dtype) for x in xs] if self.autocast and not self.rules.cuda else xs, dtype

    def cat(self, xs: list[Tensor], dim: int) -> Tensor:
        """A new tensor; the gradients are views of the incoming one."""
        xs, dtype = self.joined(xs)
        dim = dim % len(xs[0].shape)
        total = xs[0].shape[dim]
        for x in xs[1:]:
            total = total + x.shape[dim]
        shape = (*xs[0].shape[:dim], total, *xs[0].shape[dim + 1 :])
        shapes = [x.shape for x in xs]
        needs = [x.needs_grad for x in xs]

        def back(g):
            strides = strides_of(g)
            return [g.alias(s, normal(s, strides)) if need else None for s, need in zip(shapes, needs, strict=True)]

        return self.record("cat", self.make(shape, dtype, what="output"), xs, back)

    def stack(self, xs: list[Tensor], dim: int) -> Tensor:
        xs, dtype = self.joined(xs)
        rank = len(xs[0].shape) + 1
        dim = dim % rank
        shape = (*xs[0].shape[:dim], len(xs), *xs[0].shape[dim:])
        before, needs = xs[0].shape, [x.needs_grad for x in xs]

        def back(g):
            strides = strides_of(g)
            rest = (*strides[:dim], *strides[dim + 1 :])
            return [g.alias(before, normal(before, rest)) if need else None for need in needs]

        return self.record("stack", self.make(shape, dtype, what="output"), xs, back)


def _base(x: Tensor) -> str | None:
    """What a tensor is a view of, or is, if that must not be overwritten: a parameter, or one of several views."""
    source = x if x.leaf else x.origin
    while source is not None:
        if type(source) is Tensor:
            return f"the parameter {source.name}"
        node, _ = source
        if node.name in SEVERAL:
            return f"one of the views that {node.layer} gives"
        source = node.edges[0] if node.name in ONE else None
    return None


def permuted(g: Tensor, dims: tuple) -> Tensor:
    strides = strides_of(g)
    shape = tuple(g.shape[d] for d in dims)
    return g.alias(shape, normal(shape, tuple(strides[d] for d in dims)))


def reinserted(g: Tensor, shape: tuple, dims: set) -> Tensor:
    left = iter(strides_of(g))
    strides = tuple(1 if k in dims else next(left) for k in range(len(shape)))
    return g.alias(shape, normal(shape, strides))


def dropped(g: Tensor, dim: int) -> Tensor:
    strides = strides_of(g)
    shape = (*g.shape[:dim], *g.shape[dim + 1 :])
    return g.alias(shape, normal(shape, (*strides[:dim], *strides[dim + 1 :])))


__all__ = ["Views", "contiguous_strides"]
