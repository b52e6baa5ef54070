"""What a reference means: a name, with parts after dots, of something that stands earlier."""

from __future__ import annotations

import re

from ..errors import closest, fail
from ..graph import Node, Scope, Value
from ..language.reader import Entry
from .binding import shape_text

_REFERENCE = re.compile(r"[A-Za-z_][\w-]*(\.[\w-]+)*\Z", re.ASCII)


def is_reference(text: str) -> bool:
    return isinstance(text, str) and _REFERENCE.match(text) is not None


def known_names(scope: Scope) -> list[str]:
    """Everything that can be referred to, inputs first."""
    found: list[str] = []
    inner = scope
    while inner is not None:
        found = [*inner.named, *found]
        if inner.outer is None:
            found = [*inner.inputs, *found]
        inner = inner.outer
    if "input" not in found and len(root_of(scope).inputs) == 1:
        found.insert(0, "input")
    return list(dict.fromkeys(found))


def root_of(scope: Scope) -> Scope:
    """The block (or model) that a scope belongs to."""
    while scope.outer is not None:
        scope = scope.outer
    return scope


def find(name: str, scope: Scope):
    """The thing of that name in this list or an enclosing one, or None."""
    inner = scope
    while inner is not None:
        if name in inner.named:
            return inner.named[name]
        inner = inner.outer
    block = root_of(scope)
    if name in block.inputs:
        return block.inputs[name]
    if name == "input" and len(block.inputs) == 1:
        return next(iter(block.inputs.values()))
    return None


def find_module(name: str, scope: Scope):
    """Like `find`, but also inside unnamed wiring: its modules belong to the enclosing one."""
    found = find(name, scope)
    while found is None and scope is not None:
        found = _within(name, scope)
        scope = scope.outer
    return found


def _within(name: str, scope: Scope):
    for member in scope.members:
        if isinstance(member, Scope) and member.name is None and member.kind in ("Residual", "Parallel"):
            found = member.named.get(name) or _within(name, member)
            if found is not None:
                return found
    return None


def resolve(entry: Entry, scope: Scope, prev, finder=find):
    """The thing that a reference names: a Node, a Scope, a Value, or a (node, parameter) pair."""
    text = entry.value
    if entry.kind != "text" or re.fullmatch(r"-?[\d.]+", str(text)):
        what = f"({text})" if entry.kind == "text" else ""
        raise fail("E310", f"layers are referred to by name, not by number {what}".rstrip(), entry.where,
                   "give the layer a name, or write prev for the layer before")  # fmt: skip
    if not is_reference(text):
        raise fail(
            "E310",
            f"`{text}` is not a reference",
            entry.where,
            "write the name of an earlier layer, such as stem or block.0",
        )
    head, *parts = text.split(".")
    thing = prev if head == "prev" else finder(head, scope)
    if thing is None:
        raise _unknown(head, entry, scope)
    for part in parts:
        thing = _part(thing, part, entry)
    return thing


def _unknown(head: str, entry: Entry, scope: Scope):
    if head == "prev":
        return fail("E313", "there is no layer before this one", entry.where, "name an input")
    inner = scope
    while inner is not None:
        if head in inner.missing:
            return fail("E312", f"`{head}` is not there: its `when` is false", entry.where,
                        "put the alternatives into one named group, which always exists; an empty group passes its input on",
                        [("left out here", inner.missing[head].where)])  # fmt: skip
        inner = inner.outer
    if head == "input":
        inputs = ", ".join(root_of(scope).inputs)
        return fail(
            "E310", "there are several inputs, so none is called `input`", entry.where, f"The inputs are {inputs}"
        )
    known = known_names(scope)
    near = closest(head, known)
    help = f"did you mean `{near}`? " if near else ""
    return fail("E310", f"there is no layer or input `{head}` before this point", entry.where,
                f"{help}Known here: {', '.join([*known, 'prev'])}")  # fmt: skip


def _part(thing, part: str, entry: Entry):
    if isinstance(thing, Scope):
        inside = thing.kind not in ("block", "model") or thing.block is None
        if inside and part in thing.named:
            return thing.named[part]
        if inside and part in thing.numbered:
            return thing.numbered[part]
        for name, value in thing.outputs:
            if name == part:
                return value
        for index, (_, value) in enumerate(thing.outputs):
            if part == str(index):
                return value
        has = [*thing.named, *(n for n in thing.numbered if n not in thing.named)] if inside else []
        has += [name for name, _ in thing.outputs if name]
    elif isinstance(thing, Node):
        if thing.parts is not None:
            if part in thing.parts:
                return thing.outputs[thing.parts.index(part)]
            if part.isdigit() and int(part) < len(thing.outputs):
                return thing.outputs[int(part)]
        if part in thing.params:
            return thing, part
        numbers = [str(i) for i in range(len(thing.outputs))] if thing.parts is not None else []
        has = list(dict.fromkeys([*numbers, *(thing.parts or ()), *thing.params]))
    else:
        has = []
    owner = entry.value.rsplit(f".{part}", 1)[0]
    closed = isinstance(thing, Scope) and thing.kind == "block"
    help = f"it has {', '.join(has)}" if has else "it has no parts"
    if closed:
        help = f"{thing.block.name} is a block: from outside only its outputs can be named; {help}"
    raise fail("E311", f"`{owner}` has no part `{part}`", entry.where, help)


def outputs_of(thing, where) -> list[tuple[str | None, Value]]:
    """What a container passes on from its last layer: all outputs of a block or group, the first one of a layer."""
    if thing is None:
        return []
    return list(thing.outputs) if isinstance(thing, Scope) else [(None, value_of(thing, where))]


def value_of(thing, where) -> Value:
    """The tensor of a thing: of a layer its first output, of a block or group its only one."""
    if isinstance(thing, Value):
        return thing
    if isinstance(thing, Node):
        return thing.outputs[0]
    if isinstance(thing, tuple):
        node, name = thing
        return Value(tuple(node.params[name]), "float32", node, -1, f"parameter `{node.key(name)}`")
    if len(thing.outputs) == 1:
        return thing.outputs[0][1]
    label = thing.path or "it"
    if not thing.outputs:
        raise fail("E313", f"`{label}` has no output: nothing is in it", where)
    named = [name or str(index) for index, (name, _) in enumerate(thing.outputs)]
    raise fail("E313", f"`{label}` has {len(thing.outputs)} outputs: say which one is meant", where,
               f"write for example from: {label.rsplit('.', 1)[-1]}.{named[0]}; it has {', '.join(named)}")  # fmt: skip


def only_value(thing) -> Value | None:
    """The tensor of a thing, None where it has none or several."""
    return None if thing is None or (isinstance(thing, Scope) and len(thing.outputs) != 1) else value_of(thing, None)


def described(value: Value) -> str:
    """A tensor in a message: its shape and who made it."""
    return f"{shape_text(value.shape)} ({value})"
