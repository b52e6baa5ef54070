"""What torch's autograd graph keeps for the backward pass."""

from __future__ import annotations

import weakref

from ..export import live


class Held:
    """What stands in the graph for a saved tensor: it lives as long as the graph needs the tensor.

    It holds the tensor without its history: an operation that saves its own output would hold itself, and what nobody needs
    any more would stay.
    """

    def __init__(self, tensor):
        self.tensor = tensor.detach()


class Kept:
    """Follows the tensors that are saved for the backward pass: each storage once, under the module that saved it first.

    inside: the modules that have started and not ended, as (path, ...). Parameters, buffers and copies of them in name
    only are left out. layers: the paths of layers; what is in a layer's module counts for the layer.
    """

    def __init__(self, model, inside: list, layers=()):
        self.inside = inside
        self.modules = {path for path, _ in model.named_modules()}
        self.layers = self.modules.intersection(layers)
        self.own = {t.untyped_storage().data_ptr() for t in [*model.parameters(), *model.buffers()]}
        self.seen: list[tuple] = []  # (module, the Held as long as it lives)

    def hooks(self):
        return live.torch_module().autograd.graph.saved_tensors_hooks(self._pack, lambda held: held.tensor)

    def _pack(self, tensor):
        held = Held(tensor)
        self.seen.append((self._place(), weakref.ref(held)))
        return held

    def _place(self) -> str:
        """The path of the layer, or of the module, that is at work."""
        paths = [path for path, *_ in self.inside]
        return next((path for path in paths if path in self.layers), paths[-1] if paths else "")

    def by_module(self) -> dict[str, int]:
        """The bytes that the graph holds now, by the path of the module."""
        storages: dict[int, tuple] = {}
        for path, held in self.seen:
            if held() is not None:
                storage = held().tensor.untyped_storage()
                if storage.data_ptr() not in self.own and storage.nbytes():
                    storages.setdefault(storage._cdata, (path, storage.nbytes()))
        found: dict[str, int] = {}
        for path, size in storages.values():
            found[path] = found.get(path, 0) + size
        return found
