"""The oracle against itself and against figures that were measured before: FakeTensors with eager mode's in-place work
redone are as the real CPU, event by event."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks

import netcalc

from .cases import CASES
from .oracle import measure
from .oracle.corrections import Corrections
from .oracle.traces import beside, stops_being_within

ROWS = json.loads((Path(__file__).parents[1] / "reference" / "memory.json").read_text(encoding="utf-8"))["rows"]
SMALL = ("mlp", "lenet5", "resnet18", "mobilenet_v2", "alexnet")

HEAD = "netcalc: 1\nname: Net\ninput: [N, 6]\nlayers:\n"
#: nets whose gradients meet: alone, shared with another buffer, expanded, and views
NETS = {
    "residual": HEAD + "  - Linear: 6\n  - Residual: [{Linear: 6}, Tanh]\n  - Residual: [{Linear: 6}, Tanh]\n",
    "shared": HEAD
    + "  - a: {Linear: 6}\n  - b: Tanh\n  - c: Sigmoid\n    from: a\n  - d: {Add: [a, b]}\n  - e: {Add: [c, d]}\n",
    "three": HEAD
    + "  - a: {Linear: 6}\n  - b: Tanh\n    from: a\n  - c: Sigmoid\n    from: a\n  - d: GELU\n    from: a\n"
    + "  - Add: [b, c]\n  - Add: [prev, d]\nloss: MSELoss\n",
    "strided": "netcalc: 1\nname: Net\ninput: [N, 6, 7]\nlayers:\n  - Linear: 7\n  - Transpose: {dim0: 1, dim1: 2}\n  - LayerNorm\n"
    "  - Transpose: {dim0: 1, dim1: 2}\n  - Conv1d: {out_channels: 5, kernel_size: 3}\n  - Transpose: {dim0: 1, dim1: 2}\n"
    "  - Linear: 5\n",
    "mse": HEAD + "  - Linear: 6\nloss: MSELoss\n",
    "logits": HEAD + "  - Linear: 6\nloss: BCEWithLogitsLoss\n",
    "convolution": "netcalc: 1\nname: Net\ninput: [N, 3, 8, 8]\nlayers:\n  - Conv2d: {out_channels: 4, kernel_size: 3}\n"
    "  - BatchNorm2d\n  - {ReLU: {inplace: true}}\n  - MaxPool2d: 2\n  - Flatten\n  - Dropout: 0.5\n  - Linear: 5\n"
    "loss: CrossEntropyLoss\n",
}


def same(fake, real):
    """Two measurements have the same events in the same order, but for what kernels take for themselves."""
    for a, b in zip(fake.events, real.events, strict=True):
        position = stops_being_within(a, b)
        assert position is None, "\n" + beside(a, b, position)


@pytest.mark.parametrize("optimizer", [None, "sgd-momentum", "adamw"])
@pytest.mark.parametrize("name", NETS)
def test_fake_is_as_real(name, optimizer, private_side):
    net = netcalc.load(NETS[name])
    arguments = {"optimizer": optimizer, "foreach": False, "saved": False}
    same(measure(net, {"N": 50}, **arguments), measure(net, {"N": 50}, mode="real", **arguments))


@pytest.mark.parametrize("name", ["mlp", "lenet5"])
def test_shipped_fake_is_as_real(name, private_side):
    net = netcalc.load(name)
    fake, real = (measure(net, {"N": 8}, mode=mode) for mode in ("fake", "real"))
    same(fake, real)
    assert (fake.saved, fake.saved_inputs, fake.persistent) == (real.saved, real.saved_inputs, real.persistent)


def test_a_dispatch_mode_adds_out_of_place():
    """ResNet-18 on pictures of 64x64, batch 4: what is known of it from elsewhere."""
    net = netcalc.load("resnet18")
    peaks = {
        rules: measure(net, {"N": 4, "H": 64, "W": 64}, rules=rules, saved=False).peak for rules in ("eager", "tracked")
    }
    assert peaks["eager"] < peaks["tracked"]


@pytest.mark.parametrize("row", [r for r in ROWS if r["case"] in SMALL and r["batch"] in (1, 8)],
                         ids=lambda r: f"{r['case']}-{r['batch']}-{r['device']}")  # fmt: skip
def test_recorded(row, private_side):
    """The figures in tests/reference/memory.json. On the CPU, torch's default is an optimizer that is no foreach one."""
    case = CASES[row["case"]]
    sizes, device = {"N": row["batch"], **case.sizes}, row["device"]
    net, how = case.net(), {"foreach": device == "cuda", "saved": False, "order": case.order}
    plain = measure(net, sizes, device)
    assert plain.saved_bytes + plain.saved_inputs == row["saved"]
    assert plain.saved_inputs == row["saved_inputs"]
    assert plain.peak == row["peak_none"]
    assert measure(net, sizes, device, optimizer="sgd-momentum", **how).peak == row["peak_sgd_momentum"]
    adamw = measure(net, sizes, device, optimizer="adamw", **how)
    assert adamw.peak == row["peak_adamw"]
    assert max(adamw.peaks[-1], key=adamw.peaks[-1].get) == row["peak_phase_adamw"]
    dropped = measure(net, sizes, device, optimizer="adamw", drop_output=True, **how)
    assert dropped.peak == row["peak_adamw_output_dropped"]
    assert measure(net, sizes, device, inference=True).peak == row["peak_inference"]


@pytest.mark.parametrize(("dtype", "size"), [("float32", 4), ("bfloat16", 2)])
def test_rms_norm_is_one_kernel_on_cuda(dtype, size, private_side):
    """It keeps its input (50 x 6) and one float32 per row; a CPU build takes it apart."""
    net = netcalc.load(HEAD + "  - Linear: 6\n  - norm: RMSNorm\n")
    assert measure(net, {"N": 50}, "cuda", dtype=dtype).saved == {"norm": 50 * 6 * size + 50 * 4}


def test_dropout_keeps_bytes_on_cuda_and_floats_on_the_cpu(private_side):
    net = netcalc.load(HEAD + "  - Linear: 6\n  - drop: {Dropout: 0.5}\n")
    assert measure(net, {"N": 50}, "cuda").saved == {"drop": 50 * 6}
    assert measure(net, {"N": 50}, "cpu").saved == {"drop": 50 * 6 * 4}


@pytest.mark.parametrize("weights", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("norm", ["batch_norm", "layer_norm", "group_norm"])
def test_statistics_of_mixed_precision(norm, weights):
    """What is saved of a 16-bit input, by the kernels and by FakeTensors that are corrected."""

    def saved():
        x = torch.ones(2, 8, 4, 4, dtype=torch.bfloat16)
        w, b, mean, var = (torch.ones(8, dtype=weights, requires_grad=grad) for grad in (True, True, False, False))
        call = {
            "batch_norm": lambda: F.batch_norm(x, mean, var, w, b, True),
            "layer_norm": lambda: F.layer_norm(x.reshape(32, 8), (8,), w, b),
            "group_norm": lambda: F.group_norm(x, 2, w, b),
        }[norm]
        found = []
        with saved_tensors_hooks(lambda t: found.append((t.shape, t.dtype)), lambda t: None):
            call()
        return found

    with FakeTensorMode(), Corrections():
        fake = saved()
    assert fake == saved()
