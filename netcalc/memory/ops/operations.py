"""All operations in one class, as the rules of layers use them."""

from __future__ import annotations

from .attention import Attention
from .choices import Choices
from .functions import Functions
from .more import More
from .padding import Padding


class Operations(Attention, Choices, Functions, Padding, More):
    """A tape with PyTorch's operations."""
