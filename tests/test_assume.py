"""Questions that formulas leave open, answered for a sample."""

from __future__ import annotations

import numpy
import pytest

from netcalc.arith import Mixed, assuming, divides, equal, holds, less, symbol
from netcalc.arith.assume import reduced

N, H, W = map(symbol, "NHW")


def test_what_is_decided_asks_nothing():
    with assuming({"N": 3}) as assumed:
        assert holds(equal(2 * N, 2 * N)) and not holds(equal(N + 1, 1)) and holds(less(N, N + 1))
    assert assumed.taken == ()


def test_what_is_open_is_noted_as_it_is_at_the_point():
    with assuming({"N": 6, "H": 1}) as assumed:
        assert not holds(equal(N, 1)) and holds(equal(H, 1)) and holds(divides(3, N)) and not holds(less(N, H))
    assert list(map(str, assumed.taken)) == ["N != 1", "H == 1", "N % 3 == 0", "N >= H"]


def test_it_is_noted_once_and_without_common_factors():
    with assuming({"N": 2, "H": 5, "W": 7}) as assumed:
        assert not holds(equal(N * H * W, H * W)) and not holds(equal(4 * N, 4)) and not holds(equal(12, 12 * N))
        assert holds(less(3 * H * W, 2 * H * W * N))
    assert list(map(str, assumed.taken)) == ["N != 1", "3 < 2*N"]
    assert reduced(N * H * W + H * W, 2 * H * W) == (N, 1)


def test_without_a_point_what_is_open_does_not_hold():
    assert not holds(equal(N, 1)) and not holds(less(H, W))


def test_arrays_hold_for_all_or_for_none():
    assert holds(numpy.array([True, True])) and not holds(numpy.array([False, False]))
    with pytest.raises(Mixed):
        holds(numpy.array([True, False]))
