"""The rows of a network for one sample, where its batch has no value: what sweeps and comparisons count."""

from __future__ import annotations

from .. import facts

_last: dict = {"net": None, "rows": []}


def rows(net) -> list[facts.Row]:
    """The rows of a net, for one sample where the batch has no value; those of the net asked last are kept."""
    if _last["net"] is not net:
        graph = net.graph
        _last.update(net=net, rows=facts.rows(graph, {graph.batch: 1} if one_sample(net) else {}))
    return _last["rows"]


def one_sample(net) -> bool:
    """Whether the figures are of one sample because the batch has no value."""
    return net.graph.batch in net.graph.free and net.graph.batch not in net.given
