"""What a forward does, statement by statement: the same as its text, for whoever asks which variable holds what and when."""

from __future__ import annotations

from typing import NamedTuple

from ..graph import Node

HIDDEN = "_"  # the variable of what nobody reads; it holds it all the same


def states_hidden(member, variables) -> bool:
    """Whether nobody reads the states of an LSTM: `x, _ = lstm(x)`, one variable for both."""
    return isinstance(member, Node) and member.type == "LSTM" and tuple(variables[1:]) == (HIDDEN, HIDDEN)


class Step(NamedTuple):
    """One statement of a forward.

    kind:    "call" of a layer, block or group; "copy" of a variable; "source": an attribute that is a tensor; "segment":
             a function within forward that is recomputed, with its own steps
    targets: the variables that it assigns
    reads:   the variables or attributes that it is called with
    entries: {number of the instance: the layer or scope that is called}; instances that are not in it skip the step
    recompute: whether its activations are recomputed in the backward pass
    body, results: of a segment, its steps and the variables that it returns
    """

    kind: str
    targets: tuple = ()
    reads: tuple = ()
    entries: dict = {}
    recompute: bool = False
    body: tuple = ()
    results: tuple = ()


def copy(target: str, source: str) -> Step:
    return Step("copy", (target,), (source,))


def call(line, targets, reads, recompute: bool) -> Step:
    return Step("call", tuple(targets), tuple(reads), {e.at: e.member for e in line.entries}, recompute)
