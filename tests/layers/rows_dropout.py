"""Dropouts."""

import torch
from torch import nn

from tests.layers.table import Row


class StochasticDepth(nn.Module):
    """As torchvision.ops.StochasticDepth computes it in training."""

    def __init__(self, p, mode):
        super().__init__()
        self.p, self.mode = p, mode

    def forward(self, x):
        size = [x.shape[0] if self.mode == "row" else 1] + [1] * (x.ndim - 1)
        return x * torch.empty(size, device=x.device).bernoulli_(1 - self.p).div_(1 - self.p)


ROWS = [
    Row("Dropout", {}, [(2, 17, 32)], lambda: nn.Dropout()),
    Row("Dropout", {"p": 0.1, "inplace": True}, [(2, 17)], lambda: nn.Dropout(0.1, True)),
    Row("Dropout", {"p": 0}, [(17,)], lambda: nn.Dropout(0)),
    Row("Dropout1d", {"p": 0.2}, [(2, 6, 17)], lambda: nn.Dropout1d(0.2)),
    Row("Dropout2d", {}, [(2, 6, 7, 9)], lambda: nn.Dropout2d()),
    Row("Dropout2d", {"p": 0.3, "inplace": True}, [(2, 6, 7, 9)], lambda: nn.Dropout2d(0.3, True)),
    Row("Dropout3d", {"p": 1}, [(2, 6, 7, 9, 11)], lambda: nn.Dropout3d(1)),
    Row("AlphaDropout", {"p": 0.05}, [(2, 17)], lambda: nn.AlphaDropout(0.05)),
    Row("AlphaDropout", {"inplace": True}, [(2, 6, 7)], lambda: nn.AlphaDropout(inplace=True)),
    Row("FeatureAlphaDropout", {}, [(2, 6, 7, 9)], lambda: nn.FeatureAlphaDropout()),
    Row("FeatureAlphaDropout", {"p": 0.2}, [(2, 6, 17)], lambda: nn.FeatureAlphaDropout(0.2)),
    Row("StochasticDepth", {"p": 0.2, "mode": "row"}, [(2, 6, 7, 9)], lambda: StochasticDepth(0.2, "row")),
    Row("StochasticDepth", {"p": 0.5, "mode": "batch"}, [(2, 17, 32)], lambda: StochasticDepth(0.5, "batch")),
]  # fmt: skip
