"""All operations in one class, as the rules of layers use them."""

from __future__ import annotations

from .recurrent import Recurrent


class Operations(Recurrent):
    """A tape with PyTorch's operations."""
