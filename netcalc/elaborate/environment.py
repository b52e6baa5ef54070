"""What names stand for in a file or block, and the values of expressions there."""

from __future__ import annotations

from ..arith import Formula, divides, equal, is_array, is_sympy, symbol
from ..errors import SpecError, closest, fail
from ..language import expressions, names, standard
from ..language.evaluation import bounded, weight
from ..language.expressions import ExpressionError
from ..language.reader import Entry
from ..layers.base import REGISTRY
from ..layers.kinds import Word, shown

MAX_CHAIN = 50  # defaults that need one another
MAX_GIVEN = 500  # arguments in a kind of layer, with those of the kinds inside it
MAX_DIMENSIONS = 64  # of a tensor, as in torch


class KindValue:
    """A kind of layer as a value: its name, arguments already given, and the file whose blocks it may be."""

    __slots__ = ("given", "name", "spec")

    def __init__(self, name: str, given: dict, spec):
        self.name, self.given, self.spec = name, given, spec

    def __eq__(self, other):
        return isinstance(other, KindValue) and (self.name, self.given) == (other.name, other.given)

    def __hash__(self):
        return hash(self.name)

    def __str__(self):
        return self.name

    @property
    def block(self):
        """The block that it is; None where it is a layer of netcalc's own."""
        return block_named(self.name, self.spec)


def block_named(name: str, spec):
    """The block of that name in a file: its own, an imported one, or one of the standard library, which comes last."""
    return (
        spec.blocks.get(name) or spec.resolved.get(name) or (None if name in REGISTRY else standard.blocks().get(name))
    )


class Env:
    """The names of one file or block. Defaults are worked out when they are first needed."""

    __slots__ = ("declared", "parent", "pending", "spec", "title", "values", "working")

    def __init__(self, spec, title: str, parent: Env | None = None):
        self.spec, self.title, self.parent = spec, title, parent
        self.values: dict = {}
        self.pending: dict[str, Entry] = {}  # defaults not worked out yet
        self.working: list[str] = []
        self.declared: dict[str, Entry] = {}  # where each argument is declared

    def with_index(self, index) -> Env:
        """The same with `i`."""
        env = Env(self.spec, self.title, self)
        env.values["i"] = index
        return env

    def has(self, name: str) -> bool:
        return name in self.values or name in self.pending or (self.parent is not None and self.parent.has(name))

    def known(self) -> list[str]:
        own = [*self.values, *self.pending]
        return own + (self.parent.known() if self.parent else [])

    def lookup(self, name: str):
        """The value of a name. Raises KeyError(name, known names, where they were looked for)."""
        env = self
        while env is not None:
            if name in env.values:
                return env.values[name]
            if name in env.pending:
                return env.default(name)
            env = env.parent
        if names.is_type(name) and (name in REGISTRY or self.type_of(name)):
            return KindValue(name, {}, self.spec)
        raise KeyError(name, self.known(), self.title)

    def type_of(self, name: str):
        """The block of that name, as this file sees it; None where there is none."""
        return block_named(name, self.spec)

    def default(self, name: str):
        if name in self.working:
            raise fail("E316", f"`{self.working[0]}` is defined by way of itself", self.pending[self.working[0]].where)
        if len(self.working) >= MAX_CHAIN:
            raise fail(
                "E315", f"more than {MAX_CHAIN} defaults are defined by way of one another", self.pending[name].where
            )
        self.working.append(name)
        value = evaluate(self.pending[name], self, as_word=True)
        self.working.remove(name)
        del self.pending[name]
        self.values[name] = value
        return value


def evaluate(entry: Entry, env: Env, words: tuple = (), as_word: bool = False, lookup=None):
    """The value of what is written.

    words: taken literally unless an argument has that name. as_word: an unknown small-letter name is a word.
    lookup: replaces env.lookup.
    """
    if entry.kind == "text":
        text = entry.value
        if words and text in words and not env.has(text):
            return Word(text)
        expression = parsed(entry)
        if expression.constant is not None:
            return expression.constant
        lookup = lookup or env.lookup
        if as_word and expression.name and names.starts_small(expression.name) and not env.has(expression.name):
            return Word(expression.name)
        try:
            return expression.value(lookup)
        except ExpressionError as problem:
            raise located(problem, entry) from None
    if entry.kind == "list":
        return _bounded([evaluate(item, env, words, as_word, lookup) for item in entry.value], entry)
    if entry.kind == "map":
        return _kind_with_arguments(entry, env)
    return None


def _kind_with_arguments(entry: Entry, env: Env) -> KindValue:
    types = [key for key, _ in entry.value if names.is_type(key.value)]
    if len(entry.value) != 1 or not types:
        raise fail(
            "E318",
            "a value is a number, a word, a list or a kind of layer",
            entry.where,
            "write for example {Bottleneck: {groups: 32}}",
        )
    key, arguments = entry.value[0]
    try:
        base = env.lookup(key.value)
    except KeyError:
        base = None
    if not isinstance(base, KindValue):
        raise unknown_type(key, env)
    given = dict(base.given)
    layer = REGISTRY.get(base.name) if base.block is None else None
    if arguments.kind == "map":
        for name, value in arguments.value:
            if layer is not None and name.value not in layer.args:
                near = closest(name.value, layer.args)
                help = f"did you mean `{near}`? " if near else ""
                raise fail(
                    "E230",
                    f"{layer.type} has no argument `{name.value}`",
                    name.where,
                    f"{help}{layer.type} takes {', '.join(layer.args)}",
                )
            given[name.value] = env_value(name, env) if value.kind == "null" else _given(value, name.value, layer, env)
    elif arguments.kind != "null":
        if layer is None or layer.main is None:
            raise fail("E234", f"{base.name} has no single main argument; name them", arguments.where)
        given[layer.main] = _given(arguments, layer.main, layer, env)
    kind = KindValue(base.name, given, base.spec)
    if weight(kind, MAX_GIVEN) > MAX_GIVEN:
        raise fail("E315", f"this kind of layer has more than {MAX_GIVEN} arguments", entry.where)
    return kind


def _given(entry: Entry, name: str, layer, env: Env):
    """The value of an argument that is given with a kind of layer; layer: None for a block."""
    if layer is not None and layer.args[name].kind.raw and entry.kind == "text":
        return Word(entry.value)
    return evaluate(entry, env, as_word=True)


def env_value(key: Entry, env: Env):
    """The value of the argument that a key without a value stands for."""
    if not env.has(key.value):
        raise fail("E233", f"`{key.value}` has no value, and there is no argument `{key.value}` here to take it from",
                    key.where, f"write {key.value}: 3")  # fmt: skip
    return env.lookup(key.value)


def unknown_type(entry: Entry, env: Env) -> SpecError:
    kinds = [*REGISTRY, *names.CONTAINERS, "Reuse", *env.spec.blocks, *env.spec.resolved, *standard.blocks()]
    near = closest(entry.value, kinds)
    help = (
        f"did you mean `{near}`?" if near else "`netcalc layers` lists all layers; newer netcalc versions may know more"
    )
    return fail("E220", f"there is no layer `{entry.value}`", entry.where, help)


def parsed(entry: Entry) -> expressions.Expression:
    """The expression of a text entry, parsed once."""
    if entry.cache is None:
        try:
            entry.cache = expressions.parse(entry.value)
        except ExpressionError as problem:
            raise located(problem, entry) from None
    return entry.cache


def _bounded(value: list, entry: Entry) -> list:
    try:
        return bounded(value, 0, 1)
    except ExpressionError as problem:
        raise fail(problem.code, problem.text, entry.where) from None


def located(problem: ExpressionError, entry: Entry) -> SpecError:
    where = entry.inside(problem.start, problem.end)
    return fail(problem.code, problem.text, where, problem.help)


def shape_of(entries: list[Entry], env: Env, declaring: bool = False) -> tuple:
    """A shape: whole numbers and formulas. declaring: it declares an input, where capital letters are free."""
    sizes = []
    for entry in entries:
        try:
            size = evaluate(entry, env)
        except SpecError as problem:
            raise _with_capitals(problem) if declaring else problem from None
        if not is_size(size):
            raise fail("E308", f"a size needs a whole number, not {shown_value(size)}", entry.where)
        sizes.append(size)
    if len(sizes) > MAX_DIMENSIONS:
        raise fail("E419", f"a tensor has at most {MAX_DIMENSIONS} dimensions, not {len(sizes):,}", entries[0].where)
    return tuple(sizes)


def _with_capitals(problem: SpecError) -> SpecError:
    """An unknown name in an input's shape may be meant as a free dimension."""
    [diagnostic] = problem.diagnostics
    if diagnostic.code == "E302":
        diagnostic = diagnostic._replace(
            help=f"{diagnostic.help} (A free dimension has a capital letter, like N or H.)"
        )
    return SpecError(diagnostic)


def is_size(value) -> bool:
    if isinstance(value, Formula):
        return value.is_whole()
    return (type(value) is int) or is_array(value) or is_sympy(value)


def shown_value(value) -> str:
    """A value in a message."""
    return f"the kind of layer {value}" if isinstance(value, KindValue) else shown(value)


def bind_sizes(patterns, shapes: list, env: Env, mismatch):
    """Give the capital names of input patterns their sizes and check everything else.

    patterns: the syntax `Input`s, shapes: the shapes that arrive. `mismatch(pattern, shape)` makes the error.
    First the lone names are bound, then multiples such as 16*H, then what is left must be equal.
    """
    rest = []
    for pattern, shape in zip(patterns, shapes, strict=True):
        if len(pattern.shape) != len(shape):
            raise mismatch(pattern, shape)
        for entry, size in zip(pattern.shape, shape, strict=True):
            name = entry.value if entry.kind == "text" else None
            if names.is_type(name) and not env.has(name):
                env.values[name] = size
            elif not (type(size) is int and name == str(size)):
                rest.append((entry, size, pattern, shape))
    for entry, size, pattern, shape in rest:
        unknown = (
            [n for n in parsed(entry).names if names.is_type(n) and not env.has(n)] if entry.kind == "text" else []
        )
        if len(unknown) == 1:
            name = unknown[0]
            trial = evaluate(entry, env, lookup=lambda n, name=name: symbol(n) if n == name else env.lookup(n))
            factor = trial.terms.get(((name, 1),)) if isinstance(trial, Formula) and len(trial.terms) == 1 else None
            if factor and divides(factor, size) is True:
                env.values[name] = size // factor
                continue
            raise mismatch(pattern, shape)
        if equal(shape_of([entry], env, declaring=True)[0], size) is not True:
            raise mismatch(pattern, shape)
