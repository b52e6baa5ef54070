"""The largest size that fits, as text and as data."""

from __future__ import annotations

from ..memory.fit import Fit
from ..memory.profiles import Limit
from .memory import PHASES, Memory
from .memory_table import Unit
from .table import Table, csv_text, mebibytes


class Fitting:
    """What a search for the largest size found. at: the memory of a size, for its peak. name: the dimension. device:
    "cpu" or "cuda", by whose rules bytes are needed: the tensors', or what the allocator reserves."""

    def __init__(self, fit: Fit, limit: Limit, name: str, title: str, device: str, at):
        self.fit, self.limit, self.name, self.title, self.device, self.at = fit, limit, name, title, device, at

    @property
    def fits(self) -> bool:
        return self.fit.size is not None

    def to_dict(self) -> dict:
        fit = self.fit
        return {
            "dimension": self.name,
            "limit": {"bytes": self.limit.bytes, "text": self.limit.text},
            "needed_is": "reserved" if self.device == "cuda" else "tensors",
            "largest": fit.size,
            "missing": None if self.fits else fit.over,
            "sizes": self.rows,
        }

    @property
    def rows(self) -> list[dict]:
        """The largest size and the next one, with what they need and where."""
        return [self._row(size) for size in dict.fromkeys((self.fit.size, self.fit.next_size)) if size is not None]

    def _row(self, size: int) -> dict:
        memory: Memory = self.at(size)
        peak, needed = memory.peak, self.fit.tried[size]
        return {
            "size": size,
            "fits": needed <= self.limit.bytes,
            "needed": needed,
            "left": self.limit.bytes - needed,
            "peak": peak.bytes,
            "phase": peak.phase,
            "layer": peak.layer,
            "event": peak.event,
        }

    def table(self) -> Table:
        rows = self.rows
        unit = Unit([self.limit.bytes, *(row["needed"] for row in rows)])
        what = "Reserved" if self.device == "cuda" else "Tensors"
        columns = [(self.name, "right", 0), ("Fits", "left", 0), (f"{what} ({unit.name})", "right", 0), (f"Left ({unit.name})", "right", 0),
                   ("Peak in", "left", 0), ("Layer", "left", 1)]  # fmt: skip
        cells = [
            [f"{row['size']:,}", "yes" if row["fits"] else "no", unit.text(row["needed"]), _left(unit, row["left"]),
             PHASES.get(row["phase"], row["phase"]), row["layer"] or "--"]
            for row in rows
        ]  # fmt: skip
        return Table(columns, cells, None, self._above(), self._below())

    def _above(self) -> list[str]:
        fit, limit = self.fit, f"{self.limit.text} ({self.limit.bytes:,} bytes)"
        if self.fits:
            return [f"{self.title}: the largest {self.name} in {limit} is {fit.size:,}"]
        if fit.smallest is None:
            return [f"{self.title}: the spec allows no {self.name} that was tried, up to {max(fit.tried):,}"]
        least = f"{self.name} {fit.smallest:,}"
        return [f"{self.title}: no {self.name} fits in {limit}: {least} already needs {mebibytes(fit.over)} more"]

    def _below(self) -> list[str]:
        fit, found = self.fit, []
        if self.fits and fit.next_size is not None:
            found.append(f"{self.name} {fit.next_size:,} is {mebibytes(fit.over)} over ({fit.over:,} bytes).")
        elif self.fits:
            found.append(
                f"No larger {self.name} is allowed by the spec."
                if max(fit.tried) > fit.size
                else "The search ended there."
            )
        found += [f"{self.limit.note}."] if self.limit.note else []
        if self.device == "cuda":
            found.append(
                "Reserved: by PyTorch's caching allocator, replayed; it gives back unused segments before it runs out."
            )
        unknown = (
            [figure.name.replace("_", " ") for figure in self.at(fit.size or fit.smallest).unknown]
            if fit.smallest
            else []
        )
        return found + ([f"Not in these numbers: {', '.join(unknown)}; leave room for them."] if unknown else [])

    def format(self, format: str = "table", width: int | None = None) -> str:
        if format == "json":
            import json

            return json.dumps(self.to_dict(), indent=2)
        if format == "csv":
            return csv_text(self.rows)
        drawn = self.table()
        return drawn.text(width) if format == "table" else drawn.formatted(format)

    def __str__(self):
        return self.format()


def _left(unit: Unit, left: int) -> str:
    return unit.text(left) if left >= 0 else f"-{unit.text(-left)}".replace("-< ", "> -")
