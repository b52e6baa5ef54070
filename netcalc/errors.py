"""Messages with places: what every wrong spec is answered with."""

from __future__ import annotations

import re
from typing import NamedTuple

_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what YAML counts as one
MAX_GUESSED = 1000  # known words among which a misspelt one is looked for
MAX_WORD = 100  # characters of a word that is worth guessing at


class Source:
    """A text that messages point into: its name as the user gave it, and its lines."""

    __slots__ = ("_lines", "folder", "name", "text")

    def __init__(self, name: str, text: str, folder: str = "."):
        self.name, self.text, self.folder = name, text, folder
        self._lines: list[str] | None = None

    def line(self, number: int) -> str:
        """Line `number`, counted from 1; empty where there is none."""
        if self._lines is None:
            self._lines = _LINE_BREAK.split(self.text)
        return self._lines[number - 1] if 0 < number <= len(self._lines) else ""


class Where(NamedTuple):
    """A stretch of a line. Line and column count from 1."""

    source: Source
    line: int
    column: int
    width: int = 1

    def __str__(self):
        return f"{self.source.name}:{self.line}:{self.column}"


class Diagnostic(NamedTuple):
    """One message: an error (E...), a warning (W...) or a note."""

    code: str
    text: str
    where: Where | None = None
    layer: str | None = None
    notes: tuple = ()  # (text, Where) pairs
    help: str | None = None

    @property
    def severity(self) -> str:
        return {"E": "error", "W": "warning"}.get(self.code[:1], "note")

    def __str__(self):
        place = f"{self.where}: " if self.where else ""
        code = f"[{self.code}]" if self.code else ""
        lines = [printable(f"{place}{self.severity}{code}: {self.text}")]
        if self.layer:
            lines.append(printable(f"  in layer {self.layer}"))
        if self.where:
            lines += _quoted(self.where)
        lines += [printable(f"  note: {text} ({where})" if where else f"  note: {text}") for text, where in self.notes]
        if self.help:
            first, *rest = self.help.split("\n")
            lines += [printable(f"  help: {first}"), *(printable(f"        {line}") for line in rest)]
        return "\n".join(lines)


class NetcalcError(Exception):
    """Anything that a user can put right. The text is the message."""


class SpecError(NetcalcError):
    """A spec that cannot be read, with at least one diagnostic."""

    def __init__(self, *diagnostics: Diagnostic):
        self.diagnostics = diagnostics
        super().__init__("\n".join(map(str, diagnostics)))


def fail(code: str, text: str, where: Where | None, help: str | None = None, notes=()) -> SpecError:
    """The error to raise for one thing that is wrong. notes: (text, Where) pairs."""
    return SpecError(Diagnostic(code, text, where, help=help, notes=tuple(notes)))


def printable(text: str) -> str:
    """The text without what a terminal would obey instead of showing it, and of bounded length."""
    if len(text) > 2000:
        text = f"{text[:1900]} ... {text[-90:]}"
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)


def _quoted(where: Where) -> list[str]:
    """The line of the file with a mark under the place; long lines are cut around it."""
    line = where.source.line(where.line)
    if not line.strip():
        return []
    start = where.column - 1
    width = max(1, min(where.width, len(line) - start))
    cut = max(0, start - 80)
    shown = printable(line[cut : cut + 160].replace("\t", " "))
    number = str(where.line)
    return [
        f"  {number} | {shown}".rstrip(),
        f"  {' ' * len(number)} | {' ' * (start - cut)}{'^' * min(width, 160)}",
    ]


def closest(word: str, known) -> str | None:
    """The known word that a person most likely meant, by spelling and by letter case."""
    import difflib

    if len(word) > MAX_WORD:
        return None
    known = [name for name in known if len(name) <= MAX_WORD][:MAX_GUESSED]
    lowered = {name.lower().replace("_", ""): name for name in reversed(known)}
    same = lowered.get(word.lower().replace("_", ""))
    if same:
        return same
    found = difflib.get_close_matches(word.lower(), [name.lower() for name in known], 1, 0.6)
    return next(name for name in known if name.lower() == found[0]) if found else None
