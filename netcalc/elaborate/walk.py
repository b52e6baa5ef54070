"""The walk from spec to graph: expands blocks and repeats, infers shapes as it goes."""

from __future__ import annotations

import re

from ..arith import Formula, same_shape
from ..errors import Diagnostic, SpecError, closest
from ..graph import Graph, Node, Scope, Value
from ..language import names
from ..language.reader import Entry
from ..language.syntax import Block, Item, Spec
from ..layers.base import REGISTRY
from . import leaves
from .binding import fail, shape_text
from .environment import Env, KindValue, bind_sizes, env_value, evaluate, shape_of, unknown_type
from .references import find, find_module, resolve, value_of

MAX_REPEAT, MAX_NODES, MAX_DEPTH = 10_000, 50_000, 64


class Walk:
    """One elaboration. Holds what grows while walking: nodes, warnings, the blocks being walked."""

    def __init__(self, spec: Spec):
        self.spec = spec
        self.nodes: list[Node] = []
        self.warnings: list[Diagnostic] = []
        self.frames: list[tuple[Block, Entry]] = []
        self.static: dict = {}
        self.copies = 1  # product of the repeats being walked
        self.originals: list[Node] | None = None  # while a Reuse runs: the nodes that own the weights
        self.owners: dict[str, Node] = {}  # state_dict names
        self.conditions: dict = {}  # what must hold of free sizes -> the Need that says so
        self.dimensions: frozenset = frozenset()  # free dimensions of the inputs

    # -- bodies and items

    def body(self, items: list[Item], scope: Scope, prev):
        """Run a list of items; returns the last thing, or `prev` where nothing is there."""
        for item in items:
            prev = self.item(item, scope, prev)
        return prev

    def item(self, item: Item, scope: Scope, prev):
        keywords = item.keywords
        if not keywords:
            return self.place(item, scope, prev, scope.env)
        if "when" in keywords and not self._condition(keywords["when"], scope.env):
            if item.name:
                scope.missing.setdefault(item.name, item.name_entry)
            return prev
        if item.name:
            scope.missing.pop(item.name, None)
        if "repeat" in keywords:
            return self.repeated(item, scope, prev)
        return self.place(item, scope, prev, scope.env)

    def _condition(self, entry: Entry, env: Env) -> bool:
        value = evaluate(entry, env)
        if isinstance(value, bool):
            return value
        raise fail("E304", f"`when` needs true or false, not {_shown(value)}", entry.where,
                   f"write a comparison, for example `{entry.value} != 1`")  # fmt: skip

    # -- repeat

    def repeated(self, item: Item, scope: Scope, prev):
        entry = item.keywords["repeat"]
        count = evaluate(entry, scope.env)
        if isinstance(count, Formula):
            return self._free_repeat(item, scope, prev, count)
        if type(count) is not int or count < 0:
            raise fail("E308", f"`repeat` needs a whole number >= 0, not {_shown(count)}", entry.where)
        if count > MAX_REPEAT:
            raise fail("E315", f"`repeat` is {count:,}; at most {MAX_REPEAT:,} copies are possible", entry.where)
        if count == 0:
            self.warn("W303", "repeat is 0: this layer is not there", entry)
            if item.name is None:
                return prev
        self.copies *= max(1, count)
        self._bound_size(entry)
        if item.name is not None:
            prev = self._copies(item, scope, prev, count)
        else:
            for i in range(count):
                prev = self._copy(item, scope, prev, i)
        self.copies //= max(1, count)
        return prev

    def _bound_size(self, entry: Entry):
        if self.copies > MAX_NODES:
            raise fail("E315", f"the repeats here multiply to more than {MAX_NODES:,} layers", entry.where)

    def _copies(self, item: Item, scope: Scope, prev, count: int, path: str | None = None) -> Scope:
        """`name:` with repeat: a module whose children are the copies."""
        inner = Scope("copies", path or scope.child_path(item.name), scope.env, scope, item)
        inner.name = item.name
        if path is None:
            self._register(inner, item.name, self._number(scope), scope)
        inner.rebuild = lambda thing: self._again(self._copies, item, scope, thing, count, inner.path)
        for i in range(count):
            prev = self._copy(item, inner, prev, i, inside=True)
        inner.outputs = [(None, value_of(prev, item.head.where))] if prev is not None else []
        return inner

    def _copy(self, item: Item, scope: Scope, prev, i: int, inside=False):
        env = scope.env.with_index(i)
        name = None
        if "name" in item.keywords:
            name = self._template(item.keywords["name"], env)
        elif inside:
            name = str(i)
        if i and "from" in item.keywords and item.keywords["from"].kind == "text":
            return self._again(self.place, item, scope, prev, env, name, i)
        return self.place(item, scope, prev, env, name, i)

    def _free_repeat(self, item: Item, scope: Scope, prev, count: Formula):
        """A repeat whose count is free: one copy stands for all, which must keep the shape of their input."""
        inner = Scope("copies", scope.child_path(item.name) if item.name else scope.path, scope.env, scope, item)
        inner.name, inner.times = item.name, inner.times * count
        self._register(inner, item.name, self._number(scope), scope)
        before = [value.shape for value in self.read(item, scope, prev)] if prev is not None else []
        last = self.place(item, inner, prev, scope.env, "i", 0)
        after = value_of(last, item.head.where)
        if before and not same_shape(before[0], after.shape):
            raise fail("E317", f"with a free `repeat` the copies must keep their shape, but {shape_text(before[0])} becomes "
                       f"{shape_text(after.shape)}", item.keywords["repeat"].where, "give the number of copies a value")  # fmt: skip
        inner.outputs = [(None, after)]
        return inner

    def _template(self, entry: Entry, env: Env) -> str:
        """A `name:` text with its {expressions} worked out."""
        from ..language.expressions import ExpressionError, parse

        def worked_out(match):
            try:
                return str(parse(match.group(1)).value(env.lookup))
            except ExpressionError as problem:
                raise fail(problem.code, problem.text, entry.where, problem.help) from None

        text = re.sub(r"\{([^{}]*)\}", worked_out, str(entry.value))
        if not re.fullmatch(r"[\w-]+", text):
            raise fail("E221", f"`{text}` cannot be the name of a layer", entry.where, "use letters, digits, _ and -; no dot")
        if text in names.MODULE_ATTRIBUTES:
            raise fail("E222", f"`{text}` cannot be the name of a layer: torch.nn.Module has it already", entry.where)
        return text

    # -- one thing

    def place(self, item: Item, scope: Scope, prev, env: Env, name: str | None = None, copy=None):
        """Run one item once. `name` overrides its name; `copy` is its number under a `repeat`."""
        if len(self.nodes) > MAX_NODES:
            raise fail("E315", f"the network has more than {MAX_NODES:,} layers", item.head.where)
        kind, given = self._kind(item, env)
        wiring = kind in ("Residual", "Parallel") and item.name is None and name is None
        if name is None:
            name = self._template(item.keywords["name"], env) if "name" in item.keywords else item.name
        number = "" if wiring else self._number(scope)
        path = scope.path if wiring else scope.child_path(name if name is not None else number)
        try:
            made = self._made(item, kind, given, scope, prev, env, path, copy)
            if "shape" in item.keywords:
                self._check_shape(item.keywords["shape"], made, env)
        except SpecError as problem:
            raise self._placed(problem, path if not wiring else None) from None
        self._register(made, name, number, scope, wiring)
        return made

    def _number(self, scope: Scope) -> str:
        number = scope.numbering[0]
        scope.numbering[0] = number + 1
        return str(number)

    def _register(self, made, name: str | None, number: str, scope: Scope, wiring=False):
        if name is not None:
            if name in scope.named and scope.named[name] is not made:
                raise fail("E223", f"the name `{name}` is used twice in this list", made.item.head.where)
            scope.named[name] = made
        if not wiring:
            scope.numbered[number] = made
        scope.members.append(made)

    def _kind(self, item: Item, env: Env):
        """What an item is: a layer class, a Block, "group", a container's name or "Reuse"; and arguments given with it."""
        kind = item.type
        if kind is None:
            return "group", {}
        if kind in names.CONTAINERS or kind == "Reuse":
            return kind, {}
        given: dict = {}
        owner = env
        if env.has(kind):
            value = env.lookup(kind)
            if not isinstance(value, KindValue):
                raise fail("E318", f"the argument `{kind}` is {_shown(value)}, not a kind of layer", item.type_entry.where)
            given, kind = value.given, value.name
            block = value.spec.blocks.get(kind) or value.spec.resolved.get(kind)
        else:
            block = owner.type_of(kind)
        if block is not None:
            return block, given
        if kind in REGISTRY:
            return REGISTRY[kind], given
        raise unknown_type(item.type_entry, env)

    def _made(self, item, kind, given, scope, prev, env, path, copy):
        if isinstance(kind, Block):
            return self.block(item, kind, given, scope, prev, env, path, copy)
        if kind in ("group", "Sequential"):
            return self.group(item, kind, scope, prev, env, path)
        if kind == "Residual":
            return self.residual(item, scope, prev, env, path)
        if kind == "Parallel":
            return self.parallel(item, scope, prev, env, path)
        if kind == "Reuse":
            return self.reuse(item, scope, prev, env)
        return leaves.leaf(self, item, kind, given, scope, prev, env, path, copy)

    # -- reading inputs

    def read(self, item: Item, scope: Scope, prev, copy=None) -> list[Value]:
        """The tensors that an item reads, by `from` or the layer before."""
        entry = item.keywords.get("from")
        if entry is None:
            if prev is None:
                several = len(self._root_inputs(scope)) > 1
                text = "the spec has several inputs: say with `from` which one this layer reads" if several else "there is no layer before this one to read from"
                raise fail("E313", text, item.head.where)
            return [value_of(prev, item.head.where)]
        if entry.kind == "map":
            raise fail("E313", "only a block with several inputs takes a mapping in `from`", entry.where)
        references = entry.value if entry.kind == "list" else [entry]
        values = [value_of(resolve(ref, scope, prev), ref.where) for ref in references]
        if copy:  # the copy before feeds the input given by prev, else the first
            index = next((i for i, ref in enumerate(references) if ref.value == "prev"), 0)
            values[index] = value_of(prev, item.head.where)
        return values

    def _root_inputs(self, scope: Scope) -> dict:
        while scope.outer is not None:
            scope = scope.outer
        return scope.inputs

    # -- containers

    def _inner(self, kind: str, item: Item, scope: Scope, env: Env, path: str) -> Scope:
        inner = Scope(kind, path, env, scope, item)
        inner.name = item.name
        self.switches(item, inner, env)
        return inner

    def switches(self, item: Item, inner: Scope, env: Env):
        for word in ("freeze", "checkpoint"):
            if word in item.keywords:
                value = evaluate(item.keywords[word], env)
                if not isinstance(value, bool):
                    raise fail("E304", f"`{word}` needs true or false, not {_shown(value)}", item.keywords[word].where)
                if word == "freeze":
                    inner.frozen = value
                elif value:
                    inner.segment = inner.path

    def group(self, item, kind, scope, prev, env, path):
        inner = self._inner(kind, item, scope, env, path)
        start = self._start(item, scope, prev)
        last = self.body(item.body, inner, start)
        inner.outputs = [(None, value_of(last, item.head.where))] if last is not None else []
        inner.rebuild = lambda thing: self._again(self.group, item, kind, scope, thing, env, path)
        return inner

    def _start(self, item: Item, scope: Scope, prev):
        """What a container's first layer reads."""
        if "from" in item.keywords:
            values = self.read(item, scope, prev)
            if len(values) != 1:
                raise fail("E313", f"a group takes one input, not {len(values)}", item.keywords["from"].where)
            return values[0]
        return prev

    def residual(self, item, scope, prev, env, path):
        inner = self._inner("Residual", item, scope, env, path)
        if item.name is None:
            inner.numbering = scope.numbering
        start = self._start(item, scope, prev)
        if start is None:
            start = self.read(item, scope, prev)[0]
        main = value_of(self.body(item.body, inner, start), item.head.where)
        side = value_of(start, item.head.where)
        made_by = "its input"
        if item.shortcut is not None:
            side = value_of(self.body(item.shortcut, inner, start), item.head.where)
            made_by = "its shortcut"
        if not leaves.broadcasts(main.shape, side.shape):
            raise fail("E401", f"Residual adds {shape_text(main.shape)} (its layers) to {shape_text(side.shape)} ({made_by}): "
                       "the shapes differ", item.head.where,
                       "add a shortcut that changes the shape in the same way, e.g. a 1x1 Conv2d with the same out_channels and stride")  # fmt: skip
        node = leaves.joined(self, "Add", {}, (main, side), item, inner, leaves.fresh_path(inner, "add"))
        inner.members.append(node)
        inner.outputs = [(None, node.outputs[0])]
        inner.rebuild = lambda thing: self._again(self.residual, item, scope, thing, env, path)
        return inner

    def parallel(self, item, scope, prev, env, path):
        inner = self._inner("Parallel", item, scope, env, path)
        if item.name is None:
            inner.numbering = scope.numbering
        start = self._start(item, scope, prev)
        outputs = []
        for branch in item.body:
            made = self.item(branch, inner, start)
            if made is not start:
                outputs.append((branch.name, value_of(made, branch.head.where)))
        if item.merge is None:
            inner.outputs = outputs
        else:
            values = tuple(value for _, value in outputs)
            kind, given = self._kind(item.merge, env)
            node = leaves.leaf(self, item.merge, kind, given, inner, values, env, leaves.fresh_path(inner, kind.type.lower()), None)
            inner.members.append(node)
            inner.outputs = [(None, node.outputs[0])]
        inner.rebuild = lambda thing: self._again(self.parallel, item, scope, thing, env, path)
        return inner

    # -- blocks

    def block(self, item, block: Block, given, scope, prev, env, path, copy=None):
        if any(frame is block for frame, _ in self.frames) and not self._is_kind(item, env):
            raise fail("E226", f"block `{block.name}` contains itself", block.entry.where)
        if len(self.frames) >= MAX_DEPTH:
            raise fail("E226", f"blocks are nested more than {MAX_DEPTH} deep", item.head.where)
        inner_env = Env(block.file, f"in block {block.name}" if block is not block.file else "in this file")
        inner = Scope("block", path, inner_env)
        inner.name, inner.item, inner.block = item.name, item, block
        inner.frozen, inner.segment, inner.times = scope.frozen, scope.segment, scope.times
        self.switches(item, inner, env)
        self._block_arguments(item, block, given, env, inner_env)
        self._block_inputs(item, block, scope, prev, inner, copy)
        self.frames.append((block, item.head))
        try:
            start = next(iter(inner.inputs.values())) if len(inner.inputs) == 1 else None
            last = self.body(block.body, inner, start)
            self.outputs(block, inner, last)
            inner.args = dict(inner_env.values)
        except SpecError as problem:
            raise self._inside(problem, block, item) from None
        finally:
            self.frames.pop()
        inner.rebuild = lambda thing: self._again(self.block, item, block, given, scope, thing, env, path)
        return inner

    def _is_kind(self, item: Item, env: Env) -> bool:
        return item.type is not None and env.has(item.type)

    def _inside(self, problem: SpecError, block: Block, item: Item) -> SpecError:
        def noted(diagnostic):
            if diagnostic.where is not None and diagnostic.where == item.head.where:
                return diagnostic
            note = (f"inside block {block.name}, used here", item.head.where)
            return diagnostic._replace(notes=(*diagnostic.notes, note))

        return SpecError(*map(noted, problem.diagnostics))

    def _block_arguments(self, item: Item, block: Block, given: dict, env: Env, inner: Env):
        values = dict(given)
        if item.main is not None:
            required = ", ".join(f"{name}: ..." for name in block.args) or ""
            raise fail("E234", f"block {block.name} has no single main argument; name them: {block.name}: {{{required}}}", item.main.where)
        for key, value in item.arguments:
            name = key.value
            if name not in block.args:
                raise self._unknown_argument(key, block)
            values[name] = env_value(key, env) if value.kind == "null" else evaluate(value, env, as_word=True)
        for name, (key, default) in block.args.items():
            inner.declared[name] = key
            if name in values:
                inner.values[name] = values.pop(name)
            elif default.kind == "null":
                raise fail("E235", f"block {block.name} needs `{name}`", item.head.where, f"- {block.name}: {{{name}: ...}}",
                           [("declared here", key.where)])  # fmt: skip
            else:
                inner.pending[name] = default
        for name in values:
            raise fail("E230", f"block {block.name} has no argument `{name}`", item.head.where, _takes(block, name))

    def _unknown_argument(self, key: Entry, block: Block) -> SpecError:
        name = key.value
        if name in names.KEYWORDS:
            return fail("E216", f"`{name}` goes beside {block.name}, not inside its braces", key.where)
        return fail("E230", f"block {block.name} has no argument `{name}`", key.where, _takes(block, name))

    def _block_inputs(self, item: Item, block: Block, scope: Scope, prev, inner: Scope, copy):
        if block.inputs is None or (block.single or len(block.inputs) == 1) and not self._is_mapped(item):
            values = self.read(item, scope, prev, copy)
            if len(values) != 1:
                raise fail("E313", f"block {block.name} takes one input, not {len(values)}", item.keywords["from"].where)
            names_ = list(block.inputs) if block.inputs else ["input"]
            inner.inputs = {names_[0]: values[0]}
        else:
            inner.inputs = self._mapped_inputs(item, block, scope, prev, copy)
        if block.inputs is None:
            return

        def mismatch(pattern, shape):
            arrived = inner.inputs[pattern.name]
            expects = f"[{', '.join(str(e.value) for e in pattern.shape)}]"
            text = f"block {block.name} expects `{pattern.name}` of shape {expects}, but gets {shape_text(shape)} from {arrived}"
            return fail("E415", text, item.head.where, notes=[("declared here", pattern.entry.where)])

        for pattern in block.inputs.values():
            arrived = inner.inputs[pattern.name]
            if pattern.dtype != arrived.dtype and pattern.dtype != "float32":
                raise fail("E417", f"block {block.name} expects `{pattern.name}` of dtype {pattern.dtype}, but gets {arrived.dtype} "
                           f"from {arrived}", item.head.where)  # fmt: skip
        bind_sizes(block.inputs.values(), [inner.inputs[name].shape for name in block.inputs], inner.env, mismatch)

    def _is_mapped(self, item: Item) -> bool:
        return "from" in item.keywords and item.keywords["from"].kind == "map"

    def _mapped_inputs(self, item: Item, block: Block, scope: Scope, prev, copy) -> dict[str, Value]:
        entry = item.keywords.get("from")
        wanted = ", ".join(f"{name}: ..." for name in block.inputs)
        if entry is None or entry.kind != "map":
            raise fail("E313", f"block {block.name} has several inputs: name them", (entry or item.head).where, f"from: {{{wanted}}}")
        given = {key.value: (key, ref) for key, ref in entry.value}
        for name, (key, _) in given.items():
            if name not in block.inputs:
                near = closest(name, block.inputs)
                raise fail("E313", f"block {block.name} has no input `{name}`", key.where,
                           f"did you mean `{near}`?" if near else f"from: {{{wanted}}}")  # fmt: skip
        missing = [name for name in block.inputs if name not in given]
        if missing:
            raise fail("E313", f"block {block.name} needs its input `{missing[0]}`", entry.where, f"from: {{{wanted}}}")
        values = {name: value_of(resolve(given[name][1], scope, prev), given[name][1].where) for name in block.inputs}
        if copy:
            self._carried(block, given, values, prev, item)
        return values

    def _carried(self, block: Block, given: dict, values: dict, before, item: Item):
        """In a further copy: inputs named like outputs come from the copy before, else the one given `prev`, else the first."""
        outputs = dict(before.outputs) if isinstance(before, Scope) else {}
        same = [name for name in values if name in outputs]
        for name in same:
            values[name] = outputs[name]
        if not same:
            name = next((n for n in values if given[n][1].value == "prev"), next(iter(values)))
            values[name] = value_of(before, item.head.where)

    def outputs(self, block: Block, scope: Scope, last):
        if block.outputs is None:
            scope.outputs = [(None, value_of(last, block.entry.where))] if last is not None else []
            return
        found = []
        for name, ref in block.outputs:
            head = str(ref.value).split(".")[0]
            if head in scope.missing and find(head, scope) is None:
                continue
            value = value_of(resolve(ref, scope, last), ref.where)
            found.append((name or str(ref.value).replace(".", "_"), value))
        scope.outputs = found if len(found) > 1 else [(found[0][0], found[0][1])] if found else []

    def loss(self, spec: Spec, root: Scope, last) -> tuple[Node, ...]:
        """The layers of the loss: they start from the output and are not part of the model."""
        if spec.loss is None:
            return ()
        first = len(self.nodes)
        scope = Scope("loss", "loss", root.env, root)
        prev = root.outputs[0][1] if len(root.outputs) == 1 else None
        if prev is None and spec.loss and "from" not in spec.loss[0].keywords:
            raise fail("E313", "there are several outputs: say with `from` which one the loss reads", spec.loss[0].head.where)
        end = value_of(self.body(spec.loss, scope, prev), spec.loss[-1].head.where)
        if end.shape != ():
            raise fail("E502", f"the loss ends in {shape_text(end.shape)}, not in one number", spec.loss[-1].head.where,
                       "end with a loss such as CrossEntropyLoss, or with Mean")  # fmt: skip
        nodes = self.nodes[first:]
        del self.nodes[first:]
        return tuple(nodes)

    # -- Reuse

    def reuse(self, item, scope, prev, env):
        entry = item.main
        if entry is None:
            raise fail("E235", "Reuse needs the name of an earlier layer", item.head.where, "- Reuse: encoder")
        thing = resolve(entry, scope, prev, find_module)
        if not isinstance(thing, (Node, Scope)) or thing is prev and entry.value == "prev":
            raise fail("E224", f"`{entry.value}` is not a layer that can be used again", entry.where)
        start = self._start(item, scope, prev)
        if start is None:
            raise fail("E313", "there is no layer before this one to read from", item.head.where)
        first = len(self.nodes)
        outer_originals, self.originals = self.originals, list(_weights(thing))
        try:
            made = self._rerun(thing, start, scope, prev)
        finally:
            self.originals = outer_originals
        for original, node in zip(_weights(thing), self.nodes[first:], strict=True):
            node.original = original.original or original
            self._same_weights(node, thing, entry)
        if isinstance(made, Scope):
            made.item = item
        return made

    def _rerun(self, thing, start, scope, prev):
        if isinstance(thing, Scope):
            return thing.rebuild(start)
        return leaves.again(self, thing, (value_of(start, thing.item.head.where),), scope)

    def _again(self, method, item, *arguments):
        """Run a container once more, on another input: `from` was for the first time."""
        keywords = item.keywords
        item.keywords = {word: entry for word, entry in keywords.items() if word not in ("from", "repeat", "when")}
        try:
            return method(item, *arguments)
        finally:
            item.keywords = keywords

    def _same_weights(self, node: Node, thing, entry: Entry):
        for name, shape in node.original.params.items():
            now = node.params.get(name)
            if now is None or not same_shape(now, shape):
                needed = shape_text(now) if now is not None else "nothing"
                raise fail("E225", f"`{entry.value}` cannot be used again here: its `{name}` is {shape_text(shape)}, "
                           f"but this input would need {needed}", entry.where,
                           "a layer used again needs an input of the same channels or features; define a second layer if new weights are meant",
                           [(f"`{entry.value}` is defined here", (thing.item.name_entry or thing.item.head).where)])  # fmt: skip

    # -- checks and messages

    def _check_shape(self, entry: Entry, made, env: Env):
        if entry.kind != "list":
            raise fail("E210", "`shape` needs a list of sizes", entry.where, "for example [N, 64, 28, 28]")
        expected = shape_of(entry.value, env)
        actual = value_of(made, entry.where).shape
        if not same_shape(expected, actual):
            raise fail("E501", f"the output is {shape_text(actual)}, but `shape` says {shape_text(expected)}", entry.where)

    def _placed(self, problem: SpecError, path: str | None) -> SpecError:
        """The error with the path of the layer, where it has none yet and is about a layer's arguments or shapes."""
        def placed(diagnostic):
            if diagnostic.layer is None and path and diagnostic.code in LAYER_CODES:
                return diagnostic._replace(layer=path)
            return diagnostic

        return SpecError(*map(placed, problem.diagnostics))

    def warn(self, code: str, text: str, entry: Entry, help: str | None = None):
        self.warnings.append(Diagnostic(code, text, entry.where, help=help))


#: codes whose messages say in which layer the error is
LAYER_CODES = frozenset(
    "E216 E228 E230 E231 E234 E235 E308 E313 E400 E402 E403 E404 E405 E406 E410 E411 E412 E413 E414 E415 E416 E417 E418 E501".split()
)


def _takes(block: Block, name: str) -> str:
    near = closest(name, block.args)
    help = f"did you mean `{near}`? " if near else ""
    return f"{help}{block.name} takes {', '.join(block.args) or 'no arguments'}"


def _shown(value) -> str:
    from ..layers.kinds import shown

    return f"the kind of layer {value}" if isinstance(value, KindValue) else shown(value)


def _weights(thing):
    """The nodes below a thing, in order."""
    if isinstance(thing, Node):
        yield thing
    else:
        for member in thing.members:
            yield from _weights(member)


def elaborate(spec: Spec, given: dict | None = None, variant: str | None = None, free=()) -> Graph:
    """The graph of a spec. Raises SpecError.

    given: values of arguments and free dimensions by name, as the language has them. variant: the name of one.
    free: arguments to leave open as symbols.
    """
    from .lint import lint
    from .root import batch_dimension, free_names, root_environment

    walk = Walk(spec)
    env, inputs, dimensions = root_environment(spec, dict(given or {}), variant, free)
    walk.dimensions = dimensions
    root = Scope("model", "", env)
    root.block, root.inputs = spec, inputs
    start = next(iter(inputs.values())) if len(inputs) == 1 else None
    last = walk.body(spec.body, root, start)
    walk.outputs(spec, root, last)
    loss = walk.loss(spec, root, last)
    root.args = {name: env.lookup(name) for name in spec.args}
    graph = Graph(spec, root, tuple(walk.nodes), root.outputs)
    graph.loss, graph.args, graph.variant = loss, root.args, variant
    graph.batch, graph.free = batch_dimension(spec, inputs), free_names(inputs, root.args)
    graph.conditions = tuple(walk.conditions.items())
    lint(graph, walk)
    return graph
