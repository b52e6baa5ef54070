"""The expressions of the language: a parser of its own; no eval. What they mean is in `evaluation`.

expr    = or ('if' or 'else' expr)?
or      = and ('or' and)*      and = not ('and' not)*      not = 'not' not | compare
compare = sum (('<'|'<='|'>'|'>='|'=='|'!=') sum)?
sum     = term (('+'|'-') term)*        term = unary (('*'|'/'|'//'|'%') unary)*
unary   = '-' unary | power             power = postfix ('**' unary)?
postfix = atom ('[' expr ']' | '[' expr? ':' expr? ']')*
"""

from __future__ import annotations

import re
from fractions import Fraction

from ..errors import closest
from .evaluation import COMPARISONS, FUNCTIONS, ExpressionError, evaluated

MAX_LENGTH, MAX_LEVELS = 500, 40

_DIGITS = r"\d+(?:_\d+)*"
_TOKEN = re.compile(
    rf"\s*(?:(?P<number>(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?\d+)?)(?![A-Za-z_\d.])"
    r"|(?P<name>[A-Za-z_]\w*)|(?P<op>//|\*\*|<=|>=|==|!=|[-+*/%<>()\[\],:]))",
    re.ASCII,
)
_KEYWORDS = {"if", "else", "and", "or", "not", "true", "false"}


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
        return self.constant if self.constant is not None else evaluated(self.root, lookup, self.text)


_CACHE: dict[str, Expression] = {}


def parse(text: str) -> Expression:
    """The expression of a text. Raises ExpressionError."""
    found = _CACHE.get(text)
    if found is None:
        found = Expression(text, _plain(text) or _Parser(text).all())
        if len(text) <= 60:  # what is long is seldom written twice
            if len(_CACHE) > 5_000:
                _CACHE.clear()
            _CACHE[text] = found
    return found


def _plain(text: str):
    """The tree of a short whole number or a single name, which most texts are; None for any other."""
    if text.isdigit() and text.isascii() and len(text) < 19 and (text[0] != "0" or len(text) == 1):
        return ("number", int(text), 0, len(text))
    if text.isidentifier() and text.isascii() and text not in _KEYWORDS and len(text) <= MAX_LENGTH:
        return ("name", text, 0, len(text))
    return None


# A tree is made of tuples (kind, ..., start, end): start and end are places in the text.


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
            if word in COMPARISONS:
                help = "comparisons cannot be chained: write a < b and b < c"
            raise ExpressionError("E301", f"cannot read the expression: {text or 'unexpected'} at `{word}`" if text else
                                  f"cannot read the expression: unexpected `{word}`", start, end, help)  # fmt: skip
        raise ExpressionError("E301", f"cannot read the expression: it ends too early{f' ({text})' if text else ''}",
                              max(0, len(self.text) - 1), len(self.text))  # fmt: skip

    def deeper(self, rule):
        self.level += 1
        if self.level > MAX_LEVELS:
            self._too_deep()
        result = rule()
        self.level -= 1
        return result

    def _too_deep(self):
        start = self.tokens[min(self.position, len(self.tokens) - 1)][2]
        raise ExpressionError("E301", f"an expression is nested at most {MAX_LEVELS} levels deep", start, start + 1)

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
        if token := self.take(*COMPARISONS):
            right = self._sum()
            return ("compare", token[1], left, right, left[-2], right[-1])
        return left

    def _sum(self):
        return self._chain(self._term, "+", "-")

    def _term(self):
        return self._chain(self._unary, "*", "/", "//", "%")

    def _chain(self, operand, *operators):
        """Operators of one rank, kept side by side: a long sum must not become a deep tree."""
        first, rest = operand(), []
        while token := self.take(*operators):
            rest.append((token[1], operand()))
        return ("chain", first, rest, first[-2], rest[-1][1][-1]) if rest else first

    def _unary(self):
        if token := self.take("-"):
            inner = self.deeper(self._unary)
            if inner[0] == "number":
                return ("number", -inner[1], token[2], inner[-1])
            return ("negative", inner, token[2], inner[-1])
        base = self._postfix()
        if self.take("**"):
            power = self.deeper(self._unary)
            return ("power", base, power, base[-2], power[-1])
        return base

    def _postfix(self):
        base, subscripts = self._atom(), 0
        while self.take("["):
            subscripts += 1
            if subscripts > MAX_LEVELS:
                self._too_deep()
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
    if len(plain) > 1 and plain[0] == "0" and plain[1].isdigit():
        raise ExpressionError("E301", f"`{word}` is written with a leading zero", start, end or len(word),
                              f"write {plain.lstrip('0') or '0'}")  # fmt: skip
    if plain.isdigit():
        return int(plain)
    mantissa, _, exponent = plain.lower().partition("e")
    if len(exponent.lstrip("+-")) > 3:
        raise ExpressionError("E305", f"`{word}` is too large or too small", start, end or len(word))
    value = Fraction(mantissa) * Fraction(10) ** int(exponent or 0)
    return value.numerator if value.denominator == 1 else value


def _names(node):
    """All names in a tree."""
    if node[0] == "name":
        yield node[1]
    elif node[0] == "chain":
        yield from _names(node[1])
        for _, operand in node[2]:
            yield from _names(operand)
    elif node[0] not in ("number", "bool"):
        for part in node[1:-2]:
            for child in part if isinstance(part, list) else [part]:
                if isinstance(child, tuple):
                    yield from _names(child)


__all__ = ["Expression", "ExpressionError", "number", "parse"]
