"""The exported module at work on tensors without values: the steps of its forwards, with Python's lifetimes.

A variable holds its tensor until it is assigned again or its forward returns; what a module is called with is held by the
caller until it returns.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import NetcalcError
from ..export.module import Emitter
from ..export.plan import Plan
from ..export.steps import states_hidden
from ..graph import Graph, Node, Scope
from .checkpoint import recomputed
from .ops import Operations
from .tensors import Tensor


class Weights:
    """The parameters and buffers of one layer as tensors, by PyTorch's names; None for what it does not have."""

    __slots__ = ("found", "node")

    def __init__(self, node: Node, found: dict[str, Tensor]):
        self.node, self.found = node, found

    def __getitem__(self, name: str) -> Tensor | None:
        return self.found.get(name)


class Program:
    """Runs the forward of a model on a tape. tensors: its parameters and buffers by their state_dict keys."""

    def __init__(self, graph: Graph, emitter: Emitter, op: Operations, tensors: dict[str, Tensor],
                 checkpoint: frozenset = frozenset()):  # fmt: skip
        self.checkpoint = checkpoint  # paths of modules that are recomputed, beside the spec's own marks
        self.overwriting: frozenset = frozenset()  # layers (by id) that are made in-place
        self.graph, self.emitter, self.op, self.tensors = graph, emitter, op, tensors
        self.weights: dict[int, Weights] = {}
        self.inside = ""  # the module that is being recomputed
        self.rows: list[tuple[Node, object]] = []  # (layer, storage of its output) in the order of execution
        self.outputs: dict[int, object] = {}  # bytes of what each layer (by id) gives
        self.model = emitter.written.plans[graph.spec.name]

    def forward(self, inputs: list[Tensor]) -> list[Tensor]:
        """The outputs of the model."""
        if self.model.forward is None:
            return [self.chain(self.graph.root.members, inputs)]
        return self.run(self.model, self.graph.root, inputs)

    # -- modules

    def call(self, member, inputs: list[Tensor]) -> list[Tensor]:
        """Call a layer, block or group."""
        if member.path in self.checkpoint and self.op.grad_mode and member.path != self.inside:
            self.inside, before = member.path, self.inside
            outputs = recomputed(self.op, lambda given: self._marked(member, given), inputs)
            self.inside = before
            return outputs
        return self._call(member, inputs)

    def _marked(self, member, inputs: list[Tensor]) -> list[Tensor]:
        before, self.inside = self.inside, member.path
        try:
            return self._call(member, inputs)
        finally:  # a recomputation stops in the middle
            self.inside = before

    def _call(self, member, inputs: list[Tensor]) -> list[Tensor]:
        if isinstance(member, Node):
            return self.leaf(member, inputs)
        before, self.op.module = self.op.module, member.path
        plan = self.plan_of(member)
        if plan is not None and plan.forward is not None:
            outputs = self.run(plan, member, inputs)
        else:
            outputs = [self.chain(member.members, inputs)]
        self.op.module = before
        return outputs

    def plan_of(self, scope: Scope) -> Plan | None:
        return self.emitter.plan(scope) if scope.kind == "block" else self.emitter.group_of(scope)

    def chain(self, members: list, inputs: list[Tensor]) -> Tensor:
        """nn.Sequential: each element gets what the one before gave. The caller holds the inputs."""
        x = inputs[0]
        for member in members:
            x = self.call(member, [x])[0]
        return x

    def leaf(self, node: Node, inputs: list[Tensor]) -> list[Tensor]:
        before = self.op.layer, self.op.node
        self.op.enter(node.path)
        self.op.node = node
        self.op.overwrites = id(node) in self.overwriting
        made = node.layer.eager(self.op, self.weights_of(node), *inputs)
        outputs = self.noted(node, made)
        storages = []
        for output in outputs:
            if output is not None:
                storage = output.storage
                storages.append(storage)
                if not storage.what:
                    storage.what = "output"
        self.rows.append((node, storages))
        self.op.enter(before[0])
        self.op.node = before[1]
        return outputs

    def noted(self, node: Node, made) -> list[Tensor]:
        """What a layer gives, as a list; its bytes are kept."""
        outputs = made if isinstance(made, list) else [made]
        if id(node) not in self.outputs:
            self.outputs[id(node)] = sum(output.bytes for output in outputs if output is not None)
        return outputs

    def weights_of(self, node: Node) -> Weights:
        holder = node.original or node
        found = self.weights.get(id(holder))
        if found is None:
            names = [*holder.params, *holder.buffers]
            found = Weights(holder, {name: self.tensors[holder.key(name)] for name in names})
            self.weights[id(holder)] = found
        return found

    # -- forwards

    def run(self, plan: Plan, scope: Scope, inputs: list[Tensor]) -> list[Tensor]:
        """The forward of a class, as an instance runs it."""
        at, actual = self.instance(plan, scope)
        held = dict(zip(plan.inputs.values(), inputs, strict=False))
        frame = Frame(self, plan, at, actual, held)
        frame.steps(plan.forward.steps)
        return [frame.read(text) for text in plan.returned]

    def instance(self, plan: Plan, scope: Scope) -> tuple[int, dict]:
        """Which of the plan's instances an instance is like, and its own members for those of that one."""
        scopes = [known for _, known, _ in plan.scopes]
        at = next((k for k, known in enumerate(scopes) if known is scope), None)
        if at is not None:
            return at, {}
        if scope.kind == "block":
            at = next(k for k, known in enumerate(scopes) if known is self.emitter.twins.first(scope))
        else:
            at = next((k for k, known in enumerate(scopes) if known.path == scope.path), None)
            if at is None:
                first = self.emitter.twins.counterpart(self.emitter.originals[scope.path])
                at = next(k for k, known in enumerate(scopes) if id(known) == first)
        pairs = zip(_own(scopes[at]), _own(scope), strict=True)
        return at, {id(known): member for known, member in pairs}


def _own(scope: Scope) -> Iterator:
    """What runs in a body, in its groups too, not inside its blocks."""
    for member in scope.members:
        yield member
        if isinstance(member, Scope) and member.kind != "block":
            yield from _own(member)


class Frame:
    """One run of a forward: its variables."""

    def __init__(self, program: Program, plan: Plan, at: int, actual: dict, held: dict[str, Tensor]):
        self.program, self.plan, self.at, self.actual, self.held = program, plan, at, actual, held

    def steps(self, steps):
        for step in steps:
            getattr(self, step.kind)(step)

    def copy(self, step):
        self.held[step.targets[0]] = self.read(step.reads[0])

    def source(self, step):
        node = self.member(step)
        if node is not None:
            [self.held[step.targets[0]]] = self.program.noted(node, self.program.tensors[node.path])

    def call(self, step):
        member = self.member(step)
        if member is None:
            return
        inputs = [self.read(text) for text in step.reads]
        inputs = [tensor for tensor in inputs if tensor is not None]
        if step.recompute:
            program = self.program  # the function that is kept for backward must not hold the variables of this forward
            outputs = recomputed(program.op, lambda given: program.call(member, given), inputs)
        else:
            outputs = self.program.call(member, inputs)
        del inputs
        if states_hidden(member, step.targets):
            outputs = [outputs[0], outputs[1:]]
        self.assign(step.targets, outputs)

    def segment(self, step):
        names, instance = step.reads, (self.program, self.plan, self.at, self.actual)
        inputs = [self.read(text) for text in names]

        def inner(given):
            frame = Frame(*instance, dict(zip(names, given, strict=True)))
            frame.steps(step.body)
            return [frame.read(text) for text in step.results]

        outputs = recomputed(self.program.op, inner, inputs)
        del inputs
        self.assign(step.targets, outputs)

    def assign(self, targets, outputs: list[Tensor]):
        """A tuple that is unpacked: what nobody reads stays in `_` until the next one comes."""
        for target, output in zip(targets, outputs, strict=False):
            self.held[target] = output
        del outputs

    def member(self, step):
        known = step.entries.get(self.at)
        return None if known is None else self.actual.get(id(known), known)

    def read(self, text: str) -> Tensor | None:
        if text in self.held:
            return self.held[text]
        path = self.plan.forward.weights.get(text, {}).get(self.at)
        if path is None:
            return None  # a module that is borrowed
        return self.program.tensors[self._own_path(path)]

    def _own_path(self, path: str) -> str:
        """The path of a parameter in this instance, from that in the one that the class was written for."""
        known = self.plan.scopes[self.at][1]
        scope = self.actual.get(id(known))
        return path if scope is None else scope.path + path[len(known.path) :]


def unmodelled(graph: Graph) -> list[Node]:
    """The layers whose memory is not modelled."""
    from ..layers.base import Layer

    nodes = [*graph.nodes, *graph.loss]
    return [node for node in nodes if type(node.layer).eager is Layer.eager]


def refuse_unmodelled(graph: Graph):
    missing = unmodelled(graph)
    if missing:
        node = missing[0]
        types = ", ".join(dict.fromkeys(n.type for n in missing))
        raise NetcalcError(f"error: what {types} keeps in memory is not modelled (layer {node.path})\n"
                           "  help: shapes, params and flops know it; memory does not yet")  # fmt: skip
