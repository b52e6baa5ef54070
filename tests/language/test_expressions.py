"""Expressions: grammar, exactness, bounds and every error. Expected values are worked out by hand or by Python."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcalc.arith import symbol
from netcalc.language.expressions import ExpressionError, parse

NAMES = {
    "n": 3,
    "half": Fraction(1, 2),
    "dims": [2, 3, 4],
    "deep": [[1, 2], [3]],
    "yes": True,
    "H": symbol("H"),
    "W": symbol("W"),
}


def lookup(name: str):
    if name not in NAMES:
        raise KeyError(name, list(NAMES), "in this file")
    return NAMES[name]


def value(text: str):
    return parse(text).value(lookup)


def problem(text: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        value(text)
    return caught.value


# -- what it means


@pytest.mark.parametrize("text, expected", [
    ("2 + 3 * 4", 14), ("(2 + 3) * 4", 20), ("10 - 3 - 2", 5), ("24 / 4 / 3", 2), ("2 ** 3 ** 2", 512), ("-2 ** 2", -4),
    ("2 ** -1", Fraction(1, 2)), ("-7 // 2", -4), ("-7 % 3", 2), ("7 // -2", -4), ("7 % -3", -2), ("- - 3", 3),
    ("2 * -3", -6),
    ("1 if n == 3 else 2", 1), ("1 if n > 3 else 2", 2), ("1 if false else 2 if false else 3", 3),
    ("true or false and false", True), ("not true or true", True), ("not (true or true)", False), ("not 1 == 2", True),
    ("not not true", True),
    ("1 < 2", True), ("2 <= 1", False), ("1 != 2", True), ("2 >= 2", True), ("n + 1 == 4", True),
    ("true == false", False),
    ("false and 1 / 0 == 1", False), ("true or 1 / 0 == 1", True), ("1 if true else 1 / 0", 1),
    ("dims[0]", 2), ("dims[-1]", 4), ("dims[n - 1]", 4), ("deep[0][1]", 2), ("[5, 6][1]", 6), ("dims[1:]", [3, 4]),
    ("dims[:2]", [2, 3]),
    ("dims[1:2]", [3]), ("sum(dims[:2])", 5), ("len(dims[1:])", 2), ("[]", []), ("[1, [2, 3]]", [1, [2, 3]]),
    ("[1, 2,]", [1, 2]),
    ("dims == [2, 3, 4]", True), ("dims != [2]", True),
    ("min(3, 1, 2)", 1), ("max(dims)", 4), ("sum(1, 2, 3)", 6), ("sum([])", 0), ("abs(-3)", 3), ("floor(7 / 2)", 3),
    ("ceil(7 / 2)", 4),
    ("floor(-7 / 2)", -4), ("ceil(-7 / 2)", -3), ("round(5 / 2)", 2), ("round(7 / 2)", 4), ("round(-5 / 2)", -2),
    ("sqrt(16)", 4), ("sqrt(9 / 4)", Fraction(3, 2)), ("16 ** half", 4), ("half * 4", 2), ("half + half", 1),
    ("1_000", 1000), ("1_0.2_5", Fraction(41, 4)), ("1e-5", Fraction(1, 100000)), ("1E3", 1000), (".5", Fraction(1, 2)),
    ("2.", 2), ("0", 0), ("0.50", Fraction(1, 2)),
    ("  1  +\t2 ", 3), ("1+2", 3), ("n", 3),
])  # fmt: skip
def test_value(text, expected):
    found = value(text)
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize("text", ["0.1 * 3 == 0.3", "0.1 + 0.2 == 0.3", "1 / 3 * 3 == 1", "64 * 0.25 == 16", "(1 / 7 + 1 / 3) * 21 == 10",
                                  "10 ** 30 + 1 != 10 ** 30", "0.7 * 100 // 1 == 70"])  # fmt: skip
def test_arithmetic_is_exact(text):
    assert value(text) is True


def test_a_whole_fraction_is_a_whole_number():
    assert type(value("64 * 0.25")) is int and value("64 * 0.25") == 16
    assert value("64 * 0.3") == Fraction(96, 5)


def test_roots_that_are_not_exact_are_real_numbers():
    assert value("sqrt(2)") == pytest.approx(1.4142135623730951) and type(value("sqrt(2)")) is float


@pytest.mark.parametrize("v, d, expected", [
    # torchvision.models._utils._make_divisible, for MobileNetV2 at width 0.35, 0.75, 1.4 and for 10 percent downwards
    (32 * 0.75, 8, 24), (16 * 0.75, 8, 16), (24 * 0.75, 8, 24), (96 * 0.35, 8, 32), (24 * 1.4, 8, 32),
    (320 * 1.4, 8, 448), (1, 8, 8), (12, 8, 16), (19, 8, 24), (18, 8, 24), (17, 8, 16),
])  # fmt: skip
def test_make_divisible(v, d, expected):
    rounded = max(d, int(v + d / 2) // d * d)  # the function of the MobileNet paper's code
    assert expected == (rounded + d if rounded < 0.9 * v else rounded)
    assert value(f"make_divisible({v}, {d})") == expected


_numbers = st.integers(0, 50).map(str)
_arithmetic = st.recursive(
    _numbers,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "//", "%"]), inner).map(" ".join),
        inner.map("({})".format),
        inner.map("-{}".format),
    ),
    max_leaves=8,
)


@given(_arithmetic)
def test_whole_numbers_as_in_python(text):
    """Precedence, association and rounding of whole numbers are Python's."""
    try:
        expected = eval(text)
    except ZeroDivisionError:
        assert problem(text).code == "E305"
    else:
        assert value(text) == expected


_truths = st.recursive(
    st.sampled_from(["true", "false", "1 < 2", "3 == 4", "2 >= 2"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join),
        inner.map("not {}".format),
        inner.map("({})".format),
    ),
    max_leaves=8,
)


@given(_truths)
def test_conditions_as_in_python(text):
    assert value(text) is eval(text, {"true": True, "false": False})


# -- formulas


@pytest.mark.parametrize(
    "text, expected",
    [
        ("H + H", "2*H"),
        ("(H + 1) * (H - 1)", "H**2 - 1"),
        ("H // 1", "H"),
        ("4 * H // 2", "2*H"),
        ("H ** 2", "H**2"),
        ("H - H", "0"),
        ("H / 2 * 2", "H"),
    ],
)
def test_formula(text, expected):
    assert str(value(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "H // 3 + H % 3",
        "max(H, 7)",
        "min(H - 2, W)",
        "ceil(H / 3)",
        "floor(H / 3)",
        "round(H / 4)",
        "abs(2 - H)",
        "(H + 2) // W",
        "sum([H, 1, W])",
    ],
)
@pytest.mark.parametrize("h, w", [(1, 1), (5, 2), (9, 14), (10, 3), (6, 7), (2, 2), (14, 1)])
def test_formula_with_numbers_put_in(text, h, w):
    """A formula at given sizes is what the expression gives for those sizes."""
    numbers = {"H": h, "W": w}
    assert value(text).at(numbers) == parse(text).value(numbers.__getitem__)


def test_conditions_on_formulas():
    assert (
        value("H >= 1") is True and value("2 * H > H") is True and value("H == H") is True and value("H < 1") is False
    )
    found = problem("1 if H > 64 else 2")
    assert (
        found.code == "E309" and str(found) == "cannot tell whether H > 64 while H is free" and "--set H=" in found.help
    )


# -- errors


@pytest.mark.parametrize("text, code, place, part", [
    ("", "E301", (0, 1), "missing"), ("  ", "E301", (0, 1), "missing"), ("1 +", "E301", (2, 3), "ends too early"),
    ("(1", "E301", (1, 2), "`)` is missing"), ("1 2", "E301", (2, 3), "unexpected `2`"),
    ("a b", "E301", (2, 3), "unexpected `b`"),
    ("1 < 2 < 3", "E301", (6, 7), "unexpected `<`"), ("[1, 2", "E301", (4, 5), "`]` is missing"),
    ("f(1)", "E301", (0, 1), "there is no function `f`"),
    ("1 if true", "E301", (8, 9), "`else` is missing"), ("*", "E301", (0, 1), "unexpected `*`"),
    ("n = 3", "E301", (2, 3), "`=` is not allowed"),
    ("'a'", "E301", (0, 1), "`'` is not allowed"), ("n.real", "E301", (1, 2), "`.` is not allowed"),
    ("{1}", "E301", (0, 1), "`{` is not allowed"),
    ("${n}", "E301", (0, 1), "`$` is not allowed"), ("1; 2", "E301", (1, 2), "`;` is not allowed"),
    ("n & 1", "E301", (2, 3), "`&` is not allowed"),
    ("lambda: 1", "E301", (6, 7), "unexpected `:`"), ("010", "E301", (0, 3), "leading zero"),
    ("00", "E301", (0, 2), "leading zero"), ("01.5", "E301", (0, 4), "leading zero"),
    ("1__0", "E301", (0, 1), "not allowed"), ("1_", "E301", (0, 1), "not allowed"),
    ("0x10", "E301", (0, 1), "not allowed"), ("1.2.3", "E301", (0, 1), "not allowed"),
    ("\u0663", "E301", (0, 1), "`\u0663` is not allowed"), ("n\u00b2", "E301", (1, 2), "not allowed"),
    ("\u043f", "E301", (0, 1), "not allowed"), ("1\u20152", "E301", (1, 2), "not allowed"),
    ("m", "E302", (0, 1), "there is no argument or dimension `m` in this file"),
    ("2 * nn", "E302", (4, 6), "no argument or dimension `nn`"),
    ("1 if n else 2", "E304", (5, 6), "a condition needs true or false, not 3"), ("not 1", "E304", (4, 5), "not 1"),
    ("n or true", "E304", (0, 1), "not 3"), ("true and 1", "E304", (9, 10), "not 1"),
    ("1 / 0", "E305", (0, 5), "division by zero"), ("1 // (n - 3)", "E305", (0, 12), "division by zero"),
    ("5 % 0", "E305", (0, 5), "division by zero"),
    ("2 + 1 / 0 * 3", "E305", (4, 9), "division by zero"), ("0 ** -1", "E305", (0, 7), "division by zero"),
    ("H // 0", "E305", (0, 6), "division by zero"),
    ("true + 1", "E305", (0, 4), "this needs a number, not true"),
    ("1 + dims", "E305", (4, 8), "this needs a number, not [2, 3, 4]"),
    ("-yes", "E305", (1, 4), "needs a number, not true"),
    ("dims * 2", "E305", (0, 4), "needs a number"), ("dims < 3", "E305", (0, 8), "cannot be ordered"),
    ("yes == 1", "E305", (0, 8), "true and 1 cannot be compared"),
    ("yes < false", "E305", (0, 11), "cannot be ordered"),
    ("n[0]", "E305", (0, 4), "[ ] needs a list, not 3"),
    ("dims[3]", "E305", (0, 7), "the list has 3 items, counted from 0; there is no item 3"),
    ("dims[-4]", "E305", (0, 8), "no item -4"),
    ("dims[half]", "E305", (0, 10), "[ ] needs a whole number, not 0.5"),
    ("dims[true]", "E305", (0, 10), "needs a whole number, not true"),
    ("dims[half:]", "E305", (0, 11), "cannot be worked out"), ("n[1:]", "E305", (0, 5), "needs a list"),
    ("dims[H]", "E305", (0, 7), "needs a whole number, not H"), ("dims[true:]", "E305", (0, 11), "not true or false"),
    ("len(3)", "E305", (0, 6), "len( ) needs a list, not 3"), ("max([])", "E305", (0, 7), "needs a list with numbers"),
    ("max(3)", "E305", (0, 6), "needs a list"), ("min()", "E305", (0, 5), "takes 1 or more argument"),
    ("abs(1, 2)", "E305", (0, 9), "abs( ) takes 1 argument, not 2"),
    ("make_divisible(8)", "E305", (0, 17), "takes 2 arguments, not 1"), ("sum(1, true)", "E305", (0, 12), "not true"),
    ("sqrt(-1)", "E305", (0, 8), "cannot be worked out"),
    ("sqrt(H)", "E305", (0, 7), "cannot be worked out"),
    ("2 ** H", "E305", (0, 6), "an exponent must be a known whole number"),
    ("2 ** 0.3", "E305", (0, 8), "known whole number"), ("2 ** 65", "E305", (0, 7), "an exponent is at most 64"),
    ("2 ** -65", "E305", (0, 8), "at most 64"),
    ("1e9999", "E305", (0, 6), "too large or too small"),
])  # fmt: skip
def test_error(text, code, place, part):
    found = problem(text)
    assert (found.code, (found.start, found.end)) == (code, place) and part in str(found)


@pytest.mark.parametrize(
    "text, part",
    [
        ("widht", "did you mean"),
        ("int(3)", "write // or floor( )"),
        ("sqr(4)", "did you mean `sqrt`?"),
        ("1 < n < 3", "write a < b and b < c"),
        ("010", "write 10"),
    ],
)
def test_help(text, part):
    names = {"width": 1, "n": 3}

    def lookup(name):
        if name not in names:
            raise KeyError(name, list(names), "here")
        return names[name]

    with pytest.raises(ExpressionError) as caught:
        parse(text).value(lookup)
    assert part in caught.value.help


# -- bounds


@pytest.mark.parametrize("text, code", [
    ("9 ** 9 ** 9", "E305"), ("9 ** 64 ** 2", "E305"), ("(9 ** 64) ** 64", "E305"), ("(2 ** 64) ** 64 * 2", "E305"),
    ("(H + W + 1) ** 64", "E305"), ("(H + W) ** 8 * (H + 2 * W) ** 8 * (H * W + 1) ** 8", "E305"),
    ("(H // 3 + W) ** 64", "E305"), ("1" * 501, "E301"), ("1" + "+1" * 250, "E301"),
    ("(" * 41 + "1" + ")" * 41, "E301"), ("-" * 60 + "1", "E301"), ("not " * 60 + "true", "E301"),
    ("2 ** " * 60 + "1", "E301"), ("[" * 60 + "]" * 60, "E301"), ("dims" + "[0]" * 60, "E301"),
    ("abs(" * 60 + "1" + ")" * 60, "E301"), ("1 if true else " * 33 + "(" * 20 + "1", "E301"),
])  # fmt: skip
def test_bound(text, code):
    assert problem(text).code == code


@pytest.mark.parametrize(
    "text, expected",
    [
        ("1" + "+1" * 249, 250),
        ("(" * 39 + "1" + ")" * 39, 1),
        ("9 ** 64", 9**64),
        ("2*" * 248 + "2", 2**249),
        ("1_" * 249 + "1", int("1" * 250)),
    ],
)
def test_within_bounds(text, expected):
    assert value(text) == expected


def test_names():
    assert parse("a + b[c] * max(d, e) if not f == g else -h ** i").names == frozenset("abcdefghi")
    assert parse(" width ").name == "width" and parse("width + 0").name is None
