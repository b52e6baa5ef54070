"""Closed forms: a figure of a network as a formula in what is free, checked against counted networks."""

from __future__ import annotations

import re
from typing import NamedTuple

from .. import facts
from ..arith import Condition, Domain, Formula, at, names_of, to_sympy
from ..arith.conditions import fewest
from ..errors import NetcalcError
from ..language.names import element
from ..memory.envelope import ANYWHERE
from .algebra import tree, without_floors
from .blackboard import escaped
from .fold import lines
from .maxima import SHOWN, Case, cases, items, left_out
from .notation import Latex, Python, Text
from .proof import One, check
from .quantities import quantity, unmodelled

FORMATS = ("text", "latex", "python", "sympy", "json")
WIDTH = 100
_NAMES = re.compile(r"[A-Za-z_]\w*")


class FormulaResult(NamedTuple):
    """A figure as a formula.

    names: what it is in, in the order wanted. conditions: what these must fulfil. checked: the number of random points
    at which it was compared with a counted network. groups: (label, formula) pairs that add up to it, if asked for.
    ones: (name, `proof.One`) where a name must not be 1: the figure where it is. domain: the sizes that it is proven for.
    """

    model: str
    variant: str | None
    quantity: str
    unit: str
    value: object
    names: tuple
    conditions: tuple
    checked: int
    groups: tuple = ()
    substituted: tuple = ()  # (name, formula) pairs
    unmodelled: tuple = ()  # what makes it a lower bound, in words
    ones: tuple = ()
    domain: Domain = ANYWHERE

    def at(self, **values):
        """Its number for values of the names, by `ones` where one of them is 1; a formula in names that are left out. Raises
        NetcalcError for values at which a peak is another than the formula's."""
        one = next((one for name, one in self.ones if values.get(name) == 1), None)
        value, conditions = (self.value, self.conditions) if one is None else (one.value, one.domain.conditions)
        for condition in conditions if quantity(self.quantity).run else ():
            if condition.at(values) is False:
                given = ", ".join(f"{name} = {values[name]}" for name in sorted(condition.names()) if name in values)
                raise NetcalcError(f"error: the formula of {self.quantity} holds where {condition}; {given} is outside of that\n"
                                   "  help: give the network these values, and it is counted or simulated there")  # fmt: skip
        return at(value, values)

    def cases(self) -> list[Case]:
        """The terms of a maximum, each with the sizes for which it is the largest; the most important first."""
        terms = items(self.value)
        return cases(terms, self.domain) if terms else []

    def to_sympy(self):
        """As a sympy expression; its symbols are positive integers."""
        return to_sympy(self.value)

    def to_dict(self) -> dict:
        """What `--format json` prints."""
        return {
            "model": self.model,
            "variant": self.variant,
            "quantity": self.quantity,
            "unit": self.unit,
            "names": list(self.names),
            "formula": self.value if isinstance(self.value, int) else str(self.value),
            "factored": Python()(tree(self.value, self.names, factor=True)),
            "substituted": {name: str(value) for name, value in self.substituted},
            "cases": [{"formula": str(c.value), "when": c.when, "at": c.point} for c in self.cases()],
            "unmodelled": list(self.unmodelled),
            "conditions": list(map(str, self.conditions)),
            "ones": {
                name: {
                    "formula": one.value if isinstance(one.value, int) else str(one.value),
                    "conditions": list(map(str, one.domain.conditions)),
                }
                for name, one in self.ones
            },
            "groups": [{"label": label, "formula": str(value)} for label, value in self.groups],
            "checked_points": self.checked,
        }

    def format(self, format: str = "text") -> str:
        """In one of FORMATS."""
        if format == "json":
            import json

            return json.dumps(self.to_dict(), indent=2)
        return {"text": _text, "latex": _latex, "python": _python, "sympy": _sympy}[format](self)

    def __str__(self):
        return self.format()

    def _repr_html_(self):
        import html

        return f"<pre>{html.escape(str(self))}</pre>"


def formula(net, name: str, substitute: dict | None = None, by_group: bool = False) -> FormulaResult:
    """A figure of a network as a formula in all that is free. substitute: formulas for some of its names."""
    asked, substitute = quantity(name), substitute or {}
    graph = net.graph
    value, domain = asked.run(net) if asked.run else (asked.of(net), ANYWHERE)
    found = dict(substitute)
    unknown = [given for given in found if given not in graph.free]
    if unknown:
        raise NetcalcError(f"error: --substitute {unknown[0]}: `{unknown[0]}` is not free\n  help: free are {', '.join(graph.free) or 'no names; see --free'}")  # fmt: skip
    checked = check(net, asked, value, domain)
    value = at(value, found)
    groups = tuple((label, at(part, found)) for label, part in _groups(graph, asked)) if by_group else ()
    # a run may go another way for a name that is in none of its sizes
    names = graph.free if asked.run else names_of(value)
    conditions = checked.domain.conditions if asked.run else [condition for condition, _ in graph.conditions]
    return FormulaResult(
        graph.spec.name, graph.variant, asked.name, asked.unit, value, _ordered(net, value, found), _open(conditions, found, {*names}),
        checked.points, groups, tuple(found.items()), unmodelled(net, asked), () if found else tuple(checked.ones.items()),
        ANYWHERE if found else checked.domain,
    )  # fmt: skip


def _ordered(net, value, found: dict) -> tuple:
    """The names of a formula: those that were freed first, as they were given."""
    sizes = [size for value in net.graph.inputs.values() for size in value.shape]
    wanted = [*net.free_names, *(name for size in sizes for name in sorted(names_of(size))), *net.graph.free]
    for name, replacement in found.items():
        wanted += sorted(names_of(replacement))
        wanted = [other for other in wanted if other != name]
    return tuple(name for name in dict.fromkeys(wanted) if name in names_of(value))


def _open(conditions: list, found: dict, names: set) -> tuple:
    """What names must fulfil, as far as it is not settled."""
    names = names.union(*map(names_of, found.values()))
    conditions = [condition.at(found) for condition in conditions]
    return tuple(fewest(c for c in conditions if isinstance(c, Condition) and set(c.names()) & names))


def _groups(graph, asked) -> list:
    """The parts of a sum by module, at the first depth at which there are several."""
    if asked.row is None:
        raise NetcalcError(f"error: {asked.name} is not a sum over layers, so --by-group has no parts to name")
    rows, parts = facts.rows(graph), []
    for depth in range(1, 9):
        found = [(line.title, line.sum(asked.row)) for line in lines(graph, rows, depth)]
        parts = [(title, value) for title, value in found if isinstance(value, Formula) or value]
        if len(parts) > 1:
            break
    return parts


# -- how it is written


def _written(value, names: tuple, factor: bool = False) -> str:
    return Text(floors=True)(tree(value, names, factor)) if isinstance(value, Formula) else f"{value:,}"


def _text(result: FormulaResult) -> str:
    named = result.model + (f" ({result.variant})" if result.variant else "")
    if not isinstance(result.value, Formula):
        return f"{named}: {result.quantity} = {result.value:,} {result.unit}\nNothing is free in it; --free NAMES leaves arguments open."  # fmt: skip
    found = [f"{named}: {result.quantity} ({result.unit}) in {', '.join(result.names)}", ""]
    plain, factored = _written(result.value, result.names), _written(result.value, result.names, True)
    if result.groups:
        found += _grouped(result)
    largest = result.cases()
    if largest:
        found += _cases(largest, result.names)
    else:
        found += _wrapped("= " if result.groups else "", plain)
    if _shorter(factored, plain) and not largest:
        found += _wrapped("= ", factored)
    found.append("")
    if result.substituted:
        found.append(f"With {', '.join(f'{name} = {value}' for name, value in result.substituted)}.")
    found += _offer(result)
    conditions = list(map(str, result.conditions))
    from_two = all(f"{name} >= 2" in conditions for name in result.names)
    conditions = [text for text in conditions if not from_two or text not in [f"{name} >= 2" for name in result.names]]
    valid = f", with {' and '.join(conditions)}" if conditions else ""
    found.append(f"Valid for whole numbers from {1 + from_two} on{valid}.")
    found += [line for name, one in result.ones for line in _where_one(name, one, result.names)]
    found += [f"Not modelled, so a lower bound: {text}." for text in result.unmodelled]
    found.append(_checked(result))
    return "\n".join(found)


def _where_one(name: str, one: One, names: tuple) -> list[str]:
    where = " and ".join([f"{name} = 1", *map(str, one.domain.conditions)])
    terms = [_written(term, names) for term in items(one.value)]
    if not terms:
        return [f"For {where} it is {_written(one.value, names)}."]
    return [f"For {where} it is the largest of", *(f"  {text}" for text in terms)]


def _shorter(factored: str, plain: str) -> bool:
    """Whether factors spare names; a number alone before the parentheses makes nothing clearer."""
    return len(_NAMES.findall(factored)) < len(_NAMES.findall(plain))


def _grouped(result: FormulaResult) -> list[str]:
    """A line for each module."""
    wide = max(len(label) for label, _ in result.groups)
    shown = [(label, _written(value, result.names, True)) for label, value in result.groups]
    parts = [f"  {label:<{wide}}  {text}" for label, text in shown]
    return [*parts, ""]


def _cases(largest: list[Case], names: tuple) -> list[str]:
    """The terms of a maximum below each other, each with when it is the largest."""
    shown = [(_written(case.value, names), case.when) for case in largest[:SHOWN]]
    wide = max(len(text) for text, _ in shown)
    rest = len(largest) - SHOWN
    return [
        "the largest of",
        *(f"  {text:<{wide}}  {when}".rstrip() for text, when in shown),
        *([f"  {left_out(rest)}"] if rest > 0 else []),
    ]


def _wrapped(start: str, text: str) -> list[str]:
    """The lines of a formula: broken before signs, as far outside of parentheses as will do."""
    for depth in range(6):
        pieces = _pieces(text, depth)
        if max(map(len, pieces)) <= WIDTH - 4:
            break
    lines = [start]
    for piece in pieces:
        if len(lines[-1]) + len(piece) > WIDTH and lines[-1].strip() not in ("", "="):
            lines.append("    ")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def _pieces(text: str, most: int) -> list[str]:
    """The text cut before every + and - that stands in at most so many parentheses."""
    pieces, depth = [""], 0
    for place, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char in "+-" and depth <= most and text[place + 1 : place + 2] == " " and place:
            pieces.append("")
        pieces[-1] += char
    return pieces


def _offer(result: FormulaResult) -> list[str]:
    """What to substitute so that the floors go."""
    offered = without_floors(result.value)
    if not offered:
        return []
    shown = " ".join(f"{name}={value}" for name, value in offered.items())
    if items(result.value):
        return [f"Without floors: --substitute {shown}"]
    order = tuple(name for name in result.names if name not in offered) + tuple(
        name for value in offered.values() for name in sorted(value.names())
    )
    short = _written(at(result.value, offered), order, True)
    return [f"Without floors, by --substitute {shown}:", *_wrapped("  ", short)]


def _checked(result: FormulaResult) -> str:
    if not result.checked:
        return "Not checked: no random point was found that meets the conditions."
    return f"Checked at {result.checked} random point{'s' if result.checked > 1 else ''}: equal to the counted network."


def _latex(result: FormulaResult) -> str:
    writer = Latex()
    left = rf"\text{{{escaped(result.quantity)}}}"
    body = [writer(tree(result.value, result.names)), writer(tree(result.value, result.names, True))]
    rows = " \\\\\n  ".join(f"&= {text}" for text in dict.fromkeys(body))
    valid = "".join(rf"\qquad \text{{where {escaped(str(condition))}}}" for condition in result.conditions)
    return f"\\begin{{aligned}}\n{left} {rows}{valid}\n\\end{{aligned}}"


def _python(result: FormulaResult) -> str:
    """A function of the names."""
    name = result.quantity.replace("-", "_")
    valid = f" Valid where {' and '.join(map(str, result.conditions))}." if result.conditions else ""
    model = result.model + (f" ({result.variant})" if result.variant else "")
    doc = f'"""{result.quantity} of {model}, in {result.unit}.{valid}"""'
    body = Python()(tree(result.value, result.names, factor=True))
    given = dict.fromkeys(element(one)[0] for one in result.names)
    return f"def {name}({', '.join(given)}):\n    {doc}\n    return {body}"


def _sympy(result: FormulaResult) -> str:
    from sympy import sstr

    names = result.names
    lead = [f'{", ".join(names)} = symbols("{" ".join(names)}", integer=True, positive=True)'] if names else []
    return "\n".join(["from sympy import Max, Min, floor, symbols", "", *lead, f"{result.quantity.replace('-', '_')} = {sstr(result.to_sympy())}"])  # fmt: skip
