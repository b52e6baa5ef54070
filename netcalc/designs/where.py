"""Conditions on designs: `params < 30M and macs <= 300M and width >= 0.5`, over arrays."""

from __future__ import annotations

import re
from fractions import Fraction

from ..errors import NetcalcError, closest
from ..language import expressions
from ..language.evaluation import COMPARISONS
from ..language.expressions import ExpressionError
from ..report.quantities import QUANTITIES
from .axes import text_of

UNITS = {
    "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
_WITH_UNIT = re.compile(
    rf"(?<![\w.])(\d[\d_]*(?:\.\d+)?)\s?({'|'.join(sorted(UNITS, key=len, reverse=True))})(?![\w.])"
)
_EXAMPLE = '--where "params < 30M and macs <= 300M"'


class Where:
    """A condition; `names` are those it asks for, `holds(block)` says where it is met."""

    def __init__(self, text: str, axes):
        self.text, self.axes = text, {axis.name: axis for axis in axes}
        try:
            self.root = _named(expressions.parse(_WITH_UNIT.sub(_plain_number, text)).root)
        except ExpressionError as problem:
            raise self._error(problem.text, problem.help) from None
        if self.root[0] not in ("compare", "and", "or", "not"):
            raise self._error("a condition needs a comparison", f"for example {_EXAMPLE}")
        self.names = list(dict.fromkeys(self._checked(self.root)))

    def _error(self, text: str, help: str | None = None) -> NetcalcError:
        return NetcalcError(f"error: --where {self.text}: {text}" + (f"\n  help: {help}" if help else ""))

    def _checked(self, node):
        """The names of quantities and axes in it; raises where there are others."""
        kind = node[0]
        if kind == "name":
            if node[1] not in QUANTITIES and node[1] not in self.axes:
                raise self._unknown(node[1])
            yield node[1]
        elif kind in ("and", "or"):
            for part in node[1]:
                yield from self._checked(part)
        elif kind in ("not", "negative"):
            yield from self._checked(node[1])
        elif kind == "compare":
            yield from self._checked_comparison(node)
        elif kind == "chain":
            for part in (node[1], *(operand for _, operand in node[2])):
                yield from self._checked(part)
        elif kind not in ("number", "bool"):
            raise self._error("only names, numbers, + - * / // %, comparisons, and, or, not are possible here")

    def _checked_comparison(self, node):
        _, op, left, right, *_ = node
        word = self._word(left, right)
        if word is None:
            yield from self._checked(left)
            yield from self._checked(right)
            return
        name, text = word
        if op not in ("==", "!="):
            raise self._error(f"the values of `{name}` have no order", f"compare with == or !=: {name} == {text}")
        yield name

    def _word(self, left, right) -> tuple[str, str] | None:
        """(axis, word) of a comparison such as Act == ReLU or variant != resnet50; None for any other."""
        for one, other in ((left, right), (right, left)):
            if one[0] == "name" and one[1] in self.axes and other[0] in ("name", "bool"):
                text = str(other[1]).lower() if other[0] == "bool" else other[1]
                if text not in self.axes and text not in QUANTITIES:
                    if text not in map(text_of, self.axes[one[1]].values):
                        raise self._unknown(text)
                    return one[1], text
        return None

    def _unknown(self, name: str) -> NetcalcError:
        known = [*QUANTITIES, *self.axes]
        near = closest(name, known)
        help = (f"did you mean `{near}`? " if near else "") + f"Known here: {', '.join(known)}"
        return self._error(f"there is no quantity and no axis `{name}`", help)

    # -- its truth

    def holds(self, block):
        """A boolean array: where the designs of a block meet it."""
        try:
            return self._truth(self.root, block)
        except ZeroDivisionError:
            raise self._error("division by zero") from None
        except TypeError:
            raise self._error("this needs numbers", f"for example {_EXAMPLE}") from None

    def _truth(self, node, block):
        import functools
        import operator

        import numpy

        kind = node[0]
        if kind in ("and", "or"):
            join = operator.and_ if kind == "and" else operator.or_
            return functools.reduce(join, [self._truth(part, block) for part in node[1]])
        if kind == "not":
            return ~self._truth(node[1], block)
        if kind != "compare":
            raise self._error("`and`, `or` and `not` stand between comparisons", f"for example {_EXAMPLE}")
        word = self._word(node[2], node[3])
        if word is not None:
            name, text = word
            places = [at for at, value in enumerate(self.axes[name].values) if text_of(value) == text]
            return numpy.isin(block.digits[name], places) == (node[1] == "==")
        left, right = self._value(node[2], block), self._value(node[3], block)
        found = _COMPARED[node[1]](left, right)
        return numpy.broadcast_to(numpy.asarray(found, dtype=bool), len(block.index))

    def _value(self, node, block):
        kind = node[0]
        if kind == "number":
            return node[1]
        if kind == "name":
            if node[1] in block.figures:
                return block.figures[node[1]]
            return self.axes[node[1]].array()[block.digits[node[1]]]
        if kind == "negative":
            return _exactly("-")(0, self._value(node[1], block))
        if kind == "chain":
            value = self._value(node[1], block)
            for op, operand in node[2]:
                value = _exactly(op)(value, self._value(operand, block))
            return value
        raise self._error("this needs a number")


def _named(node):
    """A tree in which an element of a list, such as depths[0], is a name."""
    if isinstance(node, tuple) and node and node[0] == "index" and node[1][0] == "name" and node[2][0] == "number":
        return ("name", f"{node[1][1]}[{node[2][1]}]", *node[-2:])
    return type(node)(map(_named, node)) if isinstance(node, (tuple, list)) else node


def _plain_number(found) -> str:
    value = Fraction(found.group(1).replace("_", "")) * UNITS[found.group(2)]
    return str(value.numerator) if value.denominator == 1 else f"({value.numerator}/{value.denominator})"


def _exactly(op: str):
    """An operator on arrays that works with Python's numbers, which cannot overflow."""
    import numpy

    from ..language.evaluation import OPERATORS

    function = OPERATORS[op]
    return numpy.frompyfunc(lambda a, b: function(_python(a), _python(b)), 2, 1)


def _python(value):
    return value if isinstance(value, (int, Fraction)) else value.item() if hasattr(value, "item") else value


def _compared():
    import operator

    found = (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne)
    return dict(zip(COMPARISONS, found, strict=True))


_COMPARED = _compared()
