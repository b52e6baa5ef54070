"""Every shipped spec and variant as PyTorch source: its text, the modules that it makes, and what running it prints."""

from __future__ import annotations

import ast
import os
import re
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
SMALL = [
    ("mlp", None, {}),
    ("lenet5", None, {}),
    ("two_input", None, {}),
    ("siamese", None, {}),
    ("lstm_tagger", None, {}),
    ("tiny", None, {}),
    ("unet", None, {"width": 4, "H": 1, "W": 2}),
    ("resnet", "resnet18", {}),
    ("gpt2", None, {"n_layer": 2, "n_embd": 24, "vocab_size": 100}),
    ("vit", None, {"image_size": 32, "n_layer": 1}),
]


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


@pytest.mark.parametrize(("name", "variant", "given"), SMALL, ids=[name for name, *_ in SMALL])
def test_runs_as_a_script(name, variant, given, tmp_path):
    """As a user has it: a file and torch, netcalc not within reach."""
    net = net_of(name, variant)
    net = net.at(**given)
    path = tmp_path / "model.py"
    path.write_text(net.export_torch(), encoding="utf-8")
    forward, training = script(path), script(path, "--train")

    with torch.device("meta"):
        model = net.to_torch("meta")
        inputs = live.namespace(net.export_torch())["example_inputs"]()
        output = model.eval()(*inputs)
    outputs = output.values() if isinstance(output, dict) else output if isinstance(output, tuple) else [output]
    assert forward[0] == training[0] == f"{sum(p.numel() for p in model.parameters()):,} parameters"
    assert [line[line.index("[") :] for line in forward[1:]] == [str(list(tensor.shape)) for tensor in outputs]
    assert re.fullmatch(r"loss -?\d+\.\d{4}", training[1])
    assert len(training) == 2


def script(path: Path, *options: str) -> list[str]:
    """The lines that running an exported file prints, in a folder and a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-I", path.name, *options]
    done = subprocess.run(command, cwd=path.parent, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", ["mlp", "resnet50", "gpt2"])
def test_golden(name):
    """The whole text of three exports. To renew one after a wanted change, and then to read its diff:

    netcalc export resnet50 -o tests/export/golden/resnet50.py.txt
    """
    assert netcalc.load(name).export_torch() == (GOLDEN / f"{name}.py.txt").read_text(encoding="utf-8")
