"""What netcalc knows: the shipped networks, and the layers with their arguments, from the layers' own declarations."""

from __future__ import annotations

import json
import os
import re
import sys
from inspect import cleandoc

from .. import catalog
from ..elaborate import elaborate
from ..facts import rows
from ..language import files
from ..language.spec import Spec
from ..layers import FAMILIES, REGISTRY
from ..layers.base import REQUIRED, Arg, ranks
from ..layers.kinds import shown

_INTRODUCTION = """\
# Layers

Made by `python -m netcalc layers --format markdown -o docs/layers.md` from the layers' own declarations.

Names and defaults are PyTorch's. A signature names the dimensions: `N` is the batch, `C` and `K` are channels, `...`
stands for any number of dimensions, `|` separates alternatives and `,` several inputs or outputs. An *inferred* argument
follows from the input and may be left out; the **main** argument may be written as a bare value (`MaxPool2d: 2`).
`Sequential`, `Residual`, `Parallel` and `Reuse` are part of the language and stand in [language.md](language.md); what
the numbers of FLOPs mean stands in [counting.md](counting.md)."""


# -- networks


def models_text(format: str) -> str:
    """The shipped networks with their parameters, variants and papers, as text or JSON."""
    if format == "json":
        return json.dumps([_model(name, every=True) for name in catalog.names()], indent=1, ensure_ascii=False)
    models = [_model(name, every=False) for name in catalog.names()]
    wide = max(len(model["name"]) for model in models)
    number = max(len(f"{model['params']:,}") for model in models)
    lines = []
    for model in models:
        lines.append(f"{model['name']:<{wide}}  {model['params']:>{number},}  {model['paper'] or model['note']}")
        lines += [" " * (wide + number + 4) + line for line in _wrapped(list(model["variants"]), 76)]
    return "\n".join([f"{'Name':<{wide}}  {'Param #':>{number}}  Paper, and variants", *lines])


def _model(name: str, every: bool) -> dict:
    """A shipped network; `every` counts the parameters of its variants too."""
    path, _ = catalog.find(name)
    spec = files.spec_of_file(path, os.path.basename(path))
    about = {key.value: " ".join(str(value.value).split()) for key, value in spec.about.value} if spec.about else {}
    variants = {variant: _params(spec, variant) if every else None for variant in spec.variants}
    found = {"name": name, "title": spec.name, "params": _params(spec, None), "variants": variants}
    return {**found, **{key: about.get(key, "") for key in ("paper", "url", "note")}}


def _params(spec: Spec, variant: str | None) -> int:
    return sum(row.params for row in rows(elaborate(spec, {}, variant, ())))


def _wrapped(words: list, width: int) -> list[str]:
    lines = [""]
    for word in words:
        if len(lines[-1]) + len(word) + 1 > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines if words else []


# -- layers


def layers_text(format: str) -> str:
    """All layers: a line for each as text, everything as markdown or JSON."""
    if format == "json":
        return json.dumps([_layer(cls) for cls in REGISTRY.values()], indent=1, ensure_ascii=False)
    families = {family: [cls for cls in REGISTRY.values() if _family(cls) == family] for family in FAMILIES}
    if format == "markdown":
        return "\n\n".join([_INTRODUCTION, *(_family_page(name, members) for name, members in families.items())])
    wide = max(map(len, REGISTRY))
    sections = []
    for family, members in families.items():
        arrow = max(len(cls.signature) for cls in members)
        lines = [f"  {cls.type:<{wide}}  {cls.signature:<{arrow}}  {_sentence(cls)}" for cls in members]
        sections.append("\n".join([family, *lines]))
    note = "Sequential, Residual, Parallel and Reuse are part of the language. `netcalc layers Conv2d` shows one layer."
    return "\n\n".join([*sections, note])


def layer_text(type: str, format: str) -> str:
    """One layer: its documentation, shapes and arguments."""
    cls = REGISTRY[type]
    if format == "json":
        return json.dumps(_layer(cls), indent=1, ensure_ascii=False)
    if format == "markdown":
        return _layer_page(cls, "#")
    parts = [f"{type}: {cls.signature}", cleandoc(cls.__doc__)]
    if cls.args:
        parts.append(_columns([("Argument", "Default", "Kind"), *map(_cells, cls.args.values())]))
        legend = [f"`{type}: value` stands for {cls.main}."] if cls.main else []
        legend += [f"{name} follows from the input; where it is written, it is checked." for name in _inferred(cls)]
        parts += ["\n".join(legend)] if legend else []
    else:
        parts.append("It has no arguments.")
    return "\n\n".join(parts)


def _cells(declared: Arg) -> tuple:
    kind = f"{declared.kind.text} ({declared.doc})" if declared.doc else declared.kind.text
    return declared.name, _default(declared), kind


def _inferred(cls) -> list[str]:
    return [name for name, declared in cls.args.items() if declared.infer is not None]


def _columns(lines: list[tuple]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _family(cls) -> str:
    return cls.__module__.rpartition(".")[2]


def _sentence(cls) -> str:
    """The first sentence of the docstring, on one line."""
    text = " ".join(cleandoc(cls.__doc__).split("\n\n")[0].split())
    return re.split(r"(?<=[^.])\.(?= [A-Z])", text)[0].rstrip(".")


def _default(declared: Arg) -> str:
    if declared.infer is not None:
        return "inferred"
    if declared.default is REQUIRED:
        return "required"
    return "--" if declared.default is None else _value(declared.default)


def _value(default) -> str:
    return default if isinstance(default, str) else f"{default:g}" if isinstance(default, float) else shown(default)


def _layer(cls) -> dict:
    return {
        "type": cls.type,
        "family": _family(cls),
        "signature": cls.signature,
        "doc": cleandoc(cls.__doc__),
        "main": cls.main,
        "args": [_argument(cls, declared) for declared in cls.args.values()],
    }


def _argument(cls, declared: Arg) -> dict:
    return {
        "name": declared.name,
        "kind": declared.kind.text,
        "required": declared.required,
        "default": None if declared.default in (REQUIRED, None) else _value(declared.default),
        "inferred": _dimension(cls, declared),
        "main": declared.main,
        "doc": declared.doc,
    }


def _dimension(cls, declared: Arg) -> str | None:
    """The name that the signature gives to the dimension an argument is inferred from."""
    if declared.infer is None:
        return None
    which, index = declared.infer if isinstance(declared.infer, tuple) else (0, declared.infer)
    return ranks(cls.signature)[which][0][index]


# -- markdown


def _family_page(name: str, members: list) -> str:
    doc = cleandoc(sys.modules[members[0].__module__].__doc__)
    return "\n\n".join([f"## {name}", _prose(doc), *(_layer_page(cls, "###") for cls in members)])


def _layer_page(cls, heading: str) -> str:
    parts = [f"{heading} {cls.type}", f"`{cls.signature}`", _prose(cleandoc(cls.__doc__))]
    if cls.args:
        lines = ["| argument | default | kind |", "|---|---|---|"]
        lines += [f"| {' | '.join(_markdown_cells(cls, declared))} |" for declared in cls.args.values()]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _markdown_cells(cls, declared: Arg) -> list[str]:
    name, default, kind = _cells(declared)
    name = f"**`{name}`**" if declared.main else f"`{name}`"
    default = f"*inferred*: `{_dimension(cls, declared)}`" if declared.infer is not None else default
    default = default if default in ("required", "--") or "*" in default else f"`{default}`"
    return [name, default, _escaped(kind).replace("|", "\\|")]


def _prose(text: str) -> str:
    """A docstring as markdown: indented lines stay as they are, in a block of their own."""
    lines, indented = [], False
    for line in text.split("\n"):
        inside = line.startswith("    ")
        if inside != indented and line:
            lines.append("")
            indented = inside
        lines.append(line if inside else _escaped(line))
    return "\n".join(lines)


def _escaped(text: str) -> str:
    """Text whose stars and underscores are not taken for markup; code between backticks is left alone."""
    pieces = text.split("`")
    return "`".join(piece if i % 2 else re.sub(r"([*_<])", r"\\\1", piece) for i, piece in enumerate(pieces))
