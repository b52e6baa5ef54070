"""Layers that take pieces of a tensor: one place, a range, or several outputs."""

from __future__ import annotations

from ..arith import at_least, ceil_div, equal, less, maximum, minimum
from .base import arg, layer, literal, need
from .kinds import Kind, integer, natural, optional, positive, sizes
from .shape import Shaping, axis, axis_needs, described, fixed, in_range, normal, source


def subscript(name: str, number: int, index: str) -> str:
    """`x[:, :, index]`."""
    return f"{name}[{':, ' * number}{index}]"


@layer("... -> ...")
class Select(Shaping):
    """One place along a dimension, which vanishes: x[:, index]. Agrees with torch.select."""

    dim = arg(axis)
    index = arg(integer)

    def needs(self, x):
        yield from axis_needs([self.dim], x)
        if in_range([self.dim], len(x)):
            size = x[self.dim]
            from_end = type(self.index) is int and self.index < 0
            yield need(at_least(size, -self.index) if from_end else less(self.index, size), "E411",
                       lambda: f"index = {self.index} is out of range: dimension {self.dim} of {described(x)} is {size}", "index")  # fmt: skip

    def shape(self, x):
        at = normal(self.dim, len(x))
        return (*x[:at], *x[at + 1 :])

    def call(self, names, x):
        return subscript(names[0], normal(self.dim, len(x)), literal(self.index))

    def eager(self, op, weights, x):
        return op.select(x, self.dim)


@layer("... -> ...")
class Slice(Shaping):
    """x[:, start:end:step]: ends count from the back where negative and are clamped, as Python's are."""

    dim = arg(axis)
    start = arg(integer, 0)
    end = arg(optional(integer), None)
    step = arg(Kind("whole number >= 1", positive, schema=integer.schema), 1)

    def needs(self, x):
        yield from axis_needs([self.dim], x)

    def shape(self, x):
        at = normal(self.dim, len(x))
        end = x[at] if self.end is None else clamped(self.end, x[at])
        length = maximum(end - clamped(self.start, x[at]), 0)
        return (*x[:at], ceil_div(length, self.step), *x[at + 1 :])

    def call(self, names, x):
        start = "" if type(self.start) is int and self.start == 0 else literal(self.start)
        end = "" if self.end is None else literal(self.end)
        step = "" if type(self.step) is int and self.step == 1 else f":{literal(self.step)}"
        return subscript(names[0], normal(self.dim, len(x)), f"{start}:{end}{step}")

    def eager(self, op, weights, x):
        return op.narrow(x, self.dim, op.shape[self.dim % len(x.shape)], self.step)


def clamped(end, size):
    """An end of a slice as a place from 0 to `size`."""
    from_back = type(end) is int and end < 0
    return maximum(size + end, 0) if from_back else minimum(end, size)


MAX_PIECES = 1_000  # outputs of one layer


def few(count, at: str):
    """E411: a bounded number of outputs, so that no spec can ask for more than there is memory for."""
    return need(
        count <= MAX_PIECES, "E411", lambda: f"{count:,} pieces are too many: at most {MAX_PIECES:,} are possible", at
    )


class Cutting(Shaping):
    """What Chunk, Split and Unbind share: several outputs, named 0, 1, ..."""

    def parts(self, x):
        return [str(i) for i in range(len(self.shape(x)))]

    def eager(self, op, weights, x):
        dim = self.dim % len(x.shape)
        return op.split(x, [shape[dim] for shape in op.shapes], dim)


@layer("... -> ...")
class Chunk(Cutting):
    """`chunks` pieces along a dimension, equal but for a smaller last one. Agrees with torch.chunk."""

    chunks = arg(fixed)
    dim = arg(axis, 0)

    def needs(self, x):
        yield from axis_needs([self.dim], x)
        yield few(self.chunks, "chunks")
        if in_range([self.dim], len(x)):
            size = x[self.dim]
            whole_chunks = ceil_div(size, self.chunks) * (self.chunks - 1)
            yield need(less(whole_chunks, size), "E413", lambda: f"dimension {self.dim} of {described(x)} does not make {self.chunks} chunks",
                       "chunks", "torch would return fewer chunks; choose a number that divides the size")  # fmt: skip

    def shape(self, x):
        at = normal(self.dim, len(x))
        step = ceil_div(x[at], self.chunks)
        return [(*x[:at], minimum(step, x[at] - i * step), *x[at + 1 :]) for i in range(self.chunks)]

    def call(self, names, x):
        return f"{names[0]}.chunk({self.chunks}, dim={self.dim})"


@layer("... -> ...")
class Split(Cutting):
    """Pieces along a dimension: of one size (the last may be smaller) or of listed sizes. Agrees with torch.split."""

    split_size_or_sections = arg(Kind("whole number >= 1, or a list", lambda v, ndim=0: _split(v), schema=sizes.schema))
    dim = arg(axis, 0)

    def needs(self, x):
        yield from axis_needs([self.dim], x)
        if not in_range([self.dim], len(x)):
            return
        size, cut = x[self.dim], self.split_size_or_sections
        if isinstance(cut, list):
            yield need(equal(sum(cut), size), "E413", lambda: f"the sizes {described(cut)} sum to {sum(cut)}, but dimension {self.dim} of {described(x)} is {size}",
                       "split_size_or_sections")  # fmt: skip
        else:
            yield need(self._count(size) is not None, "E405", lambda: f"the number of pieces of {cut} in {size} is not fixed", "split_size_or_sections",
                       "use Chunk, which has a fixed number of pieces, or a list of sizes")  # fmt: skip
            yield few(self._count(size) or 1, "split_size_or_sections")

    def shape(self, x):
        at = normal(self.dim, len(x))
        cut = self.split_size_or_sections
        if not isinstance(cut, list):
            count = self._count(x[at]) or 1
            cut = [cut] * (count - 1) + [x[at] - cut * (count - 1)]
        return [(*x[:at], size, *x[at + 1 :]) for size in cut]

    def _count(self, size):
        """The number of pieces, None where it is not fixed."""
        count, rest = size // self.split_size_or_sections, size % self.split_size_or_sections
        if type(rest) is not int:
            return None
        count = count if rest == 0 else count + 1
        return count if type(count) is int else None

    def call(self, names, x):
        cut = self.split_size_or_sections
        pieces = f"[{', '.join(source(size, names[0], x) for size in cut)}]" if isinstance(cut, list) else literal(cut)
        return f"{names[0]}.split({pieces}, dim={self.dim})"


def _split(value):
    return [natural(item) for item in value] if isinstance(value, (list, tuple)) else positive(value)


@layer("... -> ...")
class Unbind(Cutting):
    """One output for each place along a dimension, which vanishes. Agrees with torch.unbind."""

    dim = arg(axis, 0)

    def needs(self, x):
        yield from axis_needs([self.dim], x)
        if in_range([self.dim], len(x)):
            size = x[self.dim]
            yield need(
                type(size) is int,
                "E405",
                lambda: f"Unbind needs a fixed size, but dimension {self.dim} of {described(x)} is {size}",
                "dim",
            )
            yield few(size if type(size) is int else 1, "dim")

    def shape(self, x):
        at = normal(self.dim, len(x))
        count = x[at] if type(x[at]) is int else 1
        return [(*x[:at], *x[at + 1 :])] * count

    def call(self, names, x):
        return f"{names[0]}.unbind({self.dim})"

    def eager(self, op, weights, x):
        return op.unbind(x, self.dim)
