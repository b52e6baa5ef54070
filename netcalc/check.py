"""Published numbers against ours: what `expect` in a spec asks for."""

from __future__ import annotations

import re
from fractions import Fraction

from . import facts
from .arith import at, prod, same_shape
from .elaborate.binding import fail, shape_text
from .elaborate.environment import evaluate, shape_of
from .errors import Diagnostic, SpecError
from .graph import Graph
from .language.reader import Entry

_ROUNDED = re.compile(r"([\d_]+(?:\.(\d+))?)(?:[eE]\+?(\d+)|\s*([KMGTB]))?\Z")
_UNITS = {"K": 3, "M": 6, "G": 9, "B": 9, "T": 12}
_NOUNS = {"params": "parameters", "trainable": "trainable parameters", "macs": "MACs", "flops": "FLOPs"}


def expectation(graph: Graph) -> Entry | None:
    """The `expect` that holds for a graph: its variant's, or the file's own for the defaults."""
    spec = graph.spec
    return spec.variants[graph.variant].expect if graph.variant else spec.expect


def unmet(graph: Graph) -> list[Diagnostic]:
    """What the spec expects and the network does not have (E503, E504). Raises SpecError for an unreadable `expect`."""
    entry = expectation(graph)
    if entry is None:
        return []
    sizes = _sizes(graph, entry)
    table = facts.rows(graph, sizes)
    found = []
    for key, value in entry.value:
        if key.value == "output":
            found += _output(graph, value)
        elif key.value in _NOUNS:
            found += _number(graph, table, key.value, value)
    return found


def met(graph: Graph) -> list[str]:
    """The names of what is expected."""
    entry = expectation(graph)
    return [key.value for key, _ in entry.value if key.value != "at"] if entry else []


def _sizes(graph: Graph, entry: Entry) -> dict:
    """One sample, and what `at` says."""
    sizes = {graph.batch: 1} if graph.batch else {}
    at_entry = entry.get("at")
    if at_entry is not None:
        for key, value in at_entry.value if at_entry.kind == "map" else ():
            sizes[key.value] = evaluate(value, graph.root.env)
    return sizes


def _actual(table: list, what: str):
    if what == "params":
        return sum(row.params for row in table)
    if what == "trainable":
        return sum(row.trainable for row in table)
    return sum(row.macs if what == "macs" else row.flops for row in table)


def _number(graph: Graph, table: list, what: str, entry: Entry) -> list[Diagnostic]:
    actual = _actual(table, what)
    expected, slack = _wanted(entry, graph)
    if not isinstance(actual, int):
        free = ", ".join(sorted(actual.names()))
        text = f"{what} is {actual}: give {free} a value with `at`"
        return [
            Diagnostic(
                "E504",
                text,
                entry.where,
                help=f"expect: {{{what}: {entry.value}, at: {{{free.split(', ')[0]}: 1024}}}}",
            )
        ]
    if abs(actual - expected) <= slack:
        return []
    difference = (
        f"{actual - expected:+,}" if isinstance(expected, int) and not slack else f"{float(actual - expected):+,.0f}"
    )
    shown = f"{expected:,}" if not slack else str(entry.value)
    text = f"the model has {actual:,} {_NOUNS[what]}, but `expect` says {shown} ({difference})"
    return [Diagnostic("E503", text, entry.where, help=_reason(table, what, actual - expected))]


def _wanted(entry: Entry, graph: Graph) -> tuple:
    """The expected number and how far a rounded one may be off."""
    found = _ROUNDED.match(entry.value) if entry.kind == "text" else None
    if found is None:
        return evaluate(entry, graph.root.env), 0
    mantissa, decimals, exponent, unit = found.groups()
    power = int(exponent or 0) + _UNITS.get(unit, 0)
    value = Fraction(mantissa.replace("_", "")) * 10**power
    exact = decimals is None and not unit and not exponent
    slack = 0 if exact else Fraction(10**power, 2 * 10 ** len(decimals or ""))
    return (value.numerator if value.denominator == 1 else value), slack


def _reason(table: list, what: str, difference) -> str:
    """What the difference may come from, or where most of the number is."""
    if what in ("params", "trainable"):
        for kinds, noun in (("Conv", "the convolutions"), ("Linear", "the linear layers"), ("", "all layers")):
            biases = sum(row.bias for row in table if row.type.startswith(kinds))
            if biases and biases == difference:
                return f"the difference is the number of biases of {noun}: is bias: false meant?"
        tensors = [
            (prod(s), row.node.key(n)) for row in table if not row.node.original for n, s in row.node.params.items()
        ]
        largest = sorted((t for t in tensors if isinstance(t[0], int)), reverse=True)[:3]
        return f"the largest are {', '.join(f'{key} {size:,}' for size, key in largest)}; `netcalc params` shows every layer"
    largest = sorted(table, key=lambda row: -_actual([row], what))[:3]
    shown = ", ".join(f"{row.path} {_actual([row], what):,}" for row in largest)
    return f"for one sample; the largest are {shown}; `netcalc flops` shows every layer"


def _output(graph: Graph, entry: Entry) -> list[Diagnostic]:
    """`output: [N, 10]`, or a list or mapping of shapes where there are several outputs."""
    several = len(graph.outputs) > 1
    if entry.kind == "map":
        wanted = [(key.value, value) for key, value in entry.value]
    elif several and entry.kind == "list" and all(item.kind == "list" for item in entry.value):
        wanted = [(str(i), value) for i, value in enumerate(entry.value)]
    else:
        wanted = [("0", entry)]
    values = {name: value for name, value in graph.outputs if name}
    values |= {str(i): value for i, (_, value) in enumerate(graph.outputs)}
    found = []
    for name, shape in wanted:
        if name not in values:
            raise fail(
                "E505",
                f"`expect` names the output `{name}`, but the outputs are {', '.join(n or '0' for n, _ in graph.outputs)}",
                entry.where,
            )
        if shape.kind != "list":
            raise fail("E210", "`output` needs a shape", shape.where, "output: [N, 1000]")
        expected, actual = shape_of(shape.value, graph.root.env), values[name].shape
        if not same_shape(expected, actual):
            found.append(
                Diagnostic(
                    "E503", f"the output is {shape_text(actual)}, but `expect` says {shape_text(expected)}", shape.where
                )
            )
    return found


__all__ = ["SpecError", "at", "expectation", "met", "unmet"]
