"""Inputs to run a network on: small sizes for what is free, random tensors."""

from __future__ import annotations

from ..arith import Formula, at
from ..errors import NetcalcError
from ..graph import Graph, Value

CANDIDATES = (16, 8, 4, 2, 32, 64, 1, 128, 256)


def sizes(graph: Graph, batch: int = 2, given: dict | None = None) -> dict[str, int]:
    """A value for every free dimension with which all conditions of the graph hold."""
    fixed = {**({graph.batch: batch} if graph.batch in graph.free else {}), **(given or {})}
    others = [name for name in graph.free if name not in fixed]
    for candidate in CANDIDATES:
        chosen = {**fixed, **dict.fromkeys(others, candidate)}
        if _fit(graph, chosen):
            return chosen
    if not others:
        given = ", ".join(f"{name} = {size}" for name, size in fixed.items())
        unmet = next(condition for condition, _ in graph.conditions if at(condition, fixed) is not True)
        raise NetcalcError(f"error: {given} does not suit this network, which needs {unmet}")
    raise NetcalcError(
        f"error: no small sizes of {', '.join(others)} suit this network\n  help: give them a value with --set"
    )


def _fit(graph: Graph, chosen: dict) -> bool:
    if any(at(condition, chosen) is not True for condition, _ in graph.conditions):
        return False
    for node in graph.nodes:
        if node.type == "Embedding" and _counts(node.inputs[0]):
            length = at(node.inputs[0].shape[0], chosen)
            if not isinstance(length, int) or length > at(node.layer.num_embeddings, chosen):
                return False
    lengths = {size for node in graph.nodes for value in node.outputs for size in value.shape}
    return all(isinstance(length, int) and length >= 1 for length in (at(size, chosen) for size in lengths))


def _counts(value: Value) -> bool:
    return value.node is not None and value.node.type == "Arange"


def highest(graph: Graph, value: Value) -> int:
    """What random whole numbers for an input must stay below: the smallest table that they look up."""
    found = []
    reached = {id(value)}
    for node in graph.nodes:
        if any(id(v) in reached for v in node.inputs):
            if node.type in ("Embedding", "EmbeddingBag"):
                found.append(node.layer.num_embeddings)
            elif node.layer.views or node.type in ("Chunk", "Split", "Select", "Slice", "Unbind", "Roll"):
                reached.update(id(v) for v in node.outputs)
    return min((limit for limit in found if isinstance(limit, int)), default=2)


def input_source(graph: Graph, value: Value, rename) -> str:
    """The expression of a random tensor for an input."""
    shape = ", ".join(rename(size) for size in value.shape) or "()"
    if value.dtype == "bool":
        return f"torch.rand({shape}) > 0.5"
    if value.dtype.startswith(("int", "uint")):
        kind = "" if value.dtype == "int64" else f", dtype=torch.{value.dtype}"
        return f"torch.randint({highest(graph, value)}, ({shape}{',' if len(value.shape) == 1 else ''}){kind})"
    kind = "" if value.dtype == "float32" else f", dtype=torch.{value.dtype}"
    return f"torch.randn({shape}{kind})"


__all__ = ["Formula", "highest", "input_source", "sizes"]
