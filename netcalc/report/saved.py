"""What an explanation says about memory: which tensors of a layer are kept for the backward pass, and why.

The figures come from the simulation of a training step; until a graph has one, there is nothing to say.
"""

from __future__ import annotations

from ..graph import Graph, Node


def sections(graph: Graph, node: Node) -> list:
    """Sections for one layer: the bytes that it saves for the backward pass, which operation saves them, who shares them."""
    return []


def peak(graph: Graph) -> list:
    """Sections for a network: when its memory is at its peak, and what is alive then."""
    return []
