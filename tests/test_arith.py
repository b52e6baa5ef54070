"""Formulas against plain integers: whatever the algebra does, the number must come out."""

from __future__ import annotations

from fractions import Fraction

import numpy
import pytest
import sympy
from hypothesis import example, given, settings
from hypothesis import strategies as st

from netcalc.arith import (
    OPERATORS,
    Condition,
    Formula,
    Undecided,
    at,
    at_least,
    ceil_div,
    compare,
    divide,
    divides,
    equal,
    less,
    maximum,
    minimum,
    names_of,
    prod,
    same_shape,
    symbol,
    to_sympy,
)

NAMES = ("A", "B", "C")
A, B, C = map(symbol, NAMES)
sizes = st.fixed_dictionaries({name: st.integers(1, 60) for name in NAMES})

# -- random expressions: nested tuples, worked out with any kind of number

leaves = st.one_of(st.sampled_from(NAMES), st.integers(-9, 40))
divisors = st.one_of(
    st.integers(1, 12), st.sampled_from(NAMES), st.tuples(st.just("+"), st.sampled_from(NAMES), st.integers(0, 9))
)


def grown(inner):
    return st.one_of(
        st.tuples(st.sampled_from(("+", "-", "*", "max", "min")), inner, inner),
        st.tuples(st.sampled_from(("//", "%")), inner, divisors),
        st.tuples(st.just("**"), inner, st.integers(0, 3)),
        st.tuples(st.just("neg"), inner),
    )


expressions = st.recursive(leaves, grown, max_leaves=7)

WORK = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "//": lambda a, b: a // b,
    "%": lambda a, b: a % b, "**": lambda a, b: a**b, "max": maximum, "min": minimum, "neg": lambda a: -a,
}  # fmt: skip
PLAIN = {**WORK, "max": max, "min": min}


def worked_out(tree, values: dict, work=WORK):
    if isinstance(tree, tuple):
        return work[tree[0]](*(worked_out(part, values, work) for part in tree[1:]))
    return values[tree] if isinstance(tree, str) else tree


def formula_of(tree):
    return worked_out(tree, {"A": A, "B": B, "C": C})


@settings(max_examples=600, deadline=None)
@given(expressions, sizes)
def test_a_formula_at_numbers_is_the_number(tree, values):
    assert at(formula_of(tree), values) == worked_out(tree, values, PLAIN)


@settings(max_examples=300, deadline=None)
@given(expressions, sizes)
@example(("neg", ("//", "A", 2)), {"A": 3, "B": 1, "C": 1})
def test_its_text_is_the_same_number(tree, values):
    """What is printed is Python, too."""
    assert eval(str(formula_of(tree)), {"max": max, "min": min, **values}) == worked_out(tree, values, PLAIN)


@settings(max_examples=300, deadline=None)
@given(expressions, sizes)
def test_bounds_hold(tree, values):
    formula, number = formula_of(tree), worked_out(tree, values, PLAIN)
    if isinstance(formula, Formula):
        low, high = formula.bounds()
        assert low is None or low <= number
        assert high is None or number <= high


@settings(max_examples=300, deadline=None)
@given(expressions, expressions, st.sampled_from(tuple(OPERATORS)), sizes)
def test_comparisons_decide_only_what_is_so(left, right, op, values):
    a, b = formula_of(left), formula_of(right)
    truth = OPERATORS[op](worked_out(left, values, PLAIN), worked_out(right, values, PLAIN))
    found = compare(op, a, b)
    assert found.at(values) == truth if isinstance(found, Condition) else bool(found) == truth


@settings(max_examples=150, deadline=None)
@given(expressions, sizes)
def test_sympy_agrees(tree, values):
    expression = to_sympy(formula_of(tree))
    by_name = {symbol: values[symbol.name] for symbol in expression.free_symbols}
    assert expression.subs(by_name) == worked_out(tree, values, PLAIN)


@settings(max_examples=150, deadline=None)
@given(expressions, st.lists(sizes, min_size=1, max_size=4))
def test_arrays_agree(tree, designs):
    """Each design of an array of designs, inside of int64."""
    expected = [worked_out(tree, values, PLAIN) for values in designs]
    if max(map(abs, expected)) >= 2**20:
        return
    columns = {name: numpy.array([values[name] for values in designs]) for name in NAMES}
    found = at(formula_of(tree), columns)
    assert numpy.broadcast_to(found, len(designs)).tolist() == expected


@settings(max_examples=200, deadline=None)
@given(expressions, sizes)
def test_symbols_can_be_replaced_one_by_one(tree, values):
    formula = formula_of(tree)
    for name in NAMES:
        formula = at(formula, {name: values[name]})
    assert formula == worked_out(tree, values, PLAIN)
    assert not names_of(formula)


@settings(max_examples=200, deadline=None)
@given(expressions, expressions, expressions)
def test_sums_and_products_have_one_form(x, y, z):
    x, y, z = map(formula_of, (x, y, z))
    assert x + y == y + x and x * y == y * x
    assert (x + y) + z == x + (y + z)
    assert (x * y) * z == x * (y * z)
    assert x * (y + z) == x * y + x * z
    assert x - x == 0 and x + 0 == x and x * 1 == x and x * 0 == 0


@settings(max_examples=200, deadline=None)
@given(expressions, expressions)
def test_equal_formulas_are_equal_texts_and_hashes(x, y):
    one, other = formula_of(("+", ("*", x, 3), y)), formula_of(("+", y, ("*", 3, x)))
    assert (str(one), hash(one)) == (str(other), hash(other))


# -- the forms that people read


def halved(size, times: int):
    """A 3x3 convolution with stride 2 and padding 1, again and again."""
    for _ in range(times):
        size = (size + 2 - 3) // 2 + 1
    return size


def pooled(size, times: int):
    for _ in range(times):
        size = size // 2
    return size


@pytest.mark.parametrize("formula, text", [
    (halved(A, 5), "(A + 31)//32"), (halved(A, 1), "(A + 1)//2"), (pooled(A, 5), "A//32"), (pooled(16 * A, 4), "A"),
    (halved(32 * A, 5), "A"), ((A - 4 + 2 * 2) // 1, "A"), (2 * (A // 2), "2*(A//2)"), ((6 * A + 4) // 2, "3*A + 2"),
    ((6 * A + 5) // 2, "3*A + 2"), ((4 * A + 6) // 8, "(A + 1)//2"), (A * B + B * A, "2*A*B"), ((A + B) * (A - B), "A**2 - B**2"),
    (A % 2, "A - 2*(A//2)"), (16 * A % 16, "0"), (A // A, "1"), ((A * B) // B, "A"), (divide(A * B * 6, 3), "2*A*B"),
    (maximum(A, 1), "A"), (maximum(A, A + 2), "A + 2"), (minimum(A, 5 * A), "A"), (maximum(A, B), "max(A, B)"), (maximum(B, A), "max(A, B)"),
    (ceil_div(A, 3), "(A + 2)//3"), (A**2 * A, "A**3"), (1 - A, "-A + 1"), (A / 2, "A/2"), ((-A) // 2, "-((A + 1)//2)"),
    (prod((2, A, 3, B)), "6*A*B"), (prod(()), "1"),
])  # fmt: skip
def test_normal_forms(formula, text):
    assert eval(str(formula), {"A": 37, "B": 5, "max": max, "min": min}) == eval(
        text, {"A": 37, "B": 5, "max": max, "min": min}
    )
    assert str(formula) == text


@pytest.mark.parametrize("size", range(1, 300))
def test_five_halvings_in_numbers(size):
    assert halved(A, 5).at({"A": size}) == halved(size, 5) == -(-size // 32)


def test_cancelled_symbols_leave_plain_numbers():
    for value, number in ((A - A, 0), (A - A + 3, 3), ((A + 4 - A) * 2, 8), (A * 0, 0), (A // A, 1), (A**0, 1)):
        assert type(value) is int and value == number


def test_exact_division():
    assert divide(6, 4) == Fraction(3, 2) and divide(6, 3) == 2 and type(divide(6, 3)) is int
    assert divide(A * A - B * B, A + B) == A - B
    assert divide(3, A).at({"A": 2}) == Fraction(3, 2)
    with pytest.raises(TypeError, match=r"cannot divide by A \+ B"):
        divide(A, A + B)


def test_divisions_by_zero_are_errors():
    for wrong in (lambda: A // 0, lambda: A % 0, lambda: (A // (B - 1)).at({"A": 3, "B": 1})):
        with pytest.raises(ZeroDivisionError):
            wrong()


def test_no_float_comes_in():
    for wrong in (lambda: A * 0.5, lambda: 0.5 + A, lambda: A - 1.5, lambda: A**-1, lambda: A**0.5):
        with pytest.raises(TypeError):
            wrong()


def test_fractions_clear():
    assert (A * Fraction(1, 2)) // 1 == A // 2
    assert str((A * Fraction(3, 2) + Fraction(1, 2)) // 2) == "(3*A + 1)//4"
    assert (A * Fraction(1, 3)).at({"A": 6}) == 2


# -- conditions


def test_what_holds_for_all_sizes_is_decided():
    """Every symbol is at least 1."""
    assert at_least(A, 1) is True and less(A, 1) is False and compare(">", A + B, 1) is True
    assert equal(A, A) is True and equal(A, A + 1) is False and equal(2 * A - A, A) is True
    assert compare("!=", A, -3) is True and compare("<=", A, 2 * A) is True
    assert divides(4, 8 * A) is True and divides(4, 8 * A + 2) is False
    assert less(B, 3 * A * B) is True and at_least(A * B, B) is True and less(A * B, B) is False
    assert isinstance(less(B, A * B), Condition) and isinstance(less(A, B), Condition)  # open where A is 1


def test_what_depends_is_a_condition():
    condition = less(A, 7)
    assert isinstance(condition, Condition) and str(condition) == "A < 7" and condition.names() == ["A"]
    assert condition.at({"A": 6}) is True and condition.at({"A": 7}) is False
    with pytest.raises(Undecided, match="cannot tell whether A < 7 while A is free"):
        bool(condition)
    assert condition == less(A, 7) and hash(condition) == hash(less(A, 7)) and condition != less(A, 8)


def test_divisibility_reads_as_one_writes_it():
    for condition, text in (
        (divides(12, A), "A % 12 == 0"),
        (divides(4, A + 2), "(A + 2) % 4 == 0"),
        (divides(2, 3 * A), "(3*A) % 2 == 0"),
    ):
        assert str(condition) == text
        for size in range(1, 25):
            assert condition.at({"A": size}) == eval(text, {"A": size})


def test_a_formula_has_no_truth_value():
    for wrong in (lambda: bool(A), lambda: A and 1, lambda: not A):
        with pytest.raises(Undecided):
            wrong()


def test_shapes_are_the_same_only_if_they_always_are():
    assert same_shape((A, 3, 2 * (B // 2)), (A, 3, B // 2 * 2))
    assert not same_shape((A, 3), (B, 3)) and not same_shape((A,), (A, 1)) and not same_shape((A, 2), (A, 3))


def test_names():
    assert names_of((A, [B // 2], maximum(C, 7), 3)) == {"A", "B", "C"} and names_of(3) == frozenset()


def test_sympy_symbols_are_positive_whole_numbers():
    expression = to_sympy((A * B) // 2 + maximum(A, B))
    assert all(s.is_integer and s.is_positive for s in expression.free_symbols)
    assert (
        to_sympy(Fraction(1, 2)) == sympy.Rational(1, 2)
        and to_sympy(A + 1) == sympy.Symbol("A", integer=True, positive=True) + 1
    )


def test_other_kinds_of_number_pass_through():
    assert maximum(2, 7, 5) == 7 and minimum(2, 7, 5) == 2 and maximum(4) == 4
    array = numpy.array([1, 8])
    assert maximum(array, 5).tolist() == [5, 8] and less(array, 5).tolist() == [True, False]
    x = sympy.Symbol("x", integer=True, positive=True)
    assert maximum(x, 5) == sympy.Max(x, 5) and equal(x, x) is True
    assert ceil_div(7, 2) == 4 and at(5, {"A": 1}) == 5


def test_conditions_of_divisibility_are_written_as_remainders():
    n, d = symbol("n"), symbol("d")
    assert str(divides(12, n)) == "n % 12 == 0"
    assert str(divides(d, n)) == "n % d == 0"
    assert str(divides(2, n // 32)) == "(n//32) % 2 == 0"
    assert str(divides(4, 6 * n + 3)) == "(6*n + 3) % 4 == 0"
