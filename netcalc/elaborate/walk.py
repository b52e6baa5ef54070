"""The walk from spec to graph: expands blocks and repeats, infers shapes as it goes."""

from __future__ import annotations

from ..arith import same_shape
from ..collector import paused
from ..errors import Diagnostic, SpecError, fail
from ..graph import Graph, Node, Scope
from ..language.reader import Entry
from ..language.spec import Block, Item, Spec
from ..layers.base import REGISTRY
from . import blocks, containers, leaves, repeats, sharing
from .binding import shape_text
from .environment import Env, KindValue, evaluate, shape_of, shown_value, unknown_type
from .lint import lint
from .reading import Spot
from .references import value_of
from .root import batch_dimension, free_names, root_environment

MAX_NODES, MAX_STEPS, MAX_DEPTH, MAX_PATH = 12_000, 20_000, 64, 500

#: codes whose messages say in which layer the error is
LAYER_CODES = frozenset(
    (*("E216", "E228", "E230", "E231", "E233", "E234", "E235", "E308", "E313", "E400", "E402", "E404", "E405", "E406"),
     *("E410", "E411", "E412", "E413", "E414", "E415", "E416", "E417", "E418", "E419", "E501"))
)  # fmt: skip
_CONTAINERS = {
    "group": containers.group,
    "Sequential": containers.group,
    "Residual": containers.residual,
    "Parallel": containers.parallel,
    "Reuse": sharing.reuse,
}


class Walk:
    """One elaboration. Holds what grows while walking."""

    def __init__(self, spec: Spec, dimensions: frozenset):
        self.spec, self.dimensions = spec, dimensions  # dimensions: the free ones of the inputs
        self.nodes: list[Node] = []
        self.warnings: list[Diagnostic] = []
        self.blocks: list[Block] = []  # those being walked, outermost first
        self.static: dict = {}  # layers whose arguments do not depend on where they stand
        self.layers: dict = {}  # layers by the values of their arguments
        self.ruled: dict = {}  # what the rules of a layer said of the shapes of its inputs
        self.owners: dict[str, Node] = {}  # state_dict names
        self.conditions: dict = {}  # what must hold of free sizes -> the Need that says so
        self.reusing = False  # while a Reuse runs: nothing new is owned
        self.copies = 1  # product of the repeats being walked
        self.depth = self.steps = 0
        self.segments: dict[str, int] = {}  # how many checkpointed stretches have a name
        self.wired: dict[int, tuple] = {}  # per numbering: itself, and how often each word of wiring was used

    # -- bodies and items

    def body(self, items: list[Item], scope: Scope, prev):
        """Run a list of items; returns the last thing, or `prev` where nothing is there."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise fail("E315", f"blocks and groups are nested more than {MAX_DEPTH} levels deep", scope.item.head.where)
        for item in items:
            prev = self.item(item, scope, prev)
        self.depth -= 1
        return prev

    def item(self, item: Item, scope: Scope, prev):
        keywords = item.keywords
        if not keywords:
            return self.place(item, scope, prev, scope.env)
        if "when" in keywords and not self._holds(keywords["when"], scope.env):
            self._step(item)
            if item.name:
                scope.missing.setdefault(item.name, item.name_entry)
            return prev
        if item.name:
            scope.missing.pop(item.name, None)
        if "repeat" in keywords:
            return repeats.repeated(self, item, scope, prev)
        return self.place(item, scope, prev, scope.env)

    def _holds(self, entry: Entry, env: Env) -> bool:
        value = evaluate(entry, env)
        if isinstance(value, bool):
            return value
        raise fail("E304", f"`when` needs true or false, not {shown_value(value)}", entry.where,
                   f"write a comparison, for example `{entry.value} != 1`" if entry.kind == "text" else None)  # fmt: skip

    def _step(self, item: Item):
        self.steps += 1
        if self.steps > MAX_STEPS or len(self.nodes) > MAX_NODES:
            raise fail("E315", "the network is larger than any: it has more than "
                       f"{MAX_NODES:,} layers, or {MAX_STEPS:,} with all groups and blocks", item.head.where)  # fmt: skip

    def place(self, item: Item, scope: Scope, prev, env: Env, name: str | None = None, copied=False, before=None):
        """Run one item once. `name` overrides its name; copied, before: see `Spot`."""
        self._step(item)
        kind, given = self.kind(item, env)
        if name is None:
            name = repeats.given_name(item.keywords["name"], env) if "name" in item.keywords else item.name
        if name is None and (kind == "Residual" or kind == "Parallel"):
            number, path = "", scope.path
        else:
            number = self.number(scope)
            path = scope.child_path(name if name is not None else number)
            if len(path) > MAX_PATH:
                raise fail("E221", f"the names here add up to more than {MAX_PATH} characters", item.head.where)
        spot = Spot(item, scope, prev, env, path, name, copied, before)
        try:
            made = self._made(spot, kind, given)
            if "shape" in item.keywords:
                _check_shape(item.keywords["shape"], made, env)
        except SpecError as problem:
            raise _placed(problem, path if number else None) from None
        made.by = item
        self.register(made, name, number, scope)
        return made

    def _made(self, spot: Spot, kind, given: dict):
        if isinstance(kind, Block):
            return blocks.block(self, spot, kind, given)
        if isinstance(kind, str):
            run = _CONTAINERS[kind]
            return run(self, spot)
        return leaves.leaf(self, spot, kind, given)

    def kind(self, item: Item, env: Env):
        """What an item is (a layer class, a Block, or a word of _CONTAINERS), and the arguments given with it."""
        kind = item.type
        if kind is None:
            return "group", {}
        if kind in _CONTAINERS:
            return kind, {}
        given: dict = {}
        if env.has(kind):
            value = env.lookup(kind)
            if not isinstance(value, KindValue):
                raise fail(
                    "E318", f"the argument `{kind}` is {shown_value(value)}, not a kind of layer", item.type_entry.where
                )
            given, kind, block = value.given, value.name, value.block
        else:
            block = env.type_of(kind)
        if block is not None:
            return block, given
        if kind in REGISTRY:
            return REGISTRY[kind], given
        raise unknown_type(item.type_entry, env)

    def saved(self) -> tuple:
        """What `restore` takes to make undone what is run from here on."""
        wired = {key: (numbering, dict(counts)) for key, (numbering, counts) in self.wired.items()}
        tables = [dict(table) for table in (self.ruled, self.owners, self.conditions, self.segments)]
        return len(self.nodes), len(self.warnings), self.copies, self.depth, self.steps, wired, tables

    def restore(self, saved: tuple):
        nodes, warnings, self.copies, self.depth, self.steps, self.wired, tables = saved
        del self.nodes[nodes:], self.warnings[warnings:]
        self.ruled, self.owners, self.conditions, self.segments = tables

    # -- names and paths

    def number(self, scope: Scope) -> str:
        """The position of the next layer in its list."""
        number = scope.numbering[0]
        scope.numbering[0] = number + 1
        return str(number)

    def register(self, made, name: str | None, number: str, scope: Scope):
        """Make a thing known to what comes after it. number: "" for wiring, which has none."""
        if name is not None and scope.named.setdefault(name, made) is not made:
            raise fail("E223", f"the name `{name}` is used twice in this list", made.item.head.where)
        if number:
            scope.numbered[number] = made
        scope.members.append(made)

    def wiring_path(self, scope: Scope, word: str) -> str:
        """A path for an operation that the wiring itself adds: add, add2, ..."""
        _, counts = self.wired.setdefault(id(scope.numbering), (scope.numbering, {}))
        taken = _names_beside(scope)
        while True:
            counts[word] = counts.get(word, 0) + 1
            name = word if counts[word] == 1 else f"{word}{counts[word]}"
            if name not in taken:
                return scope.child_path(name)

    # -- modules

    def inner(self, kind: str, spot: Spot) -> Scope:
        """The scope of a container."""
        inner = Scope(kind, spot.path, spot.env, spot.scope, spot.item)
        inner.name, inner.segment, inner.times = spot.name, spot.here.segment, spot.here.times
        if spot.path == spot.scope.path:  # unnamed wiring: its layers are numbered in the enclosing list
            inner.numbering = spot.scope.numbering
        self.switches(spot, inner)
        return inner

    def switches(self, spot: Spot, inner: Scope):
        """`freeze` and `checkpoint` of an item, for what is inside it."""
        keywords = spot.item.keywords
        for word in ("freeze", "checkpoint"):
            if word in keywords:
                value = evaluate(keywords[word], spot.env)
                if not isinstance(value, bool):
                    raise fail("E304", f"`{word}` needs true or false, not {shown_value(value)}", keywords[word].where)
                if word == "freeze":
                    inner.frozen = value
                elif value:
                    inner.segment = self._segment(spot)

    def _segment(self, spot: Spot) -> str:
        """A name of its own for each checkpointed stretch, also where it runs twice or is unnamed wiring."""
        scope = spot.scope
        name = spot.path if spot.path != scope.path else scope.child_path(str(scope.numbering[0]))
        times = self.segments[name] = self.segments.get(name, 0) + 1
        return name if times == 1 else f"{name}#{times}"

    # -- the ends

    def loss(self, spec: Spec, root: Scope) -> tuple[Node, ...]:
        """The layers of the loss: they start from the output and are not part of the model."""
        if spec.loss is None:
            return ()
        first, last = len(self.nodes), spec.loss[-1].head.where
        scope = Scope("loss", "loss", root.env, root)
        prev = root.outputs[0][1] if len(root.outputs) == 1 else None
        if prev is None and "from" not in spec.loss[0].keywords:
            raise fail(
                "E313", "there are several outputs: say with `from` which one the loss reads", spec.loss[0].head.where
            )
        end = value_of(self.body(spec.loss, scope, prev), last)
        if end.shape != ():
            raise fail("E502", f"the loss ends in {shape_text(end.shape)}, not in one number", last,
                       "end with a loss such as CrossEntropyLoss, or with Mean")  # fmt: skip
        nodes = self.nodes[first:]
        del self.nodes[first:]
        return tuple(nodes)

    def warn(self, code: str, text: str, entry: Entry, help: str | None = None):
        self.warnings.append(Diagnostic(code, text, entry.where, help=help))


def _names_beside(scope: Scope) -> set[str]:
    """The names in a list of layers and in the lists around it that belong to the same module."""
    found: set[str] = set()
    while scope is not None:
        body = scope.block.body if scope.block is not None else [*(scope.item.body or ()), *(scope.item.shortcut or ())]
        found.update(scope.named, names_of(body))
        scope = scope.outer if scope.outer is not None and scope.outer.path == scope.path else None
    return found


def names_of(body: list[Item]) -> set[str]:
    """The names in a list of layers, with those inside wiring that has no name itself."""
    found = {item.name for item in body if item.name}
    for item in body:
        if item.name is None and item.type in ("Residual", "Parallel"):
            found |= names_of([*(item.body or ()), *(item.shortcut or ())])
    return found


def _check_shape(entry: Entry, made, env: Env):
    if entry.kind != "list":
        raise fail("E210", "`shape` needs a list of sizes", entry.where, "for example [N, 64, 28, 28]")
    expected = shape_of(entry.value, env)
    actual = value_of(made, entry.where).shape
    if not same_shape(expected, actual):
        raise fail("E501", f"the output is {shape_text(actual)}, but `shape` says {shape_text(expected)}", entry.where)


def _placed(problem: SpecError, path: str | None) -> SpecError:
    """The error with the path of the layer, where it has none yet and is about a layer's arguments or shapes."""

    def placed(diagnostic):
        if diagnostic.layer is None and path and diagnostic.code in LAYER_CODES:
            return diagnostic._replace(layer=path)
        return diagnostic

    return SpecError(*map(placed, problem.diagnostics))


@paused()
def elaborate(spec: Spec, given: dict | None = None, variant: str | None = None, free=()) -> Graph:
    """The graph of a spec. Raises SpecError.

    given: values of arguments and free dimensions by name, as the language has them. variant: the name of one.
    free: arguments to leave open as symbols.
    """
    try:
        return _graph(spec, dict(given or {}), variant, free)
    except RecursionError:  # the limits keep far from it, unless the caller is deep in a recursion of its own
        raise fail("E315", "this spec is nested too deeply", spec.entry.where) from None


def _graph(spec: Spec, given: dict, variant: str | None, free) -> Graph:
    env, inputs, dimensions = root_environment(spec, given, variant, free)
    walk = Walk(spec, dimensions)
    root = Scope("model", "", env)
    root.block, root.inputs, root.item = spec, inputs, Item(spec.entry)
    first = next(iter(inputs.values())) if len(inputs) == 1 else None
    blocks.set_outputs(spec, root, walk.body(spec.body, root, first))
    loss = walk.loss(spec, root)
    root.args = {name: env.lookup(name) for name in spec.args}
    graph = Graph(spec, root, tuple(walk.nodes), root.outputs)
    graph.loss, graph.args, graph.variant = loss, root.args, variant
    graph.batch, graph.free = batch_dimension(spec, inputs), free_names(inputs, root.args)
    graph.conditions = tuple(walk.conditions.items())
    lint(graph, walk.warnings)
    return graph
