"""A random network beside torch in one cell: on the rules of a device, in a dtype, with an optimizer, under FakeTensors."""

from __future__ import annotations

import itertools
from typing import NamedTuple

from netcalc.errors import NetcalcError
from tests.memory.matrix import DTYPES, OPTIMIZERS, Beside, Cell, Network
from tests.memory.oracle import measure

BATCHES = (2, 3, 5)
#: layers whose memory FakeTensors do not show in every cell, or that is in the data
APART = {"LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell", "MixtureOfExperts"}
#: what torch refuses whatever the memory, and FakeTensors besides
REFUSED = ("Expected more than 1", "DataDependentOutput")


class Found(NamedTuple):
    """What both sides say: peaks by phase for each step, bytes saved by module."""

    peaks: list[dict[str, int]]
    saved: dict[str, int]


def of_device(device: str):
    """Cells without end. The lengths of the three lists have no common divisor but for batches and dtypes, which are
    shifted against each other."""
    lists = zip(itertools.cycle(DTYPES), itertools.cycle(OPTIMIZERS), _shifted(BATCHES), strict=False)
    for (dtype, amp), optimizer, batch in lists:
        yield Cell(device, dtype, amp, batch, *optimizer)


def _shifted(options: tuple):
    """Round after round, each started one further on."""
    for start in itertools.count():
        for k in range(len(options)):
            yield options[(start + k) % len(options)]


def network(text: str) -> Beside | None:
    """The network of a spec; None where no cell is for it."""
    beside = Beside(Network(text))
    graph = beside.net.graph
    real = any(value.dtype == "float32" for _, value in graph.outputs)
    return beside if real and not APART.intersection(node.type for node in graph.nodes) else None


def compared(beside: Beside, cell: Cell) -> tuple[Found, Found] | None:
    """netcalc's and torch's side; None where there is nothing to compare, both refusing it."""
    if not any(kind == "parameter" for *_, kind, _, _ in beside.net.graph.tensors()):
        cell = cell._replace(optimizer=None)  # torch has no optimizer of nothing
    try:
        sizes = beside.sizes(cell.batch)
    except NetcalcError:
        return None
    try:
        found = measure(beside.net, sizes, cell.device, dtype=cell.dtype, amp=cell.amp, optimizer=cell.optimizer,
                        foreach=cell.foreach)  # fmt: skip
    except Exception as error:  # whatever torch says
        assert any(words in repr(error) for words in REFUSED) or _refused(beside, cell), error
        return None
    beside.passes = lambda *_: found
    steps = beside.ours(cell)
    return Found(_peaks(found.persistent, steps), beside.saved(cell)[0]), Found(found.peaks, beside.saved(cell)[1])


def _refused(beside: Beside, cell: Cell) -> bool:
    try:
        beside.ours(cell)
    except NetcalcError:
        return True
    return False


def _peaks(persistent: int, steps: list[list]) -> list[dict[str, int]]:
    """The most bytes alive in each phase of each step."""
    found, now = [], persistent
    for step in steps:
        by_phase: dict[str, int] = {}
        for _, size, phase, *_ in step:
            before, now = now, now + size
            by_phase[phase] = max(by_phase.get(phase, 0), before, now)
        found.append(by_phase)
    return found
