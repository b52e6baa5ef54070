"""How each layer gets arguments that suit its input: one strategy for every layer of the language.

A strategy is `arguments(d, x) -> dict`, with the shape x of its first input; `fits` says which inputs it is for. Shapes
have whole numbers, or formulas for free sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from math import gcd
from typing import NamedTuple

from netcalc.layers.kinds import Word
from tests.installed import NORMS_WITHOUT_BIAS

from .draw import Draw, known

FLOAT = ("float32",)
WHOLE = ("int64",)
ANY = ("float32", "int64", "bool")


class Strategy(NamedTuple):
    """fits(shape, dtype); arguments(d, x); others(d, x): references of further inputs, None where there are none."""

    fits: Callable
    arguments: Callable
    others: Callable | None = None
    keeps: bool = False  # whether the output has the shape of the input


STRATEGIES: dict[str, Strategy] = {}


def strategy(*types: str, rank=None, dtypes=FLOAT, when=None, others=None, keeps: bool = False):
    """Register a strategy. rank: the number of dimensions, or (least, most). when(x): what else must hold."""
    least, most = rank if isinstance(rank, tuple) else (rank or 0, rank or 6)

    def fits(x, dtype):
        return dtype in dtypes and least <= len(x) <= most and (when is None or when(x))

    def register(arguments):
        for name in types:
            STRATEGIES[name] = Strategy(fits, arguments, others, keeps)
        return arguments

    return register


def nothing(d: Draw, x) -> dict:
    return {}


def fixed(*axes: int):
    """A condition: these sizes are numbers."""
    return lambda x: all(type(x[axis]) is int for axis in axes)


channels, features = fixed(1), fixed(-1)


# -- convolutions and poolings


def _window(d: Draw, x, ndim: int, transposed: bool = False) -> dict:
    """kernel_size, and what goes with it, for sizes that hold it."""
    room = min(map(known, x[2:]))
    dilation = d.int(1, 2) if room > 4 and d.chance(25) else 1
    most = max(1, (room - 1) // dilation + 1)
    kernel = d.per_dimension(ndim, lambda: d.int(1, min(3, most)))
    found = {"kernel_size": kernel, **({"dilation": dilation} if dilation > 1 else {})}
    if d.chance(30) and not (transposed and room < 3):
        found["stride"] = d.per_dimension(ndim, lambda: d.int(1, 2))
    return found


def _convolution(ndim: int):
    def arguments(d: Draw, x):
        out = d.width()
        groups = d.divisor(gcd(x[1], out)) if d.chance(25) else 1
        found = {"out_channels": d.size(out), **_window(d, x, ndim), **d.some(bias=d.flag)}
        if groups > 1:
            found["groups"] = d.size(groups)
        elif d.chance(10):
            found["out_channels"], found["groups"] = "in_channels", "in_channels"
        if d.chance(50):
            found["padding"] = "same" if "stride" not in found and d.flag() else 1
            if known(min(map(known, x[2:]))) > 2 and d.chance(25):
                found["padding_mode"] = d.choice(("zeros", "reflect", "replicate", "circular"))
        return found

    return arguments


def _transposed(ndim: int):
    def arguments(d: Draw, x):
        out = d.width()
        found = {"out_channels": d.size(out), **_window(d, x, ndim, True), **d.some(bias=d.flag)}
        if d.chance(25):
            found["groups"] = d.divisor(gcd(x[1], out))
        strides = found.get("stride", 1)
        if min(strides if isinstance(strides, list) else [strides]) > 1 and d.flag():
            found["output_padding"] = 1
        return found

    return arguments


def _pool(ndim: int, maximum: bool):
    def arguments(d: Draw, x):
        found = _window(d, x, ndim)
        if not maximum:
            found.pop("dilation", None)
        kernel = found["kernel_size"]
        if min(kernel if isinstance(kernel, list) else [kernel]) > 1 and d.chance(30):
            found["padding"] = 1
        if not maximum:
            found |= d.some(count_include_pad=d.flag)
            if ndim > 1 and d.chance(10):
                found["divisor_override"] = d.int(1, 5)
        return found | d.some(ceil_mode=d.flag)

    return arguments


def _adaptive(ndim: int):
    def one(d: Draw, size):
        return "none" if ndim > 1 and d.chance(15) else d.int(1, 4)

    def arguments(d: Draw, x):
        return {"output_size": d.per_dimension(ndim, lambda: one(d, x))}

    return arguments


def _roomy(x) -> bool:
    return type(x[1]) is int and all(known(size) >= 1 for size in x[2:])


for _n in (1, 2, 3):
    strategy(f"Conv{_n}d", rank=_n + 2, when=_roomy)(_convolution(_n))
    strategy(f"ConvTranspose{_n}d", rank=_n + 2, when=_roomy)(_transposed(_n))
    strategy(f"MaxPool{_n}d", rank=_n + 2)(_pool(_n, True))
    strategy(f"AvgPool{_n}d", rank=_n + 2)(_pool(_n, False))
    strategy(f"AdaptiveAvgPool{_n}d", f"AdaptiveMaxPool{_n}d", rank=_n + 2)(_adaptive(_n))
    strategy(f"Dropout{_n}d", rank=_n + 2, keeps=True)(lambda d, x: d.some(p=0.1))


# -- linear layers and norms


@strategy("Linear", rank=(1, 5), when=features)
def linear(d: Draw, x):
    return {"out_features": d.size(d.width()), **d.some(bias=d.flag)}


def _rows(d: Draw, x):
    """A tensor with all sizes but the last one equal."""
    return _one_of(
        d, lambda y, dtype: len(y) == len(x) and same(y[:-1], x[:-1]) and type(y[-1]) is int and dtype in FLOAT
    )


def _one_of(d: Draw, suits):
    found = sorted(ref for ref, (shape, dtype) in d.refs.items() if suits(shape, dtype))
    return [d.choice(found)] if found else None


def same(a, b) -> bool:
    return len(a) == len(b) and all(str(i) == str(j) for i, j in zip(a, b, strict=True))


strategy("Bilinear", rank=(1, 4), when=features, others=_rows)(linear)
strategy("Identity", dtypes=ANY, keeps=True)(nothing)


def _bias(d: Draw) -> dict:
    return {"bias": d.flag} if NORMS_WITHOUT_BIAS else {}


def _norm(d: Draw, x):
    drawn = {"affine": d.flag, "momentum": lambda: d.choice((0.2, "none")), "track_running_stats": d.flag}
    return d.some(eps=1e-3, **drawn, **_bias(d))


def _several(x) -> bool:
    return channels(x) and (len(x) == 2 or any(known(size) > 1 for size in x[2:])) and x[0] != 1


for _n in (1, 2, 3):
    strategy(f"BatchNorm{_n}d", rank=(2 if _n == 1 else _n + 2, _n + 2), when=_several, keeps=True)(_norm)
    strategy(f"InstanceNorm{_n}d", rank=_n + 2, when=_several, keeps=True)(_norm)


@strategy("GroupNorm", rank=(2, 5), when=_several, keeps=True)
def group_norm(d: Draw, x):
    return {"num_groups": d.size(d.divisor(x[1])), **d.some(eps=1e-3, affine=d.flag, **_bias(d))}


@strategy("LayerNorm", rank=(1, 5), when=features, keeps=True)
def layer_norm(d: Draw, x):
    found = d.some(eps=1e-3, elementwise_affine=d.flag, bias=d.flag)
    if len(x) > 2 and type(x[-2]) is int and d.chance(20):
        found["normalized_shape"] = [x[-2], x[-1]]
    return found


strategy("RMSNorm", rank=(1, 5), when=features, keeps=True)(
    lambda d, x: d.some(eps=lambda: d.choice((1e-3, "none")), elementwise_affine=d.flag)
)
strategy("LayerNorm2d", rank=4, when=channels, keeps=True)(
    lambda d, x: d.some(eps=1e-3, elementwise_affine=d.flag, bias=d.flag)
)


@strategy("LocalResponseNorm", rank=(3, 5), keeps=True)
def local_response_norm(d: Draw, x):
    return {"size": d.int(1, 5), **d.some(alpha=d.real, beta=0.5, k=2)}


# -- element by element

for _name in ("ReLU", "ReLU6", "SELU", "SiLU", "Mish", "Hardswish", "Hardsigmoid"):
    strategy(_name, keeps=True)(nothing)
for _name in ("Tanh", "Sigmoid", "Softsign", "Tanhshrink", "LogSigmoid"):
    strategy(_name, keeps=True)(nothing)
for _name in ("Abs", "Square", "Sign", "Floor", "Ceil", "Round", "Neg"):
    strategy(_name, dtypes=("float32", "int64"), keeps=True)(nothing)
for _name in ("Exp", "Expm1", "Log", "Log1p", "Sqrt", "Rsqrt", "Sin", "Cos", "Erf", "Reciprocal"):
    strategy(_name, dtypes=ANY, keeps=True)(nothing)

strategy("LeakyReLU", keeps=True)(lambda d, x: d.some(negative_slope=d.real))
strategy("ELU", "CELU", keeps=True)(lambda d, x: d.some(alpha=d.real))
strategy("GELU", keeps=True)(lambda d, x: d.some(approximate=lambda: d.choice(("none", "tanh"))))
strategy("Hardtanh", keeps=True)(lambda d, x: d.some(min_val=-2, max_val=2.5))
strategy("Softplus", keeps=True)(lambda d, x: d.some(beta=d.real, threshold=10))
strategy("Softshrink", "Hardshrink", keeps=True)(lambda d, x: d.some(lambd=d.real))
strategy("Threshold", keeps=True)(lambda d, x: {"threshold": d.real(), "value": d.real()})
strategy("RReLU", keeps=True)(lambda d, x: d.some(lower=0.1, upper=0.5))
strategy("Pow", keeps=True)(lambda d, x: {"exponent": d.choice((2, 0.5, 3, -1))})


@strategy("PReLU", rank=(2, 6), when=channels, keeps=True)
def prelu(d: Draw, x):
    return d.some(num_parameters=x[1], init=0.1)


@strategy("Clamp", dtypes=("float32", "int64"), keeps=True)
def clamp(d: Draw, x):
    return d.choice(({"min": 0}, {"max": 2}, {"min": -1, "max": 1}))


def _even(x) -> list[int]:
    return [axis for axis, size in enumerate(x) if type(size) is int and size % 2 == 0]


@strategy("GLU", rank=(1, 6), when=lambda x: any(_even(x)))
def glu(d: Draw, x):
    axis = d.choice([axis for axis in _even(x) if axis])
    return {"dim": axis - len(x) if d.flag() else axis}


@strategy("Softmax", "LogSoftmax", "Softmin", rank=(1, 6), keeps=True)
def softmax(d: Draw, x):
    return {"dim": d.axis(len(x))}


strategy("Softmax2d", rank=4, keeps=True)(nothing)
strategy("Dropout", "AlphaDropout", keeps=True)(lambda d, x: d.some(p=lambda: d.choice((0, 0.1, 0.5))))
strategy("FeatureAlphaDropout", rank=(2, 5), keeps=True)(lambda d, x: d.some(p=0.1))
strategy("StochasticDepth", rank=(1, 6), keeps=True)(lambda d, x: {"p": 0.1, "mode": d.choice(("batch", "row"))})


# -- sizes


@strategy("Upsample", rank=(3, 5))
def upsample(d: Draw, x):
    ndim = len(x) - 2
    mode = d.choice(
        ("nearest", "nearest-exact", ("linear", "bilinear", "trilinear")[ndim - 1], *(["bicubic"] if ndim == 2 else []))
    )
    found = (
        {"size": d.per_dimension(ndim, lambda: d.int(1, 9))}
        if d.chance(40)
        else {"scale_factor": d.choice((2, 1.5, 1, 3))}
    )
    if mode != "nearest":
        found["mode"] = mode
        if mode != "nearest-exact" and d.flag():
            found["align_corners"] = d.flag()
    return found


@strategy("PixelShuffle", rank=(3, 5), when=lambda x: type(x[-3]) is int and x[-3] % 4 == 0)
def pixel_shuffle(d: Draw, x):
    return {"upscale_factor": 2}


@strategy("PixelUnshuffle", rank=(3, 5), when=lambda x: known(x[-1]) % 2 == 0 and known(x[-2]) % 2 == 0)
def pixel_unshuffle(d: Draw, x):
    return {"downscale_factor": 2}


def _padding(ndim: int, least: int, most: int, value: bool):
    def arguments(d: Draw, x):
        top = min(most, min(map(known, x[-ndim:])) - 1)
        bottom = least if min(map(known, x[-ndim:])) > 3 else 0
        found = {
            "padding": d.int(max(0, bottom), max(0, top))
            if d.flag()
            else [d.int(bottom, max(0, top)) for _ in range(2 * ndim)]
        }
        return {**found, "value": d.real()} if value else found

    return arguments


for _n in (1, 2, 3):
    strategy(f"ZeroPad{_n}d", rank=(_n, 6))(_padding(_n, -1, 2, False))
    strategy(f"ConstantPad{_n}d", rank=(_n, 6))(_padding(_n, -1, 2, True))
    for _name in ("ReflectionPad", "ReplicationPad", "CircularPad"):
        strategy(f"{_name}{_n}d", rank=_n + 2)(_padding(_n, 0, 2, False))


# -- shapes


@strategy("Flatten", rank=(1, 6), dtypes=ANY)
def flatten(d: Draw, x):
    if d.chance(50) or len(x) < 3:
        return {"start_dim": 0} if len(x) == 1 else {}
    first = d.int(0 if d.chance(10) else 1, len(x) - 1)
    return {"start_dim": first, "end_dim": d.int(first, len(x) - 1) - d.choice((0, len(x)))}


def _composite(x) -> list[int]:
    return [axis for axis, size in enumerate(x) if axis and type(size) is int and size > 1]


@strategy("Unflatten", rank=(2, 4), dtypes=ANY, when=lambda x: _composite(x))
def unflatten(d: Draw, x):
    axis = d.choice(_composite(x))
    first = d.divisor(x[axis])
    sizes = [first, x[axis] // first]
    if d.flag():
        sizes[d.int(0, 1)] = -1
    return {"dim": axis, "unflattened_size": sizes}


@strategy("Reshape", rank=(2, 5), dtypes=ANY, when=lambda x: all(type(size) is int for size in x[1:]))
def reshape(d: Draw, x):
    total = 1
    for size in x[1:]:
        total *= size
    first = d.divisor(total)
    return {
        "shape": d.choice(
            ([-1, first, total // first], [-1, total], [str(x[0]), first, total // first], [str(x[0]), -1])
        )
    }


@strategy("Permute", rank=(1, 6), dtypes=ANY)
def permute(d: Draw, x):
    left, order = list(range(1, len(x))), [0]
    while left:
        order.append(left.pop(d.int(0, len(left) - 1)))
    return {"dims": order}


@strategy("Transpose", rank=(2, 6), dtypes=ANY)
def transpose(d: Draw, x):
    return {"dim0": d.axis(len(x), 1), "dim1": d.axis(len(x), 1)}


@strategy("Squeeze", dtypes=ANY)
def squeeze(d: Draw, x):
    ones = [axis for axis, size in enumerate(x) if size == 1]
    return {"dim": d.choice(ones)} if ones and d.flag() else {}


@strategy("Unsqueeze", rank=(1, 4), dtypes=ANY)
def unsqueeze(d: Draw, x):
    return {"dim": d.axis(len(x) + 1, 1)}


@strategy("Expand", rank=(1, 4), dtypes=ANY)
def expand(d: Draw, x):
    return {"size": [d.int(1, 3) if size == 1 else -1 for size in x]}


@strategy("Repeat", rank=(1, 4), dtypes=ANY)
def repeat(d: Draw, x):
    return {"sizes": [1] * (len(x) - 1) + [d.int(1, 2)]}


@strategy("Roll", rank=(1, 5), dtypes=ANY, keeps=True)
def roll(d: Draw, x):
    return d.choice(
        (
            {"shifts": 1},
            {"shifts": -1, "dims": len(x) - 1},
            {"shifts": [1, 2], "dims": [0, -1]} if len(x) > 1 else {"shifts": 2},
        )
    )


# -- pieces


@strategy("Select", rank=(2, 6), dtypes=ANY)
def select(d: Draw, x):
    axis = d.int(1, len(x) - 1)
    return {"dim": axis, "index": d.choice((0, -1))}


@strategy("Slice", rank=(2, 6), dtypes=ANY, when=lambda x: any(known(size) > 2 for size in x[1:]))
def cut(d: Draw, x):
    axis = d.choice([axis for axis, size in enumerate(x) if axis and known(size) > 2])
    return {"dim": axis, **d.choice(({"start": 1}, {"end": -1}, {"end": 2}, {"start": 0, "step": 2}, {"start": -2}))}


@strategy("Chunk", rank=(2, 6), dtypes=ANY, when=lambda x: any(_even(x)))
def chunk(d: Draw, x):
    return {"chunks": 2, "dim": d.choice([axis for axis in _even(x) if axis])}


@strategy("Split", rank=(2, 6), dtypes=ANY, when=lambda x: _composite(x))
def split(d: Draw, x):
    axis = d.choice(_composite(x))
    first = d.int(1, x[axis] - 1)
    sizes = [d.size(first), x[axis] - first] if d.flag() else max(first, x[axis] // 3)
    return {"split_size_or_sections": sizes, "dim": axis}


@strategy("Unbind", rank=(2, 6), dtypes=ANY, when=lambda x: any(type(size) is int and size <= 4 for size in x[1:]))
def unbind(d: Draw, x):
    return {"dim": d.choice([axis for axis, size in enumerate(x) if axis and type(size) is int and size <= 4])}


# -- reductions


def _axes(d: Draw, x):
    """One dimension, or several."""
    return d.axis(len(x), 1) if d.chance(60) or len(x) < 3 else [1, -1]


@strategy("Sum", rank=(2, 6), dtypes=ANY)
def total(d: Draw, x):
    return {"dim": _axes(d, x), **d.some(keepdim=d.flag)}


strategy("Mean", rank=(2, 6))(total)


@strategy("Prod", "Max", "Min", "Argmax", rank=(2, 6), dtypes=("float32", "int64"))
def extremum(d: Draw, x):
    return {"dim": d.axis(len(x), 1), **d.some(keepdim=d.flag)}


strategy("Cumsum", rank=(1, 6), dtypes=("float32", "int64"), keeps=True)(lambda d, x: {"dim": d.axis(len(x))})
strategy("Normalize", rank=(2, 6), keeps=True)(
    lambda d, x: {"dim": d.axis(len(x)), **d.some(p=lambda: d.choice((1, 2)), eps=1e-6)}
)


def _equal(d: Draw, x):
    return _one_of(d, lambda y, dtype: same(x, y) and dtype in FLOAT)


strategy("CosineSimilarity", rank=(2, 6), others=_equal)(lambda d, x: {"dim": d.axis(len(x), 1), **d.some(eps=1e-6)})


# -- sources (their shapes are drawn for what reads them)


@strategy("Parameter")
def parameter(d: Draw, x):
    shape = [d.size(size) if type(size) is int else 1 for size in x[1:]]
    inits = [0, 1, 0.5, "normal(0.02)", "uniform(-1, 1)", "ones", "zeros"] + (["eye"] if len(x) == 3 else [])
    return {"shape": shape, **d.some(init=lambda: d.choice(inits))}


@strategy("Buffer")
def buffer(d: Draw, x):
    inits = [1, "normal(1)", "arange"] + (["causal_mask"] if len(x) > 2 else [])
    return {**parameter(d, x), **d.some(init=lambda: d.choice(inits), persistent=d.flag)}


@strategy("Arange", rank=(2, 3), when=lambda x: type(x[1]) is int)
def arange(d: Draw, x):
    return d.choice(({"end": d.size(x[1])}, {"start": 1, "end": x[1] + 1}, {"end": 2 * x[1], "step": 2}))


# -- look-ups, sequences, attention


@strategy("Embedding", rank=(1, 3), dtypes=WHOLE)
def embedding(d: Draw, x):
    return {
        "num_embeddings": d.size(d.int(20, 40)),
        "embedding_dim": d.size(d.width()),
        **d.some(padding_idx=0, max_norm=1.0),
    }


@strategy("EmbeddingBag", rank=2, dtypes=WHOLE)
def embedding_bag(d: Draw, x):
    return {
        "num_embeddings": d.int(20, 40),
        "embedding_dim": d.size(d.width()),
        **d.some(mode=lambda: d.choice(("sum", "mean", "max"))),
    }


def _recurrent(cell: bool, lstm: bool = False):
    def arguments(d: Draw, x):
        found = {"hidden_size": d.size(d.width()), **d.some(bias=d.flag)}
        if not cell:
            found |= {
                "batch_first": d.chance(80),
                **d.some(bidirectional=d.flag, num_layers=2, **({"proj_size": 3} if lstm else {})),
            }
        return found

    return arguments


strategy("RNN", "GRU", rank=3, when=features)(_recurrent(False))
strategy("LSTM", rank=3, when=features)(_recurrent(False, True))
strategy("RNNCell", "GRUCell", "LSTMCell", rank=2, when=features)(_recurrent(True))


def _memory(d: Draw, x):
    """Nothing (self-attention), or one tensor of the same batch for key and value, or two equal ones."""
    if d.chance(50):
        return []
    found = _one_of(d, lambda y, dtype: len(y) == 3 and str(y[0]) == str(x[0]) and type(y[2]) is int and dtype in FLOAT)
    return (found * d.int(1, 2)) if found else []


@strategy("MultiheadAttention", rank=3, when=features, others=_memory, keeps=True)
def multihead_attention(d: Draw, x):
    found = {"num_heads": d.size(d.divisor(x[2])), "batch_first": True}
    return found | d.some(dropout=0.1, bias=d.flag, add_bias_kv=d.flag, add_zero_attn=d.flag)


def _key_and_value(d: Draw, x):
    found = _one_of(d, lambda y, dtype: same(x, y) and dtype in FLOAT) or ["prev"]
    return [found[0], d.choice(("prev", found[0]))]


@strategy("ScaledDotProductAttention", rank=3, when=features, others=_key_and_value, keeps=True)
def attention(d: Draw, x):
    return {"num_heads": d.size(d.divisor(x[2])), **d.some(is_causal=d.flag, dropout_p=0.1, scale=d.real)}


@strategy("RotaryEmbedding", rank=3, when=lambda x: type(x[2]) is int and x[2] % 2 == 0, keeps=True)
def rotary(d: Draw, x):
    heads = d.divisor(x[2] // 2)
    return {"head_dim": x[2] // heads, **d.some(base=100)}


# -- several tensors (operators take operands, which the builder writes)


def _alike(d: Draw, x):
    return _one_of(d, lambda y, dtype: same(x, y) and dtype in FLOAT)


strategy("Add", "Sub", "Mul", "Div", "Maximum", "Minimum", others=_alike, keeps=True)(nothing)


strategy("MatMul", rank=(2, 4))(nothing)


@strategy("Concat", rank=(2, 6), others=_alike)
def concat(d: Draw, x):
    return {"dim": d.axis(len(x), 1)}


@strategy("Stack", rank=(1, 4), others=_alike)
def stack(d: Draw, x):
    return {"dim": d.axis(len(x) + 1, 1)}


# -- losses, of an output of shape x

strategy("MSELoss", "L1Loss")(lambda d, x: d.some(reduction=lambda: d.choice(("mean", "sum"))))
strategy("BCEWithLogitsLoss", "BCELoss", "KLDivLoss")(lambda d, x: d.some(reduction="mean"))
strategy("SmoothL1Loss")(lambda d, x: d.some(beta=d.real))
strategy("HuberLoss")(lambda d, x: d.some(delta=d.real))
strategy("PoissonNLLLoss")(lambda d, x: d.some(log_input=d.flag, full=d.flag, eps=1e-6))
strategy("CrossEntropyLoss", rank=(2, 5))(
    lambda d, x: d.some(reduction=lambda: d.choice(("mean", "sum")), label_smoothing=0.1)
)
strategy("NLLLoss", rank=(2, 5))(nothing)
strategy("CosineEmbeddingLoss", rank=2, others=_alike)(lambda d, x: d.some(margin=0.1))
strategy("TripletMarginLoss", rank=(2, 4), others=lambda d, x: 2 * (_alike(d, x) or []) or None)(
    lambda d, x: d.some(swap=d.flag, margin=0.5)
)

LOSSES = tuple(name for name in STRATEGIES if name.endswith("Loss"))
SOURCES = ("Parameter", "Buffer", "Arange")
__all__ = ["LOSSES", "SOURCES", "STRATEGIES", "Strategy", "Word", "known", "same", "strategy"]
