"""Values for the free sizes of many shapes."""

from __future__ import annotations

from .atoms import at


class Sizes:
    """Gives shapes values for their free dimensions. Each size is worked out once: the shapes of a graph share them."""

    __slots__ = ("_known", "values")

    def __init__(self, values: dict):
        self.values = values
        self._known: dict[int, tuple] = {}  # by id: a size with its value; holding it keeps its id its own

    def of(self, shape) -> tuple:
        """The shape with values."""
        if not self.values:
            return tuple(shape)
        known, found = self._known, []
        for size in shape:
            if type(size) is not int:
                pair = known.get(id(size))
                if pair is None:
                    pair = known[id(size)] = size, at(size, self.values)
                size = pair[1]
            found.append(size)
        return tuple(found)
