"""Instances of a block that are alike in all that its source depends on: one of them is looked at for all."""

from __future__ import annotations

from ..arith import Formula
from ..elaborate.environment import KindValue
from ..graph import Node, Scope
from .flow import Flow, everything, key, outputs


class Twins:
    """Finds, for an instance of a block, the first one like it: of the same sizes and arguments, read in the same way."""

    def __init__(self, flow: Flow):
        self.flow = flow
        self.firsts: dict[int, Scope] = {}  # id of an instance -> the first one like it
        self.by_call: dict[tuple, list[tuple]] = {}  # arguments and inputs -> instances that differ inside
        self.members: dict[int, int] = {}  # id of what is in an instance -> that of its counterpart in the first

    def first(self, scope: Scope) -> Scope:
        found = self.firsts.get(id(scope))
        if found is None:
            found = self.firsts[id(scope)] = self._found(scope)
        return found

    def counterpart(self, member) -> int:
        """The id of what stands in the place of a member in the first instance like its own."""
        return self.members.get(id(member), id(member))

    def _found(self, scope: Scope) -> Scope:
        others = self.by_call.setdefault(_call(scope), [])
        inside = self._inside(scope)
        for other, found in others:
            if found == inside:
                pairs = zip(everything(scope), everything(other), strict=True)
                self.members.update((id(member), id(counterpart)) for member, counterpart in pairs)
                return other
        others.append((scope, inside))
        return scope

    def _inside(self, scope: Scope) -> list:
        """What may differ inside although arguments and inputs are the same."""
        own = {key(value) for _, value in scope.outputs}
        return [self._member(scope, member, own) for member in everything(scope)]

    def _member(self, scope: Scope, member, own: set) -> tuple:
        path = member.path.removeprefix(scope.path) if member.path.startswith(scope.path) else id(member)
        read = [name in own or len(self.flow.readers.get(name, ())) for name in (key(v) for _, v in outputs(member))]
        said = (id(member.by), path, member.segment is None, member.frozen, *read)
        if isinstance(member, Node):
            return (*said, type(member.layer), member.original is None)
        runs = 1 if member.kind == "block" else len(self.flow.runs.get(member.path, ()))
        return (*said, member.kind, len(member.members), id(member) if runs > 1 else 0)


def _call(scope: Scope) -> tuple:
    """What an instance is called with. Its defaults are worked out first."""
    env = scope.env
    for name in [*env.pending]:
        env.lookup(name)
    values = tuple((name, _frozen(value)) for name, value in env.values.items())
    given = [key(value) for value in scope.inputs.values()]
    shapes = tuple((v.shape, v.dtype) for v in scope.inputs.values())
    return id(scope.block), values, shapes, tuple(map(given.index, given))  # the same tensor twice is another call


def _frozen(value):
    """A value as part of a key: what prints differently differs."""
    if isinstance(value, (list, tuple)):
        return tuple(map(_frozen, value))
    if isinstance(value, KindValue):
        return value.name, id(value.spec), tuple((name, _frozen(inner)) for name, inner in value.given.items())
    return type(value), str(value) if isinstance(value, Formula) else value
