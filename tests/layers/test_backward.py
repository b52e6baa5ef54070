"""MACs of the backward pass of layers with inner products equal what torch's flop counter sees on the meta device."""

from __future__ import annotations

import itertools

import pytest
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tests.layers import rows_attention, rows_einsum, rows_recurrent, rows_routing
from tests.layers.table import built
from tests.layers.test_torch import flat, tensors

ROWS = [row for family in (rows_attention, rows_einsum, rows_recurrent, rows_routing) for row in family.ROWS]


def counted(row, needed, trains) -> int:
    module = row.torch()
    if isinstance(module, nn.Module):
        module = module.to("meta").requires_grad_(trains)
    inputs = [tensor.requires_grad_(want) for tensor, want in zip(tensors(row), needed, strict=True)]
    out = row.call(module, *inputs) if row.call else module(*inputs)
    counter = FlopCounterMode(display=False)
    with counter:
        sum(tensor.sum() for tensor in flat(out)).backward()
    return counter.get_total_flops() // 2


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_backward_macs_equal_torch(row):
    layer, shape = built(row), built(row).shape(*row.inputs)
    has_weights = isinstance(row.torch(), nn.Module)
    real = [tensor.is_floating_point() for tensor in tensors(row)]
    for needed in itertools.product(*((False, True)[: 1 + may] for may in real)):
        for trains in (True, False) if has_weights else (False,):
            if trains or any(needed):
                expected = counted(row, needed, trains)
                assert layer.backward_macs(needed, trains, *row.inputs, shape) == expected, (needed, trains)
