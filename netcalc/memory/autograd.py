"""PyTorch's autograd engine as far as memory goes: which node runs when, what it lets go, where gradients add up.

Nodes run by falling sequence number once all gradients of their outputs have come (torch/csrc/autograd/engine.cpp).
"""

from __future__ import annotations

import heapq
from itertools import count

from ..errors import NetcalcError
from .tensors import Tensor, is_dense, like

LEAF_ORDER = -(1 << 62)  # a leaf's gradient is accumulated before anything else


class Node:
    """An operation in the graph. edges: for each input where its gradient goes: (node, output number), a leaf, or None.
    backward: from the gradients of the outputs (None where there is none) to those of the inputs. shapes: those of the
    inputs where gradients are summed to them after the node has run, because the inputs were broadcast. dtypes: those of the
    inputs, to which gradients are cast then. places: the paths of the layer and of the module in whose forward it runs; of a
    checkpoint, which saves its inputs itself, the latter only. call: the layer's node in the layer graph, or None."""

    __slots__ = (
        "backward",
        "call",
        "dtypes",
        "edges",
        "layer",
        "name",
        "order",
        "outputs",
        "places",
        "saved",
        "shapes",
    )

    def __init__(self, order: int, name: str, places: tuple, edges: tuple, backward, saved: list, outputs: int):
        self.order, self.name, self.places, self.edges = order, name, places, edges
        self.layer: str = places[0]
        self.backward, self.saved, self.outputs = backward, saved, outputs
        self.shapes: tuple | None = None
        self.dtypes: tuple = ()
        self.call = None


def edge(tensor: Tensor | None):
    if tensor is None:
        return None
    return tensor if tensor.leaf else tensor.origin


def nodes_below(root: Node) -> dict[int, int]:
    """How many edges lead to each node and leaf (by id) that can be reached from one."""
    found: dict[int, int] = {}
    stack = [root]
    while stack:
        for target in stack.pop().edges:
            if target is None:
                continue
            leaf = type(target) is Tensor
            into = target if leaf else target[0]
            key = id(into)
            before = found.get(key, 0)
            if not before and not leaf:
                stack.append(into)
            found[key] = before + 1
    return found


def reachable(roots: list[Node]) -> list[Node]:
    """The nodes that can be reached from some, in the order in which they were made."""
    found = {id(root): root for root in roots}
    stack = list(found.values())
    while stack:
        for target in stack.pop().edges:
            if target is not None and type(target) is not Tensor and id(target[0]) not in found:
                found[id(target[0])] = target[0]
                stack.append(target[0])
    return sorted(found.values(), key=lambda node: node.order)


class Engine:
    """One backward pass. tape: makes tensors and knows which layer is at work. in_place: whether gradients may be added
    in place, as plain eager mode does (under a dispatch mode they never are)."""

    def __init__(self, tape, in_place: bool = True):
        self.tape, self.in_place = tape, in_place
        self.buffers: dict[int, list] = {}
        self.heap: list[tuple] = []
        self.tie = count()

    def run(self, root: Node, gradient: Tensor):
        self.missing = nodes_below(root)
        self.buffers[id(root)] = [gradient, *[None] * (root.outputs - 1)]
        del gradient
        self._ready(root)
        while self.heap:
            item = heapq.heappop(self.heap)[2]
            if isinstance(item, Tensor):
                self._accumulate(item, self.buffers.pop(id(item))[0])
            else:
                self._run(item)

    def _ready(self, item):
        order = LEAF_ORDER if isinstance(item, Tensor) else -item.order
        heapq.heappush(self.heap, (order, next(self.tie), item))

    def _run(self, node: Node):
        self.tape.enter(node.layer)
        gradients = self.buffers.pop(id(node))
        backward, node.backward = node.backward, None
        if gradients.count(None) == len(gradients):
            given = [None] * len(node.edges)
        else:
            _intact(node)
            given = backward(*gradients)
            given = [given] if given is None or type(given) is Tensor else list(given)
        del backward
        self._fitted(node, given)
        del gradients
        node.saved = ()
        added = []  # gradients that were added to others: they go when all are delivered
        for number, target in enumerate(node.edges):
            gradient, given[number] = given[number], None
            if target is not None and self._deliver(target, gradient):
                added.append(gradient)
            del gradient

    def _fitted(self, node: Node, given: list):
        """validate_outputs: gradients take the shape and the dtype of the inputs, one after the other."""
        for number, dtype in enumerate(node.dtypes):
            if given[number] is None:
                continue
            if node.shapes is not None:
                given[number] = self.tape.summed_to(given[number], node.shapes[number])
            if given[number].dtype != dtype:
                given[number] = self.tape.make(
                    given[number].shape, dtype, like(given[number]), what="cast of the gradient"
                )

    def _deliver(self, target, gradient: Tensor | None) -> bool:
        """Hand a gradient on; whether it was added to one that was there."""
        added = False
        leaf = type(target) is Tensor
        into, slot = (target, 0) if leaf else target
        key = id(into)
        buffer = self.buffers.get(key)
        if gradient is not None:
            if buffer is None:
                buffer = self.buffers[key] = [None] * (1 if leaf else into.outputs)
            if buffer[slot] is None:
                buffer[slot] = gradient
            else:
                added = True
                self._add(buffer, slot, gradient)
        missing = self.missing[key] = self.missing[key] - 1
        if not missing:
            if buffer is None:
                if leaf:
                    return added
                self.buffers[key] = [None] * into.outputs
            self._ready(into)
        return added

    def _add(self, buffer: list, slot: int, gradient: Tensor):
        """Add a gradient to one that is there: in place where nobody else holds that one."""
        before = buffer[slot]
        if not (self.in_place and before.storage.holders == 1 and is_dense(before)):
            buffer[slot] = self.tape.make(gradient.shape, gradient.dtype, like(before), what="sum of gradients")

    def _accumulate(self, leaf: Tensor, gradient: Tensor):
        """AccumulateGrad: the gradient is taken over where nobody else holds it, else copied; later ones are added to it."""
        if leaf.grad is not None:
            return
        if gradient.sole and gradient.strides == leaf.strides:
            leaf.grad = gradient
        else:
            leaf.grad = self.tape.make(leaf.shape, leaf.dtype)
        storage = leaf.grad.storage
        if storage.kind != "gradients":  # else it holds those of several parameters
            storage.kind, storage.what = "gradients", f"gradient of {leaf.name}"


def _intact(node: Node):
    """PyTorch's check of version counters, which a node makes when it takes what it has saved."""
    for tensor in node.saved:
        if tensor.version != len(tensor.storage.overwriters):
            by = tensor.storage.overwriters[tensor.version]
            raise NetcalcError(
                f"error: {by} overwrites what {node.layer} needs for its backward pass, so PyTorch refuses to train this\n"
                f"  help: leave inplace out of {by}"
            )
