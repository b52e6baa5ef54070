"""The caching allocator, each rule on its own, by arithmetic on paper."""

from __future__ import annotations

import pytest

from netcalc.memory.allocator import KIB, MIB, Allocator, OutOfMemory, Usage, replay, rounded, segment_size
from tests.memory.traces import Trace


@pytest.mark.parametrize(
    "requested, size", [(1, 512), (511, 512), (512, 512), (513, 1024), (MIB, MIB), (MIB + 1, MIB + 512)]
)
def test_rounding(requested, size):
    assert rounded(requested) == size


@pytest.mark.parametrize("size, segment", [
    (512, 2 * MIB), (MIB, 2 * MIB), (MIB + 512, 20 * MIB), (10 * MIB - 512, 20 * MIB), (10 * MIB, 10 * MIB),
    (10 * MIB + 512, 12 * MIB), (31 * MIB, 32 * MIB), (32 * MIB, 32 * MIB),
])  # fmt: skip
def test_segments(size, segment):
    assert segment_size(size) == segment
    allocator = Allocator()
    allocator.malloc(size)
    assert allocator.now.reserved == segment


def test_nothing_takes_nothing():
    allocator = Allocator()
    allocator.free(allocator.malloc(0))
    assert allocator.peak == Usage(0, 0, 0)


def test_small_blocks_share_a_segment():
    allocator = Allocator()
    for _ in range(4):
        allocator.malloc(500 * KIB)  # 4 * 500 KiB < 2 MiB
    assert allocator.now == Usage(2000 * KIB, 2000 * KIB, 2 * MIB)
    allocator.malloc(49 * KIB)  # 48 KiB are left
    assert allocator.now.reserved == 4 * MIB
    allocator.malloc(48 * KIB)
    assert allocator.now == Usage(2097 * KIB, 2097 * KIB, 4 * MIB)


def test_blocks_of_20_mib_segments():
    allocator = Allocator()
    for _ in range(4):
        allocator.malloc(5 * MIB)
    assert allocator.now == Usage(20 * MIB, 20 * MIB, 20 * MIB)
    allocator.malloc(MIB + 1)
    assert allocator.now == Usage(21 * MIB + 1, 21 * MIB + 512, 40 * MIB)


def test_a_large_block_keeps_a_rest_of_up_to_one_mib():
    allocator = Allocator()
    allocator.malloc(11 * MIB)  # of 12 MiB: the rest is 1 MiB, not more, and stays with the block
    assert allocator.now == Usage(11 * MIB, 12 * MIB, 12 * MIB)
    other = Allocator()
    other.malloc(11 * MIB - 512)  # the rest is 1 MiB and 512 bytes, and becomes a block
    assert other.now == Usage(11 * MIB - 512, 11 * MIB - 512, 12 * MIB)


def test_a_small_block_splits_to_the_last_512():
    allocator = Allocator()
    first = allocator.malloc(MIB)
    allocator.malloc(MIB)
    allocator.free(first)
    allocator.malloc(MIB - 512)
    assert allocator.now.allocated == 2 * MIB - 512
    allocator.malloc(512)
    assert allocator.now == Usage(2 * MIB, 2 * MIB, 2 * MIB)


def test_small_requests_never_take_large_blocks():
    allocator = Allocator()
    allocator.free(allocator.malloc(20 * MIB))
    allocator.malloc(MIB)
    assert allocator.now.reserved == 22 * MIB


def test_best_fit_and_the_lower_address_among_equals():
    allocator = Allocator()
    blocks = [allocator.malloc(size * MIB) for size in (40, 30, 30, 50)]
    for block in blocks:
        allocator.free(block)
    assert allocator.malloc(25 * MIB).address == blocks[1].address  # of 30, 30, 40, 50
    assert allocator.malloc(25 * MIB).address == blocks[2].address
    assert allocator.malloc(25 * MIB).address == blocks[0].address
    assert allocator.now.reserved == 150 * MIB


def test_a_rest_is_found_again():
    allocator = Allocator()
    allocator.malloc(11 * MIB - 512)
    allocator.malloc(1 * MIB + 512)  # just the rest of the first segment
    assert allocator.now == Usage(12 * MIB, 12 * MIB, 12 * MIB)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1)])
def test_free_neighbours_merge(order):
    allocator = Allocator()
    blocks = [allocator.malloc(size) for size in (5 * MIB, 7 * MIB, 8 * MIB)]
    assert allocator.now.reserved == 20 * MIB
    for index in order:
        allocator.free(blocks[index])
    assert [size for size, *_ in allocator.free_blocks[False]] == [20 * MIB]
    allocator.malloc(20 * MIB)
    assert allocator.now == Usage(20 * MIB, 20 * MIB, 20 * MIB)


def test_a_block_in_use_keeps_its_neighbours_apart():
    allocator = Allocator()
    blocks = [allocator.malloc(size) for size in (5 * MIB, 7 * MIB, 8 * MIB)]
    allocator.free(blocks[0])
    allocator.free(blocks[2])
    allocator.malloc(9 * MIB)  # 5 and 8 are free, but not together
    assert allocator.now.reserved == 40 * MIB


def test_segments_do_not_merge():
    allocator = Allocator()
    for block in [allocator.malloc(10 * MIB), allocator.malloc(10 * MIB)]:
        allocator.free(block)
    allocator.malloc(20 * MIB)
    assert allocator.now.reserved == 40 * MIB


def test_peaks_and_their_reset():
    allocator = Allocator()
    block = allocator.malloc(30 * MIB)
    allocator.free(block)
    allocator.reset_peak()
    assert allocator.peak == Usage(0, 0, 30 * MIB)
    allocator.malloc(3)
    assert allocator.peak == Usage(3, 512, 32 * MIB)


def test_unused_segments_are_given_back_at_the_limit():
    allocator = Allocator(limit=50 * MIB)
    allocator.free(allocator.malloc(20 * MIB))
    allocator.free(allocator.malloc(30 * MIB))
    allocator.malloc(40 * MIB)  # neither is large enough: both go
    assert allocator.now.reserved == 40 * MIB and allocator.peak.reserved == 50 * MIB


def test_a_segment_in_use_is_not_given_back():
    allocator = Allocator(limit=50 * MIB)
    allocator.free(allocator.malloc(30 * MIB))
    allocator.malloc(MIB)
    allocator.malloc(2 * MIB)  # from the 30 MiB, which are in use from now on
    with pytest.raises(OutOfMemory) as error:
        allocator.malloc(20 * MIB + 1 + 8 * MIB)
    assert error.value.missing == 32 * MIB + 30 * MIB - 50 * MIB


def test_a_trace():
    trace = Trace()
    trace.phase("setup", 0)
    trace.alloc(3 * MIB)
    trace.phase("forward")
    a = trace.alloc(11 * MIB)  # 17 MiB of the first segment are free: splits, 6 remain
    trace.alloc(1)
    trace.free(a)
    measured = len(trace.events)
    trace.alloc(10)
    assert replay(trace) == Usage(14 * MIB + 1, 14 * MIB + 512, 22 * MIB)
    assert replay(trace, since=measured) == Usage(3 * MIB + 11, 3 * MIB + 1024, 22 * MIB)
    with pytest.raises(OutOfMemory):
        replay(trace, limit=21 * MIB)
    assert replay(trace, limit=22 * MIB).reserved == 22 * MIB


def test_random_traces_keep_their_books():
    """Whatever comes: blocks of a segment are its whole length, neighbours are never both free, sums agree."""
    import random

    draw = random.Random(5)
    allocator, used = Allocator(), []
    for _ in range(3000):
        if used and draw.random() < 0.48:
            allocator.free(used.pop(draw.randrange(len(used))))
        else:
            used.append(allocator.malloc(int(2 ** draw.uniform(3, 25))))
    free = [block for pool in allocator.free_blocks.values() for *_, block in pool]
    assert sum(block.size for block in used) == allocator.allocated
    assert sum(block.size for block in used + free) == allocator.reserved
    assert sum(block.requested for block in used) == allocator.requested
    assert all(
        (size, address) == (block.size, block.address)
        for p in allocator.free_blocks.values()
        for size, address, block in p
    )
    for block in free:
        assert not block.used
        assert all(other is None or other.used for other in (block.before, block.after))
    for block in used + free:
        assert block.after is None or block.address + block.size == block.after.address
