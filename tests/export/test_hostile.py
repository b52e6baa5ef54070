"""Names that get in the way: of torch and Python, of nn.Module, of what the exported file itself is made of.

The oracle: what something is called cannot change what a network computes. Each spec is exported twice, once with a
harmless name and once with the hostile one; both get the same weights and the same input, and must give equal outputs.
A spec that cannot be exported has to be refused in words.
"""

from __future__ import annotations

import ast
import functools
import keyword
import re

import pytest
import torch
from torch import nn

import netcalc
from netcalc.errors import NetcalcError, SpecError
from netcalc.export import live, naming

PYTHON = ["class", "none", "self", "super", "range", "len", "round", "getattr"]
OF_TORCH = ["torch", "nn", "f", "training", "forward_", "append", "parameters"]
OF_FILE = ["main", "loss_of", "example_targets", "checkpoint", "math", "make_divisible", "attention", "model"]
VARIABLES = [
    "x",
    "y",
    "out",
    "identity",
    "block",
    "layers",
    "context",
    "relu",
    "has_extra",
    "_",
    "length",
    "in_channels",
    "x_",
    "c",
]
UNDERSCORES = ["_modules", "__class__", "__x", "__x__", "___"]
NAMES = [*PYTHON, *OF_TORCH, *OF_FILE, *VARIABLES, *UNDERSCORES]
TYPES = [
    "F",
    "None",
    "True",
    "False",
    "OrderedDict",
    "Exception",
    "Tensor",
    "LayerNorm2d",
    "StochasticDepth",
    "Permute",
    "Model",
    "Net",
    "Group",
    "Box",
]

HEAD = "netcalc: 1\nname: Net\n"
ARGUMENT_OF_BLOCK = """
input: [M, 4, 8]
layers:
  - B: {NAME: 6}
  - B: {NAME: 3}
blocks:
  B:
    args: {NAME, twice: 2 * NAME}
    input: [M, C, L]
    layers:
      - a: {Conv1d: {out_channels: twice, kernel_size: 1}}
      - Residual:
          - ReLU
      - Reshape: [M, NAME, 2, L]
      - Flatten: {start_dim: 1, end_dim: 2}
      - h: {Linear: L}
        repeat: NAME - 2
      - extra: {Conv1d: {out_channels: 2 * NAME, kernel_size: 1}}
        when: NAME > 3
      - last: {Conv1d: {out_channels: 4, kernel_size: 1}}
"""
NUMBERED_COPIES = ARGUMENT_OF_BLOCK.replace(
    "- h: {Linear: L}", "- Mul: [prev, NAME]\n      - Linear: L"
)  # cannot share one class
ARGUMENT_OF_SEQUENTIAL = """
args: {NAME: 2}
input: [M, 4, 8]
layers:
  - B: {NAME: 1}
  - B: {NAME: NAME}
blocks:
  B:
    args: {NAME: 3}
    layers:
      - Linear: 8
        repeat: NAME
      - Tanh:
        when: NAME > 1
      - Linear: 8 * NAME
"""
ARGUMENT_OF_MODEL = """
args: {NAME: 6, depths: [2, 1], other: 2 * NAME}
input: [M, T, 8]
layers:
  - Linear: other
  - h: {Linear: other}
    repeat: depths[0]
  - Mul: [prev, NAME]
  - Reshape: [M, T, NAME, 2]
  - Flatten: {start_dim: 2}
  - B: {wide: NAME}
  - LayerNorm
blocks:
  B:
    args: {wide}
    input: [M, L, D]
    layers:
      - start: {Linear: wide}
      - Reshape: [M, L * wide]
      - Reshape: [M, L, wide]
      - LayerNorm
      - Add: [prev, start]
"""
LAYER = """
input: [M, 8]
layers:
  - NAME: {Linear: 8}
  - ReLU
  - Linear: 8
  - Residual:
      - Linear: 8
      - Tanh
  - Add: [prev, NAME]
  - Concat: {dim: 1}
    from: [prev, NAME]
  - B
blocks:
  B:
    args: {scale: 1.5}
    input: [M, C]
    layers:
      - NAME: {Linear: C}
      - h: {Linear: C}
        repeat: 2
      - Residual:
          - Linear: C
        shortcut:
          - Linear: C
      - Mul: [prev, scale]
      - Reshape: [M, C, 1]
      - Flatten
      - Concat: {dim: -1}
        from: [prev, NAME, input]
      - ReLU
"""
LAYER_IN_GROUP = """
input: [M, 8]
layers:
  - seen: {Linear: 8}
  - NAME: {Linear: 8}
  - g:
      - NAME: {Linear: 8}
      - Tanh
      - Residual:
          - inner: {Linear: 8}
      - Add: [prev, NAME]
      - Add: [prev, seen]
      - Add: [prev, input]
  - Add: [prev, NAME]
  - Reuse: NAME
  - e:
      - NAME: {Linear: 4}
      - ReLU
      - Linear: 8
  - Linear: 8
    tie: {weight: NAME.weight}
"""
READ_IN_GROUP = """
input: [M, 8]
layers:
  - NAME: {Linear: 8}
  - other: {Linear: 8}
  - g:
      - Linear: 8
      - Add: [prev, NAME]
      - Add: [prev, other]
  - Mul: [prev, NAME]
"""
GROUP = """
input: [M, 8]
layers:
  - NAME:
      - a: {Linear: 8}
      - ReLU
      - Add: [prev, a]
  - b: {Linear: 8}
    repeat: 2
  - Add: [prev, NAME]
"""
PARAMETER = """
input: [M, 8]
layers:
  - NAME: {Parameter: {shape: [8], init: 0.5}}
  - Linear: 8
    from: input
  - Mul: [prev, NAME]
  - ReLU
  - Add: [prev, NAME]
"""
INPUT = """
inputs:
  NAME: [M, 8]
  q: [M, T, 8]
layers:
  - a: {Linear: 8}
    from: NAME
  - Reshape: [M, 1, 8]
  - Add: [prev, q]
  - B: {}
    from: {NAME: prev, side: q}
  - Mean: {dim: 1}
  - Mul: [prev, NAME]
blocks:
  B:
    inputs: {NAME: [M, L, D], side: [M, L, D]}
    layers:
      - Linear: D
        from: side
      - ReLU
      - Reshape: [M, L * D]
      - Reshape: [M, L, D]
      - Add: [prev, NAME]
      - h: {Linear: D}
        repeat: 2
      - Mul: [prev, NAME]
"""
PARTS = """
input: [M, 8]
layers:
  - Linear: 8
  - NAME: {Chunk: {chunks: 2, dim: 1}}
  - b: {Linear: 4}
    from: NAME.1
  - Linear: 4
  - Mul: [prev, b]
  - Add: [prev, NAME.0]
  - Mul: [prev, NAME.1]
"""
OUTPUT = """
input: [M, 8]
layers:
  - a: {Linear: 8}
  - b: {Linear: 2}
outputs: {NAME: a, other: b}
"""
GIVEN_NAME = """
input: [M, 8]
layers:
  - Linear: 8
    name: NAME
  - ReLU
  - h: {Linear: 8}
    repeat: 2
    name: NAME{i}
  - e:
      - Linear: 8
        name: NAME
  - B
blocks:
  B:
    layers:
      - Linear: 8
        name: NAME
"""
ROLES = {
    name.lower(): text
    for name, text in list(globals().items())
    if name.isupper() and isinstance(text, str) and "NAME" in text
}

BLOCK = """
input: [M, 8, 4, 4]
layers:
  - TYPE: {width: 8}
  - a: {TYPE: {width: 4}}
    repeat: 2
  - k:
      - TYPE: {width: 8}
  - drop: {StochasticDepth: {p: 0.1, mode: row}}
  - Permute: [0, 2, 3, 1]
  - Linear: 8
  - turned:
      - Linear: 8
      - Permute: [0, 3, 1, 2]
blocks:
  TYPE:
    args: {width}
    input: [M, C, H, W]
    layers:
      - Conv2d: {out_channels: width, kernel_size: 1}
      - ReLU
      - Add: [prev, 1]
"""
SIZE = """
input: [TYPE, TYPE2, 8]
layers:
  - B
  - Reshape: [TYPE, TYPE2 * 8]
  - Reshape: [TYPE, TYPE2, 8]
blocks:
  B:
    args: {scale: 2}
    input: [TYPE, TYPE2, D]
    layers:
      - Linear: D * scale
      - y: {ReLU: {}}
      - Reshape: [TYPE, TYPE2 * D, scale]
      - Mul: [prev, scale]
      - out: {Tanh: {}}
      - Reshape: [TYPE, TYPE2, D * scale]
      - Mul: [prev, y]
      - Linear: D
"""
SIZES = [
    "X",
    "Y",
    "U",
    "W",
    "F",
    "Nn",
    "Torch",
    "Self",
    "Class",
    "None",
    "If",
    "Out",
    "D1",
    "Super",
    "Scale",
    "Length",
    "Math",
]


@functools.cache
def run(text: str):
    """What the exported model computes from fixed weights and inputs, and its source."""
    net = netcalc.load(HEAD + text)
    source = net.export_torch()
    model = live.module(net.graph, source)
    state = model.state_dict()
    assert [(k, tuple(v.shape)) for k, v in state.items()] == list(net.state_dict().items())
    torch.manual_seed(1)
    for value in {v.data_ptr(): v for v in state.values()}.values():
        value.copy_(torch.randn(value.shape) / 3)
    sizes = {name: 3 for name in net.graph.free}
    inputs = [
        torch.randn([s if isinstance(s, int) else s.at(sizes) for s in v.shape]) for v in net.graph.inputs.values()
    ]
    with torch.no_grad():
        output = model.eval()(*inputs)
    return (list(output.values()) if isinstance(output, dict) else [output]), source


CALLS = {"super", "range", "len", "list", "int", "round", "min", "max", "sum", "abs", "print", "enumerate", "getattr", "OrderedDict", "checkpoint", "main",
         "example_inputs", "example_targets", "loss_of", "make_divisible", "model", "block"}  # fmt: skip
IMPORTS = {"argparse", "math", "torch", "collections", "torch.nn", "torch.utils.checkpoint"}


def harmless(source: str):
    """The file imports torch and little else, calls nothing unexpected, and does nothing when it is imported."""
    tree = ast.parse(source)
    own = {node.name for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    for node in tree.body:
        assert isinstance(node, (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef, ast.Expr, ast.If)), (
            ast.dump(node)
        )
    loose = [node for node in tree.body if isinstance(node, (ast.Expr, ast.If))]
    assert [ast.unparse(node) for node in loose[1:]] == ["if __name__ == '__main__':\n    main()"]
    assert isinstance(loose[0].value, ast.Constant)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            assert (
                {node.module} <= IMPORTS
                if isinstance(node, ast.ImportFrom)
                else {a.name for a in node.names} <= IMPORTS
            )
        elif isinstance(node, ast.Attribute) and re.fullmatch(r"__\w*[a-z]\w*__", node.attr):
            assert node.attr == "__init__", node.attr
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id in CALLS | own, node.func.id
        elif isinstance(node, ast.Name) and re.fullmatch(r"__.+__", node.id):
            assert node.id in ("__name__", "__doc__"), node.id


def same_as_harmless(template: str, mark: str, harmless_name: str, name: str, also=()):
    expected, _ = run(filled(template, mark, harmless_name))
    try:
        found, source = run(filled(template, mark, name))
    except SpecError as problem:
        assert problem.diagnostics[0].code.startswith("E"), problem
        return "not in the language"
    except NetcalcError as problem:
        assert (str(problem).startswith("error: export cannot") and f"`{name}" in str(problem)) or name in str(
            problem
        ), problem
        return "refused"
    harmless(source)
    assert all(map(torch.equal, found, expected)) and len(found) == len(expected), source
    return "equal"


def filled(template: str, mark: str, name: str) -> str:
    return template.replace(mark, name)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", NAMES)
def test_a_name_does_not_change_a_network(role, name):
    outcome = same_as_harmless(ROLES[role], "NAME", "plain_name", name)
    if name in ("torch", "nn", "x", "self_", "super", "range", "layers", "attention"):
        assert outcome == "equal"


@pytest.mark.parametrize("name", TYPES)
def test_a_block_may_have_any_name(name):
    assert same_as_harmless(BLOCK, "TYPE", "PlainName", name) in ("equal", "not in the language")


@pytest.mark.parametrize("name", SIZES)
def test_a_size_may_have_any_name(name):
    assert same_as_harmless(SIZE, "TYPE", "Q", name) == "equal"


@pytest.mark.parametrize("name", TYPES)
def test_the_name_of_the_model(name):
    text = "netcalc: 1\nname: NAME\ninput: [N, 8]\nlayers: [Linear: 8, ReLU, g: [a: {Linear: 2}]]\n".replace(
        "NAME", name
    )
    net = netcalc.load(text)
    try:
        source = net.export_torch()
    except NetcalcError as problem:
        assert name in ("F", "None", "True", "False", "OrderedDict")
        assert (
            str(problem)
            == f"error: export cannot call the class {name}: the file needs that name itself\n  help: give the spec another `name`"
        )
        return
    harmless(source)
    assert type(net.to_torch()).__name__ == name


def test_private_attributes_of_modules_are_known():
    """Every attribute that a fresh module has is refused as the name of a layer, by the language or by export."""
    from netcalc.language.names import wrong_name

    inside = {*dir(nn.Module()), *vars(nn.Module())}
    for name in inside:
        if wrong_name(name) is None:
            with pytest.raises(NetcalcError, match="export cannot write a layer called"):
                naming.refuse(name)
    for name in ("_blocks", "_fc", "_1", "__x", "norm_", "forward_"):
        naming.refuse(name)


def test_words_of_python_are_never_written():
    for word in keyword.kwlist:
        assert naming.variable(word, naming.USED) != word
        assert not naming.plain(word)
        assert naming.attribute(word) != word
