"""The whole file: imports, helpers, classes, and what runs when the file is run."""

from __future__ import annotations

import re
from functools import cached_property

from ..elaborate.environment import KindValue
from ..errors import NetcalcError
from ..facts import Totals, rows
from ..graph import Graph, Node, Scope
from . import helpers, naming
from .classes import Names
from .code import MAKE_DIVISIBLE, string
from .flow import Flow, NotParametric, everything, is_again
from .main import main_lines
from .plan import Plan
from .symbols import Frame, Frames
from .twins import Twins
from .written import Written


class Export:
    """emitter: what knows the classes of the file and the steps of their forwards."""

    def __init__(self, graph: Graph, given: dict, origin: str):
        self.emitter = Emitter(graph, given, origin)

    @cached_property
    def _places(self) -> tuple[dict[int, str], dict[str, str]]:
        return self.emitter.module_paths()

    @property
    def modules(self) -> dict[int, str]:
        """For each layer of the graph (by id) that is a module there, its path."""
        return self._places[0]

    @property
    def paths(self) -> dict[str, str]:
        """The same for layers, blocks and groups, by their path in the graph."""
        return self._places[1]

    @cached_property
    def text(self) -> str:
        """The source of the file. Raises NetcalcError where the source of a layer is not known."""
        for node in (*self.emitter.graph.nodes, *self.emitter.graph.loss):
            if not node.layer.has_source():
                raise NetcalcError(f"error: what {node.type} is in PyTorch is not known (layer {node.path})\n"
                                   "  help: its class says it by `torch`, `helper_source` or `call`")  # fmt: skip
        return self.emitter.text()


def export(graph: Graph, given: dict | None = None, origin: str = "") -> Export:
    """A PyTorch module that is the network of `graph`.

    given: the arguments that were set. origin: how the spec is called in the docstring. Raises NetcalcError for what
    cannot be written.
    """
    return Export(graph, given or {}, origin)


class Emitter:
    """Collects the classes of a file in the order in which they must stand."""

    def __init__(self, graph: Graph, given: dict, origin: str):
        self.graph, self.net_given, self.origin = graph, given, origin
        if any(node.times != 1 for node in graph.nodes):
            raise NetcalcError("error: the number of copies of a `repeat` is free\n  help: give it a value with --set")
        self.helpers: dict[str, str] = {}
        self.written = Written()
        self.attempt = self.written.attempt
        self.flow = Flow(graph)
        self.originals: dict[str, Node | Scope] = {}  # path -> what it names, not what a Reuse runs again
        for member in everything(graph.root):
            self.originals.setdefault(member.path, member)
        self.class_names = frozenset((*naming.USED, *naming.defined(helpers.of_graph(graph))))
        self.twins = Twins(self.flow)
        self.frames = Frames(self.twins)
        self.root_frame = Frame(graph.root, self.frames)
        self.blocks = self._blocks()
        self.model = self._model()

    def text(self) -> str:
        if self.graph.spec.name in self.class_names:
            raise NetcalcError(f"error: export cannot call the class {self.graph.spec.name}: the file needs that name itself\n"
                               "  help: give the spec another `name`")  # fmt: skip
        model = self.model
        main = main_lines(self, model)
        classes = {name: plan.text for name, plan in self.written.plans.items()} | {model.name: [*model.text, *main]}
        pieces = {name: text.strip("\n").split("\n") for name, text in self.helpers.items()} | classes
        kept = _reached(model.name, pieces)
        code = "\n\n\n".join("\n".join(pieces[name]) for name in pieces if name in kept and name != model.name)
        ends = "\n\n\n".join(("\n".join(model.text), "\n".join(main)))
        sections = [self._header(code + ends), code, ends]
        return "\n\n\n".join(section for section in sections if section) + "\n"

    def module_paths(self) -> tuple[dict[int, str], dict[str, str]]:
        """Where each layer (by id), and each layer, block and group (by path) is in the module: its state_dict path, but for
        unnamed ones, whose number became a name."""
        paths: dict = {}
        self._find_paths(self.graph.root, self.written.plans[self.graph.spec.name], "", "", paths)
        return {id(node): paths.get(id(node)) or paths[node.path] for node in self.graph.nodes}, paths

    def _find_paths(self, scope: Scope, plan: Plan, base: str, module: str, found: dict, own: bool = True):
        """base, module: the path of the class `plan`, or of an nn.Sequential in it (`own` is false there: its elements have
        the names that they have in the graph), in the graph and in the source. found: by path, or by the layer's id."""
        for member in scope.members:
            path = member.path[len(base) + 1 :] if base else member.path
            renamed = plan.renamed.get(self.twins.counterpart(member)) if own else None
            attribute = renamed or (plan.generated.get(path, path).removeprefix("self.") if own else path)
            here = f"{module}.{attribute}" if module else attribute
            found.setdefault(id(member) if renamed else member.path, here)
            if isinstance(member, Scope) and not is_again(member):
                inner = self.plan(member) if member.kind == "block" else self.group_of(member)
                if inner is None and member.path == scope.path:
                    self._find_paths(member, plan, base, module, found, own)
                elif inner is None:
                    self._find_paths(member, plan, member.path, here, found, False)
                else:
                    self._find_paths(member, inner, member.path, here, found)

    # -- the file

    def _header(self, code: str) -> str:
        lines = [f'"""{self.summary()}"""', ""]
        lines += ["import argparse", *(["import math"] if uses(code, "math") else [])]
        lines += [*(["from collections import OrderedDict"] if uses(code, "OrderedDict") else []), ""]
        lines += ["import torch", "from torch import nn"]
        lines += ["from torch.nn import functional as F"] if uses(code, "F") else []
        lines += ["from torch.utils.checkpoint import checkpoint"] if uses(code, "checkpoint") else []
        return "\n".join(lines)

    def summary(self) -> str:
        """Where the file comes from and what it counts."""
        table = rows(self.graph, {self.graph.batch: 1} if self.graph.batch else {})
        totals = Totals(self.graph, table)
        variant = f", variant {self.graph.variant}" if self.graph.variant else ""
        macs = sum(row.macs for row in table) if all(isinstance(row.macs, int) for row in table) else None
        counts = f"{totals.params:,} parameters" + (f", {macs:,} MACs for one sample" if macs else "")
        name = safe(self.origin or self.graph.spec.name)
        return f"{safe(self.graph.spec.name)}, written by netcalc from {name}{variant}.\n\n{counts}.\n"

    def docstring(self, plan: Plan) -> list[str]:
        if plan.kind != "model":
            return []
        return []

    def helper(self, name: str, text: str):
        self.helpers.setdefault(name, text)

    def uses(self, text: str):
        """Note what an expression needs in the file."""
        if "make_divisible" in text:
            self.helpers.setdefault("make_divisible", MAKE_DIVISIBLE)

    def settled(self, block) -> bool:
        """Whether conditions are settled: in the model itself, for its variant is chosen."""
        return block is self.graph.spec

    # -- blocks

    def _blocks(self) -> dict[tuple, list[Scope]]:
        found: dict[tuple, list[Scope]] = {}
        for scope in _scopes(self.graph.root):
            if scope.kind == "block" and self.twins.first(scope) is scope:
                found.setdefault(self._key(scope), []).append(scope)
        return found

    def _key(self, scope: Scope) -> tuple:
        """Blocks with the same kinds of layer as arguments share a class."""
        kinds = tuple((name, _kind_text(value)) for name, value in sorted(scope.env.values.items()) if _has_kind(value))
        return id(scope.block), kinds

    def plan(self, scope: Scope) -> Plan:
        """The class of a block's instance, written when it is first asked for."""
        scope = self.twins.first(scope)
        plan = self.written.by_scope.get(id(scope))
        if plan is None:
            key = self._key(scope)
            with self.written.block(key):
                self._plan_block(self.blocks[key])
            plan = self.written.by_scope[id(scope)]
        return plan

    def _plan_block(self, scopes: list[Scope]):
        try:
            self._attempt(scopes, concrete=False)
        except NotParametric:
            alike: dict[str, list[Scope]] = {}
            for scope in scopes:
                shapes = [value.shape[1:] for value in scope.inputs.values()]
                alike.setdefault(f"{shapes} {[(k, str(v)) for k, v in sorted(scope.args.items())]}", []).append(scope)
            for group in alike.values():
                self._attempt(group, concrete=True)

    def _attempt(self, scopes: list[Scope], concrete: bool):
        block = scopes[0].block
        with self.attempt():
            plan = Plan(self, self._class_name(block.name), "block", block, block.body,
                        [(self.frames.of(s), s, None) for s in scopes], Names(block, concrete))  # fmt: skip
            self.written.add("plans", plan.name, plan)
            for scope in scopes:
                self.written.add("by_scope", id(scope), plan)

    def group_plan(self, item, entries, names: Names) -> Plan:
        """The class of a group with wiring of its own. Its forward must suit the runs of a Reuse too: what is one tensor
        in the first run may be two in a later one."""
        key = tuple(id(e.member) for e in entries)
        scopes = [(e.frame, run, e.index) for e in entries for run in self.flow.all_runs([e.member])]
        plan = self.written.groups.get(key)
        if plan is None:
            items = item.body if item.type not in ("Residual", "Parallel") else naming.inner(item)
            plan = Plan(
                self, self._class_name(_camel(item.name or "group")), "group", names.block, items, scopes, names
            )
            self.written.add("plans", plan.name, plan)
            self.written.add("groups", key, plan)
        return plan

    def group_of(self, member: Scope) -> Plan | None:
        """The class of a group, or of the group that it runs again; None where it has none of its own."""
        if member.outer is not None and member.path == member.outer.path:
            return None
        original = self.twins.counterpart(self.originals[member.path])
        return next((plan for key, plan in self.written.groups.items() if original in key), None)

    def _model(self) -> Plan:
        spec, root = self.graph.spec, self.graph.root
        scopes = [(self.root_frame, root, None)]
        try:
            with self.attempt():
                plan = Plan(self, spec.name, "model", spec, spec.body, scopes, Names(spec, False))
        except NotParametric:
            plan = Plan(self, spec.name, "model", spec, spec.body, scopes, Names(spec, True))
        self.written.add("plans", plan.name, plan)
        self._ties(plan)
        return plan

    def _ties(self, plan: Plan):
        """Tied parameters, at the end of the model's __init__."""
        ties = [
            (n.key(name), other.key(o))
            for n in self.graph.nodes
            if n.original is None
            for name, (other, o) in n.tied.items()
        ]
        if not ties:
            return
        at = next((k for k, line in enumerate(plan.text) if line.startswith("    def forward")), len(plan.text) + 1) - 1
        plan.text[at:at] = [f"        {_attribute(mine)} = {_attribute(theirs)}" for mine, theirs in ties]

    def _class_name(self, wanted: str) -> str:
        name, number = wanted, 2
        while name in self.class_names or name in self.written.class_names or name == self.graph.spec.name:
            name = f"{wanted}{number}"
            number += 1
        self.written.add("class_names", name)
        return name


def uses(code: str, name: str) -> bool:
    """Whether code calls a name or reads an attribute of it."""
    return re.search(rf"(?<![\w.\"]){name}[.(]", code) is not None


def _reached(start: str, pieces: dict[str, list[str]]) -> set[str]:
    """The classes and functions that a class needs: a group that was first tried as an nn.Sequential may leave others."""
    names = {defined: name for name, lines in pieces.items() for defined in (name, *naming.defined(["\n".join(lines)]))}
    found, todo = {start}, [start]
    while todo:
        words = set(re.findall(r"\w+", "\n".join(pieces[todo.pop()])))
        new = {names[word] for word in words & names.keys()} - found
        found |= new
        todo += new
    return found


def _scopes(scope: Scope):
    for member in scope.members:
        if isinstance(member, Scope):
            yield member
            yield from _scopes(member)


def _has_kind(value) -> bool:
    return isinstance(value, KindValue) or (isinstance(value, list) and any(map(_has_kind, value)))


def _kind_text(value) -> str:
    if isinstance(value, list):
        return str([_kind_text(item) for item in value])
    return value.name if isinstance(value, KindValue) else str(value)


def _attribute(key: str) -> str:
    """A state_dict key as an attribute of the model."""
    path, _, name = key.rpartition(".")
    if not path:
        return f"self.{name}"
    return f"self.{path}.{name}" if naming.plain(path) else f"self.get_submodule({string(path)}).{name}"


def _camel(name: str) -> str:
    found = "".join(word[:1].upper() + word[1:] for word in re.split(r"[_\W]+", name) if word)
    return found if found[:1].isalpha() else f"Group{found}"


def safe(text: str) -> str:
    """Free text for a docstring: one line that cannot end it."""
    return re.sub(r"[^\w .,:()+/-]", " ", str(text)).strip()[:100]
