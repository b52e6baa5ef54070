"""What `net.memory` refuses because it would change nothing."""

from __future__ import annotations

import pytest

import netcalc
from netcalc.errors import NetcalcError


@pytest.mark.parametrize("options, says", [
    ({"momentum": 0.9}, "there is no optimizer, so --momentum means nothing"),
    ({"optimizer": "none", "implementation": "for-loop"}, "there is no optimizer, so --no-foreach means nothing"),
    ({"inference": True, "optimizer": "sgd"}, "--inference has no training step, so --optimizer means nothing"),
    ({"inference": True, "freeze": "all but last"}, "so --freeze means nothing"),
    ({"inference": True, "checkpoint": "blocks"}, "so --checkpoint means nothing"),
    ({"amp": "bfloat16", "dtype": "float16"}, "--amp and --dtype exclude each other"),
    ({"accumulate": 2}, "no batch is given"),
    ({"accumulate": 2, "batch": 3}, "--batch 3 cannot be cut into 2 equal micro-batches"),
])  # fmt: skip
def test_refused(options, says):
    with pytest.raises(NetcalcError, match="error: ") as problem:
        netcalc.load("mlp").memory(**options)
    assert says in str(problem.value)


def test_a_batch_that_has_its_size_is_not_cut():
    """It would be run whole, twice."""
    with pytest.raises(NetcalcError, match="the size of this one is fixed"):
        netcalc.load("mlp").at(N=4).memory(4, accumulate=2)


def test_defaults_are_no_options():
    found = netcalc.load("mlp").memory(inference=True, optimizer="none", checkpoint=(), accumulate=1)
    assert found.bytes == netcalc.load("mlp").memory(inference=True).bytes
