"""The JSON Schema: every shipped spec is valid, and the slips that people make are not."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from netcalc.language.schema import schema
from netcalc.layers import REGISTRY

SPECS = sorted((Path(__file__).parent.parent / "specs").glob("*.yaml"))
VALIDATOR = jsonschema.Draft7Validator(schema())


def problems(text: str) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(text))]


def spec(*layers: str, rest: str = "") -> str:
    return "\n".join(["netcalc: 1", "input: [N, 3, 32, 32]", "layers:", *layers, rest])


def test_it_is_a_schema_of_draft_7_without_one_of():
    jsonschema.Draft7Validator.check_schema(schema())
    assert '"oneOf"' not in json.dumps(schema())


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_shipped_specs_are_valid(path):
    assert problems(path.read_text(encoding="utf-8")) == []


def test_there_are_shipped_specs():
    assert len(SPECS) > 15


def test_every_layer_and_argument_is_documented():
    definitions = schema()["definitions"]
    for name, cls in REGISTRY.items():
        assert "\n\n" in definitions[name]["description"], name
        assert set(definitions[name]["properties"]) == set(cls.args), name
        assert all(argument["description"] for argument in definitions[name]["properties"].values()), name


ACCEPTED = {
    "arguments of the same name": ("  - Conv2d: {out_channels: 8, kernel_size, stride}",),
    "an expression": ("  - Conv2d: {out_channels: 2 * width, kernel_size: '[3, k]', bias: not norm}",),
    "one value per dimension": ("  - Conv2d: {out_channels: 8, kernel_size: [3, 1], padding: same}",),
    "a bare layer with a keyword": ("  - ReLU:", "    when: depth > 2"),
    "a layer in braces": ("  - {BatchNorm2d, when: norm == true}",),
    "a main argument": ("  - MaxPool2d: 2", "  - Dropout: p", "  - Permute: [0, 2, 3, 1]", "  - Mul: [x, 0.5]"),
    "a group": ("  - stem:", "      - ReLU", "      - last: {Linear: 10}"),
    "a named layer without arguments": ("  - relu: ReLU",),
    "Residual with a shortcut": ("  - Residual: [ReLU]", "    shortcut: [Identity]"),
    "Parallel with merge": ("  - Parallel: [ReLU, Tanh]", "    merge: {Concat: {dim: 1}}"),
    "Reuse": ("  - twin: {Reuse: encoder}", "    from: right"),
    "wiring": ("  - Up: {width: 8}", "    from: {x: prev, skip: a.b}", "    repeat: 2 * n", "    name: up{i}"),
    "a parameter": ("  - scale: {Parameter: {shape: [C, 1, 1], init: normal(0.02)}}",),
    "ties and flags": ("  - Linear: 9", "    tie: {weight: a.weight}", "    freeze: true", "    checkpoint: true"),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_the_language_allows_is_valid(name):
    assert problems(spec(*ACCEPTED[name])) == []


def test_kinds_as_arguments_and_own_blocks_are_valid():
    rest = """
args: {Act: ReLU, Block: {Bottleneck: {groups: 32}}, width:}
variants:
  wide: {args: {width: 64, Act: GELU}, expect: {params: 25.6M}}
blocks:
  Bottleneck:
    args: {planes, groups: 1}
    input: [N, C, H, W]
    layers: [Act]
imports: {other.yaml: [Stem, Head]}
outputs: {score: head, features: stem.0}
loss:
  - Flatten
  - CrossEntropyLoss
expect: {params: 10, macs: 0.7G, at: {T: 1024}, output: [N, 10]}
"""
    assert problems(spec("  - Act", "  - Block: {planes: 64, anything: [1, 2]}", "  - stem: Stem", rest=rest)) == []


SLIPS = {
    "a misspelt argument": ("  - Conv2d: {out_channels: 8, kernal_size: 3}", "kernal_size"),
    "an argument beside the layer": (
        "  - Conv2d: {out_channels: 8, kernel_size: 3}\n    stride: 2",
        "2 is not of type",
    ),
    "an expression beside the layer": (
        "  - Conv2d: {out_channels: 8, kernel_size: 3}\n    stride: s",
        "does not match",
    ),
    "an argument beside a named layer": ("  - a: {Conv2d: {out_channels: 8}, kernel_size: 3}", "kernel_size"),
    "a keyword in the arguments": ("  - Conv2d: {out_channels: 8, kernel_size: 3, repeat: 2}", "repeat"),
    "a keyword inside a name's braces": ("  - stem: {ReLU, from: input}", "from"),
    "a missing argument": ("  - Conv2d: {out_channels: 8}", "'kernel_size' is a required property"),
    "a bare value without main argument": ("  - Conv2d: 8", "8 is not of type"),
    "a layer in small letters": ("  - relu", "does not match"),
    "a layer in small letters with arguments": ("  - conv2d: {out_channels: 8, kernel_size: 3}", "out_channels"),
    "a reference by number": ("  - Concat: {dim: 1}\n    from: [-1, input]", "-1 is not of type"),
    "an empty line": ("  -", "None is not of type"),
    "an empty Residual": ("  - Residual: []", "[]"),
}


@pytest.mark.parametrize("name", SLIPS)
def test_slips_in_a_layer_are_caught(name):
    text, word = SLIPS[name]
    found = problems(spec(text))
    assert any(word in message for message in found), found


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("netcalc: 1\ninput: [N, 3]\nlayer: [ReLU]", "layer"),
        ("input: [N, 3]\nlayers: [ReLU]", "'netcalc' is a required property"),
        ("netcalc: 2\ninput: [N, 3]\nlayers: [ReLU]", "1 was expected"),
        ("netcalc: 1\ninput: {shape: [N], dtype: int46}\nlayers: [ReLU]", "int46"),
        ("netcalc: 1\ninput: [N, 3]\nlayers: [ReLU]\nblocks: {stem: {layers: [ReLU]}}", "stem"),
        (
            "netcalc: 1\ninput: [N, 3]\nlayers: [ReLU]\nblocks: {Stem: {layer: [ReLU]}}",
            "'layers' is a required property",
        ),
        ("netcalc: 1\ninput: [N, 3]\nlayers: [ReLU]\nexpect: {parameters: 3}", "parameters"),
        ("netcalc: 1\ninput: [N, 3]\nlayers: {conv: ReLU}", "is not of type 'array'"),
    ],
)
def test_slips_in_a_file_are_caught(text, word):
    found = problems(text)
    assert any(word in message for message in found), found
