"""The kinds of argument that a layer takes: each turns a value of the language into what a rule works with."""

from __future__ import annotations

from fractions import Fraction

from ..arith import Formula, is_array, is_sympy


class ArgumentError(Exception):
    """A value that an argument cannot have. `code` is the error's code; the text completes "ARG of LAYER ..."."""

    def __init__(self, code: str, text: str, help: str | None = None):
        super().__init__(text)
        self.code, self.help = code, help


class Word(str):
    """A value that is a word (`same`, `nearest`), as distinct from a name that stands for something."""

    __slots__ = ()


class Kind:
    """What an argument accepts. `convert(value, ndim)` returns the value to keep or raises ArgumentError."""

    words: tuple = ()  # words it takes literally
    raw = False  # whether it takes all text literally, as a notation of its own

    def __init__(self, text: str, convert, words: tuple = (), schema: dict | None = None, raw: bool = False):
        self.text, self.convert, self.words = text, convert, tuple(words)
        self.schema, self.raw = schema or {}, raw

    def __str__(self):
        return self.text


def whole(value, ndim=0):
    """A whole number of any sign; exact fractions and floats that are whole count as such."""
    if type(value) is int:
        return value
    if isinstance(value, Fraction):
        raise ArgumentError("E308", "is not a whole number", "use // to round down, round( ) or ceil( )")
    if isinstance(value, Formula):
        if value.is_whole():
            return value
        raise ArgumentError("E308", "is not a whole number for every value", "use // to round down")
    if is_array(value) or is_sympy(value):
        return value
    if isinstance(value, float):
        raise ArgumentError("E308", "is not a whole number", "use // to round down, round( ) or ceil( )")
    raise ArgumentError("E304", f"needs a whole number, not {shown(value)}")


def _at_least(least: int):
    def convert(value, ndim=0):
        value = whole(value)
        if type(value) is int and value < least:
            raise ArgumentError("E411", f"must be at least {least}")
        return value

    return convert


def _flag(value, ndim=0):
    if isinstance(value, bool):
        return value
    said = {"yes": "true", "no": "false", "on": "true", "off": "false"}.get(str(value).lower(), str(value).lower())
    raise ArgumentError(
        "E304",
        f"is {shown(value)}, which is neither true nor false",
        f"write {said}" if said in ("true", "false") else "write true or false",
    )


def _real(value, ndim=0):
    if isinstance(value, bool) or (not isinstance(value, (int, Fraction, float, Formula)) and not is_array(value)):
        raise ArgumentError("E304", f"needs a number, not {shown(value)}")
    return value


def _probability(value, ndim=0):
    value = _real(value)
    if isinstance(value, (int, Fraction, float)) and not 0 <= value <= 1:
        raise ArgumentError("E411", "must lie between 0 and 1")
    return value


def _spatial(one):
    """One value for every spatial dimension, or a list with one for each: kept as a tuple."""

    def convert(value, ndim=1):
        if isinstance(value, (list, tuple)):
            if len(value) != ndim:
                raise ArgumentError("E411", f"needs {ndim} values or a single one, not {len(value)}")
            return tuple(one(item) for item in value)
        return (one(value),) * ndim

    return convert


def _list(one, least=0):
    def convert(value, ndim=0):
        if not isinstance(value, (list, tuple)):
            value = [value]
        if len(value) < least:
            raise ArgumentError("E411", f"needs at least {least} values")
        return tuple(one(item) for item in value)

    return convert


def shown(value) -> str:
    """A value as a person wrote it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Fraction):
        text = f"{float(value):.12g}"
        return text if Fraction(text) == value else str(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(shown, value))}]"
    return f"`{value}`" if isinstance(value, str) else str(value)


_INT = {"type": ["integer", "string"]}
_PER_DIM = {"anyOf": [_INT, {"type": "array"}]}
positive, natural = _at_least(1), _at_least(0)

dim = Kind("whole number >= 1", positive, schema=_INT)
count = Kind("whole number >= 0", natural, schema=_INT)
integer = Kind("whole number", whole, schema=_INT)
flag = Kind("true or false", _flag, schema={"type": ["boolean", "string"]})
real = Kind("number", _real, schema={"type": ["number", "string"]})
probability = Kind("number from 0 to 1", _probability, schema={"type": ["number", "string"]})
#: one number, or a list of one for each spatial dimension of the layer (`ndim`)
spatial_dim = Kind("whole number >= 1, or one per spatial dimension", _spatial(positive), schema=_PER_DIM)
spatial_count = Kind("whole number >= 0, or one per spatial dimension", _spatial(natural), schema=_PER_DIM)
spatial_real = Kind(
    "number, or one per spatial dimension",
    _spatial(_real),
    schema={"anyOf": [{"type": ["number", "string"]}, {"type": "array"}]},
)
dims = Kind("list of whole numbers", _list(whole), schema={"type": ["array", "string", "integer"]})
sizes = Kind("list of sizes", _list(whole), schema={"type": ["array", "string", "integer"]})


def word(*allowed: str) -> Kind:
    """One of a closed set of words."""

    def convert(value, ndim=0):
        if isinstance(value, str) and str(value) in allowed:
            return str(value)
        raise ArgumentError("E304", f"is {shown(value)}; it must be one of {', '.join(allowed)}")

    return Kind(" | ".join(allowed), convert, allowed, {"type": "string"})


def either(kind: Kind, *allowed: str) -> Kind:
    """A value of `kind`, or one of some words. The word `none` becomes None."""

    def convert(value, ndim=0):
        if isinstance(value, str) and str(value) in allowed:
            return None if value == "none" else str(value)
        return kind.convert(value, ndim)

    return Kind(
        f"{kind.text}, or {' | '.join(allowed)}",
        convert,
        (*kind.words, *allowed),
        {"anyOf": [kind.schema, {"type": "string"}]},
    )


def optional(kind: Kind) -> Kind:
    """A value of `kind`, or `none`."""
    return either(kind, "none")


def per_dimension(kind: Kind) -> Kind:
    """One value of `kind`, or a list with one for each spatial dimension of the layer."""
    return Kind(
        f"{kind.text}, or one per spatial dimension",
        _spatial(kind.convert),
        kind.words,
        {"anyOf": [kind.schema, {"type": "array"}]},
    )


def list_of(kind: Kind, least: int = 0) -> Kind:
    """A list whose items are of `kind` (a bare value is a list of one)."""
    return Kind(
        f"list of {kind.text}",
        _list(kind.convert, least),
        kind.words,
        {"type": ["array", "string", "integer", "number"]},
    )
