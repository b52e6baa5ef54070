"""What an item reads: the layer before it, or what its `from` names."""

from __future__ import annotations

from ..errors import fail
from ..graph import Node, Scope, Value
from .references import outputs_of, resolve, root_of, value_of


class Spot:
    """One run of one item: where it stands, under which path and name, and what is before it.

    copied: it is a further copy of a `repeat`, which the copy before feeds. before: what stood before the `repeat`.
    here: the scope it runs for, which is another than its own where a `Reuse` runs it again.
    """

    __slots__ = ("before", "copied", "env", "here", "item", "name", "path", "prev", "scope")

    def __init__(
        self, item, scope: Scope, prev, env, path: str, name: str | None = None, copied: bool = False, before=None
    ):
        self.item, self.scope, self.prev, self.env, self.path, self.name = item, scope, prev, env, path, name
        self.copied, self.before, self.here = copied, before, scope

    def moved(self, here: Scope) -> Spot:
        """The same for a `Reuse` that stands in another scope."""
        other = Spot(self.item, self.scope, self.prev, self.env, self.path, self.name, self.copied, self.before)
        other.here = here
        return other


def read(spot: Spot) -> list[Value]:
    """The tensors that an item reads, by `from` or the layer before."""
    entry = spot.item.keywords.get("from")
    if entry is None:
        if spot.prev is None:
            raise nothing_before(spot)
        prev = spot.prev
        return [prev.outputs[0] if type(prev) is Node else value_of(prev, spot.item.head.where)]
    if entry.kind == "map":
        raise fail("E313", "only a block with several inputs takes a mapping in `from`", entry.where)
    references = entry.value if entry.kind == "list" else [entry]
    if not references:
        raise fail("E313", "`from` names nothing", entry.where, "write for example from: [a, b]")
    return read_references(references, spot)


def read_references(references: list, spot: Spot) -> list[Value]:
    """The tensors of a list of references. A further copy reads the copy before instead of the first, or of `prev`."""
    values = [value_of(resolve(ref, spot.scope, spot.prev), ref.where) for ref in references]
    if spot.copied and not any(is_prev(ref) for ref in references):
        values[0] = value_of(spot.prev, spot.item.head.where)
    return values


def read_one(spot: Spot):
    """What the first layer of a container reads, None where there is nothing."""
    if "from" not in spot.item.keywords:
        return spot.prev
    values = read(spot)
    if len(values) != 1:
        raise fail("E313", f"a group takes one input, not {len(values)}", spot.item.keywords["from"].where)
    return values[0]


def is_prev(ref) -> bool:
    return ref.kind == "text" and ref.value.split(".", 1)[0] == "prev"


def nothing_before(spot: Spot):
    several = len(root_of(spot.scope).inputs) > 1
    text = (
        "the spec has several inputs: say with `from` which one this layer reads"
        if several
        else "there is no layer before this one to read from"
    )
    return fail("E313", text, spot.item.head.where)


def passed_on(inner: Scope, last):
    """Give a container the outputs of its last layer."""
    inner.outputs = outputs_of(last, inner.item.head.where)
