"""The published rows of measured bytes (tests/reference/memory.json), met exactly.

They are of fp32, CPU rows with the optimizers' loop over parameters, CUDA rows with foreach; live storages are unrounded.
The batch is the inputs and the targets.
"""

from __future__ import annotations

import json
from math import prod
from pathlib import Path

import pytest

from netcalc.language.names import DTYPE_BYTES
from netcalc.memory import simulate
from netcalc.memory.simulate import Run
from netcalc.memory.tape import Rules
from netcalc.memory.timeline import Timeline
from tests.memory.cases import CASES

ROWS = json.loads((Path(__file__).parents[1] / "reference" / "memory.json").read_text())["rows"]
OPTIMIZERS = {
    "peak_none": (None, False), "peak_sgd_momentum": ("sgd-momentum", False), "peak_adamw": ("adamw", False),
    "peak_adamw_output_dropped": ("adamw", True),
}  # fmt: skip
#: one row in which the measured module had its parameters in another order than torchvision's has (see docs/memory.md)
OTHERWISE = {("resnet18", 1, "cpu"): {"peak_adamw", "peak_adamw_output_dropped"}}


@pytest.fixture(scope="module")
def nets():
    return {case: CASES[case].net() for case in {row["case"] for row in ROWS}}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['case']}-{row['batch']}-{row['device']}")
def test_row(row, nets):
    net = nets[row["case"]]
    sizes = {"N": row["batch"], **CASES[row["case"]].sizes}
    rules = Rules(cuda=row["device"] == "cuda")
    emitter = net.exported().emitter
    predicted = {}
    for column, (optimizer, dropped) in OPTIMIZERS.items():
        run = Run(rules, optimizer, {}, drop_output=dropped)
        result = simulate.training(net.graph, emitter, sizes, run)
        predicted[column] = Timeline(result.trace).peak(None, 2).bytes
    predicted["saved"] = sum(saved.storage.bytes for saved in result.saved)
    forward = Timeline(simulate.inference(net.graph, emitter, sizes, rules).trace).peak().bytes
    predicted["peak_inference"] = forward + targets(net, sizes)
    left = OTHERWISE.get((row["case"], row["batch"], row["device"]), set())
    expected = {column: row[column] for column in predicted if column not in left}
    assert {column: predicted[column] for column in expected} == expected


def targets(net, sizes: dict) -> int:
    """The bytes of the targets: the measured batch has them in inference too."""
    graph = net.at(**sizes).graph
    shapes = [target for node in graph.loss if node.layer.loss for target in node.layer.targets(*node.shapes)]
    return sum(prod(shape) * DTYPE_BYTES[dtype] for shape, dtype in shapes)
