"""Every code of an error or warning is explained."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import netcalc
from netcalc.errors import NetcalcError, SpecError
from netcalc.report.codes import CODES, code_text

ROOT = Path(netcalc.__file__).parent
RAISED = {
    code
    for path in ROOT.rglob("*.py")
    if path.name != "codes.py"
    for code in re.findall(r"\"([EW]\d{3})\"", path.read_text(encoding="utf-8"))
}


def test_every_code_that_is_raised_is_explained():
    assert len(RAISED) > 70
    assert RAISED - CODES.keys() == set()


def test_no_code_is_explained_that_does_not_exist():
    assert CODES.keys() - RAISED == set()


@pytest.mark.parametrize("path", sorted((ROOT.parent / "tests" / "broken").glob("*.yaml")), ids=lambda path: path.stem)
def test_what_a_broken_spec_breaks_has_a_rule_with_an_example(path):
    try:
        net = netcalc.load(path)
        found = [*net.warnings, *net.check()]
    except SpecError as problem:
        found = problem.diagnostics
    assert all(CODES[diagnostic.code].text for diagnostic in found if diagnostic.code)


def test_a_rule_is_printed_with_both_examples():
    text = code_text("E402")
    assert text.startswith("E402 (error, shapes and arguments of layers)\n\n")
    assert "Wrong:\n    - small: {MaxPool2d: 2}\n    - Concat: {dim: 1}" in text and "Right:\n" in text
    assert json.loads(code_text("W403", "json"))["severity"] == "warning"
    for format in ("markdown", "latex", "html"):
        assert "Concat" in code_text("E402", format)


def test_examples_are_alike_in_form():
    for code, rule in CODES.items():
        assert rule.text.endswith("."), code
        assert bool(rule.wrong) == bool(rule.right), code


def test_an_unknown_code_is_answered_with_a_near_one():
    with pytest.raises(NetcalcError, match="there is no code E420"):
        code_text("E420")


#: what an example needs around it: another input, arguments
INPUTS = {"E309": "[N, 3, H, W]", "E311": "[N, T, 4]", "E410": "[N, T, 100]", "W402": "[N, T, 4]", "W405": "[N, T, 4]",
          "E418": "[N, 3, 32, 32]"}  # fmt: skip
ARGS = {"E100": "{sizes: [4]}", "E302": "{width: 8}", "E308": "{w: 1}", "E312": "{deep: false}"}
#: examples that are commands, or need other files or a free argument
NOT_RUN = {"E206", "E207", "E208", "E236", "E303", "E307", "E317"}
EXAMPLES = [code for code, rule in CODES.items() if rule.wrong and code not in NOT_RUN]


def spec_around(code: str, example: str) -> str:
    """A spec that an example is a part of."""
    if code == "E200" or example.startswith("netcalc:"):
        return f"{example}\n"
    if example.startswith("- "):
        lines = "".join(f"  {line}\n" for line in example.split("\n"))
        args = f"args: {ARGS[code]}\n" if code in ARGS else ""
        return f"netcalc: 1\n{args}input: {INPUTS.get(code, '[N, 3, 32, 32]')}\nlayers:\n{lines}"
    version = "" if code == "E202" else "netcalc: 1\n"
    given = "" if re.search(r"^inputs?:", example, re.MULTILINE) else "input: [N, 3]\n"
    layers = "" if re.search(r"^layers:", example, re.MULTILINE) else "layers: [Identity]\n"
    return f"{version}{given}{layers}{example}\n"


def codes_of(text: str) -> set:
    try:
        net = netcalc.load(text)
        return {diagnostic.code for diagnostic in (*net.warnings, *net.check())}
    except SpecError as problem:
        return {diagnostic.code for diagnostic in problem.diagnostics}


@pytest.mark.parametrize("code", EXAMPLES)
def test_an_example_breaks_its_rule_and_its_correction_keeps_it(code):
    assert code in codes_of(spec_around(code, CODES[code].wrong))
    if not CODES[code].right.startswith("netcalc params"):
        after = codes_of(spec_around(code, CODES[code].right))
        assert code not in after and not [other for other in after if other.startswith("E")]
