"""torch.utils.checkpoint without reentry: a stretch whose saved tensors are dropped, and made again when backward asks.

The forward runs with its saved tensors replaced by placeholders; the first node whose saved tensors are asked for runs
the whole stretch once more (torch/utils/checkpoint.py, _CheckpointFrame; early stop after the last one that is needed).
"""

from __future__ import annotations

from .autograd import Node, reachable
from .tensors import Tensor


def recomputed(op, run, inputs: list[Tensor]) -> list[Tensor]:
    """Run a stretch under a checkpoint; returns its outputs."""
    if not op.grad_mode:
        return run(inputs)
    before = op.order
    outputs = run(inputs)
    nodes = [node for node in _made(outputs, before) if node.saved]
    if nodes:
        stretch = _Stretch(op, run, [tensor for tensor in inputs], nodes)
        for node in nodes:
            node.saved = ()
            node.backward = stretch.asked(node, node.backward)
    return outputs


def _made(outputs: list[Tensor], before: int) -> list[Node]:
    found: dict[int, Node] = {}
    for output in outputs:
        if output is not None and output.origin is not None and output.origin[0].order > before:
            found.update((node.order, node) for node in reachable(output.origin[0]) if node.order > before)
    return [found[order] for order in sorted(found)]


class _Stretch:
    def __init__(self, op, run, inputs: list[Tensor], nodes: list[Node]):
        self.op, self.run, self.inputs = op, run, inputs
        self.numbers = {node.order: number for number, node in enumerate(nodes)}
        self.saved: list | None = None

    def asked(self, node: Node, backward):
        number = self.numbers[node.order]

        def run(*gradients):
            if self.saved is None:
                self.again()
            kept, self.saved[number] = self.saved[number], None
            found = backward(*gradients)
            del kept
            return found

        return run

    def again(self):
        op, layer = self.op, self.op.layer
        before, grads = op.order, op.grad_mode
        op.grad_mode = True
        inputs = [_detached(tensor) for tensor in self.inputs]
        outputs = self.run(inputs)
        nodes = [node for node in _made(outputs, before) if node.saved]
        self.saved = [node.saved for node in nodes]
        op.grad_mode, self.inputs = grads, []
        op.enter(layer)


def _detached(tensor: Tensor) -> Tensor:
    """The tensor with a gradient of its own, as the recomputation has it."""
    if not tensor.needs_grad or tensor.leaf:
        return tensor
    found = tensor.alias()
    found.origin = (Node(0, "input", "", (), lambda *g: [], [], 1), 0)
    return found
