"""All operations in one class, as the rules of layers use them."""

from __future__ import annotations

from .heads import Heads


class Operations(Heads):
    """A tape with PyTorch's operations."""
