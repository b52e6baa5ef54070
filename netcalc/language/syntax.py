"""The tree of entries as a typed spec: every key known, every item with exactly one layer.

Structural errors (E2xx) are collected over the whole file, so that one run shows them all.
"""

from __future__ import annotations

from ..errors import SpecError, closest
from ..layers.base import REGISTRY
from . import names
from .reader import Entry, error

MAX_ERRORS = 20


class Item:
    """One line of a body: a layer or a group, with its wiring."""

    __slots__ = ("arguments", "body", "entry", "keywords", "main", "merge", "name", "name_entry", "shortcut", "type", "type_entry")

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


def parse(root: Entry) -> Spec:
    """The spec of a file's tree. Raises SpecError with all structural errors."""
    return _Parser().spec(root)


class _Parser:
    def __init__(self):
        self.problems: list = []

    def report(self, code: str, text: str, entry: Entry, help: str | None = None, layer: str | None = None, notes=()):
        if len(self.problems) < MAX_ERRORS:
            [diagnostic] = error(code, text, entry.where, help, notes).diagnostics
            self.problems.append(diagnostic._replace(layer=layer))

    # -- the file

    def spec(self, root: Entry) -> Spec:
        if root.kind != "map":
            raise error("E200", "a spec is a mapping with the keys netcalc, input, layers, ...", root.where,
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
            if names.is_type(key.value):
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
            raise error("E202", "the first line must be `netcalc: 1`, the version of the language", root.where,
                        "add `netcalc: 1` at the top")  # fmt: skip
        if version.value != "1":
            if version.kind == "text" and version.value.isdigit():
                text = f"this file is written in version {version.value} of the language; this tool reads version 1"
                raise error("E202", text, version.where, "upgrade netcalc, or write `netcalc: 1`")
            raise error("E202", "the version of the language is `netcalc: 1`", version.where, "write `netcalc: 1`")

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
                self.report("E201", f"`{key.value}` is not a key of {what}", key, f"{help}The keys are {', '.join(known)}.")

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
            if not (names.NAME.match(key.value) or names.is_type(key.value)) or key.value in ("i", "input", "prev"):
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
                    self.report("E211", f"there is no dtype `{dtype}`", given, f"{help}The dtypes are {', '.join(names.DTYPES)}")
        if shape.kind != "list":
            self.report("E210", f"the input `{name}` needs a shape", entry, "for example [N, 3, 224, 224]")
            return Input(name, entry, [], "float32")
        return Input(name, shape, shape.value, dtype)

    def _outputs(self, entry: Entry | None):
        if entry is None or entry.kind == "null":
            return None
        if entry.kind == "map":
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

    # -- bodies

    def body(self, entry: Entry, what: str) -> list[Item]:
        if entry.kind != "list" or not entry.value:
            self.report("E210", f"`{what}` needs a list with at least one layer", entry, "start each layer with a dash")
            return []
        items = [item for item in map(self.item, entry.value) if item is not None]
        seen: dict[str, Entry] = {}
        for item in items:
            if item.name is None or item.name_entry is None:
                continue
            first = seen.setdefault(item.name, item.name_entry)
            if first is not item.name_entry and "when" not in item.keywords:
                self.report("E223", f"the name `{item.name}` is used twice in this list", item.name_entry,
                            f"choose another name; to use the same layer again write Reuse: {item.name}",
                            notes=[("first used here", first.where)])  # fmt: skip
        return items

    def item(self, entry: Entry) -> Item | None:
        item = Item(entry)
        if entry.kind == "text":
            return self._set_type(item, entry, None)
        if entry.kind != "map":
            what = "an empty line" if entry.kind == "null" else "a list"
            self.report("E212", f"a layer is needed here, not {what}", entry, "write Type, Type: {arguments} or name: layer")
            return None
        types = [(k, v) for k, v in entry.value if names.TYPE.match(k.value)]
        others = [(k, v) for k, v in entry.value if not names.TYPE.match(k.value) and k.value not in names.KEYWORDS]
        item.keywords = {k.value: v for k, v in entry.value if k.value in names.KEYWORDS}
        heads = types + others
        if not heads:
            self.report("E212", "there is no layer in this item, only keywords", entry, "write for example - Conv2d: {...}")
            return None
        if len(heads) > 1:
            self._too_many_heads(types, others)
            return None
        key, value = heads[0]
        done = self._set_type(item, key, value) if types else self._named(item, key, value)
        if done is not None:
            self._container_keywords(item)
        return done

    def _too_many_heads(self, types, others):
        if types:
            kind = types[0][0].value
            for key, value in others:
                near = closest(key.value, names.KEYWORDS)
                if key.value in _arguments_of(kind):
                    self.report("E214", f"`{key.value}` is an argument of {kind}; it goes inside its braces", key,
                                f"- {kind}: {{{key.value}: ...}}")  # fmt: skip
                elif near and value.kind != "map":
                    self.report("E215", f"`{key.value}` is not a keyword", key, f"did you mean `{near}`?")
                elif _is_layer(value):
                    self.report("E213", f"two layers in one item: `{kind}` and `{key.value}`", key,
                                "start the second one on its own line with a dash")  # fmt: skip
                else:
                    self.report("E215", f"`{key.value}` is neither a keyword nor an argument of {kind}", key,
                                f"the keywords are {', '.join(names.KEYWORDS)}")  # fmt: skip
            if len(types) > 1:
                second = types[1][0]
                self.report("E213", f"two layers in one item: `{kind}` and `{second.value}`", second,
                            "start the second one on its own line with a dash")  # fmt: skip
            return
        first, (second, value) = others[0][0], others[1]
        near = closest(second.value, names.KEYWORDS)
        kind = _kind_of(others[0][1])
        if kind and second.value in _arguments_of(kind):
            self.report("E214", f"`{second.value}` is an argument of {kind}; it goes inside its braces", second,
                        f"- {first.value}: {{{kind}: {{{second.value}: ...}}}}")  # fmt: skip
        elif near and not _is_layer(value):
            self.report("E215", f"`{second.value}` is not a keyword", second, f"did you mean `{near}`?")
        else:
            self.report("E213", f"two layers in one item: `{first.value}` and `{second.value}`", second,
                        "start the second one on its own line with a dash")  # fmt: skip

    def _named(self, item: Item, key: Entry, value: Entry) -> Item | None:
        text = key.value
        if value.kind == "map" and value.value and not any(names.TYPE.match(k.value) for k, _ in value.value):
            if not any(k.value in names.KEYWORDS for k, _ in value.value) and (near := closest(text, REGISTRY)):
                self._unknown_layer(key, near)
                return None
            self.report("E212", f"`{text}` needs a layer", value.value[0][0], f"- {text}: {{Type: {{...}}}}")
            return None
        if wrong := names.wrong_name(text):
            self.report(wrong[0], wrong[1], key, wrong[2])
            return None
        item.name, item.name_entry = text, key
        if value.kind == "list":
            item.body = self.body(value, text)
            return item
        if value.kind == "text":
            return self._set_type(item, value, None)
        if value.kind == "null":
            self.report("E212", f"`{text}` has no layer", key, f"- {text}: Type, or - {text}: {{Type: {{...}}}}")
            return None
        return self._named_map(item, value)

    def _named_map(self, item: Item, value: Entry) -> Item | None:
        types = [(k, v) for k, v in value.value if names.TYPE.match(k.value)]
        if not types:
            self.report("E212", f"`{item.name}` has no layer", value, f"- {item.name}: {{Type: {{...}}}}")
            return None
        kind = types[0][0].value
        for key, _ in value.value:
            if key.value in names.KEYWORDS:
                self.report("E216", f"`{key.value}` goes beside the name `{item.name}`, not inside its braces", key,
                            f"- {item.name}: {{{kind}: ...}}\n  {key.value}: ...")  # fmt: skip
            elif not names.TYPE.match(key.value):
                if key.value in _arguments_of(kind):
                    text = f"`{key.value}` is an argument of {kind}; it goes inside the inner braces"
                else:
                    text = f"`{key.value}` does not belong here: arguments go inside the inner braces"
                self.report("E214", text, key, f"- {item.name}: {{{kind}: {{..., {key.value}: ...}}}}", layer=item.name)
            elif key.value != kind:
                self.report("E213", f"two layers in one item: `{kind}` and `{key.value}`", key)
        return self._set_type(item, *types[0])

    def _set_type(self, item: Item, key: Entry, value: Entry | None) -> Item | None:
        text = key.value
        if not names.is_type(text):
            self._unknown_layer(key, closest(text, [*REGISTRY, *names.CONTAINERS, "Reuse"]))
            return None
        item.type, item.type_entry = text, key
        if text in names.CONTAINERS:
            item.body = self.body(value, text) if value is not None else []
            if value is None:
                self.report("E210", f"{text} needs a list of layers", key, f"- {text}: [...]")
            return item
        if value is None or value.kind == "null":
            return item
        if value.kind == "map":
            item.arguments = value.value
        else:
            item.main = value
        return item

    def _unknown_layer(self, key: Entry, near: str | None):
        help = f"did you mean `{near}`?" if near else "`netcalc layers` lists all layers"
        if names.starts_small(key.value):
            help += " The name of a layer type starts with a capital letter."
        self.report("E220", f"there is no layer `{key.value}`", key, help)

    def _container_keywords(self, item: Item):
        for word, kind in (("shortcut", "Residual"), ("merge", "Parallel")):
            entry = item.keywords.get(word)
            if entry is None:
                continue
            if item.type != kind:
                self.report("E217", f"`{word}` belongs to {kind} only", entry)
            elif word == "shortcut":
                item.shortcut = self.body(entry, word)
            else:
                item.merge = self.item(entry)


def _arguments_of(kind: str):
    return REGISTRY[kind].args if kind in REGISTRY else ()


def _kind_of(value: Entry) -> str | None:
    if value.kind == "text":
        return value.value if names.is_type(value.value) else None
    if value.kind == "map":
        return next((key.value for key, _ in value.value if names.TYPE.match(key.value)), None)
    return None


def _is_layer(value: Entry) -> bool:
    return value.kind in ("list", "null") or _kind_of(value) is not None
