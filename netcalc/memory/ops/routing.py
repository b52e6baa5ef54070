"""A mixture of experts. Which tokens go where is in the data: a run says how many it gives to each expert."""

from __future__ import annotations

from ..tensors import Tensor


def equal_shares(tokens, top_k, experts: int, number: int):
    """How many tokens an expert gets where all get the same: where the choices cannot be divided evenly, the last experts
    get one more (over all experts, floor((n + i) / experts) adds up to n)."""
    return (tokens * top_k + number) // experts


class Routing:
    share = staticmethod(equal_shares)  # how many tokens an expert gets

    def places(self, mask: Tensor, share) -> Tensor:
        """torch.where(mask): so many places, in one tensor of which the columns are seen. CUDA counts them first
        (Nonzero.cu); the memory that cub takes for that is not known."""
        count = self.inside((1,), "int32", "count") if self.rules.cuda else None
        found = self.make((share, 2), "int64", what="places")
        del count, mask
        return found

    def indexed(self, x: Tensor, index: Tensor, shape) -> Tensor:
        """x[index] with a tensor of places, which is saved; the gradient is zeros with the values added."""
        before, share = x.shape, shape[0]
        y = self.make(shape, x.dtype, what="output")

        def back(g):
            made = self.scattered(before, g.dtype)
            # the places are sorted (Indexing.cu, index_put_with_sort_kernel); cub's own memory for that is not known
            if self.rules.cuda:
                names = ("places", "places in order", "numbers", "numbers in order")
                held = [self.inside((share,), "int64", name) for name in names]
                del held
            return made

        return self.record("index", y, [x], back, [index])

    def index_add_(self, x: Tensor, index: Tensor, values: Tensor) -> Tensor:
        part = values.shape

        def back(g):
            return [g.alias(), self.make(part, g.dtype, what="gradient")]

        return self.record("index_add_", x.alias(), [x, values], back, [index, values])

    def mixture(self, x: Tensor, weights, experts: int, top_k) -> Tensor:
        """As the exported MixtureOfExperts does it."""
        tokens = self.flatten(x, 0, -2)
        count, features = tokens.shape
        logits = self.linear(tokens, weights["gate.weight"], None)
        probabilities = self.softmax(logits)
        del logits
        scores, chosen = self.picked(probabilities, (count, top_k))
        del probabilities
        scores = self.mul(scores, self.mean(scores, [-1], True, scale=False), divide=True)
        out = self.make(tokens.shape, tokens.dtype, what="sum of the experts")
        for number in range(experts):
            share = self.share(count, top_k, experts, number)
            places = self.places(self.make(chosen.shape, "bool", what="mask"), share)
            given = self.indexed(tokens, places, (share, features))
            names = [f"experts.{number}.w{k}.weight" for k in (1, 2, 3)]
            first = self.unary(self.linear(given, weights[names[0]], None), "silu")
            hidden = self.mul(first, self.linear(given, weights[names[2]], None))
            del first
            made = self.linear(hidden, weights[names[1]], None)
            made = self.mul(made, self.indexed(self.unsqueeze(scores, 2), places, (share, 1)))
            out = self.index_add_(out, places, made)
            del made
        return self.reshape(out, x.shape)


__all__ = ["Routing", "equal_shares"]
