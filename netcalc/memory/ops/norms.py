"""What is made of several operations: lengths of vectors, similarities, local response normalisation."""

from __future__ import annotations

from ..tensors import Tensor, same_shape
from .autocast import autocast
from .pointwise import broadcast


class Norms:
    def vector_norm(self, x: Tensor, dim: int, p) -> Tensor:
        """linalg.vector_norm with keepdim: the input and the norm are saved."""
        dim = dim % len(x.shape)
        y = self.make((*x.shape[:dim], 1, *x.shape[dim + 1 :]), self.summed_dtype(x), what="norm")
        before, dtype = x.shape, x.dtype

        def back(g):
            return self._norm_gradient(g, before, dtype, p)

        return self.record("vector_norm", y, [x], back, [x, y])

    def _norm_gradient(self, g: Tensor, shape, dtype: str, p) -> Tensor:
        """p = 1: signs times the gradient; 2: x over the norm; else x times a power of |x| times a power of the norm."""
        unit = self.make(shape, g.dtype if p == 2 else dtype, what="direction")
        if p == 1:
            return self.make(shape, g.dtype, what="gradient")
        if p == 2:
            mask = self.make(g.shape, "bool", what="mask")
            made = self.make(shape, g.dtype, what="gradient")
            del mask
            return made
        scaled = self.make(shape, dtype, what="direction")
        del unit
        power = self.make(g.shape, g.dtype, what="power")
        scale = self.make(g.shape, g.dtype, what="scale")
        del power
        made = self.make(shape, g.dtype, what="gradient")
        del scaled, scale
        return made

    def normalized(self, x: Tensor, p, dim: int) -> Tensor:
        """F.normalize: x over its norm, limited from below and expanded."""
        denominator = self.expand(self.clamp(self.vector_norm(x, dim, p), 1), x.shape)
        return self.mul(x, denominator, divide=True)

    @autocast("cosine_similarity")
    def cosine_similarity(self, a: Tensor, b: Tensor, dim: int) -> Tensor:
        """The sum of the products of two normalised tensors."""
        shape = broadcast(a.shape, b.shape)
        a, b = (t if same_shape(t.shape, shape) else self.expand(t, shape) for t in (a, b))
        a_norm = self.clone(self.vector_norm(a, dim, 2))
        b_norm = self.clone(self.vector_norm(b, dim, 2))
        eps = self.make((), "float32", what="scalar")
        unit_a, unit_b = self.mul(a, a_norm, divide=True), self.mul(b, b_norm, divide=True)
        product = self.mul(unit_a, unit_b)
        y = self.mean(product, [dim], False, scale=False)
        del product, unit_a, unit_b, eps
        return y

    def local_response(self, x: Tensor, size) -> Tensor:
        """F.local_response_norm: the mean of the squares of neighbouring channels, to a power."""
        n, c, *rest = x.shape
        divisor = self.mul(x, x)
        if len(x.shape) == 3:
            divisor = self.unsqueeze(divisor, 1)
            padded = (n, 1, c + size - 1, *rest)
        else:
            tail = 1
            for length in rest[1:]:
                tail = tail * length
            divisor = self.view(divisor, (n, 1, c, rest[0], tail))
            padded = (n, 1, c + size - 1, rest[0], tail)
        shape = divisor.shape
        divisor = self.resized(divisor, padded)
        wide = self.operand(f"avg_pool{len(shape) - 2}d", divisor)
        divisor = self.squeeze(self.avg_pool(wide, shape), [1])
        del wide
        divisor = self.view(divisor, x.shape)
        divisor = self.function(self.shifted(self.scaled(divisor)), "Pow")
        return self.mul(x, divisor, divide=True)


__all__ = ["Norms"]
