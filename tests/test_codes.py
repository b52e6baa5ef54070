"""`explanation` knows every code that a message can have, and its examples break and keep the rules that they are for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import netcalc
from netcalc.errors import NetcalcError, SpecError
from netcalc.report.codes import CODES, example, explanation

SOURCES = Path(netcalc.__file__).parent
EXAMPLES = [code for code, found in CODES.items() if found.wrong]


def test_every_code_has_an_explanation():
    used = {
        code
        for path in SOURCES.rglob("*.py")
        if path.name != "codes.py"
        for code in re.findall(r'"([EW]\d{3})"', path.read_text())
    }
    assert used == set(CODES)


def problems(text: str) -> set[str]:
    try:
        return {warning.code for warning in netcalc.load(example(text)).warnings}
    except SpecError as problem:
        return {diagnostic.code for diagnostic in problem.diagnostics}


@pytest.mark.parametrize("code", EXAMPLES)
def test_examples(code):
    assert code in problems(CODES[code].wrong)
    assert not {found for found in problems(CODES[code].right) if found.startswith("E")}


def test_what_is_printed():
    text = explanation("e412")
    assert text.startswith(
        "E412, an error about shapes and the arguments of layers.\n\nThe channels are divided evenly"
    )
    assert "Wrong:\n\n    - Conv2d: {out_channels: 8, kernel_size: 3, groups: 2}\n\nRight:\n\n    - Conv2d" in text
    assert explanation("W401").startswith("W401, a warning about shapes")


def test_a_code_that_there_is_not():
    with pytest.raises(NetcalcError, match="there is no message with the code E999"):
        explanation("E999")
