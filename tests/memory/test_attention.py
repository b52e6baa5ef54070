"""Attention on CUDA's rules in 16 bits, beside torch: what FlashAttention's backward kernel has for itself is in both, as
PyTorch's source has it."""

from __future__ import annotations

import pytest

import netcalc
from netcalc.memory.tape import Rules

from .compare import predicted
from .oracle import measure
from .oracle.traces import parted


def net(heads: int, key_heads: int, size: int):
    return netcalc.load(f"""
netcalc: 1
name: Net
input: [N, T, 16]
layers:
  - q: {{Linear: {heads * size}}}
    from: input
  - k: {{Linear: {key_heads * size}}}
    from: input
  - v: {{Linear: {key_heads * size}}}
    from: input
  - attention: {{ScaledDotProductAttention: {{num_heads: {heads}, num_kv_heads: {key_heads}}}}}
    from: [q, k, v]
  - out: {{Linear: 4}}
""")


@pytest.mark.parametrize("key_heads, size", [(8, 8), (2, 8), (1, 64), (4, 160), (8, 256)])
@pytest.mark.parametrize("length", [1, 130])
def test_flash_attention_is_as_torch_has_it(key_heads, size, length, private_side):
    loaded, sizes = net(8, key_heads, size), {"N": 2, "T": length}
    theirs = measure(loaded, sizes, "cuda", dtype="bfloat16", saved=False).events
    ours = predicted(loaded, sizes, Rules(cuda=True, dtype="bfloat16"), {}, False)
    for a, b in zip(ours, theirs, strict=True):
        assert parted(a, b)[0] is None
        assert sorted(event[1] for event in a) == sorted(event[1] for event in b)


@pytest.mark.parametrize("key_heads, size, wide, expanded", [(8, 8, 32, 0), (2, 8, 32, 2), (4, 160, 192, 2)])
def test_buffers_of_the_backward_kernel(key_heads, size, wide, expanded):
    """Of 2 samples, 8 heads and 130 positions, which are two tiles of 128: sums of rows and the query's gradient in float32,
    and for each query head a gradient of key and value."""
    events = predicted(net(8, key_heads, size), {"N": 2, "T": 130}, Rules(cuda=True, dtype="bfloat16"), {}, False)[1]
    made: dict[str, list[int]] = {}
    for _, change, _, layer, what in events:
        if change > 0 and layer == "attention":
            made.setdefault(what, []).append(change)
    assert made["sums of rows"] == [2 * 8 * 256 * 4]
    assert made["gradient of the query in float32"] == [2 * 256 * 8 * wide * 4]
    assert made.get("gradient for every query head", []) == [2 * 130 * 8 * size * 2] * expanded
