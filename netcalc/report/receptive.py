"""The receptive field: how much of the input one output position depends on, exactly.

Along one side an output position i of a layer depends on the input positions from i*step - before to i*step + after.
A window of kernel k, stride s, padding p and dilation d makes of these

    before' = before + step*p    after' = after + step*(d*(k - 1) - p)    step' = step*s

so the field before + 1 + after grows by step*d*(k - 1). Where branches meet, the widest counts.
(Araujo, Norris, Sim: Computing Receptive Fields of Convolutional Neural Networks, 2019.) Behind layers that make pictures
larger it depends on where an output stands: see `fields`.
"""

from __future__ import annotations

from ..arith import Formula, named, plain
from ..graph import Graph, Node, Value
from .derivation import Step
from .fields import Side, behind, joined

#: why there is no field of a fixed size
WHOLE = "Every output depends on the whole input."
NONE = "It has no positions."
UNEVEN = "Not worked out: branches of different strides meet in or before it."
SEQUENCE = (
    "Every output depends on its whole sequence: in attention each position looks at all others that a mask allows."
)
OPEN = "Not worked out while sizes are free: it makes pictures larger, or follows what does."


def field(graph: Graph, node: Node):
    """A `Side` for each spatial dimension of a layer's output, or the reason why there is none, in words."""
    return _fields(graph).get(id(node), NONE)


def _fields(graph: Graph) -> dict:
    """The field of every layer, by its id."""
    of_value: dict[int, object] = {}
    for value in graph.inputs.values():
        sides = len(value.shape) - 2
        of_value[id(value)] = (Side(),) * sides if 1 <= sides <= 3 and value.dtype.startswith("float") else NONE
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
    if node.layer.whole and (known or words):
        return SEQUENCE
    if words:
        return words[0]
    if not known:
        return NONE
    reaches = node.layer.reaches(*node.shapes)
    if reaches is not None:
        sides = tuple(behind(side, reach) for side, reach in zip(known[0], reaches, strict=True))
        return OPEN if None in sides else sides
    if not node.layer.is_local(*node.shapes):
        return _without_positions(node)
    sides = tuple(joined(list(sides)) for sides in zip(*known, strict=True))
    return UNEVEN if None in sides else sides


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
    untouched = not isinstance(own, str) and set(own) == {Side()} and node.layer.windows() is None
    if own == NONE or untouched or not any(other.layer.windows() for other in graph.nodes):
        return []
    if isinstance(own, str) and not (node.layer.spatial or node.layer.whole):
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
    plain_window = windows is not None and all(len(side.lows) == 1 for side in (*own, *before[: len(own)]))
    return [Section("Receptive field", steps if plain_window else (), (_said(own), *_edges(graph, own)))]


def _said(own) -> str:
    """The field in a sentence."""
    stride = " and ".join(dict.fromkeys(str(side.step) for side in own))
    sizes = " x ".join(str(side.size) for side in own)
    if all(len(side.lows) == 1 for side in own):
        return (
            f"One output position sees {sizes} positions of the input; its neighbour sees as many, {stride} further on."
        )
    least = " x ".join(str(side.sizes[0]) for side in own)
    many = sizes if least == sizes else f"{least} to {sizes}"
    where = "" if least == sizes else ", depending on where it stands"
    return f"One output position sees {many} positions of the input{where}; fields of neighbours are {stride} apart on the average."


def _of(graph: Graph, fields: dict, value: Value):
    found = fields.get(id(value.node)) if value.node is not None else None
    return found if found is not None and not isinstance(found, str) else (Side(),) * 3


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
