"""A checkpoint inside a checkpoint: what the inner one is called with is dropped and made again, as all else in the outer one."""

from __future__ import annotations

import itertools

import pytest

import netcalc
from netcalc.memory import simulate
from netcalc.memory.tape import Rules
from netcalc.memory.timeline import Timeline
from tests.memory import measured

HEAD = """
netcalc: 1
name: Nested
input: [N, 6, 8]
layers:
  - a: {Linear: 8}
  - body: Unit
    checkpoint: true
blocks:
  Unit:
    layers:
"""
BEFORE = {"first": "", "after": "      - p: Exp\n      - q: {Linear: 8}\n"}
INNER = ("Linear: 5", "AvgPool1d: {kernel_size: 1, stride: 1}", "ReLU: {}", "Sigmoid: {}")
AFTER = {"last": "", "before": "      - r: Exp\n"}


@pytest.mark.parametrize("before, inner, after", list(itertools.product(BEFORE, INNER, AFTER)))
def test_nested(before, inner, after):
    text = f"{HEAD}{BEFORE[before]}      - s: {{{inner}}}\n        checkpoint: true\n{AFTER[after]}"
    net, sizes = netcalc.load(text), {"N": 2}
    found = simulate.training(net.graph, net.exported().emitter, sizes, simulate.Run(Rules(in_place=False)))
    assert sum(saved.storage.bytes for saved in found.saved) == measured.saved(net, sizes)
    peak, _ = measured.peak(net, sizes)
    assert Timeline(found.trace).peak(step=2).bytes == peak
