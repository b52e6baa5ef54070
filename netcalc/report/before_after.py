"""Figures before and after, and how much they changed: the memory of two networks among them."""

from __future__ import annotations

from functools import cached_property

from ..arith import Formula, names_of
from ..errors import NetcalcError
from ..memory.conflicts import in_words, refuse_conflicts
from .table import exact, mebibytes

#: the figures of memory, and what they are called
MEMORY = {"saved_activations": "Saved activations", "peak": "Peak of training", "inference_peak": "Peak of inference"}


class Memories:
    """The memory of a step of two networks, worked out when it is asked for. step: options of `net.memory`."""

    def __init__(self, a, b, step: dict):
        refuse_conflicts(step)
        self.nets, self.step = (a, b), step

    @cached_property
    def sides(self) -> list[dict]:
        """For each network its figures in bytes, or `why` they are not known."""
        return [_figures(net, self.step) for net in self.nets]

    @property
    def figures(self) -> dict[str, tuple]:
        """By name (before, after) in bytes; None where it is not known."""
        names = ["inference_peak"] if self.step.get("inference") else MEMORY
        return {name: tuple(side.get(name) for side in self.sides) for name in names}

    @property
    def equal(self) -> bool:
        return all(before == after for before, after in self.figures.values())

    def to_dict(self) -> dict:
        found = {
            name: {"before": exact(a), "after": exact(b), "difference": None if None in (a, b) else exact(b - a)}
            for name, (a, b) in self.figures.items()
        }
        return {"step": dict(self.step), **found, "not_known": [side.get("why") for side in self.sides]}

    def lines(self) -> list[str]:
        """The figures in columns, and why one is not known."""
        known = [(MEMORY[name], *both) for name, both in self.figures.items() if both != (None, None)]
        missing = [
            f"Not known of {name}: {side['why']}" for name, side in zip("AB", self.sides, strict=True) if "why" in side
        ]
        return [f"Memory of {in_words(self.step)}:", *changes(known, mebibytes), *missing]


def _figures(net, step: dict) -> dict:
    """The memory of a network; of one sample where the batch has no value."""
    graph = net.graph
    others = sorted(names_of([value.shape for value in graph.inputs.values()]) - {graph.batch})
    if others:
        return {"why": f"{', '.join(others)} has no value; --set {others[0]}=... gives one"}
    try:
        found = net.memory(**step)
    except NetcalcError as problem:
        return {"why": str(problem).split("\n", 1)[0].removeprefix("error: ")}
    return {**found.bytes, "peak": found.peak.bytes}


def changes(figures: list[tuple], text=None) -> list[str]:
    """`MACs: 1,814 -> 3,663 (+1,849, +101.9 %)` of (title, before, after), in columns. text: how a figure is written."""
    text = text or number
    cells = [(f"{title}:", _known(before, text), _known(after, text), _change(before, after, text)) for title, before, after in figures]  # fmt: skip
    widths = [max(len(row[column]) for row in cells) for column in range(3)] if cells else []
    return [f"{a:<{widths[0]}} {b:>{widths[1]}} -> {c:>{widths[2]}}  {d}".rstrip() for a, b, c, d in cells]


def number(value) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _known(value, text) -> str:
    return "--" if value is None else text(value)


def _change(before, after, text) -> str:
    if before is None or after is None:
        return ""
    difference = after - before
    if isinstance(difference, Formula):
        return f"({difference})"
    if not difference:
        return "(equal)"
    share = f", {100 * difference / before:+,.1f} %" if isinstance(before, int) and before else ""
    return f"({'-' if difference < 0 else '+'}{text(abs(difference))}{share})"


__all__ = ["Memories", "changes"]
