"""The rows of a table: layers in order, equal copies folded into one, modules below a depth summed up."""

from __future__ import annotations

import re

from ..facts import Row, total
from ..graph import Graph, Node, Scope


class Line:
    """One line of a table: a layer, a folded run of equal ones (`copies`), or a module with all that is in it."""

    __slots__ = ("copies", "label", "output", "rows", "type")

    def __init__(self, label: str, type: str, output: tuple, rows: list[Row], copies: int):
        self.label, self.type, self.output, self.rows, self.copies = label, type, output, rows, copies

    def sum(self, name: str):
        """The sum of a row's attribute over everything that the line stands for."""
        return total(getattr(row, name) for row in self.rows) * self.copies

    @property
    def title(self) -> str:
        times = f" x{self.copies}" if self.copies > 1 else ""
        return f"{self.label} ({self.type}){times}"


def lines(graph: Graph, rows: list[Row], depth: int | None = None, expand: bool = False) -> list[Line]:
    """The lines of a table. Sums over them are exact whatever is folded."""
    return list(_Folder({id(row.node): row for row in rows}, depth, expand).scope(graph.root, "", 1, 1))


class _Folder:
    def __init__(self, rows: dict[int, Row], depth: int | None, expand: bool):
        self.rows, self.depth, self.expand = rows, depth, expand
        self.signatures: dict[int, tuple] = {}

    def scope(self, scope: Scope, label: str, copies: int, level: int):
        members = list(_flat(scope))
        at = 0
        while at < len(members):
            run = 1 if self.expand else self._run(members, at)
            first, last = members[at], members[at + run - 1]
            name = _name(first, scope)
            if run > 1:
                name = _range(name, _name(last, scope))
            inner = f"{label}.{name}" if label and not _elsewhere(first, scope) else name
            yield from self._member(first, inner, copies * run, level)
            at += run

    def _member(self, member, label: str, copies: int, level: int):
        if isinstance(member, Node):
            row = self.rows[id(member)]
            yield Line(label, member.type, row.output, [row], copies)
        elif self.depth is not None and level >= self.depth:
            rows = [self.rows[id(node)] for node in _nodes(member)]
            if rows:
                value = member.outputs[0][1] if member.outputs else None
                output = self.rows[id(value.node)].output if value is not None and id(value.node) in self.rows else rows[-1].output
                yield Line(label, _type(member), output, rows, copies)
        else:
            yield from self.scope(member, label, copies, level + 1)

    def _run(self, members: list, at: int) -> int:
        """How many members from `at` on are equal copies of one line of the spec."""
        first, end = members[at], at + 1
        while end < len(members) and members[end].item is first.item and self._signature(members[end]) == self._signature(first):
            end += 1
        return end - at

    def _signature(self, member) -> tuple:
        found = self.signatures.get(id(member))
        if found is None:
            if isinstance(member, Node):
                row = self.rows[id(member)]
                shapes = tuple(map(str, member.shapes))
                found = (member.type, shapes, str(row.output), tuple(map(str, member.params.items())), member.original is None, member.frozen)
            else:
                found = tuple((_name(inner, member), self._signature(inner)) for inner in _flat(member))
            self.signatures[id(member)] = found
        return found


def _flat(scope: Scope):
    """The members of a module; what stands in unnamed wiring belongs to the module around it."""
    for member in scope.members:
        if isinstance(member, Scope) and member.path == scope.path:
            yield from _flat(member)
        else:
            yield member


def _nodes(member):
    if isinstance(member, Node):
        yield member
    else:
        for inner in member.members:
            yield from _nodes(inner)


def _elsewhere(member, scope: Scope) -> bool:
    """Whether a layer that is used again has its name outside this module."""
    return bool(scope.path) and not member.path.startswith(scope.path + ".")


def _name(member, scope: Scope) -> str:
    return member.path if not scope.path or _elsewhere(member, scope) else member.path[len(scope.path) + 1 :]


def _range(first: str, last: str) -> str:
    """`0`, `3` as 0-3; `encoder_layer_1`, `encoder_layer_11` as encoder_layer_1-11."""
    stem = re.sub(r"\d+\Z", "", first)
    return f"{first}-{last[len(stem):]}" if last.startswith(stem) else f"{first}..{last}"


def _type(scope: Scope) -> str:
    if scope.block is not None:
        return scope.block.name
    if scope.kind == "copies":
        return scope.item.type or "Sequential"
    return "Sequential" if scope.kind == "group" else scope.kind
