"""The levers as a table: bytes saved and extra work, the best combination first."""

from __future__ import annotations

from ..memory.levers import Lever, Pulled, Table
from .memory_table import Unit
from .table import Table as Drawn
from .table import csv_text, mebibytes


class Levers:
    """What would make a training step smaller. limit: bytes to stay within, and what they are as text. what: which bytes
    were measured, "peak" or "reserved"."""

    def __init__(self, table: Table, title: str, limit: tuple[int, str] | None = None, what: str = "peak"):
        self.levers, self.title, self.limit, self.what = table, title, limit, what

    @property
    def rows(self) -> list[dict]:
        """The combinations, then each lever alone, most bytes first."""
        return [self._row(kind, pulled) for kind, pulled in self._pulled()]

    def _pulled(self) -> list[tuple[str, Pulled]]:
        found, table = [], self.levers
        if table.best is not None and len(table.best.levers) > 1:
            found.append(("best together", table.best))
        exact = table.best_exact
        if exact is not None and len(exact.levers) > 1 and (table.best is None or exact.levers != table.best.levers):
            found.append(("best with the same training", exact))
        return found + [("alone", pulled) for pulled in table.alone]

    def _row(self, kind: str, pulled: Pulled) -> dict:
        found = {
            "kind": kind,
            "levers": [lever.name for lever in pulled.levers],
            self.what: pulled.cost.bytes,
            "saved": pulled.saved,
            "extra_flops": pulled.extra_flops,
            "same_training": pulled.exact,
        }
        return found if self.limit is None else {**found, "fits": pulled.cost.bytes <= self.limit[0]}

    def to_dict(self) -> dict:
        names = {"saves_nothing": self.levers.useless, "does_not_apply": self.levers.missing}
        return {
            self.what: self.levers.base.bytes,
            "flops": self.levers.base.flops,
            **({"limit": self.limit[0]} if self.limit else {}),
            "levers": self.rows,
            **{name: [lever.name for lever in found] for name, found in names.items()},
        }

    def table(self) -> Drawn:
        unit = Unit([self.levers.base.bytes])
        columns = [("Lever", "left", 0), (f"{self.what.capitalize()} ({unit.name})", "right", 0), (f"Saves ({unit.name})", "right", 0), ("Saves", "right", 0),
                   ("Extra FLOPs", "right", 0), ("Training", "left", 1)]  # fmt: skip
        columns += [("Fits", "left", 0)] if self.limit else []
        rows = []
        for kind, pulled in self._pulled():
            first = pulled.levers[0].name if kind == "alone" else f"{kind}:"
            rows.append([first, *self._cells(pulled, unit)])
            if kind != "alone":
                rows += [[f"  + {lever.name}", *[""] * (len(columns) - 1)] for lever in pulled.levers]
        return Drawn(columns, rows, None, self._above(), self._below())

    def _cells(self, pulled: Pulled, unit: Unit) -> list[str]:
        base = self.levers.base
        more = f"{100 * pulled.extra_flops / base.flops:+.1f} %" if base.flops and pulled.extra_flops else "--"
        cells = [
            unit.text(pulled.cost.bytes), unit.text(pulled.saved), f"{100 * pulled.saved / base.bytes:.1f} %", more,
            "the same" if pulled.exact else "changes",
        ]  # fmt: skip
        return cells + ([("yes" if pulled.cost.bytes <= self.limit[0] else "no")] if self.limit else [])

    def _above(self) -> list[str]:
        base = self.levers.base
        words = "peak" if self.what == "peak" else f"{self.what} memory"
        fits = ""
        if self.limit:
            fits = "; it fits" if base.bytes <= self.limit[0] else f"; {mebibytes(base.bytes - self.limit[0])} too much"
            fits += f" for {self.limit[1]}"
        return [f"{self.title}: what would make the {words} of {mebibytes(base.bytes)} smaller{fits}"]

    def _below(self) -> list[str]:
        found = [
            "Training the same: the same gradients but for rounding (accumulating changes batch norm's statistics)."
        ]
        for text, levers in (("Saves nothing here", self.levers.useless), ("Does not apply here", self.levers.missing)):
            found += [f"{text}: {_names(levers)}"] if levers else []
        return found if self.levers.alone else ["Nothing of this makes it smaller.", *found[1:]]

    def format(self, format: str = "table", width: int | None = None) -> str:
        if format == "json":
            import json

            return json.dumps(self.to_dict(), indent=2)
        if format == "csv":
            return csv_text([{**row, "levers": " + ".join(row["levers"])} for row in self.rows])
        drawn = self.table()
        return drawn.text(width) if format == "table" else drawn.formatted(format)

    def __str__(self):
        return self.format()


def _names(levers: list[Lever]) -> str:
    return ", ".join(lever.name for lever in levers)
