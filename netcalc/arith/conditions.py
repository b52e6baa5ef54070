"""What sizes must fulfil, as few conditions as say it: of many least sizes of one name the largest."""

from __future__ import annotations

from .atoms import Quotient, at
from .formula import Condition, Formula, symbol

LARGEST = 1 << 40  # that a least size is looked for up to


def fewest(conditions) -> list[Condition]:
    """Conditions without those that others imply. `H//16 >= 2` is H >= 32, and says `H//2 + 2 >= 3` too."""
    least: dict[str, int] = {}
    others: dict[Condition, None] = {}
    for condition in conditions:
        found = least_size(condition)
        if found is None:
            others[condition] = None
        else:
            name, size = found
            least[name] = max(size, least.get(name, 1))
    return [*(Condition(">=", symbol(name), size) for name, size in least.items() if size > 1), *others]


def least_size(condition: Condition) -> tuple[str, int] | None:
    """The name and the least number from which on a condition holds; None where it is not of that kind."""
    names = condition.names()
    difference = condition.left - condition.right
    if condition.op not in (">=", ">") or len(names) != 1 or not _rises(difference):
        return None
    [name] = names

    def holds(number: int) -> bool:
        value = at(difference, {name: number})
        return value >= 0 if condition.op == ">=" else value > 0

    high = 1
    while not holds(high):
        high *= 2
        if high > LARGEST:
            return None
    low = high // 2  # does not hold there, or is 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return name, high


def _rises(value) -> bool:
    """Whether a number grows with its name, as far as can be seen: a sum of positive multiples of what does."""
    if not isinstance(value, Formula):
        return True
    for mono, coef in value.terms.items():
        if mono and (coef < 0 or len(mono) > 1 or mono[0][1] != 1 or not _atom_rises(mono[0][0])):
            return False
    return True


def _atom_rises(atom) -> bool:
    if isinstance(atom, str):
        return True
    return isinstance(atom, Quotient) and isinstance(atom.den, int) and atom.den > 0 and _rises(atom.num)
