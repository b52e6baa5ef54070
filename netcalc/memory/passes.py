"""A forward and backward pass that does what the one before did: copied from the record instead of being run again.

Nothing that decides anything in a pass is another in the second step than in the first: the gradients are gone by then. Only
the output and the loss of the step before still live; the caller lets them go where the new ones take their place.
"""

from __future__ import annotations

from typing import NamedTuple

from .tape import Tape
from .tensors import Storage, Tensor


class _Held(NamedTuple):
    """A tensor that lives on after the pass, without holding its storage."""

    id: int
    index: int  # of the storage
    shape: tuple
    dtype: str
    strides: tuple | None
    weight: int


class Pass:
    """What a tape records while a pass runs: made when it starts, `cut` where its results replace those of the pass before,
    `end`ed. Then it can be recorded once more: `begin` a copy, and `copy` each of its stretches."""

    def __init__(self, tape: Tape):
        self.tape = tape
        self.first = len(tape.storages)
        self.cuts: list[tuple[int, int]] = []  # positions in the events and in the layers
        self.cut()

    def cut(self):
        self.cuts.append((len(self.tape.events), len(self.tape.trace.layers)))

    def end(self, held: list[Tensor]) -> bool:
        """Whether it can be copied: all of it that is still alive is alive through these tensors, and nothing that was there
        before has gone."""
        self.cut()
        self.made = self.tape.storages[self.first :]
        self.held = [_Held(id(t), t.storage.index, t.shape, t.dtype, t.strides, t.weight) for t in held]
        holders = [0] * len(self.made)
        for one in {one.id: one for one in self.held}.values():
            if one.index >= self.first:
                holders[one.index - self.first] += one.weight
        start, end = self.cuts[0][0], self.cuts[-1][0]
        return holders == [storage.holders for storage in self.made] and all(
            index >= self.first for index, _ in self.tape.events[start:end]
        )

    def begin(self) -> list[Tensor]:
        """Start a copy. Blocks that have gone come again; one that still lives gets another beside it. Returns the copies of
        the tensors that are held at the end."""
        storages = self.tape.storages
        self.fresh: dict[int, int] = {}  # by the indices of storages that still live
        for made in self.made:
            if made.holders:
                self.fresh[made.index] = len(storages)
                storages.append(Storage(len(storages), made.bytes, made.kind, made.layer, made.what, made.events))
        copies: dict[int, Tensor] = {}  # of a tensor that is held twice there is one
        for one in self.held:
            if one.id not in copies:
                storage = storages[self.fresh.get(one.index, one.index)]
                copies[one.id] = Tensor(storage, one.shape, one.dtype, one.strides, one.weight)
        return [copies[one.id] for one in self.held]

    def copy(self, stretch: int):
        """Record what comes between two cuts; the first stretch is 0."""
        tape, fresh = self.tape, self.fresh
        (start, above), (end, below) = self.cuts[stretch : stretch + 2]
        later = len(tape.events) - start
        tape.trace.layers += [(position + later, path) for position, path in tape.trace.layers[above:below]]
        tape.events += [
            event if event[0] not in fresh else (fresh[event[0]], event[1]) for event in tape.events[start:end]
        ]
