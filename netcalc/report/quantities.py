"""What a formula can be asked for, a sweep can rank by, and an equation can be solved for: figures of a whole network.

A new one is one entry: its name, its unit, and the function from a network to its number or formula.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .. import facts
from ..errors import NetcalcError, closest
from ..memory.timeline import Timeline
from .sample import sample


class Quantity(NamedTuple):
    """A figure of a network. of: its number or formula. row: the attribute of a row that it is the sum of, if it is. run:
    where the formula is that of a run, it and the sizes that run alike. title: the head of its column."""

    name: str
    unit: str
    about: str
    of: Callable
    row: str | None = None
    run: Callable | None = None
    title: str = ""


def _sum(name: str) -> Callable:
    return lambda net: sum(getattr(row, name) for row in facts.rows(net.graph))


def _run(net) -> tuple:
    """The peak of a training step, and the sizes for which it is that."""
    point = sample(net.graph, {})
    if net.graph.free and not point:
        raise NetcalcError("error: no sizes were found that meet the conditions of this network\n"
                           "  help: give values: --set NAME=VALUE")  # fmt: skip
    step = net.step(point)
    domain = step.domain(net.graph.open_conditions({}))
    from_one = domain.from_one(name for name, size in domain.least.items() if size == 2)  # it often holds there too
    return Timeline(step.trace, from_one).peak().bytes, domain


def _peak(net):
    return _run(net)[0]


def _rows(name: str, title: str, unit: str, about: str) -> Quantity:
    return Quantity(name, unit, about, _sum(name), name, title=title)


_STEP = "the most memory that a training step takes: forward, loss and backward, on the CPU"
QUANTITIES: dict[str, Quantity] = {
    quantity.name: quantity
    for quantity in (
        _rows("params", "Param #", "parameters", "learnable elements"),
        _rows("trainable", "Trainable", "parameters", "learnable elements that are not frozen"),
        _rows("macs", "MACs", "MACs", "multiply-accumulates of a forward pass"),
        _rows("flops", "FLOPs", "FLOPs", "operations of a forward pass"),
        _rows("backward_flops", "Backward FLOPs", "FLOPs", "operations of a backward pass"),
        _rows("activations", "Activations", "elements", "elements of the outputs of all layers"),
        Quantity("peak", "bytes", _STEP, _peak, run=_run, title="Peak"),
    )
}


def unmodelled(net, asked: Quantity) -> tuple:
    """What part of the work is not known, in words: the quantity is then a lower bound."""
    if asked.row not in ("macs", "flops", "backward_flops"):
        return ()
    rows = facts.rows(net.graph)
    return tuple(
        dict.fromkeys(f"{row.path} ({row.type}): {row.work.unmodelled}" for row in rows if row.work.unmodelled)
    )


def quantity(name: str) -> Quantity:
    """The quantity of that name, written with - or _. Raises NetcalcError with what there is."""
    known = [word for word in (name, name.replace("-", "_"), name.replace("_", "-")) if word in QUANTITIES]
    if not known:
        raise unknown(name, QUANTITIES)
    return QUANTITIES[known[0]]


def unknown(name: str, known, what: str = "quantity", where: str = "") -> NetcalcError:
    """The error for a name that is none of the known ones."""
    near = closest(name, known)
    help = f"did you mean `{near}`? " if near else ""
    return NetcalcError(f"error: {where}there is no {what} `{name}`\n  help: {help}it is one of {', '.join(known)}")
