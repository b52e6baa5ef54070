"""Many designs of a network at once: grids and samples of its arguments, evaluated by array arithmetic."""

from .main import sweep

__all__ = ["sweep"]
