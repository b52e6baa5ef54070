"""The rows of a table: layers in order, equal copies folded into one, modules below a depth summed up."""

from __future__ import annotations

import re

from ..arith import Formula, divide
from ..facts import Row
from ..graph import Graph, Node, Scope


class Line:
    """One line of a table: a layer, a folded run of equal ones (`copies`), or a module with all that is in it.

    rows: every row that the line stands for, those of all copies included. times: how often each of them counts, which
    is more than once only for a `repeat` that is free.
    """

    __slots__ = ("copies", "label", "output", "rows", "times", "type")

    def __init__(self, label: str, type: str, output: tuple, rows: list[Row], copies: int, times=1):
        self.label, self.type, self.output, self.rows = label, type, output, rows
        self.copies, self.times = copies, times

    def sum(self, name: str):
        """The sum of a row's attribute over everything that the line stands for."""
        return sum(getattr(row, name) for row in self.rows)

    @property
    def shared(self) -> str:
        """Why layers with parameters add none: "shared" with an earlier execution, "tied" to others; else empty."""
        owners = [row for row in self.rows if row.node.params]
        if not owners or any(isinstance(row.params, Formula) or row.params for row in owners):
            return ""
        return "shared" if all(row.node.original for row in owners) else "tied"

    @property
    def mark(self) -> str:
        """`x12` where it stands for twelve equal ones, `x n_layer` for a free `repeat`; else empty."""
        count = self.copies * self.times
        return f"x {count}" if isinstance(count, Formula) else f"x{count}" * (count > 1)

    @property
    def title(self) -> str:
        return f"{self.label} ({self.type}) {self.mark}".rstrip()


def lines(graph: Graph, rows: list[Row], depth: int | None = None, expand: bool = False) -> list[Line]:
    """The lines of a table. Sums over them are exact whatever is folded."""
    return list(_Folder({id(row.node): row for row in rows}, depth, expand).scope([graph.root], "", 1))


class _Folder:
    def __init__(self, rows: dict[int, Row], depth: int | None, expand: bool):
        self.rows, self.depth, self.expand = rows, depth, expand
        self.signatures: dict[int, tuple] = {}
        self.rules: dict[tuple, tuple] = {}

    def scope(self, copies: list[Scope], label: str, level: int):
        """The lines of a module, together with its equal copies."""
        inside = [list(_flat(scope)) for scope in copies]
        members, at = inside[0], 0
        while at < len(members):
            run = 1 if self.expand else self._run(members, at)
            first, last = members[at], members[at + run - 1]
            name = _name(first, copies[0])
            if run > 1:
                name = _range(name, _name(last, copies[0]))
            inner = f"{label}.{name}" if label and not _elsewhere(first, copies[0]) else name
            yield from self._member([twin for twins in inside for twin in twins[at : at + run]], inner, level)
            at += run

    def _member(self, copies: list, label: str, level: int):
        member = copies[0]
        if isinstance(member, Node):
            rows = [self.rows[id(copy)] for copy in copies]
            yield Line(label, member.type, rows[0].output, rows, len(copies), member.times)
        elif self.depth is not None and level >= self.depth:
            rows = [self.rows[id(node)] for copy in copies for node in _nodes(copy)]
            if rows:
                times = member.outer.times if _free(member) else member.times
                yield Line(label, _type(member), self._output(member), rows, len(copies), times)
        else:
            yield from self.scope(copies, label, level + 1)

    def _output(self, scope: Scope) -> tuple:
        """The output shape of a module: that of its last layer where it hands on what it was given."""
        value = scope.outputs[0][1] if scope.outputs else None
        last = value.node if value is not None and id(value.node) in self.rows else list(_nodes(scope))[-1]
        return self.rows[id(last)].output

    def _run(self, members: list, at: int) -> int:
        """How many members from `at` on are equal copies of one line of the spec."""
        first, end = members[at], at + 1
        while (
            end < len(members)
            and members[end].item is first.item
            and self._signature(members[end]) == self._signature(first)
        ):
            end += 1
        return end - at

    def _signature(self, member) -> tuple:
        found = self.signatures.get(id(member))
        if found is None:
            if isinstance(member, Node):
                own = (member.original is None, member.frozen, tuple(member.tied))
                found = (self._rules(member), str(self.rows[id(member)].output), own)
            else:
                found = tuple((_name(inner, member), self._signature(inner)) for inner in _flat(member))
            self.signatures[id(member)] = found
        return found

    def _rules(self, node: Node) -> tuple:
        """What the rules of its layer say; copies have the same layer, and often the same shapes."""
        key = node.layer, node.shapes
        found = self.rules.get(key)
        if found is None:
            work = self.rows[id(node)].work
            found = (node.type, *map(str, (node.shapes, tuple(node.params.items()), work.macs, work.other)))
            self.rules[key] = found
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
    return f"{first}-{last[len(stem) :]}" if last.startswith(stem) else f"{first}..{last}"


def _free(scope: Scope) -> bool:
    """Whether it holds the copies of a `repeat` that is free: one, which stands for all."""
    return scope.kind == "copies" and scope.times is not scope.outer.times


def _type(scope: Scope) -> str:
    """What a module is: its block; `12 x Block` for copies under one name."""
    if scope.block is not None:
        return scope.block.name
    if scope.kind == "copies":
        kinds = list(dict.fromkeys(_type(m) if isinstance(m, Scope) else m.type for m in scope.members))
        count = divide(scope.times, scope.outer.times) if _free(scope) else len(scope.members)
        return f"{count} x {kinds[0]}" if len(kinds) == 1 else "Sequential"
    return "Sequential" if scope.kind in ("group", "copy") else scope.kind
