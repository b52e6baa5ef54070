"""The loss of the exported file as source: `loss_of(output, target)`, and random targets of the right shapes."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import NetcalcError
from ..graph import FLOATS, Graph, Node, Value
from . import naming


class Step(NamedTuple):
    """A layer of the loss: the variables that it reads, and the one that its result is assigned to."""

    node: Node
    reads: list[str]
    result: str


def target_names(graph: Graph) -> list[str]:
    """The parameters of `loss_of` after `output`: none where nothing is compared with a target."""
    count = sum(len(node.layer.targets(*node.shapes)) for node in _comparing(graph))
    return ["target"] if count == 1 else [f"target_{number + 1}" for number in range(count)]


def targets_source(graph: Graph) -> list[str]:
    """The statements of `example_targets`, from `output` to `return`; none where there are no targets."""
    comparing = _comparing(graph)
    wanted = [node.inputs[0] for node in comparing]
    steps, names = plan(graph, _leading_to(wanted, graph), wanted)
    items = [
        _target(names[id(value)], shape, dtype, value.shape)
        for value, node in zip(wanted, comparing, strict=True)
        for shape, dtype in node.layer.targets(*node.shapes)
    ]
    if not items:
        return []
    before = [f"{step.result} = {_expression(step, [])}" for step in steps]
    return [*before, f"return ({items[0]},)" if len(items) == 1 else f"return ({', '.join(items)})"]


def loss_source(graph: Graph) -> list[str]:
    """The statements of `loss_of`, from `output` to `return`."""
    if not graph.loss:
        return _mean(graph)
    targets = target_names(graph)
    lines = []
    for step in plan(graph, graph.loss)[0]:
        count = len(step.node.layer.targets(*step.node.shapes)) if step.node.layer.loss else 0
        expression = _expression(step, targets[:count])
        targets = targets[count:]
        lines.append(f"return {expression}" if step.node is graph.loss[-1] else f"{step.result} = {expression}")
    return lines


def plan(graph: Graph, nodes, wanted=()) -> tuple[list[Step], dict[int, str]]:
    """The layers with their variables, and what holds each value in the end. wanted: values that are read at the end.

    A variable is assigned again only when nobody reads what it held.
    """
    names = {id(value): output(graph, number) for number, (_, value) in enumerate(graph.outputs)}
    steps = []
    for position, node in enumerate(nodes):
        reads = [_read(names, value, node) for value in node.inputs]
        later = [*(value for other in nodes[position + 1 :] for value in other.inputs), *wanted]
        busy = {names[id(value)].partition("[")[0] for value in later if id(value) in names}
        result = _variable(node, reads, busy)
        names.update((id(value), result) for value in node.outputs)
        steps.append(Step(node, reads, result))
    return steps, names


def _read(names: dict, value: Value, node: Node) -> str:
    """What the loss calls a tensor: it gets the outputs only."""
    if id(value) not in names:
        raise NetcalcError(f"error: export cannot write the loss: {node.type} reads {value}, which is not an output\n"
                           "  help: name it in `outputs`, or read an output")  # fmt: skip
    return names[id(value)]


def output(graph: Graph, number: int) -> str:
    """The expression of one of the model's outputs."""
    named = graph.spec.outputs and any(name for name, _ in graph.spec.outputs)
    if len(graph.outputs) == 1 and not (graph.spec.outputs and graph.spec.outputs[0][0]):
        return "output"
    return f'output["{graph.outputs[number][0]}"]' if named else f"output[{number}]"


def _comparing(graph: Graph) -> list[Node]:
    return [node for node in graph.loss if node.layer.loss and node.layer.targets(*node.shapes)]


def _leading_to(wanted: list, graph: Graph) -> list[Node]:
    """The layers of the loss that a target's shape is read after."""
    needed = {id(value) for value in wanted}
    found = []
    for node in reversed(graph.loss):
        if any(id(value) in needed for value in node.outputs) and not node.layer.loss:
            needed.update(id(value) for value in node.inputs)
            found.append(node)
    return found[::-1]


def _variable(node: Node, reads: list[str], busy: set[str]) -> str:
    """A layer's own name; for one without, `output` while nothing else reads the output, then `loss`."""
    own = naming.of(node.item)
    wanted = "output" if reads[:1] == ["output"] else "loss"
    if own is not None:
        wanted = naming.variable(own, naming.USED)
    elif wanted in busy:
        wanted = "loss"
    while wanted in busy or (own is not None and wanted.startswith(("output", "target"))):
        wanted = f"{wanted}_" if own is None else f"value_{wanted}"
    return wanted


def _mean(graph: Graph) -> list[str]:
    """A loss that reaches every output, for a spec without one."""
    texts = [output(graph, number) for number in range(len(graph.outputs))]
    real = [value.dtype in FLOATS for _, value in graph.outputs]
    if len(texts) > 1 and all(real):
        values = "output.values()" if texts[0].startswith('output["') else "output"
        return [f"return sum(tensor.mean() for tensor in {values})"]
    chosen = [text for text, fits in zip(texts, real, strict=True) if fits]
    if len(chosen) < 2:
        return [f"return {chosen[0]}.mean()" if chosen else "return None"]
    return [f"loss = {chosen[0]}.mean()", *(f"loss = loss + {text}.mean()" for text in chosen[1:]), "return loss"]


def _expression(step: Step, targets: list[str]) -> str:
    layer, shapes = step.node.layer, step.node.shapes
    if layer.loss:
        return f"{layer.torch(*shapes)}({', '.join([*step.reads, *targets])})"
    try:
        return layer.call(step.reads, *shapes)
    except NotImplementedError:
        return f"{layer.torch(*shapes)}({', '.join(step.reads)})"


def _target(variable: str, shape, dtype: str, given) -> str:
    """A random target for what `variable` holds, of the shape `given`."""
    if dtype == "int64":
        classes, values = (0, "()") if len(given) == 1 else (1, f"{variable}[:, 0].shape")
        return f"torch.randint({variable}.shape[{classes}], {values}, device={variable}.device)"
    if len(shape) == len(given):
        return f"torch.rand_like({variable})"
    return f"torch.ones_like({variable}[{'0' if len(given) == 1 else ':, 0'}])"
