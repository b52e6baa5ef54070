"""Finding, reading and importing files. Imports never leave the folder of the file that was asked for."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import SpecError, closest
from . import syntax
from .reader import MAX_BYTES, error, read, read_text

MAX_FILES = 100


def spec_of_text(text: str, name: str = "spec", folder: str = ".") -> syntax.Spec:
    """The spec of a text, its imports read from `folder`."""
    return _Loader(Path(folder)).parsed(read_text(text.encode("utf-8", "surrogatepass"), name, folder), ())


def spec_of_bytes(data: bytes, name: str, folder: str = ".") -> syntax.Spec:
    return _Loader(Path(folder)).parsed(read_text(data, name, folder), ())


def spec_of_file(path: Path, name: str | None = None) -> syntax.Spec:
    """The spec of a file. Raises SpecError (E1xx, E2xx); OSError where the file cannot be read."""
    loader = _Loader(path.parent)
    return loader.parsed(read_text(_bytes(path), name or str(path), str(path.parent)), (os.path.realpath(path),))


def _bytes(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(MAX_BYTES + 1)


class _Loader:
    """Reads a file and what it imports, each file once."""

    def __init__(self, folder: Path):
        self.root = os.path.realpath(folder)
        self.folder = str(folder)
        self.done: dict[str, syntax.Spec] = {}

    def parsed(self, source, chain: tuple) -> syntax.Spec:
        spec = syntax.parse(read(source))
        for path, wanted in spec.imports:
            imported = self._imported(path, source, chain)
            for name in wanted:
                self._take(spec, imported, path, name)
        return spec

    def _imported(self, path, source, chain) -> syntax.Spec:
        text = str(path.value)
        if os.path.isabs(text) or "://" in text or "\\" in text or "\0" in text:
            raise error("E207", f"`{text}` is not a path from the folder of this file", path.where,
                        "imports take relative paths with /")  # fmt: skip
        shown = os.path.normpath(os.path.join(source.folder, text))
        real = os.path.realpath(shown)
        if os.path.commonpath([self.root, real]) != self.root:
            raise error("E207", f"`{text}` lies outside the folder of this spec", path.where,
                        "imports stay within the folder of the file that is read first")  # fmt: skip
        if real in chain:
            here = [os.path.basename(step) for step in (*chain[chain.index(real) :], real)]
            raise error("E207", f"{', which imports '.join([here[0] + ' imports ' + here[1], *here[2:]])}", path.where,
                        "put what both need into a third file")  # fmt: skip
        if real in self.done:
            return self.done[real]
        if len(self.done) >= MAX_FILES:
            raise error("E207", f"more than {MAX_FILES} files are imported", path.where)
        try:
            data = _bytes(Path(real))
        except (OSError, ValueError):
            raise error("E207", f"cannot find the file `{text}`", path.where, self._near(shown, text)) from None
        spec = self.parsed(read_text(data, shown, os.path.dirname(shown) or "."), (*chain, real))
        self.done[real] = spec
        return spec

    def _near(self, shown: str, text: str) -> str:
        try:
            files = [name for name in os.listdir(os.path.dirname(shown) or ".") if name.endswith((".yaml", ".yml"))]
        except OSError:
            files = []
        near = closest(os.path.basename(text), files)
        if near:
            return f"did you mean `{os.path.join(os.path.dirname(text), near)}`? a path is read from the folder of this file"
        return "a path is read from the folder of this file"

    def _take(self, spec: syntax.Spec, imported: syntax.Spec, path, name):
        word = name.value
        if word in spec.blocks:
            raise error("E206", f"{word} is defined here and imported from {path.value}", name.where,
                        "rename one of them", [("defined here", spec.blocks[word].entry.where)])  # fmt: skip
        if word in spec.resolved:
            raise error("E206", f"{word} is imported twice", name.where)
        if word in imported.blocks:
            spec.resolved[word] = imported.blocks[word]
        elif word == imported.name and imported.body:
            spec.resolved[word] = imported
        else:
            known = [*imported.blocks, *([imported.name] if imported.body else [])]
            near = closest(word, known)
            help = f"did you mean `{near}`? " if near else ""
            raise error("E208", f"{path.value} has no block `{word}`", name.where, f"{help}It has {', '.join(known) or 'none'}")


__all__ = ["SpecError", "spec_of_bytes", "spec_of_file", "spec_of_text"]
