"""Whole random specs: their inputs, arguments, outputs and loss around the layers."""

from __future__ import annotations

from hypothesis import reject
from hypothesis import strategies as st

from netcalc.errors import NetcalcError
from netcalc.export.examples import sizes

from .blocks import ACTIVATIONS
from .builder import ARGUMENTS, Builder, Place
from .grow import fill, layer
from .strategies import FLOAT, LOSSES, STRATEGIES
from .text import Body


def _inputs(b: Builder, kind: str) -> dict:
    """Inputs by name, as the spec declares them."""
    d = b.d
    free = d.chance(40)
    batch = "N" if d.chance(90) else 2
    high, wide = ("H", "W") if free else (d.choice((6, 8, 9)), d.choice((8, 7)))
    long = "T" if free else d.choice((5, 8))
    width = d.choice((4, 6, 8, 12))
    shapes = {
        "image": [batch, d.choice((3, 4, 8)), high, wide],
        "signal": [batch, d.choice((3, 4)), long],
        "volume": [batch, 4, 4, d.choice((4, 5)), 6],
        "sequence": [batch, long, width],
        "vector": [batch, d.choice((6, 12, 16))],
        "tokens": {"shape": [batch, long], "dtype": "int64"},
    }
    return {"x": shapes[kind]}


def started(draw, kind: str) -> tuple[Builder, Place]:
    """A spec with arguments and an input of a kind, and no layers yet but what a second input needs."""
    b = Builder(draw)
    d = b.d
    declared = _inputs(b, kind)
    for _ in range(d.int(0, 2)):
        name = d.choice([n for n in ARGUMENTS if n not in b.spec["args"]])
        b.spec["args"][name] = d.choice((4, 8, 12, 3))
    if d.chance(25):
        b.spec["args"]["Act"] = d.choice(ACTIVATIONS)
    reads = None
    if d.chance(15):
        b.spec["inputs"] = {**declared, "other": d.choice(list(_inputs(b, d.choice(("vector", kind))).values()))}
        reads = "x"
    else:
        b.spec["input"] = declared["x"]
    place = Place(b.spec["layers"])
    problem = b.looked(place, reads)
    assert not problem, problem
    if reads:
        b.add(place, {"Identity": None, "from": reads})
    return b, place


def spec(draw, kind: str, most: int = 5) -> Builder:
    """A random spec that starts from an input of a kind."""
    b, place = started(draw, kind)
    d = b.d
    if kind == "tokens":
        arguments = STRATEGIES["Embedding"].arguments(b.at(place), place.shape)
        b.add(place, b.named(place, {"Embedding": arguments}))
    fill(b, place, d.int(2, most))
    if not place.items:
        b.add(place, "Identity")
    finish(b, place)
    return b


def spec_with(draw, only: str) -> Builder:
    """A random spec with a layer, or loss, of one type. A few are without: where nothing suits it after all."""
    for kind in draw(st.permutations(KINDS)):
        b, place = started(draw, kind)
        if _prepared(b, place, only):
            break
    if only in LOSSES:
        b.add(place, "Identity")
        loss(b, place, only)
        return b
    layer(b, place, only=only)
    fill(b, place, b.d.int(0 if place.items else 1, 2))
    if not place.items:
        b.add(place, "Identity")
    finish(b, place)
    return b


def _prepared(b: Builder, place: Place, only: str) -> bool:
    """Make the input one that a layer is for; says whether it is."""
    fits, shape, dtype = STRATEGIES[only].fits, place.shape, place.value.dtype
    if fits(shape, dtype):
        return True
    ways = [
        ({"Greater": 0}, shape, "bool"),
        ({"To": "float32"}, shape, "float32"),
        ({"Select": {"dim": 1, "index": 0}}, (*shape[:1], *shape[2:]), dtype),
    ]
    return any(fits(after, kind) and b.add(place, item) for item, after, kind in ways)


def finish(b: Builder, place: Place):
    """Several outputs, a loss, or neither."""
    d = b.at(place)
    refs = sorted(ref for ref, value in place.refs.items() if value.dtype in FLOAT and value.shape)
    way = d.int(0, 9)
    if way == 0 and len(refs) > 1:
        b.spec["outputs"] = refs[:2]
    elif way == 1 and len(refs) > 1:
        b.spec["outputs"] = {"main": refs[0], "aux": refs[-1]}
    elif way < 5:
        loss(b, place)


def loss(b: Builder, place: Place, only: str | None = None):
    """A loss of one input, after what makes it one number."""
    d = b.at(place)
    fitting = [
        n
        for n in LOSSES
        if STRATEGIES[n].fits(place.shape, place.value.dtype) and STRATEGIES[n].others is None and n != "BCELoss"
    ]  # BCELoss takes probabilities, and the logarithm of a negative number is none
    kind = only or (d.choice(fitting) if fitting else None)
    if kind is None or len(b.graph().outputs) != 1:
        return
    others = STRATEGIES[kind].others
    refs = others(d, place.shape) if others else []
    if refs:
        refs = ["prev"] * len(refs)  # a loss reads outputs
    if refs is None:
        return
    wiring = {"from": ["prev", *refs]} if refs else {}
    arguments = STRATEGIES[kind].arguments(d, place.shape)
    before = ["Sigmoid"] if kind == "BCELoss" else []
    b.spec["loss"] = Body([*before, {kind: arguments or None, **wiring}])


KINDS = ("image", "signal", "volume", "sequence", "vector", "tokens")


@st.composite
def specs(draw, *kinds: str, most: int = 5):
    """Hypothesis' strategy for random specs: a Builder with the finished text."""
    kind = kinds[draw(st.integers(0, len(kinds) - 1))] if kinds else draw(st.sampled_from(KINDS))
    return _runs(spec(draw, kind, most))


@st.composite
def specs_with(draw, only: str):
    """Hypothesis' strategy for random specs with a layer of one type."""
    return _runs(spec_with(draw, only))


def _runs(b: Builder) -> Builder:
    """The spec, if it can be run with two samples: another crops the batch to nothing."""
    try:
        sizes(b.graph())
    except NetcalcError:
        reject()
    return b
