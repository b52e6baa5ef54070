"""Groups, Residual and Parallel: modules whose layers stand in the same body."""

from __future__ import annotations

from ..errors import fail
from ..graph import Scope
from ..layers.base import Layer
from . import leaves
from .binding import shape_text
from .reading import Spot, nothing_before, passed_on, read_one
from .references import only_value, value_of


def group(walk, spot: Spot) -> Scope:
    return _group(walk, spot, read_one(spot))


def _group(walk, spot: Spot, first) -> Scope:
    inner = walk.inner(spot.item.type or "group", spot)
    inner.start = only_value(first)
    passed_on(inner, walk.body(spot.item.body, inner, first))
    inner.rebuild = lambda other, here: _group(walk, spot.moved(here), other)
    return inner


def residual(walk, spot: Spot) -> Scope:
    first = read_one(spot)
    if first is None:
        raise nothing_before(spot)
    return _residual(walk, spot, first)


def _residual(walk, spot: Spot, first) -> Scope:
    item = spot.item
    inner = walk.inner("Residual", spot)
    inner.start = only_value(first)
    main = value_of(walk.body(item.body, inner, first), item.head.where)
    side, made_by = value_of(first, item.head.where), "its input"
    if item.shortcut is not None:
        side, made_by = value_of(walk.body(item.shortcut, inner, first), item.head.where), "its shortcut"
    if not leaves.broadcasts(main.shape, side.shape):
        raise fail("E401", f"Residual adds {shape_text(main.shape)} (its layers) to {shape_text(side.shape)} ({made_by}): "
                   "the shapes differ", item.head.where,
                   "add a shortcut that changes the shape in the same way, e.g. a 1x1 Conv2d with the same out_channels and stride")  # fmt: skip
    node = leaves.joined(walk, "Add", (main, side), item, inner, walk.wiring_path(inner, "add"))
    inner.members.append(node)
    inner.outputs = [(None, node.outputs[0])]
    inner.rebuild = lambda other, here: _residual(walk, spot.moved(here), other)
    return inner


def parallel(walk, spot: Spot) -> Scope:
    return _parallel(walk, spot, read_one(spot))


def _parallel(walk, spot: Spot, first) -> Scope:
    item = spot.item
    inner = walk.inner("Parallel", spot)
    inner.start = only_value(first)
    outputs = []
    for branch in item.body:
        made = walk.item(branch, inner, first)
        if made is not first:
            outputs.append((branch.name, value_of(made, branch.head.where)))
    inner.outputs = outputs if item.merge is None else [(None, _merged(walk, spot, inner, outputs))]
    inner.rebuild = lambda other, here: _parallel(walk, spot.moved(here), other)
    return inner


def _merged(walk, spot: Spot, inner: Scope, outputs: list):
    merge = spot.item.merge
    kind, given = walk.kind(merge, spot.env)
    if not (isinstance(kind, type) and issubclass(kind, Layer)):
        raise fail("E217", f"`merge` takes a layer such as Add or Concat, not the block {merge.type}", merge.head.where)
    values = tuple(value for _, value in outputs)
    path = walk.wiring_path(inner, kind.type.lower())
    node = leaves.leaf(walk, Spot(merge, inner, None, spot.env, path), kind, given, values)
    inner.members.append(node)
    return node.outputs[0]
