"""Random networks with memory under FakeTensors: on CUDA's rules and the CPU's, in float32, bfloat16 and under autocast, with
optimizers. The peak of every phase of two steps and the bytes that each module saves are as torch has them.

Beside them stand the real steps of `test_random.py`. NETCALC_RANDOM=1 searches further than the cells of every run.
"""

from __future__ import annotations

import pytest
from hypothesis import given

from tests.memory.matrix import DEVICES
from tests.memory.oracle import missing

from .cells import compared, network, of_device
from .specs import KINDS, specs
from .test_random import SEARCH, examples, few_objects  # noqa: F401  (a fixture)

NETWORKS = 12  # for each device and kind of input, each in two cells: 288 cells in all
COMPARED = 9  # of which at least: 108 in all


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", KINDS)
def test_random_networks_in_cells(kind, device):
    if device == "cuda" and missing():
        pytest.skip(missing())
    cells, count = of_device(device), 0

    def holds(builder):
        nonlocal count
        text = builder.text()
        beside = network(text)
        if beside is None:
            return
        for _ in range(2):
            cell = next(cells)
            found = compared(beside, cell)
            if found is not None:
                count += 1
                assert found[0] == found[1], f"\n{text}\n{cell}"

    holds.__name__ = f"holds_on_{device}"  # other specs for each device
    examples(NETWORKS)(given(specs(kind))(holds))()
    assert SEARCH or count >= COMPARED
