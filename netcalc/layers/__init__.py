"""The layers of the language: one class each, grouped by family."""

from importlib import import_module

from .base import REGISTRY, Arg, Layer, Need, Work
from .kinds import ArgumentError, Kind, Word

#: the modules that hold layers
FAMILIES = (
    "linear", "conv", "pool", "norm", "activation", "softmax", "functions", "dropout", "resize", "shape", "pieces",
    "arithmetic", "reduce", "source", "masking", "indexing", "einsum", "embedding", "position", "recurrent", "attention",
    "routing", "loss",
)  # fmt: skip

for _family in FAMILIES:
    import_module(f"{__name__}.{_family}")

__all__ = ["FAMILIES", "REGISTRY", "Arg", "ArgumentError", "Kind", "Layer", "Need", "Word", "Work"]
