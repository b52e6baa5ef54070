"""One layer: reads its inputs, binds its arguments, asks its rules and becomes a node of the graph."""

from __future__ import annotations

from ..arith import Condition, compare, names_of, same_shape
from ..errors import SpecError
from ..graph import Node, Scope, Value
from ..language.expressions import ExpressionError
from ..layers.base import REGISTRY, ranks
from .binding import bound, fail, is_static, shape_text
from .environment import evaluate, is_size, parsed
from .references import described, find_module, is_reference, resolve, root_of, value_of

MAX_SIZE = 2**62  # of a dimension: torch's sizes are int64
_INTEGERS = frozenset(("int64", "int32", "int16", "int8", "uint8"))
_FLOATS = frozenset(("float64", "float32", "float16", "bfloat16"))
#: conditions that must be known to hold, not only for some sizes
_MUST_BE_KNOWN = frozenset(("E401", "E402"))


def leaf(walk, item, cls, given: dict, scope: Scope, prev, env, path: str, copy) -> Node:
    """Run a built-in layer. `prev` is a tuple of values where a Parallel hands over its branches."""
    if cls.operator:
        inputs, given = _operands(walk, item, cls, given, scope, prev, env, copy)
    elif cls.inputs == 0:
        inputs = ()
    elif isinstance(prev, tuple) and prev and isinstance(prev[0], Value) and "from" not in item.keywords:
        inputs = prev
    else:
        inputs = tuple(walk.read(item, scope, prev, copy))
    _check_inputs(item, cls, inputs)
    shapes = tuple(value.shape for value in inputs)
    layer = _layer(walk, item, cls, given, env, shapes)
    return _node(walk, layer, inputs, item, scope, path, env)


def joined(walk, kind: str, given: dict, inputs: tuple, item, scope: Scope, path: str) -> Node:
    """A layer that the wiring itself adds (the sum of a Residual)."""
    cls = REGISTRY[kind]
    _check_dtypes(item, cls, inputs)
    return _node(walk, cls(given), inputs, item, scope, path, None)


def again(walk, node: Node, inputs: tuple, scope: Scope) -> Node:
    """The same layer on another input."""
    layer = node.layer
    if type(layer).operator:
        layer = type(layer)({})
    _check_inputs(node.item, type(layer), inputs)
    made = _node(walk, layer, inputs, node.item, scope, node.path, None)
    made.frozen, made.tied = node.frozen, node.tied
    return made


def fresh_path(scope: Scope, word: str) -> str:
    """A name for wiring's own operation that no layer beside it has."""
    taken = {member.path for member in scope.members} | {scope.child_path(name) for name in scope.named}
    outer = scope.outer
    while outer is not None and outer.path == scope.path:
        taken |= {member.path for member in outer.members if isinstance(member, Node)}
        taken |= {inner.path for m in outer.members if isinstance(m, Scope) and m.path == scope.path for inner in m.members}
        outer = outer.outer
    path, number = scope.child_path(word), 1
    while path in taken:
        number += 1
        path = scope.child_path(f"{word}{number}")
    return path


def broadcasts(a: tuple, b: tuple) -> bool:
    """Whether torch can add two shapes, and is known to."""
    for i, j in zip(reversed(a), reversed(b), strict=False):
        if not (type(i) is int and i == 1) and not (type(j) is int and j == 1) and not same_shape((i,), (j,)):
            return False
    return True


def _layer(walk, item, cls, given, env, shapes):
    key = (id(item), cls)
    layer = walk.static.get(key)
    if layer is not None:
        return layer
    layer = bound(item, cls, env, given, shapes)
    if not given and is_static(item, cls, env):
        walk.static[key] = layer
    return layer


def _node(walk, layer, inputs: tuple, item, scope: Scope, path: str, env) -> Node:
    shapes = tuple(value.shape for value in inputs)
    _check_needs(walk, layer, inputs, shapes, item)
    node = Node(path, layer, inputs, item, scope)
    shape = layer.shape(*shapes)
    parts = layer.parts(*shapes)
    dtype = layer.dtype(*(value.dtype for value in inputs))
    if parts is None:
        _check_sizes(shape, item)
        node.outputs = (Value(shape, dtype, node),)
    else:
        dtypes = dtype if isinstance(dtype, (list, tuple)) else [dtype] * len(parts)
        node.parts = tuple(parts)
        node.outputs = tuple(Value(s, d, node, i) for i, (s, d) in enumerate(zip(shape, dtypes, strict=True)))
    walk.nodes.append(node)
    if env is not None:
        _keywords(walk, node, item, scope, env)
    if walk.originals is None:
        _check_parameters(walk, node, item)
    return node


def _check_sizes(shape: tuple, item):
    for size in shape:
        if type(size) is int and size > MAX_SIZE:
            raise fail("E419", f"the output {shape_text(shape)} is larger than any tensor", item.head.where)


def _keywords(walk, node: Node, item, scope: Scope, env):
    keywords = item.keywords
    if not keywords:
        return
    if "freeze" in keywords or "checkpoint" in keywords:
        inner = Scope("leaf", node.path, env, scope, item)
        walk.switches(item, inner, env)
        node.frozen, node.segment = inner.frozen, inner.segment
    if "tie" in keywords and walk.originals is None:
        _tie(walk, node, item, scope)


def _tie(walk, node: Node, item, scope: Scope):
    entry = item.keywords["tie"]
    if entry.kind != "map":
        raise fail("E227", "`tie` needs a mapping {parameter: path}", entry.where, "tie: {weight: wte.weight}")
    for key, ref in entry.value:
        name = key.value
        if name not in node.params:
            has = ", ".join(node.params) or "no parameters"
            raise fail("E227", f"{node.type} has no parameter `{name}`", key.where, f"it has {has}")
        target = resolve(ref, scope, None, find_module)
        if isinstance(target, Node) and "" in target.params:
            target = (target, "")
        if not isinstance(target, tuple):
            raise fail("E227", f"`{ref.value}` is not a parameter", ref.where, "write for example wte.weight")
        other, other_name = target
        mine, theirs = node.params[name], other.params[other_name]
        if not same_shape(mine, theirs):
            raise fail("E228", f"`{node.key(name)}` {shape_text(mine)} and `{other.key(other_name)}` {shape_text(theirs)} cannot be tied: "
                       "the shapes differ", entry.where)  # fmt: skip
        node.tied[name] = other.tied.get(other_name, (other, other_name))


# -- what it reads


def _operands(walk, item, cls, given, scope, prev, env, copy):
    """The operands of Add, Mul ...: tensors by reference, numbers by value."""
    main = item.main
    if main is None:
        if isinstance(prev, tuple) and "from" not in item.keywords:
            return prev, given
        return tuple(walk.read(item, scope, prev, copy)), given
    listed = main.value if main.kind == "list" else [main]
    operands, inputs = [], []
    for entry in listed:
        thing = _operand(entry, scope, prev, env)
        if isinstance(thing, Value):
            inputs.append(thing)
            operands.append(None)
        else:
            operands.append(thing)
    if not inputs or len(operands) == 1:
        inputs.insert(0, value_of(prev, item.head.where) if prev is not None else walk.read(item, scope, prev, copy)[0])
        operands.insert(0, None)
    if copy and (index := next((i for i, e in enumerate(listed) if e.value == "prev"), None)) is not None:
        inputs[index] = value_of(prev, item.head.where)
    if all(operand is None for operand in operands):
        return tuple(inputs), given
    return tuple(inputs), {**given, "operands": operands}


def _operand(entry, scope: Scope, prev, env):
    """A Value, or a number."""
    if entry.kind == "text" and is_reference(entry.value):
        head = entry.value.split(".")[0]
        known = env.has(head)
        try:
            thing = resolve(entry, scope, prev)
        except SpecError:
            if known:
                return _number(entry, env)
            raise
        if known and head not in root_of(scope).inputs:
            raise fail("E314", f"`{head}` is both a layer and an argument here", entry.where, "rename one of them")
        return value_of(thing, entry.where)
    return _number(entry, env)


def _number(entry, env):
    value = evaluate(entry, env)
    if isinstance(value, bool) or isinstance(value, (list, str)) or value is None:
        raise fail("E310", "an operand is the name of a layer or a number", entry.where)
    return value


# -- what it needs


def _check_inputs(item, cls, inputs: tuple):
    least, most = cls.inputs if isinstance(cls.inputs, tuple) else (cls.inputs, cls.inputs)
    count = len(inputs)
    if count < least or (most is not None and count > most):
        wanted = f"{least}" if least == most else f"at least {least}" if most is None else f"{least} to {most}"
        plural = "" if wanted == "1" else "s"
        where = item.keywords["from"].where if "from" in item.keywords and count > least else item.head.where
        help = "name them with `from: [a, b]`" if count < least else None
        raise fail("E313", f"{cls.type} takes {wanted} input{plural}, but gets {count}", where, help)
    for index, alternatives in enumerate(_ranks(cls)[:count]):
        if not any(_fits(names, len(inputs[index].shape)) for names in alternatives):
            raise _wrong_rank(item, cls, alternatives, inputs[index])
    _check_dtypes(item, cls, inputs)


_RANKS: dict = {}


def _ranks(cls):
    found = _RANKS.get(cls)
    if found is None:
        found = _RANKS[cls] = ranks(cls.signature)
    return found


def _fits(dimensions: list, rank: int) -> bool:
    return rank >= len(dimensions) - 1 if "..." in dimensions else rank == len(dimensions)


def _wrong_rank(item, cls, alternatives, value: Value) -> SpecError:
    wanted = " or ".join(f"{len(names)} dimensions [{', '.join(names)}]" for names in alternatives if "..." not in names)
    if not wanted:
        least = min(len(names) - 1 for names in alternatives)
        wanted = f"at least {least} dimension{'s' if least != 1 else ''}"
    flat = cls.spatial and len(value.shape) == 2
    help = "convolutions and 2-D poolings come before Flatten" if flat else None
    text = f"{cls.type} needs an input of {wanted}, but gets {len(value.shape)}: {shape_text(value.shape)} from {value}"
    return fail("E400", text, item.head.where, help)


def _check_dtypes(item, cls, inputs: tuple):
    for index, value in enumerate(inputs):
        dtype = value.dtype
        accepts = cls.accepts if isinstance(cls.accepts, str) else cls.accepts[min(index, len(cls.accepts) - 1)]
        if accepts == "float" and dtype not in _FLOATS:
            raise fail("E406", f"{cls.type} computes with real numbers, but its input is {dtype}", item.head.where,
                       "an Embedding turns whole numbers into vectors" if dtype in _INTEGERS else None)  # fmt: skip
        if accepts == "integer" and dtype not in _INTEGERS:
            raise fail("E406", f"{cls.type} looks up whole numbers, but its input is {dtype}", item.head.where,
                       f"give the input an integer type: tokens: {{shape: {shape_text(value.shape)}, dtype: int64}}")  # fmt: skip
    if len(inputs) > 1 and (cls.operator or getattr(cls, "same_dtype", False)):
        first = inputs[0]
        for value in inputs[1:]:
            if value.dtype != first.dtype:
                raise fail("E417", f"{cls.type} of {first.dtype} ({first}) and {value.dtype} ({value})", item.head.where)


def _check_needs(walk, layer, inputs, shapes, item):
    for need in layer.needs(*shapes):
        ok = need.ok
        if ok is True:
            continue
        if ok is False or need.code in _MUST_BE_KNOWN:
            raise _unmet(need, layer, inputs, item)
        walk.conditions.setdefault(ok, need)


def _unmet(need, layer, inputs, item) -> SpecError:
    text = need.text() if callable(need.text) else need.text
    help = need.help
    if need.code in _MUST_BE_KNOWN:
        text = _with_makers(text, inputs)
        if need.ok is not False:
            help = "these agree only for some sizes; write the input as a multiple, for example 16*H"
    where = item.head.where
    for key, value in item.arguments:
        if key.value == need.at:
            where = (key if value.kind == "null" else value).where
    if item.main is not None and need.at is not None and type(layer).main == need.at:
        where = item.main.where
    return fail(need.code, text, where, help)


def _with_makers(text: str, inputs: tuple) -> str:
    """The message with who made each shape."""
    done = ""
    for value in inputs:
        shape = shape_text(value.shape)
        before, found, after = text.partition(shape)
        if not found:
            break
        done += before + described(value)
        text = after
    return done + text


def _check_parameters(walk, node: Node, item):
    """Parameters need fixed sizes and names of their own."""
    if not node.params and not node.buffers:
        return
    for shape in node.params.values():
        for size in shape:
            if type(size) is int:
                continue
            free = sorted(names_of(size) & walk.dimensions)
            if free:
                raise _free_parameter(node, free, item)
    first = walk.owners.setdefault(node.path, node)
    if first is not node:
        raise fail("E223", f"two layers would have the state_dict name `{node.path}`", item.head.where, "rename one of them",
                   [("the first one is here", first.item.head.where)])  # fmt: skip


def _free_parameter(node: Node, free: list, item) -> SpecError:
    shape = shape_text(node.inputs[0].shape) if node.inputs else ""
    if "in_features" in node.layer.args:
        text = f"{node.type} needs a fixed number of input features, but its input is {shape}"
    else:
        text = f"the parameters of {node.type} need fixed sizes, but {', '.join(free)} is free" + (f" in its input {shape}" if shape else "")
    return fail("E405", text, item.head.where,
                f"fix {', '.join(free)} in `input` (or with --set), or pool to a fixed size first, e.g. AdaptiveAvgPool2d: 1")  # fmt: skip


__all__ = ["ExpressionError", "again", "broadcasts", "compare", "fresh_path", "is_size", "joined", "leaf", "parsed", "Condition"]
