"""What the commands and the library return: frozen results that print as their table."""

from __future__ import annotations

from ..arith import Formula
from ..arith.conditions import fewest
from ..facts import Row, Totals
from ..graph import Graph
from . import table as tables
from .fold import lines
from .table import Table, dimensions, exact, mebibytes, number, percent


class Result:
    """What every result can do. `rows`: one dict per executed layer, numbers exact. `totals`: a dict."""

    def __init__(self, graph: Graph, facts: list[Row]):
        self.graph, self.facts = graph, facts

    # -- what a kind of result says

    def row(self, row: Row) -> dict:
        raise NotImplementedError

    @property
    def totals(self) -> dict:
        return {}

    def table(self, depth: int | None = None, expand: bool = False) -> Table:
        """The table for people. depth: modules below it are summed up; expand: equal copies one by one."""
        raise NotImplementedError

    # -- all kinds of result

    @property
    def rows(self) -> list[dict]:
        return [self.row(row) for row in self.facts]

    def head(self) -> dict:
        return {"model": self.graph.spec.name, "variant": self.graph.variant}

    def to_dict(self) -> dict:
        """The stable keys of `--format json`."""
        return {**self.head(), "layers": self.rows, "total": self.totals}

    def to_pandas(self):
        """The rows as a pandas DataFrame. Needs pandas."""
        import pandas

        return pandas.DataFrame(self.rows)

    def format(
        self, format: str = "table", depth: int | None = None, expand: bool = False, width: int | None = None
    ) -> str:
        """The result in one of `table.FORMATS`."""
        if format == "json":
            import json

            return json.dumps(self.to_dict(), indent=2)
        if format == "csv":
            return tables.csv_text([{k: _cell(v) for k, v in row.items()} for row in self.rows])
        drawn = self.table(depth, expand)
        return drawn.text(width) if format == "table" else drawn.formatted(format)

    def __str__(self):
        return self.format()

    def _repr_html_(self):
        return self.format("html")

    def _title(self) -> list[str]:
        graph = self.graph
        name = graph.spec.name + (f" ({graph.variant})" if graph.variant else "")
        given = ", ".join(
            f"{n} {tables.shape(v.shape)}{'' if v.dtype == 'float32' else ' ' + v.dtype}"
            for n, v in graph.inputs.items()
        )
        return [f"{name}: {given}"]

    def _free(self, *numbers) -> list[str]:
        """What to say about names that are still free in the figures."""
        names = sorted(set().union(*(n.names() for n in numbers if isinstance(n, Formula)))) if numbers else []
        if not names:
            return []
        concerned = [condition for condition, _ in self.graph.conditions if set(condition.names()) & set(names)]
        valid = list(map(str, fewest(concerned)))
        settings = " ".join(f"{name}=..." for name in names)
        return [
            f"Free: {', '.join(names)}; for numbers, --set {settings}",
            *([f"Valid where {' and '.join(valid)}"] if valid else []),
        ]


def _cell(value):
    """A shape as 64x3x7x7, named values as name=value."""
    if isinstance(value, dict):
        return " ".join(f"{name}={given}" for name, given in value.items())
    return "x".join(map(str, value)) if isinstance(value, list) else value


def _folded_note(shown, figures: str = ", with the numbers of all") -> list[str]:
    """What the mark of a folded line means, by the first of them."""
    mark = next((line.mark for line in shown if line.mark), None)
    if mark is None:
        return []
    expand = " (--expand shows each)" if any(line.copies > 1 for line in shown) else ""
    return [f"{mark}: {mark.removeprefix('x').strip()} equal ones in one line{figures}{expand}"]


class Shapes(Result):
    """The output shape of every layer."""

    def row(self, row: Row) -> dict:
        return {"name": row.path, "type": row.type, "output": dimensions(row.output)}

    def to_dict(self) -> dict:
        inputs = {name: dimensions(value.shape) for name, value in self.graph.inputs.items()}
        named = [
            (name or ("output" if len(self.graph.outputs) == 1 else str(i)), v)
            for i, (name, v) in enumerate(self.graph.outputs)
        ]
        outputs = {name: dimensions(value.shape) for name, value in named}
        return {**self.head(), "inputs": inputs, "layers": self.rows, "outputs": outputs}

    def table(self, depth=None, expand=False) -> Table:
        shown = lines(self.graph, self.facts, depth, expand)
        columns = [("Layer (type)", "left", 0), ("Output Shape", "left", 0)]
        rows = [[line.title, tables.shape(line.output)] for line in shown]
        below = [
            f"Output {name + ' ' if name else ''}{tables.shape(value.shape)}" for name, value in self.graph.outputs
        ]
        return Table(columns, rows, None, self._title(), [*below, *_folded_note(shown, "")])


class Params(Result):
    """The parameters and buffers of every layer, in elements."""

    def __init__(self, graph: Graph, facts: list[Row]):
        super().__init__(graph, facts)
        self.sum = Totals(graph, facts)

    @property
    def totals(self) -> dict:
        s = self.sum
        numbers = {
            "params": s.params,
            "trainable": s.trainable,
            "frozen": s.frozen,
            "buffers": s.buffers,
            "bytes": s.bytes,
        }
        if self._has_idle():
            numbers["active"] = self._active()
        return {name: exact(value) for name, value in numbers.items()}

    def _active(self):
        """The parameters that take part in the work of one token, where layers choose among theirs."""
        return self.sum.params - sum(row.idle for row in self.facts)

    def _has_idle(self) -> bool:
        return any(not isinstance(row.idle, int) or row.idle for row in self.facts)

    def row(self, row: Row) -> dict:
        known = not isinstance(self.sum.params, Formula) and not isinstance(row.params, Formula) and self.sum.params
        found = {
            "name": row.path,
            "type": row.type,
            "weight": exact(row.weight),
            "bias": exact(row.bias),
            "params": exact(row.params),
            "buffers": exact(row.buffers),
            "share": row.params / self.sum.params if known else None,
        }
        if row.node.tied:
            found["tied"] = {name: node.key(other) for name, (node, other) in row.node.tied.items()}
        return found

    def table(self, depth=None, expand=False) -> Table:
        shown = lines(self.graph, self.facts, depth, expand)
        columns = [
            ("Layer (type)", "left", 0), ("Output Shape", "left", 3), ("Weight", "right", 2),
            ("Bias", "right", 1), ("Param #", "right", 0), ("Share", "right", 0),
        ]  # fmt: skip
        s = self.sum
        rows = [
            [line.title, tables.shape(line.output), number(line.sum("weight")), number(line.sum("bias")), self._params(line),
             percent(line.sum("params"), s.params)]
            for line in shown
        ]  # fmt: skip
        weight, bias = sum(row.weight for row in self.facts), sum(row.bias for row in self.facts)
        sums = ["Total", "", number(weight), number(bias), number(s.params), percent(s.params, s.params)]
        return Table(columns, rows, sums, self._title(), [*self._below(), *_folded_note(shown)])

    def _params(self, line) -> str:
        """The count, or why there is none: a layer used again, a tied weight."""
        return f"({line.shared})" if line.shared else number(line.sum("params"))

    def _below(self) -> list[str]:
        s = self.sum
        figures = [
            ("Total params", s.params, s.bytes),
            ("Trainable params", s.trainable, None),
            ("Frozen params", s.frozen, None),
            ("Buffers (elements)", s.buffers, s.buffer_bytes),
        ]
        if self._has_idle():
            figures.insert(1, ("Active params", self._active(), None))
        texts = [f"{value:,}" if isinstance(value, int) else str(value) for _, value, _ in figures]
        width = max(map(len, texts))
        below = []
        for (label, value, size), text in zip(figures, texts, strict=True):
            known = size is not None and isinstance(size, int) and value
            below.append(f"{label + ':':<20}{text:>{width}}{f'  ({mebibytes(size)})' if known else ''}")
        tied = [
            f"{row.node.key(name)} is {other.key(n)}"
            for row in self.facts
            for name, (other, n) in row.node.tied.items()
        ]
        if tied and len(tied) < 4:
            below.append(f"Tied, counted once: {'; '.join(tied)}")
        return [*below, *self._free(s.params)]


class Flops(Result):
    """The work of every layer: MACs, FLOPs of the forward pass, FLOPs of the backward pass."""

    def __init__(self, graph: Graph, facts: list[Row], sizes: dict):
        super().__init__(graph, facts)
        self.sizes = sizes

    def _sum(self, name: str):
        return sum(getattr(row, name) for row in self.facts)

    @property
    def totals(self) -> dict:
        return {name: exact(self._sum(name)) for name in ("macs", "flops", "backward_flops")}

    def head(self) -> dict:
        return {**super().head(), "sizes": self.sizes}

    def row(self, row: Row) -> dict:
        found = {
            "name": row.path,
            "type": row.type,
            "macs": exact(row.macs),
            "flops": exact(row.flops),
            "backward_flops": exact(row.backward_flops),
        }
        if row.work.unmodelled:
            found["unmodelled"] = row.work.unmodelled
        return found

    def table(self, depth=None, expand=False) -> Table:
        shown = lines(self.graph, self.facts, depth, expand)
        columns = [
            ("Layer (type)", "left", 0), ("Output Shape", "left", 1), ("MACs", "right", 0),
            ("FLOPs", "right", 0), ("Backward FLOPs", "right", 2),
        ]  # fmt: skip
        names = ("macs", "flops", "backward_flops")
        rows = [
            [line.title, tables.shape(line.output), *(self._figure(line, name) for name in names)] for line in shown
        ]
        sums = ["Total", "", *(self._prefix() + number(self._sum(name)) for name in names)]
        return Table(columns, rows, sums, self._above(), [*self._below(), *_folded_note(shown)])

    def _figure(self, line, name: str) -> str:
        value = number(line.sum(name))
        return f">= {value}" if any(row.work.unmodelled for row in line.rows) else value

    def _prefix(self) -> str:
        return ">= " if any(row.work.unmodelled for row in self.facts) else ""

    def _above(self) -> list[str]:
        at = ", ".join(f"{name} = {value}" for name, value in self.sizes.items())
        return [
            *self._title(),
            f"For {at}. " * bool(at) + "One MAC is one multiply-accumulate; FLOPs = 2 * MACs + other operations.",
        ]

    def _below(self) -> list[str]:
        macs, flops = self._sum("macs"), self._sum("flops")
        below = []
        if isinstance(macs, int):
            below.append(
                f"Total: {self._prefix()}{giga(macs)}MACs, {giga(flops)}FLOPs forward, {giga(self._sum('backward_flops'))}FLOPs backward"
            )
        missing = {f"{row.path} ({row.type}): {row.work.unmodelled}" for row in self.facts if row.work.unmodelled}
        below += [f"Not modelled, so a lower bound: {text}" for text in sorted(missing)]
        below.append(
            "Backward: MACs of the gradients are exact; its other operations are an estimate (as many as forward)."
        )
        return [*below, *self._free(macs, flops)]


def giga(value: int) -> str:
    """1,135,256,096 as `1.135 G`."""
    for unit, power in (("P", 15), ("T", 12), ("G", 9), ("M", 6), ("k", 3)):
        if value >= 10**power:
            return f"{value / 10**power:,.3f} {unit}"
    return f"{value} "
