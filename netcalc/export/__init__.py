"""A network as PyTorch source that a person would have written."""

from .module import Export, export

__all__ = ["Export", "export"]
