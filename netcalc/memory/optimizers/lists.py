"""One step of each optimizer over all parameters at once (`_multi_tensor_*`, foreach), PyTorch's choice on CUDA.

All parameters of a network have one dtype, so PyTorch puts them into one group.
"""

from __future__ import annotations

from ..tensors import Tensor
from .bench import Bench


def sgd(bench: Bench, leaves: list[Tensor]):
    grads = bench.negated([leaf.grad for leaf in leaves])
    grads = bench.decayed(grads)
    if not bench.choice.momentum:
        return
    states = [bench.state.setdefault(id(leaf), {}) for leaf in leaves]
    for state, grad in zip(states, grads, strict=True):
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = bench.keep(grad, "momentum_buffer")


def adam(bench: Bench, leaves: list[Tensor]):
    """adam, adamw, amsgrad: the gradients are dropped before the square root."""
    grads = bench.negated([leaf.grad for leaf in leaves])
    bench.count()
    grads = bench.decayed(grads)
    del grads
    root = bench.each(leaves)
    del root


def radam(bench: Bench, leaves: list[Tensor]):
    bench.count()
    grads = bench.negated([leaf.grad for leaf in leaves])
    grads = bench.decayed(grads)
    del grads
    root = bench.each(leaves)
    del root


def nadam(bench: Bench, leaves: list[Tensor]):
    """Also rmsprop: the gradients are needed to the end."""
    grads = bench.negated([leaf.grad for leaf in leaves])
    bench.count()
    grads = bench.decayed(grads)
    root = bench.each(leaves)
    del grads, root


def adagrad(bench: Bench, leaves: list[Tensor]):
    grads = bench.negated([leaf.grad for leaf in leaves])
    bench.count()
    grads = bench.decayed(grads)
    deviation = bench.each(leaves)
    if not (bench.choice.maximize or bench.choice.coupled):
        numerator = bench.each(grads)
        del numerator
    del grads, deviation


def adadelta(bench: Bench, leaves: list[Tensor]):
    bench.count()
    grads = bench.negated([leaf.grad for leaf in leaves])
    grads = bench.decayed(grads)
    deviation = bench.each(leaves)
    deltas = bench.each(leaves)
    del grads, deviation, deltas


def adamax(bench: Bench, leaves: list[Tensor]):
    grads = bench.negated([leaf.grad for leaf in leaves])
    bench.count()
    grads = bench.decayed(grads)
    if not (bench.choice.maximize or bench.choice.coupled):
        grads = bench.each(grads)  # abs
    del grads


STEPS = {
    "sgd": sgd, "sgd-momentum": sgd, "nesterov": sgd, "adam": adam, "adamw": adam, "amsgrad": adam,
    "radam": radam, "nadam": nadam, "rmsprop": nadam, "adagrad": adagrad, "adadelta": adadelta, "adamax": adamax,
}  # fmt: skip
