"""One layer: reads its inputs, binds its arguments, asks its rules and becomes a node of the graph."""

from __future__ import annotations

import functools

from ..arith import Formula, names_of, same_shape
from ..errors import SpecError, fail
from ..graph import FLOATS, Node, Scope, Value
from ..language.evaluation import MAX_WEIGHT, weight
from ..layers.base import REGISTRY, ranks
from .binding import bound, is_static, shape_text
from .environment import MAX_DIMENSIONS, KindValue, evaluate
from .reading import Spot, is_prev, read
from .references import described, is_reference, resolve, value_of
from .tying import tie

MAX_SIZE = 2**62  # of a dimension: torch's sizes are int64
_INTEGERS = frozenset(("int64", "int32", "int16", "int8", "uint8"))
_INDICES = frozenset(("int64", "int32"))  # those that torch looks things up by
#: conditions that must be known to hold, not only for some sizes
_MUST_BE_KNOWN = frozenset(("E401", "E402"))


def leaf(walk, spot: Spot, cls, given: dict, branches: tuple | None = None) -> Node:
    """Run a built-in layer. branches: what it reads where it merges a Parallel."""
    item = spot.item
    if branches is not None:
        inputs = branches
    elif cls.operator:
        inputs, given = _operands(spot, given)
    elif cls.inputs == 0:
        inputs = ()
        if "from" in item.keywords:
            raise fail("E313", f"{cls.type} has no input", item.keywords["from"].where, "remove `from`")
    else:
        inputs = tuple(read(spot))
    _check_inputs(item, cls, inputs)
    layer = _layer(walk, item, cls, given, spot.env, tuple(value.shape for value in inputs))
    node = _node(walk, layer, inputs, item, spot.scope, spot.path)
    if item.keywords:
        _keywords(walk, node, spot)
    return node


def joined(walk, kind: str, inputs: tuple, item, scope: Scope, path: str) -> Node:
    """A layer that the wiring itself adds (the sum of a Residual)."""
    cls = REGISTRY[kind]
    _check_dtypes(item, cls, inputs)
    layer = walk.static.setdefault(cls, cls({}))
    return _node(walk, layer, inputs, item, scope, path)


def again(walk, node: Node, inputs: tuple, here: Scope) -> Node:
    """The same layer on another input."""
    _check_inputs(node.item, type(node.layer), inputs)
    made = _node(walk, node.layer, inputs, node.item, here, node.path)
    made.frozen, made.tied = node.frozen, node.tied
    return made


def broadcasts(a: tuple, b: tuple) -> bool:
    """Whether torch can add two shapes, and is known to."""
    for i, j in zip(reversed(a), reversed(b), strict=False):
        if not (type(i) is int and i == 1) and not (type(j) is int and j == 1) and not same_shape((i,), (j,)):
            return False
    return True


def _layer(walk, item, cls, given, env, shapes):
    if given:  # arguments that come with a kind of layer are another's where the block is called with another kind
        return bound(item, cls, env, given, shapes, walk.layers)
    key = (id(item), cls)
    layer = walk.static.get(key)
    if layer is None:
        layer = bound(item, cls, env, given, shapes, walk.layers)
        if is_static(item, cls, env):
            walk.static[key] = layer
    return layer


def _node(walk, layer, inputs: tuple, item, scope: Scope, path: str) -> Node:
    node = Node(path, layer, inputs, item, scope)
    shape, parts, node.params, node.buffers = _ruled(walk, layer, inputs, node.shapes, item)
    dtypes = [value.dtype for value in inputs]
    for need in layer.suits(*dtypes):
        if not need.ok:
            raise _unmet(need, layer, inputs, item)
    dtype = layer.dtype(*dtypes)
    if parts is None:
        node.outputs = (Value(shape, dtype, node),)
    else:
        dtypes = dtype if isinstance(dtype, (list, tuple)) else [dtype] * len(parts)
        node.parts = tuple(parts)
        node.outputs = tuple(Value(s, d, node, i) for i, (s, d) in enumerate(zip(shape, dtypes, strict=True)))
    walk.nodes.append(node)
    if not walk.reusing:
        _check_parameters(walk, node, item)
    return node


def _ruled(walk, layer, inputs: tuple, shapes: tuple, item) -> tuple:
    """What a layer's rules say of inputs of these shapes: the output's shape, its parts, parameters, buffers.

    The rules depend on nothing else, so copies and blocks that come again with the same shapes need not ask again.
    """
    try:
        found = walk.ruled.get((layer, shapes))
    except TypeError:  # sizes that are arrays cannot be looked up
        return _asked(walk, layer, inputs, shapes, item)
    if found is None:
        found = walk.ruled[layer, shapes] = _asked(walk, layer, inputs, shapes, item)
    return found


def _asked(walk, layer, inputs: tuple, shapes: tuple, item) -> tuple:
    _check_needs(walk, layer, inputs, shapes, item)
    shape, parts = layer.shape(*shapes), layer.parts(*shapes)
    for part in [shape] if parts is None else shape:
        _check_sizes(part, item)
    return shape, parts, layer.params(*shapes), layer.buffers(*shapes)


def _check_sizes(shape: tuple, item):
    for size in shape:
        if type(size) is int:
            if size > MAX_SIZE:
                raise fail("E419", f"the output {shape_text(shape)} is larger than any tensor", item.head.where)
        elif isinstance(size, Formula) and weight(size, MAX_WEIGHT) > MAX_WEIGHT:
            raise fail("E419", "the size of the output is a formula too large to work with", item.head.where,
                       f"give {', '.join(sorted(size.names()))} a value with --set")  # fmt: skip
    if len(shape) > MAX_DIMENSIONS:
        raise fail("E419", f"a tensor has at most {MAX_DIMENSIONS} dimensions, not {len(shape):,}", item.head.where)


def _keywords(walk, node: Node, spot: Spot):
    keywords = spot.item.keywords
    if "freeze" in keywords or "checkpoint" in keywords:
        switched = Scope("leaf", node.path, spot.env, spot.scope, spot.item)
        switched.segment = spot.here.segment
        walk.switches(spot, switched)
        node.frozen, node.segment = switched.frozen, switched.segment
    if "tie" in keywords and not walk.reusing:
        tie(node, spot.item, spot.scope)


# -- what it reads


def _operands(spot: Spot, given: dict):
    """The operands of Add, Mul ...: tensors by reference, numbers by value."""
    item = spot.item
    main = item.main
    if main is None:
        return tuple(read(spot)), given
    listed = main.value if main.kind == "list" else [main]
    operands = [_operand(entry, spot) for entry in listed]
    inputs = [operand for operand in operands if isinstance(operand, Value)]
    if not inputs or len(operands) == 1:
        inputs = [*read(spot), *inputs]
        operands = [*inputs[:1], *operands]
    elif "from" in item.keywords:
        raise fail("E313", "the operands say already what is read", item.keywords["from"].where, "remove `from`")
    elif spot.copied and not any(map(is_prev, listed)):
        first = next(index for index, operand in enumerate(operands) if isinstance(operand, Value))
        operands[first] = inputs[0] = value_of(spot.prev, item.head.where)
    if len(inputs) == len(operands):
        return tuple(inputs), given
    return tuple(inputs), {
        **given,
        "operands": [None if isinstance(operand, Value) else operand for operand in operands],
    }


def _operand(entry, spot: Spot):
    """A Value, or a number."""
    if entry.kind != "text" or not is_reference(entry.value):
        return _number(entry, spot.env)
    head = entry.value.split(".")[0]
    known = spot.env.has(head)
    try:
        thing = resolve(entry, spot.scope, spot.prev)
    except SpecError:
        if known:
            return _number(entry, spot.env)
        raise
    if known:
        raise fail("E314", f"`{head}` is both a layer and an argument here", entry.where, "rename one of them")
    return value_of(thing, entry.where)


def _number(entry, env):
    value = evaluate(entry, env)
    if isinstance(value, (bool, list, str, KindValue)) or value is None:
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
    for value, (exact, least, alternatives) in zip(inputs, _ranks(cls), strict=False):
        rank = len(value.shape)
        if rank not in exact and (least is None or rank < least):
            raise _wrong_rank(item, cls, alternatives, value)
    _check_dtypes(item, cls, inputs)


@functools.cache
def _ranks(cls) -> list[tuple]:
    """For each input the exact ranks that fit, the least of those with "...", and the alternatives as names."""
    found = []
    for alternatives in ranks(cls.signature):
        exact = frozenset(len(names) for names in alternatives if "..." not in names)
        least = min((len(names) - 1 for names in alternatives if "..." in names), default=None)
        found.append((exact, least, alternatives))
    return found


def _wrong_rank(item, cls, alternatives, value: Value) -> SpecError:
    wanted = " or ".join(
        f"{len(names)} dimensions [{', '.join(names)}]" for names in alternatives if "..." not in names
    )
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
        if accepts == "float" and dtype not in FLOATS:
            raise fail("E406", f"{cls.type} computes with real numbers, but its input is {dtype}", item.head.where,
                       "an Embedding turns whole numbers into vectors" if dtype in _INTEGERS else None)  # fmt: skip
        if accepts == "integer" and dtype not in _INDICES:
            whole = "whole numbers" if dtype not in _INTEGERS else "int64 or int32"
            raise fail("E406", f"{cls.type} looks up {whole}, but its input is {dtype}", item.head.where,
                       f"give the input an integer type: tokens: {{shape: {shape_text(value.shape)}, dtype: int64}}")  # fmt: skip
        if accepts == "number" and dtype == "bool":
            raise fail("E406", f"{cls.type} computes with numbers, but its input is bool", item.head.where,
                       "`To: int64` makes 0 and 1 of it")  # fmt: skip
        if accepts == "bool" and dtype != "bool":
            raise fail("E406", f"{cls.type} needs a mask, true or false, but its input is {dtype}", item.head.where,
                       "a comparison such as Equal or Less makes one")  # fmt: skip
    if cls.same_dtype is not None and len(inputs) > cls.same_dtype + 1:
        first = inputs[cls.same_dtype]
        for value in inputs[cls.same_dtype + 1 :]:
            if value.dtype != first.dtype:
                raise fail(
                    "E417", f"{cls.type} of {first.dtype} ({first}) and {value.dtype} ({value})", item.head.where
                )


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
    own = node.layer.inputs == 0  # a Parameter or a Buffer: its shape is what is written
    for shape in (*node.params.values(), *(shape for shape, _ in node.buffers.values() if own)):
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
    where = item.head.where
    if node.layer.inputs == 0:
        text = f"{node.type} needs a fixed shape, but {', '.join(free)} is free"
        where = next((value.where for key, value in item.arguments if key.value == "shape"), where)
    elif "in_features" in node.layer.args:
        text = f"{node.type} needs a fixed number of input features, but its input is {shape}"
    else:
        text = f"the parameters of {node.type} need fixed sizes, but {', '.join(free)} is free" + (
            f" in its input {shape}" if shape else ""
        )
    if node.layer.inputs == 0:
        return fail("E405", text, where, f"give {', '.join(free)} a value with --set")
    return fail("E405", text, where,
                f"fix {', '.join(free)} in `input` (or with --set), or pool to a fixed size first, e.g. AdaptiveAvgPool2d: 1")  # fmt: skip
