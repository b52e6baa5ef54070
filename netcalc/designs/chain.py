"""A network as a chain: stretches of its body that pass a single tensor on, each of which can be elaborated by itself.

What a stretch becomes depends on the tensor that comes in and on the arguments that its lines mention, on nothing else.
Networks that differ in some arguments have the other stretches in common.
"""

from __future__ import annotations

import itertools
import re

from ..elaborate.environment import Env, KindValue, parsed
from ..elaborate.root import dimensions_of
from ..elaborate.walk import names_of
from ..errors import SpecError
from ..language import names
from ..language.reader import Entry
from ..language.spec import Item, Spec

_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class Part:
    """A stretch of a body: the number-th of all. groups: the named groups that it stands in, outermost first. reads: the
    arguments and free sizes that it mentions, as pairs (name, place in a list or None)."""

    __slots__ = ("groups", "items", "last", "number", "reads")

    def __init__(self, spec: Spec, number: int, groups: tuple[Item, ...], items: list[Item], last: bool):
        self.number, self.groups, self.items, self.last = number, groups, items, last
        known = {*spec.args, *dimensions_of(spec)}
        found = set().union(*(_reads(item) for item in (*items, *((spec.loss or ()) if last else ()))))
        self.reads = tuple(sorted((pair for pair in found if pair[0] in known), key=str))

    def values(self, env: Env) -> tuple:
        """The values of what it mentions, to look it up by."""
        return tuple([_key(_read(env, name, place)) for name, place in self.reads])


# -- where a body can be cut


def parts(spec: Spec) -> list[Part]:
    """The parts of a network, in order; a single one where nothing can be taken apart."""
    listed = list(_cut(spec.body, (), [*_joints(spec.body, {*spec.inputs, "input"}), *_ends(spec)]))
    return [Part(spec, i, groups, items, i == len(listed) - 1) for i, (groups, items) in enumerate(listed)]


def _cut(body: list[Item], groups: tuple, joints):
    """(groups, lines) of each part. joints: pairs (first, last) of lines that must not be parted, nor what is between; of
    a single line that is a group, its layers."""
    joints = list(joints)
    uncut = {first for first, last in joints if first == last}
    count = len(body)
    joined = [False] * count  # whether a line belongs to one part with the line before it
    for first, last in joints:
        joined[first + 1 : last + 1] = [True] * (last - first)
    starts = [index for index in range(count) if not joined[index]]
    for a, b in itertools.pairwise([*starts, count]):
        if b - a == 1 and a not in uncut and _is_plain_group(body[a]):
            yield from _cut(body[a].body, (*groups, body[a]), _joints(body[a].body, set()))
        else:
            yield groups, body[a:b]


def _is_plain_group(item: Item) -> bool:
    return item.name is not None and item.type in (None, "Sequential") and not item.keywords


def _joints(body: list[Item], inputs: set):
    """Pairs of lines that cannot be looked at one without the other. inputs: the names of what comes in."""
    defined: dict[str, int] = {}  # the first line that has a name
    for index, item in enumerate(body):
        if "name" in item.keywords and not _fixed_name(item.keywords["name"]):
            yield 0, len(body) - 1  # it may meet the name of any other line
        yield from _back(_words(item), index, inputs, defined)
        for name in names_of([item]) | ({item.keywords["name"].value} if "name" in item.keywords else set()):
            if name in defined:
                yield defined[name], index
            defined.setdefault(name, index)


def _ends(spec: Spec):
    """The same for what outputs and loss refer to."""
    inputs, end = {*spec.inputs, "input"}, len(spec.body) - 1
    defined = {name: index for index, item in reversed([*enumerate(spec.body)]) for name in names_of([item])}
    for words in ([_text_words(ref) for _, ref in spec.outputs or ()], [_words(item) for item in spec.loss or ()]):
        yield from _back(set().union(*words), end, inputs, defined)


def _fixed_name(entry: Entry) -> bool:
    return entry.kind == "text" and entry.value.isidentifier() and names.is_type(entry.value)


def _back(words: set, index: int, inputs: set, defined: dict):
    """From a line to those before it that its words may refer to."""
    if "prev" in words and index:
        yield index - 1, index
    if words & inputs:
        yield 0, index
    for word in words & defined.keys():
        yield defined[word], index


def _words(item: Item) -> set[str]:
    """Every word in an item that may be a reference."""
    entries = [*item.keywords.values(), *(value for _, value in item.arguments)]
    found = {key.value for key, _ in item.arguments}.union(*map(_text_words, entries))
    if item.main is not None:
        found |= _text_words(item.main)
    return found.union(*map(_words, _inside(item)))


def _inside(item: Item) -> list[Item]:
    return [*(item.body or ()), *(item.shortcut or ()), *([item.merge] if item.merge else ())]


def _text_words(entry: Entry) -> set[str]:
    if entry.kind == "text":
        return set(_WORD.findall(entry.value))
    if entry.kind == "list":
        return set().union(*map(_text_words, entry.value))
    if entry.kind == "map":
        return set().union(*({key.value} | _text_words(value) for key, value in entry.value))
    return set()


# -- what is read


def _reads(item: Item) -> set[tuple]:
    """(name, None), or (name, place) where only one place of a list is asked for."""
    found = {(item.type, None)} if item.type else set()
    for key, value in item.arguments:
        found |= {(key.value, None)} if value.kind == "null" else _read_by(value)
    for entry in (*item.keywords.values(), *([item.main] if item.main is not None else ())):
        found |= _read_by(entry)
    return found.union(*map(_reads, _inside(item)))


def _read_by(entry: Entry) -> set[tuple]:
    if entry.kind == "text":
        try:
            return set(_in_tree(parsed(entry).root))
        except SpecError:  # not an expression: a reference, a template of names, words that a layer takes literally
            return {(word, None) for word in _WORD.findall(entry.value)}
    if entry.kind == "list":
        return set().union(*map(_read_by, entry.value))
    if entry.kind == "map":
        return set().union(*({(key.value, None)} | _read_by(value) for key, value in entry.value))
    return set()


def _in_tree(node):
    """The names in a tree of `expressions`, with the place where it is a single one of a list."""
    if node[0] == "index" and node[1][0] == "name" and node[2][0] == "number":
        yield node[1][1], node[2][1]
    elif node[0] == "name":
        yield node[1], None
    elif node[0] not in ("number", "bool"):
        for part in node[1:]:
            yield from _in_parts(part)


def _in_parts(part):
    if isinstance(part, tuple) and part and isinstance(part[0], str) and len(part) > 2:
        yield from _in_tree(part)
    elif isinstance(part, (tuple, list)):
        for inner in part:
            yield from _in_parts(inner)


def _read(env: Env, name: str, place):
    value = env.lookup(name)
    if place is None or not isinstance(value, list):
        return value
    return value[place] if type(place) is int and -len(value) <= place < len(value) else (len(value), place)


def _key(value):
    """A value that can be looked up, and that distinguishes true from 1."""
    if isinstance(value, list):
        return tuple(map(_key, value))
    if isinstance(value, KindValue):
        return (value.name, id(value.spec), *((name, _key(item)) for name, item in value.given.items()))
    return type(value), value
