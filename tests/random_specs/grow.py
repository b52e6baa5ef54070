"""What a random spec is made of: layers, groups, wiring, blocks, copies, sharing."""

from __future__ import annotations

from netcalc.layers import REGISTRY

from .builder import Builder, Place
from .masks import COMPARISONS, LOGICAL, PARTNERED, partnered
from .strategies import LOSSES, SOURCES, STRATEGIES, same
from .text import Body

OPERATORS = ("Add", "Sub", "Mul", "Div", "Maximum", "Minimum", *COMPARISONS, *LOGICAL)
FAMILIES = {
    "weights": [
        n
        for n in STRATEGIES
        if n.startswith(("Conv", "Linear", "Bilinear", "RNN", "GRU", "LSTM", "Multihead", "Embedding"))
    ],
    "norms": [n for n in STRATEGIES if "Norm" in n],
    "shapes": [
        "Flatten",
        "Unflatten",
        "Reshape",
        "Permute",
        "Transpose",
        "Squeeze",
        "Unsqueeze",
        "Expand",
        "Repeat",
        "Roll",
        "Select",
        "Slice",
        "Chunk",
        "Split",
        "Unbind",
    ],
    "several": [*OPERATORS, "MatMul", "Concat", "Stack", "CosineSimilarity", "ScaledDotProductAttention"],
    "reductions": ["Sum", "Mean", "Prod", "Max", "Min", "Argmax", "Cumsum", "Normalize"],
    "masks": [*COMPARISONS, *LOGICAL, "LogicalNot", "Where", "MaskedFill", "CausalMask", "To"],
    "look-ups": ["TopK", "Argsort", "Gather", "IndexSelect", "RelativePositionBuckets", "SinusoidalEmbedding"],
    "sizes": [
        n
        for n in STRATEGIES
        if "Pool" in n or "Pad" in n or n in ("Upsample", "PixelShuffle", "PixelUnshuffle", "RotaryEmbedding")
    ],
}
FAMILIES["others"] = [
    n for n in STRATEGIES if n not in LOSSES + SOURCES and not any(n in family for family in FAMILIES.values())
]


def layer(b: Builder, place: Place, keeps: bool = False, only: str | None = None) -> bool:
    """A layer of netcalc's own. keeps: its output has the shape of its input."""
    kind = only or _kind(b, place, keeps)
    if kind is None:
        return False
    if kind in SOURCES:
        return source(b, place, kind)
    d, chosen = b.at(place), STRATEGIES[kind]
    arguments = chosen.arguments(d, place.shape)
    if kind in PARTNERED:
        return partnered(b, place, kind, arguments)
    others = chosen.others(d, place.shape) if chosen.others else []
    if others is None:
        return False
    if kind in ("Embedding", "EmbeddingBag"):
        b.add(place, {"Clamp": {"min": 0, "max": 19}})  # whatever the numbers were
    if kind == "TopK":
        return several_parts(b, place, {kind: arguments})
    if kind == "Einsum" and "," in arguments["equation"]:
        return b.add(place, {**b.named(place, {kind: arguments}), "from": ["prev", "prev"]})
    if kind in OPERATORS:
        return b.add(place, operator(b, place, kind, others))
    item = b.named(place, written(b, kind, arguments))
    if others:
        item["from"] = ["prev", *others]
    return b.add(place, item)


def _kind(b: Builder, place: Place, keeps: bool) -> str | None:
    family = FAMILIES[b.d.choice(FAMILIES)]
    fitting = [
        n for n in family if STRATEGIES[n].fits(place.shape, place.value.dtype) and (STRATEGIES[n].keeps or not keeps)
    ]
    fitting = fitting or [n for n in FAMILIES["others"] if STRATEGIES[n].fits(place.shape, place.value.dtype)]
    return b.d.choice(fitting) if fitting else None


def written(b: Builder, kind: str, arguments: dict):
    main = REGISTRY[kind].main
    if main is not None and list(arguments) == [main] and b.d.flag():
        return {kind: arguments[main]}
    return {kind: arguments or None}


def several_parts(b: Builder, place: Place, made: dict) -> bool:
    """A layer with parts, one of which comes next."""
    name = b.name(place)
    return b.add(place, {name: made}, f"{name}.{b.d.choice(('values', 'indices'))}")


def operator(b: Builder, place: Place, kind: str, others: list) -> dict:
    """An operator with tensors, numbers or both, in one of the ways to write it."""
    d = b.d
    if kind in LOGICAL:
        return b.named(place, {kind: ["prev", *others]})
    number = d.choice((2, 0.5, 3))
    ways = [["prev", number], ["prev", *others], [*others, "prev"], others[0], number]
    if kind in ("Add", "Mul"):
        ways += [["prev", *others, number], ["prev", *others, *others]]
    way = d.choice(ways)
    if isinstance(way, list) and way == ["prev", *others] and d.flag():
        return {**b.named(place, {kind: None}), "from": way}
    return b.named(place, {kind: way})


def source(b: Builder, place: Place, kind: str) -> bool:
    """A Parameter, Buffer or Arange, and a layer that reads it together with what was there."""
    before = next((ref for ref, value in place.refs.items() if value is place.value and ref != "prev"), None)
    if before is None:
        before = b.name(place)
        b.add(place, {before: "Identity"})
    d = b.at(place)
    if not STRATEGIES[kind].fits(place.shape, "float32") or place.value.dtype != "float32":
        return False
    width = place.shape[-1]
    name = b.name(place)
    if not b.add(place, {name: {kind: STRATEGIES[kind].arguments(d, place.shape)}}):
        return False
    if kind == "Arange":
        if len(place.refs[before].shape) != 3 or type(width) is not int:
            return b.add(place, {"Identity": None, "from": before})
        b.add(place, b.named(place, {"Embedding": {"num_embeddings": 64, "embedding_dim": width}}))
        return b.add(place, b.named(place, {"Add": [before, "prev"]}))
    return b.add(place, b.named(place, {d.choice(("Add", "Mul")): d.choice(([before, name], [name, before]))}))


# -- lists of layers


def fill(b: Builder, place: Place, count: int, keeps: bool = False) -> int:
    """Add up to `count` things; returns how many layers are there."""
    b.depth += 1
    for _ in range(count):
        production = layer if b.depth > 3 or b.d.chance(50) else b.d.choice(PRODUCTIONS)
        if keeps:
            production(b, place, keeps=True)
        else:
            production(b, place)
        decorate(b, place)
    b.depth -= 1
    return len(place.items)


def within(b: Builder, place: Place, count: int, keeps: bool, taken: set | None) -> Place:
    """Layers that start where a place ends; drafted as a group, which is taken out again."""
    inner = place.inside(Body(), taken)
    place.items.append({"Sequential": inner.items})
    fill(b, inner, count, keeps)
    if not inner.items:
        inner.items.append("Identity")
    place.items.pop()
    return inner


def group(b: Builder, place: Place, keeps: bool = False) -> bool:
    inner = within(b, place, b.d.int(1, 3), keeps, None)
    sequential = b.d.chance(40)
    return b.add(place, b.named(place, {"Sequential": inner.items} if sequential else inner.items))


def residual(b: Builder, place: Place, keeps: bool = False) -> bool:
    inner = within(b, place, b.d.int(1, 3), b.d.chance(80), place.taken)
    item = b.named(place, {"Residual": inner.items}, 35)
    before = place.shape
    if not same(before, inner.shape):
        fitted = projection(before, inner.shape, b)
        if fitted is None:
            return b.add(place, b.named(place, inner.items))
        item["shortcut"] = Body([fitted])
    elif b.d.chance(20):
        item["shortcut"] = within(b, place, 1, True, place.taken).items
        if not same(place.shape, before):
            return False
    return b.add(place, item)


def projection(before: tuple, after: tuple, b: Builder):
    """A layer that makes one shape of the other where only the channels or features differ."""
    if len(before) != len(after):
        return None
    if same(before[:-1], after[:-1]) and type(before[-1]) is int:
        return {"Linear": after[-1]}
    if (
        len(before) in (3, 4, 5)
        and same(before[2:], after[2:])
        and same(before[:1], after[:1])
        and type(before[1]) is int
    ):
        return {f"Conv{len(before) - 2}d": {"out_channels": after[1], "kernel_size": 1}}
    return None


def parallel(b: Builder, place: Place, keeps: bool = False) -> bool:
    """Branches that are added, joined, or (under a name) left as parts."""
    merged = b.d.chance(70)
    branches, shapes = Body(), []
    for _ in range(b.d.int(2, 3)):
        inner = within(b, place, b.d.int(1, 2), keeps or b.d.chance(70), place.taken)
        if merged and not same(inner.shape, place.shape):
            inner.items, inner.value = Body(["Identity"]), place.value
        branches.append(_branch(b, place, inner.items))
        shapes.append(inner.shape)
    if not merged:
        name = b.name(place)
        return b.add(place, {name: {"Parallel": branches}}, f"{name}.{b.d.int(0, len(branches) - 1)}")
    joins = ["Add"] + (
        [{"Concat": {"dim": 1}}, {"Stack": {"dim": 1}}, "Mul", "Maximum"] if not keeps and len(place.shape) > 1 else []
    )
    return b.add(place, {**b.named(place, {"Parallel": branches}, 30), "merge": b.d.choice(joins)})


def _branch(b: Builder, place: Place, items: Body):
    if len(items) == 1 and (isinstance(items[0], str) or "from" not in items[0]):
        return items[0]
    return b.named(place, items if b.d.flag() else {"Sequential": items})


# -- wiring


def jump(b: Builder, place: Place, keeps: bool = False) -> bool:
    """A layer that reads something else than the layer before it."""
    refs = sorted(ref for ref, value in place.refs.items() if value.dtype == "float32" and value.shape)
    if keeps:
        refs = [ref for ref in refs if same(place.refs[ref].shape, place.shape)]
    if not refs:
        return False
    ref = b.d.choice(refs)
    other = place.inside(place.items, place.taken)
    other.value = place.refs[ref]
    kind = _kind(b, other, keeps)
    if kind is None or STRATEGIES[kind].others:
        return b.add(place, {"Identity": None, "from": ref})
    d = b.at(place)
    return b.add(place, {**b.named(place, written(b, kind, STRATEGIES[kind].arguments(d, other.shape))), "from": ref})


def rejoin(b: Builder, place: Place, keeps: bool = False) -> bool:
    """Something earlier and the layer before it, together."""
    refs = sorted(
        ref for ref, value in place.refs.items() if same(value.shape, place.shape) and value.dtype == "float32"
    )
    if not refs or place.value.dtype != "float32":
        return False
    ref = b.d.choice(refs)
    if keeps or not place.shape or b.d.flag():
        return b.add(
            place, b.named(place, {b.d.choice(("Add", "Mul")): b.d.choice((["prev", ref], [ref, "prev"], ref))})
        )
    return b.add(place, {**b.named(place, {"Concat": {"dim": len(place.shape) - 1}}), "from": [ref, "prev"]})


def absent(b: Builder, place: Place, keeps: bool = False) -> bool:
    """A layer that a false condition takes away."""
    return b.add(place, {**b.named(place, {"Linear": 7}), "when": condition(b, place, False)})


def present(b: Builder, place: Place, keeps: bool = False) -> bool:
    if not layer(b, place, keeps):
        return False
    return _keywords(b, place, when=condition(b, place, True))


def condition(b: Builder, place: Place, wanted: bool) -> str:
    """An expression that is true or false at a place."""
    name = b.d.choice([*sorted(place.names), *sorted(place.flags), ""])
    if name in place.flags:
        return name if place.flags[name] == wanted else f"not {name}"
    if not name:
        return "2 > 1" if wanted else "1 > 2"
    value = place.names[name]
    return f"{name} == {value} or {name} > 99" if wanted else f"{name} > {value}"


def reuse(b: Builder, place: Place, keeps: bool = False) -> bool:
    """A named layer or group, and the same once more."""
    first = place.shape
    inner = within(b, place, b.d.int(1, 2), True, set())
    name = b.name(place)
    layers = inner.items[0] if len(inner.items) == 1 and isinstance(inner.items[0], str) else inner.items
    if not same(inner.shape, first) or not b.add(place, {name: layers}):
        return False
    if b.d.flag():
        layer(b, place, True)
    if not same(place.shape, first):
        return False
    again = b.named(place, {"Reuse": name}, 30)
    return b.add(place, {**again, **({"repeat": 2} if b.d.chance(20) else {})})


def tied(b: Builder, place: Place, keeps: bool = False) -> bool:
    """Two layers with one weight."""
    if not place.shape or type(place.shape[-1]) is not int or place.value.dtype != "float32":
        return False
    width = place.shape[-1]
    first, second = b.name(place), b.name(place)
    if not b.add(place, {first: {"Linear": width}}):
        return False
    return b.add(
        place,
        {
            second: {"Linear": width},
            "tie": {"weight": f"{first}.weight", **({"bias": f"{first}.bias"} if b.d.flag() else {})},
        },
    )


# -- keywords


def decorate(b: Builder, place: Place):
    """Sometimes: copies, frozen weights, recomputation, an asserted shape."""
    if not place.items or not b.d.chance(30):
        return
    way = b.d.choice(("repeat", "freeze", "checkpoint", "shape"))
    value = {"repeat": b.d.int(0, 3), "freeze": True, "checkpoint": True, "shape": list(place.shape)}[way]
    if way == "repeat" and place.names and b.d.flag():
        value = b.at(place).spelled(max(value, 1))
    _keywords(b, place, **{way: value})
    item = place.items[-1]
    if way == "repeat" and isinstance(item, dict) and "repeat" in item and b.d.chance(25):
        b.changed(place, item, name="part_{i}" if b.d.flag() else "part-{2 * i + 1}")


def _keywords(b: Builder, place: Place, **keywords) -> bool:
    item = place.items[-1]
    if isinstance(item, str):
        item = place.items[-1] = {item: None}
    return b.changed(place, item, **keywords)


from .blocks import block, kind_of_layer  # noqa: E402  blocks are filled with the productions above

PRODUCTIONS = [
    layer,
    group,
    residual,
    parallel,
    jump,
    rejoin,
    absent,
    present,
    reuse,
    tied,
    block,
    block,
    kind_of_layer,
]
