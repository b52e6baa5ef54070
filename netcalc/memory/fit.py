"""The largest size that fits: a batch, or any other free dimension, within a number of bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .allocator import OutOfMemory, replay
from .timeline import Timeline

CEILING = 1 << 30  # where the search stops if everything fits
LOOK = 3  # sizes beyond the first that does not fit which are tried too: the allocator may need less for more
NEAR = 512  # sizes around one that the spec does not allow among which an allowed one is looked for


class Fit(NamedTuple):
    """The answer of a search.

    size: the largest that fits, None where none does. needed: the bytes that it needs (of the smallest size, where none
    fits). next_size, next_needed: the first beyond it that does not fit, None where there is none that the spec allows.
    smallest: the smallest allowed size that was found. tried: bytes by size, None for sizes that the spec does not allow.
    """

    size: int | None
    needed: int | None
    next_size: int | None
    next_needed: int | None
    smallest: int | None
    limit: int
    tried: dict

    @property
    def over(self) -> int | None:
        """By how many bytes the next size exceeds the limit; of the smallest, where none fits."""
        return None if self.next_needed is None else self.next_needed - self.limit


def needed(trace, limit: int, device: str) -> int:
    """The bytes that a trace needs: of its tensors on the CPU; on CUDA what the allocator reserves when it has `limit`
    bytes. More than `limit` exactly where it does not fit."""
    if device != "cuda":
        return Timeline(trace).peak().bytes
    try:
        return replay(trace, limit=limit).reserved
    except OutOfMemory as problem:
        return limit + problem.missing


def largest(predict: Callable[[int], int | None], limit: int, ceiling: int = CEILING) -> Fit:
    """The largest size for which `predict(size)`, in bytes, is at most `limit`.

    predict says None for a size that is not allowed. Sizes are doubled until one does not fit, then halved between. What
    is needed grows with the size but for the allocator's rounding; the `LOOK` sizes after the first that does not fit
    are tried as well.
    """
    search = _Search(predict, limit, ceiling)
    smallest = search.first()
    if smallest is None:
        return Fit(None, None, None, None, None, limit, search.tried)
    if not search.fits(smallest):
        size = search.tried[smallest]
        return Fit(None, size, smallest, size, smallest, limit, search.tried)
    best, beyond = search.bracket(smallest)
    while beyond is not None:
        best = search.between(best, beyond)
        again = search.look(best)
        if again is None:
            break
        best, beyond = again, search.beyond(again)
    after = search.after(best)
    return Fit(best, search.tried[best], after, search.tried.get(after), smallest, limit, search.tried)


class _Search:
    def __init__(self, predict, limit: int, ceiling: int):
        self.predict, self.limit, self.ceiling = predict, limit, ceiling
        self.tried: dict[int, int | None] = {}

    def bytes(self, size: int) -> int | None:
        if size not in self.tried:
            self.tried[size] = self.predict(size)
        return self.tried[size]

    def allowed(self, size: int) -> bool:
        return self.bytes(size) is not None

    def fits(self, size: int) -> bool:
        found = self.bytes(size)
        return found is not None and found <= self.limit

    def first(self) -> int | None:
        """The smallest allowed size, of 1 to 32 and what is near below the first power of two."""
        found = next((size for size in range(1, 33) if size <= self.ceiling and self.allowed(size)), None)
        if found is not None:
            return found
        found = next((1 << power for power in range(6, 17) if self.allowed(1 << power)), None)
        below = range(max(found // 2 + 1, found - NEAR), found) if found else ()
        return next((size for size in below if self.allowed(size)), found)

    def bracket(self, low: int) -> tuple[int, int | None]:
        """A size that fits and a larger one that does not (or is not allowed); None where all fit up to the ceiling."""
        while low < self.ceiling:
            high = min(2 * low, self.ceiling)
            if not self.fits(high):
                return low, high
            low = high
        return low, None

    def beyond(self, low: int) -> int | None:
        return self.bracket(low)[1] if low < self.ceiling else None

    def between(self, low: int, high: int) -> int:
        """The largest that fits from `low`, which does, to below `high`, which does not."""
        while high - low > 1:
            middle = self._near((low + high) // 2, low, high)
            if middle is None:
                break
            if self.fits(middle):
                low = middle
            else:
                high = middle
        return low

    def _near(self, middle: int, low: int, high: int) -> int | None:
        """The allowed size nearest to the middle, strictly between."""
        for distance in range(min(NEAR, high - low)):
            for size in (middle - distance, middle + distance):
                if low < size < high and self.allowed(size):
                    return size
        return None

    def look(self, best: int) -> int | None:
        """A larger size that fits though the next one does not."""
        return next(
            (size for size in range(best + LOOK + 1, best + 1, -1) if size <= self.ceiling and self.fits(size)), None
        )

    def after(self, best: int) -> int | None:
        """The next allowed size, which does not fit; None where there is none near."""
        return next((size for size in range(best + 1, min(best + NEAR, self.ceiling + 1)) if self.allowed(size)), None)
