"""YAML text to a tree of entries with positions, strictly and within bounds.

The text comes from libyaml as a stream of events, so that depth, aliases and size are bounded while reading and nothing
is ever built from a tag.
"""

from __future__ import annotations

import re

from ..errors import Source, SpecError, Where, fail

MAX_BYTES = 1_000_000
MAX_ENTRIES = 100_000
MAX_ALIASED = 10_000  # entries added by aliases
MAX_DEPTH = 64


class Entry:
    """A piece of YAML. `value` is a str, None (nothing written), a list of entries, or a list of (key, value) pairs."""

    __slots__ = ("cache", "column", "height", "kind", "line", "quoted", "size", "source", "value", "width")

    def __init__(self, kind: str, value, source: Source, line: int, column: int, width: int, quoted=False):
        self.kind, self.value, self.source = kind, value, source  # kind: "text", "null", "list" or "map"
        self.line, self.column, self.width, self.quoted = line, column, width, quoted
        self.size = 1  # entries below and including this one, aliases expanded
        self.height = 0  # levels of lists and maps in it, itself included
        self.cache = None  # the parsed expression, kept by `expressions`

    @property
    def where(self) -> Where:
        return Where(self.source, self.line, self.column, self.width)

    def inside(self, start: int, end: int) -> Where:
        """The place of characters start:end of a text that stands on one line."""
        if self.width >= len(self.value or ""):
            offset = 1 if self.quoted else 0
            return Where(self.source, self.line, self.column + offset + start, max(1, end - start))
        return self.where

    def get(self, key: str) -> Entry | None:
        """The value under a key of a map."""
        return next((value for name, value in self.value if name.value == key), None) if self.kind == "map" else None


def read_text(data: bytes, name: str, folder: str = ".") -> Source:
    """The source of raw bytes: UTF-8, at most 1 MB, with or without a byte order mark."""
    if len(data) > MAX_BYTES:
        raise fail("E109", f"{name} is larger than 1 MB: that is not a spec", None)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        raise fail("E110", f"{name} is not UTF-8 text (line {line})", None, "save the file as UTF-8") from None
    return Source(name, text, folder)


def read(source: Source) -> Entry:
    """The tree of a document. Raises SpecError (E1xx) where it is not the YAML that netcalc accepts."""
    import yaml

    loader = None
    try:
        loader = getattr(yaml, "CLoader", yaml.SafeLoader)(source.text)
        return _Builder(source).build(iter(loader.get_event, None))
    except yaml.YAMLError as problem:
        raise _explained(problem, source) from None
    finally:
        if loader is not None:
            loader.dispose()


class _Builder:
    """Builds the tree from events with a stack of its own, so that no nesting can exhaust Python's."""

    def __init__(self, source: Source):
        self.source = source
        self.anchors: dict[str, Entry] = {}
        self.open_anchors: set[str] = set()
        self.aliased = 0
        self.stack: list[Entry] = []
        self.keys: list[Entry | None] = []  # per open map: the key that waits for its value
        self.seen: list[dict[str, Entry]] = []  # per open map: its keys
        self.names: list[str | None] = []  # per open map or list: its anchor
        self.documents = 0

    def build(self, events) -> Entry:
        root = None
        for number, event in enumerate(events):
            if number > MAX_ENTRIES:
                raise fail(
                    "E109", f"{self.source.name} has more than {MAX_ENTRIES:,} entries: that is not a spec", None
                )
            entry = self._entry(event)
            if entry is None:
                continue
            if not self.stack:
                root = entry
            elif self.stack[-1].kind == "list":
                self.stack[-1].value.append(entry)
            elif self.keys[-1] is None:
                self.keys[-1] = self._key(entry)
            else:
                self.stack[-1].value.append((self.keys[-1], entry))
                self.keys[-1] = None
        if root is None:
            raise fail(
                "E200",
                "the file is empty",
                Where(self.source, 1, 1),
                "start with `netcalc: 1`, `input: [...]` and `layers:`",
            )
        return root

    def _entry(self, event) -> Entry | None:
        """What an event completes, if anything."""
        kind = type(event).__name__
        if kind == "ScalarEvent":
            entry = self._scalar(event)
            if event.anchor:
                self.anchors[event.anchor] = entry
            return entry
        if kind == "AliasEvent":
            return self._alias(event)
        if kind in ("MappingStartEvent", "SequenceStartEvent"):
            self._open(event, kind)
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            return self._close(event)
        elif kind == "DocumentStartEvent":
            self.documents += 1
            if self.documents > 1:
                raise fail("E102", "a spec is one YAML document", _where(event, self.source), "remove the line ---")
        return None

    def _scalar(self, event) -> Entry:
        self._no_tag(event)
        start, end, value, style = event.start_mark, event.end_mark, event.value, event.style
        width = 1
        if start.line == end.line and end.column > start.column and style not in ("|", ">"):
            width = end.column - start.column
        kind = "text"
        if value in ("", "~", "null"):  # quoted too: quotes never change the meaning
            kind, value = "null", None
        return Entry(kind, value, self.source, start.line + 1, start.column + 1, width, style in ("'", '"'))

    def _open(self, event, kind: str):
        where = _where(event, self.source)
        self._no_tag(event)
        self._check_depth(1, where)
        self.stack.append(
            Entry("map" if kind == "MappingStartEvent" else "list", [], self.source, where.line, where.column, 1)
        )
        self.keys.append(None)
        self.seen.append({})
        self.names.append(event.anchor)
        if event.anchor:
            self.open_anchors.add(event.anchor)

    def _close(self, event) -> Entry:
        entry, anchor = self.stack.pop(), self.names.pop()
        self.keys.pop()
        self.seen.pop()
        if event.end_mark.line + 1 == entry.line:
            entry.width = max(1, event.end_mark.column + 1 - entry.column)
        inside = entry.value if entry.kind == "list" else [value for _, value in entry.value]
        size, height = entry.size + (len(inside) if entry.kind == "map" else 0), 0
        for item in inside:
            size += item.size
            height = max(height, item.height) if item.height else height
        entry.size, entry.height = size, height + 1
        if anchor:
            self.open_anchors.discard(anchor)
            self.anchors[anchor] = entry
        return entry

    def _alias(self, event) -> Entry:
        where = _where(event, self.source)
        target = self.anchors.get(event.anchor)
        if target is None or event.anchor in self.open_anchors:
            what = "contains itself" if event.anchor in self.open_anchors else "is not defined before this point"
            raise fail("E107", f"the anchor `{event.anchor}` {what}", where)
        self._check_depth(target.height, where)
        self.aliased += target.size
        if self.aliased > MAX_ALIASED:
            raise fail("E107", f"this file grows to more than {MAX_ALIASED:,} nodes through aliases", where,
                        "define a block under `blocks:` and use it where it is needed")  # fmt: skip
        return target

    def _check_depth(self, height: int, where: Where):
        if len(self.stack) + height > MAX_DEPTH:
            raise _too_deep(where)

    def _key(self, entry: Entry) -> Entry:
        if entry.value == "<<":
            raise fail("E105", "merge keys (<<) are not part of netcalc", entry.where,
                        "define a block under `blocks:` and use it twice")  # fmt: skip
        if entry.kind != "text":
            raise fail("E104", "a key must be a word", entry.where)
        first = self.seen[-1].setdefault(entry.value, entry)
        if first is not entry:
            raise fail("E103", f"`{entry.value}` is written twice here", entry.where,
                        "remove one of them; YAML would silently keep only the second",
                        [("first written here", first.where)])  # fmt: skip
        return entry

    def _no_tag(self, event):
        if event.tag:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            name = tag.lstrip("!")
            help = f"write {name}" if tag[1:2] != "!" and re.fullmatch(r"[A-Z]\w*", name) else "leave the tag out"
            raise fail("E108", f"the tag {tag} is not part of netcalc", _where(event, self.source), help)


def _where(event, source: Source) -> Where:
    mark = event.start_mark
    return Where(source, mark.line + 1, mark.column + 1)


def _explained(problem, source: Source) -> SpecError:
    """What libyaml found wrong, in words that help."""
    mark = getattr(problem, "problem_mark", None)
    if mark is None:  # a character that YAML does not allow
        return fail("E110", f"{source.name} is not a text file: it contains control characters", None)
    where = Where(source, mark.line + 1, mark.column + 1)
    line = source.line(where.line)
    char = line[mark.column : mark.column + 1]
    text = str(problem.problem or "")
    if char == "\t" or (not line[: mark.column].strip() and line.startswith("\t")):
        return fail("E101", "a tab cannot be used for indentation", Where(source, where.line, line.index("\t") + 1),
                     "use two spaces for each level")  # fmt: skip
    if "nesting depth" in text:  # newer versions of libyaml stop by themselves, before the events of the level come
        return _too_deep(where)
    if "mapping values" in text:
        return fail(
            "E100", "this is not valid YAML: mapping values are not allowed here", where, _colon_help(source, where)
        )
    if "did not find expected ',' or" in text:
        closing = "}" if "mapping" in str(problem.context or "") else "]"
        return fail("E100", f"this is not valid YAML: expected ',' or '{closing}', but got {_got(char)}", where,
                     "inside { }, put an expression that contains [ ] or a comma in quotes, "
                     'for example {out_channels: "dims[0]"}')  # fmt: skip
    return fail("E100", f"this is not valid YAML: {text or problem}", where)


def _too_deep(where: Where) -> SpecError:
    return fail("E106", f"this is nested more than {MAX_DEPTH} levels deep", where)


def _got(char: str) -> str:
    return f"'{char}'" if char else "the end of the line"


def _colon_help(source: Source, where: Where) -> str:
    before = source.line(where.line - 1).split(" #")[0]
    bare = re.fullmatch(r"\s*-\s+(?:[a-z_]\w*:\s+)?([A-Z]\w*)\s*", before)
    word = source.line(where.line)[: where.column - 1].strip()
    if bare and word.isidentifier():
        return f"write `{before.strip()}:` with a colon, so that `{word}:` can stand beside it"
    return "put the arguments in braces, as in  - Conv2d: {out_channels: 64, kernel_size: 3}, or quote the text"
