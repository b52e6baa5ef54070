"""The result of a verification: predicted beside measured."""

from __future__ import annotations

from typing import NamedTuple

from . import table as tables
from .fold import lines
from .results import Result
from .table import Table, number, shape


class Check(NamedTuple):
    """A total: what was predicted and what torch has. exact: whether they must be equal; where not, they are shown beside
    each other and do not count for the verdict."""

    name: str
    predicted: object
    measured: object
    exact: bool = True

    @property
    def ok(self) -> bool | None:
        """None where it is no question."""
        return self.predicted == self.measured if self.exact else None


_KEYS = ("output", "params", "buffers", "macs")
_WORDS = {"output": "output", "params": "parameters", "buffers": "buffers", "macs": "MACs"}
MAX_LISTED = 20
_TITLES = {
    "state_dict": "state_dict (names, order, shapes)", "parameters": "Parameters", "trainable": "Trainable parameters",
    "buffers": "Buffers", "output": "Output shapes", "macs": "MACs, forward", "gradients": "Parameters with gradient",
    "backward_macs": "MACs, backward", "run": "Run", "saved": "Bytes saved for backward",
}  # fmt: skip


def _title(check: Check) -> str:
    if check.name.startswith("peak_"):
        return f"Peak bytes, {check.name.removeprefix('peak_').replace('_', ' ')}"
    return _TITLES.get(check.name, f"Bytes {check.name}")


class Verification(Result):
    """One row per layer, totals, and a verdict: `ok`."""

    def __init__(self, graph, facts, measured: list[dict], checks: list[Check], device: str, sizes: dict, train: bool,
                 notes=()):  # fmt: skip
        """notes: what the reader should know of how memory was measured."""
        super().__init__(graph, facts)
        self.measured, self.checks, self.notes = measured, checks, tuple(notes)
        self.device, self.sizes, self.train = device, sizes, train

    @property
    def ok(self) -> bool:
        return all(row["ok"] for row in self.measured) and all(check.ok is not False for check in self.checks)

    @property
    def rows(self) -> list[dict]:
        return self.measured

    @property
    def totals(self) -> dict:
        return {
            check.name: {"predicted": _plain(check.predicted), "measured": _plain(check.measured), "ok": check.ok}
            for check in self.checks
        }

    def to_dict(self) -> dict:
        layers = [
            {k: {"predicted": v[0], "measured": v[1]} if k in _KEYS else v for k, v in row.items()}
            for row in self.measured
        ]
        return {
            **self.head(),
            "device": self.device,
            "sizes": self.sizes,
            "train": self.train,
            "layers": layers,
            "total": self.totals,
            "notes": list(self.notes),
            "ok": self.ok,
        }

    def format(self, format="table", depth=None, expand=False, width=None) -> str:
        if format == "csv":
            flat = []
            for row in self.measured:
                pairs = {
                    f"{k}_{side}": _cell(row[k][i]) for k in _KEYS for i, side in enumerate(("predicted", "measured"))
                }
                flat.append({"name": row["name"], "type": row["type"], **pairs, "ok": row["ok"]})
            return tables.csv_text(flat)
        return super().format(format, depth, expand, width)

    def table(self, depth=None, expand=False) -> Table:
        by_row = {id(row): measured for row, measured in zip(self.facts, self.measured, strict=True)}
        all_equal = all(row["ok"] for row in self.measured)
        columns = [
            ("Layer (type)", "left", False), ("Output Shape", "left", False), ("Param #", "right", False), ("Buffers", "right", 1),
            ("MACs", "right", 2), ("Measured", "left", False),
        ]  # fmt: skip
        rows = []
        for line in lines(self.graph, self.facts, depth, expand or not all_equal):
            verdicts = {verdict(by_row[id(row)]) for row in line.rows}
            word = next(word for word in ("differs", "not run", "equal", "in forward") if word in verdicts)
            rows.append(
                [
                    line.title,
                    shape(line.output),
                    *(number(line.sum(name)) for name in ("params", "buffers", "macs")),
                    word,
                ]
            )
        return Table(columns, rows, None, self._title() + self._how(), self._below())

    def _how(self) -> list[str]:
        at = ", ".join(f"{name} = {value}" for name, value in self.sizes.items())
        passes = "forward and backward" if self.train else "forward"
        return [
            f"The exported module, run on {self.device} ({passes}){f' with {at}' if at else ''}; MACs by torch's flop counter on the meta device."
        ]

    def _below(self) -> list[str]:
        width = max(len(_title(check)) for check in self.checks) + 2
        lines = [f"{_title(check) + ':':<{width}}{_compared(check)}" for check in self.checks]
        lines += [*self._not_compared(), *self.notes]
        wrong = [row for row in self.measured if not row["ok"]]
        if self.ok:
            return [*lines, "", "Verified: every figure equals what torch does."]
        lines += ["", *(f"{row['name']} ({row['type']}): {difference(row)}" for row in wrong[:MAX_LISTED])]
        if len(wrong) > MAX_LISTED:
            lines.append(f"and {len(wrong) - MAX_LISTED} more layers")
        names = [_title(check) for check in self.checks if check.ok is False]
        layers = [f"{len(wrong)} layer{'s' if len(wrong) > 1 else ''}"] if wrong else []
        return [*lines, f"NOT verified. Different: {'; '.join([*layers, *names])}."]

    def _not_compared(self) -> list[str]:
        """What the figures do not say."""
        outside = sum(verdict(row) == "in forward" for row in self.measured)
        kinds = sorted(
            {
                row["type"]
                for row in self.measured
                if row["macs"][0] and row["macs"][1] is None and row["output"][1] is not None
            }
        )
        found = []
        if outside == 1:
            found.append("`in forward`: one layer is an expression there, not a module; its MACs are in the total.")
        elif outside:
            found.append(
                f"`in forward`: {outside} layers are expressions there, not modules; their MACs are in the total."
            )
        if not any(check.name == "run" for check in self.checks):
            found += [
                f"{kind}: torch's counter does not know its products, so its MACs are not compared." for kind in kinds
            ]
        return found


def verdict(row: dict) -> str:
    """`differs`, `equal`, `in forward` (there is no module to measure) or `not run` (torch stopped before it)."""
    if not row["ok"]:
        return "differs"
    if row["output"][1] is not None or (row["params"][0] and row["params"][1] is not None and row["module"] is None):
        return "equal"
    return "in forward" if row["module"] is None else "not run"


def difference(row: dict) -> str:
    """Each figure that differs, with both numbers."""
    pairs = [(_WORDS[key], *row[key]) for key in _KEYS if row[key][1] is not None and row[key][1] != row[key][0]]
    return "; ".join(
        f"{word} predicted {_show(predicted)}, measured {_show(measured)}" for word, predicted, measured in pairs
    )


def _show(value) -> str:
    return shape(value) if isinstance(value, (list, tuple)) else f"{value:,}"


def _compared(check: Check) -> str:
    if check.name == "state_dict":
        return f"{len(check.predicted)} tensors, equal" if check.ok else _difference(check.predicted, check.measured)
    if check.name == "run":
        return str(check.measured)
    if check.name == "output":
        predicted, measured = (", ".join(map(shape, shapes)) for shapes in (check.predicted, check.measured))
    else:
        predicted, measured = (
            f"{check.predicted:,}",
            f"{check.measured:,}" if check.measured is not None else "not measured",
        )
    if check.ok is None:
        return f"predicted {predicted}, measured {measured} ({100 * (check.predicted / check.measured - 1):+.2f} %)"
    return f"{predicted}, equal" if check.ok else f"predicted {predicted}, measured {measured}"


def _difference(predicted: list, measured: list) -> str:
    """The first difference of two state_dicts."""
    mine, theirs = dict(predicted), dict(measured)
    for key, found in mine.items():
        if key not in theirs:
            return f"{key} {shape(found)} is not in the module's"
        if theirs[key] != found:
            return f"{key} is {shape(theirs[key])}, predicted {shape(found)}"
    extra = next((key for key in theirs if key not in mine), None)
    return f"{extra} {shape(theirs[extra])} was not predicted" if extra else "the same tensors in another order"


def _plain(value):
    if isinstance(value, list):
        return [[item[0], list(item[1])] if item and isinstance(item[0], str) else list(item) for item in value]
    return value


def _cell(value):
    return "x".join(map(str, value)) if isinstance(value, (list, tuple)) else value
