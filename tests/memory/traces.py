"""Traces written by hand."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Storage:
    bytes: object
    kind: str = "temporary"
    layer: str = ""
    what: str = ""


@dataclass
class Trace:
    storages: list = field(default_factory=list)
    events: list = field(default_factory=list)
    marks: list = field(default_factory=list)
    layers: list = field(default_factory=list)

    def phase(self, name: str, step: int = 1):
        self.marks.append((len(self.events), name, step))

    def at(self, layer: str):
        self.layers.append((len(self.events), layer))

    def alloc(self, size, kind: str = "temporary", what: str = "") -> int:
        self.storages.append(Storage(size, kind, self.layers[-1][1] if self.layers else "", what))
        self.events.append((len(self.storages) - 1, 1))
        return len(self.storages) - 1

    def free(self, *indices: int):
        self.events += [(index, -1) for index in indices]


def step(weight=1000, image=10, hidden=300, logits=50, state=0, steps: int = 2) -> Trace:
    """Training steps of a net of two layers, each with half of `weight`, written down by hand.

    Of the sizes that are given, forward has weight + state + image + hidden + logits at most (and, from the second step
    on, the old logits), backward the same and the gradients: that of the logits, of the second layer, of hidden.
    """
    half = weight // 2
    trace = Trace()
    trace.phase("setup", 0)
    for layer in ("first", "second"):
        trace.at(layer)
        trace.alloc(half, "parameters", "weight")
    trace.at("")
    trace.alloc(image, "inputs", "input")
    kept, old = [], None
    for number in range(1, steps + 1):
        trace.phase("forward", number)
        trace.free(*kept)  # zero_grad
        trace.at("first")
        x = trace.alloc(hidden, "saved", "output")
        trace.at("second")
        y = trace.alloc(logits, "output", "output")
        trace.at("")
        if old is not None:
            trace.free(old)
        trace.phase("backward", number)
        dy = trace.alloc(logits, "temporary", "grad of output")
        trace.at("second")
        dx = trace.alloc(hidden, "temporary", "grad of input")
        dw2 = trace.alloc(half, "gradients", "grad of weight")
        trace.free(dy, x)
        trace.at("first")
        dw1 = trace.alloc(half, "gradients", "grad of weight")
        trace.free(dx)
        trace.at("")
        kept, old = [dw2, dw1], y
        trace.phase("optimizer", number)
        if number == 1 and not (type(state) is int and state == 0):
            trace.alloc(state, "optimizer", "momentum")
        temporary = trace.alloc(weight, "temporary", "step")
        trace.free(temporary)
    return trace
