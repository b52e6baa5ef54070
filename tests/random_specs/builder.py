"""A spec that grows layer by layer: after every addition netcalc itself says which shapes there are."""

from __future__ import annotations

from netcalc.elaborate import elaborate
from netcalc.elaborate.environment import KindValue
from netcalc.errors import SpecError
from netcalc.graph import Graph, Node, Scope, Value
from netcalc.language import files

from .draw import Draw
from .text import Body, yaml_text

PROBE = "probe"  # the name of the layer that is added to learn what the shapes are at a place

#: names of layers, some of which the exported code uses itself
NAMES = ["conv", "norm", "head", "stem", "attn", "mlp", "proj", "down", "up", "a", "b", "c", "d", "e", "q", "k", "v", "x", "out", "y", "z", "identity", "context", "torch", "nn", "math", "block", "layers", "weight", "bias", "model", "attention", "rotary", "output", "index", "args", "n", "t", "h", "list", "len", "min", "max", "sum", "round", "range", "super", "self_", "relu", "flatten", "linear", "copy", "add", "concat", "has_relu", "softmax", "print", "drop", "lstm", "fc", "_", "encoder", "decoder", "body", "main", "cat", "stack", "getattr"]  # fmt: skip
ARGUMENTS = [
    "width",
    "dim",
    "c",
    "k",
    "ratio",
    "heads",
    "x",
    "n",
    "self",
    "layers",
    "in_channels",
    "nn",
    "torch",
    "depth",
    "hidden",
    "channels",
    "p",
    "kernel_size",
    "lambda_",
    "out",
]
BLOCKS = [
    "Block",
    "Unit",
    "Stage",
    "Net",
    "Module",
    "OrderedDict",
    "Attention",
    "LayerNorm2d",
    "Permute",
    "ReLU",
    "MLP",
    "Main",
    "Path",
    "Group",
    "Encoder",
]


class Place:
    """The end of a list of layers: what comes next reads `value`, and may name `refs`."""

    def __init__(self, items: Body, taken: set | None = None):
        self.items, self.taken = items, taken if taken is not None else set()
        self.value: Value | None = None
        self.refs: dict[str, Value] = {}
        self.names: dict[str, int] = {}  # arguments and sizes that are whole numbers
        self.flags: dict[str, bool] = {}
        self.kinds: list[str] = []  # arguments that hold a kind of layer

    def inside(self, items: Body, taken: set | None = None) -> Place:
        """A list of layers that starts where this one ends."""
        inner = Place(items, taken)
        inner.value, inner.refs = self.value, self.refs
        inner.names, inner.flags, inner.kinds = self.names, self.flags, self.kinds
        return inner

    @property
    def shape(self) -> tuple:
        return self.value.shape

    def referred(self) -> dict[str, tuple]:
        return {ref: (value.shape, value.dtype) for ref, value in self.refs.items()}


class Builder:
    """Holds the spec as data. tried, refused: the layers that were to be added, and netcalc's words where it did not take one."""

    def __init__(self, draw):
        self.d = Draw(draw)
        self.spec: dict = {"netcalc": 1, "name": "Net", "args": {}, "layers": Body(), "blocks": {}}
        self.tried = 0
        self.refused: list[str] = []
        self.calls: dict[str, list] = {}  # how each block was called
        self.open: list[str] = []  # the blocks that are being written
        self.depth = 0

    # -- the spec

    def text(self) -> str:
        order = ("netcalc", "name", "args", "variants", "input", "inputs", "layers", "outputs", "loss", "blocks")
        return yaml_text({key: self.spec[key] for key in order if self.spec.get(key) not in (None, {})})

    def graph(self) -> Graph:
        return elaborate(files.spec_of_text(self.text()))

    # -- growing

    def add(self, place: Place, item, reads: str | None = None) -> bool:
        """Add a layer if netcalc takes it. reads: the part of it that comes next, where it has several."""
        self.tried += 1
        place.items.append(item)
        problem = self.looked(place, reads)
        if problem:
            place.items.pop()
            self.refused.append(f"{item}: {problem}")
        return not problem

    def changed(self, place: Place, item: dict, **keywords) -> bool:
        """Give the last item further keywords if netcalc takes them."""
        before = dict(item)
        item.update({key.rstrip("_"): value for key, value in keywords.items()})
        if self.looked(place):
            item.clear()
            item.update(before)
            return False
        return True

    def looked(self, place: Place, reads: str | None = None) -> str:
        """Learn what is known at a place; returns what is wrong with the spec, if anything."""
        place.items.append({PROBE: "Identity", **({"from": reads} if reads else {})})
        try:
            graph = self.graph()
        except SpecError as problem:
            return str(problem)
        finally:
            place.items.pop()
        probes = [node for node in graph.nodes if node.item.name == PROBE]
        if not probes or graph_size(graph) > 200_000:
            return "error: it is never run, or it is too large"
        self._learn(place, probes[0], reads)
        return ""

    def _learn(self, place: Place, probe: Node, reads: str | None):
        place.value = probe.inputs[0]
        place.refs = references(probe.scope)
        if not reads:
            place.refs["prev"] = place.value
        values, env = {}, probe.scope.env
        while env is not None:
            values = {**{name: env.lookup(name) for name in [*env.values, *env.pending]}, **values}
            env = env.parent
        place.names = {
            name: value for name, value in values.items() if type(value) is int and value > 0 and name != "i"
        }
        place.flags = {name: value for name, value in values.items() if isinstance(value, bool)}
        place.kinds = [name for name, value in values.items() if isinstance(value, KindValue)]

    def at(self, place: Place) -> Draw:
        """The drawer, with what is known at a place."""
        self.d.names, self.d.refs = place.names, place.referred()
        return self.d

    # -- names

    def name(self, place: Place) -> str:
        free = [name for name in NAMES if name not in place.taken]
        name = self.d.choice(free) if free else f"layer{len(place.taken)}"
        place.taken.add(name)
        return name

    def named(self, place: Place, layer, percent: int = 50) -> dict:
        """An item of a layer ({Type: arguments}, a type or a body), with a name or without."""
        if isinstance(layer, Body) or self.d.chance(percent):
            return {
                self.name(place): next(iter(layer))
                if isinstance(layer, dict) and next(iter(layer.values())) is None
                else layer
            }
        return layer if isinstance(layer, dict) else {layer: None}


def graph_size(graph: Graph) -> int:
    """The elements of its largest tensor, free sizes counted as 16."""
    from netcalc.arith import at, names_of, prod

    def size(value):
        return at(prod(value.shape), dict.fromkeys(names_of(value.shape), 16))

    return max((size(value) for node in graph.nodes for value in node.outputs), default=0)


def references(scope: Scope) -> dict[str, Value]:
    """Every tensor that a layer in a scope can name."""
    found: dict[str, Value] = {}
    inner = scope
    while inner is not None:
        for name, thing in inner.named.items():
            if (name != PROBE and name not in {ref.split(".")[0] for ref in found}) or (
                inner is scope and name != PROBE
            ):
                _add(found, name, thing)
        if inner.outer is None:
            for name, value in inner.inputs.items():
                found.setdefault(name, value)
            if len(inner.inputs) == 1:
                found.setdefault("input", next(iter(inner.inputs.values())))
        inner = inner.outer
    return {ref: value for ref, value in found.items() if not is_number(ref)}


def is_number(ref: str) -> bool:
    return ref.replace(".", "").isdigit()


def _add(found: dict, ref: str, thing):
    if isinstance(thing, Node):
        found[ref] = thing.outputs[0]
        if thing.parts is not None:
            found.update({f"{ref}.{part}": value for part, value in zip(thing.parts, thing.outputs, strict=True)})
        return
    if len(thing.outputs) == 1:
        found[ref] = thing.outputs[0][1]
    else:
        found.update({f"{ref}.{name or number}": value for number, (name, value) in enumerate(thing.outputs)})
    if thing.kind != "block":
        for name, inner in {**thing.numbered, **thing.named}.items():
            if name != PROBE:
                _add(found, f"{ref}.{name}", inner)
