"""Which modules a `freeze` stops from training."""

from __future__ import annotations

from ..graph import Node
from .flow import NotParametric, is_again


def frozen_paths(entries, whole: bool = True) -> list[str]:
    """The paths in a member of the largest modules whose parameters are all frozen; "" is the member itself.

    whole: whether the member is a module; wiring without a name is none.
    """
    found = {tuple(_paths(entry.member, entry.member.path, whole)) for entry in entries}
    if len(found) != 1:
        raise NotParametric("freeze differs")
    return list(found.pop())


def _paths(member, base: str, whole: bool):
    states = set(_states(member))
    if whole and states == {True}:
        yield member.path[len(base) + 1 :] if base else member.path
    elif True in states:
        for inner in member.members:
            yield from _paths(inner, base, inner.path != member.path)


def _states(member):
    """Whether its parameters are frozen."""
    if is_again(member):
        return
    if isinstance(member, Node):
        if member.params:
            yield member.frozen
        return
    for inner in member.members:
        yield from _states(inner)
