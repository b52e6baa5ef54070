"""All operations in one class, as the rules of layers use them."""

from __future__ import annotations

from .choices import Choices
from .functions import Functions
from .more import More


class Operations(Choices, Functions, More):
    """A tape with PyTorch's operations."""
