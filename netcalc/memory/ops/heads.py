"""torch.nn.MultiheadAttention: F.multi_head_attention_forward with need_weights=False, line by line."""

from __future__ import annotations

from ..tensors import Tensor
from .more import More


class Heads(More):
    def multihead_attention(self, query, key, value, weights, heads, options: dict) -> Tensor:
        """query [T, N, E], key and value [S, N, ...] to [T, N, E]. options: dropout, is_causal, add_zero_attn."""
        t, n, e = query.shape
        if weights["in_proj_weight"] is not None:
            q, k, v = self.packed_projection(query, key, value, weights["in_proj_weight"], weights["in_proj_bias"])
        else:
            q, k, v = self.separate_projection(query, key, value, weights)
        if weights["bias_k"] is not None:
            k = self.cat([k, self.repeat(weights["bias_k"], (1, n, e))], 0)
            v = self.cat([v, self.repeat(weights["bias_v"], (1, n, e))], 0)
        size = e // heads
        q = self.transpose(self.view(q, (t, n * heads, size)), 0, 1)
        k = self.transpose(self.view(k, (k.shape[0], n * heads, size)), 0, 1)
        v = self.transpose(self.view(v, (v.shape[0], n * heads, size)), 0, 1)
        if options["add_zero_attn"]:
            k = self.cat([k, self.made((n * heads, 1, size), k.dtype)], 1)
            v = self.cat([v, self.made((n * heads, 1, size), v.dtype)], 1)
        s = k.shape[1]
        q, k, v = (self.view(x, (n, heads, length, size)) for x, length in ((q, t), (k, s), (v, s)))
        out = self.attention(q, k, v, None, options["dropout"], options["is_causal"])
        del q, k, v
        out = self.reshape(self.permute(out, (2, 0, 1, 3)), (n * t, e))
        out = self.linear(out, weights["out_proj.weight"], weights["out_proj.bias"])
        return self.view(out, (t, n, e))

    def causal_bias(self, length) -> Tensor:
        """generate_square_subsequent_mask: a square of -inf, of which the upper half is kept."""
        full = self.made((length, length), "float32")
        return self.made(full.shape, full.dtype)

    def packed_projection(self, q, k, v, w: Tensor, b: Tensor | None) -> list:
        """F._in_projection_packed: one product for the tensors that are the same."""
        e = q.shape[-1]
        if k is not v:
            return self._projected((q, k, v), self.split(w, [e] * 3, 0), self._parts(b, [e] * 3))
        if q is k:
            proj = self._rearranged(self.linear(q, w, b), 3, e)
            return [self.select(proj, 0) for _ in range(3)]
        w_q, w_kv = self.split(w, [e, 2 * e], 0)
        b_q, b_kv = self._parts(b, [e, 2 * e])
        q_proj = self.linear(q, w_q, b_q)
        kv_proj = self._rearranged(self.linear(k, w_kv, b_kv), 2, e)
        return [q_proj, self.select(kv_proj, 0), self.select(kv_proj, 0)]

    def separate_projection(self, q, k, v, weights) -> list:
        """F._in_projection, where query, key and value have different features."""
        e, b = q.shape[-1], weights["in_proj_bias"]
        names = ("q_proj_weight", "k_proj_weight", "v_proj_weight")
        return self._projected((q, k, v), [weights[name] for name in names], self._parts(b, [e] * 3))

    def _parts(self, b: Tensor | None, sizes: list) -> list:
        return [None] * len(sizes) if b is None else self.split(b, sizes, 0)

    def _projected(self, inputs, weights, biases) -> list:
        return [self.linear(x, w, b) for x, w, b in zip(inputs, weights, biases, strict=True)]

    def _rearranged(self, proj: Tensor, count: int, e) -> Tensor:
        """[T, N, count * E] to a contiguous [count, T, N, E]."""
        proj = self.unsqueeze(self.unflatten(proj, -1, (count, e)), 0)
        return self.contiguous(self.squeeze(self.transpose(proj, 0, -2), (-2,)))


__all__ = ["Heads"]
