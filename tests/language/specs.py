"""Texts to graphs and messages, for the tests of the language."""

from __future__ import annotations

from textwrap import dedent

import pytest

import netcalc.layers  # noqa: F401 (the layers register themselves)
from netcalc.elaborate import elaborate
from netcalc.errors import Diagnostic, SpecError
from netcalc.graph import Graph
from netcalc.language.files import spec_of_text


def graph(text: str, given: dict | None = None, variant: str | None = None, free=()) -> Graph:
    """The graph of a spec; `netcalc: 1` is put before it."""
    return elaborate(spec_of_text("netcalc: 1\n" + dedent(text).lstrip("\n"), "net.yaml"), given, variant, free)


def net(layers: str, input: str = "[N, 3, 8, 8]", **options) -> Graph:
    """The graph of a list of layers."""
    return graph(f"input: {input}\nlayers:\n{_indented(layers)}", **options)


def error(text: str, **options) -> Diagnostic:
    """What is wrong with a spec: exactly one thing."""
    with pytest.raises(SpecError) as caught:
        graph(text, **options)
    [diagnostic] = caught.value.diagnostics
    return diagnostic


def net_error(layers: str, input: str = "[N, 3, 8, 8]", **options) -> Diagnostic:
    return error(f"input: {input}\nlayers:\n{_indented(layers)}", **options)


def keys(graph: Graph) -> list[str]:
    """The state_dict keys, in order, without tied parameters' second names."""
    return [key for key, *_ in graph.tensors()]


def output(graph: Graph) -> str:
    """The shape of the only output, as text."""
    [(_, value)] = graph.outputs
    return shape(value)


def shape(value) -> str:
    return f"[{', '.join(map(str, value.shape))}]"


def types(graph: Graph) -> list[str]:
    return [node.type for node in graph.nodes]


def reads(graph: Graph, path: str) -> list[str]:
    """Who made what the layer of that path reads."""
    [node] = [node for node in graph.nodes if node.path == path]
    return [value.node.path if value.node else value.label for value in node.inputs]


def _indented(layers: str) -> str:
    return "\n".join("  " + line for line in dedent(layers).strip("\n").split("\n"))
