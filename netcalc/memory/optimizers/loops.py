"""One step of each optimizer as a loop over the parameters (`_single_tensor_*`), PyTorch's choice on the CPU.

A local lives until it is bound anew in the next round, after its successor was made: so a round holds what is left of the
round before it. Where PyTorch binds the gradient itself first, that is written in a line of its own.
"""

from __future__ import annotations

from ..tensors import Tensor
from .bench import Bench

RECTIFIED = 6  # the first step of radam that is, for the default beta2 of 0.999: rho exceeds 5


def _signed(bench: Bench, grad: Tensor) -> Tensor:
    return bench.new(grad) if bench.choice.maximize else grad


def _decayed(bench: Bench, grad: Tensor) -> Tensor:
    """With the weight decay that is added to the gradient."""
    return bench.new(grad) if bench.choice.coupled else grad


def sgd(bench: Bench, leaves: list[Tensor]):
    choice = bench.choice
    for leaf in leaves:
        grad = _signed(bench, leaf.grad)
        grad = _decayed(bench, grad)
        if choice.momentum:
            state = bench.state.setdefault(id(leaf), {})
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = bench.keep(grad, "momentum_buffer")
            grad = bench.new(grad) if choice.name == "nesterov" else state["momentum_buffer"]


def adam(bench: Bench, leaves: list[Tensor]):
    """adam, adamw, amsgrad, and nadam: sqrt and the division by the bias correction, in one order or the other."""
    for leaf in leaves:
        grad = _signed(bench, leaf.grad)
        grad = _decayed(bench, grad)
        denom = bench.new(bench.new(leaf))
    del grad, denom


def radam(bench: Bench, leaves: list[Tensor]):
    for leaf in leaves:
        grad = _signed(bench, leaf.grad)
        grad = _decayed(bench, grad)
        corrected = bench.new(leaf)
        if bench.steps[id(leaf)] >= RECTIFIED:
            bench.new(bench.times(bench.new(corrected), _adaptive(bench, leaf)))
        else:
            bench.new(corrected)
    del grad, corrected


def _adaptive(bench: Bench, leaf: Tensor) -> Tensor:
    """A number / sqrt, which is in PyTorch the reciprocal, times the number."""
    root = bench.new(leaf)
    found = bench.new(bench.new(root))
    del root
    return found


def rmsprop(bench: Bench, leaves: list[Tensor]):
    """Also adagrad: a gradient, then sqrt or, centered, the square root in place of a difference."""
    for leaf in leaves:
        grad = leaf.grad
        grad = _signed(bench, grad)
        grad = _decayed(bench, grad)
        average = bench.new(leaf)
    del grad, average


def adadelta(bench: Bench, leaves: list[Tensor]):
    for leaf in leaves:
        grad = leaf.grad
        grad = _signed(bench, grad)
        grad = _decayed(bench, grad)
        deviation = bench.new(leaf)
        delta = bench.new(leaf)
    del grad, deviation, delta


def adamax(bench: Bench, leaves: list[Tensor]):
    for leaf in leaves:
        grad = leaf.grad
        grad = _signed(bench, grad)
        grad = _decayed(bench, grad)
        bench.new(grad)  # abs
    del grad


STEPS = {
    "sgd": sgd, "sgd-momentum": sgd, "nesterov": sgd, "adam": adam, "adamw": adam, "amsgrad": adam, "nadam": adam,
    "radam": radam, "rmsprop": rmsprop, "adagrad": rmsprop, "adadelta": adadelta, "adamax": adamax,
}  # fmt: skip
