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
    assert "Wrong:\n    - Concat: {dim: 1}" in text and "Right:\n" in text
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
