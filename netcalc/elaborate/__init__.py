"""A spec with values for its arguments becomes a graph: blocks and repeats expanded, shapes inferred on the way."""

from .walk import elaborate

__all__ = ["elaborate"]
