"""Layers of which each token runs a part only."""

from __future__ import annotations

from ..arith import at_least, prod
from .base import Layer, Work, arg, layer, need
from .kinds import dim


@layer("... C -> ... C")
class MixtureOfExperts(Layer):
    """A router sends each token to the `top_k` experts with the highest scores and adds up their outputs, weighted by a
    softmax over these; each expert is w2(silu(w1(x)) * w3(x)) (Jiang et al.: Mixtral of Experts, 2024). Parameters are
    named as in Mixtral of Hugging Face transformers.

    The work is that of exactly top_k experts for every token: no expert has a capacity that drops tokens, and how evenly
    the tokens spread does not matter. MACs per token: C * num_experts + top_k * 3 * C * hidden_features. Other FLOPs per
    token: 5 per score for the softmax, top_k comparisons per score, 2 * top_k - 1 to make the weights sum to 1, per
    expert 6 per hidden feature (SiLU 5, product 1), and 2 * top_k - 1 per output.
    """

    by_data = True
    in_features = arg(dim, infer=-1)
    num_experts = arg(dim)
    top_k = arg(dim, doc="experts that each token runs through")
    hidden_features = arg(dim, doc="features inside an expert")

    helper_source = '''\
class MixtureOfExperts(nn.Module):
    """Each token goes through its top_k experts; their outputs are added with the router's weights."""

    def __init__(self, in_features, num_experts, top_k, hidden_features):
        super().__init__()
        self.top_k = top_k
        self.gate = nn.Linear(in_features, num_experts, bias=False)
        self.experts = nn.ModuleList()
        for _ in range(num_experts):
            expert = nn.Module()
            expert.w1 = nn.Linear(in_features, hidden_features, bias=False)
            expert.w2 = nn.Linear(hidden_features, in_features, bias=False)
            expert.w3 = nn.Linear(in_features, hidden_features, bias=False)
            self.experts.append(expert)

    def forward(self, x):
        tokens = x.flatten(0, -2)
        weights, chosen = self.gate(tokens).softmax(dim=-1).topk(self.top_k, dim=-1)
        weights = weights / weights.sum(dim=-1, keepdim=True)
        out = torch.zeros_like(tokens)
        for number, expert in enumerate(self.experts):
            token, rank = self.places(chosen, number)
            given = tokens[token]
            hidden = nn.functional.silu(expert.w1(given)) * expert.w3(given)
            out.index_add_(0, token, expert.w2(hidden) * weights[token, rank, None])
        return out.reshape(x.shape)

    def places(self, chosen, number):
        """The tokens that chose an expert, and as which of their choices."""
        if not chosen.is_meta:
            return torch.where(chosen == number)
        # Without data there are no choices to look at: equal shares do the same work.
        share = (chosen.numel() + number) // len(self.experts)
        places = torch.zeros(share, dtype=torch.long, device="meta")
        return places, places
'''

    def needs(self, x):
        yield need(type(self.num_experts) is int, "E405", lambda: f"num_experts must be fixed, but is {self.num_experts}", "num_experts",
                   "give it a value in `args` or with --set")  # fmt: skip
        yield need(at_least(self.num_experts, self.top_k), "E411",
                   lambda: f"top_k = {self.top_k} is more than the {self.num_experts} experts", "top_k")  # fmt: skip

    def params(self, x):
        wide, narrow = (self.hidden_features, x[-1]), (x[-1], self.hidden_features)
        found = {"gate.weight": (self.num_experts, x[-1])}
        for number in range(self.num_experts):
            for name, shape in (("w1", wide), ("w2", narrow), ("w3", wide)):
                found[f"experts.{number}.{name}.weight"] = shape
        return found

    def idle_params(self, x):
        return (self.num_experts - self.top_k) * 3 * x[-1] * self.hidden_features

    def products(self, x):
        """The MACs per token of the products that read the input, and of those that read hidden features."""
        expert = self.top_k * x[-1] * self.hidden_features
        return x[-1] * self.num_experts + 2 * expert, expert

    def work(self, x, y):
        k, scores = self.top_k, self.num_experts
        routing = 5 * scores + k * scores + 2 * k - 1
        per_token = routing + k * 6 * self.hidden_features + (2 * k - 1) * x[-1]
        return Work(macs=prod(x[:-1]) * sum(self.products(x)), other=prod(x[:-1]) * per_token)

    def backward_macs(self, needed, trains, x, y):
        """Inside, everything flows; only the gradient of the input can be spared."""
        of_input, of_hidden = self.products(x)
        weights = (of_input + of_hidden) * trains
        return prod(x[:-1]) * (weights + of_hidden + of_input * needed[0])

    def eager(self, op, weights, x):
        return op.mixture(x, weights, self.num_experts, self.top_k)
