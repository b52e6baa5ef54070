"""The standard library: blocks that every spec knows, written in the language itself (standard.yaml)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from . import files
from .spec import Block


@cache
def blocks() -> dict[str, Block]:
    """The blocks by name, read when one of them may be meant."""
    path = Path(__file__).with_name("standard.yaml")
    return files.spec_of_file(path, f"netcalc/language/{path.name}").blocks
