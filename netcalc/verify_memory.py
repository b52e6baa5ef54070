"""What torch's autograd graph keeps at the end of the loss, laid beside the prediction, by module."""

from __future__ import annotations

import weakref

from .errors import NetcalcError
from .export import live
from .memory import simulate
from .memory.simulate import Run
from .report.verification import Check


class _Held:
    """What stands in the graph for a saved tensor: it lives as long as the graph needs the tensor."""

    def __init__(self, tensor):
        self.tensor = tensor


class Kept:
    """Follows the tensors that are saved for the backward pass: each storage once, under the module that saved it first.

    inside: the modules that have started and not ended, as (path, ...). Parameters, buffers and copies of them in name
    only are left out.
    """

    def __init__(self, model, inside: list):
        self.inside = inside
        self.own = {t.untyped_storage().data_ptr() for t in [*model.parameters(), *model.buffers()]}
        self.seen: list[tuple] = []  # (module, the _Held as long as it lives)
        self.found: dict[str, int] = {}

    def pack(self, tensor):
        held = _Held(tensor)
        self.seen.append((self.inside[-1][0] if self.inside else "", weakref.ref(held)))
        return held

    def hooks(self):
        return live.torch_module().autograd.graph.saved_tensors_hooks(self.pack, lambda held: held.tensor)

    def count(self):
        """Note what the graph holds now: the bytes of each module."""
        storages: dict[int, tuple] = {}
        for path, held in self.seen:
            if held() is not None:
                storage = held().tensor.untyped_storage()
                if storage.data_ptr() not in self.own and storage.nbytes():
                    storages.setdefault(storage._cdata, (path, storage.nbytes()))
        for path, size in storages.values():
            self.found[path] = self.found.get(path, 0) + size

    def by_module(self) -> dict[str, int]:
        return self.found


def predicted(net, made, sizes: dict) -> dict[str, int] | None:
    """The bytes that each module is predicted to save, by its path; None where some layer's memory is not modelled."""
    try:
        result = simulate.training(net.graph, made.emitter, sizes, Run(steps=1))
    except NetcalcError:
        return None
    paths = {node.path: made.modules[id(node)] for node in net.graph.nodes}
    found: dict[str, int] = {}
    for saved in result.saved:
        if saved.storage.bytes:
            path = paths.get(saved.layer, "")
            found[path] = found.get(path, 0) + saved.storage.bytes
    return found


def checks(net, made, sizes: dict, kept: Kept | None) -> list[Check]:
    """The bytes that are saved, in all; where they differ, the modules in which they do."""
    expected = predicted(net, made, sizes) if kept is not None else None
    if expected is None:
        return []
    found = kept.by_module()
    total = Check("saved", sum(expected.values()), sum(found.values()))
    if total.ok:
        return [total]
    modules = [path for path in dict.fromkeys([*expected, *found]) if expected.get(path, 0) != found.get(path, 0)]
    return [
        total,
        *(Check(f"saved in {path or 'forward'}", expected.get(path, 0), found.get(path, 0)) for path in modules[:5]),
    ]
