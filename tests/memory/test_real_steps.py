"""Real training steps on the CPU, seen by the allocator alone, beside the rules of eager mode: no dispatch mode, no FakeTensors.

Every block that is predicted comes, and at the end of each phase as many bytes are alive as predicted. What comes besides is
given back by the kernel that took it: numbers that become tensors, and the buffers of some kernels.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import pytest

import netcalc
from netcalc.export import examples
from netcalc.memory.tape import Rules

from .compare import predicted
from .oracle import measure
from .oracle.traces import beside, stops_being_within

#: `tensor * number`: a number of 8 bytes, and one of 4 in the dtype of the other operand
NUMBER = 12


class Case(NamedTuple):
    """args: arguments that make it small. above: {phase: bytes by which the real peak of the second step is above the
    predicted one}. held: {phase: bytes alive at its end beyond the prediction}: numbers that a product saves, of 8 bytes each,
    which saved_tensors_hooks do not show. buffers: phases in which convolutions have buffers, which differ from CPU to CPU. in_order: whether all
    events come in the predicted order."""

    args: dict = {}
    above: dict = {}
    held: dict = {}
    buffers: tuple = ()
    in_order: bool = True


CONVOLUTIONS = ("forward", "backward")
CASES = {
    "mlp": Case(above={"loss": NUMBER}),  # by which the sum of squares is divided
    "two_input": Case(above={"loss": 8}, buffers=CONVOLUTIONS),
    "lenet5": Case(buffers=CONVOLUTIONS),
    "tiny": Case(buffers=CONVOLUTIONS),
    "lstm_tagger": Case(buffers=("forward",)),  # of oneDNN's recurrence
    "seq2seq": Case(),
    "gpt2": Case({"n_layer": 2, "n_embd": 24, "vocab_size": 100}, in_order=False),
    "mobilenet_v2": Case({"width": 0.25}, buffers=CONVOLUTIONS, in_order=False),
    "unet": Case({"width": 4, "H": 1, "W": 1}, buffers=CONVOLUTIONS, in_order=False),
    "vae": Case(above={"loss": 20}, buffers=CONVOLUTIONS, in_order=False, held={"forward": 8, "loss": 16}),
}


class Seen(NamedTuple):
    """Of one step: the blocks that come, and bytes alive at the end and at the peak of each phase, from its start on."""

    blocks: Counter
    ends: dict
    peaks: dict


def seen(events: list) -> Seen:
    """events: (number, bytes, phase, ...)."""
    alive, ends, peaks = 0, {}, {}
    for _, size, phase, *_ in events:
        peaks[phase] = max(peaks.get(phase, alive), alive + size)
        alive = ends[phase] = alive + size
    return Seen(Counter(event[1] for event in events if event[1] > 0), ends, peaks)


@pytest.fixture(scope="module")
def steps():
    """Both sides of a network, made once: [(predicted events, real events) of each step]."""
    known: dict = {}

    def of(name: str):
        if name not in known:
            net = netcalc.load(name).at(**CASES[name].args)
            sizes = examples.sizes(net.graph, 2)
            real = measure(net, sizes, mode="real", optimizer="adamw", foreach=False, saved=False).events
            known[name] = list(zip(predicted(net, sizes, Rules(), {"optimizer": "adamw"}, False), real, strict=True))
        return known[name]

    return of


@pytest.mark.parametrize("name", CASES)
def test_every_block_that_is_predicted_comes(name, steps, private_side):
    for ours, theirs in steps(name):
        assert seen(ours).blocks - seen(theirs).blocks == Counter()


@pytest.mark.parametrize("name", CASES)
def test_as_much_is_alive_at_the_end_of_each_phase(name, steps, private_side):
    for ours, theirs in steps(name):
        more = CASES[name].held
        assert seen(theirs).ends == {phase: size + more.get(phase, 0) for phase, size in seen(ours).ends.items()}


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.in_order])
def test_in_the_predicted_order(name, steps, private_side):
    for ours, theirs in steps(name):
        position = stops_being_within(ours, theirs)
        assert position is None, "\n" + beside(ours, theirs, position)


@pytest.mark.parametrize("name", CASES)
def test_peaks(name, steps, private_side):
    """Above the prediction by what is named here, and never below it."""
    case = CASES[name]
    ours, theirs = (seen(side) for side in steps(name)[-1])
    above = {phase: theirs.peaks[phase] - peak for phase, peak in ours.peaks.items()}
    assert above.pop("optimizer") == NUMBER
    assert all(size >= 0 for size in above.values())
    assert {phase: above[phase] for phase in above if phase not in case.buffers} == {
        phase: case.above.get(phase, 0) for phase in above if phase not in case.buffers
    }
