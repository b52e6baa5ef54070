"""A `repeat` whose count is free. One copy stands for all; where the first one differs (in what comes in, by `i == 0`), it
is elaborated by itself, and a second one, whose `i` is a symbol, stands for the rest."""

from __future__ import annotations

import re

from ..arith import Condition, Formula, compare, names_of, same_shape, symbol
from ..errors import SpecError, fail
from ..graph import Scope, trained
from ..layers.base import need
from .binding import shape_text
from .blocks import carried
from .environment import Env
from .reading import Spot, passed_on, read
from .references import value_of

_HELP = "give the number of copies a value"


def free(walk, item, scope: Scope, prev, count: Formula) -> Scope:
    """Run an item with a free `repeat`; returns the copies as one module."""
    number = walk.number(scope)
    inner = _equal_copies(walk, item, scope, prev, count, number)
    if inner is None:
        inner = _first_and_rest(walk, item, scope, prev, count, number)
    walk.register(inner, item.name, number, scope)
    return inner


def _copies(item, scope: Scope, count, walk) -> Scope:
    inner = Scope("copies", scope.child_path(item.name) if item.name else scope.path, scope.env, scope, item)
    inner.name, inner.times = item.name, scope.times * count
    inner.rebuild = _not_again(item)
    where = item.keywords["repeat"]
    at_least_one = compare(">=", count, 1)
    if isinstance(at_least_one, Condition):
        walk.conditions.setdefault(at_least_one, need(at_least_one, "E308", f"`repeat` is {count}", None))
    elif at_least_one is False:
        raise fail("E308", f"`repeat` needs a whole number >= 0, not {count}", where.where)
    return inner


def _not_again(item):
    def rebuild(*_):
        raise fail("E317", "copies of a free `repeat` cannot be used again", item.keywords["repeat"].where, _HELP)

    return rebuild


def _index_name(item, number: str) -> str:
    """How the copies' number is written: their place in the list, for copies without a name of their own."""
    return "i" if item.name is not None or number == "0" else f"{number}+i"


# -- equal copies


def _equal_copies(walk, item, scope: Scope, prev, count, number: str) -> Scope | None:
    """All copies as one; None where they are not equal."""
    saved, first = walk.saved(), len(walk.nodes)
    inner = _copies(item, scope, count, walk)
    try:
        last = walk.place(item, inner, prev, _Indexless(scope.env, item.keywords["repeat"]), _index_name(item, number))
        pairs = _fed(item, scope, prev, last)
        if _even(walk, first, pairs):
            inner.carried = pairs
            passed_on(inner, last)
            return inner
    except SpecError:  # the copy by itself says what is wrong, in the words of its place
        pass
    walk.restore(saved)
    return None


def _fed(item, scope: Scope, prev, last) -> list:
    """Pairs of what a copy reads and what the next one would read in its place."""
    if (
        isinstance(last, Scope)
        and last.block is not None
        and "from" in item.keywords
        and item.keywords["from"].kind == "map"
    ):
        spot = Spot(item, scope, last, scope.env, "", copied=True)
        given = {key.value: ref for key, ref in item.keywords["from"].value}
        return [(last.inputs[name], value) for name, value in carried(spot, last.block, given).items()]
    if prev is None and "from" not in item.keywords:
        return []
    return [(read(Spot(item, scope, prev, scope.env, ""))[0], value_of(last, item.head.where))]


def _even(walk, first: int, pairs: list) -> bool:
    """Whether a second copy would be equal to this one: in shapes, in gradients, and in what it finds to read."""
    if not all(same_shape(before.shape, after.shape) and before.dtype == after.dtype for before, after in pairs):
        return False
    trains, inside = trained(walk.nodes), {id(value) for node in walk.nodes[first:] for value in node.outputs}
    inside |= {id(before) for before, _ in pairs}
    overwritten = any(
        node.layer.inplace and id(node.inputs[0]) not in inside for node in walk.nodes[first:] if node.inputs
    )
    return not overwritten and all((id(before) in trains) == (id(after) in trains) for before, after in pairs)


class _Indexless(Env):
    """An environment in which `i` cannot be used."""

    __slots__ = ("entry",)

    def __init__(self, parent: Env, entry):
        super().__init__(parent.spec, parent.title, parent)
        self.entry = entry
        self.pending["i"] = entry

    def default(self, name: str):
        raise _unequal("`i` cannot be used", self.entry)


# -- a first copy, and the rest


def _first_and_rest(walk, item, scope: Scope, prev, count, number: str) -> Scope:
    entry = item.keywords["repeat"]
    inner = _copies(item, scope, count, walk)
    every, inner.times = inner.times, scope.times
    one = walk.place(item, inner, prev, scope.env.with_index(0), "0" if item.name is not None else number)
    first, inner.times = len(walk.nodes), scope.times * (count - 1)
    try:
        env = scope.env.with_index(symbol("i"))
        rest = walk.place(item, inner, one, env, _index_name(item, number), copied=True, before=prev)
    except SpecError as problem:
        if problem.diagnostics[0].code == "E309" and re.search(r"\bi\b", problem.diagnostics[0].text):
            raise _unequal(problem.diagnostics[0].text, entry) from None
        raise
    inner.times = every
    _check_equal(walk, walk.nodes[first:], entry)
    if (
        isinstance(rest, Scope)
        and rest.block is not None
        and "from" in item.keywords
        and item.keywords["from"].kind == "map"
    ):
        pairs = _fed(item, scope, one, rest)
    else:
        pairs = [(value_of(one, item.head.where), value_of(rest, item.head.where))]
    for before, after in pairs:
        if not same_shape(before.shape, after.shape) or before.dtype != after.dtype:
            raise fail("E317", f"with a free `repeat` the copies after the first must keep their shape, but {shape_text(before.shape)} becomes "
                       f"{shape_text(after.shape)}", entry.where, _HELP)  # fmt: skip
    if not _even(walk, first, pairs):
        raise _unequal("the second one differs from the others in its gradients", entry)
    inner.carried = pairs
    passed_on(inner, rest)
    return inner


def _check_equal(walk, nodes: list, entry):
    """Raises E317 where the number of the copy has a say in its sizes or arguments."""
    for node in nodes:
        sizes = [value.shape for value in node.outputs]
        tensors = [*node.params.values(), *(shape for shape, _ in node.buffers.values())]
        if "i" in names_of([*sizes, *tensors, *node.layer.given.values()]):
            raise _unequal(f"`i` cannot be used, as in `{node.path}`", entry)
    if any("i" in condition.names() for condition in walk.conditions):
        raise _unequal("`i` cannot be used in what sizes must fulfil", entry)


def _unequal(text: str, entry):
    return fail("E317", f"with a free `repeat` the copies after the first must be equal: {text}", entry.where, _HELP)
