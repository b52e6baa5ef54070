"""The columns of a sweep: figures of a whole network, of one sample where the batch has no value."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..errors import NetcalcError, closest
from ..facts import total
from ..report import quantities
from ..report.one_sample import rows

TITLES = {
    "params": "Param #", "trainable": "Trainable", "macs": "MACs", "flops": "FLOPs", "backward_flops": "Backward FLOPs",
    "activations": "Activations",
}  # fmt: skip


class Quantity(NamedTuple):
    """A figure: how a table heads its column, its unit ("" for a count, "bytes"), what works it out of a net, and the
    attribute of rows that it is the sum of, if it is."""

    title: str
    unit: str
    of: Callable
    row: str | None = None


def _of(row: str) -> Callable:
    return lambda net: total(getattr(found, row) for found in rows(net))


QUANTITIES: dict[str, Quantity] = {
    name: Quantity(title, "", _of(quantities.quantity(name).row), quantities.quantity(name).row)
    for name, title in TITLES.items()
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
