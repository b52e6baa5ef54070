"""Derivations: what is written evaluates to what the rule says, for every row of the tables of layers."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import pytest

from netcalc.arith import Traced
from netcalc.report.derivation import derive
from netcalc.report.notation import Latex, Text
from tests.layers.table import all_rows, built

NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])")


def names(tree, found: dict) -> dict:
    """The named quantities of a derivation; those with an index as {name: {index: value}}."""
    if isinstance(tree, Traced):
        if tree.op == "name":
            word, _, index = tree.name.partition("[")
            if index:
                found.setdefault(word, {})[int(index[:-1])] = tree.value
            else:
                found[word] = Fraction(tree.value)
        for part in tree.parts:
            names(part, found)
    return found


def evaluated(text: str, known: dict):
    """The number that a derivation's text stands for, in exact arithmetic."""
    source = NUMBER.sub(r"Fraction('\g<0>')", text).replace("^", "**")
    functions = {"Fraction": Fraction, "floor": math.floor, "ceil": math.ceil, "max": max, "min": min}
    return eval(source, functions, known)


def steps(found):
    return [s for s in (*found.outputs, *found.params, *found.buffers, found.macs, found.other, found.backward) if s]


def plain_figures(layer, inputs: list) -> dict:
    """What the rules say of plain numbers, by the labels of steps."""
    y = layer.shape(*inputs)
    work = layer.work(*inputs, y)
    figures = {name: math.prod(size) for name, size in layer.params(*inputs).items()}
    return {**figures, "MACs": work.macs, "other FLOPs": work.other}


@pytest.mark.parametrize("row", all_rows(), ids=str)
def test_the_written_derivation_gives_the_number_of_the_rule(row):
    layer, inputs = built(row), [tuple(shape) for shape in row.inputs]
    found = derive(layer, tuple(inputs), {}, (tuple(True for _ in inputs), True))
    expected = plain_figures(layer, inputs)
    for step in steps(found):
        known = names(step.tree, {})
        assert evaluated(Text()(step.tree), known) == step.value
        assert evaluated(Text(values=True)(step.tree), {}) == step.value
        assert Latex()(step.tree)
        if step.label in expected:
            assert step.value == expected[step.label]


@pytest.mark.parametrize("row", [r for r in all_rows() if r.type in ("Conv2d", "ConvTranspose2d", "Linear", "LSTM", "GRU", "MultiheadAttention", "MaxPool2d")], ids=str)  # fmt: skip
def test_the_layers_of_textbooks_are_derived_and_not_only_counted(row):
    found = derive(built(row), tuple(map(tuple, row.inputs)), {})
    shown = [*found.params, found.macs if found.macs.value else found.other]
    assert all(isinstance(step.tree, Traced) for step in shown)


def test_a_rule_that_a_remembering_number_does_not_survive_still_gives_its_figures():
    """proj_size = 0 asks for its type; it stays a number, and hidden_size keeps its name."""
    row = next(r for r in all_rows() if r.type == "LSTM" and not r.args.get("proj_size"))
    found = derive(built(row), tuple(map(tuple, row.inputs)), {})
    assert "hidden_size" in Text()(found.params[0].tree)
    assert "proj_size" not in Text()(found.params[1].tree)
