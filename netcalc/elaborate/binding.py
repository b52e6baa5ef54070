"""The arguments of a layer: from what is written to a Layer, with every wrong value answered in the spec's words."""

from __future__ import annotations

from ..arith import equal
from ..errors import SpecError, closest, fail
from ..language import expressions, names
from ..language.expressions import ExpressionError
from ..language.reader import Entry
from ..layers.base import inferred_value
from ..layers.kinds import ArgumentError, Word, flag, shown
from .environment import Env, KindValue, env_value, evaluate, located, parsed, shown_value


def shape_text(shape) -> str:
    return f"[{', '.join(map(str, shape))}]"


def is_static(item, cls, env: Env) -> bool:
    """Whether the arguments are the same wherever the item stands: no names in them, nothing to check against the input."""
    for key, value in item.arguments:
        if not _is_literal(value) or key.value not in cls.args or cls.args[key.value].infer is not None:
            return False
    return item.main is None or _is_literal(item.main)


def _is_literal(entry: Entry) -> bool:
    if entry.kind == "list":
        return all(map(_is_literal, entry.value))
    return entry.kind == "text" and (entry.value.isdigit() or entry.value in ("true", "false"))


def bound(item, cls, env: Env, extra: dict, shapes: tuple, layers: dict):
    """The layer of an item. extra: arguments that come with a kind of layer. layers: those made before, which serve for
    equal arguments."""
    given = dict(extra)
    inferred = cls.inferences

    def lookup(name):
        if name in inferred and not env.has(name):
            return inferred_value(inferred[name], shapes)
        try:
            return env.lookup(name)
        except KeyError as unknown:
            raise KeyError(name, [*unknown.args[1], *inferred], unknown.args[2]) from None

    places: dict[str, Entry] = {}
    for key, value in item.arguments:
        name = key.value
        _check_known(name, key, item, cls)
        if value.kind == "null":
            places[name] = key
            given[name] = lookup(name) if name in inferred and not env.has(name) else env_value(key, env)
        else:
            places[name] = value
            given[name] = argument_value(value, name, cls, env, lookup)
    if item.main is not None and not cls.operator:
        name = _main_argument(item, cls)
        places[name] = item.main
        given[name] = argument_value(item.main, name, cls, env, lookup)
    _check_complete(given, item, cls)
    try:
        layer = _known_or_new(cls, given, layers)
    except ArgumentError as problem:
        raise _wrong_value(problem, given, places, item, cls) from None
    if inferred.keys() & given.keys():
        for name, actual in layer.inferred(*shapes).items():
            if name in given:
                _check_inferred(name, getattr(layer, name), actual, shapes, places.get(name, item.head))
    return layer


def _known_or_new(cls, given: dict, layers: dict):
    key = (cls, tuple(given), tuple([_key(value) for value in given.values()]))
    try:
        layer = layers.get(key)
    except TypeError:  # values that are arrays cannot be looked up
        return cls(given)
    if layer is None:
        layer = layers[key] = cls(given)
    return layer


def _key(value):
    """A value that can be looked up, and that distinguishes true from 1."""
    return tuple([_key(item) for item in value]) if type(value) is list else (type(value), value)


def _check_known(name: str, key: Entry, item, cls):
    if name in cls.args:
        return
    if name in names.KEYWORDS:
        raise fail("E216", f"`{name}` goes beside {_label(item, cls)}, not inside its braces", key.where,
                   f"- {_label(item, cls)}: {{...}}\n  {name}: ...")  # fmt: skip
    near = closest(name, cls.args)
    help = f"did you mean `{near}`? " if near else ""
    takes = ", ".join(cls.args) or "no arguments"
    raise fail("E230", f"{cls.type} has no argument `{name}`", key.where, f"{help}{cls.type} takes {takes}")


def _label(item, cls) -> str:
    return f"the name `{item.name}`" if item.name and item.type is None else cls.type


def _main_argument(item, cls) -> str:
    if cls.main is not None:
        return cls.main
    required = [name for name, declared in cls.args.items() if declared.required] or list(cls.args)[:1]
    if not required:
        raise fail("E234", f"{cls.type} takes no arguments", item.main.where)
    pattern = ", ".join(f"{name}: ..." for name in required)
    raise fail("E234", f"{cls.type} has no single main argument; name them: {cls.type}: {{{pattern}}}", item.main.where)


def argument_value(entry: Entry, name: str, cls, env: Env, lookup):
    """The value of one argument; words that its kind knows are taken literally."""
    kind = cls.args[name].kind
    if entry.kind == "text" and kind.raw:
        return Word(entry.value)
    if entry.kind == "text" and (kind is flag or kind.words):
        if "(" in entry.value and entry.value.split("(")[0].strip() in kind.words:
            return _word_with_values(entry, lookup)
        word = parsed(entry).name if entry.value not in kind.words else None
        if word and not env.has(word) and (not names.is_type(word) or word.lower() in _SAID):
            raise _unknown_word(entry, name, kind)
    return evaluate(entry, env, kind.words, lookup=lookup)


def _word_with_values(entry: Entry, lookup) -> Word:
    """A word with values in parentheses, such as normal(0.02): each an expression."""
    word, _, rest = entry.value.partition("(")
    if not rest.rstrip().endswith(")"):
        return Word(entry.value)
    listed = f"{' ' * len(word)}[{rest.rstrip()[:-1]}]"  # the same places as in the text, for messages
    try:
        values = expressions.parse(listed).value(lookup)
    except ExpressionError as problem:
        raise located(problem, entry) from None
    return Word(f"{word.strip()}({', '.join(map(shown_value, values))})")


_SAID = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}


def _unknown_word(entry: Entry, name: str, kind) -> SpecError:
    if kind is flag:
        said = _SAID.get(entry.value.lower(), "true or false")
        return fail("E304", f"`{entry.value}` is neither true nor false", entry.where, f"write {said}")
    near = closest(entry.value, kind.words)
    help = (f"did you mean `{near}`? " if near else "") + f"it takes {kind}"
    return fail("E304", f"`{entry.value}` is not a value of {name}", entry.where, help)


def _check_complete(given: dict, item, cls):
    required = [name for name, declared in cls.args.items() if declared.required]
    missing = [name for name in required if name not in given]
    if missing:
        pattern = ", ".join(f"{name}: ..." for name in required)
        what = " and ".join(f"`{name}`" for name in missing)
        raise fail("E235", f"{cls.type} needs {what}", item.head.where, f"{cls.type}: {{{pattern}}}")


def _wrong_value(problem: ArgumentError, given: dict, places: dict, item, cls) -> SpecError:
    name = problem.argument
    place = places.get(name, item.head)
    value = given[name]
    written = place.value if place.kind == "text" and name in places else ""
    text = "a kind of layer" if isinstance(value, KindValue) else shown(value)
    if problem.code == "E308":
        both = text if written in ("", text, name) else f"{written} = {text}"
        message = f"{name} of {cls.type} is {both}, which {problem}"
    elif problem.code == "E411":
        message = f"{name} of {cls.type} is {text}, but {problem}"
    else:
        message = f"{name} of {cls.type} {problem}"
    return fail(problem.code, message, place.where, problem.help)


def _check_inferred(name: str, given, actual, shapes, place: Entry):
    if isinstance(actual, list):
        return  # the layer itself compares lists
    given = given if not isinstance(given, (list, tuple)) else given[-1]
    if equal(given, actual) is not True:
        shape = shape_text(shapes[0])
        raise fail("E414", f"{name} is given as {given}, but the input {shape} has {actual}", place.where,
                   f"leave {name} out: it is always inferred")  # fmt: skip
