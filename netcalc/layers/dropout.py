"""Dropouts. In evaluation mode they do nothing, so they count no FLOPs."""

from __future__ import annotations

from .base import Layer, arg, layer
from .kinds import flag, probability, word


class DropoutLayer(Layer):
    """What the dropouts share."""

    elementwise = True

    p = arg(probability, 0.5, main=True)
    inplace = arg(flag, False)


@layer("... -> ...")
class Dropout(DropoutLayer):
    """Sets elements to zero at random in training. Agrees with torch.nn.Dropout."""

    def eager(self, op, weights, x):
        return op.dropout(x, self.p, self.inplace)


@layer("N C L -> N C L")
class Dropout1d(DropoutLayer):
    """Sets whole channels to zero at random in training. Agrees with torch.nn.Dropout1d."""

    ndim = 1

    def eager(self, op, weights, x):
        return op.dropout(x, self.p, self.inplace, (*x.shape[:2], *[1] * self.ndim))


@layer("N C H W -> N C H W")
class Dropout2d(DropoutLayer):
    """Sets whole channels to zero at random in training. Agrees with torch.nn.Dropout2d."""

    ndim = 2

    def eager(self, op, weights, x):
        return op.dropout(x, self.p, self.inplace, (*x.shape[:2], *[1] * self.ndim))


@layer("N C D H W -> N C D H W")
class Dropout3d(DropoutLayer):
    """Sets whole channels to zero at random in training. Agrees with torch.nn.Dropout3d."""

    ndim = 3

    def eager(self, op, weights, x):
        return op.dropout(x, self.p, self.inplace, (*x.shape[:2], *[1] * self.ndim))


@layer("... -> ...")
class AlphaDropout(DropoutLayer):
    """Dropout that keeps mean and variance, for SELU networks. Agrees with torch.nn.AlphaDropout."""

    def eager(self, op, weights, x):
        return op.alpha_dropout(x, self.p, x.shape)


@layer("N C ... -> N C ...")
class FeatureAlphaDropout(DropoutLayer):
    """AlphaDropout of whole channels. Agrees with torch.nn.FeatureAlphaDropout."""

    def eager(self, op, weights, x):
        return op.alpha_dropout(x, self.p, (*x.shape[:2], *[1] * (len(x.shape) - 2)))


@layer("N ... -> N ...")
class StochasticDepth(Layer):
    """Sets whole samples (`row`) or the whole batch to zero at random in training, before a residual sum.
    Agrees with torchvision.ops.StochasticDepth."""

    elementwise = True

    p = arg(probability, main=True)
    mode = arg(word("batch", "row"))

    helper_source = '''\
class StochasticDepth(nn.Module):
    """Drop a residual branch at random: of the whole batch (mode "batch") or of each sample (mode "row")."""

    def __init__(self, p, mode):
        super().__init__()
        self.p = p
        self.mode = mode

    def forward(self, x):
        if not self.training or self.p == 0:
            return x
        survival = 1 - self.p
        rows = x.shape[0] if self.mode == "row" else 1
        mask = torch.empty(
            [rows] + [1] * (x.ndim - 1), dtype=x.dtype, device=x.device
        ).bernoulli_(survival)
        if survival > 0:
            mask = mask / survival
        return x * mask
'''

    def eager(self, op, weights, x):
        if not op.rules.training or self.p == 0:
            return x
        shape = (x.shape[0] if self.mode == "row" else 1, *[1] * (len(x.shape) - 1))
        mask = op.made(shape, x.dtype)
        if self.p != 1:
            mask = op.made(shape, x.dtype)
        return op.mul(x, mask)
