"""A mixture of experts. Which tokens go where is in the data: equal shares are assumed, as on the meta device."""

from __future__ import annotations

from ..tensors import Tensor


class Routing:
    def indexed(self, x: Tensor, index: Tensor, shape) -> Tensor:
        """x[index] with a tensor of places, which is saved; the gradient is zeros with the values added."""
        before = x.shape
        y = self.make(shape, x.dtype, what="output")
        return self.record("index", y, [x], lambda g: self.scattered(before, g.dtype), [index])

    def index_add_(self, x: Tensor, index: Tensor, values: Tensor) -> Tensor:
        part = values.shape

        def back(g):
            return [g.alias(), self.make(part, g.dtype, what="gradient")]

        return self.record("index_add_", x.alias(), [x, values], back, [index, values])

    def mixture(self, x: Tensor, weights, experts: int, top_k) -> Tensor:
        """As the exported MixtureOfExperts does it."""
        tokens = self.flatten(x, 0, -2)
        count, features = tokens.shape
        probabilities = self.softmax(self.linear(tokens, weights["gate.weight"], None))
        scores, chosen = self.picked(probabilities, (count, top_k))
        del probabilities
        scores = self.mul(scores, self.mean(scores, [-1], True, scale=False), divide=True)
        out = self.make(tokens.shape, tokens.dtype, what="sum of the experts")
        for number in range(experts):
            share = (count * top_k + number) // experts
            mask = self.make(chosen.shape, "bool", what="mask")
            places = self.make((share, 2), "int64", what="places")
            del mask
            given = self.indexed(tokens, places, (share, features))
            names = [f"experts.{number}.w{k}.weight" for k in (1, 2, 3)]
            first = self.unary(self.linear(given, weights[names[0]], None), "silu")
            hidden = self.mul(first, self.linear(given, weights[names[2]], None))
            del first
            share_of = self.unsqueeze(self.indexed(scores, places, (share,)), 1)
            out = self.index_add_(out, places, self.mul(self.linear(hidden, weights[names[1]], None), share_of))
            del share_of
        return self.reshape(out, x.shape)


__all__ = ["Routing"]
