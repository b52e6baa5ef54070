"""The training loop that the simulation follows, run by torch."""

from __future__ import annotations

import contextlib

from ..export import live

#: torch's class and arguments of every optimizer that `netcalc.memory` knows
OPTIMIZERS = {
    "sgd": ("SGD", {"lr": 1e-3}),
    "sgd-momentum": ("SGD", {"lr": 1e-3, "momentum": 0.9}),
    "nesterov": ("SGD", {"lr": 1e-3, "momentum": 0.9, "nesterov": True}),
    "adam": ("Adam", {}),
    "adamw": ("AdamW", {"weight_decay": 0}),
    "amsgrad": ("Adam", {"amsgrad": True}),
    "rmsprop": ("RMSprop", {}),
    "adagrad": ("Adagrad", {}),
    "adadelta": ("Adadelta", {}),
    "adamax": ("Adamax", {}),
    "nadam": ("NAdam", {}),
    "radam": ("RAdam", {}),
}


def optimizer(name: str, parameters, **how):
    """One of torch.optim. how: `foreach`, `fused` and other arguments."""
    kind, given = OPTIMIZERS[name]
    return getattr(live.torch_module().optim, kind)(parameters, **{**given, **how})


class Loop:
    """Steps of `out = model(x); loss = loss_of(out, target); loss.backward(); optimizer.step()`.

    The batch, its targets, `out` and `loss` are held from one step to the next. on_phase: called with the name of a phase
    and the number of the step when the phase starts, and with "end" at the end.
    """

    def __init__(self, model, loss_of, inputs, targets, optimizer=None, on_phase=None, autocast=contextlib.nullcontext,
                 accumulate: int = 1, drop_output: bool = False):  # fmt: skip
        self.model, self.loss_of, self.inputs, self.targets, self.optimizer = model, loss_of, inputs, targets, optimizer
        self.on_phase, self.autocast = on_phase or (lambda phase, step: None), autocast
        self.accumulate, self.drop_output = accumulate, drop_output

    @property
    def held(self) -> list:
        """What is there before the first step."""
        state = self.optimizer.state.values() if self.optimizer else ()
        tensors = [value for one in state for value in one.values() if hasattr(value, "untyped_storage")]
        return [*self.model.parameters(), *self.model.buffers(), *self.inputs, *self.targets, *tensors]

    def warm_up(self):
        """One step that nobody watches, without the optimizer: what torch imports in its first one can hold on to tensors."""
        kept = self.optimizer, self.on_phase
        self.optimizer, self.on_phase = None, lambda phase, step: None
        self.run(1)
        self.model.zero_grad(set_to_none=True)
        self.optimizer, self.on_phase = kept

    def run(self, steps: int):
        model, inputs, targets, loss_of = self.model, self.inputs, self.targets, self.loss_of
        for step in range(1, steps + 1):
            self.on_phase("forward", step)
            (self.optimizer or model).zero_grad(set_to_none=True)
            for number in range(self.accumulate):
                if number:
                    self.on_phase("forward", step)
                with self.autocast():
                    if self.drop_output:
                        loss = loss_of(model(*inputs), *targets)
                    else:
                        out = model(*inputs)
                        self.on_phase("loss", step)
                        loss = loss_of(out, *targets)
                self.on_phase("backward", step)
                if loss is not None and loss.requires_grad:  # not where nothing is trained
                    loss.backward()
            if self.optimizer:
                self.on_phase("optimizer", step)
                self.optimizer.step()
        self.on_phase("end", steps)
        out = loss = None


def targets(names: dict, model, inputs) -> tuple:
    """The targets of a batch, as they are there before a step."""
    if "example_targets" not in names:
        return ()
    with live.torch_module().no_grad():
        return tuple(target.clone() for target in names["example_targets"](model(*inputs)))
