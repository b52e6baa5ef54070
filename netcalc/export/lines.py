"""A line of the spec while it is being written, the places where it is, and what can be asked about it."""

from __future__ import annotations

from ..elaborate.references import is_reference
from ..graph import Node, Value
from ..layers.base import REGISTRY
from .flow import by_line, outputs
from .symbols import Frame


class Entry:
    """One place in the graph that a line of source stands for: a member, in an instance's frame, with its copy's number."""

    __slots__ = ("at", "frame", "index", "lines", "member")

    def __init__(self, frame: Frame, member, index, at: int = 0):
        self.frame, self.member, self.index = frame, member, index
        self.at = at  # the number of the instance among those of the class
        self.lines: dict | None = None

    def of(self, item) -> list:
        """What a line of the spec is in this place."""
        if self.lines is None:
            self.lines = by_line(self.member)
        return self.lines.get(id(item), [])


class Line:
    """A line of the spec in a class.

    entries: what it is in each instance where it is there. absent: what came before it in the others. condition: the
    source of its `when`, where that is decided in __init__. name: the variable that it would like.
    """

    def __init__(self, item, entries: list[Entry], absent: dict, condition: str | None = None, name: str | None = None):
        self.item, self.entries, self.absent, self.condition, self.name = item, entries, absent, condition, name
        self.flag: str | None = None  # what forward asks

    @property
    def member(self):
        return self.entries[0].member

    @property
    def scopes(self) -> list[tuple]:
        return [(e.frame, e.member, e.index) for e in self.entries]

    def of(self, entries: list[Entry]) -> Line:
        """The same line for some of its copies."""
        return Line(self.item, entries, self.absent, self.condition, self.name)


def call(function: str, variables: list[str]) -> str:
    return f"{function}({', '.join(variables)})"


def first(member) -> Value | None:
    """What the next line reads of a member."""
    found = outputs(member)
    return found[0][1] if found else None


def segment_of(member):
    """The recomputed stretch that a member belongs to; of copies, that of the first."""
    return (
        member.members[0].segment
        if not isinstance(member, Node) and member.kind == "copies" and member.members
        else member.segment
    )


def members(item, places: list[Entry]) -> list[list[Entry]]:
    """What a line is in each place: several where it is repeated without a name."""
    found = []
    for place in places:
        there = place.of(item)
        several = len(there) > 1 or ("repeat" in item.keywords and item.name is None)
        found.append([Entry(place.frame, m, k if several else place.index, place.at) for k, m in enumerate(there)])
    return found


def read_after(items, later: frozenset) -> list[tuple]:
    """Each item with the names that the next one reads, and with those that all below it read or that are in `later`."""
    found, soon = [], frozenset()
    for item in reversed(items):
        found.append((item, soon, later))
        soon = references([item])
        later = later if soon <= later else later | soon
    return found[::-1]


def references(items) -> frozenset:
    """The names that items read, with their parts."""
    found: set[str] = set()
    for item in items:
        entry = item.keywords.get("from")
        if entry is not None:
            refs = (
                [v for _, v in entry.value] if entry.kind == "map" else entry.value if entry.kind == "list" else [entry]
            )
            found.update(str(ref.value) for ref in refs)
        if item.main is not None and item.type in REGISTRY and REGISTRY[item.type].operator:
            for ref in item.main.value if item.main.kind == "list" else [item.main]:
                if ref.kind == "text" and is_reference(ref.value):
                    found.add(ref.value)
        for inner in (item.body, item.shortcut, [item.merge] if item.merge else None):
            found |= references(inner or ())
    return frozenset(found | {text.split(".")[0] for text in found})


def kind_of(member) -> str:
    """What a module without a name is called after."""
    return member.type if isinstance(member, Node) else member.block.name if member.block else member.kind


def has_state(member) -> bool:
    if isinstance(member, Node):
        return bool(member.params or member.buffers)
    return any(map(has_state, member.members))
