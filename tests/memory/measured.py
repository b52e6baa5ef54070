"""What torch keeps and allocates on the CPU, to lay beside the simulation.

`saved`: the storages that the graph keeps after the loss, by saved_tensors_hooks. `Live`: the bytes of all storages that
exist, followed by a dispatch mode; under it gradients are never added in place, which the simulation is told.
"""

from __future__ import annotations

import weakref

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from netcalc.export import live


class Live(TorchDispatchMode):
    """Follows every storage that an operation makes. log: (+bytes or -bytes, operation)."""

    def __init__(self, held=()):
        super().__init__()
        self.now = self.peak = 0
        self.known: dict[int, object] = {}
        self.log: list[tuple[int, str]] = []
        for tensor in held:
            self._see(tensor, "held")

    def _see(self, tensor, name: str):
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self.known:
            return
        size = storage.nbytes()
        self.known[key] = weakref.finalize(storage, self._gone, key, size)
        self.now += size
        self.peak = max(self.peak, self.now)
        self.log.append((size, name))

    def _gone(self, key: int, size: int):
        self.known.pop(key, None)
        self.now -= size
        self.log.append((-size, "free"))

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        for tensor in tree_iter(made):
            if isinstance(tensor, torch.Tensor):
                self._see(tensor, str(function))
        return made


def module(net, sizes: dict):
    """The exported module, its random inputs, and its namespace."""
    names = live.namespace(net.export_torch())
    torch.manual_seed(0)
    model = names[net.graph.spec.name]()
    return model, live.inputs(net.graph, sizes, "cpu"), names


def loss_of(names: dict, output, targets):
    return names["loss_of"](output, *targets)


def targets_of(names: dict, output) -> tuple:
    return names["example_targets"](output) if "example_targets" in names else ()


class Holder:
    """What the graph holds in place of a tensor: it goes when the graph lets it go."""

    def __init__(self, tensor):
        self.tensor = tensor


def saved(net, sizes: dict) -> dict[str, int]:
    """The bytes that the graph keeps at the end of the loss, parameters and buffers left out, by the module that saved
    them first; the whole under the name "total"."""
    model, inputs, names = module(net, sizes)
    model.train()
    own = {t.untyped_storage().data_ptr() for t in [*model.parameters(), *model.buffers()]}
    with torch.no_grad():
        targets = targets_of(names, model(*inputs))
    stack, kept = [""], []

    def pack(tensor):
        holder = Holder(tensor)
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own or storage.nbytes() == 0:
            kept.append((weakref.ref(holder), stack[-1], storage))
        return holder

    for path, part in model.named_modules():
        if path:
            part.register_forward_pre_hook(lambda m, a, path=path: stack.append(path))
            part.register_forward_hook(lambda m, a, o: stack.pop() and None)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda holder: holder.tensor):
        loss = loss_of(names, model(*inputs), targets)
    found: dict[int, tuple] = {}
    for holder, path, storage in kept:
        if holder() is not None:
            found.setdefault(storage._cdata, (path, storage.nbytes()))
    by: dict[str, int] = {"total": sum(size for _, size in found.values())}
    for path, size in found.values():
        by[path] = by.get(path, 0) + size
    del loss
    return by


def peak(net, sizes: dict, optimizer=None, steps: int = 2) -> tuple[int, list]:
    """The most bytes alive in the last of the steps, and the log of that step. optimizer: makes one from parameters."""
    model, inputs, names = module(net, sizes)
    model.train()
    with torch.no_grad():
        targets = targets_of(names, model(*inputs))
    made = optimizer(model.parameters()) if optimizer else None
    held = {t.untyped_storage()._cdata: t for t in [*model.parameters(), *model.buffers(), *inputs, *targets]}
    with Live(held.values()) as track:
        for _ in range(steps):
            track.peak, track.log = track.now, []
            for parameter in model.parameters():
                parameter.grad = None
            output = model(*inputs)
            loss = loss_of(names, output, targets)
            loss.backward()
            if made:
                made.step()
    return track.peak, track.log
