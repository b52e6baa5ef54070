"""What an expression means: exact arithmetic over a parsed tree, within bounds that no network reaches.

Values are ints, Fractions, booleans, lists, words, kinds of layer, formulas in free names, and floats (only from sqrt).
"""

from __future__ import annotations

import contextlib
from fractions import Fraction
from math import ceil, floor, isfinite, isqrt

from ..arith import (
    Condition,
    Extreme,
    Formula,
    Quotient,
    Undecided,
    compare,
    divide,
    is_array,
    is_sympy,
    maximum,
    minimum,
    names_of,
)
from ..errors import closest
from ..layers.kinds import shown

MAX_POWER, MAX_BITS = 64, 4096
MAX_TERMS = 60  # of a formula
MAX_WEIGHT = 500  # of a formula, with all that is inside its quotients and maxima
MAX_ITEMS = 10_000  # of a list, with the lists inside it
MAX_OPERANDS = 1_000  # of sum, min and max

COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")


class ExpressionError(Exception):
    """What is wrong with characters start:end of an expression."""

    def __init__(self, code: str, text: str, start: int, end: int, help: str | None = None):
        super().__init__(text)
        self.code, self.text, self.start, self.end, self.help = code, text, start, end, help


def evaluated(node, lookup, text: str):
    """The value of a tree of `expressions`, names being resolved by `lookup`. Raises ExpressionError."""
    try:
        return _RULES[node[0]](node, lookup, text)
    except ExpressionError:
        raise
    except Undecided as open_question:
        names = open_question.condition.names()
        raise ExpressionError("E309", str(open_question), node[-2], node[-1],
                              f"give it a value, for example --set {names[0]}=224") from None  # fmt: skip
    except ZeroDivisionError:
        raise ExpressionError("E305", "division by zero", node[-2], node[-1]) from None
    except (TypeError, OverflowError, ValueError):
        raise _not_worked_out(node, lookup, text) from None


def _not_worked_out(node, lookup, text: str) -> ExpressionError:
    """The error for what has no value, or no closed form while something in it is free."""
    free: set = set()

    def seen(name):
        value = lookup(name)
        free.update(names_of(value))
        return value

    with contextlib.suppress(Exception):
        _RULES[node[0]](node, seen, text)
    help = None
    if free:
        names = ", ".join(sorted(free))
        help = f"there is no closed form for it while {names} {'are' if len(free) > 1 else 'is'} free: give a value with --set"
    return ExpressionError("E305", f"`{text[node[-2] : node[-1]]}` cannot be worked out", node[-2], node[-1], help)


# -- how large a value is


def weight(value, limit: int) -> int:
    """The size of a value written out as text, roughly, in words; counting stops beyond `limit`."""
    total, todo = 0, [value]
    while todo and total <= limit:
        item = todo.pop()
        total += 1
        if isinstance(item, Formula):
            total += len(item.terms)
            todo += [atom for mono in item.terms for atom, _ in mono if not isinstance(atom, str)]
        elif isinstance(item, list):
            todo += item
        elif isinstance(item, Extreme):
            todo += item.items
        elif isinstance(item, Quotient):
            todo += (item.num, item.den)
        elif hasattr(item, "given"):  # a kind of layer with arguments
            todo += item.given.values()
    return total


def bounded(value, start: int, end: int):
    """The value, a whole fraction as a whole number. Refuses what no network has, so that no expression can use up
    memory or time."""
    if isinstance(value, int):
        big = value.bit_length() > MAX_BITS
    elif isinstance(value, Fraction):
        big = _bits(value) > MAX_BITS
        value = value.numerator if value.denominator == 1 else value
    elif isinstance(value, Formula):
        big = len(value.terms) > MAX_TERMS or any(_bits(coef) > MAX_BITS for coef in value.terms.values())
        big = big or weight(value, MAX_WEIGHT) > MAX_WEIGHT
    elif isinstance(value, list):
        if weight(value, MAX_ITEMS) > MAX_ITEMS:
            raise ExpressionError("E305", f"this list has more than {MAX_ITEMS:,} items", start, end)
        return value
    else:
        big = isinstance(value, float) and not isfinite(value)
    if big:
        what = "formula" if isinstance(value, Formula) else "number"
        raise ExpressionError("E305", f"this {what} is too large", start, end)
    return value


def _bits(number) -> int:
    return (
        number.bit_length()
        if isinstance(number, int)
        else max(number.numerator.bit_length(), number.denominator.bit_length())
    )


# -- names, lists and conditions


def _name(node, lookup, text):
    try:
        return lookup(node[1])
    except KeyError as unknown:
        known = unknown.args[1] if len(unknown.args) > 1 else ()
        raise _unknown_name(node, known, unknown.args[2] if len(unknown.args) > 2 else "in this file") from None


def _unknown_name(node, known, scope):
    near = closest(node[1], known)
    help = f"did you mean `{near}`? " if near else ""
    help += f"Known here: {', '.join(sorted(known))}" if known else "No argument or dimension is known here"
    return ExpressionError("E302", f"there is no argument or dimension `{node[1]}` {scope}", node[-2], node[-1], help)


def _list(node, lookup, text):
    return bounded([evaluated(item, lookup, text) for item in node[1]], node[-2], node[-1])


def _if(node, lookup, text):
    return evaluated(node[2] if _truth(node[1], lookup, text) else node[3], lookup, text)


def _truth(node, lookup, text) -> bool:
    value = evaluated(node, lookup, text)
    if not isinstance(value, bool):
        raise ExpressionError("E304", f"a condition needs true or false, not {shown(value)}", node[-2], node[-1],
                              f"write a comparison, for example `{text[node[-2] : node[-1]]} != 1`")  # fmt: skip
    return value


def _compare(node, lookup, text):
    _, op, left_node, right_node, start, end = node
    left, right = evaluated(left_node, lookup, text), evaluated(right_node, lookup, text)
    if _is_number(left) and _is_number(right):
        result = compare(op, left, right)
        if isinstance(result, Condition):
            raise Undecided(result)
        return bool(result)
    if op not in ("==", "!=") or isinstance(left, bool) != isinstance(right, bool):
        what = "compared" if op in ("==", "!=") else "ordered"
        raise ExpressionError("E305", f"{shown(left)} and {shown(right)} cannot be {what}", start, end)
    return (left == right) == (op == "==")


# -- arithmetic


def _is_number(value) -> bool:
    return not isinstance(value, bool) and (
        isinstance(value, (int, Fraction, float, Formula)) or is_array(value) or is_sympy(value)
    )


def _numbers(node, *values):
    for value in values:
        if not _is_number(value):
            raise ExpressionError("E305", f"this needs a number, not {shown(value)}", node[-2], node[-1])


def _chain(node, lookup, text):
    _, first, rest, start, _ = node
    value = evaluated(first, lookup, text)
    _numbers(first, value)
    for op, operand_node in rest:
        operand = evaluated(operand_node, lookup, text)
        _numbers(operand_node, operand)
        try:
            value = bounded(OPERATORS[op](value, operand), start, operand_node[-1])
        except ZeroDivisionError:
            raise ExpressionError("E305", "division by zero", start, operand_node[-1]) from None
    return value


def _times(a, b):
    if isinstance(a, Formula) and isinstance(b, Formula) and len(a.terms) * len(b.terms) > MAX_TERMS**2 // 2:
        raise OverflowError
    return a * b


def _negative(node, lookup, text):
    value = evaluated(node[1], lookup, text)
    _numbers(node[1], value)
    return -value


def _power(node, lookup, text):
    _, base_node, exponent_node, start, end = node
    base, exponent = evaluated(base_node, lookup, text), evaluated(exponent_node, lookup, text)
    _numbers(base_node, base)
    _numbers(exponent_node, exponent)
    if not isinstance(exponent, int):
        if isinstance(exponent, Fraction) and exponent == Fraction(1, 2):
            return _sqrt(base)
        raise ExpressionError("E305", "an exponent must be a known whole number", start, end)
    if abs(exponent) > MAX_POWER:
        raise ExpressionError("E305", f"an exponent is at most {MAX_POWER}", start, end)
    if isinstance(base, Formula):
        value = 1
        for _ in range(abs(exponent)):  # step by step, as each may be too large
            value = bounded(_times(base, value), start, end)
    else:
        value = bounded(base ** abs(exponent), start, end)
    return divide(1, value) if exponent < 0 else value


# -- lists


def _index(node, lookup, text):
    _, base_node, index_node, start, end = node
    base, index = evaluated(base_node, lookup, text), evaluated(index_node, lookup, text)
    if not isinstance(base, list) or not isinstance(index, int) or isinstance(index, bool):
        what = "a list" if not isinstance(base, list) else "a whole number"
        wrong = base if what == "a list" else index
        raise ExpressionError("E305", f"[ ] needs {what}, not {shown(wrong)}", start, end)
    if not -len(base) <= index < len(base):
        raise ExpressionError(
            "E305", f"the list has {len(base)} items, counted from 0; there is no item {index}", start, end
        )
    return base[index]


def _slice(node, lookup, text):
    _, base_node, first, last, start, end = node
    base = evaluated(base_node, lookup, text)
    if not isinstance(base, list):
        raise ExpressionError("E305", f"[ ] needs a list, not {shown(base)}", start, end)
    bounds = [None if part is None else evaluated(part, lookup, text) for part in (first, last)]
    if any(isinstance(bound, bool) for bound in bounds):
        raise ExpressionError("E305", "[ ] needs whole numbers, not true or false", start, end)
    return base[bounds[0] : bounds[1]]


# -- functions


def _call(node, lookup, text):
    _, name, argument_nodes, start, end = node
    arguments = [evaluated(argument, lookup, text) for argument in argument_nodes]
    least, most, function = FUNCTIONS[name]
    if not least <= len(arguments) <= most:
        count = f"{least}" if least == most else f"{least} or more"
        raise ExpressionError(
            "E305", f"{name}( ) takes {count} argument{'s' if least != 1 else ''}, not {len(arguments)}", start, end
        )
    if name == "len":
        if not isinstance(arguments[0], list):
            raise ExpressionError("E305", f"len( ) needs a list, not {shown(arguments[0])}", start, end)
        return len(arguments[0])
    if name in ("max", "min", "sum") and len(arguments) == 1:
        if not isinstance(arguments[0], list) or (not arguments[0] and name != "sum"):
            raise ExpressionError("E305", f"{name}( ) needs a list with numbers", start, end)
        arguments = arguments[0]
    _numbers(node, *arguments)
    if len(arguments) > (MAX_OPERANDS if not any(isinstance(value, Formula) for value in arguments) else MAX_TERMS):
        raise ExpressionError("E305", f"{name}( ) of {len(arguments):,} values is too large", start, end)
    return bounded(function(*arguments), start, end)


def _sum(*values):
    total = 0
    for value in values:
        total = total + value
    return total


def _sqrt(value):
    if isinstance(value, (int, Fraction)) and value >= 0:
        top, bottom = isqrt(Fraction(value).numerator), isqrt(Fraction(value).denominator)
        if Fraction(top * top, bottom * bottom) == value:
            return divide(top, bottom)
    root = float(value) ** 0.5
    if isinstance(root, complex):
        raise ValueError("the root of a negative number")
    return root


def _floor(value):
    if isinstance(value, Formula) or is_array(value):
        return value // 1
    return floor(value)


def _ceil(value):
    return -((-value) // 1) if isinstance(value, Formula) or is_array(value) else ceil(value)


def make_divisible(value, divisor):
    """MobileNet's rounding: to the nearest multiple of divisor, never down by more than 10 percent."""
    rounded = maximum(divisor, _floor(value + divide(divisor, 2)) // divisor * divisor)
    short = compare("<", rounded, value * Fraction(9, 10))
    if isinstance(short, Condition):
        raise Undecided(short)
    return rounded + divisor if short else rounded


def _round(value):
    """To the nearest whole number, halves to the even one."""
    if not isinstance(value, Formula):
        return round(value)
    if value.is_whole():
        return value
    return _floor(value / 2 + Fraction(1, 4)) + _ceil(value / 2 - Fraction(1, 4))


#: the functions by name: (least, most) number of arguments, and what they do
FUNCTIONS = {
    "min": (1, 99, minimum),
    "max": (1, 99, maximum),
    "abs": (1, 1, lambda value: maximum(value, -value) if isinstance(value, Formula) else abs(value)),
    "round": (1, 1, _round),
    "floor": (1, 1, _floor),
    "ceil": (1, 1, _ceil),
    "sqrt": (1, 1, _sqrt),
    "sum": (1, 99, _sum),
    "len": (1, 1, len),
    "make_divisible": (2, 2, make_divisible),
}
OPERATORS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": _times,
    "/": divide,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
}
_RULES = {
    "number": lambda node, lookup, text: node[1],
    "bool": lambda node, lookup, text: node[1],
    "name": _name,
    "list": _list,
    "if": _if,
    "or": lambda node, lookup, text: any(_truth(part, lookup, text) for part in node[1]),
    "and": lambda node, lookup, text: all(_truth(part, lookup, text) for part in node[1]),
    "not": lambda node, lookup, text: not _truth(node[1], lookup, text),
    "compare": _compare,
    "chain": _chain,
    "power": _power,
    "negative": _negative,
    "index": _index,
    "slice": _slice,
    "call": _call,
}
