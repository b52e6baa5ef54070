"""PyTorch's operations as far as memory goes: what each allocates, saves for the backward pass, and frees."""

from __future__ import annotations

from .operations import Operations

__all__ = ["Operations"]
