"""`tie`: one parameter that is another."""

from __future__ import annotations

from ..arith import same_shape
from ..errors import fail
from ..graph import Node, Scope
from .binding import shape_text
from .references import find_module, resolve


def tie(node: Node, item, scope: Scope):
    """`tie: {weight: path}`: this parameter is that one."""
    entry = item.keywords["tie"]
    if entry.kind != "map":
        raise fail("E227", "`tie` needs a mapping {parameter: path}", entry.where, "tie: {weight: wte.weight}")
    for key, ref in entry.value:
        name = key.value
        if name not in node.params:
            has = ", ".join(node.params) or "no parameters"
            raise fail("E227", f"{node.type} has no parameter `{name}`", key.where, f"it has {has}")
        target = resolve(ref, scope, None, find_module)
        if isinstance(target, Node) and "" in target.params:
            target = (target, "")
        if not isinstance(target, tuple):
            raise fail("E227", f"`{ref.value}` is not a parameter", ref.where, "write for example wte.weight")
        other, other_name = target
        mine, theirs = node.params[name], other.params[other_name]
        if not same_shape(mine, theirs):
            raise fail("E228", f"`{node.key(name)}` {shape_text(mine)} and `{other.key(other_name)}` {shape_text(theirs)} cannot be tied: "
                       "the shapes differ", entry.where)  # fmt: skip
        node.tied[name] = other.tied.get(other_name, (other, other_name))
