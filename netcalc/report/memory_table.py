"""The memory of a training step as tables for people."""

from __future__ import annotations

from collections import Counter

from ..arith import Formula
from ..memory.timeline import KINDS
from .fold import Line, lines
from .maxima import SHOWN, cases, items, left_out
from .memory import PHASES, Memory
from .results import _folded_note
from .table import NOTHING, Table, mebibytes, percent, shape

LABELS = {
    "parameters": "parameters", "buffers": "buffers", "inputs": "inputs", "gradients": "gradients",
    "optimizer": "optimizer state", "saved": "saved activations", "output": "output and loss",
    "temporary": "temporaries", "workspace": "workspaces",
}  # fmt: skip
MIB = 1 << 20
FEW = 4  # formulas that are shown of the largest of many, where it is not the peak of all


def sections(memory: Memory, depth: int | None, expand: bool) -> list[Table]:
    """Where the bytes go, the peak of each phase, every layer."""
    return [_kinds(memory), _phases(memory), _layers(memory, depth, expand)]


class Unit:
    """One unit for all numbers of a column: MiB where any of them has one, else bytes."""

    def __init__(self, sizes):
        known = [size for size in sizes if size is not None]
        self.free = any(isinstance(size, Formula) for size in known)
        self.mib = not self.free and any(size >= MIB for size in known)

    @property
    def name(self) -> str:
        return "MiB" if self.mib else "bytes"

    def text(self, size) -> str:
        if size is None:
            return NOTHING
        if isinstance(size, Formula):
            return str(size)
        if not size:
            return NOTHING
        if not self.mib:
            return f"{size:,}"
        return f"{size / MIB:,.2f}" if size >= MIB / 100 else "< 0.01"


# -- what the table is about


def holds(memory: Memory) -> list[str]:
    """The sizes that formulas hold for."""
    if not isinstance(memory.peak.bytes, Formula) or not memory.conditions:
        return []
    return [f"Formulas hold where {' and '.join(memory.conditions)}: other sizes can be laid out in other ways."]


def _above(memory: Memory) -> list[str]:
    run = memory.simulated
    dtype = f"{run.dtype} with autocast to {run.amp}" if run.amp else run.dtype
    if not memory.trains:
        what = f"Inference: {dtype}; {_device(run.device)}."
    else:
        more = [f"{run.accumulate} micro-batches for one step"] if run.accumulate > 1 else []
        more += [f"checkpoint {run.checkpoint}"] if run.checkpoint else []
        what = f"Training: {'; '.join([dtype, f'optimizer {run.optimizer}', f'loss {run.loss}', *more, _device(run.device)])}."
    batch = f" (batch {run.batch})" if not isinstance(run.batch, Formula) else ""
    title = memory._title()[0]
    found = [title if batch and f"[{run.batch}," in title else title + batch, what, *peak_lines(memory)]
    return [*found, *holds(memory)]


def _device(profile) -> str:
    title = profile.title
    return title if profile.name in ("cpu", "cuda") else f"{title} ({profile.rules} rules)"


def peak_lines(memory: Memory) -> list[str]:
    peak = memory.peak
    if peak.candidates:
        shown = [
            (f"{_bytes(case.value)}  {case.when}", f"{_phase(one.phase)}, {_place(one.layer, one.event)}")
            for case, one in _cases(memory, peak.candidates)
        ]
        lines = [line for text, where in shown[:SHOWN] for line in (f"  {text}", f"      {where}")]
        rest = len(shown) - SHOWN
        return ["Peak: the largest of", *lines, *([f"  {left_out(rest)}"] if rest > 0 else [])]
    when = f"{_phase(peak.phase)}" + (f" of step {peak.step}" if memory.trains and peak.step else "")
    return [f"Peak: {exactly(peak.bytes)}, {when}, {_place(peak.layer, peak.event)}."]


def _cases(memory: Memory, may_be: tuple) -> list[tuple]:
    """The instants of a peak, each with the sizes for which it is the highest; the most important first."""
    leads = {number: one.lead for number, one in enumerate(may_be)}
    found = cases([one.bytes for one in may_be], memory.simulated.domain, leads)
    return [(case, may_be[case.number]) for case in found]


def _phase(name: str) -> str:
    return {**PHASES, "setup": "before the first step", "inference": "forward"}.get(name, name)


def _place(layer: str, what: str) -> str:
    where = f"at {layer}" if layer else "outside of the layers"
    return f"{where} ({what})" if what else where


def _bytes(size) -> str:
    return f"{size} bytes" if isinstance(size, Formula) else f"{size:,} bytes"


def exactly(size) -> str:
    text = mebibytes(size)
    return text if isinstance(size, Formula) or size < 1 << 10 else f"{text} ({size:,} bytes)"


# -- where the bytes go


def _kinds(memory: Memory) -> Table:
    most, live = memory.most, memory.peak.live
    kinds = [kind for kind in [*KINDS, *sorted({*most} - {*KINDS})] if kind in most]
    free = any(isinstance(size, Formula) for size in (*most.values(), memory.peak.bytes))
    unit = Unit([*most.values(), memory.peak.bytes])
    columns = [("Where the bytes go", "left", 0), (f"Most at a time ({unit.name})", "right", 0)]
    if free:
        rows = [row for kind in kinds for row in _rows_of(label(kind), most[kind], unit)]
        return Table([columns[0], (columns[1][0], "left", 0)], rows, None, _above(memory), [])
    columns += [(f"At the peak ({unit.name})", "right", 0), ("Share", "right", 0)]
    whole = memory.peak.bytes
    rows = [
        [label(kind), unit.text(most[kind]), unit.text(live.get(kind, 0)), percent(live.get(kind, 0), whole)]
        for kind in kinds
    ]
    sums = ["Peak", "", unit.text(whole), percent(whole, whole)]
    return Table(columns, rows, sums, _above(memory), [*_largest(memory), *_allocator(memory), *_unknown(memory)])


def _rows_of(name: str, size, unit: Unit) -> list[list[str]]:
    """A row for a size; for the largest of several a row for each."""
    terms = [unit.text(term) for term in items(size)]
    if len(terms) < 2:
        return [[name, unit.text(size)]]
    more = [["", f"... and {len(terms) - FEW} more"]] if len(terms) > FEW else []
    return [[name, "the largest of"], *(["", f"  {text}"] for text in terms[:FEW]), *more]


def label(kind: str) -> str:
    return LABELS.get(kind, kind)


def _largest(memory: Memory) -> list[str]:
    """The largest storages at the peak, equal ones together."""
    line = memory.timeline
    found: dict = {}
    for storage in line.largest(line.peak().event, 6):
        found.setdefault((storage.bytes, storage.what, label(storage.kind)), []).append(storage.layer)
    texts = []
    for (size, what, kind), layers in list(found.items())[:3]:
        count = f"{len(layers)} x " if len(layers) > 1 else ""
        where = f" of {layers[0]}" if layers[0] and layers[0] not in what else ""
        texts.append(f"{count}{mebibytes(size)} {what or kind}{where}{' ...' if len(layers) > 1 else ''}")
    return [f"Largest then: {'; '.join(texts)}"] if texts else []


def _allocator(memory: Memory) -> list[str]:
    usage = memory.allocated
    if usage is None:
        return []
    return [
        f"PyTorch will show: allocated {exactly(usage.allocated)}, reserved {exactly(usage.reserved)} "
        "(its caching allocator replayed; the CUDA context is outside of both)"
    ]


def _unknown(memory: Memory) -> list[str]:
    found = []
    for figure in memory.unknown:
        high = "no bound known" if figure.high is None else f"at most {mebibytes(figure.high)}"
        low = f"at least {mebibytes(figure.low)}, " if figure.low else ""
        found.append(f"Not in these numbers: {figure.name.replace('_', ' ')} ({low}{high}): {figure.source}")
    if memory.guessed_peak is not None:
        most = exactly(memory.guessed_peak)
        found.append(
            f"If each convolution's workspace stays within the bytes of its input, output and weight (a guess): peak at most {most}"
        )
    return found


# -- phases


def _phases(memory: Memory) -> Table:
    if not memory.trains:
        return _inference_phase(memory)
    steps = memory.timeline.steps
    entries = [
        (label, name, [memory.timeline.peak(name, step) for step in (steps[0], steps[-1])])
        for name, label in PHASES.items()
    ]
    entries = [entry for entry in entries if any(entry[2])]
    entries.append(("whole step", None, [memory.timeline.peak(None, step) for step in (steps[0], steps[-1])]))
    inference = None if memory.inference is None else memory.inference.peak()
    unit = Unit([inference and inference.bytes, *(peak.bytes for _, _, peaks in entries for peak in peaks if peak)])
    if unit.free:
        return _free_phases(memory, inference, entries)
    columns = [("Peak of each phase", "left", 0), (f"First step ({unit.name})", "right", 0), (f"Later steps ({unit.name})", "right", 0),
               ("Layer", "left", 1)]  # fmt: skip
    rows = []
    if inference is not None:
        rows.append(["inference forward", *[unit.text(inference.bytes)] * 2, _layer_of(inference)])
    for label, name, (first, later) in entries:
        shown = later or first
        where = _layer_of(shown)
        if name is None:
            where = ", ".join([_phase(shown.phase.name), *([shown.layer] if shown.layer else [])])
        rows.append([label, *(unit.text(peak and peak.bytes) for peak in (first, later)), where])
    if steps[0] == steps[-1]:
        columns, rows = [columns[0], *columns[2:]], [[row[0], *row[2:]] for row in rows]
    return Table(columns, rows, None, [], _course(memory))


def _free_phases(memory: Memory, inference, entries: list) -> Table:
    """The phases while sizes are free: a row for each formula that is the peak for some sizes."""
    columns = [("Peak of each phase", "left", 0), ("Step", "left", 0), ("Bytes", "left", 0), ("Layer", "left", 1),
               ("Where it is the largest", "left", 2)]  # fmt: skip
    rows = [] if inference is None else _phase_rows(memory, "inference forward", "", inference)
    for title, _, (first, later) in entries:
        if first and later and str(first.bytes) == str(later.bytes):
            rows += _phase_rows(memory, title, "every", later)
        else:
            rows += _phase_rows(memory, title, "first", first) if first else []
            rows += _phase_rows(memory, title, "later", later) if later else []
    return Table(columns, rows, None, [], _course(memory))


def _phase_rows(memory: Memory, title: str, step: str, peak) -> list[list[str]]:
    if not peak.candidates:
        return [[title, step, str(peak.bytes), peak.layer or NOTHING, ""]]
    may_be = tuple(memory.may_be(one) for one in peak.candidates)
    found = _cases(memory, may_be)
    rows = [["", "", str(case.value), one.layer or NOTHING, case.when] for case, one in found[:FEW]]
    rows[0][:2] = [title, step]
    return rows + ([["", "", f"... and {len(found) - FEW} more", "", ""]] if len(found) > FEW else [])


def _inference_phase(memory: Memory) -> Table:
    peak = memory.timeline.peak()
    if isinstance(peak.bytes, Formula):
        return _free_phases(memory, peak, [])
    unit = Unit([peak.bytes])
    columns = [("Peak of each phase", "left", 0), (f"Bytes ({unit.name})", "right", 0), ("Layer", "left", 1)]
    return Table(columns, [["inference forward", unit.text(peak.bytes), _layer_of(peak)]], None, [], _course(memory))


def _layer_of(peak) -> str:
    return peak.layer or NOTHING


def _course(memory: Memory) -> list[str]:
    run, course = memory.simulated, memory.simulated.course
    batch = run.batch
    known = not isinstance(batch, Formula)
    found = [
        f"The course's estimate, with M = {mebibytes(course.parameters)} of parameters, m = {mebibytes(course.activations_per_sample)} "
        f"of layer outputs per sample and B = {batch if known else f'{batch} samples'}:",
        f"  forward M + B*m = {mebibytes(course.forward(batch))}; with backward 2*M + B*m = {mebibytes(course.forward_backward(batch))}",
    ]
    return [*found, *run.notes, *_routed(memory)]


def _routed(memory: Memory) -> list[str]:
    if memory.routed_peak is None:
        return []
    most = "this one" if memory.routed_peak == memory.peak.bytes else exactly(memory.routed_peak)
    return [f"Whatever tokens go to which expert, the peak is at most {most}."]


# -- layers


def _layers(memory: Memory, depth: int | None, expand: bool) -> Table:
    shown = lines(memory.graph, memory.facts, depth, expand)
    layers = memory.simulated.layers
    sizes = [sum(layer.output_bytes for layer in layers), sum(layer.saved_bytes for layer in layers)]
    unit = Unit(sizes)
    columns = [("Layer (type)", "left", 0), ("Output Shape", "left", 1), (f"Output ({unit.name})", "right", 0)]
    columns += [(f"Saved ({unit.name})", "right", 0), ("What is saved", "left", 2)] if memory.trains else []
    rows = []
    for line in shown:
        found = [memory.by_row[id(row)] for row in line.rows]
        row = [line.title, shape(line.output), unit.text(sum(layer.output_bytes for layer in found))]
        if memory.trains:
            row += [unit.text(sum(layer.saved_bytes for layer in found)), _saved(memory, line)]
        rows.append(row)
    rows += [
        _loss_row(memory, row, unit) for row in memory.facts if any(row.node is node for node in memory.graph.loss)
    ]
    sums = ["Total", "", unit.text(sizes[0]), *([unit.text(sizes[1]), ""] if memory.trains else [])]
    return Table(columns, rows, sums, [], [*_reading(memory), *_folded_note(shown)])


def _loss_row(memory: Memory, row, unit: Unit) -> list:
    """A layer of the loss: it is no part of the model, but what it keeps is there during the backward pass."""
    layer = memory.by_row[id(row)]
    named = [f"{t.what} of {t.shared_with}" if t.shared_with else t.what for t in layer.saved]
    return [f"{row.path} ({row.type})", shape(row.output), unit.text(layer.output_bytes), unit.text(layer.saved_bytes),
            "; ".join(dict.fromkeys(named))]  # fmt: skip


def _reading(memory: Memory) -> list[str]:
    if not memory.trains:
        return []
    found = [
        "Saved: kept for the backward pass, each storage counted once; `of x`: counted at x, which made or saved it first."
    ]
    if any(t.what == "input" and not t.shared_with for t in memory.simulated.layers[0].saved):
        found.append("What the first layer saves is the batch itself, which counts as inputs above.")
    return (
        found
        if any(t.shared_with for layer in memory.simulated.layers for t in layer.saved)
        else [found[0].split(";")[0] + ".", *found[1:]]
    )


def _saved(memory: Memory, line: Line) -> str:
    """What a layer saves, by whose it is; of layers summed up, how many tensors."""
    found = [memory.by_row[id(row)].saved for row in line.rows]
    if line.copies != len(line.rows) or len({tuple(tensor.what for tensor in saved) for saved in found}) > 1:
        count = sum(not tensor.shared_with for saved in found for tensor in saved)
        return f"{count} tensors" if count != 1 else "1 tensor"
    named: dict[str, list[str]] = {}
    for place, tensor in enumerate(found[0]):
        owners = {
            _in_copy(saved[place].shared_with, row.path, line.label)
            for saved, row in zip(found, line.rows, strict=True)
        }
        first = _in_copy(tensor.shared_with, line.rows[0].path, line.label)
        named.setdefault(first + " ..." * (len(owners) > 1), []).append(tensor.what)
    return "; ".join(_listed(what) + _owner(owner) for owner, what in named.items())


def _listed(words: list[str]) -> str:
    """The words in their order, each once with how often it comes."""
    return ", ".join(f"{count} x {word}" if count > 1 else word for word, count in Counter(words).items())


def _owner(name: str) -> str:
    if name in ("", "input"):
        return " (the batch)" if name else ""
    return f" of {name}"


def _in_copy(name: str, path: str, label: str) -> str:
    """A layer's name with the mark of the folded copies in it: `layer1.0.conv1` beside `layer1.0.bn1`, which is shown as
    `layer1.0-1.bn1`, is `layer1.0-1.conv1`."""
    own, shown, parts = path.split("."), label.split("."), name.split(".")
    at = next((i for i, (a, b) in enumerate(zip(own, shown, strict=False)) if a != b), len(own))
    if at >= min(len(own), len(shown)) or parts[: at + 1] != own[: at + 1]:
        return name
    return ".".join([*parts[:at], shown[at], *parts[at + 1 :]])
