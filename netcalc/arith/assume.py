"""What formulas leave open, answered as it is for some sample of their names; the answers are noted as conditions.

A run on symbols that asks only through `holds` is the run of every design that meets the noted conditions.
"""

from __future__ import annotations

from contextlib import contextmanager
from math import gcd

from .formula import Condition, Formula

NEGATED = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


class Mixed(ValueError):
    """Of an array some numbers meet a condition and others do not, so that they do not run alike."""


class Assumed:
    """point: a value for every name. taken: the conditions that were asked for, each as it holds at the point."""

    def __init__(self, point: dict):
        self.point = point
        self._taken: dict[str, Condition] = {}
        self.equal: dict[tuple, bool] = {}  # what was answered, by both sides

    @property
    def taken(self) -> tuple[Condition, ...]:
        return tuple(self._taken.values())

    def holds(self, condition: Condition) -> bool:
        found = condition.at(self.point) is True
        true = condition if found else Condition(NEGATED[condition.op], condition.left, condition.right)
        self._taken.setdefault(str(true), true)
        return found


_now: list[Assumed] = []


@contextmanager
def assuming(point: dict):
    """Inside, `holds` answers for this point."""
    _now.append(Assumed(point))
    try:
        yield _now[-1]
    finally:
        _now.pop()


def holds(found) -> bool:
    """Whether a comparison is true. What is open is answered for the point assumed, else taken to be false. Raises Mixed
    for an array in which it is true of some only."""
    if found is True or found is False:
        return found
    if isinstance(found, Condition):
        return bool(_now) and _answered(found)
    if hasattr(found, "all"):
        if found.all():
            return True
        if found.any():
            raise Mixed("these sizes do not run alike")
    return False


def equal_sizes(a, b) -> bool:
    """Whether two sizes are equal: as `holds` says, once for every two of them."""
    from . import equal

    if not (_now and isinstance(a, (int, Formula)) and isinstance(b, (int, Formula))):
        return holds(equal(a, b))
    key, known = (_key(a), _key(b)), _now[-1].equal
    if key not in known:
        known[key] = holds(equal(a, b))
    return known[key]


def _key(size):
    return size if type(size) is int else tuple(size.terms.items())


def _answered(condition: Condition) -> bool:
    from . import compare

    left, right = reduced(condition.left, condition.right)
    if condition.op in ("==", "!=") and not isinstance(left, Formula):
        left, right = right, left
    found = compare(condition.op, left, right)
    return found if isinstance(found, bool) else _now[-1].holds(found)


def reduced(left, right) -> tuple:
    """Both sides of a comparison without what they have in common: N*H*W and H*W are N and 1."""
    difference = left - right
    if not isinstance(difference, Formula) or not _plain(difference):
        return left, right
    powers = [dict(mono) for mono in difference.terms]
    common = {name: min(each.get(name, 0) for each in powers) for name in powers[0]}
    factor = gcd(*difference.terms.values())
    sides: tuple[dict, dict] = {}, {}
    for mono, coef in difference.terms.items():
        rest = tuple((name, power - common.get(name, 0)) for name, power in mono if power > common.get(name, 0))
        sides[coef < 0][rest] = abs(coef) // factor
    return _side(sides[0]), _side(sides[1])


def _plain(difference: Formula) -> bool:
    """Whether only whole multiples of powers of symbols are in it: these are at least 1."""
    return all(
        isinstance(coef, int) and all(isinstance(atom, str) and power > 0 for atom, power in mono)
        for mono, coef in difference.terms.items()
    )


def _side(terms: dict):
    return Formula(terms) if any(terms) else terms.get((), 0)
