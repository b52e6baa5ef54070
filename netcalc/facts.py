"""What is known about each layer of a graph: one row per execution, from the layer's own rules.

Every number that netcalc prints comes from these rows. Numbers are ints, or formulas where sizes are free.
"""

from __future__ import annotations

from .arith import Sizes, prod
from .errors import NetcalcError
from .graph import FLOATS, Graph, Node, Scope, Value, trained, trains
from .language.names import DTYPE_BYTES


class Row:
    """One execution of one layer.

    output: the shape of its (first) output. weight, bias: elements of its own parameters, those of an earlier execution
    and tied ones left out. trainable: those of them that train. buffers: elements. Work is of one forward pass.
    """

    __slots__ = ("_grads", "_sizes", "_work", "bias", "buffers", "node", "output", "trainable", "weight")

    def __init__(self, node: Node, sizes: Sizes, grads: Gradients):
        self.node, self._sizes, self._grads = node, sizes, grads
        self.output = sizes.of(node.outputs[0].shape)
        self.weight = self.bias = self.buffers = self.trainable = 0
        self._work = None
        if node.original is None and (node.params or node.buffers):
            self._count(node)

    def _count(self, node: Node):
        weight = bias = buffers = 0
        for name, shape in node.params.items():
            if name in node.tied:
                continue
            if "bias" in name.rpartition(".")[2]:
                bias = bias + prod(shape)
            else:
                weight = weight + prod(shape)
        for shape, _ in node.buffers.values():
            buffers = buffers + prod(shape)
        self.weight, self.bias, self.buffers = weight * node.times, bias * node.times, buffers * node.times
        self.trainable = 0 if node.frozen else self.weight + self.bias

    @property
    def path(self) -> str:
        return self.node.path

    @property
    def type(self) -> str:
        return self.node.type

    @property
    def params(self):
        return self.weight + self.bias

    @property
    def idle(self):
        """Those of `params` that play no part in the work of any one sample or token."""
        return 0 if self.node.original is not None else self.node.layer.idle_params(*self.node.shapes) * self.node.times

    @property
    def shapes(self) -> list:
        """The shapes of the inputs, then the output's (a list of shapes where there are several)."""
        node, of = self.node, self._sizes.of
        inputs = [of(value.shape) for value in node.inputs]
        return [*inputs, self.output if node.parts is None else [of(value.shape) for value in node.outputs]]

    @property
    def work(self):
        """The `Work` of one forward pass."""
        if self._work is None:
            work, times = self.node.layer.work(*self.shapes), self.node.times
            self._work = work if times == 1 else work._replace(macs=work.macs * times, other=work.other * times)
        return self._work

    @property
    def activations(self):
        """The elements of its outputs."""
        return sum([prod(self._sizes.of(value.shape)) for value in self.node.outputs]) * self.node.times

    @property
    def gradients(self) -> tuple[tuple, bool]:
        """For each input whether it needs a gradient, and whether the layer has weights that train."""
        return self._grads.of(self.node)

    @property
    def macs(self):
        return self.work.macs

    @property
    def flops(self):
        """FLOPs of the forward pass: two for a MAC, one for any other operation."""
        return 2 * self.work.macs + self.work.other

    @property
    def backward_macs(self):
        """MACs of the gradients that this layer has to work out."""
        needed, trains = self._grads.of(self.node)
        if (type(self.work.macs) is int and self.work.macs == 0) or not (trains or any(needed)):
            return 0
        return self.node.layer.backward_macs(needed, trains, *self.shapes) * self.node.times

    @property
    def backward_flops(self):
        """FLOPs of the backward pass: two for a MAC; other operations as many as forward, which is an estimate."""
        needed, trains = self._grads.of(self.node)
        return 2 * self.backward_macs + self.work.other if trains or any(needed) else 0


class Gradients:
    """Through which tensors a gradient flows: those made from something that trains, on the way to the loss.

    fed: tensors from outside of the graph that need a gradient.
    """

    def __init__(self, graph: Graph, fed: tuple = ()):
        self.graph, self._fed = graph, fed
        self._values: set[int] | None = None
        self._wanted: set[int] = set()
        self._lost: set[int] = set()  # layers that the loss does not depend on

    def of(self, node: Node) -> tuple[tuple, bool]:
        """For each input whether it needs a gradient, and whether the layer has weights that train."""
        self._follow()
        if id(node) in self._lost:
            return (False,) * len(node.inputs), False
        return tuple(id(v) in self._values or _trained_parameter(v) for v in node.inputs), trains(node)

    def reaches(self, value: Value) -> bool:
        """Whether something that trains has a part in a tensor."""
        self._follow()
        return id(value) in self._values

    def comes_back(self, value: Value) -> bool:
        """Whether a tensor is read on the way to the loss."""
        self._follow()
        return id(value) in self._wanted

    def _follow(self):
        if self._values is not None:
            return
        self._values = trained((*self.graph.nodes, *self.graph.loss), self._fed)
        self._wanted, self._lost = _backward(self.graph)
        for scope in _free_copies(self.graph):
            if any((id(before) in self._wanted) != (id(after) in self._wanted) for before, after in scope.carried):
                raise UnevenCopies(scope)


class UnevenCopies(NetcalcError):
    """A gradient comes back to the last copy of a free `repeat` in another way than to those before it."""

    def __init__(self, scope):
        count = scope.item.keywords["repeat"].value
        super().__init__(f"error: the gradients of `{scope.path}` are others in its last copy, so that there is no formula for them while its count {count} is free\n"
                         "  help: give the number of copies a value")  # fmt: skip


def _free_copies(graph: Graph):
    """The copies of free repeats."""
    if all(type(node.times) is int for node in graph.nodes):
        return
    todo = [graph.root]
    while todo:
        scope = todo.pop()
        if scope.carried:
            yield scope
        todo += [member for member in scope.members if isinstance(member, Scope)]


def _backward(graph: Graph) -> tuple[set[int], set[int]]:
    """By their ids: the tensors that are read on the way to the loss; the layers to which no gradient comes back, as no
    real number that is made of theirs gets there."""
    ends = [v for node in graph.loss for v in node.inputs] if graph.loss else [v for _, v in graph.outputs]
    wanted, lost = {id(value) for value in ends}, set()
    for node in reversed(graph.nodes):
        if any(id(value) in wanted and value.dtype in FLOATS for value in node.outputs):
            wanted.update([id(value) for value in node.inputs])
        else:
            lost.add(id(node))
    return wanted, lost


def reached(graph: Graph):
    """How many trainable parameters get a gradient in a step: all but those that the loss does not depend on."""
    lost, found = _backward(graph)[1], {}
    for node in graph.nodes:
        if id(node) in lost:
            continue
        read = [(v.node, v.label.split("`")[1].rpartition(".")[2]) for v in node.inputs if v.part == -1]
        for owner, name in [*((node.original or node, name) for name in node.params), *read]:
            own, key = owner.tied.get(name, (owner, name))
            if not own.frozen:
                found[id(own), key] = prod(own.params[key])
    return sum(found.values())


def _trained_parameter(value: Value) -> bool:
    """Whether a value is a layer's parameter used as an operand."""
    return value.part == -1 and not value.node.frozen


def rows(graph: Graph, sizes: dict | None = None, loss: bool = False, fed: tuple = ()) -> list[Row]:
    """A row for every executed layer of the model, in order. `sizes` gives free dimensions a value. loss: those of the
    loss too. fed: tensors from outside of the graph that need a gradient."""
    grads, sizes = Gradients(graph, fed), Sizes(sizes or {})
    return [Row(node, sizes, grads) for node in (*graph.nodes, *(graph.loss if loss else ()))]


class Totals:
    """Sums over all rows: elements and bytes of the state."""

    __slots__ = ("buffer_bytes", "buffers", "bytes", "frozen", "params", "trainable")

    def __init__(self, graph: Graph, table: list[Row]):
        self.params = sum(row.params for row in table)
        self.trainable = sum(row.trainable for row in table)
        self.frozen = self.params - self.trainable
        self.buffers = sum(row.buffers for row in table)
        sizes: dict[str, list] = {"parameter": [], "buffer": []}
        for _, shape, dtype, kind, node, name in graph.tensors():
            if name not in node.tied:
                sizes[kind].append(prod(shape) * DTYPE_BYTES[dtype] * node.times)
        self.bytes, self.buffer_bytes = sum(sizes["parameter"]), sum(sizes["buffer"])
