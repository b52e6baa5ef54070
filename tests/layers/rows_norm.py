"""Normalizations."""

from torch import nn

from tests.installed import NORMS_WITHOUT_BIAS
from tests.layers.table import Row


class LayerNorm2d(nn.LayerNorm):
    """As torchvision.models.convnext has it."""

    def forward(self, x):
        x = nn.functional.layer_norm(x.permute(0, 2, 3, 1), self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


ROWS = [
    Row("BatchNorm1d", {}, [(2, 6)], lambda: nn.BatchNorm1d(6)),
    Row("BatchNorm1d", {"momentum": "none", "track_running_stats": False}, [(2, 6, 17)], lambda: nn.BatchNorm1d(6, momentum=None, track_running_stats=False)),
    Row("BatchNorm1d", {"eps": 0.001, "momentum": 0.3}, [(3, 6, 17)], lambda: nn.BatchNorm1d(6, 1e-3, 0.3)),
    Row("BatchNorm1d", {"affine": False}, [(2, 6, 17)], lambda: nn.BatchNorm1d(6, affine=False)),
    Row("BatchNorm2d", {}, [(2, 64, 17, 23)], lambda: nn.BatchNorm2d(64)),
    Row("BatchNorm2d", {"num_features": 6, "eps": 1e-3, "momentum": 0.01}, [(2, 6, 17, 23)], lambda: nn.BatchNorm2d(6, 1e-3, 0.01)),
    Row("BatchNorm2d", {"track_running_stats": False}, [(2, 6, 17, 23)], lambda: nn.BatchNorm2d(6, track_running_stats=False)),
    Row("BatchNorm2d", {"affine": False, "track_running_stats": False}, [(2, 6, 17, 23)], lambda: nn.BatchNorm2d(6, affine=False, track_running_stats=False)),
    Row("BatchNorm3d", {}, [(2, 6, 9, 11, 13)], lambda: nn.BatchNorm3d(6)),
    Row("BatchNorm3d", {"affine": False, "momentum": 0.2}, [(2, 6, 9, 11, 13)], lambda: nn.BatchNorm3d(6, momentum=0.2, affine=False)),
    Row("InstanceNorm1d", {}, [(2, 6, 17)], lambda: nn.InstanceNorm1d(6)),
    Row("InstanceNorm1d", {"affine": True}, [(2, 6, 17)], lambda: nn.InstanceNorm1d(6, affine=True)),
    Row("InstanceNorm2d", {}, [(2, 6, 17, 23)], lambda: nn.InstanceNorm2d(6)),
    Row("InstanceNorm2d", {"affine": True, "track_running_stats": True}, [(2, 6, 17, 23)], lambda: nn.InstanceNorm2d(6, affine=True, track_running_stats=True)),
    Row("InstanceNorm2d", {"track_running_stats": True}, [(2, 6, 17, 23)], lambda: nn.InstanceNorm2d(6, track_running_stats=True)),
    Row("InstanceNorm3d", {"momentum": 0.3}, [(2, 6, 9, 11, 13)], lambda: nn.InstanceNorm3d(6, momentum=0.3)),
    Row("InstanceNorm3d", {"affine": True}, [(2, 6, 9, 11, 13)], lambda: nn.InstanceNorm3d(6, affine=True)),
    Row("GroupNorm", {"num_groups": 3}, [(2, 6, 17, 23)], lambda: nn.GroupNorm(3, 6)),
    Row("GroupNorm", {"num_groups": 1, "num_channels": 6, "eps": 1e-6}, [(2, 6, 17)], lambda: nn.GroupNorm(1, 6, 1e-6)),
    Row("GroupNorm", {"num_groups": 32, "affine": False}, [(2, 64, 17, 23)], lambda: nn.GroupNorm(32, 64, affine=False)),
    Row("GroupNorm", {"num_groups": 4}, [(2, 8)], lambda: nn.GroupNorm(4, 8)),
    Row("LayerNorm", {}, [(2, 197, 768)], lambda: nn.LayerNorm(768)),
    Row("LayerNorm", {}, [(5,)], lambda: nn.LayerNorm(5)),
    Row("LayerNorm", {"normalized_shape": 32, "eps": 1e-6}, [(2, 7, 9, 32)], lambda: nn.LayerNorm(32, 1e-6)),
    Row("LayerNorm", {"bias": False}, [(2, 17, 32)], lambda: nn.LayerNorm(32, bias=False)),
    Row("LayerNorm", {"elementwise_affine": False}, [(2, 17, 32)], lambda: nn.LayerNorm(32, elementwise_affine=False)),
    Row("LayerNorm", {"normalized_shape": [17, 32]}, [(2, 17, 32)], lambda: nn.LayerNorm([17, 32])),
    Row("LayerNorm", {"normalized_shape": [7, 7], "eps": 0.01, "bias": False}, [(2, 3, 7, 7)], lambda: nn.LayerNorm([7, 7], 0.01, bias=False)),
    Row("LayerNorm", {"normalized_shape": [6, 7, 9], "elementwise_affine": False}, [(2, 6, 7, 9)], lambda: nn.LayerNorm([6, 7, 9], elementwise_affine=False)),
    Row("LayerNorm2d", {}, [(2, 96, 17, 23)], lambda: LayerNorm2d(96)),
    Row("LayerNorm2d", {"eps": 1e-6}, [(2, 6, 7, 9)], lambda: LayerNorm2d(6, eps=1e-6)),
    Row("LayerNorm2d", {"normalized_shape": 6, "bias": False}, [(2, 6, 7, 9)], lambda: LayerNorm2d(6, bias=False)),
    Row("LayerNorm2d", {"elementwise_affine": False}, [(2, 6, 7, 9)], lambda: LayerNorm2d(6, elementwise_affine=False)),
    Row("RMSNorm", {}, [(2, 17, 32)], lambda: nn.RMSNorm(32)),
    Row("RMSNorm", {"eps": 1e-5}, [(2, 17, 32)], lambda: nn.RMSNorm(32, 1e-5)),
    Row("RMSNorm", {"eps": "none", "elementwise_affine": False}, [(2, 7, 17, 32)], lambda: nn.RMSNorm(32, None, False)),
    Row("RMSNorm", {"normalized_shape": [17, 32]}, [(2, 17, 32)], lambda: nn.RMSNorm([17, 32])),
    Row("LocalResponseNorm", {"size": 5}, [(2, 64, 27, 29)], lambda: nn.LocalResponseNorm(5)),
    Row("LocalResponseNorm", {"size": 2, "alpha": 0.0002, "beta": 0.5, "k": 2}, [(3, 64, 17)], lambda: nn.LocalResponseNorm(2, 2e-4, 0.5, 2)),
    Row("LocalResponseNorm", {"size": 3}, [(2, 6, 7, 9, 11)], lambda: nn.LocalResponseNorm(3)),
]  # fmt: skip

if NORMS_WITHOUT_BIAS:
    ROWS += [
        Row("BatchNorm2d", {"bias": False}, [(2, 6, 17, 23)], lambda: nn.BatchNorm2d(6, bias=False)),
        Row("InstanceNorm2d", {"affine": True, "bias": False, "eps": 1e-6}, [(2, 6, 17, 23)], lambda: nn.InstanceNorm2d(6, 1e-6, affine=True, bias=False)),
        Row("GroupNorm", {"num_groups": 2, "bias": False}, [(3, 6, 9, 11, 13)], lambda: nn.GroupNorm(2, 6, bias=False)),
    ]  # fmt: skip
