"""What torch's autograd graph keeps at the end of the loss, laid beside the prediction, by module."""

from __future__ import annotations

from .errors import NetcalcError
from .export import live
from .memory import simulate
from .memory.simulate import Run
from .report.verification import Check


class Kept:
    """Follows the tensors that are saved for the backward pass: each storage once, under the module that saved it first.

    inside: the modules that have started and not ended, as (path, ...). Parameters, buffers and copies of them in name
    only are left out.
    """

    def __init__(self, model, inside: list):
        self.inside = inside
        self.own = {t.untyped_storage().data_ptr() for t in [*model.parameters(), *model.buffers()]}
        self.storages: dict[int, tuple] = {}

    def pack(self, tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self.own and storage.nbytes():
            path = self.inside[-1][0] if self.inside else ""
            self.storages.setdefault(storage._cdata, (path, storage.nbytes(), storage))
        return tensor

    def hooks(self):
        return live.torch_module().autograd.graph.saved_tensors_hooks(self.pack, lambda tensor: tensor)

    def by_module(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for path, size, _ in self.storages.values():
            found[path] = found.get(path, 0) + size
        return found


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
