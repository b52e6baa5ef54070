"""All operations in one class, as the rules of layers use them."""

from __future__ import annotations

from .attention import Attention
from .choices import Choices
from .einsum import Einsum
from .functions import Functions
from .losses import Losses
from .norms import Norms
from .padding import Padding
from .routing import Routing


class Operations(Attention, Choices, Einsum, Functions, Norms, Padding, Routing, Losses):
    """A tape with PyTorch's operations."""
