"""What the optimizers of torch.optim keep and what they need for a step, in bytes and in the order of PyTorch 2.13.

The step is written as in torch/optim/*.py, in three ways: one parameter after the other (`loops`), all parameters at once
(`lists`, foreach), and fused, in kernels that need no memory of their own. Handles are held by locals where PyTorch's are, so
a list that it holds until the end of the step is alive here as long.

Counters: PyTorch counts the steps of each parameter in a tensor of 4 bytes (nadam has another one), which is on the CPU, and
so in the memory of a CPU run only; those of fused implementations are on the device.

Left out: the number in `tensor * number` is a tensor of 8 bytes on the CPU while a kernel starts, and one of 4 bytes in the
dtype of the other operand. So the allocator of a real CPU step sees up to 12 bytes more than what is counted here. It is
so in every operation with a number, not only in optimizers, and trackers of storages do not see it.
"""

from __future__ import annotations

from ..tensors import Tensor
from . import lists, loops
from .bench import Bench
from .options import IMPLEMENTATIONS, OPTIMIZERS, Choice, chosen

__all__ = ["IMPLEMENTATIONS", "OPTIMIZERS", "Optimizer", "settled"]

COUNTERS = ("step", "mu_product")
STATE = {
    "adam": ("step", "exp_avg", "exp_avg_sq"),
    "adamw": ("step", "exp_avg", "exp_avg_sq"),
    "amsgrad": ("step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"),
    "rmsprop": ("step", "square_avg", "momentum_buffer", "grad_avg"),
    "adagrad": ("step", "sum"),
    "adadelta": ("step", "square_avg", "acc_delta"),
    "adamax": ("step", "exp_avg", "exp_inf"),
    "nadam": ("step", "mu_product", "exp_avg", "exp_avg_sq"),
    "radam": ("step", "exp_avg", "exp_avg_sq"),
}


def settled(name: str, options: dict, cuda: bool) -> int:
    """The number of the first step, counted from 1, that needs what all later steps need."""
    choice = chosen(name, options, cuda)
    return loops.RECTIFIED if name == "radam" and choice.implementation == "for-loop" else 2


class Optimizer:
    """An optimizer of a run. options: see `options.chosen`. parameters: those it is made with; adagrad makes its state for
    them at once, the others in the first step in which a parameter has a gradient."""

    def __init__(self, tape, name: str, options: dict, parameters: list[Tensor] = ()):
        self.choice = chosen(name, options, tape.rules.cuda)
        self.bench = Bench(tape, self.choice)
        if name == "adagrad":
            self._prepare(parameters)

    def step(self, leaves: list[Tensor]):
        """One step of parameters that have a gradient."""
        for leaf in leaves:
            self.bench.steps[id(leaf)] = self.bench.steps.get(id(leaf), 0) + 1
        name, implementation = self.choice.name, self.choice.implementation
        if name in STATE:
            self._prepare(leaves)
        if not leaves:
            return
        if implementation == "fused":
            self._fused(leaves)
        else:
            (lists if implementation == "foreach" else loops).STEPS[name](self.bench, leaves)

    def _prepare(self, leaves: list[Tensor]):
        """Make the state that is missing, parameter by parameter."""
        kept = _kept(self.choice)
        for leaf in leaves:
            if id(leaf) not in self.bench.state:
                self.bench.state[id(leaf)] = {
                    what: self.bench.counter(what) if what in COUNTERS else self.bench.keep(leaf, what) for what in kept
                }

    def _fused(self, leaves: list[Tensor]):
        """Only the momentum of sgd is made here, in the first step."""
        if self.choice.name in STATE or not self.choice.momentum:
            return
        for leaf in leaves:
            if id(leaf) not in self.bench.state:
                self.bench.state[id(leaf)] = {"momentum_buffer": self.bench.keep(leaf.grad, "momentum_buffer")}


def _kept(choice: Choice) -> list[str]:
    """The names of the states of a parameter, in the order in which they are made."""
    asked = {"momentum_buffer": choice.momentum, "grad_avg": choice.centered}
    return [what for what in STATE[choice.name] if asked.get(what, True)]
