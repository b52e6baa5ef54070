"""The expressions of the language: a parser of its own and exact arithmetic; no eval.

    expr    = or ('if' or 'else' expr)?
    or      = and ('or' and)*      and = not ('and' not)*      not = 'not' not | compare
    compare = sum (('<'|'<='|'>'|'>='|'=='|'!=') sum)?
    sum     = term (('+'|'-') term)*        term = unary (('*'|'/'|'//'|'%') unary)*
    unary   = '-' unary | power             power = postfix ('**' unary)?
    postfix = atom ('[' expr ']')*

Values are ints, Fractions, booleans, lists, words, kinds of layer, formulas in free names, and floats (only from sqrt).
"""

from __future__ import annotations

import re
from fractions import Fraction
from math import ceil, floor, isqrt

from ..arith import Condition, Formula, Undecided, compare, divide, is_array, is_sympy, maximum, minimum
from ..errors import closest
from ..layers.kinds import Word, shown

MAX_LENGTH, MAX_LEVELS, MAX_POWER, MAX_BITS, MAX_TERMS = 500, 40, 64, 4096, 200

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)(?![A-Za-z_\d.])"
    r"|(?P<name>[A-Za-z_]\w*)|(?P<op>//|\*\*|<=|>=|==|!=|[-+*/%<>()\[\],:]))"
)
_KEYWORDS = {"if", "else", "and", "or", "not", "true", "false"}
NUMBER = (int, Fraction, float)


class ExpressionError(Exception):
    """What is wrong with characters start:end of an expression."""

    def __init__(self, code: str, text: str, start: int, end: int, help: str | None = None):
        super().__init__(text)
        self.code, self.text, self.start, self.end, self.help = code, text, start, end, help


class Expression:
    """A parsed expression: `value(lookup)`, its `names`, and whether it is a single name."""

    __slots__ = ("constant", "name", "names", "root", "text")

    def __init__(self, text: str, root):
        self.text, self.root = text, root
        self.names = frozenset(_names(root))
        self.name = text.strip() if root[0] == "name" else None
        self.constant = root[1] if root[0] == "number" else None

    def value(self, lookup):
        """The value, names being resolved by `lookup(name)`, which raises KeyError for an unknown one."""
        return self.constant if self.constant is not None else _value(self.root, lookup, self.text)


_CACHE: dict[str, Expression] = {}


def parse(text: str) -> Expression:
    """The expression of a text. Raises ExpressionError."""
    found = _CACHE.get(text)
    if found is None:
        if len(_CACHE) > 20_000:
            _CACHE.clear()
        found = _CACHE[text] = Expression(text, _Parser(text).all())
    return found


# -- parsing: a tree of tuples (kind, ..., start, end)


class _Parser:
    def __init__(self, text: str):
        if len(text) > MAX_LENGTH:
            raise ExpressionError("E301", f"an expression has at most {MAX_LENGTH} characters", 0, 1)
        self.text = text
        self.tokens = list(self._tokens(text))
        self.position = 0
        self.level = 0

    @staticmethod
    def _tokens(text: str):
        at, end = 0, len(text.rstrip())
        while at < end:
            match = _TOKEN.match(text, at)
            if match is None:
                at += len(text[at:]) - len(text[at:].lstrip())
                raise ExpressionError(
                    "E301", f"`{text[at]}` is not allowed in an expression", at, at + 1,
                    "expressions use numbers, names, + - * / // % **, comparisons, and/or/not, `a if c else b`, [ ] and "
                    + ", ".join(sorted(FUNCTIONS)))  # fmt: skip
            kind = match.lastgroup
            yield kind, match.group(kind), match.start(kind), match.end(kind)
            at = match.end()

    def all(self):
        if not self.tokens:
            raise ExpressionError("E301", "an expression is missing here", 0, 1)
        root = self.expression()
        if self.position < len(self.tokens):
            self._unexpected()
        return root

    def peek(self) -> str:
        return self.tokens[self.position][1] if self.position < len(self.tokens) else ""

    def take(self, *wanted):
        if self.position < len(self.tokens) and self.tokens[self.position][1] in wanted:
            token = self.tokens[self.position]
            if token[0] != "number":
                self.position += 1
                return token
        return None

    def expect(self, wanted: str):
        token = self.take(wanted)
        if token is None:
            self._unexpected(f"`{wanted}` is missing")
        return token

    def _unexpected(self, text: str = ""):
        if self.position < len(self.tokens):
            _, word, start, end = self.tokens[self.position]
            help = None
            if word in OPERATORS_COMPARE:
                help = "comparisons cannot be chained: write a < b and b < c"
            raise ExpressionError("E301", f"cannot read the expression: {text or 'unexpected'} at `{word}`" if text else
                                  f"cannot read the expression: unexpected `{word}`", start, end, help)  # fmt: skip
        raise ExpressionError("E301", f"cannot read the expression: it ends too early{f' ({text})' if text else ''}",
                              max(0, len(self.text) - 1), len(self.text))  # fmt: skip

    def deeper(self, rule):
        self.level += 1
        if self.level > MAX_LEVELS:
            start = self.tokens[min(self.position, len(self.tokens) - 1)][2]
            raise ExpressionError("E301", f"an expression is nested at most {MAX_LEVELS} levels deep", start, start + 1)
        result = rule()
        self.level -= 1
        return result

    def expression(self):
        return self.deeper(self._conditional)

    def _conditional(self):
        then = self._or()
        if not self.take("if"):
            return then
        condition = self._or()
        self.expect("else")
        other = self.expression()
        return ("if", condition, then, other, then[-2], other[-1])

    def _or(self):
        parts = [self._and()]
        while self.take("or"):
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else ("or", parts, parts[0][-2], parts[-1][-1])

    def _and(self):
        parts = [self._not()]
        while self.take("and"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else ("and", parts, parts[0][-2], parts[-1][-1])

    def _not(self):
        if token := self.take("not"):
            inner = self.deeper(self._not)
            return ("not", inner, token[2], inner[-1])
        return self._compare()

    def _compare(self):
        left = self._sum()
        if token := self.take(*OPERATORS_COMPARE):
            right = self._sum()
            return ("compare", token[1], left, right, left[-2], right[-1])
        return left

    def _sum(self):
        left = self._term()
        while token := self.take("+", "-"):
            right = self._term()
            left = ("binary", token[1], left, right, left[-2], right[-1])
        return left

    def _term(self):
        left = self._unary()
        while token := self.take("*", "/", "//", "%"):
            right = self._unary()
            left = ("binary", token[1], left, right, left[-2], right[-1])
        return left

    def _unary(self):
        if token := self.take("-"):
            inner = self.deeper(self._unary)
            if inner[0] == "number":
                return ("number", -inner[1], token[2], inner[-1])
            return ("negative", inner, token[2], inner[-1])
        base = self._postfix()
        if self.take("**"):
            power = self.deeper(self._unary)
            return ("binary", "**", base, power, base[-2], power[-1])
        return base

    def _postfix(self):
        base = self._atom()
        while self.take("["):
            base = self._index(base)
        return base

    def _index(self, base):
        first = None if self.peek() == ":" else self.expression()
        if self.take(":"):
            last = None if self.peek() == "]" else self.expression()
            return ("slice", base, first, last, base[-2], self.expect("]")[3])
        return ("index", base, first, base[-2], self.expect("]")[3])

    def _atom(self):
        if self.position >= len(self.tokens):
            self._unexpected()
        kind, word, start, end = self.tokens[self.position]
        if kind == "number":
            self.position += 1
            return ("number", number(word, start, end), start, end)
        if kind == "name" and word not in _KEYWORDS:
            self.position += 1
            return self._call(word, start, end) if self.peek() == "(" else ("name", word, start, end)
        if token := self.take("true", "false"):
            return ("bool", token[1] == "true", start, end)
        if self.take("("):
            inner = self.expression()
            end = self.expect(")")[3]
            return (*inner[:-2], start, end)
        if self.take("["):
            items = self._items("]")
            return ("list", items, start, self.tokens[self.position - 1][3])
        return self._unexpected()

    def _call(self, word, start, end):
        if word not in FUNCTIONS:
            known = ", ".join(sorted(FUNCTIONS))
            near = closest(word, FUNCTIONS)
            suggestion = f"did you mean `{near}`? " if near else ""
            if word == "int":
                suggestion = "write // or floor( ) to round down. "
            raise ExpressionError("E301", f"cannot read the expression: there is no function `{word}`", start, end,
                                  f"{suggestion}the functions are {known}")  # fmt: skip
        self.take("(")
        arguments = self._items(")")
        return ("call", word, arguments, start, self.tokens[self.position - 1][3])

    def _items(self, closing: str):
        items = []
        while not self.take(closing):
            items.append(self.expression())
            if not self.take(","):
                self.expect(closing)
                break
        return items


def number(word: str, start: int = 0, end: int = 0):
    """A number literal, exactly."""
    plain = word.replace("_", "")
    if plain.isdigit():
        if len(plain) > 1 and plain[0] == "0":
            raise ExpressionError("E301", f"`{word}` is written with a leading zero", start, end or len(word),
                                  f"write {plain.lstrip('0') or '0'}")  # fmt: skip
        return int(plain)
    mantissa, _, exponent = plain.lower().partition("e")
    if len(exponent.lstrip("+-")) > 3:
        raise ExpressionError("E305", f"`{word}` is too large or too small", start, end or len(word))
    value = Fraction(mantissa) * Fraction(10) ** int(exponent or 0)
    return value.numerator if value.denominator == 1 else value


def _names(node):
    """All names in a tree."""
    kind = node[0]
    if kind == "name":
        yield node[1]
    elif kind not in ("number", "bool"):
        for part in node[1:-2]:
            for child in part if isinstance(part, list) else [part]:
                if isinstance(child, tuple):
                    yield from _names(child)


# -- evaluation


def _value(node, lookup, text: str):
    try:
        return _EVALUATE[node[0]](node, lookup, text)
    except ExpressionError:
        raise
    except Undecided as open_question:
        condition = open_question.condition
        names = condition.names()
        raise ExpressionError("E309", str(open_question), node[-2], node[-1],
                              f"give it a value, for example --set {names[0]}=224") from None  # fmt: skip
    except ZeroDivisionError:
        raise ExpressionError("E305", "division by zero", node[-2], node[-1]) from None
    except (TypeError, OverflowError, ValueError):
        raise ExpressionError("E305", f"`{text[node[-2] : node[-1]]}` cannot be worked out", node[-2], node[-1]) from None


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
    return [_value(item, lookup, text) for item in node[1]]


def _if(node, lookup, text):
    return _value(node[2] if _truth(node[1], lookup, text) else node[3], lookup, text)


def _truth(node, lookup, text) -> bool:
    value = _value(node, lookup, text)
    if not isinstance(value, bool):
        raise ExpressionError("E304", f"a condition needs true or false, not {shown(value)}", node[-2], node[-1],
                              f"write a comparison, for example `{text[node[-2] : node[-1]]} != 1`")  # fmt: skip
    return value


def _compare(node, lookup, text):
    _, op, left_node, right_node, start, end = node
    left, right = _value(left_node, lookup, text), _value(right_node, lookup, text)
    numeric = _is_number(left) and _is_number(right)
    if not numeric and op not in ("==", "!="):
        raise ExpressionError("E305", f"{shown(left)} and {shown(right)} cannot be ordered", start, end)
    if numeric:
        result = compare(op, left, right)
    else:
        result = (left == right) == (op == "==")
    if isinstance(result, Condition):
        raise Undecided(result)
    return bool(result)


def _is_number(value) -> bool:
    return not isinstance(value, bool) and (isinstance(value, (*NUMBER, Formula)) or is_array(value) or is_sympy(value))


def _numbers(node, *values):
    for value in values:
        if not _is_number(value):
            raise ExpressionError("E305", f"this needs a number, not {shown(value)}", node[-2], node[-1])


def _binary(node, lookup, text):
    _, op, left_node, right_node, start, end = node
    left, right = _value(left_node, lookup, text), _value(right_node, lookup, text)
    _numbers(left_node, left)
    _numbers(right_node, right)
    if op == "**":
        return _bounded(_power(left, right, node), node)
    if op == "/":
        return _bounded(divide(left, right), node)
    return _bounded(_BINARY[op](left, right), node)


def _power(base, exponent, node):
    _, _, _, _, start, end = node
    if not isinstance(exponent, int) or isinstance(exponent, bool):
        if isinstance(exponent, Fraction) and exponent == Fraction(1, 2):
            return _sqrt(base)
        raise ExpressionError("E305", "an exponent must be a known whole number", start, end)
    if abs(exponent) > MAX_POWER:
        raise ExpressionError("E305", f"an exponent is at most {MAX_POWER}", start, end)
    if isinstance(base, Formula) and len(base.terms) > 1 and exponent > 8:
        raise ExpressionError("E305", "an exponent of a sum of free names is at most 8", start, end)
    if exponent < 0:
        return divide(1, base**-exponent)
    return base**exponent


def _bounded(value, node):
    """Refuse numbers that no network has, so that no expression can use up memory."""
    if isinstance(value, int):
        big = value.bit_length() > MAX_BITS
    elif isinstance(value, Fraction):
        big = max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS
    elif isinstance(value, Formula):
        big = len(value.terms) > MAX_TERMS or any(c.bit_length() > MAX_BITS for c in value.terms.values() if isinstance(c, int))
    else:
        return value
    if big:
        raise ExpressionError("E305", "this number is too large", node[-2], node[-1])
    return value


def _index(node, lookup, text):
    _, base_node, index_node, start, end = node
    base, index = _value(base_node, lookup, text), _value(index_node, lookup, text)
    if not isinstance(base, list) or not isinstance(index, int) or isinstance(index, bool):
        what = "a list" if not isinstance(base, list) else "a whole number"
        wrong = base if what == "a list" else index
        raise ExpressionError("E305", f"[ ] needs {what}, not {shown(wrong)}", start, end)
    if not -len(base) <= index < len(base):
        raise ExpressionError("E305", f"the list has {len(base)} items, counted from 0; there is no item {index}", start, end)
    return base[index]


def _slice(node, lookup, text):
    _, base_node, first, last, start, end = node
    base = _value(base_node, lookup, text)
    if not isinstance(base, list):
        raise ExpressionError("E305", f"[ ] needs a list, not {shown(base)}", start, end)
    bounds = [None if part is None else _value(part, lookup, text) for part in (first, last)]
    return base[bounds[0] : bounds[1]]


def _call(node, lookup, text):
    _, name, argument_nodes, start, end = node
    arguments = [_value(argument, lookup, text) for argument in argument_nodes]
    least, most, function = FUNCTIONS[name]
    if not least <= len(arguments) <= most:
        count = f"{least}" if least == most else f"{least} or more"
        raise ExpressionError("E305", f"{name}( ) takes {count} argument{'s' if least != 1 else ''}, not {len(arguments)}", start, end)
    if name == "len":
        if not isinstance(arguments[0], list):
            raise ExpressionError("E305", f"len( ) needs a list, not {shown(arguments[0])}", start, end)
        return len(arguments[0])
    if name in ("max", "min", "sum") and len(arguments) == 1:
        if not isinstance(arguments[0], list) or (not arguments[0] and name != "sum"):
            raise ExpressionError("E305", f"{name}( ) needs a list with numbers", start, end)
        arguments = arguments[0]
    _numbers(node, *arguments)
    return _bounded(function(*arguments), node)


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
    return float(value) ** 0.5


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
    return _floor(value + Fraction(1, 2)) if isinstance(value, Formula) else round(value)


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
OPERATORS_COMPARE = ("<", "<=", ">", ">=", "==", "!=")
_BINARY = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
}
def _negative(node, lookup, text):
    value = _value(node[1], lookup, text)
    _numbers(node[1], value)
    return -value


_EVALUATE = {
    "number": lambda node, lookup, text: node[1],
    "bool": lambda node, lookup, text: node[1],
    "name": _name,
    "list": _list,
    "if": _if,
    "or": lambda node, lookup, text: any(_truth(part, lookup, text) for part in node[1]),
    "and": lambda node, lookup, text: all(_truth(part, lookup, text) for part in node[1]),
    "not": lambda node, lookup, text: not _truth(node[1], lookup, text),
    "compare": _compare,
    "binary": _binary,
    "negative": _negative,
    "index": _index,
    "slice": _slice,
    "call": _call,
}

__all__ = ["Expression", "ExpressionError", "Word", "number", "parse"]
