"""The receptive field: how much of the input one output position depends on, exactly.

Along one side an output position i of a layer depends on the input positions from i*step - before to i*step + after.
A window of kernel k, stride s, padding p and dilation d makes of these

    before' = before + step*p    after' = after + step*(d*(k - 1) - p)    step' = step*s

so the field before + 1 + after grows by step*d*(k - 1). Where branches meet, the widest counts.
(Araujo, Norris, Sim: Computing Receptive Fields of Convolutional Neural Networks, 2019.)
"""

from __future__ import annotations

from typing import NamedTuple

from ..arith import Formula, maximum, named, plain
from ..graph import Graph, Node, Value
from .derivation import Step


class Side(NamedTuple):
    """What one output position depends on, along one side of the input."""

    before: int
    after: int
    step: int

    @property
    def size(self):
        return self.before + 1 + self.after


#: why there is no field of a fixed size
WHOLE = "Every output depends on the whole input."
NONE = "It has no positions."
UNEVEN = "Not worked out: branches of different strides meet in or before it."


def field(graph: Graph, node: Node):
    """A `Side` for each spatial dimension of a layer's output, or the reason why there is none, in words."""
    return _fields(graph).get(id(node), NONE)


def _fields(graph: Graph) -> dict:
    """The field of every layer, by its id."""
    of_value: dict[int, object] = {}
    for value in graph.inputs.values():
        sides = len(value.shape) - 2
        of_value[id(value)] = (Side(0, 0, 1),) * sides if 1 <= sides <= 3 and value.dtype.startswith("float") else NONE
    found = {}
    for node in graph.nodes:
        result = _through(node, [of_value.get(id(value), NONE) for value in node.inputs])
        found[id(node)] = result
        for value in node.outputs:
            of_value[id(value)] = result
    return found


def _through(node: Node, fields: list):
    """The field behind a layer, by those of its inputs."""
    known = [field for field in fields if not isinstance(field, str)]
    words = [field for field in fields if isinstance(field, str) and field != NONE]
    if words:
        return words[0]
    if not known:
        return NONE
    windows = node.layer.windows()
    if windows is not None:
        return tuple(_window(side, *window) for side, window in zip(known[0], windows, strict=True))
    if not node.layer.is_local(*node.shapes):
        return _without_positions(node)
    return _joined(known)


def _window(side: Side, kernel, stride, padding, dilation) -> Side:
    return Side(
        side.before + side.step * padding,
        side.after + side.step * (dilation * (kernel - 1) - padding),
        side.step * stride,
    )


def _joined(fields: list):
    """Where branches meet: as far as the widest of them."""
    if len({tuple(side.step for side in field) for field in fields}) > 1:
        return UNEVEN
    return tuple(
        Side(maximum(*(s.before for s in sides)), maximum(*(s.after for s in sides)), sides[0].step)
        for sides in zip(*fields, strict=True)
    )


def _without_positions(node: Node) -> str:
    """Why a layer that moves or mixes positions has no field of a fixed size."""
    if node.type.startswith("Adaptive") and all(type(size) is int and size == 1 for size in node.outputs[0].shape[2:]):
        return WHOLE
    return f"Not worked out from {node.path} ({node.type}) on: it moves positions, or mixes them in another way than windows do."


def sections(graph: Graph, node: Node) -> list:
    """For an explanation: how the field of a layer grows out of that before it."""
    from .explain import Section

    fields = _fields(graph)
    own = fields[id(node)]
    untouched = not isinstance(own, str) and set(own) == {Side(0, 0, 1)} and node.layer.windows() is None
    if own == NONE or untouched or not any(other.layer.windows() for other in graph.nodes):
        return []
    if isinstance(own, str) and not node.layer.spatial:
        return []
    if isinstance(own, str):
        return [Section("Receptive field", (), (own,))]
    before = _of(graph, fields, node.inputs[0])
    windows = node.layer.windows()
    steps = tuple(
        _step(side, place, before, windows, len(own) > 1 and len(set(own)) > 1) for place, side in enumerate(own)
    )
    if len(set(own)) == 1 and len(own) > 1:
        steps = steps[:1]
    stride = " and ".join(dict.fromkeys(str(side.step) for side in own))
    sizes = " x ".join(str(side.size) for side in own)
    texts = [
        f"One output position sees {sizes} positions of the input; its neighbour sees as many, {stride} further on."
    ]
    return [Section("Receptive field", steps if windows is not None else (), (*texts, *_edges(graph, own)))]


def _of(graph: Graph, fields: dict, value: Value):
    found = fields.get(id(value.node)) if value.node is not None else None
    return found if found is not None and not isinstance(found, str) else (Side(0, 0, 1),) * 3


def _step(side: Side, place: int, before, windows, several: bool) -> Step:
    label = f"side {place + 1}" if several else "each side"
    if windows is None:
        return Step(label, "", side.size, side.size)
    kernel, _, _, dilation = windows[place]
    earlier = before[place]
    tree = named("field", earlier.size) + named("step", earlier.step) * named("dilation", dilation) * (
        named("kernel_size", kernel) - 1
    )
    return Step(label, "", tree, plain(tree))


def _edges(graph: Graph, own) -> list[str]:
    """Where the field is larger than the picture."""
    sizes = next(v.shape[2:] for v in graph.inputs.values() if len(v.shape) > 2)
    if any(isinstance(size, Formula) for size in sizes) or len(sizes) != len(own):
        return []
    larger = any(not isinstance(side.size, Formula) and side.size > size for side, size in zip(own, sizes, strict=True))
    return [f"That is more than the input has ({' x '.join(map(str, sizes))}): the rest is padding."] if larger else []
