"""The standard library: blocks that every spec knows, written in the language itself (standard.yaml)."""

from __future__ import annotations

import os
from functools import cache

from . import files
from .spec import Block


@cache
def blocks() -> dict[str, Block]:
    """The blocks by name, read when one of them may be meant."""
    path = os.path.join(os.path.dirname(__file__), "standard.yaml")
    return files.spec_of_file(path, "netcalc/language/standard.yaml").blocks
