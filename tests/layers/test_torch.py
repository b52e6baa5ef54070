"""Shapes, parameters, buffers, dtypes and MACs of every row equal torch's, on the meta device in train mode."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from netcalc.layers import Layer
from tests.layers.table import all_rows, built

ROWS = all_rows()


def tensors(row):
    """The inputs, and the targets that a loss implies."""
    dtypes = row.dtypes or ("float32",) * len(row.inputs)
    wanted = [*zip(row.inputs, dtypes, strict=True), *built(row).targets(*row.inputs)]
    return [torch.empty(s, dtype=getattr(torch, d), device="meta") for s, d in wanted]


def run(function, row, call=None):
    """The output and FLOPs of a function, or of a module (called by `call(module, *tensors)` where that is given)."""
    if isinstance(function, nn.Module):
        function = function.to("meta").train()
    counter = FlopCounterMode(display=False)
    with counter:
        out = call(function, *tensors(row)) if call else function(*tensors(row))
    return out, counter.get_total_flops()


def flat(out) -> list:
    """The tensors of an output, as LSTM returns (output, (h, c))."""
    if isinstance(out, torch.Tensor):
        return [out]
    return [tensor for item in out for tensor in flat(item)]


def shapes_of(layer, row) -> list:
    shape = layer.shape(*row.inputs)
    return [tuple(s) for s in shape] if layer.parts(*row.inputs) is not None else [tuple(shape)]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_row_agrees_with_torch(row):
    layer = built(row)
    assert [n.text for n in layer.needs(*row.inputs) if n.ok is not True] == []
    out, flops = run(row.torch(), row, row.call)
    outs = flat(out)
    assert shapes_of(layer, row) == [tuple(t.shape) for t in outs]

    dtypes = row.dtypes or ("float32",) * len(row.inputs)
    dtype = layer.dtype(*dtypes)
    dtype = dtype if isinstance(dtype, (list, tuple)) else [dtype] * len(outs)
    assert list(dtype) == [str(t.dtype).removeprefix("torch.") for t in outs]

    module = row.torch()
    state = module if isinstance(module, nn.Module) else nn.Module()
    assert list(layer.params(*row.inputs).items()) == [(name, tuple(p.shape)) for name, p in state.named_parameters()]
    kept = {name: (tuple(b.shape), str(b.dtype).removeprefix("torch.")) for name, b in state.named_buffers()}
    assert layer.buffers(*row.inputs) == kept

    y = layer.shape(*row.inputs)
    macs = layer.work(*row.inputs, y).macs
    assert macs == (flops // 2 if row.macs is None else row.macs)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_emitted_code_agrees_with_torch(row):
    """The constructor, or the expression, that an exported model would contain does the same."""
    layer = built(row)
    names = {"nn": nn, "F": F, "torch": torch, "math": math, "self": SimpleNamespace(training=True)}
    exec(layer.helper_source or "", names)
    module = layer.torch(*row.inputs)
    codes = []
    if module is not None:
        variables = [f"x{i}" for i in range(len(tensors(row)))]
        applied = layer.apply(f"{module}.to('meta').train()", variables)
        codes.append(f"lambda {', '.join(variables)}: {applied}")
    if module is None or type(layer).call is not Layer.call:
        variables = [f"x{i}" for i in range(len(row.inputs))]
        codes.append(f"lambda {', '.join(variables)}: {layer.call(variables, *row.inputs)}")
    expected, expected_flops = run(row.torch(), row, row.call)
    for code in codes:
        out, flops = run(eval(code, names), row)
        assert [t.shape for t in flat(out)] == [t.shape for t in flat(expected)], code
        assert [t.dtype for t in flat(out)] == [t.dtype for t in flat(expected)], code
        assert flops == expected_flops, code
