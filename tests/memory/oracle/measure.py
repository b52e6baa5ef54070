"""What torch does in training steps of a network's exported module, in bytes."""

from __future__ import annotations

import bisect
import contextlib
import gc
import weakref
from typing import NamedTuple

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks

from netcalc.arith import at
from netcalc.export import examples, live
from netcalc.oracle.loop import Loop as TrainingLoop
from netcalc.oracle.loop import optimizer as make_optimizer
from netcalc.oracle.saved import Held
from netcalc.oracle.storages import Storages

from . import cudnn, shim
from .corrections import Corrections
from .tracker import Functions, Tracker
from .worker import elsewhere


class Event(NamedTuple):
    """A storage that comes (bytes > 0) or goes (bytes < 0)."""

    storage: int
    bytes: int
    phase: str
    label: str


class Measured(NamedTuple):
    """saved: {module path: bytes} of what the graph keeps after the loss, without parameters, buffers and inputs (batch and
    targets); saved_inputs: the bytes of those that it keeps. persistent: bytes of parameters, buffers, batch and targets.
    peaks: one {phase: largest live bytes} a step. events: one list of events a step."""

    saved: dict[str, int]
    saved_inputs: int
    persistent: int
    peaks: list[dict[str, int]]
    events: list[list[Event]]

    @property
    def peak(self) -> int:
        """Of the last step."""
        return max(self.peaks[-1].values())

    @property
    def saved_bytes(self) -> int:
        return sum(self.saved.values())


def measure(
    net,
    sizes: dict,
    device: str = "cpu",
    mode: str = "fake",
    optimizer: str | None = None,
    foreach: bool = True,
    fused: bool = False,
    options: dict | None = None,
    dtype: str = "float32",
    amp: str | None = None,
    steps: int = 2,
    drop_output: bool = False,
    inference: bool = False,
    accumulate: int = 1,
    rules: str = "eager",
    saved: bool = True,
    order=None,
    shares: list | None = None,
    prepare=None,
) -> Measured:
    """Train the exported module for some steps (or run it once for inference) and report its memory.

    mode: "fake" for FakeTensors on any device, "real" for the CPU as it is, "followed" for its storages as a dispatch mode
    sees them. rules: unless "real", "eager" for what plain eager mode does, "tracked" for what a naive tracker sees. Targets
    are held in inference too. options: more arguments of the optimizer.
    order: a function (of a module) that puts the parameters' names in the order in which the optimizer has them.
    shares: how many choices fall on each expert where there are no data; equally many if left out. prepare: a function of the model and
    its inputs that gives them values.
    """
    how = {"foreach": foreach, "fused": fused} if fused else {"foreach": foreach}
    loop = Loop(net, sizes, device, dtype, amp, drop_output, accumulate, inference)
    if optimizer:
        loop.optimizer = optimizer, {**how, **(options or {})}
    loop.order, loop.shares, loop.prepare = order, shares, prepare
    steps = 1 if inference else steps
    if device == "cuda":
        shim.library()
        return elsewhere(_measured, loop, mode, steps, rules, saved)
    return _measured(loop, mode, steps, rules, saved)


def _measured(loop: Loop, mode: str, steps: int, rules: str, saved: bool) -> Measured:
    import torch._dynamo  # noqa: F401  (else the first backward pass of a process loads it, and holds tensors meanwhile)

    with contextlib.ExitStack() as stack:
        if mode == "fake":
            if loop.device == "cuda":
                stack.enter_context(shim.cuda_in_name())
                stack.enter_context(cudnn.in_name())
            stack.enter_context(FakeTensorMode())
            stack.enter_context(Corrections(loop.shares))
        loop.build()
        kept = ({}, 0) if loop.inference or not saved else loop.saved()
        gc.collect()
        gc.disable()
        try:
            parts = loop.log(steps) if mode == "real" else loop.track(rules, steps)
        finally:
            gc.enable()
    return Measured(*kept, loop.persistent, *summed(parts, loop.persistent))


def summed(parts: list[tuple[int, list[Event]]], persistent: int):
    """Peaks and events of each step."""
    live_bytes = persistent
    peaks, events = [], []
    for step in parts:
        found: dict[str, int] = {}
        for event in step:
            live_bytes += event.bytes
            found[event.phase] = max(found.get(event.phase, 0), live_bytes, live_bytes - event.bytes)
        peaks.append(found)
        events.append(step)
    return peaks, events


class Loop:
    """The exported module in its training loop."""

    def __init__(self, net, sizes, device, dtype, amp, drop_output, accumulate, inference):
        self.source, self.name = net.export_torch(), net.graph.spec.name
        self.batch = [_described(net.graph, value, sizes) for value in net.graph.inputs.values()]
        self.device, self.dtype, self.amp = device, dtype, amp
        self.drop_output, self.accumulate, self.inference = drop_output, accumulate, inference
        self.optimizer = self.order = self.shares = self.prepare = None
        self.marks: list[tuple[int, str, int]] = []  # (events before it, phase, step)
        self.position = self.on_phase = None

    def build(self):
        names = live.namespace(self.source)
        self.loss_of = names["loss_of"]
        torch.manual_seed(0)
        default = torch.get_default_dtype()
        torch.set_default_dtype(getattr(torch, self.dtype))
        try:
            with torch.device(self.device):
                self.model = names[self.name]()
                self.inputs = [self._random(*described) for described in self.batch]
        finally:
            torch.set_default_dtype(default)
        if self.device == "cuda":
            cudnn.flatten(self.model)
        self.targets = ()
        with torch.no_grad():
            if self.prepare:
                self.prepare(self.model, *self.inputs)
            output = self.model.eval()(*self.inputs)
            if "example_targets" in names:
                self.targets = tuple(self._typed(t) for t in names["example_targets"](output))
            del output
        self.model.train(not self.inference)
        held = [*self.model.parameters(), *self.model.buffers(), *self.inputs, *self.targets]
        self.held = list({t.untyped_storage()._cdata: t for t in held}.values())
        self.persistent = sum(t.untyped_storage().nbytes() for t in self.held)

    def _typed(self, target: torch.Tensor) -> torch.Tensor:
        """A target as the batch has it: in the dtype of the model, whatever the output's is."""
        return target.clone().to(getattr(torch, self.dtype)) if target.is_floating_point() else target.clone()

    def _random(self, shape: tuple, dtype: str, limit: int) -> torch.Tensor:
        kind = getattr(torch, self.dtype if dtype == "float32" else dtype)
        if kind.is_floating_point:
            return torch.randn(shape, dtype=kind)
        return torch.randint(limit, shape, dtype=torch.uint8 if kind == torch.bool else kind).to(kind)

    def mark(self, phase: str, step: int):
        self.marks.append((self.position(), phase, step))
        if self.on_phase:
            self.on_phase(phase)

    @contextlib.contextmanager
    def autocast(self):
        """torch.autocast, which a device in name only is refused."""
        if not self.amp:
            yield
            return
        before = torch.is_autocast_enabled(self.device), torch.get_autocast_dtype(self.device)
        torch.set_autocast_enabled(self.device, True)
        torch.set_autocast_dtype(self.device, getattr(torch, self.amp))
        torch.autocast_increment_nesting()
        try:
            yield
        finally:
            if torch.autocast_decrement_nesting() == 0:
                torch.clear_autocast_cache()
            torch.set_autocast_enabled(self.device, before[0])
            torch.set_autocast_dtype(self.device, before[1])

    def run(self, steps: int):
        """The loop that is measured."""
        if self.inference:
            self.mark("forward", 1)
            with torch.no_grad(), self.autocast():
                out = self.model(*self.inputs)  # noqa: F841  (held to the end)
            self.mark("end", 1)
            return
        named = dict(self.model.named_parameters())
        parameters = [named[name] for name in (self.order(list(named)) if self.order else named)]
        optimizer = make_optimizer(self.optimizer[0], parameters, **self.optimizer[1]) if self.optimizer else None
        del named, parameters
        TrainingLoop(
            self.model, self.loss_of, self.inputs, self.targets, optimizer, self.mark, self.autocast, self.accumulate,
            self.drop_output,
        ).run(steps)  # fmt: skip

    # -- measuring

    def saved(self) -> tuple[dict[str, int], int]:
        """What the graph keeps after the loss: {module path: bytes}, and the bytes of batch and targets."""
        place = _Place(self.model)
        inputs = {t.untyped_storage()._cdata: t.untyped_storage().nbytes() for t in (*self.inputs, *self.targets)}
        weights = {t.untyped_storage()._cdata for t in (*self.model.parameters(), *self.model.buffers())}
        held: list[tuple] = []  # (path, the Held as long as the graph holds it)

        def pack(tensor):
            one = Held(tensor)
            held.append((place(), weakref.ref(one)))
            return one

        with place, saved_tensors_hooks(pack, lambda one: one.tensor), self.autocast():
            out = self.model(*self.inputs)
            place.now = "loss"
            loss = self.loss_of(out, *self.targets)
        found: dict[int, tuple[str, int]] = {}
        for path, one in held:
            if one() is not None:
                storage = one().tensor.untyped_storage()
                found.setdefault(storage._cdata, (path, storage.nbytes()))
        del loss, out
        paths: dict[str, int] = {}
        for address, (path, size) in found.items():
            if address not in inputs and address not in weights:
                paths[path] = paths.get(path, 0) + size
        return paths, sum(inputs[address] for address in found if address in inputs)

    def track(self, rules: str, steps: int) -> list[list[Event]]:
        """Under FakeTensors, with a tracker of live storages."""
        place, functions = _Place(self.model), Functions()
        storages = Storages(self.device, place)
        storages.hold(self.held)
        tracker = Tracker(storages, rules == "eager", functions)
        self.position = lambda: len(storages.events)

        def on_phase(phase):
            tracker.backward = place.backward = phase == "backward"
            place.now = "" if phase == "forward" else phase

        self.on_phase = on_phase
        with place, functions, tracker:
            self.run(steps)
        return _parts(storages.events, self.marks, steps)

    def log(self, steps: int) -> list[list[Event]]:
        """On the real CPU, with the log of its allocator."""
        with shim.AllocationLog() as log:
            self.position = lambda: len(log)
            self.run(steps)
            events = log.events()
        return _parts([(number, size, "") for number, size in events], self.marks, steps)


def _described(graph, value, sizes: dict) -> tuple:
    """Shape, dtype and upper limit of an input."""
    limit = 2 if value.dtype == "bool" else examples.highest(graph, value)
    return tuple(at(size, sizes) for size in value.shape), value.dtype, limit


class _Place:
    """Where a run is: the path of the module at work; in the backward pass that of the module that made the node."""

    def __init__(self, model):
        self.model, self.now, self.backward = model, "", False
        self.starts: list[int] = []
        self.paths: list[str] = []

    def __enter__(self):
        self.handles = []
        for path, module in self.model.named_modules():
            self.handles += [
                module.register_forward_pre_hook(self._enter(path)),
                module.register_forward_hook(self._leave, always_call=False),
            ]
        self.stack: list[str] = []
        return self

    def __exit__(self, *_):
        for handle in self.handles:
            handle.remove()

    def _enter(self, path: str):
        def enter(module, args):
            self.stack.append(self.now)
            self._to(path)

        return enter

    def _leave(self, module, args, output):
        self._to(self.stack.pop())

    def _to(self, path: str):
        self.now = path
        self.starts.append(torch._C._autograd._get_sequence_nr())
        self.paths.append(path)

    def __call__(self) -> str:
        node = torch._C._current_autograd_node() if self.backward else None
        if node is None:
            return self.now
        at = bisect.bisect_right(self.starts, node._sequence_nr()) - 1
        return f"{self.paths[at] if at >= 0 else ''} {node.name()}".strip()


def _parts(events: list, marks: list, steps: int) -> list[list[Event]]:
    """The events by step, each with its phase."""
    found: list[list[Event]] = [[] for _ in range(steps)]
    ends = [*(position for position, _, _ in marks[1:]), len(events)]
    for (start, phase, step), end in zip(marks, ends, strict=True):
        if phase != "end":
            found[step - 1] += [Event(number, size, phase, label) for number, size, label in events[start:end]]
    return found
