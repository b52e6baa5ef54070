"""All operations in one class, as the rules of layers use them."""

from __future__ import annotations

from .layers import Modules


class Operations(Modules):
    """A tape with PyTorch's operations."""
