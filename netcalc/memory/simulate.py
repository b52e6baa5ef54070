"""One training step, or an inference, of a network's exported module, replayed without values.

    out = model(x); loss = loss_of(out, target); loss.backward(); optimizer.step()

in a loop that starts with zero_grad(set_to_none=True) and holds the batch, `out` and `loss`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..arith import Sizes
from ..errors import NetcalcError
from ..export import losses
from ..graph import FLOATS, Graph, Node
from .autograd import Engine, reachable
from .ops import Operations
from .ops.cudnn import FLATTENED, weight_space
from .ops.routing import equal_shares
from .optimizers import Optimizer
from .passes import Pass
from .program import Program, Weights, refuse_unmodelled
from .tape import Rules, Trace
from .tensors import Tensor


class Run(NamedTuple):
    """How a step is run. optimizer: a name of `optimizers.OPTIMIZERS`, None for no step. drop_output: the loop is
    `loss = loss_of(model(x), y)`. accumulate: backward passes for one optimizer step."""

    rules: Rules = Rules()
    optimizer: str | None = None
    options: dict = {}
    steps: int = 2
    drop_output: bool = False
    accumulate: int = 1
    checkpoint: frozenset = frozenset()  # paths of modules whose activations are recomputed
    frozen: frozenset = frozenset()  # layers (by id) that do not train, beside those that the spec freezes
    inplace: bool = False  # activations overwrite their input where nothing else needs it
    share: Callable = equal_shares  # how many tokens an expert gets


class Kept(NamedTuple):
    """How a layer keeps a tensor: by which operation, in which shape."""

    operation: str
    shape: tuple
    dtype: str


class Saved(NamedTuple):
    """A storage that the graph keeps. kept: which calls keep it, the one that saved it first before the others: (path of
    the layer, its node in the layer graph or None) with how it does. places: the paths of what was at work, the innermost
    first."""

    storage: object
    kept: dict[tuple, Kept]
    places: tuple

    @property
    def layer(self) -> str:
        """The path of the layer that saved it first."""
        return next(iter(self.kept))[0]


class Result(NamedTuple):
    trace: Trace
    saved: list[Saved]  # after the loss of the last step, parameters and buffers left out
    rows: list[tuple[Node, list]]  # layers with the storages of their outputs, in the last step
    outputs: dict[int, object]  # bytes of what each layer (by id) gives


def training(graph: Graph, emitter, sizes: dict, run: Run) -> Result:
    """Steps of training. sizes: a value for each free dimension, or none for formulas."""
    refuse_unmodelled(graph)
    step = _Training(graph, emitter, sizes, run)
    for number in range(1, run.steps + 1):
        step.once(number)
    return Result(step.op.trace.ended(), step.saved, step.rows, step.program.outputs)


def inference(graph: Graph, emitter, sizes: dict, rules: Rules, share: Callable = equal_shares) -> Result:
    """One forward pass in evaluation mode without gradients."""
    refuse_unmodelled(graph)
    model = _Model(graph, emitter, sizes, rules._replace(training=False), Run(rules, share=share))
    model.op.grad_mode = False
    model.op.mark("forward", 1)
    with_casts(model.op, lambda: model.program.forward(model.inputs))
    model.op.casts.clear()
    return Result(model.op.trace.ended(), [], model.program.rows, model.program.outputs)


def with_casts(op: Operations, work):
    """Run something in an autocast region."""
    op.autocast = op.rules.autocast
    found = work()
    op.autocast = None
    return found


class _Model:
    """Parameters, buffers and the batch, and the program over them."""

    def __init__(self, graph: Graph, emitter, sizes: dict, rules: Rules, run: Run | None = None):
        run = run or Run(rules)
        self.graph, self.sized = graph, Sizes(sizes).of
        self.op = Operations(rules)
        self.op.sized, self.op.share = self.sized, run.share
        self.op.mark("setup", 0)
        self.tensors = self._state(run.frozen)
        self.inputs = [self._batch(value.shape, value.dtype, name) for name, value in graph.inputs.items()]
        self.program = Program(graph, emitter, self.op, self.tensors, run.checkpoint)
        if run.inplace:
            self.program.overwriting = may_overwrite(graph)

    def _state(self, frozen: frozenset) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        buffers: dict[int, Tensor] = {}  # by the id of a recurrent layer
        ties = []
        for key, shape, dtype, kind, node, name in self.graph.tensors():
            if name in node.tied:
                ties.append((key, node.tied[name]))
                continue
            real = self.op.rules.dtype if dtype == "float32" else dtype
            if self.op.rules.cuda and node.type in FLATTENED and not node.tied:
                tensor = self._part(buffers, node, shape, real)
            else:
                tensor = self.op.make(self.sized(shape), real, what=key, kind=f"{kind}s")
            tensor.name = key
            tensor.leaf = kind == "parameter" and not node.frozen and id(node) not in frozen
            found[key] = tensor
        for key, (node, name) in ties:
            found[key] = found[node.key(name)]
        return found

    def _part(self, buffers: dict[int, Tensor], node: Node, shape, dtype: str) -> Tensor:
        """A part of the buffer that a recurrent layer has for its weights on CUDA (flatten_parameters)."""
        if id(node) not in buffers:
            room = weight_space({name: self.sized(size) for name, size in node.params.items()})
            buffers[id(node)] = self.op.make((room,), dtype, what=f"weights of {node.path}", kind="parameters")
        return Tensor(buffers[id(node)].storage, self.sized(shape), dtype)

    def _batch(self, shape, dtype: str, name: str) -> Tensor:
        real = self.op.rules.dtype if dtype == "float32" else dtype
        return self.op.make(self.sized(shape), real, what=name, kind="inputs")


class _Training(_Model):
    def __init__(self, graph, emitter, sizes, run: Run):
        super().__init__(graph, emitter, sizes, run.rules, run)
        self.run = run
        self.leaves = [t for t in dict.fromkeys(self.tensors.values()) if t.leaf]
        made_with = [t for t in dict.fromkeys(self.tensors.values()) if t.storage.kind == "parameters"]
        self.optimizer = Optimizer(self.op, run.optimizer, run.options, made_with) if run.optimizer else None
        self.targets = self._targets()
        self.out: list = []
        self.loss: Tensor | None = None
        self.saved: list[Saved] = []
        self.rows: list = []
        self.pattern: tuple[Pass, list[Tensor]] | None = None  # the first pass, where all others are like it

    def _targets(self) -> dict[int, list[Tensor]]:
        return {
            id(node): [self._batch(shape, dtype, "target") for shape, dtype in node.layer.targets(*node.shapes)]
            for node in self.graph.loss
            if node.layer.loss
        }

    def once(self, number: int):
        """One step of the loop."""
        op = self.op
        op.mark("forward", number)
        for leaf in self.leaves:
            leaf.grad = None
        for part in range(self.run.accumulate):
            if part:
                op.mark("forward", number)
            self._pass(number)
        op.enter("")
        if self.optimizer is not None:
            op.mark("optimizer", number)
            self.optimizer.step([leaf for leaf in self.leaves if leaf.grad is not None])

    def _pass(self, number: int):
        """Forward, loss and backward."""
        if self.pattern is not None:
            return self._again(number, *self.pattern)
        op, record = self.op, Pass(self.op)
        self.program.rows = []
        op.autocast = op.rules.autocast
        out = self.program.forward(self.inputs)
        _call_output(out)
        record.cut()
        if not self.run.drop_output:
            self.out = out
        op.mark("loss", number)
        op.enter("loss")
        loss = self._loss(out)
        op.autocast = None
        op.casts.clear()
        if self.run.drop_output:
            del out
        record.cut()
        self.loss = loss
        self.rows = self.program.rows
        self.saved = saved_in_graph([loss, *self.out])
        op.enter("")
        op.mark("backward", number)
        self._backward(loss)
        del loss
        self.program.rows = []
        op.enter("")
        trained = [leaf for leaf in self.leaves if leaf.grad is not None]
        if self.run.accumulate == 1 and record.end([*self.out, self.loss, *[leaf.grad for leaf in trained]]):
            self.pattern = record, trained

    def _again(self, number: int, record: Pass, trained: list[Tensor]):
        """A pass like the first one, which left gradients in some leaves."""
        made, outputs = record.begin(), len(self.out)
        record.copy(0)
        self.out = made[:outputs]
        self.op.mark("loss", number)
        record.copy(1)
        self.loss = made[outputs]
        self.op.mark("backward", number)
        record.copy(2)
        for leaf, gradient in zip(trained, made[outputs + 1 :], strict=True):
            leaf.grad = gradient

    def _backward(self, loss: Tensor):
        if loss.origin is None:
            return
        root = self.op.make((), loss.dtype, what="gradient of the loss")
        Engine(self.op, self.op.rules.in_place).run(loss.origin[0], root)

    def _loss(self, out: list[Tensor]) -> Tensor:
        if not self.graph.loss:
            return self._mean(out)
        held = {"output": {id(value): tensor for (_, value), tensor in zip(self.graph.outputs, out, strict=True)}}
        del out
        steps, _ = losses.plan(self.graph, self.graph.loss)
        for step in steps:
            node = step.node
            inputs = [next(one[id(value)] for one in held.values() if id(value) in one) for value in node.inputs]
            self.op.enter(node.path)
            self.op.node = node
            made = node.layer.eager(self.op, Weights(node, {}), *inputs, *self.targets.get(id(node), ()))
            made = self.program.noted(node, made)
            del inputs
            held[step.result] = {id(value): tensor for value, tensor in zip(node.outputs, made, strict=False)}
        self.op.node = None
        return made[0]

    def _mean(self, out: list[Tensor]) -> Tensor:
        """The mean of the outputs, summed."""
        op = self.op
        real = [tensor for tensor in out if tensor.dtype in FLOATS]
        if not real:
            raise NetcalcError("error: no output is of a floating-point type, so there is nothing to train on\n"
                               "  help: --inference gives the memory of a forward pass")  # fmt: skip
        if len(out) == len(real) and len(out) > 1:
            total = op.shifted(op.mean(out[0], None, False))
            for tensor in out[1:]:
                total = op.add(total, op.mean(tensor, None, False))
            return total
        total = op.mean(real[0], None, False)
        for tensor in real[1:]:
            total = op.add(total, op.mean(tensor, None, False))
        return total


def _call_output(out: list[Tensor]):
    """Name what the model returns; in a function, so that no variable holds it on."""
    for tensor in out:
        if tensor.storage.kind == "temporary":
            tensor.storage.kind = "output"


def may_overwrite(graph: Graph) -> frozenset:
    """The activations (by id) that can overwrite their input: they are worked back from their result, nothing else reads
    the input, and what made it does not need it."""
    readers: dict[int, int] = {}
    for node in graph.nodes:
        for value in node.inputs:
            readers[id(value)] = readers.get(id(value), 0) + 1
    returned = {id(value) for _, value in graph.outputs}
    found = set()
    for node in graph.nodes:
        if getattr(node.layer, "saved", None) != "output" or "inplace" not in node.layer.args:
            continue
        [value] = node.inputs
        maker = value.node
        made = maker is not None and not maker.layer.views and getattr(maker.layer, "saved", None) != "output"
        if made and "Softmax" not in maker.type and readers[id(value)] == 1 and id(value) not in returned:
            found.add(id(node))
    return frozenset(found)


def saved_in_graph(held: list[Tensor]) -> list[Saved]:
    """What the graph of some tensors keeps: each storage once, under the layer that saved it first."""
    found: dict[int, tuple] = {}
    for node in reachable([tensor.origin[0] for tensor in held if tensor.origin is not None]):
        for tensor in node.saved:
            storage = tensor.storage
            if storage.kind in ("parameters", "buffers"):
                continue
            _, kept, _ = found.setdefault(id(storage), (storage, {}, node.places))
            kept.setdefault((node.layer, node.call), Kept(node.name, tensor.shape, tensor.dtype))
            if storage.kind == "temporary":
                storage.kind = "saved"
    return [Saved(*found) for found in found.values()]
