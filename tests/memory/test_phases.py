"""Where a phase begins and ends: micro-batches have a forward pass each."""

from __future__ import annotations

import gc

import pytest

import netcalc
from netcalc.memory import simulate
from netcalc.memory.tape import Rules
from netcalc.memory.timeline import Timeline
from netcalc.oracle import loop, peaks
from tests.memory.measured import module


def test_the_forward_of_every_micro_batch_is_forward():
    memory = netcalc.load("mlp").memory(4, accumulate=2)
    names = [phase.name for phase in memory.timeline.phases if phase.step == 1]
    assert names == ["forward", "loss", "backward"] * 2


@pytest.mark.parametrize("name", ["mlp", "lenet5", "tiny"])
def test_peaks_of_micro_batches_are_those_of_torch(name):
    net, sizes = netcalc.load(name), {"N": 2}
    model, names, inputs = module(net, sizes)
    targets = loop.targets(names, model, inputs)
    found = peaks.of_live_storages(loop.Loop(model, names["loss_of"], inputs, targets, accumulate=2), 2).peaks
    run = simulate.Run(Rules(in_place=False), accumulate=2)
    line = Timeline(simulate.training(net.graph, net.exported().emitter, sizes, run).trace)
    assert {phase: line.peak(*phase).bytes for phase in found} == found


def test_nothing_happens_after_the_last_step():
    """What the simulation itself held is freed when Python collects it; the trace of the step has that end open."""
    memory = netcalc.load("mlp").memory(4, optimizer="adamw")
    gc.collect()
    kept = memory.bytes["parameters"] + memory.bytes["optimizer"] + memory.bytes["gradients"]
    assert memory.timeline.levels()[-1] >= kept
    steps = memory.timeline.phases
    assert [phase.name for phase in steps if phase.step == 2] == ["forward", "loss", "backward", "optimizer"]
