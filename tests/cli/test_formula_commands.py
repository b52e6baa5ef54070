"""explain, formula and solve on the command line."""

from __future__ import annotations

import json

import pytest


def test_explain_a_layer_a_network_and_a_code(run):
    layer = run("explain", "alexnet", "conv1")
    assert layer.code == 0 and layer.err == ""
    assert layer.out.startswith("conv1 (Conv2d)  [N, 3, 224, 224] -> [N, 96, 55, 55]\n")
    assert "AlexNet: input [N, 3, 224, 224]" in run("explain", "alexnet").out
    assert run("explain", "E402").out.startswith("E402 (error")


def test_explain_a_layer_by_itself(run):
    words = ["in=3x224x224", "out_channels=96", "kernel_size=11", "stride=4", "padding=2"]
    alone, inside = run("explain", "--layer", "Conv2d", *words), run("explain", "alexnet", "conv1")
    assert alone.code == 0
    assert alone.out.split("\n")[1:] == inside.out.split("\n")[1:]
    listed = run("explain", "--layer", "Conv2d", "in=3x9x9", "out_channels=2", "kernel_size=[3, 5]")
    assert "2 * (3 // 1) * 3 * 5" in listed.out
    tokens = run("explain", "--layer", "Embedding", "in=35", "num_embeddings=10", "embedding_dim=4")
    assert "10 * 4 = 40" in tokens.out
    both = run("explain", "--layer", "Concat", "in=3x8x8,5x8x8", "dim=1")
    assert "C_1 + C_2 = 3 + 5 = 8" in both.out
    assert "H_out = floor((H + " in run("explain", "--layer", "MaxPool2d", "in=3xHxW", "kernel_size=2").out


@pytest.mark.parametrize(("words", "said"), [
    (["--layer", "Conv2D", "in=3x8x8"], "did you mean Conv2d?"),
    (["--layer", "Conv2d", "out_channels=3"], "needs the sizes of its input"),
    (["--layer", "Conv2d", "in=3xhx8"], "`h` is not a size"),
    (["--layer", "Conv2d", "alexnet"], "is not NAME=VALUE"),
    (["--layer", "Conv2d", "in=3x8x8", "out_channels=2", "kernel_size=9"], "E404"),
    (["--layer", "Conv2d", "in=3x8x8", "--variant", "x"], "--layer stands without a spec"),
    (["alexnet", "conv1", "conv2"], "takes a spec and one layer"),
    (["alexnet", "conv"], "there is no layer `conv`"),
    (["E999"], "there is no code E999"),
])  # fmt: skip
def test_slips_in_explain(run, words, said):
    answer = run("explain", *words)
    assert answer.code == 2 and answer.out == ""
    assert said in answer.err


def test_explain_formats_and_files(run, tmp_path):
    assert r"\left\lfloor" in run("explain", "alexnet", "conv1", "--format", "latex").out
    assert run("explain", "alexnet", "--format", "html").out.startswith("<h3>AlexNet")
    assert json.loads(run("explain", "alexnet", "conv1", "--format", "json").out)["name"] == "conv1"
    assert run("explain", "alexnet", "conv1", "-o", "conv1.md", "--format", "markdown").out == ""
    assert (tmp_path / "conv1.md").read_text(encoding="utf-8").startswith("## conv1")


def test_formula(run):
    answer = run("formula", "gpt2", "params", "--free", "n_layer,n_embd,vocab_size")
    assert answer.code == 0
    assert "12*n_layer*n_embd^2 + 13*n_layer*n_embd + n_embd*vocab_size + 1026*n_embd\n" in answer.out
    assert "Checked at 5 random points" in answer.out
    assert "transformer.h (n_layer x Block)" in run("formula", "gpt2", "params", "--free", "n_layer", "--by-group").out
    assert "T" in json.loads(run("formula", "gpt2", "macs", "--batch", "1", "--format", "json").out)["names"]


def test_formula_with_the_spec_of_this_folder(run, tmp_path):
    spec = "netcalc: 1\nargs: {w: 3}\ninput: [N, 5]\nlayers: [{fc: {Linear: w}}]\n"
    (tmp_path / "spec.yaml").write_text(spec, encoding="utf-8")
    assert "6*w" in run("formula", "params", "--free", "w").out
    assert "w = 16" in run("solve", "params <= 100", "--for", "w").out


@pytest.mark.parametrize(("words", "said"), [
    (["gpt2", "parms"], "did you mean `params`?"),
    (["gpt2"], "there is no quantity `gpt2`"),
    (["gpt2", "params", "extra"], "takes a spec and a quantity"),
    (["gpt2", "params", "--substitute", "T"], "not NAME=FORMULA"),
    (["gpt2", "params", "--substitute", "T=32*"], "--substitute T=32*"),
    (["gpt2", "params", "--substitute", "X=2*x"], "`X` is not free"),
])  # fmt: skip
def test_slips_in_formula(run, words, said):
    answer = run("formula", *words)
    assert answer.code == 2 and said in answer.err


def test_solve(run):
    answer = run("solve", "mobilenet_v2", "macs <= 100M", "--for", "width", "--step", "0.05")
    assert answer.code == 0
    assert "width = 0.5   macs =  97,131,840\n" in answer.out
    assert run("solve", "gpt2", "params <= 100", "--for", "n_embd").code == 1
    assert run("solve", "alexnet", "params <= 1G", "--for", "N").code == 0
    assert (
        json.loads(run("solve", "resnet50", "activations <= 1G", "--for", "N", "--format", "json").out)["value"] == 26
    )


def test_the_three_commands_complete_specs_and_load_nothing_heavy(run):
    for command in ("explain", "formula", "solve"):
        assert command in run("--help").out
