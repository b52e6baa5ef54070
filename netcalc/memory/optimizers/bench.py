"""Where the steps of the optimizers are written down: tensors made on the tape of a run."""

from __future__ import annotations

from ..tensors import Tensor
from .options import Choice

WHAT = "optimizer step"  # what a temporary of the step holds


class Bench:
    """The state of the parameters, and operations in words that say only what they allocate."""

    def __init__(self, tape, choice: Choice):
        self.tape, self.choice = tape, choice
        self.state: dict[int, dict[str, Tensor]] = {}
        self.steps: dict[int, int] = {}  # of each parameter, by id: the number of the step at work, from 1

    def new(self, tensor: Tensor) -> Tensor:
        """The result of an operation on each element of a tensor, out of place."""
        return self.tape.make(tensor.shape, tensor.dtype, what=WHAT)

    def times(self, a: Tensor, b: Tensor) -> Tensor:
        """The product of two tensors of one shape, which are dropped by their callers."""
        return self.new(a)

    def each(self, tensors: list[Tensor]) -> list[Tensor]:
        """The same of a list (torch._foreach_*)."""
        return [self.new(tensor) for tensor in tensors]

    def keep(self, tensor: Tensor, what: str) -> Tensor:
        """A state as large as a tensor."""
        return self.tape.make(tensor.shape, tensor.dtype, what=what, kind="optimizer")

    def count(self):
        """torch.tensor(1.0), which foreach adds to the counters of steps where these are on the CPU."""
        if not self.tape.rules.cuda:
            self.tape.make((), "float32", what=WHAT)

    def counter(self, what: str) -> Tensor | None:
        """A scalar state of 4 bytes; None where it is not in the memory of the device."""
        if self.tape.rules.cuda and self.choice.implementation != "fused":
            return None
        return self.tape.make((), "float32", what=what, kind="optimizer")

    def negated(self, grads: list[Tensor]) -> list[Tensor]:
        """Gradients of all parameters, of the opposite sign for a step that maximizes."""
        return self.each(grads) if self.choice.maximize else grads

    def decayed(self, grads: list[Tensor]) -> list[Tensor]:
        """Gradients of all parameters with weight decay added: in place where they are copies, as `negated` leaves them."""
        return self.each(grads) if self.choice.coupled and not self.choice.maximize else grads
