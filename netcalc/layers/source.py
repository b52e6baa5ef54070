"""Tensors that come from no input: parameters, buffers and ranges."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from ..arith import ceil_div, divides, equal, less, maximum, prod
from .base import Layer, arg, layer, literal, need
from .kinds import ArgumentError, Kind, flag, integer, list_of, natural, shown, word

FLOATS = ("float32", "float64", "float16", "bfloat16")
DTYPES = (*FLOATS, "int64", "int32", "int16", "int8", "uint8", "bool")
FORMS = (
    "zeros", "ones", "normal(std)", "uniform(a, b)", "arange", "eye", "causal_mask", "sinusoidal", "relative_position(h, w)",
)  # fmt: skip
#: the words of `init`, with the number of values in parentheses that each takes
VALUES = {"zeros": 0, "ones": 0, "normal": 1, "uniform": 2, "arange": 0, "eye": 0, "causal_mask": 0, "sinusoidal": 0,
          "relative_position": 2}  # fmt: skip


class Init(NamedTuple):
    """How a tensor is filled: by a word with its values, or (`full`) with one number."""

    word: str
    values: tuple = ()


def _init(value, ndim=0):
    if isinstance(value, Init):
        return value
    if isinstance(value, (int, Fraction, float)) and not isinstance(value, bool):
        return Init("full", (value,))
    found = re.fullmatch(r"(\w+)\s*(?:\(([^()]*)\))?", str(value).strip()) if isinstance(value, str) else None
    if found and found[1] in VALUES:
        try:
            values = tuple(float(item) for item in (found[2] or "").split(",") if item.strip())
        except ValueError:
            values = ()
        if len(values) == VALUES[found[1]]:
            return Init(found[1], values)
    raise ArgumentError("E304", f"is {shown(value)}; it must be a number or one of {', '.join(FORMS)}")


init = Kind("number, or " + " | ".join(FORMS), _init, tuple(VALUES), {"type": ["number", "string"]})
lengths = list_of(Kind("whole number >= 0", natural, schema=integer.schema))


def filled(start: Init, shape: tuple, dtype: str) -> str:
    """The source of a new tensor."""
    return _FILL[start.word](start.values, shape, dtype).replace(", dtype=torch.float32", "")


def _sizes(shape) -> str:
    return ", ".join(map(str, shape)) or "()"


def _tuple(shape) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _factor(size) -> str:
    """A size as part of a product, where it may be an expression in source."""
    text = str(size)
    return text if re.fullmatch(r"[\w.]+", text) else f"({text})"


def _made(function: str):
    return lambda values, shape, dtype: f"torch.{function}({_sizes(shape)}, dtype=torch.{dtype})"


def _full(values, shape, dtype):
    number = values[0]
    if number in (0, 1):
        return _made("ones" if number else "zeros")(values, shape, dtype)
    return f"torch.full({_tuple(shape)}, {literal(float(number) if dtype in FLOATS else number)}, dtype=torch.{dtype})"


def _normal(values, shape, dtype):
    return f"torch.randn({_sizes(shape)}, dtype=torch.{dtype}) * {values[0]!r}"


def _uniform(values, shape, dtype):
    return f"torch.empty({_sizes(shape)}, dtype=torch.{dtype}).uniform_({values[0]!r}, {values[1]!r})"


def _arange(values, shape, dtype):
    """Counts through the whole tensor. arange makes int64 by itself, so float32 must be said."""
    kind = {"int64": "", "float32": ".float()"}.get(dtype, f".to(torch.{dtype})")
    total = prod(shape) if all(type(size) is int for size in shape) else " * ".join(map(_factor, shape))
    text = f"torch.arange({total}){kind}"
    return text if len(shape) == 1 else f"{text}.reshape({_sizes(shape)})"


def _causal_mask(values, shape, dtype):
    """1 where a position may look: at itself and at those before it."""
    return f"torch.ones({_sizes(shape)}, dtype=torch.{dtype}).tril()"


def _sinusoidal(values, shape, dtype):
    """sin and cos of position / 10000^(2i/d) in turn (Vaswani et al., 2017, section 3.5)."""
    length, width = shape[-2:]
    angle = f"torch.arange({length})[:, None] / 10000 ** (torch.arange(0, {width}, 2) / {_factor(width)})"
    kind = "" if dtype == "float32" else f".to(torch.{dtype})"
    shaped = "" if len(shape) == 2 else f".reshape({_sizes(shape)})"
    return f"torch.stack([f({angle}) for f in (torch.sin, torch.cos)], dim=-1).flatten(1){shaped}{kind}"


def _relative_position(values, shape, dtype):
    """The row of a table of biases for each pair of places of a window (Liu et al.: Swin Transformer, 2021)."""
    shaped = "" if len(shape) == 1 else f".reshape({_sizes(shape)})"
    kind = "" if dtype == "int64" else f".to(torch.{dtype})"
    return f"relative_position_index({int(values[0])}, {int(values[1])}){shaped}{kind}"


RELATIVE_POSITION = '''\
def relative_position_index(height, width):
    """For each pair of places of a window, the number of their offset, as in Swin."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    y, x = y.flatten(), x.flatten()
    rows = y[:, None] - y + height - 1
    columns = x[:, None] - x + width - 1
    return (rows * (2 * width - 1) + columns).flatten()
'''

_FILL = {
    "full": _full,
    "zeros": _made("zeros"),
    "ones": _made("ones"),
    "eye": _made("eye"),
    "normal": _normal,
    "uniform": _uniform,
    "arange": _arange,
    "causal_mask": _causal_mask,
    "sinusoidal": _sinusoidal,
    "relative_position": _relative_position,
}


class Source(Layer):
    """What Parameter and Buffer share."""

    inputs = 0
    accepts = "any"

    sizes = arg(lengths, name="shape")

    @property
    def helper_source(self):
        return RELATIVE_POSITION if self.init.word == "relative_position" else None

    def needs(self):
        start, rank = self.init.word, len(self.sizes)
        least = 2 if start in ("eye", "causal_mask", "sinusoidal") else 0
        yield need(
            rank >= least and (rank == 2 or start != "eye"),
            "E411",
            f"init: {start} does not fit a shape of {rank} dimensions",
            "init",
        )
        yield need(start not in ("normal", "uniform", "sinusoidal") or self.kind in FLOATS, "E411", f"init: {start} needs a floating dtype, not {self.kind}", "init")  # fmt: skip
        if start == "sinusoidal" and rank >= 2:
            for fits in (divides(2, self.sizes[-1]), equal(prod(self.sizes[:-2]), 1)):
                yield need(fits, "E411", "init: sinusoidal needs a shape [positions, width] with an even width", "init")
        if start == "relative_position":
            height, width = self.init.values
            whole = height >= 1 and width >= 1 and height % 1 == 0 and width % 1 == 0
            yield need(whole and equal(prod(self.sizes), int(height * width) ** 2), "E411",
                       lambda: f"init: relative_position({height:g}, {width:g}) has one number for each pair of {height * width:g} places, "
                       f"not {prod(self.sizes)}", "init", "shape: [h*w*h*w]")  # fmt: skip

    def shape(self):
        return self.sizes

    def dtype(self):
        return self.kind

    def eager(self, op, weights):
        return weights[""]


@layer("-> ...")
class Parameter(Source):
    """A free torch.nn.Parameter: a class token, an embedding of positions, a scale."""

    init = arg(init, 0)
    kind = arg(word(*FLOATS), "float32", name="dtype")

    @property
    def parameter_dtype(self):
        return self.kind

    def params(self):
        return {"": self.sizes}

    def torch(self):
        return f"nn.Parameter({filled(self.init, self.sizes, self.kind)})"


@layer("-> ...")
class Buffer(Source):
    """A tensor that moves with the model and does not train; in the state_dict unless `persistent` is false."""

    kind = arg(word(*DTYPES), "float32", name="dtype")
    init = arg(init, 0)
    persistent = arg(flag, True)

    def buffers(self):
        return {"": (self.sizes, self.kind)}

    def torch(self):
        """The expression of the tensor, to be given to register_buffer."""
        return filled(self.init, self.sizes, self.kind)


@layer("-> T")
class Arange(Layer):
    """The whole numbers from start to end, end excluded, by steps. Agrees with torch.arange."""

    inputs = 0
    accepts = "any"

    end = arg(integer, main=True)
    start = arg(integer, 0)
    step = arg(integer, 1)

    def needs(self):
        yield need(less(0, self.step), "E411", lambda: f"step = {self.step} must be at least 1", "step")
        yield need(
            less(self.start - 1, self.end), "E411", lambda: f"end = {self.end} comes before start = {self.start}", "end"
        )

    def shape(self):
        return (maximum(ceil_div(self.end - self.start, self.step), 0),)

    def dtype(self):
        return "int64"

    def torch(self):
        return None

    def call(self, names):
        """names: a variable on whose device it is to be, where it is not to be on the default one."""
        from_zero = type(self.start) is int and self.start == 0
        by_one = type(self.step) is int and self.step == 1
        ends = [self.end] if from_zero and by_one else [self.start, self.end]
        device = f", device={names[0]}.device" if names else ""
        return f"torch.arange({', '.join(map(literal, ends if by_one else [*ends, self.step]))}{device})"

    def eager(self, op, weights):
        return op.made(op.shape, "int64")
