"""The JSON Schema of a spec, made from the layers' own declarations: completion, documentation and checks in an editor.

Draft 7, with `properties` and `patternProperties` only where a key decides what follows, so that an editor always knows
which branch it is in. A schema cannot follow names: what an expression or a reference means is left to netcalc.
"""

from __future__ import annotations

from inspect import cleandoc

from ..layers import REGISTRY
from ..layers.base import REQUIRED, Arg
from . import names

TYPE_NAME = "^[A-Z][A-Za-z0-9_]*$"
LAYER_NAME = f"^(?!(?:{'|'.join(names.KEYWORDS)})$)[a-z_][A-Za-z0-9_]*$"
NUMBER = {"type": ["integer", "string"]}
BODY = {"$ref": "#/definitions/body"}
ITEM = {"$ref": "#/definitions/item"}
LAYERS = {"type": "array", "minItems": 1, "items": ITEM}

#: what the kinds of layer that are part of the language do
WIRING = {
    "Sequential": "Layers one after the other.",
    "Residual": "Layers whose output is added to their input, or to what `shortcut` makes of it.",
    "Parallel": "Every item gets the same input; `merge` says how the outputs join.",
    "Reuse": "Runs an earlier layer, group or block again with the same weights.",
}
KEYWORDS = {
    "from": ("What the layer reads instead of the layer before it.", {"type": ["string", "array", "object"], "items": {"type": "string"}, "additionalProperties": {"type": "string"}}),
    "when": ("A condition: where it is false, it is as if the line were not there.", {"type": ["string", "boolean"]}),
    "repeat": ("How many copies follow each other, each with its own weights; `i` counts them from 0.", {"type": ["integer", "string"], "minimum": 0}),
    "name": ("The names of the copies, with {i}, or a name with a capital letter.", {"type": "string"}),
    "shape": ("The output's shape, checked.", {"$ref": "#/definitions/shape"}),
    "tie": ("Parameters that are those of another layer, as {weight: path.weight}.", {"type": "object", "additionalProperties": {"type": "string"}}),
    "freeze": ("true: what is below does not train.", {"type": ["boolean", "string"]}),
    "checkpoint": ("true: what is below is computed again in the backward pass instead of kept.", {"type": ["boolean", "string"]}),
    "shortcut": ("Of Residual: what is added instead of the input.", {"type": "array", "items": ITEM}),
    "merge": ("Of Parallel: the layer that joins the branches, such as Add or {Concat: {dim: 1}}.", {"type": ["string", "object"]}),
}  # fmt: skip


def schema() -> dict:
    """The schema as a dictionary that is ready for JSON."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "netcalc, version 1",
        "description": "A neural network as netcalc reads it.",
        "type": "object",
        "required": ["netcalc"],
        "additionalProperties": False,
        "properties": {**_file_properties(), **_signature()},
        "definitions": _definitions(),
    }


def _described(text: str, found: dict) -> dict:
    return {"description": text, **found}


def _maybe(kind: str) -> list:
    """That kind of value, or nothing."""
    return [kind, "null"]


def _file_properties() -> dict:
    expect = {"$ref": "#/definitions/expect"}
    variant = {
        "type": _maybe("object"),
        "properties": {"args": {"type": _maybe("object")}, "expect": expect},
        "additionalProperties": False,
    }
    return {
        "netcalc": _described("The version of the language.", {"const": 1}),
        "name": _described("The class name of the exported model.", {"type": "string", "pattern": TYPE_NAME}),
        "imports": _described("Blocks from other files: {file: [Name, ...]}.", {"type": _maybe("object"), "additionalProperties": {"type": ["array", "string"]}}),
        "variants": _described("Named sets of arguments.", {"type": _maybe("object"), "additionalProperties": variant}),
        "blocks": _described("Layer types of this file.", {"type": _maybe("object"), "patternProperties": {TYPE_NAME: {"$ref": "#/definitions/block"}}, "additionalProperties": False}),
        "loss": _described("What turns the output into one number in training: a layer or a list.", {"anyOf": [ITEM, BODY, {"type": "null"}]}),
        "expect": expect,
    }  # fmt: skip


def _signature() -> dict:
    """What a file and a block have in common."""
    given = {"$ref": "#/definitions/input"}
    return {
        "about": _described("Anything: paper, url, note. Kept and never interpreted.", {}),
        "args": _described("Arguments and their defaults; without a default one must be given.", {
            "type": _maybe("object"), "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}}),
        "input": given,
        "inputs": _described("Several inputs by name.", {"type": "object", "additionalProperties": given}),
        "layers": BODY,
        "outputs": _described("What it returns; without it the last layer.", {
            "type": ["array", "object", "string", "null"], "items": {"type": "string"}, "additionalProperties": {"type": "string"}}),
    }  # fmt: skip


def _definitions() -> dict:
    types = {name: {"$ref": f"#/definitions/{name}"} for name in (*WIRING, *REGISTRY)}
    keywords = {word: _described(text, found) for word, (text, found) in KEYWORDS.items()}
    anything = {TYPE_NAME: {}}
    named = {"type": ["string", "object", "array"], "pattern": TYPE_NAME, "items": ITEM, "properties": types,
             "patternProperties": anything, "additionalProperties": False, "minProperties": 1, "maxProperties": 1}  # fmt: skip
    return {
        "body": _described("Layers, from top to bottom.", LAYERS),
        "item": _described("Type, Type: {arguments}, or name: layer; beside it from, when, repeat ...", {
            "type": ["string", "object"], "pattern": TYPE_NAME, "minProperties": 1, "additionalProperties": False,
            "properties": {**keywords, **types}, "patternProperties": {**anything, LAYER_NAME: {"$ref": "#/definitions/named"}}}),
        "named": _described("The layer that has this name; a list is a group.", named),
        "shape": _described("Sizes: numbers, arguments, expressions; a capital letter is a free dimension.", {"type": "array", "items": NUMBER}),
        "input": _described("The shape of an input, or {shape: [...], dtype: int64}.", {
            "type": ["array", "object"], "items": NUMBER, "additionalProperties": False,
            "properties": {"shape": {"$ref": "#/definitions/shape"}, "dtype": {"enum": list(names.DTYPES)}}}),
        "block": _described("A layer type of this file.", {"type": "object", "required": ["layers"], "properties": _signature(), "additionalProperties": False}),
        "expect": _expect(),
        **_wiring(),
        **{name: _layer(cls) for name, cls in REGISTRY.items()},
    }  # fmt: skip


def _expect() -> dict:
    figures = {key: {"type": ["number", "string"]} for key in names.EXPECT_KEYS if key not in ("output", "at")}
    properties = {**figures, "output": {"type": ["array", "object"]}, "at": {"type": "object"}}
    return _described(
        "Published numbers to check.",
        {"type": _maybe("object"), "properties": properties, "additionalProperties": False},
    )


def _wiring() -> dict:
    found = {name: _described(text, LAYERS) for name, text in WIRING.items()}
    return {**found, "Reuse": _described(WIRING["Reuse"], {"type": "string"})}


def _layer(cls) -> dict:
    """A built-in layer: its arguments, or a bare value for its main argument."""
    types = ["object"]
    required = [name for name, declared in cls.args.items() if declared.required]
    if not required:
        types.append("null")
    if cls.main:
        types += ["string", "number", "boolean", "array"]
    found = {
        "description": f"{cls.signature}\n\n{cleandoc(cls.__doc__)}",
        "type": types,
        "properties": {name: _argument(declared) for name, declared in cls.args.items()},
        "additionalProperties": False,
    }
    return {**found, "required": required} if required else found


def _argument(declared: Arg) -> dict:
    """An argument: values of its kind, an expression, or nothing, which means the argument of the same name."""
    kind = declared.kind
    types = [*sorted(_types(kind.schema) | {"string"}), "null"]
    text = f"{declared.doc}: {kind.text}" if declared.doc else kind.text
    found = {"description": text}
    if kind.words:
        found["anyOf"] = [{"enum": list(kind.words)}, {"type": types}]
    else:
        found["type"] = types
    if declared.infer is not None:
        found["description"] += "; inferred from the input"
    elif declared.default is not REQUIRED and isinstance(declared.default, (bool, int, float, str)):
        found["default"] = declared.default
    return found


def _types(found: dict) -> set:
    """The JSON types that a kind's schema allows."""
    here = found.get("type", [])
    here = {here} if isinstance(here, str) else set(here)
    return here.union(*map(_types, found.get("anyOf", ())))
