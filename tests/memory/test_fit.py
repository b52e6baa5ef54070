"""The largest size that fits, against division on paper and against trying every size."""

from __future__ import annotations

import random

import pytest

from netcalc.memory.fit import largest, needed
from tests.memory.traces import Trace, step

MIB = 2**20


@pytest.mark.parametrize("fixed, each, limit, size", [
    (1000, 10, 2000, 100), (1000, 10, 2009, 100), (1000, 10, 2010, 101), (0, 3, 3, 1), (990, 10, 1000, 1),
    (1, 7, 10**9, (10**9 - 1) // 7),
])  # fmt: skip
def test_a_line(fixed, each, limit, size):
    fit = largest(lambda n: fixed + each * n, limit)
    assert (fit.size, fit.needed, fit.next_size, fit.next_needed) == (
        size,
        fixed + each * size,
        size + 1,
        fixed + each * (size + 1),
    )
    assert fit.over == fixed + each * (size + 1) - limit > 0
    assert len(fit.tried) < 80


def test_none_fits():
    fit = largest(lambda n: 1000 + 10 * n, 1000)
    assert (fit.size, fit.needed, fit.over, fit.smallest) == (None, 1010, 10, 1)


def test_all_fit_up_to_the_ceiling():
    fit = largest(lambda n: 5, 10, ceiling=1000)
    assert (fit.size, fit.next_size, fit.over) == (1000, None, None)


def test_sizes_that_the_spec_does_not_allow():
    """Multiples of 32 from 64 on, up to 1024."""
    allowed = set(range(64, 1025, 32))
    for limit in (63, 64, 100, 500, 700, 1000, 1024, 5000):
        fit = largest(lambda n: n if n in allowed else None, limit)
        assert fit.size == max((n for n in allowed if n <= limit), default=None)
        after = min((n for n in allowed if n > limit), default=None)
        assert fit.next_size == after and fit.smallest == 64


def test_an_upper_end():
    fit = largest(lambda n: 8 * n if n <= 1000 else None, 10**6)
    assert (fit.size, fit.next_size, fit.over) == (1000, None, None)


def test_nothing_is_allowed():
    fit = largest(lambda n: None, 10**6)
    assert fit.size is None and fit.needed is None and fit.smallest is None


def test_a_dent_of_the_allocator():
    """Size 7 does not fit, 8 and 9 do, 10 does not."""
    fit = largest(lambda n: {7: 200}.get(n, 10 * n), 95)
    assert (fit.size, fit.next_size) == (9, 10)


def test_random_monotone_functions():
    draw = random.Random(3)
    for _ in range(200):
        grow = [draw.randrange(1, 50)]
        for _ in range(300):
            grow.append(grow[-1] + draw.randrange(0, 9))
        limit = draw.randrange(1, grow[-1] - 1)
        fit = largest(lambda n, g=grow: g[min(n, 300)] + max(0, n - 300) * 10**6, limit)
        expected = max((n for n in range(1, 301) if grow[n] <= limit), default=None)
        assert fit.size == expected


def test_needed_on_the_cpu_and_on_cuda():
    trace = step(weight=100_000)
    assert needed(trace, 10**9, "cpu") == 10 + 50 + 300_000  # the optimizer's
    assert needed(trace, 10**9, "cuda") == 2 * MIB
    assert needed(trace, MIB, "cuda") == 2 * MIB  # one MiB too much


def test_needed_lets_the_allocator_give_back():
    trace = Trace()
    trace.phase("forward")
    trace.free(trace.alloc(30 * MIB))
    trace.alloc(40 * MIB)
    assert needed(trace, 100 * MIB, "cuda") == 70 * MIB
    assert needed(trace, 50 * MIB, "cuda") == 40 * MIB <= 50 * MIB  # the 30 are given back first
    assert needed(trace, 39 * MIB, "cuda") == 40 * MIB


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_largest_batch_of_a_trace(device):
    def predict(n):
        return needed(step(weight=4 * MIB, image=MIB * n, hidden=3 * MIB * n, logits=n), limit, device)

    for limit in (20 * MIB, 100 * MIB, 150 * MIB, 333 * MIB):
        fit = largest(predict, limit)
        every = [n for n in range(1, 60) if predict(n) <= limit]
        assert fit.size == (max(every) if every else None)
