"""The record of a run: storages as they are made, events as they come and go, operations as autograd nodes.

`Tape` is the ground on which the operations (`netcalc.memory.ops`) stand; it knows the rules of a run: on which device,
in training or evaluation, with or without gradients, under autocast or not.
"""

from __future__ import annotations

from typing import NamedTuple

from ..arith import prod
from ..language.names import DTYPE_BYTES
from .autograd import Node, edge
from .tensors import Storage, Tensor


class Rules(NamedTuple):
    """What decides between PyTorch's ways of doing the same thing.

    cuda: CUDA's choices (bool dropout masks, cuDNN batch norm, fused attention), else the CPU's. in_place: gradients are
    added in place, as in plain eager mode; False for what a dispatch mode sees. training: dropout and batch statistics.
    autocast: the dtype of an autocast region, or None. onednn: the dtypes in which oneDNN works on this CPU.
    """

    cuda: bool = False
    in_place: bool = True
    training: bool = True
    autocast: str | None = None
    dtype: str = "float32"
    onednn: tuple = ("float32", "bfloat16", "float16")


class Trace:
    """What a run did.

    storages: every block of memory. events: (index of a storage, +1 allocated or -1 freed), in order; what has gone may come
    again in a later step. marks: (position in the events, phase, number of the step), where a phase starts. layers:
    (position, path): the layer at work from there.
    """

    def __init__(self):
        self.storages: list[Storage] = []
        self.events: list[tuple[int, int]] = []
        self.marks: list[tuple[int, str, int]] = []
        self.layers: list[tuple[int, str]] = []

    def ended(self) -> Trace:
        """Itself, closed: that the simulation's own tensors go some time later is no event of the run."""
        self.events = self.events.copy()
        return self


class Tape:
    def __init__(self, rules: Rules):
        self.rules, self.trace = rules, Trace()
        self.storages, self.events = self.trace.storages, self.trace.events
        self.layer = ""
        self.node = None  # of the layer graph: the call of a layer that is at work
        self.module = ""  # the path of the module whose forward runs
        self.kind = "temporary"  # of what is made now
        self.grad_mode = True
        self.order = 0
        self.autocast: str | None = None
        self.dropped: list[Node] | None = None  # under a checkpoint: the nodes that would have saved something
        self.again = None  # while a stretch is run again: what to do with what is saved
        self.casts: dict[int, Tensor] = {}  # parameters in the dtype of the autocast region, by id

    # -- where things happen

    def enter(self, layer: str):
        if layer != self.layer:
            self.layer = layer
            self.trace.layers.append((len(self.events), layer))

    def mark(self, phase: str, step: int):
        self.trace.marks.append((len(self.events), phase, step))

    # -- making tensors

    def make(self, shape, dtype: str, strides=None, what: str = "", kind: str | None = None, room=None) -> Tensor:
        """A new tensor of its own storage. room: the elements that the storage has, where they are more than the shape's."""
        size = (prod(shape) if room is None else room) * DTYPE_BYTES[dtype]
        return Tensor(self.store(size, what, kind), shape if type(shape) is tuple else tuple(shape), dtype, strides)

    def store(self, size, what: str, kind: str | None = None) -> Storage:
        """A new storage of so many bytes."""
        storage = Storage(len(self.storages), size, kind or self.kind, self.layer, what, self.events)
        self.storages.append(storage)
        self.events.append((storage.index, 1))
        return storage

    def inside(self, shape, dtype: str, what: str) -> Tensor | None:
        """What a kernel makes for itself: None where only what a dispatch mode sees counts."""
        return self.make(shape, dtype, what=what) if self.rules.in_place else None

    def scratch(self, size, what: str):
        """So many bytes that an operation takes and gives back."""
        Tensor(self.store(size, what), (), "uint8")

    # -- the graph

    def recording(self, *inputs: Tensor | None) -> bool:
        if self.grad_mode:
            for t in inputs:
                if t is not None and (t.leaf or t.origin is not None):
                    return True
        return False

    def record(self, name: str, outputs, inputs, backward, saved=()):
        """Note an operation: which tensors it saves, and how gradients go through it.

        outputs: a tensor, or a list. inputs: the tensors that gradients may go to. backward: a function of the gradients
        of the outputs that gives those of the inputs. Returns the outputs.
        """
        if not self.recording(*inputs):
            return outputs
        listed = outputs if isinstance(outputs, list) else [outputs]
        kept = [] if self.dropped is not None else [tensor.alias() for tensor in saved if tensor is not None]
        if self.again is not None and kept and self.dropped is None:
            again, kept = kept, []
            self.again(again, listed)
        self.order += 1
        node = Node(self.order, name, (self.layer, self.module), tuple(map(edge, inputs)), backward, kept, len(listed))
        node.call = self.node
        node.dtypes = tuple([None if tensor is None else tensor.dtype for tensor in inputs])
        if self.dropped is not None and any(tensor is not None for tensor in saved):
            self.dropped.append(node)
        for number, output in enumerate(listed):
            if output is not None:
                output.origin = (node, number)
        return outputs
