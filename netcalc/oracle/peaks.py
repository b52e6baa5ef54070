"""The peak of each phase of a training step, measured."""

from __future__ import annotations

import gc
from typing import NamedTuple

from ..collector import paused
from ..export import live
from ..memory.allocator import Usage
from .loop import Loop
from .storages import Storages, dispatch_mode


class ByPhase:
    """Reads a meter at the end of every phase and resets it. found: {(phase, step): peak}; a phase that comes again in a
    step has the highest. meter: `reset()`, and `peak`, a tuple of numbers."""

    def __init__(self, meter):
        self.meter, self.phase = meter, None
        self.found: dict[tuple[str, int], tuple] = {}

    def __call__(self, phase: str, step: int):
        if self.phase is not None:
            before = self.found.get(self.phase)
            peak = self.meter.peak
            self.found[self.phase] = peak if before is None else _higher(before, peak)
        self.meter.reset()
        self.phase = phase, step


def _higher(a: tuple, b: tuple) -> tuple:
    return Usage(*map(max, a, b)) if isinstance(a, Usage) else max(a, b)


class Live(NamedTuple):
    """peaks: {(phase, step): bytes}. places: how many places each `nonzero` found, in order."""

    peaks: dict[tuple[str, int], int]
    places: list[int]


def of_live_storages(loop: Loop, steps: int) -> Live:
    """The most bytes of live storages on the CPU in each phase, as a dispatch mode sees them."""
    with dispatch_mode()(Storages()):
        loop.warm_up()
    storages = Storages()
    storages.hold(loop.held)
    loop.on_phase = ByPhase(_Live(storages))
    gc.collect()
    with paused(), dispatch_mode()(storages):
        loop.run(steps)
    return Live({phase: peak[0] for phase, peak in loop.on_phase.found.items()}, storages.places)


def of_the_allocator(make_loop, steps: int) -> dict[tuple[str, int], Usage]:
    """What CUDA's caching allocator shows as peaks in each phase, beyond what was there before.

    make_loop: builds the loop on the device. The libraries' workspaces that were there before stay and are not counted.
    """
    cuda = live.torch_module().cuda
    gc.collect()
    with paused():
        cuda.synchronize()
        cuda.empty_cache()
        meter = _Statistics(cuda)
        loop = make_loop()
        loop.on_phase = ByPhase(meter)
        loop.run(steps)
    return loop.on_phase.found


class _Live:
    def __init__(self, storages: Storages):
        self.storages, self.reset = storages, storages.reset

    @property
    def peak(self) -> tuple:
        return (self.storages.peak,)


class _Statistics:
    """The statistics of torch.cuda, less what they were at first."""

    def __init__(self, cuda):
        self.cuda, self.before = cuda, Usage(0, 0, 0)
        self.before = self._read("current")

    def reset(self):
        self.cuda.synchronize()
        self.cuda.reset_peak_memory_stats()

    @property
    def peak(self) -> Usage:
        self.cuda.synchronize()
        return self._read("peak")

    def _read(self, what: str) -> Usage:
        found = self.cuda.memory_stats()
        read = (found.get(f"{kind}_bytes.all.{what}", 0) for kind in Usage._fields)
        return Usage(*(now - before for now, before in zip(read, self.before, strict=True)))
