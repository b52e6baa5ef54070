"""What a file says, typed: a spec, its blocks and the items of their bodies, each with its place in the text."""

from __future__ import annotations

from .reader import Entry


class Item:
    """One line of a body: a layer or a group, with its wiring."""

    __slots__ = (
        "arguments",
        "body",
        "entry",
        "keywords",
        "main",
        "merge",
        "name",
        "name_entry",
        "shortcut",
        "type",
        "type_entry",
    )

    def __init__(self, entry: Entry):
        self.entry = entry
        self.type: str | None = None  # the kind of layer; None for a group
        self.type_entry: Entry = entry
        self.name: str | None = None
        self.name_entry: Entry | None = None
        self.arguments: list[tuple[Entry, Entry]] = []
        self.main: Entry | None = None
        self.body: list[Item] | None = None
        self.keywords: dict[str, Entry] = {}
        self.shortcut: list[Item] | None = None
        self.merge: Item | None = None

    @property
    def head(self) -> Entry:
        """Where messages about the whole item point."""
        return self.type_entry if self.type else self.name_entry or self.entry


class Block:
    """A block, or a whole file used as one: arguments, input patterns and a body."""

    __slots__ = ("args", "body", "entry", "file", "inputs", "name", "outputs", "single")

    def __init__(self, name: str, entry: Entry):
        self.name, self.entry = name, entry
        self.args: dict[str, tuple[Entry, Entry]] = {}  # name -> (key, default)
        self.inputs: dict[str, Input] | None = None  # None: anything
        self.single = True  # declared with `input:`
        self.body: list[Item] = []
        self.outputs: list[tuple[str | None, Entry]] | None = None
        self.file: Spec | None = None


class Input:
    __slots__ = ("dtype", "entry", "name", "shape")

    def __init__(self, name: str, entry: Entry, shape: list[Entry], dtype: str):
        self.name, self.entry, self.shape, self.dtype = name, entry, shape, dtype


class Variant:
    __slots__ = ("args", "entry", "expect", "name")

    def __init__(self, name: str, entry: Entry, args: dict[str, Entry], expect: Entry | None):
        self.name, self.entry, self.args, self.expect = name, entry, args, expect


class Spec(Block):
    """A file. As a block it is its whole model."""

    __slots__ = ("about", "blocks", "expect", "imports", "loss", "resolved", "source", "variants")

    def __init__(self, entry: Entry):
        super().__init__("Model", entry)
        self.source = entry.source
        self.file = self
        self.about: Entry | None = None
        self.imports: list[tuple[Entry, list[Entry]]] = []
        self.variants: dict[str, Variant] = {}
        self.blocks: dict[str, Block] = {}
        self.loss: list[Item] | None = None
        self.expect: Entry | None = None
        self.resolved: dict[str, Block] = {}  # imported blocks, filled in by `files`
