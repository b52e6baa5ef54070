"""The specs that come with netcalc, by name or by the name of one of their variants."""

from __future__ import annotations

import os
import re

_PACKAGE = os.path.dirname(os.path.abspath(__file__))


def folder() -> str:
    """Where the shipped specs are: inside an installed package, beside it in a checkout."""
    inside = os.path.join(_PACKAGE, "_specs")
    return inside if os.path.isdir(inside) else os.path.join(os.path.dirname(_PACKAGE), "specs")


def names() -> list[str]:
    """The shipped specs."""
    try:
        return sorted(name[:-5] for name in os.listdir(folder()) if name.endswith(".yaml"))
    except OSError:
        return []


def variants(name: str) -> list[str]:
    """The variants of a shipped spec, read from its text without reading the whole language."""
    with open(os.path.join(folder(), f"{name}.yaml"), encoding="utf-8") as file:
        section = re.search(r"^variants:[^\n]*\n((?:[ #][^\n]*\n|\n)*)", file.read(), re.MULTILINE)
    return re.findall(r"^  (\w+):", section.group(1), re.MULTILINE) if section else []


def find(name: str) -> tuple[str, str | None] | None:
    """The file of a shipped spec and the variant that is meant, None where there is none of that name."""
    wanted = name.replace("-", "_").replace(".", "_")
    if re.fullmatch(r"\w+", wanted) is None:
        return None
    path = os.path.join(folder(), f"{wanted}.yaml")
    if os.path.isfile(path):
        return path, None
    for candidate in names():
        if wanted in variants(candidate):
            return os.path.join(folder(), f"{candidate}.yaml"), wanted
    return None


def everything() -> list[str]:
    """All names that `find` knows."""
    return [known for name in names() for known in dict.fromkeys((name, *variants(name)))]
