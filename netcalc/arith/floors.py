"""Whole division of formulas: floors in normal form, so that strided layers collapse to one quotient."""

from __future__ import annotations

from fractions import Fraction
from math import gcd

from .atoms import Quotient, tight
from .formula import Formula, atom_formula, made


def floored(formula: Formula, divisor):
    """floor(formula / divisor), of a number or a formula."""
    if isinstance(divisor, Formula):
        return _by_formula(formula, divisor)
    return (
        _by_int(formula * divisor.denominator, divisor.numerator)
        if isinstance(divisor, Fraction)
        else _by_int(formula, divisor)
    )


def _over(a: tuple, b: tuple) -> tuple | None:
    """The monomial a / b, or None where it is not one."""
    powers = dict(a)
    for atom, power in b:
        left = powers.get(atom, 0) - power
        if left < 0:
            return None
        powers[atom] = left
    return tuple((atom, power) for atom, power in powers.items() if power)


def _by_int(formula: Formula, divisor: int):
    if divisor == 0:
        raise ZeroDivisionError("division by zero")
    if divisor < 0:
        return _by_int(-formula, -divisor)
    if divisor == 1 and formula.is_whole():
        return formula
    if not formula.is_whole():
        return _clear_fractions(formula, divisor)
    outside, inside = {}, {}
    for mono, coef in formula.terms.items():
        if not mono:
            quotient, coef = divmod(coef, divisor)
            if quotient:
                outside[mono] = quotient
            if coef:
                inside[mono] = coef
        elif coef % divisor:
            inside[mono] = coef
        else:
            outside[mono] = coef // divisor
    rest = made(inside)
    if not isinstance(rest, Formula):
        return made(outside)
    return made(outside) + _quotient(rest, divisor)


def _clear_fractions(formula: Formula, divisor: int):
    scale = 1
    for coef in formula.terms.values():
        scale = scale * coef.denominator // gcd(scale, coef.denominator)
    scaled = formula * scale
    if scale > 1 and isinstance(scaled, Formula) and scaled.is_whole():
        return _by_int(scaled, divisor * scale)
    return atom_formula(Quotient(formula, divisor))


def _quotient(rest: Formula, divisor: int):
    """floor(rest / divisor) with common factors cancelled and quotients of quotients joined."""
    if all(coef < 0 for mono, coef in rest.terms.items() if mono):  # floor(-p/d) = -floor((p + d - 1)/d)
        return -_by_int(-rest + (divisor - 1), divisor)
    common = divisor
    for mono, coef in rest.terms.items():
        if mono:
            common = gcd(common, coef)
    if common > 1:
        rest = made({m: c // common for m, c in rest.terms.items() if m or c // common})
        divisor //= common
    inner = [mono for mono in rest.terms if mono]
    if len(inner) == 1 and rest.terms[inner[0]] == 1 and len(inner[0]) == 1:
        atom, power = inner[0][0]
        if power == 1 and isinstance(atom, Quotient) and isinstance(atom.den, int):
            return _by_int(atom.num + rest.terms.get((), 0) * atom.den, divisor * atom.den)
    return atom_formula(Quotient(rest, divisor))


def _by_formula(formula: Formula, divisor: Formula):
    if (exact := exact_quotient(formula, divisor)) is not None:
        return exact
    if len(divisor.terms) > 1:
        return atom_formula(Quotient(formula, divisor))
    [(mono, coef)] = divisor.terms.items()
    outside, inside = {}, {}
    for term, c in formula.terms.items():
        left = _over(term, mono)
        if left is None or not isinstance(c, int) or c % coef:
            inside[term] = c
        else:
            outside[left] = c // coef
    rest = made(inside)
    if not isinstance(rest, Formula):
        high = divisor.bounds()[0]
        if rest == 0 or (high is not None and 0 <= rest < high):
            return made(outside)
        rest = Formula({(): rest})
    return made(outside) + atom_formula(Quotient(rest, divisor))


def exact_quotient(formula: Formula, divisor: Formula):
    """The polynomial formula / divisor where there is one with whole coefficients, else None (long division)."""
    rest, quotient = formula, 0
    lead, lead_coef = max(divisor.terms.items(), key=_order)
    for _ in range(64):
        if not isinstance(rest, Formula):
            return quotient if rest == 0 else None
        mono, coef = max(rest.terms.items(), key=_order)
        left = _over(mono, lead)
        if left is None or not isinstance(coef, int) or coef % lead_coef:
            return None
        step = made({left: coef // lead_coef})
        quotient = quotient + step
        rest = rest - step * divisor
    return None


def _order(term):
    """A total order of monomials in which the leading one of a product is the product of the leading ones."""
    mono, _ = term
    return sum(power for _, power in mono), sorted(((str(atom), power) for atom, power in mono), reverse=True)


def cancelled(a, b) -> tuple:
    """Two numbers or formulas without their common factor, of whole numbers and symbols; these are at least 1."""
    terms = [term for value in (a, b) for term in (value.terms if isinstance(value, Formula) else {(): value}).items()]
    if not all(isinstance(coef, int) for _, coef in terms):
        return a, b
    number = gcd(*(coef for _, coef in terms)) or 1
    powers = [{atom: power for atom, power in mono if isinstance(atom, str)} for mono, _ in terms]
    common = {atom: min(each.get(atom, 0) for each in powers) for atom in powers[0]}
    factor = tuple((atom, power) for atom, power in common.items() if power > 0)
    if number == 1 and not factor:
        return a, b
    return tuple(
        made({_over(mono, factor): coef // number for mono, coef in value.terms.items()})
        if isinstance(value, Formula)
        else value // number
        for value in (a, b)
    )


def remainder_text(formula: Formula) -> str | None:
    """`a % d` for the formula a - d*(a//d), as a person would write it; None for any other."""
    found = remainder(formula)
    return found and f"{tight(found[0])} % {tight(found[1])}"


def remainder(formula: Formula) -> tuple | None:
    """(number, divisor) of the formula number - divisor*(number//divisor); None for any other."""
    for mono, coef in formula.terms.items():
        for atom, power in mono:
            if power == 1 and isinstance(atom, Quotient) and isinstance(coef, int) and coef < 0:
                divisor = made({_over(mono, ((atom, 1),)): -coef})
                number = formula + divisor * atom_formula(atom)
                if isinstance(number, Formula) and number // divisor == atom_formula(atom):
                    return number, divisor
    return None
