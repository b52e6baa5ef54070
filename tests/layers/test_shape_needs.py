"""The conditions of the shape, arithmetic and linear families: what they say where they fail, and what stays open."""

from __future__ import annotations

import pytest

from netcalc.arith import Condition, symbol
from netcalc.layers import REGISTRY, ArgumentError

N, T, H = symbol("N"), symbol("T"), symbol("H")

FAILING = [
    ("Add", {}, [(N, 64, 16, 16), (N, 3, 32, 32)], "E401", "Add cannot join [N, 64, 16, 16] and [N, 3, 32, 32]: dimension 3 is 16 and 32"),
    ("Add", {}, [(N, 64), (N, 3)], "E401", "Add cannot join [N, 64] and [N, 3]: dimension 1 is 64 and 3"),
    ("Add", {}, [(2, 3)], "E411", "Add needs 2 operands or more, not 1"),
    ("Sub", {"operands": [None, 1, 2]}, [(2, 3)], "E411", "Sub needs 2 operands, not 3"),
    ("MatMul", {}, [(2, 3), (4, 5)], "E401", "MatMul cannot multiply [2, 3] with [4, 5]: the rows of the first have 3 elements, the columns of the second 4"),
    ("MatMul", {}, [(2, 3, 4), (5, 4, 3)], "E401", "MatMul cannot multiply batches of [2] and [5]: dimension 0 is 2 and 5"),
    ("MatMul", {"operands": [None, 2]}, [(2, 3)], "E411", "MatMul multiplies two tensors, not a tensor and a number"),
    ("Concat", {"dim": 1}, [(N, 3, 16, 16), (N, 3, 32, 16)], "E402",
     "Concat along dimension 1 needs the other dimensions equal, but got [N, 3, 16, 16] and [N, 3, 32, 16]: dimension 2 is 16 and 32"),
    ("Concat", {"dim": 1}, [(2, 3), (2, 3, 4)], "E402",
     "Concat along dimension 1 needs the other dimensions equal, but got [2, 3] and [2, 3, 4]: 2 and 3 dimensions"),
    ("Concat", {"dim": 2}, [(2, 3), (2, 3)], "E418", "dim = 2 is out of range for [2, 3], which has 2 dimensions"),
    ("Stack", {"dim": 0}, [(2, 3), (2, 4)], "E402", "Stack along dimension 0 needs all dimensions equal, but got [2, 3] and [2, 4]: dimension 1 is 3 and 4"),
    ("Mean", {"dim": [2, 3]}, [(N, 8)], "E418", "dim = 2 is out of range for [N, 8], which has 2 dimensions"),
    ("Sum", {"dim": [1, -1]}, [(N, 8)], "E418", "dim = [1, -1] names a dimension twice"),
    ("Flatten", {"start_dim": 2, "end_dim": 1}, [(N, 8, 4)], "E418", "start_dim = 2 comes after end_dim = 1"),
    ("Flatten", {"start_dim": 3}, [(N, 8)], "E418", "start_dim = 3 is out of range for [N, 8], which has 2 dimensions"),
    ("Unflatten", {"dim": 1, "unflattened_size": [5, -1]}, [(N, 12)], "E413", "dimension 1 has 12 elements, which do not fill [5, -1]"),
    ("Reshape", {"shape": [2, 7]}, [(3, 4)], "E413", "[3, 4] has 12 elements, which do not fill [2, 7]"),
    ("Reshape", {"shape": [-1, -1]}, [(3, 4)], "E411", "shape = [-1, -1] has more than one -1"),
    ("Reshape", {"shape": [0, -1]}, [(3, 4)], "E411", "shape = [0, -1] has a size below 1"),
    ("Permute", {"dims": [0, 2]}, [(2, 3, 4)], "E418", "dims = [0, 2] must name each of the 3 dimensions of [2, 3, 4] once"),
    ("Permute", {"dims": [0, 1, 1]}, [(2, 3, 4)], "E418", "dims = [0, 1, 1] names a dimension twice"),
    ("Squeeze", {"dim": 1}, [(N, 3)], "E413", "dimension 1 of [N, 3] is 3, not 1"),
    ("Unsqueeze", {"dim": 3}, [(N, 3)], "E418", "dim = 3 is out of range for [N, 3], which has 2 dimensions"),
    ("Select", {"dim": 1, "index": 3}, [(N, 3)], "E411", "index = 3 is out of range: dimension 1 of [N, 3] is 3"),
    ("Select", {"dim": 1, "index": -4}, [(N, 3)], "E411", "index = -4 is out of range: dimension 1 of [N, 3] is 3"),
    ("Chunk", {"chunks": 4, "dim": 1}, [(N, 6)], "E413", "dimension 1 of [N, 6] does not make 4 chunks"),
    ("Split", {"split_size_or_sections": [2, 3], "dim": 1}, [(N, 6)], "E413", "the sizes [2, 3] sum to 5, but dimension 1 of [N, 6] is 6"),
    ("Split", {"split_size_or_sections": 2}, [(N, 6)], "E405", "the number of pieces of 2 in N is not fixed"),
    ("Unbind", {}, [(N, 6)], "E405", "Unbind needs a fixed size, but dimension 0 of [N, 6] is N"),
    ("Expand", {"size": [2, 5]}, [(2, 3)], "E401", "[2, 3] does not expand to [2, 5]: dimension 1 is 3"),
    ("Expand", {"size": [-1, 2, 3]}, [(2, 3)], "E411", "size = [-1, 2, 3] keeps a dimension that the input does not have"),
    ("Repeat", {"sizes": [2]}, [(2, 3)], "E401", "sizes = [2] has fewer dimensions than the input [2, 3]"),
    ("Roll", {"shifts": [1, 2], "dims": 1}, [(2, 3)], "E411", "shifts = [1, 2] needs one value for each of dims"),
    ("Bilinear", {"out_features": 2}, [(2, 3), (4, 3)], "E401", "Bilinear needs inputs equal in all but the last dimension, not [2, 3] and [4, 3]"),
    ("Arange", {"end": 2, "start": 5}, [], "E411", "end = 2 comes before start = 5"),
]  # fmt: skip


@pytest.mark.parametrize("name, args, inputs, code, text", FAILING, ids=lambda value: str(value)[:40])
def test_failing_need(name, args, inputs, code, text):
    failing = [n for n in REGISTRY[name](args).needs(*inputs) if n.ok is False]
    assert (failing[0].code, failing[0].text if isinstance(failing[0].text, str) else failing[0].text()) == (code, text)


OPEN = [
    ("Concat", {"dim": 1}, [(N, 3, H), (N, 3, 2 * (H // 2))], "2*(H//2)"),
    ("Reshape", {"shape": [2, -1]}, [(N, 3)], "0"),
    ("Select", {"dim": 1, "index": 4}, [(N, T)], "T"),
]


@pytest.mark.parametrize("name, args, inputs, mentioned", OPEN, ids=lambda value: str(value)[:40])
def test_open_need(name, args, inputs, mentioned):
    [found] = [n for n in REGISTRY[name](args).needs(*inputs) if n.ok is not True]
    assert isinstance(found.ok, Condition) and mentioned in str(found.ok)
    if name == "Concat":
        assert found.help.startswith("these agree only for some sizes")


FREE = [
    ("Reshape", {"shape": [N, 64, -1]}, [(N, 8, 8, 3, H)], (N, 64, 3 * H), "x.reshape(x.shape[0], 64, -1)"),
    ("Chunk", {"chunks": 3, "dim": -1}, [(N, 3 * T)], [(N, T)] * 3, "x.chunk(3, dim=-1)"),
    ("Split", {"split_size_or_sections": T, "dim": -1}, [(N, 2 * T)], [(N, T)] * 2, "x.split(T, dim=-1)"),
    ("Slice", {"dim": 1, "start": 1}, [(N, T + 1, 8)], (N, T, 8), "x[:, 1:]"),
    ("Slice", {"dim": 1, "end": -1}, [(N, T + 1, 8)], (N, T, 8), "x[:, :-1]"),
    ("Slice", {"dim": 2, "step": 2}, [(N, 3, 2 * T)], (N, 3, T), "x[:, :, ::2]"),
    ("Expand", {"size": [N, -1, -1]}, [(1, 1, 768)], (N, 1, 768), "x.expand(N, -1, -1)"),
    ("Flatten", {"start_dim": 2}, [(N, 8, H, T)], (N, 8, H * T), "torch.flatten(x, 2)"),
    ("Unsqueeze", {"dim": -1}, [(N, 8)], (N, 8, 1), "x.unsqueeze(-1)"),
]  # fmt: skip


@pytest.mark.parametrize("name, args, inputs, shape, code", FREE, ids=lambda value: str(value)[:40])
def test_free_sizes_stay_readable(name, args, inputs, shape, code):
    layer = REGISTRY[name](args)
    assert all(n.ok is True for n in layer.needs(*inputs))
    assert layer.shape(*inputs) == shape
    assert layer.call(["x"], *inputs) == code


def test_free_dim_is_refused():
    with pytest.raises(ArgumentError) as caught:
        REGISTRY["Unsqueeze"]({"dim": N})
    assert caught.value.code == "E405"
