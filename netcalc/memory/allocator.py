"""PyTorch's caching allocator for CUDA, replayed: what max_memory_allocated and max_memory_reserved will show.

The rules are those of c10/cuda/CUDACachingAllocator.cpp with default settings, one stream and expandable_segments off:
requests are rounded up to 512 bytes; those of up to 1 MiB are served from segments of 2 MiB, those below 10 MiB from
segments of 20 MiB, larger ones from segments of their own in steps of 2 MiB; the smallest free block that is large
enough is taken, the lowest address among equals; what remains is split off (always in small segments, above 1 MiB in
large ones); a freed block joins its free neighbours. Where the driver puts a segment is not known: addresses ascend
here in the order of the requests, which decides only among free blocks of equal size.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import NamedTuple

from ..errors import NetcalcError

KIB, MIB = 1 << 10, 1 << 20
SMALLEST = 512
SMALL = 1 * MIB  # the largest request that is served from a small segment
SMALL_SEGMENT = 2 * MIB
LARGE_SEGMENT = 20 * MIB
OWN_SEGMENT = 10 * MIB  # the smallest request that gets a segment of its own
STEP = 2 * MIB  # to which such segments are rounded up
_APART = 1 << 30  # between segments, so that they never touch


class OutOfMemory(NetcalcError):
    """A request that the limit leaves no room for. missing: the bytes by which the segments would exceed it."""

    def __init__(self, requested: int, missing: int):
        self.requested, self.missing = requested, missing
        super().__init__(f"error: no room for {requested:,} bytes: {missing:,} bytes are missing")


class Usage(NamedTuple):
    """Bytes that were asked for, that the blocks in use have, and that the segments have."""

    requested: int
    allocated: int
    reserved: int


class Block:
    """A stretch of a segment, in use or free."""

    __slots__ = ("address", "after", "before", "requested", "size", "small", "used")

    def __init__(self, address: int, size: int, small: bool):
        self.address, self.size, self.small = address, size, small
        self.before: Block | None = None
        self.after: Block | None = None
        self.used, self.requested = False, 0


class Allocator:
    """The allocator of one device. `now` and `peak` are what its statistics show.

    limit: bytes that its segments may have together; where they would exceed it, segments without a block in use are
    given back first, as PyTorch does before it gives up.
    """

    def __init__(self, limit: int | None = None):
        self.limit = limit
        self.free_blocks: dict[bool, list] = {True: [], False: []}  # (size, address, block), sorted, by small
        self.requested = self.allocated = self.reserved = 0
        self.peak = Usage(0, 0, 0)
        self._next_address = 1 << 40

    @property
    def now(self) -> Usage:
        return Usage(self.requested, self.allocated, self.reserved)

    def reset_peak(self) -> None:
        """As torch.cuda.reset_peak_memory_stats."""
        self.peak = self.now

    def malloc(self, requested: int) -> Block | None:
        """The block that a request gets, None for no bytes. Raises OutOfMemory beyond the limit."""
        if not requested:
            return None
        size = rounded(requested)
        small = size <= SMALL
        pool = self.free_blocks[small]
        place = bisect_left(pool, (size,))
        block = pool.pop(place)[2] if place < len(pool) else self._segment(size, small)
        rest = block.size - size
        if rest >= SMALLEST if small else rest > SMALL:
            self._split(block, size)
        block.used, block.requested = True, requested
        self.requested += requested
        self.allocated += block.size
        highest = self.peak
        if self.allocated > highest.allocated or self.requested > highest.requested or self.reserved > highest.reserved:
            self.peak = Usage(*map(max, highest, self.now))
        return block

    def free(self, block: Block | None) -> None:
        if block is None:
            return
        self.requested -= block.requested
        self.allocated -= block.size
        block.used, block.requested = False, 0
        for neighbour in (block.before, block.after):
            if neighbour is not None and not neighbour.used:
                self._merge(block, neighbour)
        insort(self.free_blocks[block.small], (block.size, block.address, block))

    # -- segments

    def _segment(self, size: int, small: bool) -> Block:
        length = segment_size(size)
        if self.limit is not None and self.reserved + length > self.limit:
            self._release_unused()
            if self.reserved + length > self.limit:
                raise OutOfMemory(size, self.reserved + length - self.limit)
        block = Block(self._next_address, length, small)
        self._next_address += length + _APART
        self.reserved += length
        return block

    def _release_unused(self) -> None:
        """Give back the segments that have no block in use."""
        for small, pool in self.free_blocks.items():
            whole = [entry for entry in pool if entry[2].before is None and entry[2].after is None]
            self.reserved -= sum(size for size, *_ in whole)
            released = {address for _, address, _ in whole}
            self.free_blocks[small] = [entry for entry in pool if entry[1] not in released]

    # -- blocks

    def _split(self, block: Block, size: int) -> None:
        """Cut off what a request does not need."""
        rest = Block(block.address + size, block.size - size, block.small)
        rest.before, rest.after = block, block.after
        if rest.after is not None:
            rest.after.before = rest
        block.after, block.size = rest, size
        insort(self.free_blocks[block.small], (rest.size, rest.address, rest))

    def _merge(self, block: Block, neighbour: Block) -> None:
        """Let a block take in a free neighbour."""
        pool = self.free_blocks[block.small]
        del pool[bisect_left(pool, (neighbour.size, neighbour.address))]
        if neighbour is block.before:
            block.address, block.before = neighbour.address, neighbour.before
            if block.before is not None:
                block.before.after = block
        else:
            block.after = neighbour.after
            if block.after is not None:
                block.after.before = block
        block.size += neighbour.size


def rounded(requested: int) -> int:
    """The bytes of the block that a request needs."""
    return max(SMALLEST, -(-requested // SMALLEST) * SMALLEST)


def segment_size(size: int) -> int:
    """The bytes of a new segment for a block of `size`."""
    if size <= SMALL:
        return SMALL_SEGMENT
    return LARGE_SEGMENT if size < OWN_SEGMENT else -(-size // STEP) * STEP


def replay(trace, since: int = 0, limit: int | None = None) -> Usage:
    """The peaks that the allocator shows for a trace whose sizes are whole numbers.

    since: the position in the events at which the peaks are reset, as after warm-up. Raises OutOfMemory where the
    events do not fit into `limit` bytes.
    """
    return replays(trace, [since], limit)[-1]


def replays(trace, resets: list[int], limit: int | None = None) -> list[Usage]:
    """The peaks from each of several rising positions in the events to the next, as if they were reset there."""
    allocator, blocks, storages = Allocator(limit), {}, trace.storages
    found: list[Usage] = []
    for start, end in zip([0, *resets], [*resets, len(trace.events)], strict=True):
        allocator.reset_peak()
        for index, change in trace.events[start:end]:
            if change > 0:
                blocks[index] = allocator.malloc(int(storages[index].bytes))
            else:
                allocator.free(blocks.pop(index))
        found.append(allocator.peak)
    return found[1:]
