"""Formulas made readable: terms in a good order, common factors pulled out, and what removes their floors."""

from __future__ import annotations

from fractions import Fraction
from math import gcd, lcm

from ..arith import Extreme, Formula, Quotient, Traced, at, names_of, symbol

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
