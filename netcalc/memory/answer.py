"""`net.memory(...)`: the options of a run to the rules of a simulation, and its traces to what the report prints."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple

from .. import facts
from ..arith import Condition, Domain, assuming, at, symbol
from ..errors import NetcalcError, closest
from ..graph import Graph, Node, Scope
from ..language.names import DTYPE_BYTES
from ..report.memory import Course, LayerMemory, Memory, SavedTensor, Simulated
from ..report.sample import sample
from . import profiles, routed, simulate, unknown
from .conflicts import OF_A_STEP, OF_THE_OPTIMIZER, refuse, refuse_conflicts
from .optimizers import settled
from .simulate import Result, Run
from .tape import Rules, Trace


def memory(
    net, batch: int | None = None, *, dtype: str = "float32", amp: str | None = None, optimizer: str = "none",
    implementation: str | None = None, momentum=None, weight_decay=None, centered: bool = False, maximize: bool = False,
    inference: bool = False, device: str = "cpu", checkpoint=(), accumulate: int = 1, drop_output: bool = False,
    freeze: str | None = None, inplace: bool = False, symbolic: bool = False,
) -> Memory:  # fmt: skip
    """The memory of a training step of the exported module, in bytes; with `inference` of a forward pass only.

    batch: the value of the batch dimension, of all micro-batches together; 1 where it has none. The other options are
    those of `netcalc memory`; symbolic: a batch without a value stays a symbol. Raises NetcalcError for what cannot be simulated.
    """
    given = {
        "dtype": dtype, "amp": amp, "optimizer": optimizer, "implementation": implementation, "momentum": momentum,
        "weight_decay": weight_decay, "centered": centered, "maximize": maximize, "inference": inference,
        "checkpoint": checkpoint, "accumulate": accumulate, "drop_output": drop_output, "freeze": freeze, "inplace": inplace,
    }  # fmt: skip
    refuse_conflicts(given)
    graph, profile = net.graph, profiles.load(device)
    sizes, count = _sizes(net, batch, accumulate, symbolic)
    run = _run(graph, profile, given)
    emitter = net.exported().emitter
    point = sample(graph, sizes)
    with assuming(point) as assumed:
        forward = _simulated(graph, emitter, sizes, run, True)
        trained = None if inference else _simulated(graph, emitter, sizes, run, False)
    table = facts.rows(graph, sizes, loss=not inference)
    named = _named_optimizer(given, run.rules)
    return Memory(
        Simulated(
            graph, table, layers(table, trained or forward), None if trained is None else trained.trace,
            forward.trace, course(graph, table, sizes, dtype), count, dtype, named, _loss(graph), profile,
            amp, " ".join(checkpoint) if checkpoint else None, accumulate,
            lambda: _flops(table, run.checkpoint, inference) * accumulate,
            unknown.figures(table, profile, amp or dtype, inference), unknown.estimated(table, profile, amp or dtype, inference),
            _domain(graph, sizes, assumed.taken, point), _routed(graph, emitter, sizes, run, table, inference),
        )
    )  # fmt: skip


def _domain(graph: Graph, sizes: dict, assumed: tuple[Condition, ...], point: dict) -> Domain:
    """The sizes that the spec allows and that run as the sample does."""
    return Domain([*graph.open_conditions(sizes), *assumed], point)


def _routed(graph: Graph, emitter, sizes: dict, run: Run, table: list[facts.Row], inference: bool):
    """A function that gives the peak whatever routers do; None where there are none, or where sizes are free."""
    different = routed.mixtures(table)
    if not different:
        return None
    columns = routed.Columns(different)

    run = run._replace(share=columns.share)
    return lambda: columns.highest(_simulated(graph, emitter, sizes, run, inference).trace)


def _simulated(graph: Graph, emitter, sizes: dict, run: Run, inference: bool) -> Result:
    """Training steps, or a forward pass only."""
    if inference:
        return simulate.inference(graph, emitter, sizes, run.rules, run.share)
    return simulate.training(graph, emitter, sizes, run)


class Step(NamedTuple):
    """The trace of a training step, or of an inference, on symbols. assumed: what was noted of the sample, `point`."""

    trace: Trace
    assumed: tuple[Condition, ...]
    point: dict

    def domain(self, allowed=()) -> Domain:
        """The designs that run like that, of those that are allowed by some conditions."""
        return Domain([*allowed, *self.assumed], self.point)


def step(net, point: dict, **options) -> Step:
    """What `memory` takes the peak of, for all designs that run as one of them does. The options are those of `memory`
    but for `accumulate`.

    point: the values of that design for what is free in the network. A batch that it does not name is 1.
    """
    unknown_names = [name for name in options if name not in OF_A_STEP]
    if unknown_names:
        raise TypeError(f"a step has no option {unknown_names[0]!r}")
    given = {**memory.__kwdefaults__, **options}
    refuse_conflicts(given)
    graph = net.graph
    run = _run(graph, profiles.load(given["device"]), given)
    sizes = {graph.batch: 1} if graph.batch in graph.free and graph.batch not in point else {}
    emitter = net.exported().emitter
    with assuming(point) as assumed:
        found = _simulated(graph, emitter, sizes, run, given["inference"])
    return Step(found.trace, assumed.taken, point)


def _run(graph: Graph, profile, given: dict) -> Run:
    """How a step is run, by the options of `memory`; for as many steps as differ."""
    rules = Rules(cuda=profile.rules == "cuda", autocast=given["amp"], dtype=given["dtype"])
    rules = rules._replace(onednn=profile.value("onednn", rules.onednn))
    options = {name: given[name] for name in OF_THE_OPTIMIZER}
    optimizer = None if given["optimizer"] == "none" else given["optimizer"]
    steps = 2 if optimizer is None else settled(optimizer, options, rules.cuda)
    return Run(
        rules, optimizer, options, steps, given["drop_output"], given["accumulate"],
        chosen_layers(graph, given["checkpoint"]), frozen(graph, given["freeze"]), given["inplace"],
    )  # fmt: skip


def _sizes(net, batch: int | None, accumulate: int, symbolic: bool):
    """A value for the batch dimension of one micro-batch, and the batch as a whole."""
    name = net.graph.batch
    if batch is not None and type(batch) is not int:
        refuse(f"a batch is one whole number, not {type(batch).__name__}",
               'many at once: net.sweep({"N": range(1, 1001)}, columns="peak")')  # fmt: skip
    if name is None or name not in net.graph.free:
        if batch is not None:
            given = net.given.get(name) if name else None
            if given != batch:
                raise NetcalcError(
                    "error: the batch is fixed in this spec, so --batch cannot set it"
                    if name is None
                    else f"error: {name} is {given} already, so --batch {batch} cannot set it"
                )
        if accumulate > 1:
            refuse("--accumulate cuts the batch into micro-batches, and the size of this one is fixed",
                   "leave the dimension free and give its value with --batch" if name else "make its first dimension a name")  # fmt: skip
        return {}, batch if batch is not None else (net.given.get(name, 1) if name else 1)
    if batch is None and accumulate > 1:
        refuse(
            "--accumulate cuts the batch into micro-batches, and no batch is given",
            f"for example --batch {4 * accumulate}",
        )
    if batch is None and (symbolic or name in net.free_names):
        return {}, symbol(name)
    whole = 1 if batch is None else batch
    if whole % accumulate:
        refuse(f"--batch {whole} cannot be cut into {accumulate} equal micro-batches", "choose a divisor of the batch")
    return {name: whole // accumulate}, whole


# -- which layers


def chosen_layers(graph: Graph, names) -> frozenset[str]:
    """The paths of modules that patterns name: `h.*`, or `blocks` and `blocks:2` for every block and every second."""
    found: set[str] = set()
    names = (names,) if isinstance(names, str) else names
    paths = [member.path for member in _members(graph.root) if member.path]
    for name in names:
        word, _, step = name.partition(":")
        if word == "blocks" and (not step or (step.isdigit() and int(step) > 0)):
            blocks = repeated_blocks(graph.root)
            if not blocks:
                raise NetcalcError("error: --checkpoint blocks: this network has no row of blocks\n"
                                   "  help: name layers, for example --checkpoint 'features.*'")  # fmt: skip
            found.update(scope.path for scope in blocks[:: int(step or 1)])
            continue
        matched = [path for path in paths if fnmatchcase(path, name)]
        if not matched:
            near = next((path for path in paths if path.endswith(f".{name}")), None) or closest(name, paths)
            raise NetcalcError(f"error: --checkpoint: there is no layer `{name}`\n"
                               f"  help: {f'did you mean `{near}`? ' if near else ''}`netcalc shapes` lists them")  # fmt: skip
        found.update(matched)
    return frozenset(found)


def _members(scope: Scope):
    for member in scope.members:
        yield member
        if isinstance(member, Scope):
            yield from _members(member)


def repeated_blocks(scope: Scope) -> list[Scope]:
    """The blocks that stand in a row: the outermost level that has at least two of them."""
    level = [member for member in _level(scope) if isinstance(member, Scope)]
    if len(level) > 1:
        return level
    return [found for block in level for found in repeated_blocks(block)]


def _level(scope: Scope):
    for member in scope.members:
        if isinstance(member, Node) or member.kind == "block":
            yield member
        else:
            yield from _level(member)


def frozen(graph: Graph, what: str | None) -> frozenset[int]:
    """The layers (by id) that `freeze` keeps from training: "all but last"."""
    if what is None:
        return frozenset()
    if what != "all but last":
        raise NetcalcError(f"error: freeze can be `all but last`, not `{what}`")
    owners = [node for node in graph.nodes if node.params and node.original is None]
    if len(owners) < 2 or any(node.tied for node in owners[-1:]):
        raise NetcalcError("error: there is no last layer with parameters of its own to train alone")
    return frozenset(id(node) for node in owners[:-1])


# -- what is known of the layers


def layers(table: list[facts.Row], result: Result) -> list[LayerMemory]:
    """The output and the saved tensors of each row; each storage counts at the row that saved it first."""
    by: dict[int, list[SavedTensor]] = {}
    made_by = {id(storage): node for node, storages in result.rows for storage in storages}
    for saved in result.saved:
        storage = saved.storage
        if type(storage.bytes) is int and storage.bytes == 0:
            continue
        owner = made_by.get(id(storage))
        (layer, call), *others = saved.kept
        what = ("result" if owner is call else "input") if owner or storage.kind == "inputs" else storage.what
        shared = tuple(dict.fromkeys(path for path, _ in others))
        by.setdefault(id(call), []).append(SavedTensor(what, storage.bytes, "", *saved.kept[layer, call], shared))
        for path, other in others:
            also = "result" if owner is other else what if what != "result" else "input"
            by.setdefault(id(other), []).append(SavedTensor(also, storage.bytes, layer, *saved.kept[path, other]))
    return [LayerMemory(result.outputs[id(row.node)], tuple(by.get(id(row.node), ()))) for row in table]


def course(graph: Graph, table: list[facts.Row], sizes: dict, dtype: str) -> Course:
    """The estimate that is taught, with the outputs of one sample."""
    size = DTYPE_BYTES[dtype]
    one = facts.rows(graph, {**sizes, graph.batch: 1} if graph.batch in graph.free else sizes)
    parameters = at(sum(row.params for row in table), sizes) * size
    return Course(parameters, sum(row.activations for row in one) * size)


def _flops(table: list[facts.Row], marked: frozenset[str], inference: bool):
    """The FLOPs of a step: forward, backward, and forward once more where activations are recomputed."""
    if inference:
        return sum(row.flops for row in table)
    again = [row for row in table if row.node.segment or _inside(row.path, marked)]
    return sum([row.flops + row.backward_flops for row in table]) + sum(row.flops for row in again)


def _inside(path: str, marked: frozenset[str]) -> bool:
    if not marked:
        return False
    parts = path.split(".")
    return any(".".join(parts[:end]) in marked for end in range(1, len(parts) + 1))


def _named_optimizer(given: dict, rules: Rules) -> str:
    name = given["optimizer"]
    if name == "none":
        return "none"
    how = given["implementation"] or ("foreach" if rules.cuda else "for-loop")
    said = [f"{word.replace('_', ' ')} {given[word]}" for word in ("momentum", "weight_decay") if given[word]]
    return f"{name} ({', '.join([how, *said])})"


def _loss(graph: Graph) -> str:
    return ", ".join(node.type for node in graph.loss) if graph.loss else "mean of the outputs (the spec has no loss)"
