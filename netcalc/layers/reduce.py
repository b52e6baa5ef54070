"""Reductions over dimensions: sums, means, extrema, norms and similarities."""

from __future__ import annotations

from fractions import Fraction

from ..arith import prod
from .arithmetic import broadcast, broadcast_needs
from .base import Layer, Work, arg, elements, layer, literal
from .kinds import flag, optional, real
from .shape import axes, axis, axis_needs, normal, normals


def summed(dtype: str) -> str:
    """The dtype of a sum: torch adds whole numbers in int64."""
    return dtype if "float" in dtype else "int64"


class Reduction(Layer):
    """What the reductions share. Work: one FLOP per element of the input."""

    accepts = "any"

    def reduced(self) -> tuple | None:
        """The dimensions that go, None for all."""
        return self.dim if self.dim is None or isinstance(self.dim, tuple) else (self.dim,)

    def needs(self, x):
        return axis_needs(self.reduced() or (), x)

    def shape(self, x):
        gone = range(len(x)) if self.reduced() is None else normals(self.reduced(), len(x))
        kept = [(number, 1 if number in gone else size) for number, size in enumerate(x)]
        return tuple(size for number, size in kept if self.keepdim or number not in gone)

    def work(self, x, y):
        return Work(other=elements(x))

    def torch(self, *inputs):
        return None

    def call(self, names, x):
        function = self.type.lower()
        if self.dim is None:
            text = f"{names[0]}.{function}()"
            return f"{text}.reshape({', '.join('1' * len(x))})" if self.keepdim and x else text
        keep = ", keepdim=True" if self.keepdim else ""
        return f"{names[0]}.{function}(dim={literal(self.dim)}{keep})"


@layer("... -> ...")
class Sum(Reduction):
    """The sum over `dim` (a number, a list, or all dimensions). Agrees with torch.sum."""

    dim = arg(optional(axes), None)
    keepdim = arg(flag, False)

    def dtype(self, x):
        return summed(x)

    def eager(self, op, weights, x):
        return op.mean(x, self.reduced(), self.keepdim, scale=False, dtype=self.dtype(x.dtype))


@layer("... -> ...")
class Mean(Reduction):
    """The mean over `dim` (a number, a list, or all dimensions). Agrees with torch.mean. One division per output."""

    accepts = "float"

    dim = arg(optional(axes), None)
    keepdim = arg(flag, False)

    def work(self, x, y):
        return Work(other=elements(x) + elements(y))

    def eager(self, op, weights, x):
        return op.mean(x, self.reduced(), self.keepdim)


@layer("... -> ...")
class Prod(Reduction):
    """The product over one dimension, or over all. Agrees with torch.prod."""

    dim = arg(optional(axis), None)
    keepdim = arg(flag, False)

    def dtype(self, x):
        return summed(x)

    def eager(self, op, weights, x):
        return op.product(x, op.shape, self.dtype(x.dtype), self.dim)


class Extremum(Reduction):
    """What Max and Min share: with `dim` two outputs, the values and their places; without it one number."""

    dim = arg(optional(axis), None)
    keepdim = arg(flag, False)

    def parts(self, x):
        return None if self.dim is None else ["values", "indices"]

    def shape(self, x):
        shape = super().shape(x)
        return shape if self.dim is None else [shape, shape]

    def dtype(self, x):
        return x if self.dim is None else [x, "int64"]

    def eager(self, op, weights, x):
        return op.extreme(x) if self.dim is None else op.picked(x, op.shape, self.type.lower())


@layer("... -> ...")
class Max(Extremum):
    """The largest element over one dimension (outputs `values` and `indices`), or of all. Agrees with torch.max."""


@layer("... -> ...")
class Min(Extremum):
    """The smallest element over one dimension (outputs `values` and `indices`), or of all. Agrees with torch.min."""


@layer("... -> ...")
class Argmax(Reduction):
    """The place of the largest element over one dimension, or of all. Agrees with torch.argmax."""

    accepts = "number"

    dim = arg(optional(axis), None)
    keepdim = arg(flag, False)

    def dtype(self, x):
        return "int64"

    def eager(self, op, weights, x):
        return op.made(op.shape, "int64")


@layer("... -> ...")
class Cumsum(Reduction):
    """The running sum along `dim`. Agrees with torch.cumsum."""

    dim = arg(axis)
    keepdim = False

    def shape(self, x):
        return x

    def dtype(self, x):
        return summed(x)

    def eager(self, op, weights, x):
        return op.cumsum(x, self.dtype(x.dtype))


@layer("... -> ...")
class Normalize(Layer):
    """x / max(norm_p(x), eps) along `dim`. Agrees with torch.nn.functional.normalize.

    Work: per element the power (p = 2: a square; else |x|, and its power), the sum and the division; per norm the root
    and the comparison with eps.
    """

    p = arg(real, 2)
    dim = arg(axis, 1)
    eps = arg(real, Fraction("1e-12"))

    def needs(self, x):
        return axis_needs([self.dim], x)

    def work(self, x, y):
        at = normal(self.dim, len(x))
        per_element = 3 if self.p == 1 or self.p == 2 else 4
        per_norm = 1 if self.p == 1 else 2
        return Work(other=per_element * elements(x) + per_norm * prod((*x[:at], *x[at + 1 :])))

    def torch(self, x):
        return None

    def call(self, names, x):
        options = "".join(
            f", {name}={literal(self.value(name))}"
            for name in self.args
            if name in self.given and not self._is_default(name)
        )
        return f"F.normalize({names[0]}{options})"

    def eager(self, op, weights, x):
        return op.normalized(x, self.p, self.dim)


@layer("..., ... -> ...")
class CosineSimilarity(Layer):
    """x1.x2 / (max(|x1|, eps) max(|x2|, eps)) along `dim`, broadcast. Agrees with torch.nn.CosineSimilarity.

    Work: per element three products and three sums; per output two roots, two comparisons, a product and a division.
    """

    inputs = 2

    dim = arg(axis, 1)
    eps = arg(real, Fraction("1e-8"))

    def needs(self, x1, x2):
        yield from broadcast_needs("CosineSimilarity", [x1, x2])
        yield from axis_needs([self.dim], broadcast(x1, x2))

    def shape(self, x1, x2):
        x = broadcast(x1, x2)
        at = normal(self.dim, len(x))
        return (*x[:at], *x[at + 1 :])

    def work(self, x1, x2, y):
        return Work(other=6 * elements(broadcast(x1, x2)) + 6 * elements(y))

    def eager(self, op, weights, x1, x2):
        return op.cosine_similarity(x1, x2, self.dim)
