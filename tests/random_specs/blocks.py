"""Blocks with arguments, and kinds of layer as arguments."""

from __future__ import annotations

from typing import NamedTuple

from .builder import ARGUMENTS, BLOCKS, Builder, Place
from .strategies import same
from .text import Body

AXES = {1: "N", 2: "ND", 3: "NTD", 4: "NCHW", 5: "NCDHW"}
ACTIVATIONS = (
    "ReLU",
    "GELU",
    "Tanh",
    "SiLU",
    {"LeakyReLU": {"negative_slope": 0.2}},
    {"ReLU": {"inplace": False}},
    {"Dropout": {"p": 0.1}},
)


class Call(NamedTuple):
    """How a block was called: what came in and out, and the item without its name."""

    before: tuple
    after: tuple
    arguments: dict
    wiring: dict  # its `from`
    read: str | None  # the output that came next, where it has several


def block(b: Builder, place: Place, keeps: bool = False) -> bool:
    """A block of one's own: a new one, or one that is there, perhaps with other arguments."""
    if b.depth > 2 or len(b.spec["blocks"]) > 3 or b.d.chance(50):
        return called_again(b, place, keeps)
    return bool(place.shape) and new_block(b, place, keeps)


def called_again(b: Builder, place: Place, keeps: bool) -> bool:
    fitting = [
        (name, call)
        for name, calls in b.calls.items()
        for call in calls
        if name not in b.open and _fits(call, place, keeps)
    ]
    if not fitting:
        return False
    name, call = b.d.choice(fitting)
    arguments = {
        key: value + b.d.choice((0, 4)) if type(value) is int and value > 3 else value
        for key, value in call.arguments.items()
    }
    if arguments != call.arguments and not b.open:
        place.items.append({name: arguments})
        if not b.looked(place):
            return True
        place.items.pop()
    item, reads = _call(b, place, name, call.arguments, call.read)
    return b.add(place, {**item, **call.wiring}, reads)


def _fits(call: Call, place: Place, keeps: bool) -> bool:
    """Whether a call can be repeated at a place: the same comes in, and no argument is a name of another place."""
    there = all(
        ref in place.refs and same(place.refs[ref].shape, call.before) for ref in call.wiring.get("from", {}).values()
    )
    numbers = not any(isinstance(value, str) and value[:1].islower() for value in call.arguments.values())
    return there and numbers and same(call.before, place.shape) and (not keeps or same(call.after, place.shape))


def _call(b: Builder, place: Place, name: str, arguments: dict, read: str | None) -> tuple[dict, str | None]:
    """The item of a call, and what is read of it."""
    if read is None:
        return b.named(place, {name: arguments or None}, 60), None
    called = b.name(place)
    return {called: {name: arguments or None}}, f"{called}.{read}"


def new_block(b: Builder, place: Place, keeps: bool) -> bool:
    name = next(n for n in (*_shuffled(b, BLOCKS), "Another") if n not in b.spec["blocks"])
    declared, given = _arguments(b, place)
    made = b.spec["blocks"][name] = {"args": declared} if declared else {}
    wiring = _inputs(b, place, made)
    made["layers"] = Body()
    before = place.shape
    read = _written(b, place, name, {name: given or None, **wiring}, keeps)
    if read is not False:
        item, reads = _call(b, place, name, given, read)
        if b.add(place, {**item, **wiring}, reads):
            b.calls[name] = [Call(before, place.shape, given, wiring, read)]
            return True
    del b.spec["blocks"][name]
    return False


def _written(b: Builder, place: Place, name: str, call: dict, keeps: bool) -> str | bool | None:
    """Write the body of a block; False where it cannot be, else which of several outputs is read next."""
    from .grow import fill

    made = b.spec["blocks"][name]
    inner = Place(made["layers"])
    place.items.append(call)
    b.open.append(name)
    problem = b.looked(inner, next(iter(made["inputs"])) if "inputs" in made else None)
    if problem:
        b.tried += 1
        b.refused.append(f"{name}: {problem}")
    else:
        if "inputs" in made:
            b.add(inner, b.named(inner, {"Add": list(made["inputs"])}))
        fill(b, inner, b.d.int(1, 3), keeps)
    b.open.remove(name)
    place.items.pop()
    if problem or not inner.items:
        return False
    return _outputs(b, made, inner) if not keeps else None


def _shuffled(b: Builder, names) -> list:
    start = b.d.int(0, len(names) - 1)
    return [*names[start:], *names[:start]]


def _arguments(b: Builder, place: Place) -> tuple[dict, dict]:
    """What a block declares, and what a call gives."""
    d, declared, given = b.at(place), {}, {}
    for _ in range(d.int(0, 3)):
        name = d.choice([n for n in ARGUMENTS if n not in declared])
        kind = d.int(0, 4)
        if kind == 0:
            declared[name], given[name] = None, d.size(d.width())
        elif kind == 1:
            declared[name] = d.width()
            given |= {name: d.width()} if d.flag() else {}
        elif kind == 2:
            known = [n for n, value in declared.items() if type(value) is int]
            declared[name] = f"2 * {d.choice(known)}" if known else d.width()
        elif kind == 3:
            declared[name] = d.choice((True, False))
            given |= {name: d.flag()} if d.flag() else {}
        else:
            name = d.choice(("Act", "Kind"))
            declared[name] = d.choice(ACTIVATIONS)
            given |= {name: d.choice(ACTIVATIONS)} if d.flag() else {}
    return declared, given


def _inputs(b: Builder, place: Place, made: dict) -> dict:
    """The pattern of one input, of two, or none; returns the `from` of the call."""
    others = sorted(
        ref for ref, value in place.refs.items() if value.dtype == place.value.dtype and same(value.shape, place.shape)
    )
    if others and place.value.dtype == "float32" and b.d.chance(25):
        made["inputs"] = {"first": _pattern(b, place), "skip": _pattern(b, place)}
        return {"from": {"first": "prev" if "prev" in place.refs else others[0], "skip": b.d.choice(others)}}
    if b.d.chance(80) and len(place.shape) in AXES:
        made["input"] = _pattern(b, place)
    return {}


def _pattern(b: Builder, place: Place) -> list:
    axes = AXES.get(len(place.shape), "ABCDEFGH")
    return [
        axis if axis == "N" or type(size) is not int or b.d.chance(80) else size
        for axis, size in zip(axes, place.shape, strict=False)
    ]


def _outputs(b: Builder, made: dict, inner: Place) -> str | None:
    """Several outputs for a block; returns the one that is read next."""
    refs = sorted(
        ref
        for ref, value in inner.refs.items()
        if value.dtype == "float32" and ref not in ("prev", "input") and "." not in ref
    )
    if len(refs) < 2 or not b.d.chance(30):
        return None
    listed = b.d.flag()
    made["outputs"] = refs[:2] if listed else {"first": refs[0], "second": refs[1]}
    return b.d.choice(refs[:2] if listed else ("first", "second"))


def kind_of_layer(b: Builder, place: Place, keeps: bool = False) -> bool:
    """A kind of layer that is an argument of the file or of the block."""
    if not place.kinds:
        return False
    return b.add(place, b.named(place, {b.d.choice(place.kinds): None}))
