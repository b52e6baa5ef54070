"""Specs as Python data, and as the YAML that a person would write."""

from __future__ import annotations

import json
import re

_PLAIN = re.compile(r"[\w.+*/%<>=()!-][\w.+*/%<>=() !-]*", re.ASCII)


class Body(list):
    """A list of layers, as distinct from a list of numbers or references."""


def flow(value) -> str:
    """A value on one line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(key if item is None else f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow, value))}]"
    text = str(value)
    return text if _PLAIN.fullmatch(text) and not text.endswith(" ") and " #" not in text else json.dumps(text)


def yaml_text(spec: dict) -> str:
    """A spec, one layer per line."""
    return "\n".join(line for key, value in spec.items() for line in _entry(key, value, "")) + "\n"


def _entry(key: str, value, pad: str) -> list[str]:
    if isinstance(value, Body):
        return [f"{pad}{key}:", *(line for item in value for line in _item(item, pad + "  "))]
    if isinstance(value, dict) and (key == "blocks" or _has_body(value)):
        return [f"{pad}{key}:", *(line for k, v in value.items() for line in _entry(k, v, pad + "  "))]
    return [f"{pad}{key}: {flow(value)}"]


def _has_body(value) -> bool:
    return isinstance(value, Body) or (isinstance(value, dict) and any(map(_has_body, value.values())))


def _item(item, pad: str) -> list[str]:
    if isinstance(item, str):
        return [f"{pad}- {item}"]
    if len(item) == 1 and not _has_body(item):
        [(key, value)] = item.items()
        return [f"{pad}- {key}" + (":" if value is None else f": {flow(value)}")]
    lines = [line for key, value in item.items() for line in _entry(key, value, pad + "  ")]
    return [f"{pad}- {lines[0].lstrip()}", *lines[1:]]
