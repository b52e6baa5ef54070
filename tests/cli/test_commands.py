"""The commands and their options: what they read, what they answer, how they end."""

from __future__ import annotations

import json

import pytest

from netcalc import catalog
from netcalc.layers import REGISTRY
from tests.golden.printed import Printed, whole

COMMANDS = ("shapes", "params", "flops", "check", "models", "layers", "schema", "completion")
TABLES = ("shapes", "params", "flops")


def params(answer) -> int:
    assert answer.code == 0, answer.err
    return whole(Printed(answer.out).total("Param #"))


# -- what SPEC may be


def test_spec_is_a_path(run, small):
    assert params(run("params", str(small))) == params(run("params", "small.yaml")) == 10 * 4 + 4 + 4 * 100 + 100


def test_spec_is_a_shipped_name_or_a_variant(run):
    assert params(run("params", "resnet")) == params(run("params", "resnet18")) == 11_689_512
    assert params(run("params", "resnet", "--variant", "resnet50")) == params(run("params", "resnet50")) == 25_557_032


def test_spec_is_standard_input(run, small):
    answer = run("params", "-", stdin=small.read_bytes())
    assert params(answer) == 544
    broken = run("params", "-", stdin=b"netcalc: 1\ninput: [N, 3]\nlayers:\n  - Lineer: 3\n")
    assert broken.code == 2 and broken.err.startswith("<stdin>:4:5: error[E220]") and not broken.out


def test_spec_yaml_is_the_default(run, small):
    missing = run("params")
    assert (missing.code, missing.out) == (2, "") and "spec.yaml" in missing.err
    small.rename("spec.yaml")
    assert params(run("params")) == 544
    assert params(run("params", "--set", "width=8")) == 988
    assert run("check").out.startswith("spec.yaml: ok")


def test_windows_line_endings(run, small):
    text = small.read_bytes()
    small.write_bytes(text.replace(b"\n", b"\r\n"))
    assert params(run("params", "small.yaml")) == 544
    small.write_bytes(text.replace(b"Linear", b"Lineer").replace(b"\n", b"\r\n"))
    answer = run("params", "small.yaml")
    assert answer.code == 2 and "small.yaml:8:9: error[E220]" in answer.err and "\r" not in answer.err


@pytest.mark.parametrize(
    "name, meant", [("resnt50", "resnet50"), ("alexnt", "alexnet"), ("ResNet50", "resnet50"), ("vgg16bn", "vgg16_bn")]
)
def test_unknown_names_get_a_suggestion(run, name, meant):
    answer = run("params", name)
    assert (answer.code, answer.out) == (2, "")
    assert (
        answer.err.startswith(f"error: there is no file and no shipped spec `{name}`\n")
        and f"did you mean {meant}?" in answer.err
    )


@pytest.mark.parametrize("spec", ["none.yaml", "folder/none", "."])
def test_files_that_cannot_be_read(run, spec):
    answer = run("params", spec)
    assert (answer.code, answer.out) == (2, "") and answer.err.startswith("error: ") and "Traceback" not in answer.err


# -- --set, --variant, --free, --batch


@pytest.mark.parametrize("options, expected", [
    (["--set", "width=8"], 988),
    (["--set", "width=8", "--set", "depths=[2,2]"], 988 + 72),
    (["--set", "width=8", "depths=[2,2]"], 988 + 72),
    (["--set", "depths=[2, 2]", "Act=GELU", "--variant", "wide"], 988 + 72),
    (["--set", "width=2 * 4"], 988),
    (["--variant", "wide"], 988),
    (["--variant", "wide", "--set", "width=4"], 544),
])  # fmt: skip
def test_set(run, small, options, expected):
    assert params(run("params", "small.yaml", *options)) == expected


def test_set_before_the_spec(run, small):
    assert params(run("params", "--set", "width=8", "small.yaml")) == 988
    assert params(run("params", "--set", "width=8", "depths=[2,2]", "--depth", "1", "small.yaml")) == 988 + 72


def test_set_a_list_of_a_shipped_spec(run):
    assert params(run("params", "resnet", "--set", "Block=Bottleneck", "depths=[3,4,23,3]")) == 44_549_160


def test_set_a_kind_of_layer(run, small):
    assert "1 (GELU)" in run("shapes", "small.yaml", "--set", "Act=GELU").out
    assert "1 (ReLU)" in run("shapes", "small.yaml").out


def test_set_free_dimensions(run):
    assert "Output [4, 2, 32, 48]" in run("shapes", "unet", "--set", "H=2", "W=3", "N=4").out


@pytest.mark.parametrize("options, says", [
    (["--set", "widht=8"], "did you mean `width`?"),
    (["--set", "width"], "`width` is not NAME=VALUE"),
    (["--set", "=3"], "`=3` is not NAME=VALUE"),
    (["--set", "width=4.5"], "whole number"),
    (["--set", "width=[1"], "--set width"),
    (["--set", "width=lots"], "lots"),
    (["--variant", "wyde"], "did you mean `wide`?"),
    (["--free", "widht"], "`widht`"),
    (["--batch", "0"], "--batch"),
    (["--batch", "many"], "--batch"),
    (["--batch", "4", "--set", "N=3"], "--batch and --set N both"),
    (["--depth", "0"], "--depth"),
    (["--format", "xml"], "--format"),
    (["--fromat", "json"], "--format"),
])  # fmt: skip
@pytest.mark.parametrize("command", TABLES)
def test_wrong_options(run, small, command, options, says):
    answer = run(command, "small.yaml", *options)
    assert (answer.code, answer.out) == (2, "")
    assert says in answer.err and "Traceback" not in answer.err


def test_batch(run):
    assert "input [8, 3, 224, 224]" in run("shapes", "alexnet", "--batch", "8").out
    one, eight = run("flops", "alexnet"), run("flops", "alexnet", "--batch", "8")
    assert whole(Printed(eight.out).total("MACs")) == 8 * whole(Printed(one.out).total("MACs"))
    assert "For N = 1." in one.out and "[1, 96, 55, 55]" in one.out and "[8, 96, 55, 55]" in eight.out


def test_batch_without_a_batch_dimension(run, tmp_path):
    (tmp_path / "two.yaml").write_text("netcalc: 1\ninputs: {a: [N, 3], b: [M, 3]}\nlayers:\n  - x: {Linear: 3}\n    from: a\n"
                                       "  - y: {Linear: 3}\n    from: b\noutputs: [x, y]\n")  # fmt: skip
    answer = run("shapes", "two.yaml", "--batch", "4")
    assert (answer.code, answer.out) == (2, "") and "use --set" in answer.err


def test_free(run):
    answer = run("params", "gpt2", "--free", "n_layer,n_embd")
    assert answer.code == 0
    assert "Free: n_embd, n_layer; for numbers, --set n_embd=... n_layer=..." in answer.out
    assert "Valid where n_embd % 12 == 0" in answer.out
    assert run("params", "gpt2", "--free", "n_layer", "--free", "n_embd").out == answer.out


def test_depth_and_expand(run):
    folded = Printed(run("params", "resnet50").out).column("Layer (type)")
    assert "layer1.1-2.conv1 (Conv2d) x2" in folded
    expanded = Printed(run("params", "resnet50", "--expand").out).column("Layer (type)")
    assert "layer1.1.conv1 (Conv2d)" in expanded and not any(" x" in name for name in expanded)
    deep = Printed(run("params", "resnet50", "--depth", "1").out).column("Layer (type)")
    assert [name for name in deep if name.startswith("layer")] == [
        f"layer{i + 1} ({n} x Bottleneck)" for i, n in enumerate((3, 4, 6, 3))
    ]


# -- expect


BROKEN_56 = """\
netcalc: 1
input: [N, 10]
layers:
  - Linear: {out_features: 200, bias: false}
expect: {params: 2200}
"""
MESSAGE_56 = """\
net.yaml:5:18: error[E503]: the model has 2,000 parameters, but `expect` says 2,200 (-200)
  5 | expect: {params: 2200}
    |                  ^^^^
  help: the largest are 0.weight 2,000; `netcalc params` shows every layer
"""


@pytest.mark.parametrize("command", TABLES)
def test_an_unmet_expectation_ends_with_1_and_still_prints(run, tmp_path, command):
    (tmp_path / "net.yaml").write_text(BROKEN_56)
    answer = run(command, "net.yaml")
    assert (answer.code, answer.err) == (1, MESSAGE_56)
    assert Printed(answer.out).column("Layer (type)") == ["0 (Linear)"]
    assert run("check", "net.yaml") == (1, "net.yaml: failed\n", MESSAGE_56)


@pytest.mark.parametrize(
    "options", [("--batch", "4"), ("--set", "N=4"), ("--set", "T=64"), ("--batch", "2", "--set", "T=5")]
)
@pytest.mark.parametrize("command", ["shapes", "params", "flops"])
def test_sizes_make_no_difference_to_what_is_expected(run, command, options):
    """The published MACs of GPT-2 are for one sample of 1,024 tokens, whatever else is asked."""
    answer = run(command, "gpt2", "--depth", "1", *options)
    assert (answer.code, answer.err) == (0, "")


def test_expect_without_biases_gets_the_hint(run, tmp_path):
    """The difference of 12 is the 8 and 4 biases."""
    (tmp_path / "net.yaml").write_text("netcalc: 1\ninput: [N, 3, 8, 8]\nlayers:\n  - Conv2d: {out_channels: 8, kernel_size: 3}\n"
                                       f"  - Conv2d: {{out_channels: 4, kernel_size: 3}}\nexpect: {{params: {3 * 8 * 9 + 8 * 4 * 9}}}\n")  # fmt: skip
    answer = run("check", "net.yaml")
    assert answer.code == 1 and "error[E503]" in answer.err and "(+12)" in answer.err
    assert "help: the difference is the number of biases of the convolutions: is bias: false meant?" in answer.err


def test_expect_is_skipped_under_set(run, small):
    answer = run("params", "small.yaml", "--set", "width=5")
    assert (answer.code, answer.err) == (0, "note: expect is not checked, because --set changes width\n")
    answer = run("params", "small.yaml", "--free", "width")
    assert (answer.code, answer.err) == (0, "note: expect is not checked, because --free changes width\n")


def test_expect_is_checked_under_set_of_a_free_dimension(run, tmp_path):
    (tmp_path / "net.yaml").write_text(BROKEN_56)
    assert run("params", "net.yaml", "--set", "N=3").code == 1
    assert run("params", "net.yaml", "--batch", "3").code == 1


@pytest.mark.parametrize("expected, off", [
    ("{params: 1}", "(+543)"), ("{trainable: 545}", "(-1)"), ("{macs: 441}", "(-1)"), ("{output: [N, 99]}", "[N, 99]"),
    ("{params: 0.6K}", "says 0.6K"), ("{flops: 1}", "FLOPs"),
])  # fmt: skip
def test_each_kind_of_expectation(run, small, expected, off):
    text = small.read_text()
    small.write_text(text.replace("expect: {params: 544}", f"expect: {expected}"))
    answer = run("check", "small.yaml")
    assert answer.code == 1 and "error[E503]" in answer.err and off in answer.err


@pytest.mark.parametrize(
    "expected",
    ["{params: 0.5K}", "{params: 5.4e2}", "{macs: 440, params: 544}", "{output: [N, 100]}", "{params: 500 + 44}"],
)
def test_met_expectations(run, small, expected):
    text = small.read_text()
    small.write_text(text.replace("expect: {params: 544}", f"expect: {expected}"))
    assert run("check", "small.yaml").code == 0


def test_expect_at_free_sizes(run, tmp_path):
    text = "netcalc: 1\ninput: [N, T, 4]\nlayers:\n  - Linear: {out_features: 5, bias: false}\nexpect: "
    (tmp_path / "net.yaml").write_text(text + "{macs: 200, at: {T: 10}}\n")
    assert run("check", "net.yaml").code == 0
    (tmp_path / "net.yaml").write_text(text + "{macs: 200}\n")
    answer = run("check", "net.yaml")
    assert answer.code == 1 and "error[E504]" in answer.err and "at: {T: 1024}" in answer.err


# -- check


def test_check_prints_a_line_for_each_variant(run):
    answer = run("check", "resnet", "alexnet")
    assert answer.code == 0 and not answer.err
    assert answer.out.split("\n")[:2] == [
        "resnet: ok (11,689,512 parameters; params, macs, output as expected)",
        "resnet (resnet18): ok (11,689,512 parameters; params, macs as expected)",
    ]
    assert answer.out.count("ok") == 7


def test_check_all_shipped(run):
    answer = run("check", *catalog.names())
    assert answer.code == 0 and "error" not in answer.err


def test_check_goes_on_after_a_bad_spec_and_ends_with_the_worst(run, tmp_path):
    (tmp_path / "net.yaml").write_text(BROKEN_56)
    answer = run("check", "net.yaml", "nothing_like_it", "mlp")
    assert (
        answer.code == 2 and answer.out == "net.yaml: failed\nmlp: ok (22,100 parameters; params, output as expected)\n"
    )
    assert run("check", "net.yaml", "mlp").code == 1


def test_strict_makes_warnings_errors(run):
    lax, strict = run("check", "tiny"), run("check", "tiny", "--strict")
    assert lax.code == 0 and "warning[W404]" in lax.err
    assert strict.code == 1 and "warning[W404]" in strict.err and strict.out == "tiny: failed\n"


# -- the other commands


def test_models(run):
    answer = run("models")
    assert answer.code == 0
    assert all(name in answer.out for name in catalog.everything())
    found = json.loads(run("models", "--format", "json").out)
    assert {model["name"]: model["params"] for model in found}["alexnet"] == 62_378_344


def test_layers(run):
    answer = run("layers")
    assert answer.code == 0 and all(name in answer.out for name in REGISTRY)
    answer = run("layers", "Conv2d")
    assert answer.code == 0 and all(word in answer.out for word in ("kernel_size", "padding_mode", "torch.nn.Conv2d"))
    answer = run("layers", "conv2D")
    assert (answer.code, answer.out) == (2, "") and "did you mean Conv2d?" in answer.err


def test_schema(run, tmp_path):
    answer = run("schema")
    assert answer.code == 0 and "$schema" in json.loads(answer.out)
    assert run("schema", "-o", "netcalc-1.json").code == 0
    assert json.loads((tmp_path / "netcalc-1.json").read_text()) == json.loads(answer.out)


@pytest.mark.parametrize(
    "shell, word",
    [("bash", "complete -o nosort -F"), ("zsh", "#compdef netcalc"), ("fish", "complete --no-files --command netcalc")],
)
def test_completion_scripts(run, shell, word):
    answer = run("completion", shell)
    assert answer.code == 0 and "_NETCALC_COMPLETE" in answer.out and word in answer.out


def test_version(run):
    from netcalc import __version__

    assert run("--version") == run("-V") == (0, f"netcalc {__version__}\n", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(run, command):
    answer = run(command, "--help")
    assert (answer.code, answer.err) == (0, "")
    assert f"    netcalc {command}" in answer.out
    assert run(command, "-h").out == answer.out


def test_help_names_every_command(run):
    answer = run("--help")
    assert answer.code == 0 and all(f"  {command} " in answer.out for command in COMMANDS)


def test_without_a_command_help_is_shown(run):
    answer = run()
    assert answer.code == 2 and not answer.out and "Commands:" in answer.err


def test_unknown_command(run):
    answer = run("param", "alexnet")
    assert (answer.code, answer.out) == (2, "") and "there is no command `param`; did you mean `params`?" in answer.err


def test_warnings_do_not_disturb_the_answer(run):
    answer = run("params", "tiny", "--format", "json")
    assert answer.code == 0 and "warning[W404]" in answer.err and json.loads(answer.out)["total"]["params"] == 4250
