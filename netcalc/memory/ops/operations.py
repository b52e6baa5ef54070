"""All operations in one class, as the rules of layers use them."""

from __future__ import annotations

from .more import More


class Operations(More):
    """A tape with PyTorch's operations."""
