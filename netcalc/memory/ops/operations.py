"""All operations in one class, as the rules of layers use them."""

from __future__ import annotations

from .losses import Losses


class Operations(Losses):
    """A tape with PyTorch's operations."""
