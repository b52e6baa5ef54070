"""The figures of a whole network by name: each a number, or a formula in what is free."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .. import facts
from ..arith import prod
from ..errors import NetcalcError, closest


class Quantity(NamedTuple):
    """A figure: how a table heads its column, its unit ("" for a count, "bytes"), and what works it out of a net."""

    title: str
    unit: str
    of: Callable


def rows(net) -> list[facts.Row]:
    """The rows of a net, for one sample where the batch has no value; those of the net asked last are kept."""
    if _last["net"] is not net:
        graph = net.graph
        _last.update(net=net, rows=facts.rows(graph, {graph.batch: 1} if one_sample(net) else {}))
    return _last["rows"]


def one_sample(net) -> bool:
    """Whether the figures are of one sample because the batch has no value."""
    return net.graph.batch in net.graph.free and net.graph.batch not in net.given


_last: dict = {"net": None, "rows": []}


def _sum(name: str):
    return lambda net: facts.total(getattr(row, name) for row in rows(net))


def activations(net):
    """The elements of all layers' outputs of one forward pass."""
    return facts.total(_elements(row) * row.node.times for row in rows(net))


def _elements(row: facts.Row):
    outputs = [row.output] if row.node.parts is None else row.shapes[-1]
    return facts.total(map(prod, outputs))


QUANTITIES: dict[str, Quantity] = {
    "params": Quantity("Param #", "", _sum("params")),
    "trainable": Quantity("Trainable", "", _sum("trainable")),
    "macs": Quantity("MACs", "", _sum("macs")),
    "flops": Quantity("FLOPs", "", _sum("flops")),
    "backward_flops": Quantity("Backward FLOPs", "", _sum("backward_flops")),
    "activations": Quantity("Activations", "", activations),
}


def quantity(net, name: str):
    """The figure of that name, a number or a formula. Raises NetcalcError for an unknown name."""
    if name not in QUANTITIES:
        raise unknown(name, QUANTITIES)
    return QUANTITIES[name].of(net)


def unknown(name: str, known, what: str = "quantity", where: str = "") -> NetcalcError:
    """The error for a name that is none of the known ones."""
    near = closest(name, known)
    help = f"did you mean `{near}`? " if near else ""
    return NetcalcError(f"error: {where}there is no {what} `{name}`\n  help: {help}it is one of {', '.join(known)}")
