"""What `verify` says: that right predictions are right, and of wrong ones which layer and which figure.

The wrong ones are made by putting an error into the rule of one layer, as a slip in it would.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch

import netcalc
from netcalc.errors import NetcalcError
from netcalc.layers.base import REGISTRY, Work
from tests.cli.conftest import run  # noqa: F401  (a fixture)
from tests.shipped import ALL, IDS, net_of

#: on the CPU with the backward pass, in sizes that take a second
TRAINED = {
    "mlp": {}, "lenet5": {}, "two_input": {}, "siamese": {}, "lstm_tagger": {}, "tiny": {}, "resnet18": {},
    "gpt2": {"n_layer": 2, "n_embd": 24, "vocab_size": 100}, "unet": {"width": 4, "H": 1, "W": 1},
    "vit": {"image_size": 32, "num_layers": 2}, "mobilenet_v2": {"width": 0.25},
}  # fmt: skip

SMALL = """
netcalc: 1
name: Small
input: [N, 3, 8, 8]
layers:
  - conv: {Conv2d: {out_channels: 4, kernel_size: 3, padding: 1}}
  - bn: BatchNorm2d
  - ReLU
  - pool: {AdaptiveAvgPool2d: 1}
  - Flatten
  - head: {Linear: 10}
"""


@pytest.mark.parametrize(("name", "variant"), ALL, ids=IDS)
def test_every_shipped_network_on_the_meta_device(name, variant):
    result = net_of(name, variant).verify("meta")
    assert result.ok, result.format()


@pytest.mark.parametrize("name", TRAINED)
def test_small_networks_on_the_cpu_with_the_backward_pass(name):
    result = netcalc.load(name).at(**TRAINED[name]).verify("cpu", train=True)
    assert result.ok, result.format()
    assert {"state_dict", "parameters", "trainable", "buffers", "output", "macs", "gradients"} <= set(result.totals)


def test_measured_are_the_figures_of_torch():
    """By hand, for a batch of 2: 4*3*9 weights and 4 biases, 2*4*8*8 * 27 MACs; 4 weights, 4 biases, 4 + 4 + 1 buffers."""
    result = netcalc.load(SMALL).verify("cpu", train=True)
    rows = {row["name"]: row for row in result.rows}
    assert rows["conv"]["output"] == [[2, 4, 8, 8], [2, 4, 8, 8]]
    assert rows["conv"]["params"] == [112, 112]
    assert rows["conv"]["macs"] == [13824, 13824]
    assert rows["bn"]["params"] == [8, 8]
    assert rows["bn"]["buffers"] == [9, 9]
    assert rows["4"]["output"] == [[2, 4], None]  # Flatten is an expression in forward
    assert rows["4"]["module"] is None
    assert rows["head"]["macs"] == [80, 80]
    measured = {name: total["measured"] for name, total in result.totals.items()}
    assert (measured["parameters"], measured["buffers"], measured["macs"]) == (170, 9, 13904)
    # of the convolution the gradient of the weights alone, of the head those of weights and input
    assert measured["backward_macs"] == 13824 + 2 * 80
    assert measured["output"] == [[2, 10]]
    assert measured["gradients"] == 170


# -- what must be found


class Slip:
    """A wrong rule for one kind of layer."""

    def __init__(self, monkeypatch, kind: str, rule: str, change):
        right = getattr(REGISTRY[kind], rule)
        monkeypatch.setattr(REGISTRY[kind], rule, lambda layer, *shapes: change(right(layer, *shapes)))


def one_more(shapes: dict) -> dict:
    """A tensor with one element too many."""
    return {name: (shape[0] + 1, *shape[1:]) for name, shape in shapes.items()}


SLIPS = {
    "params": ("Conv2d", "params", one_more, "conv (Conv2d): parameters predicted 140, measured 112"),
    "params of a norm": ("BatchNorm2d", "params", one_more, "bn (BatchNorm2d): parameters predicted 10, measured 8"),
    "buffers": ("BatchNorm2d", "buffers", lambda found: {**found, "more": ((7,), "float32")}, "bn (BatchNorm2d): buffers predicted 16, measured 9"),
    "work": ("Linear", "work", lambda found: Work(macs=found.macs + 1), "head (Linear): MACs predicted 81, measured 80"),
    "shape": ("AdaptiveAvgPool2d", "shape", lambda found: (*found[:3], 2), "pool (AdaptiveAvgPool2d): output predicted [2, 4, 1, 2], measured [2, 4, 1, 1]"),
    "shape of the last": ("Linear", "shape", lambda found: (found[0], found[1] + 1), "head (Linear): output predicted [2, 11], measured [2, 10]; MACs predicted 88, measured 80"),
}  # fmt: skip


@pytest.mark.parametrize("slip", SLIPS)
def test_a_wrong_rule_is_found(slip, monkeypatch, run, tmp_path):  # noqa: F811
    kind, rule, change, said = SLIPS[slip]
    (tmp_path / "small.yaml").write_text(SMALL)
    assert run("verify", "small.yaml").code == 0
    Slip(monkeypatch, kind, rule, change)
    answer = run("verify", "small.yaml")
    assert answer.code == 1
    assert said in answer.out.splitlines()
    assert "NOT verified. Different: 1 layer" in answer.out
    assert "Verified:" not in answer.out
    [row] = [row for row in answer.out.splitlines() if row.endswith("  differs")]
    assert row.startswith(said.partition(":")[0])


def test_where_torch_stops_is_said(monkeypatch, run, tmp_path):  # noqa: F811
    """A wrong shape makes a later layer impossible: what was measured before it still names the first wrong layer."""
    (tmp_path / "small.yaml").write_text(SMALL)
    Slip(monkeypatch, "AdaptiveAvgPool2d", "shape", lambda found: (*found[:3], 2))
    answer = run("verify", "small.yaml")
    assert answer.code == 1
    assert "torch stopped in head: mat1 and mat2 shapes cannot be multiplied" in answer.out
    assert "pool (AdaptiveAvgPool2d): output predicted [2, 4, 1, 2], measured [2, 4, 1, 1]" in answer.out
    assert [line.split()[0] for line in answer.out.splitlines() if line.endswith("not run")] == ["head"]


def test_a_slip_in_an_expression_is_found_by_the_total(monkeypatch):
    """What is not a module has no MACs of its own to compare; those of the network do not add up then."""
    net = netcalc.load("netcalc: 1\ninput: [N, 4, 4]\nlayers:\n  - a: {Linear: 4}\n  - MatMul: [prev, a]\n")
    assert net.verify("meta").ok
    Slip(monkeypatch, "MatMul", "work", lambda found: Work(macs=2 * found.macs))
    wrong = netcalc.load(net.spec.source.text) if hasattr(net.spec.source, "text") else net
    total = wrong.verify("meta").totals["macs"]
    assert (total["predicted"], total["measured"], total["ok"]) == (2 * 4 * 4 * 4 * 3, 2 * 4 * 4 * 4 * 2, False)


def test_a_wrong_name_is_found(monkeypatch):
    Slip(
        monkeypatch,
        "Linear",
        "params",
        lambda found: {name.replace("weight", "kernel"): shape for name, shape in found.items()},
    )
    result = netcalc.load(SMALL).verify("meta")
    assert not result.ok
    assert "head.kernel [10, 4] is not in the module's" in result.format()


# -- networks with more than a chain


def test_several_inputs_whole_numbers_and_outputs():
    result = netcalc.load("""
netcalc: 1
inputs:
  words: {shape: [N, T], dtype: int64}
  mask: {shape: [N, T], dtype: bool}
  picture: [N, 3, 8, 8]
layers:
  - embed: {Embedding: {num_embeddings: 7, embedding_dim: 6}}
    from: words
  - mean: {Mean: {dim: 1}}
  - a: {Linear: 5}
  - conv: {Conv2d: {out_channels: 5, kernel_size: 8}}
    from: picture
  - flat: Flatten
  - both: {Add: [a, flat]}
outputs: {both: both, mask: mask}
""").verify("cpu", batch=3, train=True)
    assert result.ok, result.format()
    assert result.sizes["N"] == 3
    assert result.totals["output"]["measured"] == [[3, 5], [3, result.sizes["T"]]]


def test_what_is_reused_is_counted_once_and_runs_twice():
    """Two runs of 8*8 weights on [2, 8]: 72 parameters, 2 * 2 * 64 MACs."""
    result = netcalc.load(
        "netcalc: 1\ninput: [N, 8]\nlayers:\n  - a: {Linear: 8}\n  - ReLU\n  - again: {Reuse: a}\n"
    ).verify("cpu", train=True)
    assert result.ok, result.format()
    assert result.totals["parameters"]["measured"] == 72
    assert result.totals["macs"]["measured"] == 256
    assert [row["macs"] for row in result.rows if row["type"] == "Linear"] == [[128, 128], [128, 128]]


def test_tied_parameters_are_counted_once():
    """An embedding of 10 * 6, used again as the weights of the head."""
    text = "netcalc: 1\ninput: {shape: [N, T], dtype: int64}\nlayers:\n  - e: {Embedding: {num_embeddings: 10, embedding_dim: 6}}\n" \
           "  - head: {Linear: {out_features: 10, bias: false}}\n    tie: {weight: e.weight}\n"  # fmt: skip
    result = netcalc.load(text).verify("cpu", train=True)
    assert result.ok, result.format()
    assert result.totals["parameters"]["measured"] == 60
    assert [key for key, _ in result.totals["state_dict"]["measured"]] == ["e.weight", "head.weight"]


def test_frozen_parameters_get_no_gradient():
    """8*8 + 8 frozen, 8*8 + 8 that train."""
    result = netcalc.load(
        "netcalc: 1\ninput: [N, 8]\nlayers:\n  - a: {Linear: 8}\n    freeze: true\n  - b: {Linear: 8}\n"
    ).verify("cpu", train=True)
    assert result.ok, result.format()
    measured = {name: total["measured"] for name, total in result.totals.items()}
    assert (measured["parameters"], measured["trainable"], measured["gradients"]) == (144, 72, 72)
    assert measured["backward_macs"] == 128  # of b the gradient of the weights; nothing before it needs one


def test_grouped_convolutions_are_compared_forward():
    """torch counts too much for their backward pass, so that is left out; forward it is 2*8*8*8 * 9 * (8/8)."""
    result = netcalc.load(
        "netcalc: 1\ninput: [N, 8, 8, 8]\nlayers: [Conv2d: {out_channels: 8, kernel_size: 3, padding: 1, groups: 8}]\n"
    ).verify("cpu", train=True)
    assert result.ok, result.format()
    assert result.totals["macs"]["measured"] == 9216
    assert "backward_macs" not in result.totals


# -- the command


def test_json(run):  # noqa: F811
    answer = run("verify", "tiny", "--format", "json", "--train")
    assert answer.code == 0
    found = json.loads(answer.out)
    assert {"model", "device", "sizes", "train", "layers", "total", "ok"} <= set(found)
    assert (found["device"], found["sizes"], found["train"], found["ok"]) == ("cpu", {"N": 2}, True, True)
    assert set(found["layers"][0]) == {"name", "type", "module", "output", "params", "buffers", "macs", "ok"}
    assert found["layers"][0]["params"] == {"predicted": 448, "measured": 448}
    assert found["total"]["parameters"] == {"predicted": 4250, "measured": 4250, "ok": True}
    assert set(found["total"]) == {
        "state_dict",
        "parameters",
        "trainable",
        "buffers",
        "output",
        "macs",
        "gradients",
        "saved",
        "peak_forward",
        "peak_loss",
        "peak_backward",
        "peak_optimizer",
        "peak_first_step",
    }
    assert "with adamw, followed by a dispatch mode" in found["notes"][0]


def test_csv(run):  # noqa: F811
    header, first, *_ = run("verify", "tiny", "--format", "csv").out.splitlines()
    assert header == ("name,type,output_predicted,output_measured,params_predicted,params_measured,buffers_predicted,buffers_measured,"
                      "macs_predicted,macs_measured,ok")  # fmt: skip
    assert first.split(",")[:6] == ["0", "Conv2d", "2x16x32x32", "2x16x32x32", "448", "448"]


def test_batch_and_set(run):  # noqa: F811
    answer = run("verify", "tiny", "--batch", "3", "--set", "width=4", "--device", "meta")
    assert answer.code == 0
    assert "run on meta (forward) with N = 3" in answer.out
    assert "[3, 8, 16, 16]" in answer.out


def test_no_line_is_wider_than_the_screen_where_columns_can_go(run, monkeypatch):  # noqa: F811
    for width in (80, 120):
        monkeypatch.setenv("COLUMNS", str(width))
        for name in ("alexnet", "resnet50", "unet"):
            lines = run("verify", name, "--device", "meta").out.splitlines()
            assert max(map(len, lines)) <= width
            assert any(line.endswith("  equal") for line in lines)


def test_free_names_need_numbers(run):  # noqa: F811
    answer = run("verify", "unet", "--free", "width")
    assert answer.code == 2
    assert answer.err == "error: --free leaves sizes open; verify needs numbers\n  help: use --set\n"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_no_cuda_device(run):  # noqa: F811
    answer = run("verify", "mlp", "--device", "cuda")
    assert answer.code == 2
    assert (
        answer.err == "error: there is no CUDA device here that torch can use\n  help: --device cpu, or --device meta\n"
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_cuda_device():
    result = netcalc.load("tiny").verify("cuda", train=True)
    assert result.ok, result.format()


def test_too_large_to_build(run):  # noqa: F811
    """Llama 3 70B: 70,553,706,496 parameters of 4 bytes are 262.8 GiB."""
    answer = run("verify", "llama3_70b")
    assert answer.code == 2
    assert answer.err.startswith(
        "error: the parameters alone take 262.8 GiB: too much to build here\n  help: --device meta"
    )


def test_progress_is_for_people(monkeypatch, capsys):
    net = netcalc.load("mlp")
    net.verify("cpu")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    net.verify("cpu")
    assert capsys.readouterr().err == "counting MACs of mlp.yaml on the meta device ...\nrunning mlp.yaml on cpu ...\n"


WITHOUT_TORCH = """
import sys

class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Nowhere())
from netcalc.cli import main
main(sys.argv[1:])
"""


def test_without_torch(tmp_path):
    """verify says what to install; export and everything else do without."""

    def answer(*arguments):
        return subprocess.run(
            [sys.executable, "-c", WITHOUT_TORCH, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=120
        )

    refused = answer("verify", "mlp")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert (
        refused.stderr == "error: this needs PyTorch, which is not installed\n  help: pip install 'netcalc-nn[torch]'\n"
    )
    exported = answer("export", "resnet18")
    assert (exported.returncode, exported.stderr) == (0, "")
    assert exported.stdout == netcalc.load("resnet18").export_torch()


def test_to_torch_without_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(NetcalcError, match="this needs PyTorch, which is not installed"):
        netcalc.load("tiny").to_torch()
