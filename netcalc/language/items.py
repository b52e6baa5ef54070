"""Bodies of layers: every item with exactly one layer, and every keyword where it belongs."""

from __future__ import annotations

from ..errors import Diagnostic, SpecError, closest
from ..layers.base import REGISTRY
from . import names
from .reader import Entry
from .spec import Item

MAX_ERRORS = 20


class BodyParser:
    """Makes items of entries. What is wrong is collected in `problems`."""

    def __init__(self):
        self.problems: list[Diagnostic] = []

    def report(self, code: str, text: str, entry: Entry, help: str | None = None, layer: str | None = None, notes=()):
        self.problems.append(Diagnostic(code, text, entry.where, layer, tuple(notes), help))
        if len(self.problems) >= MAX_ERRORS:
            raise SpecError(*self.problems)

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
            self.report(
                "E212", f"a layer is needed here, not {what}", entry, "write Type, Type: {arguments} or name: layer"
            )
            return None
        types = [(k, v) for k, v in entry.value if names.is_type(k.value)]
        others = [(k, v) for k, v in entry.value if not names.is_type(k.value) and k.value not in names.KEYWORDS]
        item.keywords = {k.value: v for k, v in entry.value if k.value in names.KEYWORDS}
        heads = types + others
        if not heads:
            self.report(
                "E212", "there is no layer in this item, only keywords", entry, "write for example - Conv2d: {...}"
            )
            return None
        if len(heads) > 1:
            self._too_many_heads(types, others)
            return None
        key, value = heads[0]
        done = self._set_type(item, key, value) if types else self._named(item, key, value)
        if done is not None:
            self._check_keywords(item)
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
        if value.kind == "map" and value.value and not any(names.is_type(k.value) for k, _ in value.value):
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
        types = [(k, v) for k, v in value.value if names.is_type(k.value)]
        if not types:
            self.report("E212", f"`{item.name}` has no layer", value, f"- {item.name}: {{Type: {{...}}}}")
            return None
        kind = types[0][0].value
        for key, given in value.value:
            if key.value in names.KEYWORDS:
                self.report("E216", f"`{key.value}` goes beside the name `{item.name}`, not inside its braces", key,
                            f"- {item.name}: {{{kind}: ...}}\n  {key.value}: ...")  # fmt: skip
            elif not names.is_type(key.value):
                if key.value in _arguments_of(kind):
                    text = f"`{key.value}` is an argument of {kind}; it goes inside the inner braces"
                else:
                    text = f"`{key.value}` does not belong here: arguments go inside the inner braces"
                shown = given.value if given.kind == "text" else "..."
                self.report(
                    "E214", text, key, f"- {item.name}: {{{kind}: {{..., {key.value}: {shown}}}}}", layer=item.name
                )
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

    def _check_keywords(self, item: Item):
        """Keywords that belong to some layers only."""
        words = item.keywords
        for word, kind in (("shortcut", "Residual"), ("merge", "Parallel")):
            if word in words and item.type != kind:
                self.report("E217", f"`{word}` belongs to {kind} only", words[word])
        if item.type == "Residual" and "shortcut" in words:
            item.shortcut = self.body(words["shortcut"], "shortcut")
        if item.type == "Parallel" and "merge" in words:
            item.merge = self._merge(words["merge"])
        if "tie" in words and (item.body is not None or item.type == "Reuse"):
            self.report("E217", "`tie` belongs to a layer that has parameters of its own", words["tie"])
        if "freeze" in words and item.type == "Reuse":
            self.report("E217", "`freeze` belongs to the layer whose weights they are", words["freeze"])
        if "name" in words and item.name is not None and "repeat" not in words:
            self.report(
                "E217",
                f"this layer has two names: `{item.name}` and the one under `name`",
                words["name"],
                "remove one of them",
            )

    def _merge(self, entry: Entry) -> Item | None:
        merge = self.item(entry)
        if merge is not None and (
            merge.type is None or merge.name or merge.keywords or merge.type in (*names.CONTAINERS, "Reuse")
        ):
            self.report(
                "E217",
                "`merge` takes a layer without a name or keywords",
                entry,
                "for example merge: Add, or merge: {Concat: {dim: 1}}",
            )
        return merge


def _arguments_of(kind: str):
    return REGISTRY[kind].args if kind in REGISTRY else ()


def _kind_of(value: Entry) -> str | None:
    if value.kind == "text":
        return value.value if names.is_type(value.value) else None
    if value.kind == "map":
        return next((key.value for key, _ in value.value if names.is_type(key.value)), None)
    return None


def _is_layer(value: Entry) -> bool:
    return value.kind in ("list", "null") or _kind_of(value) is not None
