"""`Reuse`: an earlier layer, group or block run once more with the same weights."""

from __future__ import annotations

from ..arith import same_shape
from ..errors import fail
from ..graph import Node, Scope
from ..language.reader import Entry
from . import leaves
from .binding import shape_text
from .blocks import resolved_mapping
from .reading import Spot, nothing_before, read, read_one
from .references import find_module, resolve


def reuse(walk, spot: Spot):
    """Run an earlier layer, group or block once more, with the same weights."""
    entry = spot.item.main
    if entry is None or entry.kind != "text":
        raise fail("E235", "Reuse needs the name of an earlier layer", spot.item.head.where, "- Reuse: encoder")
    thing = resolve(entry, spot.scope, spot.prev, find_module)
    if not isinstance(thing, (Node, Scope)) or entry.value == "prev":
        raise fail("E224", f"`{entry.value}` is not a layer that can be used again", entry.where)
    here = spot.scope
    if "checkpoint" in spot.item.keywords:
        here = Scope("reuse", spot.path, spot.env, spot.scope, spot.item)
        walk.switches(spot, here)
    first, outer = len(walk.nodes), walk.reusing
    walk.reusing = True
    made = _rerun(walk, thing, spot, here)
    walk.reusing = outer
    _share(walk.nodes[first:], thing, entry)
    if isinstance(made, Scope):
        made.item = spot.item
    return made


def _rerun(walk, thing, spot: Spot, here: Scope):
    if isinstance(thing, Node):
        return leaves.again(walk, thing, tuple(read(spot)), here)
    if thing.kind == "block" and thing.block.inputs is not None and len(thing.block.inputs) > 1:
        return thing.rebuild(resolved_mapping(spot, thing.block), here)
    start = read_one(spot)
    if start is None:
        raise nothing_before(spot)
    return thing.rebuild(start, here)


def _share(nodes: list, thing, entry: Entry):
    """Say of each new node whose weights it uses. Raises SpecError where they would not fit."""
    originals = list(weights(thing))
    if [node.path for node in nodes] != [node.path for node in originals]:
        raise fail(
            "E225",
            f"`{entry.value}` cannot be used again here: with this input its conditions come out differently",
            entry.where,
        )
    for original, node in zip(originals, nodes, strict=True):
        node.original = original.original or original
        for name, shape in node.original.params.items():
            now = node.params.get(name)
            if now is None or not same_shape(now, shape):
                needed = shape_text(now) if now is not None else "nothing"
                raise fail("E225", f"`{entry.value}` cannot be used again here: its `{name}` is {shape_text(shape)}, "
                           f"but this input would need {needed}", entry.where,
                           "a layer used again needs an input of the same channels or features; define a second layer if new weights are meant",
                           [(f"`{entry.value}` is defined here", (thing.item.name_entry or thing.item.head).where)])  # fmt: skip


def weights(thing):
    """The nodes below a thing, in order of execution."""
    if isinstance(thing, Node):
        yield thing
    else:
        for member in thing.members:
            yield from weights(member)
