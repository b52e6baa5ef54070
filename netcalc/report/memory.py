"""The result of `net.memory(...)`: where the bytes of a training step go, the peak, when it is and which layer makes it.

What it is made from is a `Simulated`: the traces of the simulation and what the simulation knows of every layer. All
numbers here come from those traces; nothing is worked out a second time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from ..arith import Domain, is_array
from ..facts import Row
from ..graph import Graph
from ..memory.allocator import Usage, replay
from ..memory.envelope import ANYWHERE, Lead
from ..memory.profiles import Figure, Profile
from ..memory.timeline import Timeline
from ..memory.unknown import guessed_workspaces, peak_with
from .results import Result
from .table import Table, exact

#: the phases of a step, and what they are called
PHASES = {"forward": "training forward", "loss": "loss", "backward": "backward", "optimizer": "optimizer step"}


class SavedTensor(NamedTuple):
    """A tensor that a layer keeps for its backward pass.

    what: "input", "result", "mask", "indices", "mean" ... shared_with: where its storage is counted if not here: the path
    of the layer that made it or saved it first, or "input"; empty where it counts here. operation: the one that keeps it,
    in this shape and dtype. others: where it counts here, the layers that keep it too.
    """

    what: str
    bytes: object
    shared_with: str = ""
    operation: str = ""
    shape: tuple = ()
    dtype: str = ""
    others: tuple = ()


class LayerMemory(NamedTuple):
    """What one executed layer makes and keeps, in bytes."""

    output_bytes: object
    saved: tuple[SavedTensor, ...] = ()

    @property
    def saved_bytes(self):
        """The bytes that count here: each storage once in the whole model."""
        return sum(tensor.bytes for tensor in self.saved if not tensor.shared_with)


class Course(NamedTuple):
    """The estimate that is taught: M bytes of parameters, m bytes of all layer outputs for one sample."""

    parameters: object
    activations_per_sample: object

    def forward(self, batch):
        return self.parameters + batch * self.activations_per_sample

    def forward_backward(self, batch):
        return 2 * self.parameters + batch * self.activations_per_sample


@dataclass(frozen=True)
class Simulated:
    """What a simulation hands over.

    facts and layers go together, one of each for every executed layer. trace: two training steps, or None where only
    inference was asked for. inference: one forward pass without gradients. batch: a number, or a formula while it is
    free. flops: a function that gives those of one step, recomputation included. optimizer and loss are text for people
    ("AdamW (foreach)", "CrossEntropyLoss", "mean of the outputs"). unknown: names of those figures of the device that
    this model runs into and that are not in the numbers. notes: what else the reader should know. domain: the sizes that
    formulas hold for. routed: a function that gives the peak whatever routers of experts do; None where that is no
    question.
    """

    graph: Graph
    facts: list[Row]
    layers: list[LayerMemory]
    trace: object
    inference: object
    course: Course
    batch: object
    dtype: str
    optimizer: str
    loss: str
    device: Profile
    amp: str | None = None
    checkpoint: str | None = None
    accumulate: int = 1
    flops: Callable[[], object] = int
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    domain: Domain = ANYWHERE
    routed: Callable[[], int] | None = None


class MayBe(NamedTuple):
    """An instant that is the peak for some sizes; `lead` has such sizes, and how often it is among those tried."""

    phase: str
    step: int
    layer: str
    event: str
    bytes: object
    lead: Lead


class Instant(NamedTuple):
    """The instant at which most bytes are alive. event: what is allocated then. live: bytes by kind.

    candidates: while sizes are free, the instants that may be it.
    """

    bytes: object
    phase: str
    step: int
    layer: str
    event: str
    live: dict
    candidates: tuple[MayBe, ...] = ()


class Memory(Result):
    """Where the bytes go. `peak`, `bytes` (by name), `allocated` (on CUDA), `rows` (one per layer)."""

    def __init__(self, simulated: Simulated):
        super().__init__(simulated.graph, simulated.facts)
        self.simulated = simulated

    # -- figures

    @property
    def trains(self) -> bool:
        return self.simulated.trace is not None

    @cached_property
    def timeline(self) -> Timeline:
        """Of the training steps; of the forward pass where only inference was asked for."""
        return Timeline(self.simulated.trace if self.trains else self.simulated.inference, self.simulated.domain)

    @cached_property
    def inference(self) -> Timeline | None:
        if not self.trains:
            return self.timeline
        run = self.simulated
        return None if run.inference is None else Timeline(run.inference, run.domain)

    @cached_property
    def peak(self) -> Instant:
        return self.instant(self.timeline.peak())

    def instant(self, peak) -> Instant:
        """A peak of the timeline in words."""
        if is_array(peak.bytes):
            return Instant(peak.bytes, "", 0, "", "", {})
        line = self.timeline
        may_be = tuple(self.may_be(one) for one in peak.candidates)
        name = "inference" if not self.trains else peak.phase.name
        return Instant(
            peak.bytes, name, peak.phase.step, peak.layer, self._event(peak.event), line.live(peak.event), may_be
        )

    def may_be(self, one) -> MayBe:
        """A candidate of a peak in words."""
        line, phase = self.timeline, self.timeline.phase(one.event)
        name = phase.name if self.trains else "inference"
        return MayBe(name, phase.step, line.layer(one.event), self._event(one.event), one.bytes, one.lead)

    def _event(self, event: int) -> str:
        trace = self.timeline.trace
        return trace.storages[trace.events[event][0]].what if event >= 0 else ""

    def phase_peak(self, phase: str | None, step: int | None):
        """The bytes at the peak of a phase in a step (None: of all phases, all steps), None where there is none."""
        found = self.timeline.peak(phase, step) if self.trains else None
        return None if found is None else found.bytes

    @property
    def later_step(self) -> int:
        """The step that stands for all but the first; the first where only one was simulated."""
        return self.timeline.steps[-1]

    @cached_property
    def most(self) -> dict:
        """The most bytes that each kind of storage has at any time."""
        return self.timeline.most()

    @cached_property
    def bytes(self) -> dict:
        """The bytes of every figure, by its name in JSON; None for what inference does not have."""
        most, last = self.most, self.later_step
        inference = None if self.inference is None else self.inference.peak().bytes
        trained = {name: most.get(name, 0) if self.trains else None for name in ("gradients", "optimizer")}
        return {
            "parameters": most.get("parameters", 0),
            "buffers": most.get("buffers", 0),
            **trained,
            "saved_activations": sum(layer.saved_bytes for layer in self.simulated.layers) if self.trains else None,
            "forward_peak": self.phase_peak("forward", last),
            "inference_peak": inference,
            "loss_peak": self.phase_peak("loss", last),
            "backward_peak": self.phase_peak("backward", last),
            "optimizer_peak": self.phase_peak("optimizer", last),
            "step_peak": self.phase_peak(None, last),
            "first_step_peak": self.phase_peak(None, self.timeline.steps[0]),
        }

    @cached_property
    def allocated(self) -> Usage | None:
        """What the caching allocator will show as peaks on CUDA; None on the CPU and while sizes are free."""
        line = self.timeline
        known = all(type(storage.bytes) is int for storage in line.trace.storages)
        return replay(line.trace) if self.simulated.device.rules == "cuda" and known else None

    @property
    def unknown(self) -> list[Figure]:
        """What the model runs into on this device and no one can say beforehand."""
        return [self.simulated.device[name] for name in self.simulated.unknown]

    @cached_property
    def guessed_peak(self) -> int | None:
        """The bytes of the peak if every convolution had as large a workspace as is guessed at; None where that is no
        question."""
        run = self.simulated
        if "conv_workspace" not in run.unknown or not isinstance(self.peak.bytes, int):
            return None
        return peak_with(self.timeline, guessed_workspaces(self.facts, run.amp or run.dtype))

    @cached_property
    def routed_peak(self) -> int | None:
        """The bytes within which the peak stays whatever tokens go to which expert; None where that is no question."""
        return None if self.simulated.routed is None else self.simulated.routed()

    @cached_property
    def flops(self):
        """FLOPs of one step; while sizes are free a formula."""
        return self.simulated.flops()

    # -- as a result

    def row(self, row: Row) -> dict:
        layer = self.by_row[id(row)]
        saved = [
            {"what": tensor.what, "bytes": exact(tensor.bytes), "shared_with": tensor.shared_with or None}
            for tensor in layer.saved
        ]
        return {
            "name": row.path,
            "type": row.type,
            "output_bytes": exact(layer.output_bytes),
            "saved_bytes": exact(layer.saved_bytes),
            "saved": saved,
        }

    @cached_property
    def by_row(self) -> dict[int, LayerMemory]:
        """What is known of each layer, by the id of its row."""
        return {id(row): layer for row, layer in zip(self.facts, self.simulated.layers, strict=True)}

    @property
    def totals(self) -> dict:
        return {name: exact(value) for name, value in self.bytes.items()}

    def to_dict(self) -> dict:
        run, peak = self.simulated, self.peak
        return {
            **self.head(),
            "batch": exact(run.batch),
            "dtype": run.dtype,
            "amp": run.amp,
            "optimizer": run.optimizer if self.trains else None,
            "loss": run.loss if self.trains else None,
            "checkpoint": run.checkpoint,
            "accumulate": run.accumulate,
            "device": run.device.name,
            "flops": exact(self.flops),
            "bytes": self.totals,
            "peak": {
                "bytes": exact(peak.bytes),
                "phase": peak.phase,
                "step": peak.step,
                "layer": peak.layer,
                "event": peak.event,
                "live": {kind: exact(size) for kind, size in peak.live.items()},
                **(
                    {"cases": [_case(one) for one in peak.candidates], "conditions": self.conditions}
                    if peak.candidates
                    else {}
                ),
            },
            "allocator": None if self.allocated is None else self.allocated._asdict(),
            "unknown": [
                {"what": f.name, "low": f.low, "high": f.high, "from": f.provenance, "why": f.source}
                for f in self.unknown
            ],
            "guessed_peak": self.guessed_peak,
            "routed_peak": self.routed_peak,
            "course": self._course(),
            "layers": self.rows,
        }

    @property
    def conditions(self) -> list[str]:
        """What sizes must fulfil for its formulas to hold."""
        return list(map(str, self.simulated.domain.conditions))

    def _course(self) -> dict:
        course, batch = self.simulated.course, self.simulated.batch
        return {
            "parameters": exact(course.parameters),
            "activations_per_sample": exact(course.activations_per_sample),
            "forward": exact(course.forward(batch)),
            "forward_backward": exact(course.forward_backward(batch)),
        }

    def table(self, depth=None, expand=False) -> Table:
        """The table of the layers; `sections` are all tables."""
        return self.sections(depth, expand)[-1]

    def sections(self, depth: int | None = None, expand: bool = False) -> list[Table]:
        """The tables for people: where the bytes go, the peaks of the phases, the layers."""
        from .memory_table import sections

        return sections(self, depth, expand)

    def format(self, format="table", depth=None, expand=False, width=None) -> str:
        if format == "csv":
            return self._csv()
        if format == "json":
            return super().format(format)
        tables = self.sections(depth, expand)
        if format == "table":
            return "\n\n".join(table.text(width).lstrip("\n") for table in tables)
        return "\n\n".join(table.formatted(format).strip("\n") for table in tables)

    def _csv(self) -> str:
        from .table import csv_text

        return csv_text([{**row, "saved": _flat(row["saved"])} for row in self.rows])


def _case(one: MayBe) -> dict:
    """For JSON; at: sizes for which it is the peak, null where none are known."""
    found = one._replace(bytes=exact(one.bytes))._asdict()
    return {**{name: value for name, value in found.items() if name != "lead"}, "at": one.lead.point}


def _flat(saved: list[dict]) -> str:
    """`input=401408 mask=100352(dropout)`: what is saved in one cell, shared storages with their owner."""
    return " ".join(
        f"{tensor['what'].replace(' ', '_')}={tensor['bytes']}" + (f"({tensor['shared_with']})" if tensor["shared_with"] else "")
        for tensor in saved
    )  # fmt: skip
