"""Mixtures of experts. The MACs are by hand: the router, and three matrices of top_k experts for every token."""

import torch
import torch.nn.functional as F
from torch import nn

from tests.layers.table import Row


class Expert(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.w1 = nn.Linear(features, hidden, bias=False)
        self.w2 = nn.Linear(hidden, features, bias=False)
        self.w3 = nn.Linear(features, hidden, bias=False)


class Mixture(nn.Module):
    """Mixtral's layer with the weights of each token's experts looked up, so that it runs without data too."""

    def __init__(self, features, experts, top_k, hidden):
        super().__init__()
        self.gate = nn.Linear(features, experts, bias=False)
        self.experts = nn.ModuleList(Expert(features, hidden) for _ in range(experts))
        self.top_k = top_k

    def forward(self, x):
        tokens = x.reshape(-1, x.shape[-1], 1)
        scores, chosen = torch.topk(self.gate(tokens[..., 0]), self.top_k)
        weights = F.softmax(scores, dim=-1)
        w1, w2, w3 = (torch.stack([getattr(e, n).weight for e in self.experts]) for n in ("w1", "w2", "w3"))
        out = 0
        for rank in range(self.top_k):
            own = chosen[:, rank]
            hidden = F.silu(torch.bmm(w1[own], tokens)) * torch.bmm(w3[own], tokens)
            out = out + weights[:, rank, None] * torch.bmm(w2[own], hidden)[..., 0]
        return out.view_as(x)


ROWS = [
    Row("MixtureOfExperts", {"num_experts": 8, "top_k": 2, "hidden_features": 28}, [(2, 7, 12)], lambda: Mixture(12, 8, 2, 28), macs=2 * 7 * (12 * 8 + 2 * 3 * 12 * 28)),
    Row("MixtureOfExperts", {"num_experts": 4, "top_k": 1, "hidden_features": 20}, [(3, 12)], lambda: Mixture(12, 4, 1, 20), macs=3 * (12 * 4 + 3 * 12 * 20)),
    Row("MixtureOfExperts", {"num_experts": 3, "top_k": 3, "hidden_features": 5}, [(1, 1, 2)], lambda: Mixture(2, 3, 3, 5), macs=2 * 3 + 3 * 3 * 2 * 5),
    Row("MixtureOfExperts", {"in_features": 6, "num_experts": 16, "top_k": 4, "hidden_features": 7}, [(2, 5, 3, 6)], lambda: Mixture(6, 16, 4, 7), macs=30 * (6 * 16 + 4 * 3 * 6 * 7)),
]  # fmt: skip
