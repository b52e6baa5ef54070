"""Small specs that ask much of the exported code: each runs, and is what was predicted."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

import netcalc
from netcalc.errors import NetcalcError

HEAD = "netcalc: 1\nname: Net\n"

SPECS = {
    "an output that is returned twice, and one that is no real number": """
input: [N, 4]
layers: [{a: {Linear: 4}}, {b: {Argmax: {dim: 1}}}]
outputs: {first: a, second: a, third: b}
""",
    "tensors that start as a word says": """
input: [N, 4, 4]
layers:
  - a: {Buffer: {shape: [4, 4], init: causal_mask}}
  - b: {Buffer: {shape: [4, 4], init: eye}}
  - c: {Parameter: {shape: [4, 4], init: ones}}
  - d: {Buffer: {shape: [4, 4], init: sinusoidal}}
  - Add: [input, a, b, c, d]
""",
    "a buffer that is not in the state_dict": """
input: [N, 12]
layers: [{a: {Buffer: {shape: [12], init: arange, persistent: false}}}, {Add: [a, input]}]
""",
    "tensors of sizes that are arguments": """
input: [N, 6, 4]
layers: [{Block: {high: 5, wide: 3}}, {Slice: {dim: 1, end: 4}}, {Block: {high: 3, wide: 3}}]
blocks:
  Block:
    args: {high, wide}
    layers:
      - a: {Buffer: {shape: [high + 1, wide + 1], init: arange}}
      - b: {Buffer: {shape: [high + 1, wide + 1], init: sinusoidal}}
      - Add: [input, a, b]
""",
    "a group that is empty, used again": """
input: [N, 4]
layers:
  - up: [{Linear: 7, when: 1 > 2}]
  - {Reuse: up, repeat: 2}
  - Linear: 3
""",
    "copies of what has no module, in a sequence": """
input: [N, 4]
args: {depth: 2}
layers:
  - Parallel:
      - Identity
      - Sequential: [{Linear: 4}, {rolled: {Roll: {shifts: 1}}, repeat: depth}]
    merge: Add
""",
    "a layer under a condition that reads two tensors": """
input: [2, T, 8]
layers: [{Block: {deep: true}}]
blocks:
  Block:
    args: {deep}
    input: [N, T, C]
    layers:
      - norm: Identity
      - order: {Argsort: {dim: 1}}
      - {Gather: {dim: 1}, from: [norm, order], when: deep}
      - Add: [prev, norm]
""",
    "layers without state that share a name": """
input: [2, 3, 6, 8]
layers:
  - Parallel: [Identity, {conv: InstanceNorm2d}]
    merge: {Concat: {dim: 1}}
    repeat: 2
""",
}


@pytest.mark.parametrize("said", SPECS)
def test_small_specs(said):
    result = netcalc.load(HEAD + SPECS[said].lstrip()).verify("cpu")
    assert result.ok, result.format()


def test_numbers_among_operands_are_expressions():
    spec = """
input: [N, 12]
layers: [{Shift: {by: 3}}, {Shift: {by: 5}}]
blocks:
  Shift:
    args: {by}
    input: [N, D]
    layers: [{Sub: [input, by - 1]}, {Mul: [prev, by]}, {Div: sqrt(by)}]
"""
    net = netcalc.load(HEAD + spec.lstrip())
    text = net.export_torch()
    assert text.count("class ") == 2
    for line in ("x = x - (self.by - 1)", "x = x * self.by", "x = x / math.sqrt(self.by)", "Shift(3)", "Shift(5)"):
        assert line in text
    assert net.verify("cpu").ok


def test_parameters_that_the_loss_does_not_depend_on_get_no_gradient():
    """6 * 4 + 4 of `aside` and 4 * 4 + 4 of `before` stay without one: 2 * 4 + 2 have it."""
    spec = """
input: [N, 6]
layers:
  - aside: {Linear: 4}
  - before: {Linear: 4}
  - Greater: 0
  - To: float32
  - head: {Linear: 2}
"""
    result = netcalc.load(HEAD + spec.lstrip()).verify("cpu", train=True)
    assert result.ok, result.format()
    assert result.totals["gradients"]["measured"] == 10
    # of the head's gradients only those of its weights: 2 samples, 4 * 2
    assert result.totals["backward_macs"]["measured"] == 16


def test_a_network_that_has_nothing_to_train(tmp_path):
    (tmp_path / "model.py").write_text(netcalc.load(f"{HEAD}input: [N, 4]\nlayers: [ReLU]\n").export_torch())
    for options, code in ((), 0), (("--train",), 2):
        done = subprocess.run([sys.executable, tmp_path / "model.py", *options], capture_output=True, text=True)
        assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    result = netcalc.load(f"{HEAD}input: [N, 4]\nlayers: [ReLU]\nloss: MSELoss\n").verify("cpu", train=True)
    assert result.ok, result.format()


def test_a_loss_that_reads_no_output_is_refused():
    spec = "input: [N, 4]\nlayers: [{Linear: 4}]\nloss: [{Add: [prev, input]}, MSELoss]\n"
    with pytest.raises(NetcalcError, match="reads the input `input`, which is not an output"):
        netcalc.load(HEAD + spec).export_torch()


@pytest.mark.parametrize(
    "layers",
    [
        "[{Block: null, from: {first: prev, skip: input}, repeat: 2}]",
        "[{step: {Block: null}, from: {first: prev, skip: input}, repeat: 2}]",
        "[{step: [{Sub: [prev, input]}]}, {Reuse: step}]",
        "[{step: [{inner: [{Sub: [prev, input]}]}]}, {Reuse: step}]",
    ],
)
def test_what_is_one_tensor_in_the_first_run_may_be_two_in_the_next(layers):
    """x - x is 0, and 0 - x is -x: the class must not read twice what the first run has twice."""
    block = "blocks: {Block: {inputs: {first: [N, D], skip: [N, D]}, layers: [{Sub: [first, skip]}]}}"
    x = torch.arange(8.0).reshape(2, 4)
    assert torch.equal(netcalc.load(f"{HEAD}input: [N, 4]\nlayers: {layers}\n{block}\n").to_torch()(x), -x)
