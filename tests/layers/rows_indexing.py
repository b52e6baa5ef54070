"""The largest elements, sorted places, look-ups by index."""

import torch

from tests.layers.table import Row

INDEX = ("float32", "int64")

ROWS = [
    Row("TopK", {"k": 2}, [(3, 8)], lambda: lambda x: torch.topk(x, 2)),
    Row("TopK", {"k": 3, "dim": 1}, [(2, 7, 5)], lambda: lambda x: torch.topk(x, 3, 1)),
    Row("TopK", {"k": 1, "dim": -2, "largest": False, "sorted": False}, [(2, 7, 5)], lambda: lambda x: torch.topk(x, 1, -2, False, False)),
    Row("TopK", {"k": 6, "dim": 0}, [(6, 4)], lambda: lambda x: torch.topk(x, 6, 0), ("int64",)),
    Row("Argsort", {}, [(3, 8)], lambda: torch.argsort),
    Row("Argsort", {"dim": 0, "descending": True}, [(3, 8)], lambda: lambda x: torch.argsort(x, 0, True)),
    Row("Argsort", {"dim": 1}, [(3, 8, 5)], lambda: lambda x: torch.argsort(x, dim=1), ("int64",)),
    Row("Gather", {"dim": 1}, [(3, 8), (3, 2)], lambda: lambda x, i: torch.gather(x, 1, i), INDEX),
    Row("Gather", {"dim": -1}, [(4, 8, 5), (3, 7, 11)], lambda: lambda x, i: torch.gather(x, -1, i), INDEX, fixed=(4, 8, 5, 3, 7, 11)),
    Row("Gather", {"dim": 0}, [(4, 6), (9, 6)], lambda: lambda x, i: torch.gather(x, 0, i), ("bool", "int64")),
    Row("IndexSelect", {"dim": 0}, [(169, 4), (2401,)], lambda: lambda x, i: torch.index_select(x, 0, i), INDEX),
    Row("IndexSelect", {"dim": -1}, [(2, 3, 5), (7,)], lambda: lambda x, i: torch.index_select(x, -1, i), INDEX),
    Row("IndexSelect", {"dim": 1}, [(2, 3, 5), (1,)], lambda: lambda x, i: torch.index_select(x, 1, i), ("int64", "int64")),
]  # fmt: skip
