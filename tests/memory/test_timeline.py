"""Peaks, instants and what is alive, against sums done on paper."""

from __future__ import annotations

import pytest

from netcalc.arith import maximum, symbol
from netcalc.memory.timeline import Timeline, phases
from tests.memory.traces import Trace, step

# the step of traces.py in numbers: 1,000 of weights, 10 of input, 300 saved, 50 of output
BASE = 1000 + 10


def test_peak_of_each_phase():
    line = Timeline(step())
    assert line.steps == [1, 2]
    assert line.peak("setup").bytes == BASE
    assert line.peak("forward", 1).bytes == BASE + 300 + 50
    # the second forward has the gradients of the first step when it begins, which is more than the old logits later
    assert line.peak("forward", 2).bytes == BASE + 1000 + 50
    # what is saved is freed before the gradient of the first weight comes
    assert line.peak("backward", 1).bytes == BASE + 50 + 300 + 500 + 500
    assert line.peak("optimizer", 1).bytes == BASE + 50 + 1000 + 1000
    assert line.peak().bytes == BASE + 50 + 1000 + 1000
    assert line.peak("loss") is None and line.peak("forward", 3) is None


def test_the_old_output_counts_in_later_steps():
    line = Timeline(step(weight=20))
    assert line.peak("forward", 1).bytes == 20 + 10 + 300 + 50
    assert line.peak("forward", 2).bytes == 20 + 10 + 300 + 50 + 50


def test_instant_and_layer_of_the_peak():
    trace = step(weight=20)
    peak = Timeline(trace).peak()
    assert peak.bytes == 20 + 10 + 300 + 50 + 50 + 300 + 10
    assert (peak.phase.name, peak.phase.step, peak.layer) == ("backward", 1, "second")
    assert trace.storages[trace.events[peak.event][0]].what == "grad of weight"
    line = Timeline(trace)
    assert line.live(peak.event) == {
        "parameters": 20, "inputs": 10, "gradients": 10, "saved": 300, "output": 50, "temporary": 350,
    }  # fmt: skip
    assert sum(line.live(peak.event).values()) == peak.bytes
    assert [(s.bytes, s.what) for s in line.largest(peak.event, 2)] == [(300, "output"), (300, "grad of input")]


def test_most_of_each_kind():
    assert Timeline(step(state=7)).most() == {
        "parameters": 1000, "inputs": 10, "gradients": 1000, "optimizer": 7, "saved": 300, "output": 100, "temporary": 1000,
    }  # fmt: skip


def test_stacked_adds_up_to_the_levels():
    line = Timeline(step())
    stacked, levels = line.stacked(), line.levels()
    assert [sum(column) for column in zip(*stacked.values(), strict=True)] == levels
    assert list(stacked)[:2] == ["parameters", "inputs"]
    assert levels[-1] == BASE + 50 + 1000 and max(levels) == line.peak().bytes


def test_phase_without_marks_is_setup():
    trace = Trace()
    trace.alloc(5)
    assert [phase.name for phase in phases(trace)] == ["setup"]
    assert Timeline(trace).peak().bytes == 5
    assert Timeline(Trace()).peak().bytes == 0


def test_a_phase_of_frees_only_has_what_it_begins_with():
    trace = Trace()
    trace.phase("forward")
    trace.at("conv")
    a, b = trace.alloc(3), trace.alloc(4)
    trace.phase("optimizer")
    trace.at("")
    trace.free(a, b)
    peak = Timeline(trace).peak("optimizer")
    assert (peak.bytes, peak.event, peak.layer) == (7, 1, "")
    assert Timeline(trace).phase(1).name == "forward"


def test_a_peak_for_each_design_in_one_pass():
    numpy = pytest.importorskip("numpy")
    batch = numpy.arange(1, 1001)
    line = Timeline(step(weight=4000, image=10 * batch, hidden=300 * batch, logits=50 * batch))
    for n in (1, 2, 10, 11, 500, 1000):
        alone = Timeline(step(weight=4000, image=10 * n, hidden=300 * n, logits=50 * n))
        for phase in ("forward", "backward", "optimizer"):
            one, all_ = alone.peak(phase, 2), line.peak(phase, 2)
            assert (one.bytes, one.event) == (all_.bytes[n - 1], all_.event[n - 1])
    # optimizer: 12000 + 60n; backward: 6000 + 710n: equal at n = 9.2
    assert line.peak().bytes[8] == 12000 + 60 * 9 and line.peak().bytes[9] == 6000 + 710 * 10


def test_a_maximum_of_a_few_polynomials():
    n = symbol("N")
    peak = Timeline(step(weight=4000, image=10 * n, hidden=300 * n, logits=50 * n)).peak()
    # backward with what is saved, or the optimizer. Backward with both weights' gradients, 8000 + 360 N, is below
    # neither of them, but the first is above it from N = 6 on and the second up to N = 13
    tops = [6000 + 710 * n, 12000 + 60 * n]
    assert peak.bytes == maximum(*tops)
    assert sorted(str(one.bytes) for one in peak.candidates) == sorted(map(str, tops))
    for value in (1, 9, 10, 1000):
        assert peak.bytes.at({"N": value}) == max(6000 + 710 * value, 12000 + 60 * value)


def test_candidates_in_two_symbols_stay():
    n, t = symbol("N"), symbol("T")
    trace = Trace()
    for size in (n * n, n * t, 100 + n, 100 + t, 50):
        trace.free(trace.alloc(size))
    assert Timeline(trace).peak().bytes == maximum(n * n, n * t, 100 + n, 100 + t)


def test_three_lines_of_which_the_middle_one_leads_for_a_while():
    n = symbol("N")
    trace = Trace()
    for size in (10 + 0 * n, 2 * n + 6, 9 * n):  # 10 at n = 1 (then 9), 2n + 6 nowhere: 8, 10 (with 18)
        trace.free(trace.alloc(size))
    assert Timeline(trace).peak().bytes == maximum(10, 9 * n)
    for size in (100, 10 * n + 60, 30 * n):  # 100 to n = 4, 110 > 100 and 150 at n = 5 ...
        trace.free(trace.alloc(size))
    assert Timeline(trace).peak().bytes == maximum(100, 30 * n)
    trace.free(trace.alloc(10 * n + 90))  # 100, 110 > 30n = 60 at n = 2: leads from 2 to 4
    assert Timeline(trace).peak().bytes.at({"N": 2}) == 110 and Timeline(trace).peak().bytes.at({"N": 5}) == 150


def test_candidates_are_instants_of_the_trace():
    n = symbol("N")
    line = Timeline(step(weight=4000, image=10 * n, hidden=300 * n, logits=50 * n))
    levels = line.levels()
    assert all(levels[one.event] == one.bytes for one in line.peak().candidates)
