"""Python source as text: expressions of the language in Python, spacing, and lines that are not too long."""

from __future__ import annotations

import io
import re
import tokenize
from fractions import Fraction
from functools import lru_cache

from ..arith import Formula
from ..language import expressions
from ..layers.base import literal

WIDTH = 88  # of a line, as ruff's formatter has it
MAGIC = "\x01"  # at the end of an argument list: one item per line, with a comma after the last
_BINARY = {"+", "-", "*", "/", "//", "%", "<", ">", "<=", ">=", "==", "!=", "@"}


class Code(str):
    """Text that stands for a value in source: `repr` is the text itself."""

    __slots__ = ()

    def __repr__(self):
        return str(self)


#: functions of the language that Python lacks, and what they become
FUNCTIONS = {"ceil": "math.ceil", "floor": "math.floor", "sqrt": "math.sqrt"}

MAKE_DIVISIBLE = '''
def make_divisible(value, divisor):
    """The nearest multiple of divisor, never more than 10 percent below value."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded
'''


def python(expression: expressions.Expression, rename) -> str:
    """An expression of the language as Python, names replaced by `rename(name)`."""
    return _python(expression.root, rename, 0)


_LEVEL = {
    "if": 1,
    "or": 2,
    "and": 3,
    "not": 4,
    "compare": 5,
    "+": 6,
    "-": 6,
    "*": 7,
    "/": 7,
    "//": 7,
    "%": 7,
    "negative": 8,
    "**": 9,
}


def _python(node, rename, outer: int) -> str:
    kind = node[0]
    if kind == "number":
        text = literal(node[1])
        return f"({text})" if text.startswith("-") and outer > 8 else text
    if kind == "bool":
        return "True" if node[1] else "False"
    if kind == "name":
        return rename(node[1])
    if kind == "list":
        return f"[{', '.join(_python(item, rename, 0) for item in node[1])}]"
    if kind == "call":
        return f"{FUNCTIONS.get(node[1], node[1])}({', '.join(_python(item, rename, 0) for item in node[2])})"
    if kind == "index":
        return f"{_python(node[1], rename, 10)}[{_python(node[2], rename, 0)}]"
    if kind == "slice":
        first, last = ("" if part is None else _python(part, rename, 0) for part in node[2:4])
        return f"{_python(node[1], rename, 10)}[{first}:{last}]"
    text, level = _compound(node, rename)
    return f"({text})" if level < outer else text


def _compound(node, rename) -> tuple[str, int]:
    kind = node[0]
    if kind == "if":
        condition, then, other = (_python(part, rename, 2) for part in node[1:4])
        return f"{then} if {condition} else {_python(node[3], rename, 1)}" if node[3][
            0
        ] == "if" else f"{then} if {condition} else {other}", 1
    if kind in ("or", "and"):
        level = _LEVEL[kind]
        return f" {kind} ".join(_python(part, rename, level + 1) for part in node[1]), level
    if kind == "not":
        return f"not {_python(node[1], rename, 4)}", 4
    if kind == "negative":
        return f"-{_python(node[1], rename, 8)}", 8
    if kind == "power":
        base, exponent = _python(node[1], rename, 10), _python(node[2], rename, 9)
        simple = all(re.fullmatch(r"-?[\w.]+", text) for text in (base, exponent))
        return f"{base}**{exponent}" if simple else f"{base} ** {exponent}", 9
    if kind == "compare" and node[1] in ("==", "!=") and node[3][0] == "bool":
        wanted = node[3][1] == (node[1] == "==")
        return (_python(node[2], rename, 4), 4) if wanted else (f"not {_python(node[2], rename, 4)}", 4)
    if kind == "compare":
        return f"{_python(node[2], rename, 6)} {node[1]} {_python(node[3], rename, 6)}", 5
    level = _LEVEL[node[2][0][0]]  # a chain: the first operand, then (operator, operand) pairs of one level
    rest = "".join(f" {operator} {_python(operand, rename, level + 1)}" for operator, operand in node[2])
    return _python(node[1], rename, level) + rest, level


def number(value) -> str:
    """A size or a value as source."""
    if isinstance(value, Formula):
        return tidy(str(value))
    if isinstance(value, bool) or not isinstance(value, (int, Fraction)):
        return literal(value)
    return literal(value)


@lru_cache(4096)
def tidy(text: str) -> str:
    """An expression with spaces around its binary operators, as ruff's formatter writes them."""
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    out, previous = "", None
    for index, token in enumerate(tokens):
        if token.type in (tokenize.NEWLINE, tokenize.NL, tokenize.ENDMARKER):
            continue
        after = previous is not None and (
            (
                previous.type in (tokenize.NAME, tokenize.NUMBER, tokenize.STRING)
                and previous.string not in ("if", "else", "in", "for", "and", "or", "not", "lambda", "return")
            )
            or previous.string in (")", "]")
        )
        if token.type == tokenize.OP and token.string in _BINARY and after:
            out = f"{out.rstrip()} {token.string} "
        elif token.string == "**" and after and (previous.string in ")]" or tokens[index + 1].string in ("(", "[")):
            out = f"{out.rstrip()} ** "
        else:
            gap = (
                text[previous.end[1] : token.start[1]]
                if previous is not None and previous.end[0] == token.start[0]
                else ""
            )
            out += ("" if out.endswith(" ") else gap) + token.string
        previous = token
    return out


def spaced_slices(text: str) -> str:
    """Slices with spaces around the colon where a bound is more than a name or a number."""

    def spaced(part: str) -> str:
        low, colon, high = part.partition(":")
        if not colon or ":" in high or re.fullmatch(r"[\w-]*", low + high):
            return part
        return f"{low.strip()} : {high.strip()}".strip()

    def subscript(found) -> str:
        return f"[{', '.join(spaced(part) for part in found[1].split(', '))}]"

    return re.sub(r"(?<=[\w)\]])\[([^\[\]]*:[^\[\]]*)\]", subscript, text)


def wrapped(line: str, indent: int) -> list[str]:
    """A statement at an indentation, split as ruff's formatter splits it. MAGIC asks for one item per line."""
    pad, inner = " " * indent, indent + 4
    if MAGIC not in line and len(pad + line) <= WIDTH:
        return [pad + line]
    left, equals, right = line.partition(" = ")
    if equals and len(names := _parts(left)) > 1 and len(f"{pad}{left} = (") > WIDTH:
        return [f"{pad}(", *(f"{pad}    {name}," for name in names), f"{pad}) = {right}"]
    split = _last_bracket(line)
    if split is None or not split[1].strip():
        return _split_operators(line, pad)
    head, body, tail = split
    magic, body = body.endswith(MAGIC), body.removesuffix(MAGIC)
    if not magic and MAGIC not in body and len(" " * inner + body) <= WIDTH:
        return [pad + head, " " * inner + body, pad + tail]
    parts = _parts(body)
    if len(parts) == 1 and _top_level(body, " for ") is not None:
        return [pad + head, *_split_generator(body, inner), pad + tail]
    alone = len(parts) == 1 and parts[0].startswith("*")
    chunks = [chunk for part in parts for chunk in wrapped(part if alone else part + ",", inner)]
    return [pad + head, *chunks, pad + tail]


def _split_operators(line: str, pad: str) -> list[str]:
    """A long sum with each further term on its own line."""
    comma = line.endswith(",")
    terms, depth, start = [], 0, 0
    for at, char in enumerate(line):
        depth += (char in "([{") - (char in ")]}")
        if depth == 0 and line[at : at + 3] in (" + ", " - "):
            terms.append(line[start:at])
            start = at + 1
    return [pad + term for term in [*terms, line[start:]]] if terms and comma else [pad + line]


def _split_generator(body: str, indent: int) -> list[str]:
    at = _top_level(body, " for ")
    return [*wrapped(body[:at], indent), *wrapped(body[at + 1 :], indent)]


def _top_level(text: str, word: str) -> int | None:
    depth = 0
    for at, char in enumerate(text):
        depth += (char in "([{") - (char in ")]}")
        if depth == 0 and text.startswith(word, at):
            return at
    return None


def _last_bracket(line: str) -> tuple[str, str, str] | None:
    """(head with its bracket, what is inside, the closing rest) of the last bracket pair that ends the line."""
    match = re.search(r"[)\]}][,:]?\Z", line)
    if match is None:
        return None
    depth = 0
    for at in range(match.start(), -1, -1):
        depth += (line[at] in ")]}") - (line[at] in "([{")
        if depth == 0:
            return line[: at + 1], line[at + 1 : match.start()], line[match.start() :]
    return None


def _parts(body: str) -> list[str]:
    """The items of an argument list."""
    parts, depth, start, quote = [], 0, 0, ""
    for at, char in enumerate(body):
        if quote:
            quote = "" if char == quote and body[at - 1] != "\\" else quote
        elif char in "\"'":
            quote = char
        else:
            depth += (char in "([{") - (char in ")]}")
            if char == "," and depth == 0:
                parts.append(body[start:at].strip())
                start = at + 1
    parts.append(body[start:].strip())
    return [part for part in parts if part]


def string(text: str) -> str:
    """A string literal in double quotes: whatever the text, it cannot become code."""
    import json

    return json.dumps(text)
