"""Choices by a mask or a place: where, masked_fill, maxima, look-ups."""

from __future__ import annotations

from ..tensors import Tensor, iterated, same
from .pointwise import broadcast, promoted


class Choices:
    def where(self, mask: Tensor, a: Tensor | None, b: Tensor | None, dtype: str | None = None) -> Tensor:
        """torch.where(mask, a, b): the mask is saved; zeros beside the gradient for what was not taken. A number stands as
        None and becomes a scalar of the output's dtype."""
        given = [t for t in (a, b) if t is not None]
        shape = broadcast(mask.shape, *(t.shape for t in given))
        dtype = dtype or (given[0].dtype if len(given) == 1 else promoted(*(t.dtype for t in given)))
        scalars = [self.make((), dtype, what="scalar") for t in (a, b) if t is None]
        a, b = (None if t is None else self.converted(t, dtype) for t in (a, b))
        y = self.make(shape, dtype, iterated(shape, [mask, *(t for t in (a, b) if t is not None)]), what="output")
        del scalars
        needs = [t is not None and t.needs_grad for t in (a, b)]

        def back(g):
            scalar = self.make((), g.dtype, what="zero")
            found = [self.as_gradient(g) if need else None for need in needs]
            del scalar
            return found

        y = self.record("where", y, [a, b], back, [mask])
        if y.origin is not None:
            y.origin[0].shapes = tuple(shape if t is None else t.shape for t in (a, b))
        return y

    def masked_fill(self, x: Tensor, mask: Tensor) -> Tensor:
        """The mask is saved; the gradient is filled with zeros there."""
        y = self.make(broadcast(x.shape, mask.shape), x.dtype, what="output")
        return self.reduced(self.record("masked_fill", y, [x], self.as_gradient, [mask]), x)

    def compared_to(self, shape, *operands) -> Tensor:
        """A mask."""
        tensors = [operand for operand in operands if isinstance(operand, Tensor)]
        return self.make(shape, "bool", iterated(shape, tensors), what="output")

    # -- places

    def scattered(self, shape, dtype: str) -> Tensor:
        """Zeros of a shape with values written or added in: in place, but a dispatch mode sees a second tensor."""
        zeros = self.make(shape, dtype, what="gradient")
        return zeros if self.rules.in_place else self.make(shape, dtype, what="gradient")

    def gathered(self, x: Tensor, shape, index: Tensor, whole: bool) -> Tensor:
        """gather (whole) saves the input and the places, index_select the places only."""
        before = x.shape
        y = self.make(shape, x.dtype, what="output")
        saved = [x, index] if whole else [index]
        return self.record("gather", y, [x], lambda g: self.scattered(before, g.dtype), saved)

    def picked(self, x: Tensor, shape, name: str = "topk") -> list[Tensor]:
        """topk, max, min: values and their places, which are saved."""
        values, indices = self.make(shape, x.dtype, what="output"), self.make(shape, "int64", what="indices")
        before = x.shape
        self.record(name, values, [x], lambda g: self.scattered(before, g.dtype), [indices])
        return [values, indices]

    def extreme(self, x: Tensor) -> Tensor:
        """The largest of all elements: the gradient is shared by all that equal it."""
        y = self.make((), x.dtype, what="output")
        before = x.shape
        plain = self.rules.in_place and not self.rules.cuda

        def back(g):
            masks = [self.make(before, "bool", what="mask")]
            if not plain:
                masks += [self.make((), "bool", what="mask"), self.make(before, "bool", what="mask")]
                masks += [] if self.rules.in_place else [self.make(before, "bool", what="mask")]
            count = self.make((), "int64", what="count")
            share = self.make((), g.dtype, what="share")
            made = self.make(before, g.dtype, what="gradient")
            del masks, count, share
            return made

        return self.record("max", y, [x], back, [x, y])

    def product(self, x: Tensor, shape, dtype: str, dim: int | None) -> Tensor:
        """prod over a dimension; its gradient is made from products of what stands before and after each element."""
        x = self.operand("prod", x)
        y = self.make(shape, self.summed_dtype(x, dtype), what="output")
        before, wider = x.shape, x.dtype != y.dtype

        def back(g):
            wide = self.make(before, g.dtype, what="cast") if wider else None
            size = before[dim]
            if not self.rules.in_place and same(size, 1):  # a case of its own in the formula that is safe for zeros
                return g.alias(before)
            one = (*before[:dim], 1, *before[dim % len(before) + 1 :])
            rest = (*before[:dim], size - 1, *before[dim % len(before) + 1 :])
            ones = self.make(one, g.dtype, what="ones")
            left = self.make(before, g.dtype, what="concatenation")
            left_product = self.make(before, g.dtype, what="product")
            flipped = self.make(rest, g.dtype, what="flip")
            right = self.make(before, g.dtype, what="concatenation")
            del flipped, ones
            right_product = self.make(before, g.dtype, what="product")
            turned = self.make(before, g.dtype, what="flip")
            del right_product
            inner = self.make(before, g.dtype, what="product")
            made = self.make(before, g.dtype, what="gradient")
            del left, left_product, right, turned, inner, wide
            return made

        return self.record("prod", y, [x], back, [x, y])


__all__ = ["Choices"]
