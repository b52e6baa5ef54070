"""The tree of entries as a typed spec: every key known, every item with exactly one layer.

Structural errors (E2xx) are collected over the whole file, so that one run shows them all.
"""

from __future__ import annotations

from ..errors import SpecError, closest, fail
from . import names
from .items import BodyParser
from .reader import Entry
from .spec import Block, Input, Spec, Variant


def parse(root: Entry) -> Spec:
    """The spec of a file's tree. Raises SpecError with all structural errors."""
    return _Parser().spec(root)


class _Parser(BodyParser):
    """The file around the bodies."""

    def spec(self, root: Entry) -> Spec:
        if root.kind != "map":
            raise fail("E200", "a spec is a mapping with the keys netcalc, input, layers, ...", root.where,
                        "start with `netcalc: 1`")  # fmt: skip
        self._version(root)
        spec = Spec(root)
        self._keys(root, names.SPEC_KEYS, "a spec")
        if (name := root.get("name")) is not None:
            spec.name = self._type_name(name, "name")
        spec.about = root.get("about")
        spec.expect = self._expect(root.get("expect"))
        self._imports(spec, root.get("imports"))
        self._signature(spec, root)
        self._variants(spec, root.get("variants"))
        for key, value in self._map(root.get("blocks"), "blocks"):
            if key.value in (*names.CONTAINERS, "Reuse"):
                self.report("E221", f"`{key.value}` cannot be the name of a block: it is a word of the language", key)
            elif names.is_type(key.value):
                spec.blocks[key.value] = self._block(key, value, spec)
            else:
                self.report("E220", f"`{key.value}` cannot be the name of a block: it starts with a capital letter", key,
                            f"write {key.value[:1].upper() + key.value[1:]}")  # fmt: skip
        self._loss(spec, root.get("loss"))
        self._complete(spec, root)
        if self.problems:
            raise SpecError(*self.problems)
        return spec

    def _version(self, root: Entry):
        version = root.get("netcalc")
        if version is None:
            raise fail("E202", "the first line must be `netcalc: 1`, the version of the language", root.where,
                        "add `netcalc: 1` at the top")  # fmt: skip
        if version.value != "1":
            if version.kind == "text" and version.value.isdigit():
                text = f"this file is written in version {version.value} of the language; this tool reads version 1"
                raise fail("E202", text, version.where, "upgrade netcalc, or write `netcalc: 1`")
            raise fail("E202", "the version of the language is `netcalc: 1`", version.where, "write `netcalc: 1`")

    def _complete(self, spec: Spec, root: Entry):
        layers = root.get("layers")
        if layers is None and not spec.blocks:
            self.report("E203", "the spec has no `layers`", root, "add `layers:` with a list of layers")
        if layers is not None and spec.inputs is None:
            self.report("E203", "the spec has no `input`", root, "add for example `input: [N, 3, 224, 224]`")

    def _keys(self, entry: Entry, known, what: str):
        for key, _ in entry.value:
            if key.value not in known:
                near = closest(key.value, known)
                help = f"did you mean `{near}`? " if near else ""
                self.report(
                    "E201", f"`{key.value}` is not a key of {what}", key, f"{help}The keys are {', '.join(known)}."
                )

    def _map(self, entry: Entry | None, what: str) -> list[tuple[Entry, Entry]]:
        if entry is None or entry.kind == "null":
            return []
        if entry.kind == "map":
            return entry.value
        self.report("E210", f"`{what}` needs a mapping", entry, f"write {what}: {{...}}")
        return []

    def _list(self, entry: Entry, what: str) -> list[Entry]:
        if entry.kind == "list":
            return entry.value
        self.report("E210", f"`{what}` needs a list", entry, f"write {what}: [...]")
        return []

    def _type_name(self, entry: Entry, what: str) -> str:
        if names.is_type(entry.value):
            return entry.value
        shown = f"`{entry.value}`" if entry.kind == "text" else "this"
        self.report("E220", f"`{what}` needs a word that starts with a capital letter, not {shown}", entry,
                    "it becomes the name of the exported class")  # fmt: skip
        return "Model"

    def _imports(self, spec: Spec, entry: Entry | None):
        for path, wanted in self._map(entry, "imports"):
            listed = self._list(wanted, "imports") if wanted.kind == "list" else [wanted]
            for name in listed:
                if not names.is_type(name.value):
                    self.report("E220", "an import lists names of blocks, which start with a capital letter", name)
            spec.imports.append((path, [name for name in listed if names.is_type(name.value)]))

    def _variants(self, spec: Spec, entry: Entry | None):
        for key, value in self._map(entry, "variants"):
            self._map(value, key.value)
            if value.kind == "map":
                self._keys(value, ("args", "expect"), "a variant")
            args = value.get("args") if value.kind == "map" else None
            values = {}
            for name, given in self._map(args, "args"):
                if name.value not in spec.args:
                    near = closest(name.value, spec.args)
                    help = f"did you mean `{near}`? " if near else ""
                    self.report("E303", f"this spec has no argument `{name.value}`", name,
                                f"{help}The arguments are {', '.join(spec.args) or 'none'}")  # fmt: skip
                values[name.value] = given
            expect = self._expect(value.get("expect")) if value.kind == "map" else None
            spec.variants[key.value] = Variant(key.value, key, values, expect)

    def _expect(self, entry: Entry | None) -> Entry | None:
        if entry is not None and self._map(entry, "expect"):
            self._keys(entry, names.EXPECT_KEYS, "`expect`")
            return entry
        return None

    # -- what a file and a block have in common

    def _signature(self, block: Block, root: Entry):
        for key, default in self._map(root.get("args"), "args"):
            if not (names.is_name(key.value) or names.is_type(key.value)) or key.value in ("i", "input", "prev"):
                self.report("E221", f"`{key.value}` cannot be the name of an argument", key)
            block.args[key.value] = (key, default)
        single, several = root.get("input"), root.get("inputs")
        if single is not None and several is not None:
            self.report("E203", "write either `input` or `inputs`, not both", several)
        if single is not None:
            block.inputs = {"input": self._input("input", single)}
        elif several is not None:
            block.single = False
            block.inputs = {}
            for key, value in self._map(several, "inputs"):
                if wrong := names.wrong_name(key.value):
                    self.report(wrong[0], wrong[1], key, wrong[2])
                block.inputs[key.value] = self._input(key.value, value)
        block.outputs = self._outputs(root.get("outputs"))
        if (layers := root.get("layers")) is not None:
            block.body = self.body(layers, "layers")

    def _input(self, name: str, entry: Entry) -> Input:
        shape, dtype = entry, "float32"
        if entry.kind == "map":
            self._keys(entry, ("shape", "dtype"), "an input")
            shape = entry.get("shape") or entry
            if (given := entry.get("dtype")) is not None:
                dtype = given.value
                if dtype not in names.DTYPES:
                    near = closest(str(dtype), names.DTYPES)
                    help = f"did you mean {near}? " if near else ""
                    self.report(
                        "E211", f"there is no dtype `{dtype}`", given, f"{help}The dtypes are {', '.join(names.DTYPES)}"
                    )
        if shape.kind != "list":
            self.report("E210", f"the input `{name}` needs a shape", entry, "for example [N, 3, 224, 224]")
            return Input(name, entry, [], "float32")
        return Input(name, shape, shape.value, dtype)

    def _outputs(self, entry: Entry | None):
        if entry is None or entry.kind == "null":
            return None
        if entry.kind == "map":
            for key, _ in entry.value:
                if wrong := names.wrong_name(key.value):
                    self.report(wrong[0], wrong[1], key, wrong[2])
            return [(key.value, value) for key, value in entry.value]
        return [(None, item) for item in (entry.value if entry.kind == "list" else [entry])]

    def _block(self, key: Entry, value: Entry, spec: Spec) -> Block:
        block = Block(key.value, key)
        block.file = spec
        if value.kind != "map":
            self.report("E210", f"block `{key.value}` needs a mapping with `layers`", value)
            return block
        self._keys(value, names.BLOCK_KEYS, "a block")
        self._signature(block, value)
        if value.get("layers") is None:
            self.report("E203", f"block `{key.value}` has no `layers`", key)
        return block

    def _loss(self, spec: Spec, entry: Entry | None):
        if entry is None or entry.kind == "null":
            return
        items = entry.value if entry.kind == "list" else [entry]
        spec.loss = [item for item in map(self.item, items) if item is not None]
