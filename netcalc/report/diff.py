"""Two networks side by side: layers added, removed and changed, with parameters and MACs of both."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

from .. import facts
from ..graph import Scope
from ..layers.kinds import shown
from . import table as tables
from .before_after import Memories, changes
from .fold import _range, _type
from .one_sample import one_sample, rows
from .table import Table, dimensions, exact, number

MARKS = {"added": "+", "removed": "-", "changed": "~", "renamed": ">", "equal": ""}
FIGURES = ("params", "trainable", "macs", "flops")
_TITLES = {"params": "Parameters", "trainable": "Trainable", "macs": "MACs", "flops": "FLOPs"}


class Pair:
    """A layer of one network and what it is in the other; one of them is None where there is no such layer."""

    __slots__ = ("a", "b", "status")

    def __init__(self, a: facts.Row | None, b: facts.Row | None):
        self.a, self.b = a, b
        if a is None or b is None:
            self.status = "added" if a is None else "removed"
        elif _what(a) != _what(b):
            self.status = "changed"
        else:
            self.status = "equal" if a.path == b.path else "renamed"

    @property
    def row(self) -> facts.Row:
        """The layer, as the second network has it where both do."""
        return self.a if self.b is None else self.b

    def figures(self, name: str) -> tuple:
        return tuple(None if row is None else getattr(row, name) for row in (self.a, self.b))

    def to_dict(self) -> dict:
        found = {"name": self.row.path, "status": self.status}
        if self.a is not None and self.b is not None and self.a.path != self.b.path:
            found["name_before"] = self.a.path
        for key, of in (("type", lambda row: row.type), ("output", lambda row: dimensions(row.output)),
                        ("params", lambda row: exact(row.params)), ("macs", lambda row: exact(row.macs))):  # fmt: skip
            found[key] = [None if row is None else of(row) for row in (self.a, self.b)]
        return found


def _what(row: facts.Row) -> tuple:
    """What a layer is, apart from its name."""
    node = row.node
    arguments = tuple(sorted((name, str(node.layer.value(name))) for name in node.layer.args))
    return (
        row.type,
        arguments,
        str(node.shapes),
        str(row.output),
        str(node.params),
        node.frozen,
        node.original is None,
    )


def pairs(before: list[facts.Row], after: list[facts.Row]) -> list[Pair]:
    """The layers of both networks in one order: matched by name, then by what they are, in order."""
    names_a, names_b = _names(before), _names(after)
    known_a, known_b = set(names_a), set(names_b)
    again = _renamed(
        [row for name, row in zip(names_a, before, strict=True) if name not in known_b],
        [row for name, row in zip(names_b, after, strict=True) if name not in known_a],
    )
    of_b = dict(zip(names_b, after, strict=True))
    partner = {id(row): of_b[name] for name, row in zip(names_a, before, strict=True) if name in of_b} | again
    return _in_order(before, after, partner)


def _names(found: list[facts.Row]) -> list[tuple]:
    """Paths, with a count for layers that run several times."""
    seen: dict[str, int] = {}
    names = []
    for row in found:
        seen[row.path] = seen.get(row.path, 0) + 1
        names.append((row.path, seen[row.path]))
    return names


def _renamed(before: list[facts.Row], after: list[facts.Row]) -> dict[int, facts.Row]:
    """Layers with other names that are the same, in the same order; only where they have parameters, which tell."""
    before, after = ([row for row in found if row.node.params] for found in (before, after))
    matcher = SequenceMatcher(None, [_what(row) for row in before], [_what(row) for row in after], autojunk=False)
    return {
        id(before[block.a + k]): after[block.b + k]
        for block in matcher.get_matching_blocks()
        for k in range(block.size)
    }


def _in_order(before: list[facts.Row], after: list[facts.Row], partner: dict[int, facts.Row]) -> list[Pair]:
    """Pairs in the order of the second network; what was removed stands where it was in the first."""
    left = {id(row): at for at, row in enumerate(before)}
    came_from = {id(b): row for row in before if (b := partner.get(id(row))) is not None}
    found, at = [], 0
    for row in after:
        origin = came_from.get(id(row))
        if origin is not None:
            while at <= left[id(origin)]:
                if id(before[at]) not in partner:
                    found.append(Pair(before[at], None))
                at += 1
        found.append(Pair(origin, row))
    return found + [Pair(row, None) for row in before[at:] if id(row) not in partner]


class Line:
    """One line of the table: a layer, a whole module that is new or gone, or a run of `copies` equal such modules."""

    __slots__ = ("copies", "label", "pairs", "status", "type")

    def __init__(self, label: str, type: str, status: str, pairs: list[Pair], copies: int = 1):
        self.label, self.type, self.status, self.pairs, self.copies = label, type, status, pairs, copies

    @property
    def title(self) -> str:
        return f"{self.label} ({self.type})" + f" x{self.copies}" * (self.copies > 1)

    def sums(self, name: str) -> tuple:
        """(before, after), None where there is no such layer."""
        both = [pair.figures(name) for pair in self.pairs]
        return tuple(
            None if all(value is None for value in side) else sum(v for v in side if v is not None)
            for side in zip(*both, strict=True)
        )


class Diff:
    """What is different in network B from network A. `pairs`: every layer of both; `differs`: whether anything is;
    `memory`: what a step takes in both. step: options of `net.memory`."""

    def __init__(self, a, b, **step):
        self.a, self.b = a, b
        self.memory = Memories(a, b, step)
        before, after = rows(a), rows(b)
        self.pairs = pairs(before, after)
        self.totals = {
            name: tuple(sum(getattr(row, name) for row in side) for side in (before, after)) for name in FIGURES
        }

    @property
    def differs(self) -> bool:
        return any(pair.status != "equal" for pair in self.pairs)

    @property
    def rows(self) -> list[dict]:
        """A dict for each layer; figures are [before, after]."""
        return [pair.to_dict() for pair in self.pairs]

    def to_dict(self) -> dict:
        """The stable keys of `--format json`."""
        total = {
            name: {"before": exact(before), "after": exact(after), "difference": exact(after - before)}
            for name, (before, after) in self.totals.items()
        }
        sides = [{"model": net.spec.name, "variant": net.variant_name} for net in (self.a, self.b)]
        return {
            "before": sides[0],
            "after": sides[1],
            "layers": self.rows,
            "total": total,
            "memory": self.memory.to_dict(),
        }

    def format(self, format: str = "table", depth=None, expand: bool = False, width: int | None = None) -> str:
        """The result in one of `table.FORMATS`; expand: equal layers too, and every layer by itself."""
        if format == "json":
            import json

            return json.dumps(self.to_dict(), indent=2)
        if format == "csv":
            return tables.csv_text([_flat(row) for row in self.rows])
        drawn = self.table(expand)
        return drawn.text(width) if format == "table" else drawn.formatted(format)

    def __str__(self):
        return self.format()

    def _repr_html_(self):
        return self.format("html")

    # -- the table

    def table(self, expand: bool = False) -> Table:
        """The table for people."""
        columns = [
            ("", "left", 0), ("Layer (type)", "left", 0), ("Output Shape", "left", 1), ("Params A", "right", 0),
            ("Params B", "right", 0), ("MACs A", "right", 0), ("MACs B", "right", 0),
        ]  # fmt: skip
        body = []
        for line in self._lines(expand):
            if isinstance(line, int):
                body.append(["", f"... {line:,} layer{'s' * (line != 1)} unchanged", "", "", "", "", ""])
                continue
            figures = [*line.sums("params"), *line.sums("macs")]
            shown = ["" if value is None else number(value) for value in figures]
            body.append([MARKS[line.status], line.title, _shapes(line), *shown])
        sums = ["", "Total", "", *map(number, (*self.totals["params"], *self.totals["macs"]))]
        return Table(columns, body, sums, self._above(), self._below())

    def _above(self) -> list[str]:
        names = [_name(net) for net in (self.a, self.b)]
        batches = {net.graph.batch for net in (self.a, self.b) if one_sample(net)}
        return [f"A: {names[0]}", f"B: {names[1]}", *(f"For {name} = 1." for name in sorted(batches))]

    def _below(self) -> list[str]:
        if not self.differs:
            return ["No difference."] if self.memory.equal else ["No layer differs.", "", *self.memory.lines()]
        counts = {status: sum(pair.status == status for pair in self.pairs) for status in MARKS}
        said = [f"{counts[s]:,} {s} ({mark})" for s, mark in MARKS.items() if mark and counts[s]]
        return [
            f"Layers: {', '.join(said)}, {counts['equal']:,} unchanged",
            *_total_lines(self.totals),
            "",
            *self.memory.lines(),
        ]

    def _lines(self, expand: bool) -> list:
        """Lines, and numbers for stretches of so many equal layers."""
        if expand:
            return [Line(_label(p), _types(p), p.status, [p]) for p in self.pairs]
        found: list = []
        for line in self._folded():
            if line.status == "equal":
                if found and isinstance(found[-1], int):
                    found[-1] += len(line.pairs)
                else:
                    found.append(len(line.pairs))
            else:
                found.append(line)
        return found

    def _folded(self) -> list[Line]:
        """Lines in which a module that is wholly new or gone is one, and equal neighbours among these are one."""
        scopes = [_scopes(net.graph.root) for net in (self.a, self.b)]
        modules: list[Line] = []
        for pair in self.pairs:
            whole = self._whole(pair, scopes)
            if whole is None:
                modules.append(Line(_label(pair), _types(pair), pair.status, [pair]))
            elif modules and (modules[-1].label, modules[-1].status) == (whole.path, pair.status):
                modules[-1].pairs.append(pair)
            else:
                modules.append(Line(whole.path, _type(whole), pair.status, [pair]))
        return _runs(modules)

    def _whole(self, pair: Pair, scopes) -> Scope | None:
        """The outermost module of a new or removed layer that the other network does not have."""
        if pair.status not in ("added", "removed"):
            return None
        other = scopes[0] if pair.status == "added" else scopes[1]
        found, scope = None, pair.row.node.scope
        while scope is not None and scope.path:
            if scope.path not in other and pair.row.path.startswith(scope.path + "."):
                found = scope
            scope = scope.outer
        return found


def _runs(lines: list[Line]) -> list[Line]:
    """Neighbours such as layer3.6, layer3.7 ... that are the same in everything but their number, as one line."""
    found: list[tuple[Line, list[Line]]] = []
    for line in lines:
        if found and line.status in ("added", "removed") and _alike(found[-1][1][-1], line):
            found[-1][1].append(line)
        else:
            found.append((line, [line]))
    return [_joined(run) for _, run in found]


def _alike(a: Line, b: Line) -> bool:
    stems = [re.fullmatch(r"(.*\D)?(\d+)", line.label) for line in (a, b)]
    if None in stems or stems[0].group(1) != stems[1].group(1) or int(stems[1].group(2)) != int(stems[0].group(2)) + 1:
        return False
    return (a.status, a.type, len(a.pairs)) == (b.status, b.type, len(b.pairs)) and all(
        _what(one.row) == _what(other.row) for one, other in zip(a.pairs, b.pairs, strict=True)
    )


def _joined(run: list[Line]) -> Line:
    first = run[0]
    if len(run) == 1:
        return first
    label = _range(first.label, run[-1].label)
    inside = [pair for line in run for pair in line.pairs]
    return Line(label, first.type, first.status, inside, len(run))


def _scopes(scope: Scope) -> set[str]:
    """The paths of all modules."""
    found = {scope.path}
    for member in scope.members:
        if isinstance(member, Scope):
            found |= _scopes(member)
        else:
            found.add(member.path)
    return found


def _label(pair: Pair) -> str:
    if pair.status == "renamed":
        return f"{pair.a.path} -> {pair.b.path}"
    return pair.row.path


def _types(pair: Pair) -> str:
    if pair.a is not None and pair.b is not None and pair.a.type != pair.b.type:
        return f"{pair.a.type} -> {pair.b.type}"
    return pair.row.type


def _shapes(line: Line) -> str:
    last = line.pairs[-1]
    shapes = [tables.shape(row.output) for row in (last.a, last.b) if row is not None]
    return shapes[0] if len(set(shapes)) == 1 else " -> ".join(shapes)


def _name(net) -> str:
    title = net.spec.name + (f" ({net.variant_name})" if net.variant_name else "")
    given = ", ".join(f"{name} = {shown(value)}" for name, value in net.given.items())
    return f"{title}{', ' * bool(given)}{given}"


def _total_lines(totals: dict) -> list[str]:
    """Parameters: 25,557,032 -> 44,549,160 (+18,992,128, +74.3 %), in columns."""
    return changes([(_TITLES[name], *totals[name]) for name in ("params", "macs", "flops")])


def _flat(row: dict) -> dict:
    """A row for CSV: a cell for each figure before and after."""
    found = {key: value for key, value in row.items() if not isinstance(value, list)}
    for key, value in row.items():
        if isinstance(value, list):
            for side, one in zip(("before", "after"), value, strict=True):
                found[f"{key}_{side}"] = "x".join(map(str, one)) if isinstance(one, list) else one
    return found


__all__ = ["Diff", "Pair", "pairs"]
