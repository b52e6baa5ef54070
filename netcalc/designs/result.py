"""What a sweep returns: frozen columns that print as their table."""

from __future__ import annotations

from ..report import table as tables
from ..report.quantities import QUANTITIES
from ..report.table import Table, mebibytes
from .axes import VARIANT, plain, text_of

SHOWN_REASONS = 4


class Sweep:
    """The designs of a sweep with their figures. `columns`: numpy arrays by name, axes first. `rows`: a dict for each.

    designs: how many were tried; valid: how many of them exist; met: how many of these meet the condition; fitting: how many of those fit. invalid:
    (reason, how many designs) pairs, the most frequent first.
    """

    def __init__(self, net, base, axes, varying, names, designs, evaluator, selection):
        self.model, self.variant = net.spec.name, net.variant_name
        self.axes, self.names = varying, names
        self.designs, self.valid, self.met = designs.count, selection.valid, selection.met
        self.invalid = evaluator.reasons.most_common()
        self.steps = selection.steps
        self.fitting = selection.fitting if self.steps.limit is not None else None
        self._title, self._notes = _title(net, base, axes, varying, designs), _notes(selection)
        if "peak" in names:
            self._title.append(f"Peak: the most bytes of tensors alive in {self.steps}.")
        self._block, self._behind = selection.block, selection.background
        self.front = [name for name, _ in selection.pareto]
        self.condition = selection.where.text if selection.where is not None else None

    def __len__(self):
        return 0 if self._block is None else len(self._block.index)

    @property
    def columns(self) -> dict:
        """Numpy arrays by name: the values of the axes, then the figures."""
        return self._columns(self._block)

    @property
    def background(self) -> dict:
        """As `columns`, of the designs kept for a plot."""
        return self._columns(self._behind)

    def _columns(self, block) -> dict:
        import numpy

        if block is None:
            return {name: numpy.array([], dtype=numpy.int64) for name in (*self._axis_names, *self.names)}
        found = {axis.name: axis.array()[block.digits[axis.name]] for axis in self.axes}
        return found | {name: block.figures[name] for name in self.names}

    @property
    def _axis_names(self) -> list[str]:
        return [axis.name for axis in self.axes]

    @property
    def rows(self) -> list[dict]:
        """A dict for each design: plain numbers and text."""
        columns = {name: [plain(value) for value in column.tolist()] for name, column in self.columns.items()}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def to_dict(self) -> dict:
        """The stable keys of `--format json`."""
        return {
            "model": self.model,
            "variant": self.variant,
            "designs": {"tried": self.designs, "valid": self.valid, "met": self.met, "shown": len(self)},
            "axes": {axis.name: axis.text for axis in self.axes},
            "step": dict(self.steps.options),
            "fits_in": self.steps.limit and {"bytes": self.steps.limit.bytes, "designs": self.fitting},
            "rows": self.rows,
            "invalid": [{"reason": reason, "designs": count} for reason, count in self.invalid],
        }

    def to_pandas(self):
        """The rows as a pandas DataFrame. Needs pandas."""
        import pandas

        return pandas.DataFrame(self.columns)

    def table(self) -> Table:
        """The table for people."""
        columns = [(name, _alignment(axis), 0) for name, axis in zip(self._axis_names, self.axes, strict=True)]
        columns += [(QUANTITIES[name].title, "right", 0) for name in self.names]
        cells = [_cells(column, name) for name, column in self.columns.items()]
        rows = [list(row) for row in zip(*cells, strict=True)]
        return Table(columns, rows, None, self._title, [*self._notes_shown(), *self.invalid_notes])

    def _notes_shown(self) -> list[str]:
        left_out = f"{len(self):,} of {self.designs:,} designs" if len(self) != self.designs else ""
        return [". ".join([*([left_out] if left_out else []), *self._notes])] if left_out or self._notes else []

    @property
    def invalid_notes(self) -> list[str]:
        """How many designs are invalid, and why, in a line."""
        count = sum(number for _, number in self.invalid)
        if not count:
            return []
        kinds = _kinds(self.invalid)
        shown = [f"{reason} ({number:,})" for reason, number in kinds[:SHOWN_REASONS]]
        rest = kinds[SHOWN_REASONS:]
        if rest:
            reasons = f"{len(rest):,} other reasons" if len(rest) > 1 else "another reason"
            shown.append(f"{reasons} ({sum(number for _, number in rest):,})")
        return [f"{count:,} design{'s are' if count > 1 else ' is'} invalid: {'; '.join(shown)}"]

    def format(self, format: str = "table", depth=None, expand: bool = False, width: int | None = None) -> str:
        """The result in one of `table.FORMATS`; depth and expand mean nothing here."""
        if format == "json":
            import json

            return json.dumps(self.to_dict(), indent=2)
        if format == "csv":
            columns = {name: [_csv(value) for value in column.tolist()] for name, column in self.columns.items()}
            rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
            return tables.csv_text(rows) if rows else ",".join(columns)
        drawn = self.table()
        if not drawn.rows and format == "table":
            return "\n".join([*drawn.above, "", "No design is left.", *([""] if drawn.below else []), *drawn.below])
        return drawn.text(width) if format == "table" else drawn.formatted(format)

    def plot(self, target: str, format: str | None = None) -> None:
        """Write a scatter plot to a file: svg, png or pdf by its ending. Needs matplotlib."""
        from .plot import draw

        draw(self, target, format)

    def __str__(self):
        return self.format()

    def _repr_html_(self):
        return self.format("html")


def _kinds(invalid: list) -> list[tuple[str, int]]:
    """Reasons with their counts; where there are too many to show, those that differ only in numbers are one."""
    if len(invalid) <= SHOWN_REASONS:
        return invalid
    import re

    kinds: dict[str, list] = {}
    for text, number in invalid:
        kinds.setdefault(re.sub(r"\d+", "#", text), []).append((text, number))
    found = [(same[0][0] + ", and the like" * (len(same) > 1), sum(n for _, n in same)) for same in kinds.values()]
    return sorted(found, key=lambda pair: -pair[1])


def _csv(value):
    return text_of(value) if isinstance(value, (list, bool)) or not isinstance(value, (int, float)) else value


def _alignment(axis) -> str:
    return "left" if axis.name == VARIANT or (axis.array().dtype == object and _is_text(axis.values[0])) else "right"


def _is_text(value) -> bool:
    return isinstance(value, (str, list, bool)) or hasattr(value, "given")


def _cells(column, name: str) -> list[str]:
    if name not in QUANTITIES:
        return [f"{value:,}" if type(value) is int else text_of(value) for value in column.tolist()]
    if QUANTITIES[name].unit == "bytes":
        return [mebibytes(value) for value in column.tolist()]
    return [f"{value:,}" if type(value) is int else text_of(value) for value in column.tolist()]


def _title(net, base, axes, varying, designs) -> list[str]:
    name = net.spec.name + (f" ({net.variant_name})" if net.variant_name else "")
    count = f"{designs.count:,} design{'s' * (designs.count != 1)}"
    drawn = f" of {designs.grid:,}, drawn at random (seed {designs.seed})" if designs.sampled else ""
    listed = "; ".join(f"{axis.name} = {axis.text}" for axis in varying)
    above = [f"{name}: {count}{drawn}" + (f": {listed}" if listed else "")]
    fixed = [f"{axis.name} = {text_of(axis.values[0])}" for axis in axes if len(axis) == 1]
    fixed += [
        f"{given} = {text_of(value)}" for given, value in net.given.items() if given not in [a.name for a in axes]
    ]
    one = _one_sample(net, axes)
    return [*above, *([f"For {', '.join([*fixed, *one])}."] if fixed or one else [])]


def _one_sample(net, axes) -> list[str]:
    """`N = 1` where the batch has no value."""
    from ..elaborate.root import batch_dimension

    batch = batch_dimension(net.spec, net.spec.inputs)
    return [f"{batch} = 1"] if batch and batch not in net.given and batch not in [axis.name for axis in axes] else []


def _notes(selection) -> list[str]:
    notes = []
    if selection.where is not None:
        notes.append(f"{selection.met:,} meet {selection.where.text}")
    if selection.steps.limit is not None:
        how = "as the caching allocator reserves it" if selection.steps.figure == "needed" else "all tensors together"
        notes.append(f"{selection.fitting:,} fit into {selection.steps.limit.text}, {how}")
    if selection.pareto:
        listed = " and ".join(f"{'most' if sign < 0 else 'least'} {name}" for name, sign in selection.pareto)
        notes.append(f"Pareto front: {listed}")
    if selection.sort and selection.top is not None:
        notes.append(
            "The first by " + ", ".join(f"{'most' if s < 0 else 'least'} {name}" for name, s in selection.sort)
        )
    return notes
