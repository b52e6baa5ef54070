"""Later passes as copies of the first: event by event what torch does in three steps, and what running again would record."""

from __future__ import annotations

import pytest

import netcalc
from netcalc.memory import passes, simulate
from netcalc.memory.tape import Rules

from .compare import predicted
from .oracle import measure
from .oracle.traces import beside, parted

HEAD = """
netcalc: 1
name: Copied
input: [N, 6]
layers:
  - a: {Linear: 8}
  - b: ReLU
  - c: {Linear: 4}
  - d: Sigmoid
"""
#: the outputs of a network, whether its passes can be copied
CASES = {
    "one": ("", True),
    "the input too": ("outputs: [d, input]", True),
    "one twice": ("outputs: [d, d]", True),
    "one overwritten": ("  - e: {Linear: 3}\n  - f: {ReLU: {inplace: true}}", True),
    # the other output's layers are never run backward: what they save is there until the next output comes
    "one without a loss": ("outputs: [b, d]\nloss:\n  - l: MSELoss\n    from: b", False),
    "one without a loss, first": ("outputs: [d, b]\nloss:\n  - l: MSELoss\n    from: d", True),
}


@pytest.fixture
def copied(monkeypatch):
    """Whether each pass that was looked at can be copied."""
    found, end = [], passes.Pass.end
    monkeypatch.setattr(passes.Pass, "end", lambda self, held: found.append(end(self, held)) or found[-1])
    return found


@pytest.mark.parametrize("drop", [False, True])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("case", CASES)
def test_like_torch(case, device, drop, copied, private_side):
    lines, may_be = CASES[case]
    net, sizes, cuda = netcalc.load(HEAD + lines), {"N": 3}, device == "cuda"
    torch_has = measure(net, sizes, device, optimizer="adamw", foreach=cuda, steps=3, drop_output=drop)
    run = {"optimizer": "adamw", "options": {"foreach": cuda}, "steps": 3, "drop_output": drop}
    steps = predicted(net, sizes, Rules(cuda=cuda), run, False)
    assert copied == [True] if may_be or drop else copied == [False] * 3
    for ours, theirs in zip(steps, torch_has.events, strict=True):
        position, both = parted(ours, theirs)
        assert position is None, "\n" + beside(*both, position)


def everything(net, **options):
    """A trace in full, with its blocks numbered in the order in which they come."""
    trace = net.memory(2, **options).simulated.trace
    alive, events = {}, []
    for number, (index, change) in enumerate(trace.events):
        block = trace.storages[index]
        born = alive.setdefault(index, number) if change > 0 else alive.pop(index)
        events.append((born, change, str(block.bytes), block.kind, block.layer, block.what))
    return events, trace.marks, trace.layers


@pytest.mark.parametrize(
    "options", [{}, {"optimizer": "radam"}, {"device": "cuda", "amp": "bfloat16"}, {"inplace": True}]
)
@pytest.mark.parametrize("name", ["tiny", "two_input", "resnet18", "vae", "siamese", "lstm_tagger"])
def test_like_running_again(name, options, copied, monkeypatch):
    net = netcalc.load(name)
    found = everything(net, **options)
    assert copied == [True]
    monkeypatch.setattr(passes.Pass, "end", lambda self, held: False)
    assert everything(net, **options) == found


def test_not_with_micro_batches():
    """With several passes for a step the gradients of the one before are there."""
    net = netcalc.load(HEAD)
    step = simulate._Training(
        net.graph, net.exported().emitter, {"N": 2}, simulate.Run(Rules(), accumulate=2)
    )  # fmt: skip
    step.once(1)
    assert step.pattern is None
