"""The network as a tree of modules and a list of executed layers. Built by `elaborate`, then never changed."""

from __future__ import annotations

from .arith import Condition, prod

FLOATS = frozenset(("float64", "float32", "float16", "bfloat16"))


class Value:
    """A tensor that flows: its shape, dtype and who made it."""

    __slots__ = ("dtype", "label", "node", "part", "shape")

    def __init__(self, shape: tuple, dtype: str, node: Node | None = None, part: int = 0, label: str = ""):
        self.shape, self.dtype, self.node, self.part, self.label = shape, dtype, node, part, label

    def __str__(self):
        """How messages name it: layer `conv1`, the input `x`."""
        return self.label or f"layer `{self.node.path}`"


class Node:
    """One execution of one layer. `path` is its name in the state_dict."""

    __slots__ = (
        "buffers", "by", "frozen", "inputs", "item", "layer", "original", "outputs", "params", "parts", "path", "scope",
        "segment", "shapes", "tied", "times", "type",
    )  # fmt: skip

    def __init__(self, path: str, layer, inputs: tuple, item, scope: Scope):
        self.path, self.layer, self.inputs, self.item, self.scope = path, layer, inputs, item, scope
        self.shapes = tuple([value.shape for value in inputs])
        self.type: str = layer.type
        self.by = item  # the line of the spec that runs it: its own, or that of a Reuse
        self.outputs: tuple[Value, ...] = ()
        self.parts: tuple[str, ...] | None = None
        self.original: Node | None = None  # where the weights live, for a layer that is used again
        self.tied: dict[str, tuple[Node, str]] = {}  # parameter -> (node, parameter) that it is
        self.frozen = scope.frozen
        self.segment = scope.segment  # the checkpointed stretch it belongs to, or None
        self.times = scope.times  # executions in one forward pass: more than one only for a free `repeat`
        self.params: dict[str, tuple] = {}  # its own learnable tensors by name, tied ones included
        self.buffers: dict[str, tuple] = {}  # (shape, dtype) by name

    def key(self, name: str) -> str:
        """The state_dict key of one of its tensors."""
        return f"{self.path}.{name}" if name else self.path

    def work(self):
        outputs = [value.shape for value in self.outputs]
        return self.layer.work(*self.shapes, outputs if self.parts is not None else outputs[0])


class Scope:
    """A module with modules inside: the model, a block, a group, copies, or wiring without a name of its own."""

    __slots__ = (
        "args", "block", "by", "carried", "env", "frozen", "inputs", "item", "kind", "members", "missing", "name", "named", "numbered",
        "numbering", "outer", "outputs", "path", "rebuild", "segment", "start", "times",
    )  # fmt: skip

    def __init__(self, kind: str, path: str, env, outer: Scope | None = None, item=None):
        self.kind, self.path, self.env, self.outer, self.item = kind, path, env, outer, item
        self.by = item
        self.name: str | None = None
        self.block = None  # the syntax of the block it is an instance of
        self.args: dict = {}
        self.inputs: dict[str, Value] = {}
        self.start: Value | None = None  # what the first layer of a group reads, if there is anything
        self.members: list[Node | Scope] = []
        self.named: dict[str, Node | Scope | Value] = {}
        self.numbered: dict[str, Node | Scope] = {}
        self.missing: dict = {}  # names deleted by `when`
        self.outputs: list[tuple[str | None, Value]] = []
        self.numbering = [0]  # the next number; shared with wiring inside
        self.frozen = outer.frozen if outer else False
        self.segment = outer.segment if outer else None
        self.times = outer.times if outer else 1
        self.rebuild = None  # runs it again on other inputs, for Reuse
        self.carried: list = []  # of a free `repeat`: pairs of what a copy reads and what the next one reads in its place

    def child_path(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name


class Graph:
    """A network for given values of its arguments; sizes may be formulas in what is left free."""

    __slots__ = (
        "_tensors",
        "args",
        "batch",
        "conditions",
        "free",
        "inputs",
        "loss",
        "nodes",
        "outputs",
        "root",
        "spec",
        "variant",
        "warnings",
    )

    def __init__(self, spec, root: Scope, nodes: tuple, outputs: list):
        self.spec, self.root, self.nodes, self.outputs = spec, root, nodes, outputs
        self.inputs: dict[str, Value] = root.inputs
        self.loss: tuple[Node, ...] = ()
        self.args: dict = {}
        self.free: tuple[str, ...] = ()  # names that are still symbols
        self.conditions: tuple = ()  # (Condition, Need) pairs: what the free sizes must fulfil
        self.batch: str | None = None
        self.variant: str | None = None
        self._tensors: tuple | None = None
        self.warnings: list = []

    def open_conditions(self, sizes: dict) -> list[Condition]:
        """What the free sizes must fulfil where some of them have values."""
        found = (condition.at(sizes) for condition, _ in self.conditions)
        return [condition for condition in found if isinstance(condition, Condition)]

    def tensors(self):
        """The state_dict in its order: (key, shape, dtype, kind, node, name), kind "parameter" or "buffer".

        As in torch.nn.Module: a module's own parameters, its own buffers, then its children.
        """
        if self._tensors is None:
            self._tensors = tuple(_tensors(self.root))
        return self._tensors


def _tensors(scope: Scope):
    children = [m for m in _flat(scope) if not (isinstance(m, Node) and m.original)]
    own = [m for m in children if isinstance(m, Node) and m.layer.inputs == 0]
    for kind in ("parameter", "buffer"):
        for node in own:
            yield from _node_tensors(node, kind)
    for member in children:
        if isinstance(member, Scope):
            yield from _tensors(member)
        elif member not in own:
            yield from _node_tensors(member, "parameter")
            yield from _node_tensors(member, "buffer")


def _flat(scope: Scope):
    """The members, those of unnamed wiring in its place."""
    for member in scope.members:
        if isinstance(member, Scope) and member.path == scope.path and member.kind not in ("block", "copy"):
            yield from _flat(member)
        else:
            yield member


def _node_tensors(node: Node, kind: str):
    if kind == "parameter":
        for name, shape in node.params.items():
            yield node.key(name), shape, getattr(node.layer, "parameter_dtype", "float32"), kind, node, name
    else:
        for name, (shape, dtype) in node.buffers.items():
            yield node.key(name), shape, dtype, kind, node, name


def trained(nodes, fed=()) -> set[int]:
    """The tensors, by their ids, in which something that trains has a part. fed: others that are so from the start."""
    found = {id(value) for value in fed}
    for node in nodes:
        if trains(node) or any(id(value) in found for value in node.inputs):
            found.update(id(value) for value in node.outputs if value.dtype in FLOATS)
    return found


def trains(node: Node) -> bool:
    """Whether a layer has weights that train: a tied one is its owner's, frozen or not with it."""
    if not node.tied:
        return not node.frozen and bool(node.params)
    return any(not node.tied.get(name, (node, name))[0].frozen for name in node.params)


def count(shapes) -> object:
    """The number of elements of several shapes together."""
    total = 0
    for shape in shapes:
        total = total + prod(shape)
    return total
