"""What the documentation shows is true: its specs are read, its commands and its Python are run."""

import importlib.util
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from netcalc import SpecError, load
from netcalc.layers import REGISTRY
from netcalc.report.reference import layer_text, layers_text, models_text

ROOT = Path(__file__).parent.parent
_found = importlib.util.spec_from_file_location("make", ROOT / "docs" / "make.py")
make = importlib.util.module_from_spec(_found)
_found.loader.exec_module(make)
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in make.PAGES}


def numbered(language: str, start: str = "") -> list:
    """The code blocks of all pages in a language: (page, number, name, content)."""
    return [
        pytest.param(page, name, content, id=f"{page}-{number}")
        for page, text in PAGES.items()
        for number, (name, content) in enumerate(make.blocks(text, language))
        if content.startswith(start)
    ]


SPECS = numbered("yaml", "netcalc: 1\n") + numbered("yaml", "netcalc: 1 ")


@pytest.mark.parametrize(("page", "name", "content"), SPECS)
def test_specs_are_read_without_warnings_and_meet_their_numbers(page, name, content, tmp_path):
    for shipped in (ROOT / "specs").glob("*.yaml"):
        (tmp_path / shipped.name).write_bytes(shipped.read_bytes())
    path = tmp_path / "example.yaml"
    path.write_text(content, encoding="utf-8")
    if name.startswith("wrong"):
        with pytest.raises(SpecError):
            load(path).params()
        return
    net = load(path)
    for one in (net, *map(net.variant, net.variants)):
        assert one.params().totals["params"] is not None
        assert [str(problem) for problem in (*one.warnings, *one.check())] == []


def test_the_language_page_has_examples():
    assert sum(param.values[0] == "docs/language.md" for param in SPECS) >= 8


@pytest.mark.parametrize(("page", "name", "content"), numbered("python"))
def test_python_runs_and_prints_what_its_comments_say(page, name, content, tmp_path):
    done = subprocess.run([sys.executable, "-c", content], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    said = re.findall(r"^print\(.*\)  +# (.*)$", content, re.MULTILINE)
    assert done.stdout.split("\n")[:-1] == said


@pytest.mark.parametrize("page", [page for page, text in PAGES.items() if "```console" in text])
def test_commands_print_what_is_shown(page):
    assert make.with_outputs(PAGES[page]) == PAGES[page], "bring it up to date with: python docs/make.py"


def test_the_readme_shows_commands():
    shown = re.findall(r"^\$ netcalc (\w+)", PAGES["README.md"], re.MULTILINE)
    assert {"params", "flops", "shapes", "check"} <= set(shown)


def test_models_lists_the_variants_with_the_numbers_of_torchvision():
    published = json.loads((ROOT / "tests" / "reference" / "torchvision.json").read_text(encoding="utf-8"))["rows"]
    variants = {}
    for model in json.loads(models_text("json")):
        variants |= model["variants"]
    compared = [row for row in published if row["model"] in variants]
    assert len(compared) > 30
    assert all(variants[row["model"]] == row["num_params"] for row in compared)


def test_models_names_paper_and_variants():
    text = models_text("table")
    assert "ConvNet for the 2020s (2022)" in text
    assert "convnext_tiny convnext_small convnext_base convnext_large" in text


def test_layers_shows_each_once_and_one_with_its_arguments():
    lines = [line.split()[0] for line in layers_text("table").split("\n") if line.startswith("  ")]
    assert sorted(lines) == sorted(REGISTRY)
    arguments = {arg["name"]: arg for arg in json.loads(layer_text("Conv2d", "json"))["args"]}
    torch_says = inspect.signature(torch.nn.Conv2d).parameters
    assert list(arguments) == [name for name in torch_says if name not in ("device", "dtype")]
    assert arguments["in_channels"]["inferred"] == "C"
    assert not arguments["in_channels"]["required"]
    assert arguments["kernel_size"]["required"]
    assert (arguments["padding_mode"]["default"], arguments["bias"]["default"]) == ("zeros", "true")
    assert "padding_mode  zeros" in layer_text("Conv2d", "table")
    assert "`MaxPool2d: value` stands for kernel_size." in layer_text("MaxPool2d", "table")


def test_the_reference_of_layers_is_up_to_date():
    assert layers_text("markdown") + "\n" == PAGES["docs/layers.md"], "bring it up to date with: python docs/make.py"
    assert all(f"\n### {name}\n" in PAGES["docs/layers.md"] for name in REGISTRY)


def test_the_table_of_validation_is_up_to_date(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    from validation import page

    text = PAGES["docs/validation.md"]
    assert page(text) == text, "bring it up to date with: python docs/make.py"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!http)([^)#]+)", PAGES[page]):
        assert ((ROOT / page).parent / target).exists(), target


def test_the_command_that_runs_the_tests_stands_in_the_readme_once():
    """.ci/run takes it from there."""
    assert len(re.findall(r"^python3 -m venv .*pytest", PAGES["README.md"], re.MULTILINE)) == 1
