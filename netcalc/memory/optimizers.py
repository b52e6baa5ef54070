"""What the optimizers of torch.optim keep and what they need for a step.

State per parameter, and the transients of a step: for the loop over parameters (`foreach=False`) one parameter at a time,
for the multi-tensor one (`foreach=True`, CUDA's default) of all parameters at once, for the fused one none
(torch/optim/*.py of 2.13).
"""

from __future__ import annotations

from .tensors import Tensor

OPTIMIZERS = ("sgd", "sgd-momentum", "nesterov", "adam", "adamw")


class Optimizer:
    def __init__(self, tape, name: str, options: dict):
        self.tape, self.name, self.options = tape, name, options
        self.foreach = options.get("foreach", tape.rules.cuda)
        self.fused = options.get("fused", False)
        self.state: dict[int, list[Tensor]] = {}

    def step(self, leaves: list[Tensor]):
        first = [leaf for leaf in leaves if id(leaf) not in self.state]
        for leaf in first:
            self.state[id(leaf)] = [self._kept(leaf, what) for what in self._states()]
            if self.name in ("adam", "adamw") and (self.fused or not self.tape.rules.cuda):
                self.state[id(leaf)].append(self.tape.make((), "float32", what="step", kind="optimizer"))
        if self.name not in ("adam", "adamw") or self.fused:
            return
        if self.foreach:
            made = [self._scratch(leaf) for leaf in leaves]
            del made
            return
        for leaf in leaves:
            root = self._scratch(leaf)
            denominator = self._scratch(leaf)
            del root
        del denominator

    def _states(self) -> tuple:
        if self.name in ("adam", "adamw"):
            return ("exp_avg", "exp_avg_sq")
        return ("momentum_buffer",) if self.name in ("sgd-momentum", "nesterov") else ()

    def _kept(self, leaf: Tensor, what: str) -> Tensor:
        return self.tape.make(leaf.shape, leaf.dtype, what=what, kind="optimizer")

    def _scratch(self, leaf: Tensor) -> Tensor:
        return self.tape.make(leaf.shape, leaf.dtype, what="optimizer step")
