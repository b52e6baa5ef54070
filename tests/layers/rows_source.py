"""Ranges. Parameter and Buffer are not modules: see test_source."""

import torch

from tests.layers.table import Row

ROWS = [
    Row("Arange", {"end": 10}, [], lambda: lambda: torch.arange(10)),
    Row("Arange", {"end": 10, "start": 3}, [], lambda: lambda: torch.arange(3, 10)),
    Row("Arange", {"end": 11, "step": 4}, [], lambda: lambda: torch.arange(0, 11, 4)),
    Row("Arange", {"end": 5, "start": -7, "step": 3}, [], lambda: lambda: torch.arange(-7, 5, 3)),
    Row("Arange", {"end": 4, "start": 4}, [], lambda: lambda: torch.arange(4, 4)),
]  # fmt: skip
