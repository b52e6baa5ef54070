"""Explanations: how the figures of a layer come about, and where those of a network are.

An `Explanation` is a heading, sections of steps and sentences, and notes; `blackboard` writes it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .. import facts
from ..arith import Formula, Traced, named, plain, prod
from ..errors import NetcalcError, closest
from ..facts import Row
from ..graph import Graph, Node
from . import receptive, saved
from .derivation import Derivation, Step, derive, named_output
from .fold import lines
from .notation import Text
from .table import dimensions, exact, percent, shape

SHOWN = 8  # layers that an explanation of totals names, one by one


class Section(NamedTuple):
    """Some figures that belong together."""

    title: str
    steps: tuple = ()  # of Step
    texts: tuple = ()  # sentences or lines of a list


class Explanation(NamedTuple):
    """What is known about one layer or network, with how it comes about."""

    title: str
    sections: tuple
    notes: tuple = ()
    data: dict = {}

    def format(self, format: str = "text") -> str:
        """As text, markdown, latex, html or json."""
        from . import blackboard

        return blackboard.written(self, format)

    def to_dict(self) -> dict:
        """What `--format json` prints."""
        sections = [
            {"title": s.title, "steps": [_step(step) for step in s.steps], "texts": list(s.texts)}
            for s in self.sections
        ]
        return {**self.data, "title": self.title, "sections": sections, "notes": list(self.notes)}

    def __str__(self):
        return self.format()

    def _repr_html_(self):
        return self.format("html")


def _step(step: Step) -> dict:
    return {
        "label": step.label,
        "sign": step.sign,
        "formula": Text()(step.tree),
        "substitution": Text(values=True)(step.tree),
        "value": exact(step.value),
        "note": step.note,
    }


# -- one layer


def layer(graph: Graph, name: str, memory=None) -> Explanation:
    """The figures of one layer, derived from its own rules. Work is for one sample where the batch is free. memory: gives
    the `Memory` of the network, for what the layer keeps."""
    node = _found(graph, name)
    sizes = {graph.batch: 1} if graph.batch in graph.free else {}
    row = next(row for row in facts.rows(graph, sizes) if row.node is node)
    found = derive(node.layer, node.shapes, sizes, row.gradients)
    sections = [
        Section("Output", _likewise(found.outputs)),
        Section("Parameters", _with_sum(found.params, row.params if node.original is None else None)),
        Section("Buffers", tuple(found.buffers)),
        Section(_work_title(graph, sizes), _work(found, row)),
        *receptive.sections(graph, node),
        *_fully_connected(node, found, sizes),
        *(saved.sections(memory, node, found) if memory else ()),
    ]
    title = f"{node.path} ({node.type})  {', '.join(map(shape, node.shapes)) or 'no input'} -> {_outputs(node)}"
    data = {
        "name": node.path,
        "type": node.type,
        "inputs": [dimensions(size) for size in node.shapes],
        "output": dimensions(node.outputs[0].shape),
    }
    kept = tuple(section for section in sections if section.steps or section.texts)
    return Explanation(title, kept, tuple(_notes(graph, node, row)), data)


def _outputs(node: Node) -> str:
    return ", ".join(shape(value.shape) for value in node.outputs[: len(node.parts or (0,))])


def _found(graph: Graph, name: str) -> Node:
    """The first run of the layer of that name."""
    named_so = [node for node in graph.nodes if node.path == name]
    ending = [node for node in graph.nodes if node.path.endswith(f".{name}")]
    if named_so or len({node.path for node in ending}) == 1:
        return (named_so or ending)[0]
    inside = [node.path for node in graph.nodes if node.path.startswith(f"{name}.")]
    paths = list(dict.fromkeys(node.path for node in graph.nodes))
    if inside:
        raise NetcalcError(f"error: `{name}` is a module of several layers\n  help: name one of them: {_some(inside)}")
    if ending:
        raise NetcalcError(f"error: several layers are called `{name}`\n  help: write the whole name: {_some([n.path for n in ending])}")  # fmt: skip
    near = closest(name, paths)
    help = f"did you mean `{near}`? " if near else ""
    raise NetcalcError(f"error: there is no layer `{name}`\n  help: {help}The layers are {_some(paths)}")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _likewise(steps: list[Step]) -> tuple:
    """The width said in short where it comes about as the height does."""
    found, before = [], None
    for step in steps:
        if before is not None and _renamed(step, before.sign) == _renamed(before, before.sign):
            step = step._replace(tree=step.value, note=f"as the {before.label}")
        elif step.sign and isinstance(step.tree, Traced) and step.tree.op != "name":
            before = step
        found.append(step)
    return tuple(found)


def _renamed(step: Step, sign: str) -> tuple:
    """The derivation of a step with its own letter as that of another sign."""
    own, other = step.sign.removesuffix("_out"), sign.removesuffix("_out")
    text = Text()(step.tree)
    return (re.sub(rf"\b{own}\b", other, text) if own else text), Text(values=True)(step.tree)


def _with_sum(steps: list[Step], params) -> tuple:
    """The tensors, and their sum where there are several."""
    if len(steps) < 2 or params is None:
        return tuple(steps)
    tree = plain(params)
    if len(steps) <= 4 and not any(step.note for step in steps):
        tree = sum(named(step.label, step.value) for step in steps)
    return (*steps, Step("together", "", tree, params))


def _work_title(graph: Graph, sizes: dict) -> str:
    return f"Work, for {' and '.join(f'{name} = {value}' for name, value in sizes.items())}" if sizes else "Work"


def _work(found: Derivation, row: Row) -> tuple:
    """MACs, other operations, FLOPs and the MACs of the backward pass; none of a layer without work."""
    steps = [step for step in (found.macs, found.other) if _something(step.value)]
    if len(steps) == 2:
        macs, other = named("MACs", found.macs.value), named("other", found.other.value)
        steps.append(Step("FLOPs", "", 2 * macs + other, 2 * found.macs.value + found.other.value))
    if found.backward is not None and _something(found.backward.value):
        needed, trains = row.gradients
        wanted = [*(["the weights"] if trains and row.node.params else []), *(["the input"] if any(needed) else [])]
        steps.append(found.backward._replace(note=f"gradients of {' and '.join(wanted)}"))
    return tuple(steps)


def _something(value) -> bool:
    return not isinstance(value, int) or value != 0


def _fully_connected(node: Node, found: Derivation, sizes: dict) -> list[Section]:
    """What a layer with shared weights would cost if every output had a weight for every input."""
    weight = next((step for step in found.params if step.label == "weight"), None)
    if not (node.layer.spatial and weight) or not all(isinstance(size, Traced) for size in found.inputs[0]):
        return []
    ins = prod(found.inputs[0][1:])
    outs = prod(named_output(node.layer, found.shape, found.inputs)[1:])
    full = ins * outs
    texts = []
    if isinstance(plain(full), int) and isinstance(weight.value, int):
        texts.append(f"Sharing weights over positions needs one in {plain(full) / weight.value:,.0f} of them.")
    return [Section("Compared with a fully connected layer", (Step("weights", "", full, plain(full)),), tuple(texts))]


def _notes(graph: Graph, node: Node, row: Row):
    """What to know about the figures: conventions that differ, weights that are shared, copies, conditions."""
    runs = sum(1 for other in graph.nodes if other.path == node.path)
    if runs > 1:
        yield f"It runs {runs} times; this is the first. Its weights are counted once, its work each time."
    for name, (other, its) in node.tied.items():
        yield f"{name} is {other.key(its)}: it is counted there."
    if node.frozen and node.params:
        yield "Its parameters are frozen: they are in the total, but do not train."
    if not (type(node.times) is int and node.times == 1):
        yield f"It stands for {node.times} equal layers; the figures here are those of one."
    if row.work.unmodelled:
        yield f"Not modelled, so the work is a lower bound: {row.work.unmodelled}."
    yield from node.layer.conventions(*node.shapes)


# -- a whole network


def network(graph: Graph, memory=None) -> Explanation:
    """Where the parameters, the work and the activations of a network are; and, by its `memory`, where the peak is."""
    sizes = {graph.batch: 1} if graph.batch in graph.free else {}
    rows = facts.rows(graph, sizes)
    at = f" for {', '.join(f'{n} = {v}' for n, v in sizes.items())}" if sizes else ""
    figures = (("Parameters", "params", ""), ("MACs", "macs", at), ("Activations (elements of all outputs)", "activations", at))  # fmt: skip
    sections = [_shares(graph, rows, title, name, where) for title, name, where in figures]
    name = graph.spec.name + (f" ({graph.variant})" if graph.variant else "")
    given = ", ".join(f"{n} {shape(v.shape)}" for n, v in graph.inputs.items())
    data = {"model": graph.spec.name, "variant": graph.variant}
    notes = ("`netcalc explain SPEC LAYER` derives the numbers of one layer.",)
    return Explanation(f"{name}: {given}", (*sections, *(saved.peak(memory) if memory else ())), notes, data)


def _shares(graph: Graph, rows: list[Row], title: str, name: str, at: str) -> Section:
    """The largest of the lines of a table, and the shares of the kinds of layer."""
    shown = [(line, line.sum(name)) for line in lines(graph, rows)]
    whole = sum(value for _, value in shown)
    if isinstance(whole, Formula) and len([value for _, value in shown if _something(value)]) > SHOWN:
        kinds: dict = {}
        for line, value in shown:
            kinds[line.type] = kinds.get(line.type, 0) + value
        return Section(f"{title}{at}: {whole}", (), tuple(f"{k}: {v}" for k, v in kinds.items() if _something(v)))
    if isinstance(whole, Formula):
        kept = [f"{line.title}: {value}" for line, value in shown if _something(value)]
        return Section(f"{title}{at}: {whole}", (), tuple(kept))
    ranked = sorted(((line, value) for line, value in shown if value), key=lambda pair: -pair[1])
    left = sum(value for _, value in ranked[SHOWN:])
    texts, width = [], len(f"{max(left, ranked[0][1] if ranked else 0):,}")
    for line, value in ranked[:SHOWN]:
        texts.append(f"{percent(value, whole):>6}  {value:>{width},}  {line.title}")
    if left:
        more = sum(line.copies for line, _ in ranked[SHOWN:])
        texts.append(f"{percent(left, whole):>6}  {left:>{width},}  {more} more layers")
    kinds: dict[str, int] = {}
    for line, value in ranked:
        kinds[line.type] = kinds.get(line.type, 0) + value
    by_kind = sorted(kinds.items(), key=lambda pair: -pair[1])[:4]
    if len(kinds) > 1:
        texts.append(f"By kind: {', '.join(f'{kind} {percent(value, whole)}' for kind, value in by_kind)}")
    return Section(f"{title}{at}: {whole:,}", (), tuple(texts))
