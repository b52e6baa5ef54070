"""Formulas made readable: terms in a good order, common factors pulled out, and what removes their floors."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import gcd, lcm, prod

from ..arith import Extreme, Formula, Quotient, Traced, at, names_of, symbol
from ..arith.formula import atom_formula

MAX_TERMS = 400  # beyond which nobody reads a factored form


def tree(value, order: tuple = (), factor: bool = False) -> object:
    """A number or formula as a tree that `notation` writes.

    order: the names in the order that they are wanted in a term; others follow by the alphabet. factor: common
    factors pulled out.
    """
    if not isinstance(value, Formula):
        return value
    terms = sorted(value.terms.items(), key=lambda term: _rank(term[0], order))
    return _factored(terms, order) if factor and len(terms) <= MAX_TERMS else _sum(terms, order, factor)


def _rank(mono: tuple, order: tuple):
    """Terms of highest degree first, then by the order of names."""
    powers = {str(atom): power for atom, power in mono}
    known = [-powers.get(name, 0) for name in order]
    return -sum(power for _, power in mono), known, sorted(powers)


def _sum(terms: list, order: tuple, factor: bool):
    total = None
    for mono, coef in terms:
        if total is None:
            total = _term(mono, coef, order, factor)
        else:
            total = Traced(None, "-" if coef < 0 else "+", (total, _term(mono, abs(coef), order, factor)))
    return total


def _term(mono: tuple, coef, order: tuple, factor: bool):
    """A coefficient times powers of names and of other atoms; what has a negative power stands below a fraction."""
    if coef < 0:
        return Traced(None, "negative", (_term(mono, -coef, order, factor),))
    places = {name: place for place, name in enumerate(order)}
    ordered = sorted(mono, key=lambda pair: (places.get(str(pair[0]), len(places)), not isinstance(pair[0], str), str(pair[0])))  # fmt: skip
    over = [_power(atom, power, order, factor) for atom, power in ordered if power > 0]
    under = [_power(atom, -power, order, factor) for atom, power in ordered if power < 0]
    number, below = (coef.numerator, coef.denominator) if isinstance(coef, Fraction) else (coef, 1)
    over = ([number] if number != 1 or not over else []) + over
    under = ([below] if below != 1 else []) + under
    return Traced(None, "/", (_product(over), _product(under))) if under else _product(over)


def _product(parts: list):
    result = parts[0]
    for part in parts[1:]:
        result = Traced(None, "*", (result, part))
    return result


def _power(atom, power: int, order: tuple, factor: bool):
    base = _atom(atom, order, factor)
    return base if power == 1 else Traced(None, "**", (base, power))


def _atom(atom, order: tuple, factor: bool):
    if isinstance(atom, str):
        return Traced(None, "name", (), atom)
    if isinstance(atom, Quotient):
        return Traced(None, "//", (tree(atom.num, order), tree(atom.den, order)))
    return Traced(None, atom.which, tuple(tree(item, order, factor) for item in atom.items))


# -- factoring


def _factored(terms: list, order: tuple):
    """Greedy: what divides most terms is pulled out of them, inside and in the rest again."""
    common, inner = _content(terms)
    if common is not None:
        return _product([_term(*common, order, True), _factored(inner, order)])
    best = _most_shared(terms)
    if best is None:
        return _sum(terms, order, True)
    having = [term for term in terms if dict(term[0]).get(best, 0) > 0]
    lacking = [term for term in terms if dict(term[0]).get(best, 0) <= 0]
    return _added(_factored(having, order), lacking, order)


def _added(first, lacking: list, order: tuple):
    """What was pulled out, plus the rest; a rest that starts with a minus is taken off term by term."""
    if len(lacking) == 1 or not _most_shared(lacking):
        for mono, coef in lacking:
            first = Traced(None, "-" if coef < 0 else "+", (first, _term(mono, abs(coef), order, True)))
        return first
    return Traced(None, "+", (first, _factored(lacking, order)))


def _content(terms: list):
    """((mono, coef) that divides every term, what is left of them), or (None, terms) where there is none."""
    shared = dict(terms[0][0])
    for mono, _ in terms[1:]:
        powers = dict(mono)
        shared = {atom: min(power, powers.get(atom, 0)) for atom, power in shared.items()}
    shared = {atom: power for atom, power in shared.items() if power > 0}
    number = 0
    for _, coef in terms:
        number = gcd(number, coef) if isinstance(coef, int) else 1
    if all(coef < 0 for _, coef in terms):
        number = -number
    if len(terms) == 1 or (not shared and number == 1):
        return None, terms
    inner = []
    for mono, coef in terms:
        left = {atom: power - shared.get(atom, 0) for atom, power in mono}
        inner.append((tuple((a, p) for a, p in left.items() if p), coef // number if number != 1 else coef))
    return (tuple(shared.items()), number), inner


def _most_shared(terms: list):
    """The atom that stands in most terms, at least two; None where no atom does."""
    counts: dict = {}
    for mono, _ in terms:
        for atom, power in mono:
            if power > 0:
                counts[atom] = counts.get(atom, 0) + 1
    best = max(counts, key=lambda atom: (counts[atom], str(atom)), default=None)
    return best if best is not None and counts[best] > 1 else None


# -- maxima


def cases(value, least: int = 1) -> list[tuple[object, str]]:
    """The terms of a maximum, each with when it is the largest, in words; empty where the formula is no maximum.

    In one name and where the terms are linear in it, these are ranges, from `least` on; elsewhere an example,
    of those that have one first: the others were the largest at none of the points that were tried.
    """
    outer = _outermost(value)
    if outer is None:
        return []
    items = [item + (value - atom_formula(outer)) for item in outer.items]
    names = names_of(value)
    lines = [_line(item, next(iter(names))) for item in items] if len(names) == 1 else [None]
    if None in lines:
        examples = _examples(items, sorted(names_of(value)), least)
        return sorted(
            ((item, examples.get(number, "")) for number, item in enumerate(items)), key=lambda case: not case[1]
        )
    [name] = names
    ranges = _ranges(lines, least)
    return [(items[which], _range_text(name, low, high)) for which, low, high in ranges]


def _outermost(value):
    """The maximum that a formula is, something added to it or not."""
    if not isinstance(value, Formula):
        return None
    found = [mono[0][0] for mono, coef in value.terms.items() if coef == 1 and len(mono) == 1 and mono[0][1] == 1 and isinstance(mono[0][0], Extreme)]  # fmt: skip
    return found[0] if len(found) == 1 and found[0].which == "max" else None


def _line(item, name: str):
    """(slope, constant) of a formula that is linear in a name, else None."""
    terms = item.terms if isinstance(item, Formula) else {(): item}
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


def _examples(items: tuple, names: list, least: int) -> dict[int, str]:
    """For items of a maximum a point at which they are the largest, in words; what has none among those tried has no words."""
    found: dict[int, str] = {}
    grid = [least, *(1 << power for power in range(2, 14))]
    for point in sorted(product(grid, repeat=len(names)), key=prod) if len(names) <= 3 else ():
        values = dict(zip(names, point, strict=True))
        sizes = [at(item, values) for item in items]
        which = sizes.index(max(sizes))
        if which not in found:
            found[which] = f"as at {', '.join(f'{name} = {size:,}' for name, size in values.items())}"
    return found


def _range_text(name: str, low: int, high: int | None) -> str:
    if high is None:
        return f"for every {name}" if low == 1 else f"for {name} >= {low:,}"
    return (
        f"for {name} <= {high:,}"
        if low == 1
        else f"for {name} = {low:,}"
        if low == high
        else f"for {low:,} <= {name} <= {high:,}"
    )


# -- floors


def floors(value) -> list[Quotient]:
    """The floor quotients in a formula, those inside others too."""
    if not isinstance(value, Formula):
        return []
    found: list[Quotient] = []
    for mono in value.terms:
        for atom, _ in mono:
            if isinstance(atom, Quotient):
                found += [atom, *floors(atom.num), *floors(atom.den)]
            elif isinstance(atom, Extreme):
                found += [quotient for item in atom.items for quotient in floors(item)]
    return found


def without_floors(value) -> dict[str, Formula]:
    """What to substitute so that no floor is left: {"H": 32*h}; empty where there is none to be found."""
    steps: dict[str, int] = {}
    for quotient in floors(value):
        if isinstance(quotient.den, int):
            for name in names_of(quotient.num):
                steps[name] = lcm(steps.get(name, 1), quotient.den)
    taken = names_of(value)
    if not steps or max(steps.values()) > 1 << 20:
        return {}
    found = {name: step * symbol(_small(name, taken)) for name, step in steps.items()}
    if floors(at(value, found)):
        return {}
    for name, step in steps.items():
        for smaller in sorted(d for d in range(1, step) if step % d == 0):
            trial = found | {name: smaller * symbol(_small(name, taken))}
            if not floors(at(value, trial)):
                found = trial
                break
    return found


def _small(name: str, taken) -> str:
    """`h` for H; another word where that is taken."""
    small = name.lower()
    while small in taken:
        small += "_"
    return small
