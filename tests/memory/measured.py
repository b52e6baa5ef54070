"""What torch keeps and allocates on the CPU for a network, to lay beside the simulation: the whole of what
`netcalc.oracle` follows by module and by phase."""

from __future__ import annotations

import torch

from netcalc.export import live
from netcalc.oracle import loop, peaks
from netcalc.oracle.saved import Kept


def module(net, sizes: dict):
    """The exported module in training mode, its namespace, and random inputs."""
    names = live.namespace(net.export_torch())
    torch.manual_seed(0)
    return names[net.graph.spec.name]().train(), names, live.inputs(net.graph, sizes, "cpu")


def saved(net, sizes: dict) -> int:
    """The bytes that the graph keeps at the end of the loss, parameters and buffers left out."""
    model, names, inputs = module(net, sizes)
    targets, kept = loop.targets(names, model, inputs), Kept(model, [])
    with kept.hooks():
        loss = names["loss_of"](model(*inputs), *targets)
    found = sum(kept.by_module().values())
    del loss
    return found


def peak(net, sizes: dict) -> tuple[int, list[int]]:
    """The most bytes alive in the second step, without an optimizer, as a dispatch mode sees them; how many tokens each
    expert got, in order."""
    model, names, inputs = module(net, sizes)
    targets = loop.targets(names, model, inputs)
    found, shares = peaks.of_live_storages(loop.Loop(model, names["loss_of"], inputs, targets), 2)
    return max(size for (_, step), size in found.items() if step == 2), shares
