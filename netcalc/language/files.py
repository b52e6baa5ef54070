"""Finding, reading and importing files. Imports never leave the folder of the file that was asked for."""

from __future__ import annotations

import os
import stat

from ..collector import paused
from ..errors import SpecError, closest, fail
from . import syntax
from .reader import MAX_BYTES, read, read_text

MAX_FILES, MAX_CHAIN = 100, 20  # imported files in all, and one by way of another


def spec_of_text(text: str, name: str = "spec", folder: str = ".") -> syntax.Spec:
    """The spec of a text, its imports read from `folder`."""
    return _Loader(folder).parsed(read_text(text.encode("utf-8", "surrogatepass"), name, folder), ())


def spec_of_bytes(data: bytes, name: str, folder: str = ".") -> syntax.Spec:
    return _Loader(folder).parsed(read_text(data, name, folder), ())


def spec_of_file(path: str | os.PathLike, name: str | None = None) -> syntax.Spec:
    """The spec of a file. Raises SpecError (E1xx, E2xx); OSError where the file cannot be read."""
    path = os.fspath(path)
    folder = os.path.dirname(path) or "."
    return _Loader(folder).parsed(read_text(_bytes(path), name or path, folder), ((os.path.realpath(path), None),))


def _bytes(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(MAX_BYTES + 1)


class _Loader:
    """Reads a file and what it imports, each file once."""

    def __init__(self, folder: str):
        self.root = os.path.realpath(folder)
        self.done: dict[str, syntax.Spec] = {}
        self.count = self.bytes = 0  # of the imported files

    @paused()
    def parsed(self, source, chain: tuple) -> syntax.Spec:
        spec = syntax.parse(read(source))
        for path, wanted in spec.imports:
            imported = self._imported(path, source, chain)
            for name in wanted:
                self._take(spec, imported, path, name)
        return spec

    def _imported(self, path, source, chain: tuple) -> syntax.Spec:
        """The file that `path` names. chain: (real path, its import) of the files being read, from the first one on."""
        text = str(path.value)
        shown = os.path.normpath(os.path.join(source.folder, text))
        real = self._real(text, shown, path)
        files = [file for file, _ in chain]
        if real in files:
            raise self._cycle(chain[files.index(real) :], real, path)
        if real in self.done:
            return self.done[real]
        self.count += 1
        if self.count > MAX_FILES or len(chain) > MAX_CHAIN:
            what = (
                f"more than {MAX_FILES} files are imported"
                if self.count > MAX_FILES
                else f"imports go on for more than {MAX_CHAIN} files"
            )
            raise fail("E207", what, path.where)
        try:
            if not stat.S_ISREG(os.stat(real).st_mode):
                raise OSError
            data = _bytes(real)
        except (OSError, ValueError):
            raise fail("E207", f"cannot find the file `{text}`", path.where, self._near(shown, text)) from None
        self.bytes += len(data)
        if self.bytes > MAX_BYTES:
            raise fail("E109", "the imported files are larger than 1 MB together", path.where)
        spec = self.parsed(read_text(data, shown, os.path.dirname(shown) or "."), (*chain, (real, path)))
        self.done[real] = spec
        return spec

    def _real(self, text: str, shown: str, path) -> str:
        """The file itself, which lies in the folder of the first one however links lead to it."""
        if os.path.isabs(text) or "://" in text or "\\" in text or "\0" in text:
            raise fail("E207", f"`{text}` is not a path from the folder of this file", path.where,
                       "imports take relative paths with /")  # fmt: skip
        real = os.path.realpath(shown)
        from pathlib import PurePath  # loaded only where something is imported

        if not PurePath(real).is_relative_to(self.root):
            raise fail("E207", f"`{text}` lies outside the folder of this spec", path.where,
                       "imports stay within the folder of the file that is read first")  # fmt: skip
        return real

    def _cycle(self, steps: tuple, real: str, path) -> SpecError:
        words = [os.path.basename(file) for file in (*(file for file, _ in steps), real)]
        notes = [(f"{os.path.basename(file)} is imported here", place.where) for file, place in steps[1:]]
        if len(words) == 2:
            text = f"{words[0]} imports itself"
        else:
            text = f"{words[0]} imports {words[1]}" + "".join(f", which imports {word}" for word in words[2:])
        return fail("E207", text, path.where, "put what both need into a third file", notes)

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
            raise fail("E206", f"{word} is defined here and imported from {path.value}", name.where,
                        "rename one of them", [("defined here", spec.blocks[word].entry.where)])  # fmt: skip
        if word in spec.resolved:
            raise fail("E206", f"{word} is imported twice", name.where, "each name comes from one file")
        if word in imported.blocks:
            spec.resolved[word] = imported.blocks[word]
        elif word == imported.name and imported.body:
            spec.resolved[word] = imported
        else:
            known = [*imported.blocks, *([imported.name] if imported.body else [])]
            near = closest(word, known)
            help = f"did you mean `{near}`? " if near else ""
            raise fail(
                "E208", f"{path.value} has no block `{word}`", name.where, f"{help}It has {', '.join(known) or 'none'}"
            )
