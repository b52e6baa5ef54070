"""Inputs to run a network on: small sizes for what is free, random tensors, targets for the loss."""

from __future__ import annotations

from ..arith import Formula, at
from ..errors import NetcalcError
from ..graph import Graph, Node, Value

CANDIDATES = (16, 8, 4, 2, 32, 64, 1, 128, 256)


def sizes(graph: Graph, batch: int = 2, given: dict | None = None) -> dict[str, int]:
    """A value for every free dimension with which all conditions of the graph hold."""
    fixed = {**({graph.batch: batch} if graph.batch in graph.free else {}), **(given or {})}
    others = [name for name in graph.free if name not in fixed]
    for candidate in CANDIDATES:
        chosen = {**fixed, **dict.fromkeys(others, candidate)}
        if _fit(graph, chosen):
            return chosen
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


def loss_source(graph: Graph) -> list[str]:
    """The statements of the loss, from `output` to `return`."""
    outputs = [_output(graph, k, name) for k, (name, _) in enumerate(graph.outputs)]
    if not graph.loss:
        return _mean(graph, outputs)
    lines: list[str] = []
    names = {id(value): text for (_, value), text in zip(graph.outputs, outputs, strict=True)}
    for node in graph.loss:
        variables = [_read(names, value, node) for value in node.inputs]
        expression = _loss_expression(node, variables)
        names.update((id(value), "output") for value in node.outputs)
        lines.append(f"return {expression}" if node is graph.loss[-1] else f"output = {expression}")
    return lines


def _read(names: dict, value: Value, node: Node) -> str:
    """What the loss calls a tensor: it gets the outputs only."""
    if id(value) not in names:
        raise NetcalcError(f"error: export cannot write the loss: {node.type} reads {value}, which is not an output\n"
                           "  help: name it in `outputs`, or read an output")  # fmt: skip
    return names[id(value)]


def _mean(graph: Graph, texts: list[str]) -> list[str]:
    """A loss that reaches every output, for a spec without one."""
    real = [value.dtype.startswith(("float", "bfloat")) for _, value in graph.outputs]
    if len(texts) > 1 and all(real):
        values = "output.values()" if texts[0].startswith('output["') else "output"
        return [f"return sum(tensor.mean() for tensor in {values})"]
    chosen = [text for text, fits in zip(texts, real, strict=True) if fits]
    if len(chosen) < 2:
        return [f"return {chosen[0]}.mean()" if chosen else "return None"]
    return [f"loss = {chosen[0]}.mean()", *(f"loss = loss + {text}.mean()" for text in chosen[1:]), "return loss"]


def _output(graph: Graph, number: int, name: str | None) -> str:
    if len(graph.outputs) == 1 and not (graph.spec.outputs and graph.spec.outputs[0][0]):
        return "output"
    named = graph.spec.outputs and any(n for n, _ in graph.spec.outputs)
    return f'output["{name}"]' if named else f"output[{number}]"


def _loss_expression(node: Node, variables: list[str]) -> str:
    layer, shapes = node.layer, node.shapes
    if layer.loss:
        targets = [_target(layer, variables[0], shape, dtype, shapes[0]) for shape, dtype in layer.targets(*shapes)]
        return f"{layer.torch(*shapes)}({', '.join([*variables, *targets])})"
    try:
        return layer.call(variables, *shapes)
    except NotImplementedError:
        return f"{layer.torch(*shapes)}({', '.join(variables)})"


def _target(layer, variable: str, shape, dtype: str, given) -> str:
    if dtype == "int64":
        return f"torch.randint({variable}.shape[1], {variable}[:, 0].shape, device={variable}.device)"
    if len(shape) == len(given):
        return f"torch.rand_like({variable})"
    return f"torch.ones_like({variable}[:, 0])"


__all__ = ["Formula", "highest", "input_source", "loss_source", "sizes"]
