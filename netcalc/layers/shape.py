"""Layers that arrange or repeat elements and compute nothing."""

from __future__ import annotations

from ..arith import at_least, compare, divides, equal, prod
from .base import Layer, arg, layer, literal, need
from .kinds import ArgumentError, Kind, either, integer, list_of, optional, positive, shown, sizes, whole


def _axis(value, ndim=0):
    value = whole(value)
    if type(value) is not int:
        raise ArgumentError(
            "E405", f"is {shown(value)}; it must be a fixed number", "give it a value in `args` or with --set"
        )
    return value


def _fixed(value, ndim=0):
    return _axis(positive(value))


#: the number of a dimension, negative from the end
axis = Kind("number of a dimension", _axis, schema=integer.schema)
axes = list_of(axis)
fixed = Kind("whole number >= 1 that is known", _fixed, schema=integer.schema)


def described(shape) -> str:
    return f"[{', '.join(map(str, shape))}]"


def normal(number: int, rank: int) -> int:
    """The number of a dimension counted from the front."""
    return number + rank if number < 0 else number


def normals(numbers, rank: int) -> tuple:
    return tuple(normal(number, rank) for number in numbers)


def axis_needs(numbers, x, name: str = "dim", extra: int = 0):
    """That the numbers are different dimensions of `x` (of `x` with `extra` more)."""
    rank = len(x) + extra
    for number in numbers:
        yield need(-rank <= number < rank, "E418", f"{name} = {number} is out of range for {described(x)}, which has {len(x)} dimensions",
                   name, f"use {-rank} to {rank - 1}" if rank else None)  # fmt: skip
    yield need(
        len(set(normals(numbers, rank))) == len(numbers),
        "E418",
        f"{name} = {described(numbers)} names a dimension twice",
        name,
    )


def in_range(numbers, rank: int) -> bool:
    return all(-rank <= number < rank for number in numbers)


def source(size, name: str, x) -> str:
    """A size in source text: a free one that the variable `name` has too is read from it."""
    if type(size) is not int:
        for i, length in enumerate(x):
            if equal(size, length) is True:
                return f"{name}.shape[{i}]"
    return literal(size)


def is_open(size) -> bool:
    """Whether a size is the -1 that stands for "what is left" or "unchanged"."""
    return type(size) is int and size == -1


def is_one(size) -> bool:
    """Whether a size is literally 1: the size that broadcasts."""
    return type(size) is int and size == 1


def filled(total, shape) -> tuple:
    """The shape with its -1, if it has one, such that it has `total` elements."""
    known = prod(size for size in shape if not is_open(size))
    return tuple(total // known if is_open(size) else size for size in shape)


def fill_needs(total, shape, name: str, what: str):
    """That `total` elements, which are `what`, fill the shape."""
    unknown = sum(map(is_open, shape))
    yield need(unknown <= 1, "E411", lambda: f"{name} = {described(shape)} has more than one -1", name)
    known = [size for size in shape if not is_open(size)]
    sound = all(at_least(size, 1) is not False for size in known)
    yield need(sound, "E411", lambda: f"{name} = {described(shape)} has a size below 1", name)
    if sound:
        fills = divides(prod(known), total) if unknown else equal(total, prod(known))
        yield need(fills, "E413", lambda: f"{what} has {total} elements, which do not fill {described(shape)}", name)


class Shaping(Layer):
    """What these layers share: they take any dtype, and their output is a view of their input."""

    accepts = "any"
    views = True

    def torch(self, *inputs):
        return None


@layer("... -> ...")
class Flatten(Shaping):
    """Joins the dimensions from start_dim to end_dim. Agrees with torch.nn.Flatten."""

    start_dim = arg(axis, 1)
    end_dim = arg(axis, -1)

    def needs(self, x):
        if not x:
            return
        yield from axis_needs([self.start_dim], x, "start_dim")
        yield from axis_needs([self.end_dim], x, "end_dim")
        first, last = normals((self.start_dim, self.end_dim), len(x))
        yield need(
            first <= last, "E418", f"start_dim = {self.start_dim} comes after end_dim = {self.end_dim}", "start_dim"
        )

    def shape(self, x):
        first, last = normals((self.start_dim, self.end_dim), len(x))
        return (*x[:first], prod(x[first : last + 1]), *x[last + 1 :])

    def torch(self, x):
        return f"nn.Flatten({self.torch_arguments(x)})"

    def call(self, names, x):
        end = "" if self.end_dim == -1 else f", {self.end_dim}"
        return f"torch.flatten({names[0]}, {self.start_dim}{end})"

    def eager(self, op, weights, x):
        return op.flatten(x, self.start_dim, self.end_dim)


@layer("... -> ...")
class Unflatten(Shaping):
    """Splits one dimension into several, of which one may be -1. Agrees with torch.nn.Unflatten."""

    dim = arg(axis)
    unflattened_size = arg(sizes)

    def needs(self, x):
        yield from axis_needs([self.dim], x)
        if in_range([self.dim], len(x)):
            yield from fill_needs(x[self.dim], self.unflattened_size, "unflattened_size", f"dimension {self.dim}")

    def shape(self, x):
        at = normal(self.dim, len(x))
        return (*x[:at], *filled(x[at], self.unflattened_size), *x[at + 1 :])

    def torch(self, x):
        return f"nn.Unflatten({self._arguments()})"

    def call(self, names, x):
        return f"{names[0]}.unflatten({self._arguments()})"

    def _arguments(self):
        return f"{self.dim}, {tuple(self.unflattened_size)}"

    def eager(self, op, weights, x):
        return op.reshape(x, op.shape)


@layer("... -> ...")
class Reshape(Shaping):
    """The same elements in another shape, of which one size may be -1. Agrees with torch.reshape."""

    sizes = arg(sizes, main=True, name="shape")

    def needs(self, x):
        yield from fill_needs(prod(x), self.sizes, "shape", described(x))

    def shape(self, x):
        return filled(prod(x), self.sizes)

    def call(self, names, x):
        return f"{names[0]}.reshape({', '.join(source(size, names[0], x) for size in self.sizes) or '()'})"

    def eager(self, op, weights, x):
        return op.reshape(x, op.shape)


@layer("... -> ...")
class Permute(Shaping):
    """The dimensions in another order. Agrees with torch.permute."""

    dims = arg(axes, main=True)

    def needs(self, x):
        yield need(len(self.dims) == len(x), "E418", lambda: f"dims = {described(self.dims)} must name each of the {len(x)} dimensions of {described(x)} once", "dims")  # fmt: skip
        yield from axis_needs(self.dims, x, "dims")

    def shape(self, x):
        return tuple(x[number] for number in self.dims)

    def call(self, names, x):
        return f"{names[0]}.permute({', '.join(map(str, self.dims))})"

    def eager(self, op, weights, x):
        return op.permute(x, self.dims)


@layer("... -> ...")
class Transpose(Shaping):
    """Two dimensions swapped. Agrees with torch.transpose."""

    dim0 = arg(axis)
    dim1 = arg(axis)

    def needs(self, x):
        yield from axis_needs([self.dim0], x, "dim0")
        yield from axis_needs([self.dim1], x, "dim1")

    def shape(self, x):
        y = list(x)
        y[self.dim0], y[self.dim1] = x[self.dim1], x[self.dim0]
        return tuple(y)

    def call(self, names, x):
        return f"{names[0]}.transpose({self.dim0}, {self.dim1})"

    def eager(self, op, weights, x):
        return op.transpose(x, self.dim0, self.dim1)


@layer("... -> ...")
class Squeeze(Shaping):
    """Drops the dimensions `dim`, whose size must be 1; without `dim` all of size 1. Agrees with torch.squeeze."""

    dim = arg(optional(axes), None)

    def needs(self, x):
        yield from axis_needs(self.dim or (), x)
        for number in self.dim or ():
            if in_range([number], len(x)):
                yield need(equal(x[number], 1), "E413", self._too_wide(x, number), "dim")
        for size in x if self.dim is None else ():
            if type(size) is not int:  # a 1 would be dropped
                yield need(
                    compare("!=", size, 1), "E413", lambda size=size: f"Squeeze drops {size}, which is always 1", None
                )

    def shape(self, x):
        if self.dim is None:
            return tuple(size for size in x if not is_one(size))
        dropped = normals(self.dim, len(x))
        return tuple(size for number, size in enumerate(x) if number not in dropped)

    def _too_wide(self, x, number):
        return lambda: f"dimension {number} of {described(x)} is {x[number]}, not 1"

    def call(self, names, x):
        return f"{names[0]}.squeeze({'' if self.dim is None else literal(self.dim)})"

    def eager(self, op, weights, x):
        return op.squeezed(x, op.shape)


@layer("... -> ...")
class Unsqueeze(Shaping):
    """A new dimension of size 1 at `dim`. Agrees with torch.unsqueeze."""

    dim = arg(axis)

    def needs(self, x):
        yield from axis_needs([self.dim], x, extra=1)

    def shape(self, x):
        at = normal(self.dim, len(x) + 1)
        return (*x[:at], 1, *x[at:])

    def call(self, names, x):
        return f"{names[0]}.unsqueeze({self.dim})"

    def eager(self, op, weights, x):
        return op.unsqueeze(x, self.dim)


class Repeating(Shaping):
    """What Expand and Repeat share: sizes for the last dimensions, and for new ones in front."""

    def needs(self, x):
        wanted, name = self._wanted()
        yield need(
            len(wanted) >= len(x),
            "E401",
            lambda: f"{name} = {described(wanted)} has fewer dimensions than the input {described(x)}",
            name,
        )

    def call(self, names, x):
        wanted, _ = self._wanted()
        return f"{names[0]}.{self.type.lower()}({', '.join(source(size, names[0], x) for size in wanted) or '()'})"


@layer("... -> ...")
class Expand(Repeating):
    """Dimensions of size 1 repeated to `size`, where -1 keeps; new ones come in front. Agrees with torch.Tensor.expand."""

    size = arg(sizes, main=True)

    def _wanted(self):
        return self.size, "size"

    def needs(self, x):
        yield from super().needs(x)
        new = len(self.size) - len(x)
        if new < 0:
            return
        yield need(not any(map(is_open, self.size[:new])), "E411", lambda: f"size = {described(self.size)} keeps a dimension that the input does not have", "size")  # fmt: skip
        for number, (size, old) in enumerate(zip(self.size[new:], x, strict=True)):
            if not is_open(size) and not is_one(old):
                yield need(
                    equal(size, old), "E401", self._misfit(x, number), "size", "only a dimension of size 1 expands"
                )

    def _misfit(self, x, number):
        return lambda: f"{described(x)} does not expand to {described(self.size)}: dimension {number} is {x[number]}"

    def shape(self, x):
        new = len(self.size) - len(x)
        kept = tuple(old if is_open(size) else size for size, old in zip(self.size[new:], x, strict=True))
        return (*self.size[:new], *kept)

    def eager(self, op, weights, x):
        return op.expand(x, op.shape)


@layer("... -> ...")
class Repeat(Repeating):
    """The tensor copied sizes[i] times along each dimension; new ones come in front. Agrees with torch.Tensor.repeat."""

    views = False
    sizes = arg(list_of(Kind("whole number >= 1", positive, schema=integer.schema)))

    def _wanted(self):
        return self.sizes, "sizes"

    def shape(self, x):
        new = len(self.sizes) - len(x)
        return tuple(times * old for times, old in zip(self.sizes, (1,) * new + tuple(x), strict=True))

    def eager(self, op, weights, x):
        return op.repeat(x, op.shape)


@layer("... -> ...")
class Roll(Shaping):
    """Elements moved along `dims` (without dims: along the flattened input), around the end. Agrees with torch.roll."""

    views = False
    shifts = arg(list_of(integer))
    dims = arg(either(axes, "none"), None)

    def needs(self, x):
        yield from axis_needs(set(self.dims or ()), x, "dims")
        wanted = 1 if self.dims is None else len(self.dims)
        yield need(
            len(self.shifts) == wanted,
            "E411",
            lambda: f"shifts = {described(self.shifts)} needs one value for each of dims",
            "shifts",
        )

    def call(self, names, x):
        if self.dims is None:
            return f"torch.roll({names[0]}, {self.shifts[0]})"
        if len(self.dims) == 1:
            return f"torch.roll({names[0]}, {self.shifts[0]}, {self.dims[0]})"
        return f"torch.roll({names[0]}, shifts={self.shifts}, dims={self.dims})"

    def eager(self, op, weights, x):
        return op.rolled(x)
