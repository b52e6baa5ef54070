"""F.scaled_dot_product_attention, by kernel."""

from __future__ import annotations

from itertools import zip_longest

from ...arith import at_least, divides, holds, less
from ..tensors import Tensor, is_one, like, normal, same, strides_in, strides_of
from .autocast import autocast
from .pointwise import HALF

BSHD = (0, 2, 1, 3)  # the order in memory of [N, heads, T, head size] that the kernels make


class Attention:
    @autocast("scaled_dot_product_attention")
    def attention(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, p, causal: bool, apart=False) -> Tensor:
        """F.scaled_dot_product_attention of [N, heads, T, head size]. apart: whether it is known that the elements of a head
        do not lie side by side."""
        dropped = self.rules.training and p != 0
        way = "math" if apart else self.attention_way(q, k, v, mask, dropped, causal)
        if mask is not None and mask.dtype == "bool":
            mask = self.where(mask, None, None, q.dtype)
        if way == "math":
            return self._math(q, k, v, mask, p if dropped else 0, causal)
        if way == "efficient" and mask is not None:
            mask = self._aligned_mask(mask, (*q.shape[:3], k.shape[2]))
        size = q.shape[3]
        if way != "flash" or not holds(less(0, size % 8)):
            return self._fused(q, k, v, mask, way)
        wide = [self.resized(x, (*x.shape[:3], (size + 7) // 8 * 8)) for x in (q, k, v)]  # pad_last_dim
        return self.narrow(self._fused(*wide, None, way), -1, size)

    @staticmethod
    def side_by_side(x: Tensor, heads) -> bool:
        """Whether the features of [N, T, features] lie side by side. Of heads of one feature it must be asked before they
        are taken apart: PyTorch gives that feature the stride of the features, and a `Tensor` without gaps forgets it."""
        return not is_one(x.shape[-1] // heads) or same(strides_of(x)[-1], 1)

    def _aligned_mask(self, mask: Tensor, scores: tuple) -> Tensor:
        """preprocess_mask: rows of a multiple of 8, of which the first part is seen, for each sample and head."""
        length, strides = mask.shape[-1], strides_of(mask)
        if not (same(strides[-1], 1) and all(holds(divides(8, stride)) for stride in strides[:-1])):
            wide = self.resized(mask, (*mask.shape[:-1], length + 8 - length % 8))
            mask = self.narrow(wide, -1, length)
        return self.expand(mask, scores)

    def attention_way(self, q, k, v, mask, dropped: bool, causal: bool) -> str:
        """Which kernel does it: "flash", "efficient" or "math", on the CPU "cpu" or "math" (sdp_utils.cpp)."""
        heads = same(q.shape[1], k.shape[1])
        if not all(same(strides_of(x)[-1], 1) for x in (q, k, v)):
            return "math"  # the kernels want the elements of a head side by side
        if not self.rules.cuda:
            taught = mask is not None and mask.needs_grad
            return "math" if dropped or taught or not same(q.shape[3], v.shape[3]) else "cpu"
        half, fits = q.dtype in HALF, same(q.shape[3], v.shape[3]) and not holds(less(256, q.shape[3]))
        if half and fits and mask is None and not (causal and not same(q.shape[2], k.shape[2])):
            return "flash"  # it takes fewer key heads too
        divisible = all(holds(divides(8 if half else 4, x.shape[3])) for x in (q, v))
        return "efficient" if heads and divisible else "math"

    def _fused(self, q, k, v, mask, way: str) -> Tensor:
        n, h, t, d = *q.shape[:3], v.shape[3]
        rows = strides_in((n, h, t, d), BSHD)
        y = self.make((n, h, t, d), q.dtype, rows if way == "efficient" else like(q), what="output")
        length = (t + 31) // 32 * 32 if way == "efficient" else t
        lse = self.make((n, h, length), "float32", what="log-sum-exp")
        state = {"cpu": (), "flash": ((2,), ()), "efficient": ((), ())}[way]
        extra = [self.make(shape, "int64", what="random state") for shape in state]
        learned = [x for x in (q, k, v, mask) if x is not None]
        needs = [x.needs_grad for x in learned]
        shapes = [x.shape for x in learned]
        layouts = [like(x) if way == "flash" else strides_in(x.shape, BSHD) for x in (q, k, v)]

        def back(g):
            made = [self.make(shape, g.dtype, s, what="gradient") for shape, s in zip(shapes, layouts, strict=False)]
            if len(needs) > 3 and needs[3]:
                made.append(self._bias_gradient(shapes[3], g.dtype))
            held = self._flash_buffers(shapes[0], shapes[1], g.dtype) if way == "flash" else None
            del held
            return [m if need else None for m, need in zip_longest(made, needs)]

        return self.record("attention", y, learned, back, [q, k, v, y, lse, mask, *extra])

    def _flash_buffers(self, q: tuple, k: tuple, dtype: str) -> list:
        """What the backward kernel has besides its results (flash_api.cpp, mha_bwd): sums of rows, and the query's gradient
        in float32, over whole tiles; with fewer key heads the keys' and values' gradients for every query head."""
        n, h, t, d = q
        rows = (t + 127) // 128 * 128
        tile = 32 if holds(at_least(128, d)) else 64
        width = (d + tile - 1) // tile * tile
        found = [self.inside((n, h, rows), "float32", "sums of rows")]
        found.append(self.inside((n, rows, h, width), "float32", "gradient of the query in float32"))
        if not same(h, k[1]):
            what = "gradient for every query head"
            found += [self.inside((n, k[2], h, d), dtype, what) for _ in range(2)]
        return found

    def _bias_gradient(self, shape: tuple, dtype: str) -> Tensor:
        """In rows of a multiple of 16."""
        whole = self.make((*shape[:-1], (shape[-1] + 15) // 16 * 16), dtype, what="gradient of the bias")
        return whole.alias(shape, normal(shape, strides_of(whole)))

    def _math(self, q, k, v, bias, p, causal: bool) -> Tensor:
        """_scaled_dot_product_attention_math: scaled query and key, scores, softmax, dropout, weighted sum. 16-bit types are
        worked with in float32; then not only the output is cast back, but the weights too, which nobody gets."""
        before = q.dtype
        q, k, v = (self.cast(x, "float32") if x.dtype in HALF else x for x in (q, k, v))
        scaled = self.scaled(q)
        if causal:
            bias = self._causal_bias(q, k)
        if not same(q.shape[1], k.shape[1]):
            k, v = self._for_all_heads(k, q.shape[1]), self._for_all_heads(v, q.shape[1])
        weights = self.matmul(scaled, self.scaled(self.transpose(k, -2, -1)))
        if bias is not None:
            weights = self.add_(weights, bias) if self.rules.in_place else self.add(weights, bias)
        weights = self.softmax(weights)
        if p:
            weights = self.dropout(weights, p)
        unread = self.cast(weights, before)
        y = self.cast(self.matmul(weights, v), before)
        del unread
        return y

    def _causal_bias(self, q, k) -> Tensor:
        shape = q.shape[2], k.shape[2]
        ones = self.make(shape, "bool", what="mask")
        mask = self.make(shape, "bool", what="mask")
        del ones
        return self.where(mask, None, None, q.dtype)

    def _for_all_heads(self, x: Tensor, heads) -> Tensor:
        """repeat_interleave: each head of keys or values for several of the queries."""
        n, h, t, d = x.shape
        seen = self.expand(self.unsqueeze(x, 2), (n, h, heads // h, t, d))
        return self.flatten(self.clone(seen, strides=None), 1, 2)


__all__ = ["Attention"]
