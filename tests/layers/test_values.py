"""What an exported layer computes equals torch's result, number for number, on a CPU with the same weights."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.layers import (
    rows_attention,
    rows_einsum,
    rows_indexing,
    rows_masking,
    rows_position,
    rows_recurrent,
    rows_routing,
)
from tests.layers.table import built
from tests.layers.test_torch import flat

FAMILIES = (rows_attention, rows_einsum, rows_indexing, rows_masking, rows_position, rows_recurrent, rows_routing)
#: small ones, and no function that drops elements at random in the row's own torch code
ROWS = [
    row
    for family in FAMILIES
    for row in family.ROWS
    if sum(map(math.prod, row.inputs)) < 100_000 and "dropout_p" not in row.args
]


def random_inputs(row) -> list:
    """Whole numbers from 0 to 2, which are places in every dimension that the rows look things up in."""
    made = []
    for number, shape in enumerate(row.inputs):
        dtype = getattr(torch, row.dtypes[number]) if row.dtypes else torch.float32
        made.append(torch.randn(shape, dtype=dtype) if dtype.is_floating_point else torch.randint(3, shape).to(dtype))
    return made


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_emitted_code_computes_the_same(row):
    torch.manual_seed(0)
    layer, expected = built(row), row.torch()
    names = {"nn": nn, "F": F, "torch": torch, "math": math, "self": SimpleNamespace(training=False)}
    exec(layer.helper_source or "", names)
    variables = [f"x{i}" for i in range(len(row.inputs))]
    code = layer.torch(*row.inputs)
    if code is None:
        text = layer.call(variables, *row.inputs)
    else:
        names["module"] = eval(code, names).eval()
        names["module"].load_state_dict(expected.eval().state_dict())
        text = layer.apply("module", variables)
    inputs = random_inputs(row)
    wanted = row.call(expected, *inputs) if row.call else expected(*inputs)
    found = eval(f"lambda {', '.join(variables)}: {text}", names)(*inputs)
    torch.testing.assert_close(flat(found), flat(wanted), equal_nan=True)
