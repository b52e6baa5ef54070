"""The library: a network that answers questions."""

from __future__ import annotations

import os
from fractions import Fraction

from . import catalog, check, facts
from .collector import paused
from .elaborate import elaborate
from .elaborate.environment import Env, evaluate
from .errors import Diagnostic, NetcalcError, SpecError, closest
from .graph import Graph
from .language import files
from .language.names import element
from .language.reader import Entry, read
from .language.syntax import Spec


class Net:
    """A spec with values for some of its arguments and free dimensions. Immutable: `at`, `free` and `variant` return
    another one."""

    def __init__(self, spec: Spec, given: dict | None = None, variant: str | None = None, free: tuple = ()):
        self.spec, self.given, self.variant_name, self.free_names = spec, given or {}, variant, free
        self.name = spec.source.name  # of the file
        self._graph: Graph | None = None
        self._export = None
        self._step_memory = None

    def at(self, /, **values) -> Net:
        """With values for arguments and free dimensions: `net.at(N=64, width=2)`. Text is read as in a spec; an element
        of a list has a name too: `net.at(**{"depths[0]": 3})`."""
        return Net(
            self.spec,
            {**self.given, **{name: _value(name, v, self.spec) for name, v in values.items()}},
            self.variant_name,
            self.free_names,
        )

    def free(self, *names: str) -> Net:
        """With arguments left open as symbols: `net.free("n_layer")`."""
        return Net(self.spec, self.given, self.variant_name, (*self.free_names, *names))

    def variant(self, name: str) -> Net:
        """One of the spec's variants."""
        return Net(self.spec, self.given, name, self.free_names)

    @property
    def variants(self) -> list[str]:
        return list(self.spec.variants)

    @property
    def graph(self) -> Graph:
        """The layer graph. Raises SpecError where the spec is wrong."""
        if self._graph is None:
            self._graph = elaborate(self.spec, self.given, self.variant_name, self.free_names)
        return self._graph

    @property
    def warnings(self) -> list[Diagnostic]:
        return self.graph.warnings

    def shapes(self):
        """Every layer's output shape; free dimensions stay symbols."""
        from .report.results import Shapes

        return Shapes(self.graph, facts.rows(self.graph))

    def params(self):
        """Every layer's parameters and buffers, in elements, and their bytes."""
        from .report.results import Params

        return Params(self.graph, facts.rows(self.graph))

    def flops(self, batch: int = 1):
        """Every layer's MACs and FLOPs, forward and backward, for `batch` samples."""
        from .report.results import Flops

        graph = self.graph
        sizes = {graph.batch: batch} if graph.batch in graph.free else {}
        return Flops(graph, facts.rows(graph, sizes), sizes)

    @paused()
    def memory(self, batch: int | None = None, **options):
        """Where the bytes of a training step go, its peak, what each layer saves: `net.memory(64, optimizer="adamw")`.

        The options are those of `netcalc.memory.answer.memory`, named as on the command line.
        """
        from .memory.answer import memory

        return memory(self, batch, **options)

    @paused()
    def step(self, point: dict, **options):
        """The trace of a training step on symbols, of all designs that run as the one at `point` does: what sweeps take
        peaks from. The options are those of `memory`."""
        from .memory.answer import step

        return step(self, point, **options)

    def explain(self, layer: str | None = None):
        """How the numbers of a layer come about, by its state_dict path; without one, where those of the network are."""
        from .report import explain

        if layer is None:
            return explain.network(self.graph, self._memory)
        return explain.layer(self.graph, layer, self._memory)

    def _memory(self):
        """The memory of a training step without options, simulated once for all layers that are explained."""
        if self._step_memory is None:
            self._step_memory = self.memory()
        return self._step_memory

    def formula(self, quantity: str, *, substitute: dict | None = None, by_group: bool = False):
        """A figure (`params`, `macs` ...) as a formula in all that is free, checked at random points."""
        from .report.formulas import formula

        return formula(self, quantity, substitute, by_group)

    def solve(self, condition: str, unknown: str, step=None):
        """The value of an argument or free size for which a condition such as "params <= 25M" holds just so."""
        from .report.solve import solve

        return solve(self, condition, unknown, step)

    def sweep(self, sets: dict | None = None, **options):
        """The figures of many designs: `net.sweep({"width": [1, 2, 4], "depth": "2..8"}, top=10, sort="-params")`.

        The options are those of `netcalc.sweep`.
        """
        from .designs import sweep

        return sweep(self, sets, **options)

    def diff(self, other: Net, **step):
        """What is different in another network, layer by layer, and in the memory that it takes. step: options of `memory`."""
        from .report.diff import Diff

        return Diff(self, other, **step)

    def exported(self):
        """The exported source with the place of every layer in it: an `export.Export`."""
        if self._export is None:
            from .export import export

            given = {element(name)[0]: value for name, value in self.given.items()}
            given |= {name: self.graph.args[name] for name in given if name in self.graph.args}
            self._export = export(self.graph, given, self.name)
        return self._export

    def export_torch(self) -> str:
        """The source of a PyTorch module that is this network. Raises NetcalcError for what cannot be written."""
        return self.exported().text

    def to_torch(self, device: str = "cpu"):
        """The network as a live torch.nn.Module on a torch device ("meta" allocates nothing). Needs torch."""
        from .export.live import module

        return module(self.graph, self.export_torch(), device)

    def verify(self, device: str = "cpu", batch: int = 2, train: bool = False, memory: bool = True,
               optimizer: str = "adamw"):  # fmt: skip
        """Build the exported module, run it, and lay what torch does beside what is predicted. Needs torch.

        memory: with `train`, the bytes that are saved for the backward pass (on the CPU) and the peak of each phase of a
        training step too. optimizer: whose step it is, "none" for none.
        """
        from .verify import verify

        return verify(self, device, batch, train, memory, optimizer)

    def check(self) -> list[Diagnostic]:
        """What the spec's `expect` says and the network does not have; empty where all is well.

        Nothing is checked where arguments were given another value. Values for free dimensions make no difference:
        what a spec expects is for one sample, and for the sizes that its `at` gives.
        """
        if self.changed or check.expectation(self.graph) is None:
            return []
        if not self.given:
            return check.unmet(self.graph)
        try:
            graph = Net(self.spec, variant=self.variant_name).graph
        except SpecError:  # it can only be read with the sizes that were given
            return []
        return check.unmet(graph)

    @property
    def changed(self) -> list[str]:
        """The arguments that have another value than the spec's or the variant's, `depths[0]` among them."""
        return [name for name in (*self.given, *self.free_names) if element(name)[0] in self.spec.args]

    def state_dict(self) -> dict[str, tuple]:
        """The predicted state_dict: {key: shape}, in PyTorch's order. Tied weights are listed under each of their names."""
        listed = self.graph.tensors()
        return {key: tuple(shape) for key, shape, _, _, node, _ in listed if getattr(node.layer, "persistent", True)}

    def __repr__(self):
        return f"<Net {self.spec.name}{f' ({self.variant_name})' if self.variant_name else ''}>"


def load(source: str | os.PathLike) -> Net:
    """The network of a file, of a shipped spec or one of its variants ("resnet50"), or of a text with line breaks.

    Raises SpecError where it cannot be read, NetcalcError where there is nothing of that name.
    """
    text = os.fspath(source)
    if "\n" in text:
        return Net(files.spec_of_text(text))
    if os.path.isfile(text) or "/" in text or os.sep in text or text.endswith((".yaml", ".yml")):
        return Net(_read_file(text))
    found = catalog.find(text)
    if found is None:
        near = closest(text, catalog.everything())
        help = f"did you mean {near}? " if near else ""
        raise NetcalcError(
            f"error: there is no file and no shipped spec `{text}`\n  help: {help}`netcalc models` lists the shipped ones"
        )
    path, variant = found
    return Net(files.spec_of_file(path, os.path.basename(path)), variant=variant)


def _read_file(path: str) -> Spec:
    try:
        return files.spec_of_file(path)
    except OSError as problem:
        reason = "there is no such file" if isinstance(problem, FileNotFoundError) else problem.strerror or str(problem)
        raise NetcalcError(f"error: cannot read {path}: {reason}") from None


def _value(name: str, value, spec: Spec):
    """A Python value, or the text of one, as a value of the language."""
    if isinstance(value, str):
        entry: Entry = read(files.read_text(value.encode(), f"--set {name}"))
        return evaluate(entry, Env(spec, "in this file"), as_word=True)
    if isinstance(value, float):
        exact = Fraction(str(value))
        return exact.numerator if exact.denominator == 1 else exact
    return [_value(name, item, spec) for item in value] if isinstance(value, (list, tuple)) else value
