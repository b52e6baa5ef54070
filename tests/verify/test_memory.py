"""What `verify --train` says of memory: peaks of each phase, and how they were measured."""

from __future__ import annotations

import contextlib
import types

import pytest

import netcalc
from netcalc import verify_memory
from netcalc.errors import NetcalcError
from netcalc.export import examples, live
from netcalc.layers.base import REGISTRY, Layer, layer
from netcalc.memory.allocator import Allocator
from netcalc.oracle import loop, peaks
from netcalc.oracle.storages import Storages, dispatch_mode
from netcalc.report.verification import Verification
from tests.cli.conftest import run  # noqa: F401  (a fixture)

LINE = """
netcalc: 1
name: Line
input: [N, 10]
layers:
  - first: {Linear: {out_features: 50, bias: false}}
  - second: {Linear: {out_features: 1, bias: false}}
"""


def test_the_peaks_by_hand():
    """Batch 4: 500 + 50 weights, 40 inputs, 200 hidden, 4 outputs, and the loss, the mean of the outputs; SGD with momentum.

    Of the second step: forward starts with weights, gradients, momentum, input, output and loss. In backward the most is
    there when the first layer's gradient comes: weights, momentum, the second layer's gradient, input, output, loss and its
    gradient, the gradient of the hidden 200. The hidden 200 themselves went with the second layer.
    """
    result = netcalc.load(LINE).verify(train=True, batch=4, optimizer="sgd-momentum")
    assert result.ok
    measured = {name[5:]: total["measured"] // 4 for name, total in result.totals.items() if name.startswith("peak_")}
    weights, kept = 550, 40 + 4 + 1
    assert measured["forward"] == 3 * weights + kept
    assert measured["backward"] == 2 * weights + kept + 1 + 200 + weights
    assert measured["optimizer"] == 3 * weights + kept
    assert measured["first_step"] == 3 * weights + kept  # the momentum appears


@pytest.mark.parametrize("optimizer", sorted(loop.OPTIMIZERS))
def test_every_optimizer(optimizer):
    result = netcalc.load("mlp").verify(train=True, optimizer=optimizer)
    assert result.ok, result.format()
    assert f"with {optimizer}," in result.notes[0]


def test_without_an_optimizer():
    result = netcalc.load("mlp").verify(train=True, optimizer="none")
    assert result.ok and "peak_backward" in result.totals and "peak_optimizer" not in result.totals


def test_a_wrong_prediction_is_found(monkeypatch):
    """A ReLU that is predicted to take 4,000 bytes more while it runs: of the phases only forward needs more."""
    right = REGISTRY["ReLU"].eager

    def wrong(self, op, weights, x):
        kept = op.make((1000,), "float32")
        made = right(self, op, weights, x)
        del kept
        return made

    monkeypatch.setattr(REGISTRY["ReLU"], "eager", wrong)
    text = "netcalc: 1\ninput: [N, 10]\nlayers: [{Linear: {out_features: 10, bias: false}}, ReLU, {Linear: {out_features: 1, bias: false}}]\n"
    result = netcalc.load(text).verify(train=True, batch=500, optimizer="none")
    assert not result.ok
    [wrong_one] = [check for check in result.checks if check.ok is False and check.name != "peak_first_step"]
    assert wrong_one.name == "peak_forward" and wrong_one.predicted == wrong_one.measured + 4000
    assert result.format().splitlines()[-1].startswith("NOT verified. Different: Peak bytes, forward")


def test_another_version_of_torch_is_said(monkeypatch):
    torch = live.torch_module()
    known = torch.__version__.startswith(f"{verify_memory.RULES}.")
    assert ("those of torch" in str(netcalc.load(LINE).verify(train=True))) is not known
    monkeypatch.setattr(torch, "__version__", "2.11.0")
    assert "The rules of memory are those of torch 2.13; this is torch 2.11.0" in str(
        netcalc.load(LINE).verify(train=True)
    )


def test_a_layer_that_is_not_modelled_is_said():
    @layer("N C -> N C")
    class Unmodelled(Layer):
        """The same again."""

        call = staticmethod(lambda x: x)

    try:
        net = netcalc.load("netcalc: 1\ninput: [N, 3]\nlayers: [Linear: 3, Unmodelled]\n")
        memory = verify_memory.prepare(net, types.SimpleNamespace(emitter=None), {}, "cpu", "adamw")
    finally:
        del REGISTRY["Unmodelled"]
    assert memory.predicted is None
    assert memory.notes == ["Memory is not compared: what Unmodelled keeps in memory is not modelled (layer 1)."]


def test_experts_get_as_many_tokens_as_in_torch():
    """With equal shares the peak would be another: 10 choices by 4 experts."""
    net = netcalc.load("netcalc: 1\ninput: [N, 5, 6]\nlayers:\n  - Linear: 6\n"
                       "  - moe: {MixtureOfExperts: {num_experts: 4, top_k: 2, hidden_features: 8}}\n")  # fmt: skip
    result = net.verify(train=True)
    peak = {check.name: check for check in result.checks}["peak_backward"]
    assert result.ok and peak.predicted == peak.measured
    assert (
        verify_memory.prepare(net, net.exported(), {"N": 1}, "cpu", "adamw").predicted.peaks["backward", 2]
        != peak.measured
    )
    assert any("experts are taken to get as many tokens as they got in torch" in note for note in result.notes)


def test_steps_that_are_too_large(monkeypatch):
    monkeypatch.setattr("netcalc.verify.MAX_BYTES", 400_000)
    with pytest.raises(NetcalcError, match=r"training steps with adamw take 0\.0 GiB.*\n.*--optimizer none"):
        netcalc.load("mlp").verify(train=True)
    assert netcalc.load("mlp").verify(train=True, optimizer="sgd").ok


@pytest.mark.parametrize("options, says", [
    (["--optimizer", "sgd"], "--optimizer is for training steps\n  help: add --train"),
    (["--train", "--device", "meta", "--optimizer", "sgd"], "meta has no memory to follow"),
])  # fmt: skip
def test_an_optimizer_that_would_do_nothing(run, options, says):  # noqa: F811
    answer = run("verify", "mlp", *options)
    assert answer.code == 2 and says in answer.err


# -- on a GPU, which is an allocator here that the CPU's storages come from


class Device:
    """torch.cuda as far as it is asked. before: bytes that something else holds."""

    def __init__(self, before: int = 0):
        self.allocator = Allocator()
        self.blocks: dict = {}
        self.allocator.malloc(before)
        self.emptied = False

    def synchronize(self):
        pass

    def empty_cache(self):
        self.emptied = True

    def reset_peak_memory_stats(self):
        self.allocator.reset_peak()

    def memory_stats(self) -> dict:
        shown = {"current": self.allocator.now, "peak": self.allocator.peak}
        return {
            f"{kind}_bytes.all.{what}": getattr(usage, kind) for what, usage in shown.items() for kind in usage._fields
        }

    def event(self, number: int, change: int, label: str):
        if change > 0:
            self.blocks[number] = self.allocator.malloc(change)
        else:
            self.allocator.free(self.blocks.pop(number))


@pytest.fixture
def device(monkeypatch):
    found = Device(before=32 << 20)
    stub = types.SimpleNamespace(cuda=found, device=lambda name: contextlib.nullcontext())
    monkeypatch.setattr(verify_memory.live, "torch_module", lambda: stub)
    return found


def allocating_loop(net, sizes, device, monkeypatch):
    """A loop on the CPU of which every storage is a block of the device."""
    import torch

    monkeypatch.undo()
    names = live.namespace(net.export_torch())
    model, inputs = names[net.graph.spec.name]().train(), live.inputs(net.graph, sizes, "cpu")
    made = loop.Loop(
        model, names["loss_of"], inputs, loop.targets(names, model, inputs), torch.optim.SGD(model.parameters())
    )
    storages = Storages()
    monkeypatch.setattr(storages, "_event", device.event)
    storages.hold(made.held)
    mode, bare = dispatch_mode()(storages), made.run

    def within(steps):
        with mode:
            bare(steps)

    made.run = within
    return made


def test_peaks_of_the_allocator(device, monkeypatch):
    """What the statistics show of a step equals the replay of the predicted trace: that of the CPU's rules here."""
    net = netcalc.load("lenet5")
    sizes = examples.sizes(net.graph, 4)
    expected = verify_memory.prepare(net, net.exported(), sizes, "cpu", "sgd")
    trace = verify_memory.simulate.training(
        net.graph, net.exported().emitter, sizes, verify_memory.Run(verify_memory.Rules(in_place=False), "sgd", {}, 2)
    ).trace
    found = peaks.of_the_allocator(lambda: allocating_loop(net, sizes, device, monkeypatch), expected.steps)
    assert device.emptied
    assert found == verify_memory._replayed(trace)
    assert {phase: usage.requested for phase, usage in found.items()} == expected.predicted.peaks


def test_rows_of_the_allocator_do_not_count(monkeypatch):
    """5 % beside the prediction: shown, with the difference, and no reason to fail."""
    net = netcalc.load("mlp")
    memory = verify_memory.prepare(net, net.exported(), {"N": 2}, "cuda", "adamw")
    usages = {
        phase: usage._replace(allocated=usage.allocated * 21 // 20) for phase, usage in memory.predicted.peaks.items()
    }
    monkeypatch.setattr(peaks, "of_the_allocator", lambda built, steps: usages)
    checks = verify_memory.peak_checks(memory, net, {}, None, [])
    assert {check.name for check in checks} == {
        f"peak_{phase}_{kind}" for phase in verify_memory.PHASES for kind in ("allocated", "reserved")
    }
    assert all(check.ok is None for check in checks)
    seen = net.verify("cpu")
    result = Verification(net.graph, seen.facts, seen.measured, checks, "cuda", {"N": 2}, True, memory.notes)
    assert result.ok and "(-4." in result.format() and "max_memory_allocated and max_memory_reserved" in result.format()
    assert (
        "do not count for the verdict" in result.format()
        and result.to_dict()["total"]["peak_forward_reserved"]["ok"] is None
    )
