"""The terms of a maximum, each with the sizes for which it is the largest."""

from __future__ import annotations

from typing import NamedTuple

from ..arith import Domain, Extreme, Formula, at, atom_formula, names_of, symbol
from ..memory.envelope import Lead, leads

SHOWN = 8  # terms of a maximum that are shown to people; JSON has all
NOWHERE = "not known to be needed"


class Case(NamedTuple):
    """A term of a maximum. number: its place among the terms. when: for which sizes it is the largest, in words: a range,
    or an example. point: such sizes, None where none are known."""

    value: object
    number: int
    when: str
    point: dict | None


def items(value) -> list:
    """What a formula is the largest of, where it is a maximum, something added to it or not; empty where it is none."""
    if not isinstance(value, Formula):
        return []
    found = [mono[0][0] for mono, coef in value.terms.items() if coef == 1 and len(mono) == 1 and mono[0][1] == 1 and isinstance(mono[0][0], Extreme)]  # fmt: skip
    if len(found) != 1 or found[0].which != "max":
        return []
    return [item + (value - atom_formula(found[0])) for item in found[0].items]


def cases(terms: list, domain: Domain, known: dict[int, Lead] | None = None) -> list[Case]:
    """The terms that are the largest somewhere in the domain: in one name, where they are linear in it, by its ranges; else
    those first that are it most often. known: what `leads` found for the terms."""
    names = sorted(frozenset().union(*map(names_of, terms)))
    lines = [_line(term, names[0]) for term in terms] if len(names) == 1 else [None]
    if None not in lines:
        least = at(symbol(names[0]), domain.smallest(names))
        return [
            Case(terms[which], which, _range_text(names[0], low, high, least), {names[0]: low})
            for which, low, high in _ranges(lines, least)
        ]
    known = leads(terms, domain) if known is None else known
    return [
        Case(terms[number], number, _example(lead.point), lead.point)
        for number, lead in sorted(known.items(), key=lambda item: (item[1].point is None, -item[1].share, item[0]))
    ]


def left_out(count: int) -> str:
    """What is said of the terms after those that are shown."""
    return (
        f"... and {count} more, each for few sizes; --format json has all"
        if count > 1
        else "... and one more, for few sizes; --format json has all"
    )


def _example(point: dict | None) -> str:
    return f"as at {', '.join(f'{name} = {size:,}' for name, size in point.items())}" if point else NOWHERE


def _line(term, name: str):
    """(slope, constant) of a formula that is linear in a name, else None."""
    terms = term.terms if isinstance(term, Formula) else {(): term}
    if not set(terms) <= {(), ((name, 1),)}:
        return None
    return terms.get(((name, 1),), 0), terms.get((), 0)


def _ranges(lines: list, first: int) -> list[tuple]:
    """(number of the line, first, last) for whole numbers from `first` on; last is None at the end."""
    found = []
    while True:
        which = max(range(len(lines)), key=lambda i: (lines[i][0] * first + lines[i][1], lines[i][0]))
        slope, constant = lines[which]
        crossings = [(constant - c) // (a - slope) + 1 for a, c in lines if a > slope]
        if not crossings:
            return [*found, (which, first, None)]
        following = max(min(crossings), first + 1)
        found.append((which, first, following - 1))
        first = following


def _range_text(name: str, low: int, high: int | None, least: int) -> str:
    if high is None:
        return f"for every {name}" if low == least else f"for {name} >= {low:,}"
    if low == high:
        return f"for {name} = {low:,}"
    return f"for {name} <= {high:,}" if low == least else f"for {low:,} <= {name} <= {high:,}"
