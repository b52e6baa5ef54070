"""What a simulation hands over, written by hand: a net of two layers, and one with equal blocks."""

from __future__ import annotations

import netcalc
from netcalc import facts
from netcalc.memory import profiles
from netcalc.report.memory import Course, LayerMemory, Memory, SavedTensor, Simulated
from tests.memory.traces import Trace, step

TWO = """
netcalc: 1
name: Two
input: [N, 4]
layers:
  - first: {Linear: 8}
  - second: {Linear: 2}
"""
BLOCKS = """
netcalc: 1
name: Blocks
blocks:
  Block:
    layers: [lin: {Linear: 4}, act: ReLU]
input: [N, 4]
layers:
  - stem: {Linear: 4}
  - b: Block
    repeat: 3
"""


def forward(weight=1000, image=10, hidden=300, logits=50) -> Trace:
    """Inference of the net of `step`: at most weight + hidden + the larger of image and logits."""
    trace = Trace()
    trace.phase("setup", 0)
    trace.alloc(weight, "parameters", "weight")
    x = trace.alloc(image, "inputs", "input")
    trace.phase("forward")
    trace.at("first")
    h = trace.alloc(hidden, "temporary", "output")
    trace.free(x)
    trace.at("second")
    trace.alloc(logits, "output", "output")
    trace.free(h)
    return trace


def two(device: str = "cpu", trains: bool = True, batch=5, unknown=(), notes=(), steps: int = 2, **sizes) -> Memory:
    """The net of two layers, with the sizes of traces.step."""
    graph = netcalc.load(TWO).graph
    given = {"weight": 1000, "image": 10, "hidden": 300, "logits": 50, **sizes}
    inference = {name: size for name, size in given.items() if name != "state"}
    layers = [
        LayerMemory(given["hidden"], (SavedTensor("input", given["image"], "input"),)),
        LayerMemory(given["logits"], (SavedTensor("input", given["hidden"], ""), SavedTensor("mask", 7, ""))),
    ]
    trace = step(**given, steps=steps) if trains else None
    return Memory(
        Simulated(graph, facts.rows(graph), layers, trace, forward(**inference), Course(given["weight"], 70), batch, "float32",
                  "SGD", "mean of the output", profiles.load(device), unknown=unknown, notes=notes)
    )  # fmt: skip


def blocks() -> Memory:
    """Three equal blocks, of which each saves its input, made by the layer before, and the result of its activation."""
    graph = netcalc.load(BLOCKS).graph
    layers = [LayerMemory(16, (SavedTensor("input", 16, "input"),))]
    before = "stem"
    for number in range(3):
        path = [row.path for row in facts.rows(graph)][1 + 2 * number : 3 + 2 * number]
        layers.append(LayerMemory(16, (SavedTensor("input", 16, before),)))
        layers.append(LayerMemory(16, (SavedTensor("result", 16), SavedTensor("extra", 0, path[0]))))
        before = path[1]
    return Memory(
        Simulated(graph, facts.rows(graph), layers, step(), forward(), Course(1000, 70), 1, "float32", "SGD", "mean",
                  profiles.load("cpu"))
    )  # fmt: skip
