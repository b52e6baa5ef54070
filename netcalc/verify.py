"""torch as the oracle: the exported module is built and run, and what it does is laid beside what was predicted.

Measured are: every module's output shape (forward hooks), parameters and buffers (named_parameters, named_buffers), the
state_dict, and MACs by torch's flop counter on the meta device in train mode, where it counts attention and recurrent
layers in full (on a CPU it does not).
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from . import facts
from .arith import prod
from .errors import NetcalcError
from .export import examples, live
from .graph import Node
from .report.verification import Check, Verification

#: layers whose products torch's counter does not see
UNCOUNTED = frozenset(("Bilinear",))
MAX_BYTES = 12 << 30  # of parameters that a run may allocate


class Seen(NamedTuple):
    """One call of a module: the shapes of its output tensors, and the MACs in it (None where they were not counted)."""

    shapes: list
    macs: int | None


def verify(net, device: str = "cpu", batch: int = 2, train: bool = False) -> Verification:
    """Compare the exported module with the prediction, layer by layer. Raises NetcalcError where it cannot be run."""
    torch = live.torch_module()
    if device == "cuda" and not torch.cuda.is_available():
        raise NetcalcError(
            "error: there is no CUDA device here that torch can use\n  help: --device cpu, or --device meta"
        )
    graph, made = net.graph, net.exported()
    sizes = examples.sizes(graph, batch)
    table = facts.rows(graph, sizes)
    totals = facts.Totals(graph, table)
    if device != "meta" and totals.bytes + totals.buffer_bytes > MAX_BYTES:
        raise NetcalcError(f"error: the parameters alone take {totals.bytes / 2**30:.1f} GiB: too much to build here\n"
                           "  help: --device meta runs everything without allocating it")  # fmt: skip
    _progress(f"counting MACs of {net.name} on the meta device")
    counted = _Run(net, made, sizes, "meta", train, count=True)
    run = counted
    if device != "meta":
        _progress(f"running {net.name} on {device}")
        run = _Run(net, made, sizes, device, train, count=False)
    return _compared(net, made, table, totals, counted, run, sizes, device, train)


def _progress(text: str):
    if sys.stderr.isatty():
        print(f"{text} ...", file=sys.stderr)


class _Run:
    """One forward (and backward) pass with hooks on every module."""

    def __init__(self, net, made, sizes: dict, device: str, train: bool, count: bool):
        torch = live.torch_module()
        from torch.utils.flop_counter import FlopCounterMode

        names = live.namespace(made.text)
        with torch.device(device):
            self.model = names[net.graph.spec.name]()
        self.model.train()
        self.calls: dict[str, list[Seen]] = {}
        self.counter = FlopCounterMode(display=False) if count else None
        hooks = [self._hook(path, module) for path, module in self.model.named_modules() if path]
        tensors = live.inputs(net.graph, sizes, device)
        self.macs = self.backward_macs = None
        if self.counter is None:
            self._pass(names, tensors, train)
        else:
            with self.counter:
                self._pass(names, tensors, train)
        for pair in hooks:
            for hook in pair:
                hook.remove()

    def _pass(self, names, tensors, train: bool):
        torch = live.torch_module()
        with torch.set_grad_enabled(train):
            output = self.model(*tensors)
            self.output = _shapes(output)
            self.macs = self._total()
            if train:
                names["loss_of"](output).backward()
                self.backward_macs = None if self.macs is None else self._total() - self.macs

    def _total(self):
        return None if self.counter is None else self.counter.get_total_flops() // 2

    def _hook(self, path: str, module) -> tuple:
        started = []

        def before(module, args):
            started.append(self._total())

        def after(module, args, output):
            start, end = started.pop(), self._total()
            self.calls.setdefault(path, []).append(Seen(_shapes(output), None if end is None else end - start))

        return module.register_forward_pre_hook(before), module.register_forward_hook(after)


def _shapes(output) -> list:
    """The shapes of all tensors in an output."""
    if hasattr(output, "shape"):
        return [tuple(output.shape)]
    items = output.values() if isinstance(output, dict) else output if isinstance(output, (list, tuple)) else ()
    return [shape for item in items if item is not None for shape in _shapes(item)]


def _compared(net, made, table, totals, counted: _Run, run: _Run, sizes, device: str, train: bool) -> Verification:
    graph = net.graph
    parameters = _by_module(run.model.named_parameters())
    buffers = _by_module(run.model.named_buffers())
    calls: dict[str, int] = {}
    rows, unseen = [], 0
    for row in table:
        path = made.modules[id(row.node)]
        number = calls.get(path, 0)
        seen = run.calls.get(path, [])
        at_meta = counted.calls.get(path, [])
        if number < len(seen):
            calls[path] = number + 1
            rows.append(
                _checked(
                    row,
                    seen[number],
                    at_meta[number].macs if number < len(at_meta) else None,
                    parameters,
                    buffers,
                    path,
                )
            )
        else:
            if row.type not in UNCOUNTED:
                unseen += row.macs
            rows.append(_checked(row, None, None, parameters, buffers, path))
    checks = [
        Check(
            "state_dict",
            _described(net.state_dict()),
            _described({k: tuple(v.shape) for k, v in run.model.state_dict().items()}),
        ),
        Check("parameters", totals.params, sum(p.numel() for p in run.model.parameters())),
        Check("trainable", totals.trainable, sum(p.numel() for p in run.model.parameters() if p.requires_grad)),
        Check("buffers", totals.buffers, sum(b.numel() for b in run.model.buffers())),
        Check("output", _output_shapes(graph, sizes), run.output),
        Check("macs", facts.total(row.macs for row in table if row.type not in UNCOUNTED), counted.macs),
    ]
    if train:
        checks.append(_gradients(table, run))
        checks += _backward(table, counted)
    return Verification(graph, table, rows, checks, device, sizes, train)


def _described(state: dict):
    """A state_dict as its list of keys and shapes, in order."""
    return [(key, tuple(shape)) for key, shape in state.items()]


def _output_shapes(graph, sizes: dict) -> list:
    from .arith import at

    return [tuple(at(size, sizes) for size in value.shape) for _, value in graph.outputs]


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


def _gradients(table, run: _Run) -> Check:
    """Every parameter that trains has a gradient after the backward pass, and no frozen one."""
    with_gradient = sum(p.numel() for p in run.model.parameters() if p.grad is not None)
    reached = sum(p.numel() for p in run.model.parameters() if p.requires_grad)
    return Check("gradients", reached, with_gradient)


def _backward(table, counted: _Run) -> list[Check]:
    """Backward MACs, where torch's counter is right: it over-counts grouped convolutions, and recomputes checkpoints."""
    if any(getattr(row.node.layer, "groups", 1) != 1 or row.node.segment for row in table):
        return []
    return [
        Check(
            "backward_macs",
            facts.total(row.backward_macs for row in table if row.type not in UNCOUNTED),
            counted.backward_macs,
        )
    ]


__all__ = ["prod", "verify"]
