"""The memory of a training step, predicted beside measured: what is saved for the backward pass, and the peak of each phase.

On the CPU the peaks are those of live storages under a dispatch mode, and must be equal. On a GPU they are what CUDA's
caching allocator shows; the workspaces of libraries are in what is measured only, so they do not count for the verdict.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .errors import NetcalcError
from .export import live
from .memory import simulate
from .memory.allocator import replays
from .memory.optimizers import settled
from .memory.simulate import Run
from .memory.tape import Rules
from .memory.timeline import Timeline
from .oracle import loop, peaks
from .oracle.saved import Kept
from .report.verification import Check

PHASES = ("forward", "loss", "backward", "optimizer")


class Prediction(NamedTuple):
    """saved: (paths of what was at work, the innermost first; bytes) of each storage that is saved. peaks: (phase, step) ->
    bytes, or the allocator's `Usage`."""

    saved: list[tuple[list[str], int]]
    peaks: dict[tuple[str, int], object]


class Memory(NamedTuple):
    """How memory is compared. optimizer: its name, None for none. steps: how many are run; the last stands for all later
    ones. predicted: None where the memory of some layer is not modelled. notes: what is not compared, and why. run: makes
    the prediction again, for so many tokens to each expert, in the order in which they run."""

    device: str
    optimizer: str | None
    steps: int
    predicted: Prediction | None
    notes: list[str]
    run: Callable | None = None


def prepare(net, made, sizes: dict, device: str, optimizer: str) -> Memory:
    """The prediction for a device, `cpu` or `cuda`."""
    trains = any(kind == "parameter" for *_, kind, _, _ in net.graph.tensors())  # torch refuses an optimizer of nothing
    name, cuda = optimizer if trains and optimizer != "none" else None, device == "cuda"
    steps = 2 if name is None else settled(name, {}, cuda)
    run = Run(Rules(cuda=cuda, in_place=cuda), name, {}, steps)

    def predicted(shares: list[int] | None = None) -> Prediction:
        left = iter(shares or ())
        given = run if shares is None else run._replace(share=lambda *_: next(left, 0))
        result = simulate.training(net.graph, made.emitter, sizes, given)
        saved = [
            ([made.paths.get(place, "") for place in one.places], one.storage.bytes)
            for one in result.saved
            if one.storage.bytes
        ]
        return Prediction(saved, _replayed(result.trace) if cuda else _live(result.trace))

    try:
        return Memory(device, name, steps, predicted(), [], predicted)
    except NetcalcError as problem:
        return Memory(device, name, steps, None, [f"Memory is not compared: {_reason(problem)}."])


def _reason(problem: NetcalcError) -> str:
    return str(problem).partition("\n")[0].removeprefix("error: ")


def _live(trace) -> dict:
    line = Timeline(trace)
    return {
        (phase.name, phase.step): line.peak(phase.name, phase.step).bytes
        for phase in line.phases
        if phase.name != "setup"
    }


def _replayed(trace) -> dict:
    phases = [phase for phase in Timeline(trace).phases if phase.name != "setup"]
    usages = replays(trace, [phase.start for phase in phases])
    return {(phase.name, phase.step): usage for phase, usage in zip(phases, usages, strict=True)}


# -- what is saved


def saved_checks(memory: Memory | None, kept: Kept | None, found: dict[str, int] | None) -> list[Check]:
    """The bytes that are saved, in all, and the modules in which they differ. What is only an expression in a forward counts
    for the module of that forward."""
    if memory is None or memory.predicted is None or found is None:
        return []
    expected: dict[str, int] = {}
    for places, size in memory.predicted.saved:
        path = next((place for place in places if place in kept.modules), "")
        expected[path] = expected.get(path, 0) + size
    total = Check("saved", sum(expected.values()), sum(found.values()))
    modules = [path for path in dict.fromkeys([*expected, *found]) if expected.get(path, 0) != found.get(path, 0)]
    return [
        total,
        *(Check(f"saved in {path or 'forward'}", expected.get(path, 0), found.get(path, 0)) for path in modules[:5]),
    ]


# -- peaks

RULES = "2.13"  # the version of PyTorch whose operations `netcalc.memory` follows


def peak_checks(memory: Memory | None, net, names: dict, model, inputs: list) -> list[Check]:
    """The peak of each phase of the last step, and of the whole first one. The model loses its gradients; on a GPU
    another one is built."""
    if memory is None or memory.predicted is None:
        return []
    drawn = next((node for node in net.graph.nodes if node.layer.by_data), None)
    if memory.device == "cuda":
        if drawn is None:
            return _on_cuda(memory, net, names, inputs)
        memory.notes.append(f"Peaks are not compared: that of {drawn.path} ({drawn.type}) depends on the data.")
        return []
    found, shares = peaks.of_live_storages(_loop(memory, names, model, inputs), memory.steps)
    predicted = memory.predicted.peaks if drawn is None else memory.run(shares).peaks
    memory.notes.append(
        f"Peaks: live storages in bytes, step {memory.steps}{with_(memory)}, followed by a dispatch mode. Under one, gradients are"
        " never added in place; `netcalc memory` has the peaks of plain eager mode."
    )
    torch_version = live.torch_module().__version__
    if not torch_version.startswith(f"{RULES}."):
        memory.notes.append(
            f"The rules of memory are those of torch {RULES}; this is torch {torch_version}, which may hold some tensors longer or shorter."
        )
    if drawn is not None:
        memory.notes.append("Peaks depend on the data: experts are taken to get as many tokens as they got in torch.")
    checks = [Check(f"peak_{phase}", predicted[phase, step], size)
              for (phase, step), size in found.items() if step == memory.steps]  # fmt: skip
    first = (max(peak for (_, step), peak in side.items() if step == 1) for side in (predicted, found))
    return [*checks, Check("peak_first_step", *first)]


def _on_cuda(memory: Memory, net, names: dict, inputs: list) -> list[Check]:
    def built():
        with live.torch_module().device("cuda"):
            model = names[net.graph.spec.name]()
        model.train()
        return _loop(memory, names, model, [tensor.clone() for tensor in inputs])

    found = peaks.of_the_allocator(built, memory.steps)
    memory.notes.append(
        f"Peaks: max_memory_allocated and max_memory_reserved of each phase, in bytes, step {memory.steps}{with_(memory)}, beside"
        " PyTorch's allocator replayed. They do not count for the verdict: workspaces of libraries are in what was measured only."
    )
    return [
        Check(f"peak_{phase}_{kind}", getattr(memory.predicted.peaks[phase, step], kind), getattr(usage, kind), False)
        for (phase, step), usage in found.items()
        if step == memory.steps
        for kind in ("allocated", "reserved")
    ]


def _loop(memory: Memory, names: dict, model, inputs: list):
    model.zero_grad(set_to_none=True)
    trains = memory.optimizer and any(True for _ in model.parameters())  # torch has no optimizer of nothing
    optimizer = loop.optimizer(memory.optimizer, model.parameters()) if trains else None
    return loop.Loop(model, names["loss_of"], inputs, loop.targets(names, model, inputs), optimizer)


def with_(memory: Memory) -> str:
    """The optimizer in a sentence."""
    return f" with {memory.optimizer}" if memory.optimizer else ""
