"""Linear maps."""

from torch import nn

from tests.layers.table import Row

ROWS = [
    Row("Linear", {"out_features": 7}, [(3, 10)], lambda: nn.Linear(10, 7)),
    Row("Linear", {"out_features": 7, "bias": False}, [(3, 10)], lambda: nn.Linear(10, 7, bias=False)),
    Row("Linear", {"out_features": 5}, [(2, 9, 12)], lambda: nn.Linear(12, 5)),
    Row("Linear", {"out_features": 1}, [(2, 3, 5, 7)], lambda: nn.Linear(7, 1)),
    Row("Linear", {"out_features": 4}, [(6,)], lambda: nn.Linear(6, 4)),
    Row("Linear", {"out_features": 1000, "in_features": 9216}, [(1, 9216)], lambda: nn.Linear(9216, 1000)),
    Row("Bilinear", {"out_features": 7}, [(8, 3), (8, 5)], lambda: nn.Bilinear(3, 5, 7), macs=8 * 7 * (3 * 5 + 5)),
    Row("Bilinear", {"out_features": 6, "bias": False}, [(2, 9, 4), (2, 9, 4)], lambda: nn.Bilinear(4, 4, 6, bias=False), macs=2 * 9 * 6 * (4 * 4 + 4)),
    Row("Bilinear", {"out_features": 2}, [(5,), (3,)], lambda: nn.Bilinear(5, 3, 2), macs=2 * (5 * 3 + 3)),
    Row("Identity", {}, [(2, 3, 5)], lambda: nn.Identity()),
    Row("Identity", {}, [(4, 7)], lambda: nn.Identity(), dtypes=("int64",)),
]  # fmt: skip
