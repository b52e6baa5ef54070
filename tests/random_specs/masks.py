"""Strategies for masks, look-ups and routing, and how layers that need a partner of their own get one."""

from __future__ import annotations

from .draw import Draw
from .strategies import _alike, _one_of, nothing, same, strategy

COMPARISONS = ("Equal", "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual")
LOGICAL = ("LogicalAnd", "LogicalOr")
DTYPES = ("float32", "int64")


def _masks(d: Draw, x):
    """A mask of the same shape."""
    return _one_of(d, lambda y, dtype: same(x, y) and dtype == "bool")


strategy(*COMPARISONS, dtypes=DTYPES, others=_alike, keeps=True)(nothing)
strategy(*LOGICAL, dtypes=("bool",), others=_masks, keeps=True)(nothing)
strategy("LogicalNot", dtypes=("bool",), keeps=True)(nothing)
strategy("To", dtypes=("float32", "int64", "bool"))(lambda d, x: {"dtype": d.choice(("float32", "int64", "bool"))})
strategy("MaskedFill", dtypes=DTYPES, keeps=True)(lambda d, x: {"value": d.choice((0, 2, -3))})
strategy("Where", keeps=True)(nothing)


@strategy("TopK", rank=(2, 5), dtypes=DTYPES, when=lambda x: type(x[-1]) is int)
def topk(d: Draw, x):
    return {"k": d.size(d.int(1, min(x[-1], 3))), **d.some(dim=-1, largest=d.flag, sorted=d.flag)}


@strategy("Argsort", rank=(2, 5), dtypes=DTYPES)
def argsort(d: Draw, x):
    return d.some(dim=lambda: d.axis(len(x), 1), descending=d.flag)


@strategy("Gather", rank=(2, 5))
def gather(d: Draw, x):
    return {"dim": d.axis(len(x), 1)}


@strategy("IndexSelect", rank=(2, 5), when=lambda x: any(type(size) is int for size in x[1:]))
def index_select(d: Draw, x):
    return {"dim": d.choice([axis for axis, size in enumerate(x) if axis and type(size) is int])}


@strategy("Einsum", rank=(1, 4))
def einsum(d: Draw, x):
    letters = "abcd"[: len(x)]
    kept = [letter for k, letter in enumerate(letters) if k == 0 or d.flag()]
    if d.flag():
        kept.reverse()
    return {"equation": f"{letters}{d.choice(('', ',' + letters))}->{''.join(kept)}"}


@strategy("MixtureOfExperts", rank=(2, 3), when=lambda x: type(x[-1]) is int, keeps=True)
def mixture(d: Draw, x):
    experts = d.int(2, 4)
    return {"num_experts": experts, "top_k": d.int(1, experts), "hidden_features": d.size(d.width())}


@strategy("SinusoidalEmbedding", rank=1, dtypes=DTYPES)
def sinusoidal(d: Draw, x):
    return {"embedding_dim": d.choice((4, 8)), **d.some(flip_sin_to_cos=d.flag, downscale_freq_shift=0, max_period=100)}


@strategy("CausalMask", rank=(2, 5), when=lambda x: len(x) > 1)
def causal_mask(d: Draw, x):
    return {"size": str(x[-1]) if type(x[-1]) is not int else d.size(x[-1])}


@strategy("RelativePositionBuckets", rank=3, when=lambda x: all(type(size) is int for size in x[1:]))
def buckets(d: Draw, x):
    return {"query_length": x[1], "key_length": x[2], **d.some(bidirectional=d.flag, num_buckets=8, max_distance=16)}


# -- layers with a partner of their own: the lines before and after them


def partnered(b, place, kind: str, arguments: dict) -> bool:
    """A layer that reads something made for it. The builder's Place tells what comes before."""
    before = b.name(place)
    if not b.add(place, {before: "Identity"}):
        return False
    own = b.name(place)
    return _PARTNERS[kind](b, place, before, own, arguments)


def _gather(b, place, before: str, own: str, arguments: dict) -> bool:
    b.add(place, {own: {"Argsort": {"dim": arguments["dim"]}}})
    return b.add(place, {**b.named(place, {"Gather": arguments}), "from": [before, own]})


def _index_select(b, place, before: str, own: str, arguments: dict) -> bool:
    b.add(place, {own: {"Arange": b.d.int(1, place.shape[arguments["dim"]])}})
    return b.add(place, {**b.named(place, {"IndexSelect": arguments}), "from": [before, own]})


def _causal(b, place, before: str, own: str, arguments: dict) -> bool:
    if not same(place.shape[-1:], place.shape[-2:-1]):
        b.add(place, {own: {"CausalMask": arguments}})
        return b.add(place, {"Identity": None, "from": before})
    b.add(place, {own: {"CausalMask": arguments["size"]}})
    return b.add(place, {**b.named(place, {"MaskedFill": {"value": b.d.choice((0, -1e9))}}), "from": [before, own]})


def _buckets(b, place, before: str, own: str, arguments: dict) -> bool:
    b.add(place, {own: {"RelativePositionBuckets": arguments}})
    b.add(place, b.named(place, {"Embedding": {"num_embeddings": 40, "embedding_dim": 1}}))
    b.add(place, b.named(place, {"Squeeze": {"dim": -1}}))
    return b.add(place, b.named(place, {"Add": [before, "prev"]}))


def _where(b, place, before: str, own: str, arguments: dict) -> bool:
    d = b.at(place)
    b.add(place, {own: {d.choice(COMPARISONS): [before, 0.5]}})
    others = d.choice(([before, 0], [0, before], [before, before], [1, before]))
    return b.add(place, b.named(place, {"Where": [own, *others]}))


def _masked(b, place, before: str, own: str, arguments: dict) -> bool:
    b.add(place, {own: {b.at(place).choice(COMPARISONS): [before, 0.5]}})
    return b.add(place, {**b.named(place, {"MaskedFill": arguments}), "from": [before, own]})


def _product(b, place, before: str, own: str, arguments: dict) -> bool:
    b.add(place, {own: {"Transpose": {"dim0": -1, "dim1": -2}}})
    return b.add(place, b.named(place, {"MatMul": b.d.choice(([before, own], [own, before]))}))


_PARTNERS = {
    "MaskedFill": _masked, "MatMul": _product, "Gather": _gather, "IndexSelect": _index_select, "CausalMask": _causal, "RelativePositionBuckets": _buckets,
    "Where": _where,
}  # fmt: skip
PARTNERED = tuple(_PARTNERS)
