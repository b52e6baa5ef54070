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
    outer, op.dropped = op.dropped, []
    outputs = run(inputs)
    nodes, op.dropped = op.dropped, outer
    if nodes:
        stretch = _Stretch(op, run, list(inputs), len(nodes))
        for number, node in enumerate(nodes):
            node.backward = stretch.asked(number, node.backward)
        nodes[0].saved = [tensor.alias() for tensor in inputs]
        nodes[0].places = (op.module,)
    return outputs


class _Stretch:
    def __init__(self, op, run, inputs: list[Tensor], count: int):
        self.op, self.run, self.inputs, self.count = op, run, inputs, count
        self.autocast = op.autocast
        self.saved: list | None = None

    def asked(self, number: int, backward):
        """The backward of a node that gets its saved tensors by running the stretch again."""

        def run(*gradients):
            if self.saved is None:
                self.again()
            kept, self.saved[number] = self.saved[number], None
            found = backward(*gradients)
            del kept
            return found

        return run

    def again(self):
        op, layer, module, grads = self.op, self.op.layer, self.op.module, self.op.grad_mode
        self.saved = []
        outer, op.again = op.again, self._keep
        autocast, casts, op.autocast, op.casts = op.autocast, op.casts, self.autocast, {}  # a region of its own
        op.grad_mode = True
        with suppress(_EarlyStop):
            self.run([_detached(tensor) for tensor in self.inputs])
        op.again, op.grad_mode, op.module = outer, grads, module
        op.autocast, op.casts = autocast, casts
        op.enter(layer)

    def _keep(self, saved: list[Tensor], outputs: list[Tensor]):
        """Keep what a node saves. After the last one, operations that save only what they read do not run at all."""
        self.saved.append(saved)
        if len(self.saved) == self.count:
            made = [output.storage for output in outputs if output is not None]
            first = min((storage.index for storage in made), default=0)
            if all(tensor.storage.index < first for tensor in saved):  # nothing that the operation itself makes
                for storage in made:
                    if storage.holders == 1:
                        storage.bytes = 0
            raise _EarlyStop


def _detached(tensor: Tensor) -> Tensor:
    """The tensor with a gradient of its own, as the recomputation has it."""
    if not tensor.needs_grad or tensor.leaf:
        return tensor
    found = tensor.alias()
    found.origin = (Node(0, "input", ("",), (), lambda *g: [], [], 1), 0)
    return found
