"""`repeat`: copies in a row, each fed by the one before; and the names that `name` gives them."""

from __future__ import annotations

import re

from ..arith import Formula
from ..errors import fail
from ..graph import Scope
from ..language import names
from ..language.expressions import ExpressionError, parse
from ..language.reader import Entry
from .environment import Env, evaluate, shown_value
from .free import free
from .reading import passed_on
from .references import only_value

MAX_REPEAT, MAX_COPIES = 10_000, 12_000

_NAME = re.compile(r"[\w-]+", re.ASCII)


def repeated(walk, item, scope: Scope, prev):
    """Run an item with `repeat`; returns the last copy, or all of them as one module where it has a name."""
    entry = item.keywords["repeat"]
    count = evaluate(entry, scope.env)
    if isinstance(count, Formula):
        return free(walk, item, scope, prev, count)
    if type(count) is not int or count < 0:
        raise fail("E308", f"`repeat` needs a whole number >= 0, not {shown_value(count)}", entry.where)
    if count > MAX_REPEAT:
        raise fail("E315", f"`repeat` is {count:,}; at most {MAX_REPEAT:,} copies are possible", entry.where)
    if count == 0:
        walk.warn("W303", "repeat is 0: this layer is not there", entry)
    walk.copies *= max(1, count)
    if walk.copies > MAX_COPIES:
        raise fail("E315", f"the repeats here multiply to more than {MAX_COPIES:,} layers", entry.where)
    if item.name is not None:
        number = walk.number(scope)
        made = _module(walk, item, scope, scope, prev, count)
        walk.register(made, item.name, number, scope)
    else:
        made = _row(walk, item, scope, prev, count, inside=False)
    walk.copies //= max(1, count)
    return made


def _module(walk, item, scope: Scope, here: Scope, prev, count: int, again: bool = False) -> Scope:
    """`name:` with repeat: a module whose children are the copies. again: `prev` is read instead of `from`."""
    inner = Scope("copies", scope.child_path(item.name), scope.env, scope, item)
    inner.name, inner.segment, inner.times = item.name, here.segment, here.times
    inner.start = only_value(prev)
    passed_on(inner, _row(walk, item, inner, prev, count, inside=True, again=again))
    inner.rebuild = lambda other, here: _module(walk, item, scope, here, other, count, again=True)
    return inner


def _row(walk, item, scope: Scope, prev, count: int, inside: bool, again: bool = False):
    before = prev
    for i in range(count):
        env = scope.env.with_index(i)
        name = str(i) if inside else None
        if "name" in item.keywords:
            name = given_name(item.keywords["name"], env)
        prev = walk.place(item, scope, prev, env, name, copied=again or i > 0, before=before)
    return prev


def given_name(entry: Entry, env: Env) -> str:
    """A `name:` text with its {expressions} worked out."""

    def worked_out(match):
        try:
            return shown_value(parse(match.group(1)).value(env.lookup))
        except ExpressionError as problem:
            raise fail(problem.code, problem.text, entry.where, problem.help) from None

    if entry.kind != "text":
        raise fail("E221", "`name` needs a text", entry.where, "for example name: layer_{i}")
    text = re.sub(r"\{([^{}]*)\}", worked_out, entry.value)
    if not _NAME.fullmatch(text) or len(text) > names.MAX_NAME:
        raise fail(
            "E221", f"`{text}` cannot be the name of a layer", entry.where, "use letters, digits, _ and -; no dot"
        )
    if text in names.MODULE_ATTRIBUTES:
        raise fail("E222", f"`{text}` cannot be the name of a layer: torch.nn.Module has it already", entry.where)
    return text
