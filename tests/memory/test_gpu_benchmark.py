"""benchmarks/gpu_memory.py and its probe, as far as they can be tried without a GPU."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from netcalc.memory import profiles
from netcalc.model import Net
from tests.memory.simulated import two
from tests.memory.traces import step

FOLDER = Path(__file__).parents[2] / "benchmarks"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="an installed package has no benchmarks")
FACTS = {
    "gpu": "NVIDIA H200", "capability": (9, 0), "memory": 150_000_000_000, "torch": "2.13.0", "cuda": "13.0", "cudnn": 91900,
    "forward": 33554432, "bias": 0, "backward": 33554432, "sdpa_order": ["cudnn", "flash", "efficient", "math"],
    "batch_norm_reserve": {"float32 contiguous_format": 0, "float16 channels_last": 0}, "context": 520_000_000,
    "convolutions": [{"shape": [32, 3, 224, 64, 7, 2], "forward": 1000, "input_gradient": 0, "weight_gradient": 2000}],
}  # fmt: skip


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    for name in ("gpu_memory", "gpu_probe"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module


def test_the_cases_are_all_combinations(script):
    run = script("gpu_memory")
    names = run.specs()
    assert {"resnet50", "gpt2_medium", "alexnet", "vit_b_16"} <= set(names)
    chosen = run.cases(["alexnet", "gpt2"], [1, 8])
    assert len(chosen) == len(set(chosen)) == 2 * 2 * 3 * 4
    assert run.Case("alexnet", 8, "amp", "adamw", "fused").options("h200") == {
        "batch": 8, "optimizer": "adamw", "device": "h200", "amp": "bfloat16", "implementation": "fused",
    }  # fmt: skip


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "amp"])
@pytest.mark.parametrize(
    "optimizer", [("none", None), ("sgd-momentum", None), ("adamw", "foreach"), ("adamw", "fused")]
)
def test_the_loop_trains(script, precision, optimizer):
    """On the CPU: every parameter with a gradient moves, and the targets are made once."""
    import torch

    import netcalc

    run = script("gpu_memory")
    net = netcalc.load("lenet5")
    case = run.Case("lenet5", 4, precision, *optimizer)
    loop = run.training_loop(net, {"N": 4}, case, "cpu")
    model, seen, loss_of = loop.model, [], loop.loss_of
    loop.loss_of = lambda output, *targets: seen.append((output.dtype, loss_of(output, *targets))) or seen[-1][1]
    before = [p.detach().clone() for p in model.parameters()]
    loop.run(31)
    moved = [not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)]
    assert all(moved) if optimizer[0] != "none" else not any(moved)
    first, last = seen[0][1].item(), seen[-1][1].item()
    assert (first == last) == (optimizer[0] == "none")
    assert seen[0][0] == (torch.float32 if precision == "float32" else torch.bfloat16)
    assert next(model.parameters()).dtype == (torch.bfloat16 if precision == "bfloat16" else torch.float32)
    assert run.measured(net, {"N": 4}, case, "cpu") is None


def test_a_line_of_a_dry_run(script, monkeypatch):
    run = script("gpu_memory")
    asked = {}

    def memory(self, **options):
        asked.update(options)
        return two("cuda", weight=100_000)

    monkeypatch.setattr(Net, "memory", memory, raising=False)
    line = run.one(run.Case("lenet5", 2, "float32", "adamw", "fused"), "h200", dry=True)
    assert asked == {"batch": 2, "optimizer": "adamw", "device": "h200", "implementation": "fused"}
    # the second step of traces.step: 10 + 100,000 of parameters, gradients and temporaries each, 50 of output
    assert line["predicted"]["requested"] == 300_060 and line["measured"] is None and "failed" not in line


def test_a_prediction_is_of_a_later_step(script, monkeypatch):
    """The first step's peak, with a temporary of 10,000 that later steps do not have, is not what is compared."""
    import netcalc

    run = script("gpu_memory")
    made = two("cuda")
    trace = step()
    second = next(position for position, name, number in trace.marks if number == 2)
    size = len(trace.storages)
    trace.storages.append(type(trace.storages[0])(10_000))
    at = second - 1
    trace.events[at:at] = [(size, 1), (size, -1)]
    trace.marks = [(p + 2 if p >= second else p, name, number) for p, name, number in trace.marks]
    object.__setattr__(made.simulated, "trace", trace)
    monkeypatch.setattr(Net, "memory", lambda self, **options: made, raising=False)
    assert made.timeline.peak().bytes > 10_000
    assert run.predicted(netcalc.load("lenet5"), {"N": 2}, {"batch": 2})["requested"] == 3060


def line(allocated, error):
    return {"measured": {"allocated": allocated}, "error": {"requested": 0.0, "allocated": error, "reserved": -error}}


def test_the_summary(script):
    run = script("gpu_memory")
    gib = 2**30
    lines = [line(2 * gib, e) for e in (0.1, -0.2, 0.3, -0.4, 5.0)] + [line(gib // 2, 50.0), {"failed": "no memory"}]
    found = run.summary(lines, gib)
    assert found["cases"] == 5 and found["allocated"] == {"median": 0.3, "p95": 5.0, "worst": 5.0}
    assert run.summary(lines)["cases"] == 6 and run.summary(lines)["reserved"]["worst"] == 50.0
    assert run.summary([line(gib, float(e)) for e in range(1, 101)])["allocated"]["p95"] == 95.0
    assert run.summary([]) == {"cases": 0}


def test_the_profile_of_a_probe_can_be_used(script, tmp_path):
    text = script("gpu_probe").profile_text("h200", FACTS)
    path = tmp_path / "h200.yaml"
    path.write_text(text)
    found = profiles.load(str(path))
    assert found.rules == "cuda" and found.memory == 150_000_000_000 and found.usable == 150_000_000_000 - 520_000_000
    assert found["cublas_workspace"].provenance == "measured" and found.value("batch_norm_reserve") == 0
    assert found.value("sdpa_order") == ("cudnn", "flash", "efficient", "math")
    assert "up to 2,000 bytes" in found["conv_workspace"].source and found["conv_workspace"].high is None
    assert found["rnn_reserve"].provenance == "unknown"


def test_layouts_that_differ_stay_an_interval(script, tmp_path):
    facts = {**FACTS, "batch_norm_reserve": {"float32 contiguous_format": 0, "float32 channels_last": 4096}}
    path = tmp_path / "h200.yaml"
    path.write_text(script("gpu_probe").profile_text("h200", facts))
    assert profiles.load(str(path)).value("batch_norm_reserve") is None
    assert "4096 bytes" in path.read_text()


def test_the_order_of_attention_is_named(script):
    import torch

    found = script("gpu_probe")._sdpa_order(torch)
    assert sorted(found) == ["cudnn", "efficient", "flash", "math"]
