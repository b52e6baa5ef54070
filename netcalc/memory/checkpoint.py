"""torch.utils.checkpoint without reentry: a stretch whose saved tensors are dropped, and made again when backward asks.

The forward runs and saves nothing but the inputs of the stretch; the first node that needs a saved tensor runs the whole
stretch once more, up to the last one that is needed (torch/utils/checkpoint.py: _CheckpointFrame, early stop).
"""

from __future__ import annotations

from contextlib import suppress

from .autograd import Node
from .tensors import Tensor


class _EarlyStop(Exception):
    """All that was saved the first time has been saved again."""


def recomputed(op, run, inputs: list[Tensor]) -> list[Tensor]:
    """Run a stretch under a checkpoint; returns its outputs."""
    if not op.grad_mode:
        return run(inputs)
    given, outer = _Inputs(op, inputs), op.dropped
    op.dropped = []
    outputs = run(inputs)
    nodes, op.dropped = op.dropped, outer
    firsts = (node.first if isinstance(node, _Inputs) else node for node in nodes)
    first = next((node for node in firsts if node is not None), None)
    if outer is not None:
        given.first = first
    if first is not None:
        stretch = _Stretch(op, run, given, nodes)
        for number, node in enumerate(nodes):
            if isinstance(node, _Inputs):
                node.outer, node.first = (stretch, number), None  # its operations hold it; it must not hold them
            else:
                node.backward = stretch.asked(number, node.backward)
        if given.held is not None:
            first.saved = [tensor.alias() for tensor in inputs]
            first.places = (op.module,)
    return outputs


class _Inputs:
    """What a stretch is called with (_NoopSaveInputs). It is saved as everything around it is: inside another checkpoint it
    is dropped too, and made again with the rest. first: the first operation of the stretch that would have saved something."""

    def __init__(self, op, inputs: list[Tensor]):
        self.leaves = [tensor if tensor.leaf else None for tensor in inputs]
        self.needs = [tensor.needs_grad for tensor in inputs]
        self.first: Node | None = None
        self.outer: tuple | None = None  # the stretch around it, and its number there
        self.held: list[Tensor] | None = None
        if op.dropped is not None:
            op.dropped.append(self)
            return
        self.held = [tensor.alias() for tensor in inputs]
        if op.again is not None:
            op.again([tensor.alias() for tensor in inputs], [])

    def tensors(self) -> list[Tensor]:
        """The inputs, with gradients of their own where they had some, as the recomputation has them."""
        kept = self.held if self.outer is None else self.outer[0].given(self.outer[1])
        found = zip(kept, self.leaves, self.needs, strict=True)
        return [leaf or (_detached(tensor) if needs else tensor) for tensor, leaf, needs in found]


class _Stretch:
    def __init__(self, op, run, inputs: _Inputs, nodes: list):
        self.op, self.run, self.inputs, self.count = op, run, inputs, len(nodes)
        self.unused = {k for k, node in enumerate(nodes) if isinstance(node, _Inputs) and node.first is None}
        self.autocast = op.autocast
        self.saved: list | None = None

    def asked(self, number: int, backward):
        """The backward of a node that gets its saved tensors by running the stretch again."""

        def run(*gradients):
            kept = self.given(number)
            found = backward(*gradients)
            del kept
            return found

        return run

    def given(self, number: int) -> list[Tensor]:
        """What a node would have saved."""
        if self.saved is None:
            self.again()
        kept, self.saved[number] = self.saved[number], None
        return kept

    def again(self):
        op, layer, module, grads = self.op, self.op.layer, self.op.module, self.op.grad_mode
        inputs = self.inputs.tensors()
        self.saved = []
        outer, op.again = op.again, self._keep
        autocast, casts, op.autocast, op.casts = op.autocast, op.casts, self.autocast, {}  # a region of its own
        op.grad_mode = True
        with suppress(_EarlyStop):
            self.run(inputs)
        op.again, op.grad_mode, op.module = outer, grads, module
        op.autocast, op.casts = autocast, casts
        op.enter(layer)

    def _keep(self, saved: list[Tensor], outputs: list[Tensor]):
        """Keep what a node saves. After the last one, operations that save only what they read do not run at all."""
        self.saved.append([] if len(self.saved) in self.unused else saved)
        if len(self.saved) == self.count:
            made = [output.storage for output in outputs if output is not None]
            first = min((storage.index for storage in made), default=0)
            if all(tensor.storage.index < first for tensor in saved):  # nothing that the operation itself makes
                for storage in made:
                    if storage.holders == 1:
                        storage.bytes = 0
            raise _EarlyStop


def _detached(tensor: Tensor) -> Tensor:
    """The tensor with a gradient of its own."""
    found = tensor.alias()
    found.origin = (Node(0, "input", ("",), (), lambda *g: [], [], 1), 0)
    return found
