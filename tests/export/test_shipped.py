"""Every shipped spec and variant as PyTorch source: its text, the modules that it makes, and what running it prints."""

from __future__ import annotations

import ast
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import netcalc
from netcalc.export import live
from tests.shipped import ALL, IDS, net_of

GOLDEN = Path(__file__).parent / "golden"
RUFF = [sys.executable, "-m", "ruff"]
#: run as scripts, in sizes that a laptop does in a second
SMALL = {
    "mlp": {}, "lenet5": {}, "two_input": {}, "siamese": {}, "lstm_tagger": {}, "tiny": {}, "resnet18": {},
    "unet": {"width": 4, "H": 1, "W": 2}, "gpt2": {"n_layer": 2, "n_embd": 24, "vocab_size": 100},
    "vit": {"image_size": 32, "num_layers": 1}, "mobilenet_v2": {"width": 0.25},
}  # fmt: skip


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Path:
    """A folder with the exported files of all specs and variants."""
    folder = tmp_path_factory.mktemp("exported")
    for (name, variant), label in zip(ALL, IDS, strict=True):
        (folder / f"{label.replace('-', '__')}.py").write_text(net_of(name, variant).export_torch(), encoding="utf-8")
    return folder


def ruff(*arguments, folder: Path):
    done = subprocess.run(
        [*RUFF, *arguments, "--isolated", "--no-cache", str(folder)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def test_formatted_as_by_ruff(sources):
    ruff("format", "--check", "--diff", folder=sources)


def test_lint_finds_nothing(sources):
    ruff("check", "--select", "E4,E7,E9,F,B006,I", folder=sources)


def test_every_file_was_looked_at(sources):
    assert len(list(sources.glob("*.py"))) == len(ALL) > 60


@pytest.mark.parametrize(("name", "variant"), ALL, ids=IDS)
def test_source_and_module(name, variant):
    net = net_of(name, variant)
    source = net.export_torch()
    tree = ast.parse(source)
    assert "netcalc" not in source.replace(ast.get_docstring(tree, clean=False), "")
    assert {"UNRESOLVED_SIZE", "\x01", "ª"} & set(re.findall(r"\w+|\x01", source)) == set()

    model = live.module(net.graph, source, "meta")
    assert [(key, tuple(value.shape)) for key, value in model.state_dict().items()] == list(net.state_dict().items())
    assert type(model).__name__ == net.spec.name
    count = sum(p.numel() for p in model.parameters())

    described = ast.get_docstring(tree)
    called = net.spec.source.name + (f", variant {net.graph.variant}" if net.graph.variant else "")
    assert described.startswith(f"{net.spec.name}, written by netcalc from {called}.\n\n{count:,} parameters")
    macs = net.flops(batch=1).totals["macs"]
    if isinstance(macs, int):
        assert described.endswith(f"{count:,} parameters, {macs:,} MACs for one sample.")


@pytest.mark.parametrize(("name", "given"), SMALL.items(), ids=SMALL)
def test_runs_as_a_script(name, given, tmp_path, monkeypatch, capsys):
    net = netcalc.load(name).at(**given)
    path = tmp_path / "model.py"
    path.write_text(net.export_torch(), encoding="utf-8")

    def printed(*options: str) -> list[str]:
        monkeypatch.setattr(sys, "argv", [path.name, *options])
        runpy.run_path(str(path), run_name="__main__")
        return capsys.readouterr().out.splitlines()

    forward, training = printed(), printed("--train")
    model = net.to_torch("meta")
    with torch.device("meta"):
        output = model.eval()(*live.namespace(net.export_torch())["example_inputs"]())
    outputs = output.values() if isinstance(output, dict) else output if isinstance(output, tuple) else [output]
    assert forward[0] == training[0] == f"{sum(p.numel() for p in model.parameters()):,} parameters"
    assert [line[line.index("[") :] for line in forward[1:]] == [str(list(tensor.shape)) for tensor in outputs]
    assert re.fullmatch(r"loss -?\d+\.\d{4}", training[1])
    assert len(training) == 2


def test_runs_without_netcalc(tmp_path):
    """As a user has it: one file, and torch; netcalc cannot be imported."""
    (tmp_path / "model.py").write_text(netcalc.load("mlp").export_torch(), encoding="utf-8")
    (tmp_path / "netcalc.py").write_text("raise ImportError('not here')")
    done = subprocess.run(
        [sys.executable, "model.py", "--train"], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"22,100 parameters\nloss \d+\.\d{4}\n", done.stdout)


@pytest.mark.parametrize("name", ["mlp", "resnet50", "gpt2"])
def test_golden(name):
    """The whole text of three exports. To renew one after a wanted change, and then to read its diff:

    netcalc export resnet50 -o tests/export/golden/resnet50.py.txt
    """
    assert netcalc.load(name).export_torch() == (GOLDEN / f"{name}.py.txt").read_text(encoding="utf-8")
