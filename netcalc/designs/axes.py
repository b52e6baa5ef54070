"""What varies: the axes of a grid, from text such as `2..8` or from Python values."""

from __future__ import annotations

import re
from fractions import Fraction

from ..elaborate.environment import Env, evaluate
from ..errors import NetcalcError
from ..language import expressions, files
from ..language.expressions import ExpressionError
from ..language.reader import read
from ..layers.kinds import shown

MAX_VALUES = 10_000_000  # of one axis
VARIANT = "variant"  # the name of the axis of variants

_RANGE = re.compile(r"\s*(-?[\d_.eE]+?)\s*\.\.\s*(-?[\d_.eE]+?)\s*(?:\.\.\s*(-?[\d_.eE]+?)\s*)?")


class Axis:
    """A name and the values that it takes in turn: a range of ints, or a list of values of the language.

    text: as it was given. numeric: whether all values are whole numbers >= 1, so that a symbol can stand for them.
    """

    __slots__ = ("_array", "name", "numeric", "range", "text", "values")

    def __init__(self, name: str, values, text: str):
        self.name, self.values, self.text = name, values, text
        whole = isinstance(values, range) or all(type(value) is int for value in values)
        ends = (values[0], values[-1]) if isinstance(values, range) else values if whole else ()
        self.range = (min(ends), max(ends)) if whole else None  # (least, greatest) where all are whole numbers
        self.numeric = whole and self.range[0] >= 1 and self.range[1] < 2**62
        self._array = None

    def __len__(self):
        return len(self.values)

    def array(self):
        """The values as a numpy array: int64 where they are whole numbers, else of objects."""
        if self._array is None:
            import numpy

            if self.range is not None and max(map(abs, self.range)) < 2**62:
                self._array = numpy.asarray(self.values, dtype=numpy.int64)
            else:
                self._array = numpy.empty(len(self.values), dtype=object)
                for index, value in enumerate(self.values):
                    self._array[index] = value
        return self._array


def plain(value):
    """A value for JSON and for a person's Python: kinds of layer and words as text, fractions as floats."""
    if isinstance(value, Fraction):
        return float(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value if isinstance(value, (bool, int, float)) else str(value)


def text_of(value) -> str:
    """A value as it is written in a spec."""
    if hasattr(value, "given"):
        inner = ", ".join(f"{name}: {text_of(item)}" for name, item in value.given.items())
        return f"{value.name}: {{{inner}}}" if inner else value.name
    if isinstance(value, list):
        return f"[{', '.join(map(text_of, value))}]"
    return str(value) if isinstance(value, str) else shown(value)


def axis(name: str, given, spec) -> Axis:
    """The axis of a name: from text as in --set, from a range, a list of alternatives, an array, or a single value."""
    if isinstance(given, str):
        return Axis(name, _values(name, given, spec), given)
    if isinstance(given, range):
        values = given
    elif hasattr(given, "tolist"):  # an array
        values = given.tolist()
    else:
        values = list(given) if isinstance(given, (list, tuple)) else [given]
    if not isinstance(values, (list, range)):
        values = [values]
    if not len(values):
        raise NetcalcError(f"error: sweep: `{name}` has no values")
    if isinstance(values, range):
        return Axis(name, values, f"{values[0]}..{values[-1]}" + f"..{values.step}" * (values.step != 1))
    found = [_of_python(name, value, spec) for value in values]
    return Axis(name, found, ", ".join(map(text_of, found)))


def _of_python(name: str, value, spec):
    if isinstance(value, str):
        return _value(name, value, spec)
    if isinstance(value, float):
        exact = Fraction(str(value))
        return exact.numerator if exact.denominator == 1 else exact
    return [_of_python(name, item, spec) for item in value] if isinstance(value, (list, tuple)) else value


def _values(name: str, text: str, spec):
    found: list = []
    parts = split(text)
    for part in parts:
        stretch = _range(name, part)
        if stretch is not None and len(parts) == 1:
            return stretch
        found += stretch if stretch is not None else [_value(name, part, spec)]
        if len(found) > MAX_VALUES:
            raise NetcalcError(f"error: --set {name}: an axis has at most {MAX_VALUES:,} values")
    return found


def split(text: str) -> list[str]:
    """What stands between the commas that are not inside brackets."""
    parts, depth, start = [], 0, 0
    for at, char in enumerate(text):
        depth += (char in "[{(") - (char in "]})")
        if char == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    return [*parts, text[start:].strip()]


def _range(name: str, text: str):
    """The values of `first..last` or `first..last..step`; None for any other text."""
    if ".." not in text or text.lstrip().startswith("["):
        return None
    match = _RANGE.fullmatch(text)
    try:
        first, last, step = (_number(part) for part in match.groups(default="1"))
    except (AttributeError, ExpressionError):
        raise NetcalcError(f"error: --set {name}={text}: a range is FIRST..LAST or FIRST..LAST..STEP, in numbers\n"
                           f"  help: for example {name}=2..8 or {name}=0.25..1..0.25") from None  # fmt: skip
    if step == 0 or (last - first) / Fraction(step) < 0:
        help = "the step is 0" if step == 0 else f"write {last}..{first}, or {first}..{last}..-1 to go down"
        raise NetcalcError(f"error: --set {name}={text}: this range is empty\n  help: {help}")
    count = (last - first) // step + 1
    if count > MAX_VALUES:
        raise NetcalcError(
            f"error: --set {name}={text}: these are {count:,} values; an axis has at most {MAX_VALUES:,}"
        )
    if all(type(number) is int for number in (first, last, step)):
        return range(first, first + step * count, step)
    return [_whole(first + step * number) for number in range(count)]


def _number(text: str):
    text = text.strip()
    return -expressions.number(text[1:]) if text.startswith("-") else expressions.number(text)


def _whole(value):
    return value.numerator if isinstance(value, Fraction) and value.denominator == 1 else value


def _value(name: str, text: str, spec):
    if not text:
        raise NetcalcError(f"error: --set {name}: a value is missing\n  help: for example --set {name}=1,2,4")
    entry = read(files.read_text(text.encode(), f"--set {name}"))
    return evaluate(entry, Env(spec, "in this file"), as_word=True)
