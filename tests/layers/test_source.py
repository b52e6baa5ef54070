"""Parameters and buffers: the source that makes them gives the declared shape, dtype and values."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from torch import nn

import netcalc
from netcalc.layers import REGISTRY, ArgumentError

CASES = [
    ("Parameter", {"shape": [1, 1, 768]}, "nn.Parameter(torch.zeros(1, 1, 768))"),
    ("Parameter", {"shape": 4, "init": 1}, "nn.Parameter(torch.ones(4))"),
    ("Parameter", {"shape": [4, 3], "init": Fraction(1, 10000)}, "nn.Parameter(torch.full((4, 3), 0.0001))"),
    ("Parameter", {"shape": [4], "init": 2, "dtype": "float64"}, "nn.Parameter(torch.full((4,), 2.0, dtype=torch.float64))"),
    ("Parameter", {"shape": [], "init": "ones"}, "nn.Parameter(torch.ones(()))"),
    ("Parameter", {"shape": [2, 5], "init": "normal(0.02)"}, "nn.Parameter(torch.randn(2, 5) * 0.02)"),
    ("Parameter", {"shape": [2, 5], "init": "uniform(-1, 1)"}, "nn.Parameter(torch.empty(2, 5).uniform_(-1.0, 1.0))"),
    ("Parameter", {"shape": [3, 5], "init": "eye"}, "nn.Parameter(torch.eye(3, 5))"),
    ("Parameter", {"shape": [6], "init": "arange"}, "nn.Parameter(torch.arange(6).float())"),
    ("Buffer", {"shape": [3], "init": "zeros", "persistent": False}, "torch.zeros(3)"),
    ("Buffer", {"shape": [1, 197], "init": "arange", "dtype": "int64"}, "torch.arange(197).reshape(1, 197)"),
    ("Buffer", {"shape": [1, 1, 4, 4], "init": "causal_mask", "dtype": "bool"}, "torch.ones(1, 1, 4, 4, dtype=torch.bool).tril()"),
    ("Buffer", {"shape": [2], "init": 7, "dtype": "int32"}, "torch.full((2,), 7, dtype=torch.int32)"),
]  # fmt: skip


@pytest.mark.parametrize("name, args, source", CASES, ids=lambda value: str(value))
def test_source(name, args, source):
    layer = REGISTRY[name](args)
    assert [n.text for n in layer.needs() if n.ok is not True] == []
    assert layer.torch() == source
    tensor = eval(source, {"torch": torch, "nn": nn})
    assert isinstance(tensor, nn.Parameter) == (name == "Parameter")
    assert tuple(tensor.shape) == layer.shape()
    assert str(tensor.dtype) == f"torch.{layer.dtype()}"
    said = {**layer.params(), **{key: shape for key, (shape, _) in layer.buffers().items()}}
    assert said == {"": tuple(tensor.shape)}


@pytest.mark.parametrize("shape", [[10, 8], [1, 10, 8]])
def test_sinusoidal(shape):
    """The formula of the paper, element by element."""
    layer = REGISTRY["Buffer"]({"shape": shape, "init": "sinusoidal"})
    table = eval(layer.torch(), {"torch": torch})
    assert list(table.shape) == shape
    for position in range(10):
        for i in range(4):
            angle = torch.tensor(position / 10000 ** (2 * i / 8))
            assert torch.allclose(
                table.reshape(10, 8)[position, 2 * i : 2 * i + 2], torch.stack([angle.sin(), angle.cos()]), atol=1e-6
            )


@pytest.mark.parametrize("init", ["normal", "uniform(1)", "twos", "normal(a)", True, "zeros(1)"])
def test_init_of_another_form(init):
    with pytest.raises(ArgumentError) as caught:
        REGISTRY["Parameter"]({"shape": [2], "init": init})
    assert caught.value.code == "E304" and caught.value.argument == "init"


@pytest.mark.parametrize(
    "args, code",
    [
        ({"shape": [2], "init": "eye"}, "E411"),
        ({"shape": [2], "init": "causal_mask"}, "E411"),
        ({"shape": [2, 3], "init": "sinusoidal"}, "E411"),
        ({"shape": [2, 4], "init": "sinusoidal", "dtype": "int64"}, "E411"),
        ({"shape": [2, 4], "init": "normal(1)", "dtype": "int64"}, "E411"),
    ],
)
def test_init_that_does_not_fit(args, code):
    assert [n.code for n in REGISTRY["Buffer"](args).needs() if n.ok is not True] == [code]


@pytest.mark.parametrize("kind", ["Parameter", "Buffer"])
def test_a_shape_may_depend_on_a_free_argument_but_not_on_the_input(kind):
    """torch makes the tensor with the module, before any input comes."""
    text = f"netcalc: 1\nargs: {{d: 4}}\ninput: [N, T, d]\nlayers: [{{p: {{{kind}: {{shape: [1, %s]}}}}}}, {{Add: [input, p]}}]\n"
    made = netcalc.load(text % "d").free("d")
    assert [str(shape) for _, shape, *_ in made.graph.tensors()] == ["(1, d)"]
    with pytest.raises(netcalc.SpecError, match="needs a fixed shape, but T is free"):
        netcalc.load(text % "T").graph  # noqa: B018
