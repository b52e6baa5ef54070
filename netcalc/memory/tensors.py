"""Tensors without values: a storage of so many bytes, a shape and strides over it, and who holds them.

A storage lives while some `Tensor` holds it, as in PyTorch; Python's own reference counts say when the last one is gone.
So code written like PyTorch's, with locals and arguments where PyTorch has them, frees memory when PyTorch does.
Sizes are ints, formulas or arrays.
"""

from __future__ import annotations

from functools import cmp_to_key

from ..arith import at_least, divides, equal_sizes, holds, less, prod
from ..language.names import DTYPE_BYTES


class Storage:
    """A block of memory. bytes: its size. kind: what it is for (`timeline.KINDS`). layer: the path of the layer at work
    when it was allocated. what: what it holds. overwriters: the layers that wrote over it, in order."""

    __slots__ = ("bytes", "events", "holders", "index", "kind", "layer", "overwriters", "what")

    def __init__(self, index: int, bytes, kind: str, layer: str, what: str, events: list):
        self.index, self.bytes, self.kind, self.layer, self.what = index, bytes, kind, layer, what
        self.holders = 0
        self.events = events
        self.overwriters: tuple[str, ...] = ()


class Tensor:
    """A reference to a tensor, which sees a storage in some shape.

    strides: None where it is contiguous. origin: the autograd node that made it, with its output number; None for what
    has no gradient and for leaves. leaf: whether gradients are accumulated in it (a parameter that trains). references:
    where there have been several, how many there are to the tensor, in a list that they share. weight: how often it counts
    as a holder of the storage: a view in PyTorch also holds the tensor that it was taken from. version: of an alias, how often
    the storage had been written over when it was made.
    """

    __slots__ = (
        "dtype", "grad", "leaf", "name", "origin", "references", "shape", "storage", "strides", "version", "weight",
    )  # fmt: skip

    def __init__(self, storage: Storage, shape: tuple, dtype: str, strides: tuple | None = None, weight: int = 1):
        storage.holders += weight
        self.storage, self.shape, self.dtype, self.strides, self.weight = storage, shape, dtype, strides, weight
        self.references: list[int] | None = None
        self.origin: tuple | None = None
        self.leaf = False
        self.grad: Tensor | None = None
        self.name = ""

    def __del__(self):
        if self.references is not None:
            self.references[0] -= 1
        storage = self.storage
        storage.holders -= self.weight
        if not storage.holders:
            storage.events.append((storage.index, -1))

    @property
    def needs_grad(self) -> bool:
        return self.leaf or self.origin is not None

    @property
    def bytes(self):
        """Of its elements: those of its storage may be more, or fewer where it is expanded."""
        return prod(self.shape) * DTYPE_BYTES[self.dtype]

    def alias(self, shape: tuple | None = None, strides: tuple | None = None) -> Tensor:
        """A view in a shape; without one another reference to the same tensor. Both are without history."""
        if shape is not None:
            return Tensor(self.storage, shape, self.dtype, strides, weight=2)
        found = Tensor(self.storage, self.shape, self.dtype, self.strides, self.weight)
        if self.references is None:
            self.references = [1]
        found.references = self.references
        found.references[0] += 1
        found.version = len(self.storage.overwriters)
        return found

    @property
    def sole(self) -> bool:
        """Whether this is the only reference to the tensor."""
        return self.references is None or self.references[0] == 1


def contiguous_strides(shape: tuple) -> tuple:
    found, step = [], 1
    for size in reversed(shape):
        found.append(step)
        step = step * size
    return tuple(reversed(found))


def strides_of(tensor: Tensor) -> tuple:
    return contiguous_strides(tensor.shape) if tensor.strides is None else tensor.strides


def normal(shape: tuple, strides: tuple | None) -> tuple | None:
    """Strides, or None where they are those of a contiguous tensor (the stride of a dimension of size 1 says nothing)."""
    if strides is None:
        return None
    step = 1
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if not is_one(size):
            if not same(stride, step):
                return strides
            step = step * size
    return None


def same(a, b) -> bool:
    """Whether two sizes are equal."""
    return a == b if type(a) is int and type(b) is int else a is b or equal_sizes(a, b)


def same_shape(a: tuple, b: tuple) -> bool:
    """Whether two shapes are equal."""
    return len(a) == len(b) and all(map(same, a, b))


def is_one(size) -> bool:
    """Whether a size is 1, the size that is broadcast and whose stride says nothing."""
    return same(size, 1)


def is_dense(tensor: Tensor) -> bool:
    """Whether its elements fill a stretch of memory without gaps or overlaps, in some order of the dimensions."""
    return tensor.strides is None or order_of(tensor) is not None


def order_of(tensor: Tensor) -> tuple | None:
    """The dimensions of a dense tensor from the outermost to the innermost; None where it is not dense."""
    left = [k for k, size in enumerate(tensor.shape) if not is_one(size)]
    ones = [k for k, size in enumerate(tensor.shape) if is_one(size)]
    strides = strides_of(tensor)
    found, step = [], 1
    while left:
        inner = next((k for k in reversed(left) if same(strides[k], step)), None)
        if inner is None:
            return None
        found.append(inner)
        left.remove(inner)
        step = step * tensor.shape[inner]
    return (*ones, *reversed(found))


def strides_in(shape: tuple, order: tuple) -> tuple | None:
    """The strides of a dense tensor whose dimensions lie in memory in that order, outermost first."""
    found, step = [0] * len(shape), 1
    for k in reversed(order):
        found[k] = step
        step = step * shape[k]
    return normal(shape, tuple(found))


def like(tensor: Tensor) -> tuple | None:
    """The strides of `empty_like`: those of a dense tensor, else dense ones in the same order of dimensions."""
    if tensor.strides is None:
        return None
    order = order_of(tensor)
    if order is None:
        return strides_in(tensor.shape, _sorted_order(tensor))
    return tensor.strides


def iterated(shape: tuple, operands: list[Tensor]) -> tuple | None:
    """The strides of what an element-wise operation makes of broadcast operands (TensorIterator::reorder_dimensions): the
    dimensions are sorted by the strides of the first operand that tells two of them apart."""
    if all(x.strides is None for x in operands):
        return None
    rows = [_broadcast_strides(x, shape) for x in operands]
    order = list(reversed(range(len(shape))))  # from the innermost
    for last in range(1, len(order)):
        at = last
        for before in range(last - 1, -1, -1):
            swap = _compared(rows, shape, order[before], order[at])
            if swap > 0:
                order[before], order[at] = order[at], order[before]
                at = before
            elif swap < 0:
                break
    return strides_in(shape, tuple(reversed(order)))


def _broadcast_strides(x: Tensor, shape: tuple) -> tuple:
    new = len(shape) - len(x.shape)
    found = zip(x.shape, strides_of(x), shape[new:], strict=True)
    return (*[0] * new, *(0 if is_one(old) and not is_one(size) else stride for old, stride, size in found))


def _compared(rows: list[tuple], shape: tuple, a: int, b: int) -> int:
    """Whether dimension a lies further out than b (1), further in (-1), or nobody can say (0)."""
    for row in rows:
        if any(type(stride) is int and stride == 0 for stride in (row[a], row[b])):
            continue
        falling = _falling(row[a], row[b])
        if falling:
            return -falling
        if holds(less(shape[b], shape[a])):
            return 1
    return 0


def _sorted_order(tensor: Tensor) -> tuple:
    """Dimensions by falling stride; where that cannot be told (an expanded or a free one) as they stand."""
    strides = strides_of(tensor)
    if any(type(stride) is int and stride == 0 for stride in strides):
        return tuple(range(len(strides)))
    return tuple(sorted(range(len(strides)), key=cmp_to_key(lambda a, b: _falling(strides[a], strides[b]))))


def _falling(a, b) -> int:
    if holds(less(b, a)):
        return -1
    if holds(less(a, b)):
        return 1
    above, below = holds(at_least(a, b)), holds(at_least(b, a))  # of T*d and d, which are equal only where T is 1
    return 0 if above == below else -1 if above else 1


def view_strides(tensor: Tensor, shape: tuple) -> tuple | bool | None:
    """The strides with which a tensor can be seen in another shape without copying; False where it must be copied."""
    if tensor.strides is None:
        return None
    old, strides = tensor.shape, strides_of(tensor)
    found: list = []
    step, count, seen = strides[-1], 1, 1  # of a stretch: its stride, its elements, and those that have been placed
    for k in reversed(range(len(old))):
        count = count * old[k]
        if k and (is_one(old[k - 1]) or same(strides[k - 1], count * step)):
            continue  # the dimension before goes on where this one ends
        while len(found) < len(shape):
            part = shape[len(shape) - 1 - len(found)]
            if same(seen, count) and not is_one(part):
                break
            if not _divides(seen * part, count):
                return False
            found.append(seen * step)
            seen = seen * part
        if not same(seen, count):
            return False
        step, count, seen = strides[k - 1], 1, 1
    return normal(shape, tuple(reversed(found))) if len(found) == len(shape) else False


def _divides(part, whole) -> bool:
    return whole % part == 0 if type(part) is int and type(whole) is int else holds(divides(part, whole))
