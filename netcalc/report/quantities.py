"""What a formula can be asked for, a sweep can rank by, and an equation can be solved for: figures of a whole network.

A new one is one entry: its name, its unit, and the function from a network to its number or formula.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .. import facts
from ..errors import NetcalcError, closest
from ..facts import total


class Quantity(NamedTuple):
    """A figure of a network. of: its number or formula. row: the attribute of a row that it is the sum of, if it is.
    ones: whether its formula can be another one where a size is 1."""

    name: str
    unit: str
    about: str
    of: Callable
    row: str | None = None
    ones: bool = False


def _sum(name: str) -> Callable:
    return lambda net: total(getattr(row, name) for row in facts.rows(net.graph))


def _peak(net):
    return net.memory(symbolic=True).peak.bytes


def _rows(name: str, unit: str, about: str, row: str) -> Quantity:
    return Quantity(name, unit, about, _sum(row), row)


QUANTITIES: dict[str, Quantity] = {
    quantity.name: quantity
    for quantity in (
        _rows("params", "parameters", "learnable elements", "params"),
        _rows("trainable", "parameters", "learnable elements that are not frozen", "trainable"),
        _rows("macs", "MACs", "multiply-accumulates of a forward pass", "macs"),
        _rows("flops", "FLOPs", "operations of a forward pass", "flops"),
        _rows("backward-flops", "FLOPs", "operations of a backward pass", "backward_flops"),
        _rows("activations", "elements", "elements of the outputs of all layers", "activations"),
        Quantity(
            "peak",
            "bytes",
            "the most memory that a training step takes: forward, loss and backward, on the CPU",
            _peak,
            ones=True,
        ),
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
    """The quantity of that name. Raises NetcalcError with what there is."""
    found = QUANTITIES.get(name.replace("_", "-"))
    if found is None:
        near = closest(name, QUANTITIES)
        help = f"did you mean `{near}`? " if near else ""
        raise NetcalcError(
            f"error: there is no quantity `{name}`\n  help: {help}The quantities are {', '.join(QUANTITIES)}"
        )
    return found
