"""Live storages of a run of torch, followed as they come and go."""

from __future__ import annotations

import functools
import sys
import weakref


class Storages:
    """The storages on one device.

    events: (number of the storage, +bytes or -bytes, label), in order. now: the bytes alive. peak: the most since `reset`.
    place: says where the run is; it is the beginning of every label. places: how many places each `nonzero` found, in order:
    that many tokens an expert got.
    """

    def __init__(self, device: str = "cpu", place=None):
        self.device, self.place = device, place or (lambda: "")
        self.events: list[tuple[int, int, str]] = []
        self.now = self.peak = self.made = 0
        self.places: list[int] = []
        self.known: dict[int, tuple] = {}  # address of a live storage -> (weak reference, number, bytes)

    def hold(self, tensors):
        """Count what is there already; it is no event before it goes."""
        for tensor in tensors:
            self.see(tensor, "held")
        self.events.clear()
        self.reset()

    def reset(self):
        self.peak = self.now

    def see(self, tensor, what: str, size: int | None = None):
        """Note a tensor's storage, if it is new and on the device. size: its elements, where not all of it counts."""
        if tensor.device.type != self.device:
            return
        storage = tensor.untyped_storage()
        address = storage._cdata
        if address in self.known or not storage.nbytes():
            return
        bytes_ = size * tensor.element_size() if size else storage.nbytes()
        number = self.come(bytes_, what)
        self.known[address] = (weakref.ref(storage, lambda _: self._gone(address, number, bytes_)), number, bytes_)

    def come(self, size: int, what: str) -> int:
        """Note a block of so many bytes; its number."""
        self.made += 1
        self._event(self.made, size, f"{self.place()} {what}".strip())
        return self.made

    def go(self, number: int, size: int):
        """Note that a block is given back."""
        self._event(number, -size, self.place())

    def _gone(self, address: int, number: int, size: int):
        self.known.pop(address, None)
        if not sys.is_finalizing():
            self.go(number, size)

    def _event(self, number: int, change: int, label: str):
        self.now += change
        self.peak = max(self.peak, self.now)
        self.events.append((number, change, label))


@functools.cache
def dispatch_mode():
    """The class of a context manager that shows every tensor that an operation makes to a `Storages`.

    Under any dispatch mode autograd adds gradients out of place, so a step may take more than without one.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_iter

    class Following(TorchDispatchMode):
        def __init__(self, storages: Storages):
            super().__init__()
            self.storages = storages

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            made = self.run(function, args, kwargs or {})
            size = self.size(function, args)
            if function is torch.ops.aten.nonzero.default:
                self.storages.places.append(len(made))
            for tensor in tree_iter(made):
                if isinstance(tensor, torch.Tensor):
                    self.storages.see(tensor, str(function), size)
            return made

        def run(self, function, args, kwargs):
            return function(*args, **kwargs)

        def size(self, function, args) -> int | None:
            """How many elements of the results count; None for all."""
            return None

    return Following
