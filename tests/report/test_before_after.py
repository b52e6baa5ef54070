"""The memory of two networks side by side."""

from __future__ import annotations

import json

import pytest

import netcalc
from netcalc import NetcalcError

#: one linear layer without a bias: forward it takes its weight, the batch and the output
LINE = """
netcalc: 1
args: {w: 8}
input: [N, 16]
layers: [fc: {Linear: {out_features: w, bias: false}}]
"""


def test_the_bytes_by_arithmetic():
    """Kept for backward: the batch, which is no parameter. Inference: weight, batch and output. The peak of training:
    beside these the gradients of output and weight, the loss and its gradient."""
    a = netcalc.load(LINE)
    found = a.diff(a.at(w=32)).to_dict()["memory"]

    def inference(w):
        return 4 * (16 * w + 16 + w)

    def training(w):
        return 4 * (2 * 16 * w + 16 + 2 * w + 2)

    for name, of in (("saved_activations", lambda w: 4 * 16), ("inference_peak", inference), ("peak", training)):
        assert found[name] == {"before": of(8), "after": of(32), "difference": of(32) - of(8)}
    assert found["not_known"] == [None, None] and found["step"] == {}


def test_it_is_that_of_each_network_with_the_same_options():
    a, b = netcalc.load("lenet5"), netcalc.load("alexnet")
    step = {"optimizer": "adamw", "device": "h100"}
    found = a.diff(b, **step).to_dict()["memory"]
    for side, net in (("before", a), ("after", b)):
        memory = net.memory(**step)
        assert found["peak"][side] == memory.peak.bytes
        assert found["saved_activations"][side] == memory.bytes["saved_activations"]
        assert found["inference_peak"][side] == memory.bytes["inference_peak"]


def test_as_text():
    lines = netcalc.load("resnet18").diff(netcalc.load("resnet34"), optimizer="sgd").format().split("\n")
    assert "Memory of a training step, sgd, on cpu:" in lines
    [line] = [line for line in lines if line.startswith("Peak of inference")]
    before, after = (netcalc.load(name).memory(inference=True).peak.bytes / 2**20 for name in ("resnet18", "resnet34"))
    assert line.split()[3:8] == [f"{before:.2f}", "MiB", "->", f"{after:.2f}", "MiB"]


def test_inference_alone():
    found = netcalc.load("lenet5").diff(netcalc.load("alexnet"), inference=True)
    assert "Memory of inference, on cpu:" in str(found) and "Peak of training" not in str(found)
    assert set(found.to_dict()["memory"]) == {"step", "inference_peak", "not_known"}


def test_what_is_not_known_is_said():
    gpt2 = netcalc.load("gpt2")
    found = gpt2.diff(gpt2.at(T=8, n_layer=1))
    assert "Not known of A: T has no value; --set T=... gives one" in str(found)
    memory = json.loads(found.format("json"))["memory"]
    assert memory["peak"]["before"] is None and memory["peak"]["difference"] is None and memory["peak"]["after"] > 0


def test_options_that_mean_nothing_are_refused():
    with pytest.raises(NetcalcError, match="there is no optimizer"):
        netcalc.load("lenet5").diff(netcalc.load("alexnet"), momentum=0.9)


def test_the_command_takes_them(capsys):
    from netcalc.cli import main

    with pytest.raises(SystemExit) as end:
        main(["diff", "lenet5", "lenet5", "--set-b", "N=7", "--optimizer", "adam", "--format", "json"])
    assert end.value.code == 0
    memory = json.loads(capsys.readouterr().out)["memory"]
    assert memory["step"] == {"optimizer": "adam"}
    assert memory["peak"]["after"] == netcalc.load("lenet5").memory(7, optimizer="adam").peak.bytes
