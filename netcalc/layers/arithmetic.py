"""Operators on several tensors, and joins."""

from __future__ import annotations

from fractions import Fraction

from ..arith import Formula, equal, names_of
from .base import Layer, Work, arg, elements, layer, literal, need
from .kinds import Kind, real
from .shape import axis, axis_needs, described, in_range, is_one, normal


def broadcast(*shapes) -> tuple:
    """The shape that the shapes have together: only a size that is literally 1 stretches."""
    rank = max(map(len, shapes))
    return tuple(wider(shapes, number - rank) for number in range(rank))


def wider(shapes, number: int):
    """The common size of one dimension, counted from the end."""
    sizes = [shape[number] for shape in shapes if len(shape) >= -number]
    return next((size for size in sizes if not is_one(size)), 1)


def broadcast_needs(name: str, shapes, verb: str = "join"):
    """That each shape fits the ones before it."""
    for i, shape in enumerate(shapes[1:], start=1):
        before = broadcast(*shapes[:i])
        rank = max(len(before), len(shape))
        for number in range(-1, -1 - min(len(before), len(shape)), -1):
            a, b = before[number], shape[number]
            if not is_one(a) and not is_one(b):
                yield need(equal(a, b), "E401", _misfit(f"{name} cannot {verb}", before, shape, rank + number, a, b),
                           help="sizes must be equal, or one of them 1")  # fmt: skip


def _misfit(what: str, x1, x2, number: int, a, b):
    return lambda: f"{what} {described(x1)} and {described(x2)}: dimension {number} is {a} and {b}"


# -- operators


def _operand(value, ndim=0):
    return None if value is None else real.convert(value, ndim)


def _operands(value, ndim=0):
    return tuple(_operand(item) for item in (value if isinstance(value, (list, tuple)) else [value]))


operands = Kind("list of layers and numbers", _operands, schema={"type": ["array", "string"]})


def is_fraction(number) -> bool:
    return isinstance(number, (Fraction, float)) or (isinstance(number, Formula) and not number.is_whole())


def promoted(dtype: str, *numbers) -> str:
    """The dtype of a tensor that is combined with numbers: a fraction makes whole numbers real, a number truth a number."""
    if "float" in dtype or "complex" in dtype:
        return dtype
    if any(map(is_fraction, numbers)):
        return "float32"
    return "int64" if dtype == "bool" and numbers else dtype


class Operator(Layer):
    """What the operators share. `operands` lists numbers, and None for each next input; without it all inputs are operands.

    Work: one FLOP per element of the output for each operand after the first.
    """

    inputs = (1, None)
    accepts = "any"
    operator = True
    same_dtype = 0
    least, most = 2, None
    sign = ""  # Python's operator

    operands = arg(operands, None, main=True)

    def numbers(self) -> list:
        return [number for number in self.operands or () if number is not None]

    def count(self, inputs) -> int:
        return len(inputs) + len(self.numbers())

    def needs(self, *inputs):
        count = self.count(inputs)
        yield need(
            count >= self.least, "E411", f"{self.type} needs {self.least} operands or more, not {count}", "operands"
        )
        yield need(
            self.most is None or count <= self.most,
            "E411",
            f"{self.type} needs {self.most} operands, not {count}",
            "operands",
        )
        yield from self.fits(*inputs)

    def fits(self, *inputs):
        return broadcast_needs(self.type, inputs)

    def shape(self, *inputs):
        return broadcast(*inputs)

    def dtype(self, *dtypes):
        """Of equal dtypes that dtype; a number changes it where it is of a higher class, as in torch."""
        return promoted(dtypes[0], *self.numbers())

    def work(self, *shapes):
        return Work(other=(self.count(shapes[:-1]) - 1) * elements(shapes[-1]))

    def torch(self, *inputs):
        return None

    def written(self, names: list) -> list:
        """The operands as source text, in order."""
        given, left = self.operands or [None] * len(names), iter(names)
        return [next(left) if number is None else literal(number) for number in given]

    def call(self, names, *inputs):
        return f" {self.sign} ".join(self.written(names))

    def eager(self, op, weights, *inputs):
        """The operands in pairs, from left to right; a number is not a tensor."""
        left = iter(inputs)
        listed = [next(left) if value is None else value for value in self.operands or [None] * len(inputs)]
        found = listed[0]
        for operand in listed[1:]:
            found = self.pair(op, found, operand)
        return found

    def pair(self, op, a, b):
        """Two operands: tensors, or one of them a number."""
        raise NotImplementedError(self.type)


@layer("... -> ...")
class Add(Operator):
    """The sum of its operands, broadcast. Agrees with torch.add."""

    sign = "+"

    def pair(self, op, a, b):
        return op.sum_of(a, b)


@layer("... -> ...")
class Sub(Operator):
    """The first operand minus the second, broadcast. Agrees with torch.sub."""

    accepts, most, sign = "number", 2, "-"

    def pair(self, op, a, b):
        return op.sum_of(a, b, negative=True)


@layer("... -> ...")
class Mul(Operator):
    """The product of its operands element by element, broadcast. Agrees with torch.mul."""

    sign = "*"

    def pair(self, op, a, b):
        return op.product_of(a, b)


@layer("... -> ...")
class Div(Operator):
    """The first operand divided by the second, broadcast. Agrees with torch.div."""

    most, sign = 2, "/"

    def dtype(self, *dtypes):
        return dtypes[0] if "float" in dtypes[0] else "float32"

    def pair(self, op, a, b):
        return op.product_of(a, b, divide=True)


class Choice(Operator):
    """What Maximum and Minimum share: nested calls, numbers by clamp."""

    function = bound = ""

    def call(self, names, *inputs):
        text = names[0]
        for name in names[1:]:
            text = f"torch.{self.function}({text}, {name})"
        for number in self.numbers():
            text = f"{text}.clamp({self.bound}={literal(number)})"
        return text

    def eager(self, op, weights, *inputs):
        """The tensors first, then the numbers, as `call` nests them."""
        found = inputs[0]
        for operand in [*inputs[1:], *self.numbers()]:
            found = op.chosen(found, operand)
        return found


@layer("... -> ...")
class Maximum(Choice):
    """The largest of its operands element by element, broadcast. Agrees with torch.maximum."""

    function, bound = "maximum", "min"


@layer("... -> ...")
class Minimum(Choice):
    """The smallest of its operands element by element, broadcast. Agrees with torch.minimum."""

    function, bound = "minimum", "max"


@layer("..., ... -> ...")
class MatMul(Operator):
    """The matrix product of two tensors over their last two dimensions, the others broadcast. Agrees with torch.matmul."""

    inputs = 2
    most, sign = 2, "@"

    def fits(self, *inputs):
        yield need(
            not self.numbers(),
            "E411",
            "MatMul multiplies two tensors, not a tensor and a number",
            "operands",
            "use Mul",
        )
        if len(inputs) != 2 or self.numbers():
            return
        a, b = inputs
        yield need(
            len(a) > 0 and len(b) > 0,
            "E401",
            lambda: f"MatMul cannot multiply {described(a)} with {described(b)}: one has no dimensions",
        )
        if a and b:
            rows = b[-2:][0]
            yield need(equal(a[-1], rows), "E401", lambda: f"MatMul cannot multiply {described(a)} with {described(b)}: "
                       f"the rows of the first have {a[-1]} elements, the columns of the second {rows}",
                       help="Transpose one of them if its matrix lies the other way")  # fmt: skip
            yield from broadcast_needs("MatMul", [a[:-2], b[:-2]], "multiply batches of")

    def shape(self, a, b):
        return (*broadcast(a[:-2], b[:-2]), *a[-2:-1], *b[max(len(b), 2) - 1 :])

    def work(self, a, b, y):
        return Work(macs=elements(y) * a[-1])

    def eager(self, op, weights, a, b):
        return op.matmul(a, b)


# -- joins


class Join(Layer):
    """What Concat and Stack share. Moves data: no work."""

    inputs = (2, None)
    accepts = "any"
    same_dtype = 0
    function = ""

    dim = arg(axis)

    def needs(self, *inputs):
        first = inputs[0]
        yield from axis_needs([self.dim], first, extra=self.extra)
        if not in_range([self.dim], len(first) + self.extra):
            return
        for other in inputs[1:]:
            yield from self._fits(first, other)

    def _fits(self, first, other):
        at = normal(self.dim, len(first) + self.extra)
        what = (
            f"{self.type} along dimension {at} needs {'all' if self.extra else 'the other'} dimensions equal, but got"
        )
        if len(first) != len(other):
            yield need(
                False,
                "E402",
                f"{what} {described(first)} and {described(other)}: {len(first)} and {len(other)} dimensions",
            )
            return
        for number, (a, b) in enumerate(zip(first, other, strict=True)):
            if self.extra or number != at:
                same = equal(a, b)
                yield need(
                    same,
                    "E402",
                    _misfit(what, first, other, number, a, b),
                    help=None if same is True else self._advice(a, b),
                )

    def _advice(self, a, b):
        if names_of((a, b)):
            return "these agree only for some sizes; write the input as a multiple, for example 16*H"
        return "resize one of them first (Upsample, ConvTranspose2d, or a stride), or concatenate along another dim"

    def torch(self, *inputs):
        return None

    def call(self, names, *inputs):
        return f"torch.{self.function}([{', '.join(names)}], dim={self.dim})"


@layer("... -> ...")
class Concat(Join):
    """The inputs one after the other along `dim`. Agrees with torch.cat."""

    function, extra = "cat", 0

    def is_local(self, *inputs):
        return normal(self.dim, len(inputs[0])) < 2

    def shape(self, *inputs):
        at = normal(self.dim, len(inputs[0]))
        return (*inputs[0][:at], sum(x[at] for x in inputs), *inputs[0][at + 1 :])

    def eager(self, op, weights, *pieces):
        return op.cat(list(pieces), self.dim)


@layer("... -> ...")
class Stack(Join):
    """The inputs side by side along a new dimension `dim`. Agrees with torch.stack."""

    function, extra = "stack", 1

    def shape(self, *inputs):
        at = normal(self.dim, len(inputs[0]) + 1)
        return (*inputs[0][:at], len(inputs), *inputs[0][at:])

    def eager(self, op, weights, *pieces):
        return op.stack(list(pieces), self.dim)
