"""Convolutions and transposed convolutions."""

from torch import nn

from tests.layers.table import Row

ROWS = [
    Row("Conv1d", {"out_channels": 8, "kernel_size": 3}, [(2, 6, 17)], lambda: nn.Conv1d(6, 8, 3)),
    Row("Conv1d", {"out_channels": 8, "kernel_size": 4, "stride": 3, "padding": 2, "dilation": 2}, [(2, 6, 19)], lambda: nn.Conv1d(6, 8, 4, 3, 2, 2)),
    Row("Conv1d", {"out_channels": 9, "kernel_size": 3, "padding": "same", "dilation": 2, "groups": 3}, [(2, 6, 19)], lambda: nn.Conv1d(6, 9, 3, padding="same", dilation=2, groups=3)),
    Row("Conv1d", {"out_channels": 9, "kernel_size": 5, "padding": "valid", "bias": False}, [(1, 6, 19)], lambda: nn.Conv1d(6, 9, 5, padding="valid", bias=False)),
    Row("Conv2d", {"out_channels": 96, "kernel_size": 11, "stride": 4, "padding": 2}, [(2, 3, 224, 224)], lambda: nn.Conv2d(3, 96, 11, 4, 2)),
    Row("Conv2d", {"out_channels": 8, "kernel_size": [3, 5], "stride": [2, 1], "padding": [0, 3], "dilation": [1, 2]}, [(2, 6, 17, 23)], lambda: nn.Conv2d(6, 8, (3, 5), (2, 1), (0, 3), (1, 2))),
    Row("Conv2d", {"out_channels": 12, "kernel_size": 3, "groups": 6, "padding": 1, "bias": False}, [(2, 6, 13, 9)], lambda: nn.Conv2d(6, 12, 3, padding=1, groups=6, bias=False)),
    Row("Conv2d", {"out_channels": 12, "kernel_size": 4, "padding": "same"}, [(3, 6, 13, 9)], lambda: nn.Conv2d(6, 12, 4, padding="same")),
    Row("Conv2d", {"out_channels": 4, "kernel_size": 3, "padding": [2, 1], "padding_mode": "reflect"}, [(2, 6, 8, 9)], lambda: nn.Conv2d(6, 4, 3, padding=(2, 1), padding_mode="reflect")),
    Row("Conv2d", {"out_channels": 4, "kernel_size": 1, "stride": 2}, [(2, 6, 8, 9)], lambda: nn.Conv2d(6, 4, 1, 2)),
    Row("Conv3d", {"out_channels": 8, "kernel_size": [1, 3, 2], "stride": [1, 2, 3], "padding": [0, 1, 1]}, [(2, 6, 5, 9, 11)], lambda: nn.Conv3d(6, 8, (1, 3, 2), (1, 2, 3), (0, 1, 1))),
    Row("Conv3d", {"out_channels": 6, "kernel_size": 3, "groups": 2, "dilation": [1, 2, 1]}, [(1, 4, 5, 9, 11)], lambda: nn.Conv3d(4, 6, 3, groups=2, dilation=(1, 2, 1))),
    Row("ConvTranspose1d", {"out_channels": 8, "kernel_size": 3, "stride": 2, "output_padding": 1}, [(2, 6, 9)], lambda: nn.ConvTranspose1d(6, 8, 3, 2, output_padding=1)),
    Row("ConvTranspose2d", {"out_channels": 8, "kernel_size": 2, "stride": 2}, [(2, 6, 9, 11)], lambda: nn.ConvTranspose2d(6, 8, 2, 2)),
    Row("ConvTranspose2d", {"out_channels": 8, "kernel_size": [3, 4], "stride": [2, 3], "padding": [1, 0], "output_padding": [1, 2], "groups": 2, "dilation": [1, 2], "bias": False}, [(2, 6, 9, 11)], lambda: nn.ConvTranspose2d(6, 8, (3, 4), (2, 3), (1, 0), (1, 2), 2, False, (1, 2))),
    Row("ConvTranspose3d", {"out_channels": 4, "kernel_size": 3, "stride": [1, 2, 2], "padding": 1}, [(1, 6, 4, 5, 6)], lambda: nn.ConvTranspose3d(6, 4, 3, (1, 2, 2), 1)),
]  # fmt: skip
