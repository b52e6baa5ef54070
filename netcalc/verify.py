"""torch as the oracle: the exported module is built and run, and what it does is laid beside what was predicted.

Measured are: every module's output shape (forward hooks), parameters and buffers (named_parameters, named_buffers), the
state_dict, and MACs by torch's flop counter on the meta device in train mode, where it counts attention and recurrent
layers in full (on a CPU it does not).
"""

from __future__ import annotations

import contextlib
import sys
from typing import NamedTuple

from . import facts, verify_memory
from .errors import NetcalcError
from .export import examples, live
from .graph import Node
from .oracle.saved import Kept
from .report.verification import Check, Verification

#: layers whose products torch's counter does not see
UNCOUNTED = frozenset(("Bilinear",))
MAX_BYTES = 12 << 30  # of parameters, buffers and gradients that a run may allocate


class Seen(NamedTuple):
    """One call of a module: the shapes of its output tensors, and the MACs in it (None where they were not counted)."""

    shapes: list
    macs: int | None


def verify(net, device: str = "cpu", batch: int = 2, train: bool = False, memory: bool = True,
           optimizer: str = "adamw") -> Verification:  # fmt: skip
    """Compare the exported module with the prediction, layer by layer. Raises NetcalcError where it cannot be run.

    memory: with `train` the memory of training steps too, with an optimizer of that name or none.
    """
    torch = live.torch_module()
    if device == "cuda" and not torch.cuda.is_available():
        raise NetcalcError(
            "error: there is no CUDA device here that torch can use\n  help: --device cpu, or --device meta"
        )
    graph, made = net.graph, net.exported()
    sizes = examples.sizes(graph, batch)
    table = facts.rows(graph, sizes)
    totals = facts.Totals(graph, table)
    if device != "meta":
        _affordable(totals, train)
    expected = None
    if train and memory and device != "meta":
        expected = verify_memory.prepare(net, made, sizes, device, optimizer)
        _fits(expected)
    _progress(f"counting MACs of {net.name} on the meta device")
    counted = _Run(net, made, sizes, "meta", train, count=True)
    run = counted
    if device != "meta":
        _progress(f"running {net.name} on {device}")
        run = _Run(net, made, sizes, device, train, count=False, memory=expected is not None and device == "cpu")
    rows = _rows(made, table, counted, run)
    checks = _checks(net, table, totals, counted, run, sizes, train)
    if expected is not None and run.failure is None and counted.failure is None:
        _progress(f"following the memory of {net.name}")
        checks += verify_memory.saved_checks(expected, run.kept, run.saved) + run.peaks(expected, net)
    return Verification(graph, table, rows, checks, device, sizes, train, expected.notes if expected else ())


def _affordable(totals: facts.Totals, train: bool) -> None:
    needed = totals.bytes * (2 if train else 1) + totals.buffer_bytes
    if needed > MAX_BYTES:
        what = "parameters and their gradients" if train else "parameters"
        raise NetcalcError(f"error: the {what} alone take {needed / 2**30:.1f} GiB: too much to build here\n"
                           "  help: --device meta runs everything without allocating it")  # fmt: skip


def _fits(expected: verify_memory.Memory) -> None:
    """Refuse steps on the CPU that would need more memory than a run may allocate."""
    if expected.device == "cpu" and expected.predicted is not None:
        peak = max(expected.predicted.peaks.values())
        if peak > MAX_BYTES:
            raise NetcalcError(f"error: training steps{verify_memory.with_(expected)} take {peak / 2**30:.1f} GiB: too much to run here\n"
                               "  help: --optimizer none, a smaller --batch, or --device meta")  # fmt: skip


def _progress(text: str):
    if sys.stderr.isatty():
        print(f"{text} ...", file=sys.stderr)


def _count_nothing(model) -> None:
    """Spare BatchNorm the number of batches seen so far, which momentum=None asks for: meta tensors have no values."""
    for module in model.modules():
        if getattr(module, "num_batches_tracked", None) is not None and module.momentum is None:
            module.momentum = 0.1


class _Run:
    """One forward (and backward) pass with hooks on every module.

    failure: where torch refused to go on, and why; what was measured until then is kept.
    """

    def __init__(self, net, made, sizes: dict, device: str, train: bool, count: bool, memory: bool = False):
        torch = live.torch_module()
        from torch.utils.flop_counter import FlopCounterMode

        names = self.names = live.namespace(made.text)
        self.hooks: list = []
        self.calls: dict[str, list[Seen]] = {}
        self.inside: list[tuple] = []  # the modules that have started and not ended: (path, MACs before)
        self.output = self.macs = self.backward_macs = self.failure = self.kept = self.saved = None
        self.counter = FlopCounterMode(display=False) if count else None
        try:
            with torch.device(device):
                self.model = names[net.graph.spec.name]()
            self.model.train()
            if device == "meta":
                _count_nothing(self.model)
            for path, module in self.model.named_modules():
                if path:
                    self._hook(path, module)
            tensors = self.inputs = live.inputs(net.graph, sizes, device)
            self.kept = Kept(self.model, self.inside, made.modules.values()) if memory else None
            with self.counter or contextlib.nullcontext():
                self._pass(names, tensors, train)
        except Exception as problem:
            self._failed(problem, device)

    def _pass(self, names, tensors, train: bool):
        torch = live.torch_module()
        saving = self.kept.hooks if self.kept else contextlib.nullcontext
        with torch.set_grad_enabled(train):
            with saving():
                output = self.model(*tensors)
            self.output = _shapes(output)
            self.macs = self._total()
            if train:
                targets = names["example_targets"](output) if "example_targets" in names else ()
                with saving():
                    loss = names["loss_of"](output, *targets)
                if self.kept:
                    self.saved = self.kept.by_module()
                if loss is not None and loss.requires_grad:  # not where nothing is trained
                    loss.backward()
                self.backward_macs = None if self.macs is None else self._total() - self.macs

    def _failed(self, problem: Exception, device: str):
        torch = live.torch_module()
        reason = str(problem).strip().split("\n")[0] or type(problem).__name__
        if isinstance(problem, MemoryError) or "out of memory" in reason or "allocate memory" in reason:
            raise NetcalcError(
                f"error: not enough memory on {device}: {reason}\n  help: --device meta, or a smaller --batch"
            ) from None
        if not hasattr(self, "model"):
            raise NetcalcError(f"error: torch {torch.__version__} cannot build the exported module: {reason}") from None
        self.failure = f"torch stopped in {self.inside[-1][0] if self.inside else 'forward'}: {reason}"

    def _total(self):
        return None if self.counter is None else self.counter.get_total_flops() // 2

    def _hook(self, path: str, module):
        def before(module, args):
            self.inside.append((path, self._total()))

        def after(module, args, output):
            start, end = self.inside.pop()[1], self._total()
            self.calls.setdefault(path, []).append(Seen(_shapes(output), None if end is None else end - start))

        self.hooks += [module.register_forward_pre_hook(before), module.register_forward_hook(after)]

    def peaks(self, expected: verify_memory.Memory, net) -> list[Check]:
        """The peaks of training steps, without the hooks; the gradients are gone after it."""
        for hook in self.hooks:
            hook.remove()
        return verify_memory.peak_checks(expected, net, self.names, self.model, self.inputs)


def _shapes(output) -> list:
    """The shapes of all tensors in an output."""
    if hasattr(output, "shape"):
        return [tuple(output.shape)]
    items = output.values() if isinstance(output, dict) else output if isinstance(output, (list, tuple)) else ()
    return [shape for item in items if item is not None for shape in _shapes(item)]


def _rows(made, table, counted: _Run, run: _Run) -> list[dict]:
    """Every layer's figures beside those of its module; a module that is called again has its next call."""
    parameters, buffers = _by_module(run.model.named_parameters()), _by_module(run.model.named_buffers())
    modules = {path for path, _ in run.model.named_modules()}
    calls: dict[str, int] = {}
    rows = []
    for row in table:
        path = made.modules[id(row.node)]
        number = calls.get(path, 0)
        calls[path] = number + 1
        seen, at_meta = (found.calls.get(path, [])[number : number + 1] for found in (run, counted))
        measured = _checked(
            row, seen[0] if seen else None, at_meta[0].macs if at_meta else None, parameters, buffers, path
        )
        rows.append({**measured, "module": path if path in modules else None})
    return rows


def _checks(net, table, totals, counted: _Run, run: _Run, sizes, train: bool) -> list[Check]:
    """The figures of the whole network; where torch stopped on the way, only those that it reached."""
    model = run.model
    state = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    checks = [
        Check("state_dict", _described(net.state_dict()), _described(state)),
        Check("parameters", totals.params, sum(p.numel() for p in model.parameters())),
        Check("trainable", totals.trainable, sum(p.numel() for p in model.parameters() if p.requires_grad)),
        Check("buffers", totals.buffers, sum(b.numel() for b in model.buffers())),
    ]
    failure = run.failure or counted.failure
    if failure:
        return [*checks, Check("run", "runs to its end", failure)]
    checks += [
        Check("output", _output_shapes(net.graph, sizes), run.output),
        Check("macs", sum(row.macs for row in table if row.type not in UNCOUNTED), counted.macs),
    ]
    if train:
        checks.append(_gradients(net.graph, run))
        checks += _backward(table, counted)
    return checks


def _described(state: dict):
    """A state_dict as its list of keys and shapes, in order."""
    return [(key, tuple(shape)) for key, shape in state.items()]


def _output_shapes(graph, sizes: dict) -> list:
    from .arith import Sizes

    of = Sizes(sizes).of
    return [of(value.shape) for _, value in graph.outputs]


def _by_module(named) -> dict[str, dict[str, int]]:
    """Elements of each module's own tensors: {path of the module: {name: elements}}."""
    found: dict[str, dict[str, int]] = {}
    for key, tensor in named:
        path, _, name = key.rpartition(".")
        found.setdefault(path, {})[name] = tensor.numel()
    return found


def _own(node: Node, path: str, tensors: dict) -> int:
    """The elements that torch has for a layer: of its module and what is inside it, or the tensor itself."""
    if node.layer.inputs == 0:
        holder, _, name = path.rpartition(".")
        return tensors.get(holder, {}).get(name, 0)
    return sum(sum(own.values()) for module, own in tensors.items() if module == path or module.startswith(f"{path}."))


def _checked(row, seen: Seen | None, macs: int | None, parameters, buffers, path: str) -> dict:
    """A row: predicted beside measured; None where torch has no such module."""
    node = row.node
    again = node.original is not None
    found = {
        "name": row.path,
        "type": row.type,
        "output": [list(row.output), None if seen is None or not seen.shapes else list(seen.shapes[0])],
        "params": [row.params, None if again else _own(node, path, parameters)],
        "buffers": [row.buffers, None if again else _own(node, path, buffers)],
        "macs": [row.macs, None if row.type in UNCOUNTED else macs],
    }
    found["ok"] = all(
        measured is None or predicted == measured
        for predicted, measured in (found[k] for k in ("output", "params", "buffers", "macs"))
    )
    return found


def _gradients(graph, run: _Run) -> Check:
    """Every parameter that trains, and that the loss depends on, has a gradient after the backward pass; no other."""
    with_gradient = sum(p.numel() for p in run.model.parameters() if p.grad is not None)
    return Check("gradients", facts.reached(graph), with_gradient)


def _backward(table, counted: _Run) -> list[Check]:
    """Backward MACs, where torch's counter is right: it over-counts grouped convolutions, and recomputes checkpoints."""
    if any(getattr(row.node.layer, "groups", 1) != 1 or row.node.segment for row in table):
        return []
    return [
        Check(
            "backward_macs",
            sum(row.backward_macs for row in table if row.type not in UNCOUNTED),
            counted.backward_macs,
        )
    ]
