"""Bodies and copies as the elements of an nn.Sequential."""

from __future__ import annotations

import re

from ..graph import Node, Scope
from ..language.expressions import parse
from . import helpers, naming
from .classes import Entry
from .code import python, string
from .flow import NotParametric
from .lines import members


class Part:
    """One element, or a run of them (`loop`: the text after `for`), under a name where it has one, with its condition."""

    __slots__ = ("condition", "loop", "name", "text")

    def __init__(self, text: str, name: str | None = None, loop: str | None = None, condition: str | None = None):
        self.text, self.name, self.loop, self.condition = text, name, loop, condition


def sequence(elements, items, scopes: list) -> list[Part] | None:
    """The elements for a body, in all instances (frame, scope, index); None where it does more than chain."""
    if not all(map(_chains, items)):
        return None
    parts: list[Part] = []
    named = any(item.name is not None or "name" in item.keywords for item in items)
    places = [Entry(frame, scope, index) for frame, scope, index in scopes]
    for item in items:
        found = members(item, places)
        present = [entries for entries in found if entries]
        if not present:
            continue
        condition = elements.condition(item, found) if "when" in item.keywords else None
        if "repeat" in item.keywords and item.name is None:
            made = _unnamed_copies(elements, item, present, named)
        else:
            made = _one(elements, item, [entries[0] for entries in present], named)
        if made is None:
            return None
        for part in made:
            part.condition = condition
        parts += made
    if named and any(part.condition for part in parts):
        return None
    return parts


def _chains(item) -> bool:
    """Whether a line only takes the tensor before it and passes one on."""
    wired = {"from", "checkpoint", "tie", "freeze"} & set(item.keywords)
    return not wired and item.type not in ("Residual", "Parallel", "Reuse")


def _one(elements, item, entries, named: bool) -> list[Part] | None:
    text = _module(elements, item, entries)
    if text is None:
        return None
    member, frame = entries[0].member, entries[0].frame
    key = member.path.rpartition(".")[2]
    if named and (len({e.member.path.rpartition(".")[2] for e in entries}) > 1 or key in naming.OF_SEQUENTIAL):
        return None
    return [Part(text, string(key) if named else None)] if frame else None


def _module(elements, item, entries) -> str | None:
    member = entries[0].member
    if isinstance(member, Node):
        if member.parts is not None or len(member.inputs) != 1 or type(member.layer).operator:
            return None
        if member.layer.apply("module", ["x"]) != "module(x)":
            return None
        if member.layer.torch(*member.shapes) is None:
            return helpers.module(elements.written(member, item, entries, [member.shapes[0]]), elements.emitter)
    elif any(not _is_chain(elements, e.member) for e in entries):
        return None
    return elements.constructor(item, entries)


def _is_chain(elements, scope: Scope) -> bool:
    """Whether a block or group takes one tensor and passes one on."""
    if scope.kind == "block":
        return len(scope.inputs) == 1 and len(scope.outputs) == 1
    return elements.emitter.flow.chains(scope)


def _unnamed_copies(elements, item, found: list[list], named: bool) -> list[Part] | None:
    """Copies that stand in the list itself."""
    runs = runs_of(elements, item, found)
    if runs is None:
        return None
    parts = []
    for run in runs:
        name = None
        if named:
            template = item.keywords.get("name")
            if template is None:
                return None
            name = template_text(template.value, elements.names.rename, run)
        parts.append(Part(run.text, name, run.loop))
    return parts


def copies(elements, item, scopes: list) -> list[Part] | None:
    """The elements of copies under a name."""
    if item.type == "Reuse" or any(elements.emitter.flow.outlets([scope]) for _, scope, _ in scopes):
        return None
    found = [[Entry(frame, m, k) for k, m in enumerate(scope.members)] for frame, scope, _ in scopes]
    runs = runs_of(elements, item, found)
    if runs is None:
        return None
    template = item.keywords.get("name")
    if template is None:
        return [Part(run.text, None, run.loop) for run in runs]
    return [Part(run.text, template_text(template.value, elements.names.rename, run), run.loop) for run in runs]


class Run:
    """Copies first .. last (None: to the end) with one text."""

    def __init__(self, text: str, first: int, last: int | None, loop: str | None):
        self.text, self.first, self.last, self.loop = text, first, last, loop


def runs_of(elements, item, found: list[list], module=_module) -> list[Run] | None:
    """The copies as few runs of equal text: all alike, or the first and the rest, or (in one instance) one by one.

    module: what gives the text of some copies.
    """
    count = _count(elements, item, found)
    if not any(found):
        return []
    try:
        with elements.emitter.attempt():
            text = module(elements, item, [entry for entries in found for entry in entries])
        return None if text is None else [Run(text, 0, None, _loop(text, "0", count, item))]
    except NotParametric:
        pass
    try:
        with elements.emitter.attempt():
            return _first_and_rest(elements, item, found, module, count)
    except NotParametric:
        if len(found) != 1:
            raise
    return _one_by_one(elements, item, found[0], module)


def _first_and_rest(elements, item, found: list[list], module, count: str) -> list[Run] | None:
    first = module(elements, item, [entries[0] for entries in found if entries])
    rest = [entry for entries in found for entry in entries[1:]]
    if first is None:
        return None
    tail = module(elements, item, rest) if rest else None
    head = Run(re.sub(r"\bi\b", "0", first), 0, 1, None)
    return [head, *([Run(tail, 1, None, _loop(tail, "1", count, item))] if rest else [])]


def _one_by_one(elements, item, entries: list, module) -> list[Run] | None:
    runs: list[Run] = []
    for entry in entries:
        text = module(elements, item, [entry])
        if text is None:
            return None
        text = re.sub(r"\bi\b", str(entry.index), text)
        if runs and runs[-1].text == text and "name" not in item.keywords:
            runs[-1].last += 1
            runs[-1].loop = f"_ in range({runs[-1].last - runs[-1].first})"
        else:
            runs.append(Run(text, entry.index, entry.index + 1, None))
    return runs


def _count(elements, item, found: list[list]) -> str:
    """The number of copies as source."""
    from ..elaborate.environment import parsed

    counts = {len(entries) for entries in found}
    expression = parsed(item.keywords["repeat"])
    if not expression.names or elements.names.concrete:
        if len(counts) != 1:
            raise NotParametric("different numbers of copies")
        return str(counts.pop())
    return python(expression, elements.names.rename)


def _loop(text: str, first: str, count: str, item) -> str:
    if re.search(r"\bi\b", text) or "name" in item.keywords:
        return f"i in range({count})" if first == "0" else f"i in range({first}, {count})"
    if first == "0":
        return f"_ in range({count})"
    if count.isdigit():
        return f"_ in range({int(count) - int(first)})"
    simple = re.fullmatch(r"[\w.]+(\[[^\]]*\])?", count)
    return f"_ in range({count if simple else f'({count})'} - {first})"


def template_text(text: str, rename, run: Run) -> str:
    """A `name:` text as an f-string, or as a string where the copy's number is known."""
    pieces = re.split(r"\{([^{}]*)\}", text)
    if run.loop is None:
        known = {"i": run.first}
        made = "".join(p if k % 2 == 0 else str(parse(p).value(lambda n: known[n])) for k, p in enumerate(pieces))
        return string(made)
    inner = [
        p if k % 2 == 0 else "{" + python(parse(p), lambda n: n if n == "i" else rename(n)) + "}"
        for k, p in enumerate(pieces)
    ]
    return "f" + string("".join(inner))
