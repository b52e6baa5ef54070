"""Formulas on arrays give what they give for each number alone, also where int64 is too small."""

from __future__ import annotations

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcalc.arith import compare, maximum, minimum, symbol
from netcalc.designs.formulas import Compiled, Unbounded, interval
from netcalc.designs.formulas import Test as Holds

A, B = symbol("a"), symbol("b")
FORMULAS = {
    "polynomial": (3 * A**2 * B - 7 * B + 2, lambda a, b: 3 * a * a * b - 7 * b + 2),
    "quotient": ((A * A + 3) // 4 * B, lambda a, b: (a * a + 3) // 4 * b),
    "by a symbol": (7 * A // (B + 1) - A, lambda a, b: 7 * a // (b + 1) - a),
    "extremes": (maximum(A - B, 3) * minimum(A, B, 10), lambda a, b: max(a - b, 3) * min(a, b, 10)),
    "halves": (A * (A + 1) / 2 + B, lambda a, b: a * (a + 1) // 2 + b),
    "high power": (A**5 * B**3, lambda a, b: a**5 * b**3),
    "negative": ((2 - A) // 3, lambda a, b: (2 - a) // 3),
}
NUMBERS = st.integers(1, 50) | st.integers(1, 2**40)


@pytest.mark.parametrize("name", FORMULAS)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=20))
def test_arrays_equal_numbers(name, pairs):
    formula, python = FORMULAS[name]
    columns = {
        n: numpy.array(column, dtype=numpy.int64) for n, column in zip("ab", zip(*pairs, strict=True), strict=True)
    }
    ranges = {n: (int(column.min()), int(column.max())) for n, column in columns.items()}
    expected = [python(a, b) for a, b in pairs]
    found = Compiled(formula, ranges)(columns)
    assert numpy.broadcast_to(found, len(pairs)).tolist() == expected
    low, high = interval(formula, ranges)
    assert low <= min(expected) and max(expected) <= high


def test_small_numbers_stay_in_int64_and_large_ones_do_not():
    columns = {"a": numpy.array([1, 2**31])}
    assert Compiled(A * A, {"a": (1, 2**31)})(columns).dtype == numpy.int64
    large = Compiled(A * A * 2, {"a": (1, 2**31)})(columns)
    assert large.dtype == object and large.tolist() == [2, 2**63]


def test_fractions_stay_exact():
    found = Compiled(A / 3, {"a": (1, 9)})({"a": numpy.array([3, 4])})
    assert [str(value) for value in found] == ["1", "4/3"]


@pytest.mark.parametrize("formula", [A // (B - 2), 1 / A + B, (A / B) // 2])
def test_divisors_that_may_be_nought_are_refused(formula):
    with pytest.raises(Unbounded):
        Compiled(formula, {"a": (1, 4), "b": (1, 4)})


def test_conditions():
    condition = compare(">=", A * A, 3 * B)
    columns = {"a": numpy.arange(1, 7), "b": numpy.array([1, 2, 3, 4, 9, 12])}
    held = Holds(condition, {"a": (1, 6), "b": (1, 12)})(columns)
    assert held.tolist() == [False, False, True, True, False, True]
