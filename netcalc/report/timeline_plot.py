"""Live bytes over a training step, stacked by kind: as a picture (svg, png, pdf), or as data (csv, json)."""

from __future__ import annotations

import os

from ..errors import NetcalcError
from .memory import PHASES, Memory
from .memory_table import LABELS
from .table import csv_text, mebibytes

PICTURES = ("svg", "png", "pdf")
SUFFIXES = (*PICTURES, "csv", "json")
#: what stays at the bottom, in calm colours; what comes and goes on top, in warm ones
COLOURS = {
    "parameters": "#33517a", "buffers": "#5b7ca8", "inputs": "#8fa9c8", "optimizer": "#6d5a94", "gradients": "#3f8f7f",
    "workspace": "#9a9a9a", "output": "#f3d27a", "saved": "#e9a23b", "temporary": "#cc4c3b",
}  # fmt: skip
ORDER = ("parameters", "buffers", "inputs", "workspace", "optimizer", "gradients", "output", "saved", "temporary")
_UNITS = (("GiB", 30), ("MiB", 20), ("KiB", 10), ("bytes", 0))


def rendered(memory: Memory, path: str) -> bytes:
    """The content of a timeline file; what it is follows from the ending of its name."""
    suffix = kind_of(path)
    if any(type(storage.bytes) is not int for storage in memory.timeline.trace.storages):
        raise NetcalcError(
            "error: a timeline needs numbers\n  help: give the free sizes a value with --batch and --set"
        )
    if suffix == "csv":
        return (csv_text(_events(memory)) + "\n").encode()
    if suffix == "json":
        import json

        return (json.dumps(_data(memory), indent=1) + "\n").encode()
    return _picture(memory, suffix)


def kind_of(path: str) -> str:
    """The ending of a file's name. Raises NetcalcError for one that is no timeline."""
    suffix = os.path.splitext(path)[1].lower().removeprefix(".")
    if suffix not in SUFFIXES:
        raise NetcalcError(
            f"error: --timeline {path}: a timeline is written as {', '.join(SUFFIXES)}\n  help: end the name in .svg, for example"
        )
    return suffix


# -- data


def _events(memory: Memory) -> list[dict]:
    """A row for every allocation and release, with the bytes alive after it."""
    line = memory.timeline
    stacked, levels = line.stacked(), line.levels()
    found = []
    for phase in line.phases:
        for event in range(phase.start, phase.end):
            index, change = line.trace.events[event]
            storage = line.trace.storages[index]
            found.append(
                {"event": event, "step": phase.step, "phase": phase.name, "layer": line.layer(event), "storage": index,
                 "bytes": change * storage.bytes, "kind": storage.kind, "what": storage.what, "made_in": storage.layer,
                 "live": levels[event], **{f"live_{kind}": values[event] for kind, values in stacked.items()}}
            )  # fmt: skip
    return found


def _data(memory: Memory) -> dict:
    line, peak = memory.timeline, memory.timeline.peak()
    return {
        **memory.head(),
        "phases": [phase._asdict() for phase in line.phases],
        "peak": {
            "event": peak.event,
            "bytes": peak.bytes,
            "phase": peak.phase.name,
            "step": peak.phase.step,
            "layer": peak.layer,
        },
        "events": _events(memory),
    }


# -- picture


def _picture(memory: Memory, suffix: str) -> bytes:
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise NetcalcError("error: drawing a timeline needs matplotlib\n"
                           "  help: pip install 'netcalc-nn[plot]', or write a .csv or .json timeline") from None  # fmt: skip
    import io

    style = {
        "font.family": "DejaVu Sans", "font.size": 12, "svg.hashsalt": "netcalc", "axes.spines.top": False,
        "axes.spines.right": False, "pdf.fonttype": 42, "text.parse_math": False,
    }  # fmt: skip
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(13.33, 6.2), layout="constrained")
        _draw(figure.add_subplot(), memory)
        out = io.BytesIO()
        figure.savefig(out, format=suffix, dpi=144, metadata=_metadata(suffix))
    return out.getvalue()


def _metadata(suffix: str) -> dict:
    """No date: the same network gives the same file."""
    return {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(suffix, {})


def _draw(axes, memory: Memory) -> None:
    line = memory.timeline
    phases = [phase for phase in line.phases if phase.name != "setup"] or line.phases
    stacked, peak = line.stacked(), line.peak()
    unit, power = next(entry for entry in _UNITS if peak.bytes >= 1 << entry[1])
    places = _places(phases)
    kinds = list(dict.fromkeys(kind for kind in (*ORDER, *stacked) if kind in stacked))
    first, last = phases[0].start, phases[-1].end
    xs = [places(event) for event in range(first, last)] + [places(last)]
    heights = [[value / (1 << power) for value in _from(stacked[kind], first, last)] for kind in kinds]
    axes.stackplot(xs, heights, colors=[COLOURS.get(kind, "#b0b0b0") for kind in kinds], step="post", linewidth=0)
    top = peak.bytes / (1 << power)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.27 * top)
    axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= 1.02 * top])
    axes.set_ylabel(f"live memory ({unit})")
    axes.set_xticks([])
    axes.set_xlabel("allocations and releases, in their order (not time)", color="#555555")
    _mark_phases(axes, phases, places, top)
    _mark_peak(axes, memory, peak, places, top)
    axes.set_title(_title(memory), loc="left", fontsize=15, pad=12)
    _legend(axes, memory, kinds)


def _from(values: list, first: int, last: int) -> list:
    """The levels during each event from `first` on, and the last one again to close the steps."""
    return [*values[first:last], values[last - 1]] if last > first else [values[-1] if values else 0, 0]


def _places(phases):
    """Where on the width, 0 to 1, an event is: in proportion, but no phase narrower than its name."""
    events = sum(phase.end - phase.start for phase in phases) or 1
    wide = [max((phase.end - phase.start) / events, 0.015 + 0.011 * len(phase.name)) for phase in phases]
    scale, starts, at = 1 / sum(wide), [], 0.0
    for width in wide:
        starts.append(at)
        at += width * scale

    def place(event: int) -> float:
        for phase, start, width in zip(phases, starts, wide, strict=True):
            if event < phase.end:
                return start + width * scale * (event - phase.start) / (phase.end - phase.start)
        return 1.0

    return place


def _mark_phases(axes, phases, places, top: float) -> None:
    """Each phase with its name above it, shaded in turn; the steps with theirs above that."""
    for number, phase in enumerate(phases):
        left, right = places(phase.start), _end(phases, number, places)
        if number % 2:
            axes.axvspan(left, right, color="#000000", alpha=0.05, linewidth=0, zorder=0)
        axes.text((left + right) / 2, 1.13 * top, phase.name, ha="center", va="center", fontsize=11, color="#333333")
    steps = sorted({phase.step for phase in phases})
    for step in steps if len(steps) > 1 else ():
        inside = [number for number, phase in enumerate(phases) if phase.step == step]
        left, right = places(phases[inside[0]].start), _end(phases, inside[-1], places)
        which = "first step" if step == steps[0] else "later steps"
        axes.text((left + right) / 2, 1.21 * top, which, ha="center", va="center", fontsize=13, fontweight="bold")
        if step != steps[0]:
            axes.axvline(left, color="#333333", linewidth=1.2)


def _end(phases, number: int, places) -> float:
    return places(phases[number + 1].start) if number + 1 < len(phases) else 1.0


def _mark_peak(axes, memory: Memory, peak, places, top: float) -> None:
    x = places(max(peak.event, 0))
    name = PHASES.get(peak.phase.name, peak.phase.name)
    text = f"peak {mebibytes(peak.bytes)}: {name}{', ' + peak.layer if peak.layer else ''}"
    axes.axhline(top, color="#222222", linewidth=0.8, linestyle=(0, (4, 3)))
    axes.plot([x], [top], marker="v", color="#222222", markersize=9, clip_on=False)
    aside, gap = ("left", 0.012) if x < 0.5 else ("right", -0.012)
    box = {"facecolor": "white", "edgecolor": "none", "pad": 2}
    axes.text(x + gap, 1.05 * top, text, ha=aside, va="center", fontsize=12.5, fontweight="bold", bbox=box)


def _title(memory: Memory) -> str:
    run = memory.simulated
    name = memory.graph.spec.name + (f" ({memory.graph.variant})" if memory.graph.variant else "")
    dtype = f"{run.dtype}, autocast to {run.amp}" if run.amp else run.dtype
    what = ["inference"] if not memory.trains else [run.optimizer]
    return "Live memory of " + ", ".join([name, f"batch {run.batch}", dtype, *what, run.device.name])


def _legend(axes, memory: Memory, kinds: list[str]) -> None:
    """The kinds from top to bottom as they lie, each with its bytes at the peak."""
    from matplotlib.patches import Patch

    live = memory.peak.live
    shown = [kind for kind in reversed(kinds) if memory.most.get(kind)]
    handles = [Patch(color=COLOURS.get(kind, "#b0b0b0")) for kind in shown]
    texts = [f"{LABELS.get(kind, kind)}\n{mebibytes(live[kind]) if kind in live else 'none'}" for kind in shown]
    legend = axes.legend(handles, texts, loc="center left", bbox_to_anchor=(1.005, 0.5), frameon=False, title="at the peak",
                         labelspacing=0.7, fontsize=11)  # fmt: skip
    legend.get_title().set_fontweight("bold")
