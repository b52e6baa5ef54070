"""The sizes inside a block in terms of the block's own names.

The graph has numbers; source needs `nn.Conv2d(in_channels, planes, ...)`. Every instance of a block is gone through once
more with symbols for its arguments and sizes, by the layers' own rules; what comes out is kept only where it gives the
numbers of all instances.
"""

from __future__ import annotations

import re

from ..arith import Formula, at, symbol
from ..elaborate.environment import evaluate, parsed
from ..errors import SpecError
from ..graph import Node, Scope
from ..language.expressions import ExpressionError
from ..language.names import is_type
from ..layers.kinds import ArgumentError
from .code import python
from .twins import Twins

FAILURES = (
    SpecError,
    ArgumentError,
    ExpressionError,
    TypeError,
    KeyError,
    ValueError,
    AttributeError,
    ArithmeticError,
    IndexError,
)

#: a size that has no common expression; it must not appear in source
UNRESOLVED = symbol("UNRESOLVED_SIZE")


class Frames:
    """The frames of a graph: one for each instance of a block that is not like an earlier one."""

    def __init__(self, twins: Twins):
        self.twins = twins
        self.by_scope: dict[int, Frame] = {}
        self.by_block: dict[int, Frame] = {}  # the first of each block

    def of(self, scope: Scope) -> Frame:
        twin = self.twins.first(scope)
        found = self.by_scope.get(id(twin))
        if found is None:
            found = self.by_scope[id(twin)] = Frame(twin, self, self.by_block.get(id(twin.block)))
            self.by_block.setdefault(id(twin.block), found)
        return found


class Frame:
    """One instance of a block (or the model): the symbolic shape of every tensor in it.

    like: the frame of another instance, whose symbols are taken over where they give the right numbers.
    """

    def __init__(self, scope: Scope, frames: Frames, like: Frame | None = None):
        self.scope, self.env, self.frames = scope, scope.env, frames
        self.like = like.steps if like else []
        self.steps: list[tuple] = []  # (line of the spec, kind of layer, number of the copy, symbolic shapes)
        self.shapes: dict[int, tuple] = {}
        self.values = self._known_values()  # of names, and of expressions that have no formula, by their text
        self.evaluated: dict[tuple, tuple] = {}  # (id of a size, number of a copy) -> the size and its value
        self._inputs()
        self._run(scope, None)

    def _known_values(self) -> dict:
        values = {}
        env = self.env
        while env is not None:
            for name in [*env.pending]:
                env.lookup(name)
            for name, value in env.values.items():
                values.setdefault(name, value)
                if isinstance(value, list):
                    values.update({f"{name}[{k}]": item for k, item in enumerate(value)})
            env = env.parent
        return values

    def lookup(self, index=None):
        """Names as symbols where they stand for whole numbers, else as their values."""

        def found(name: str):
            if name == "i" and index is not None:
                return index
            value = self.env.lookup(name)
            if _is_size(value) and is_type(name) and name in self.scope.block.args:
                return self._side(name, value, found)
            if _is_size(value):
                return value if self.is_real(name) else symbol(name)
            if isinstance(value, list) and value and all(map(_is_size, value)):
                return [symbol(f"{name}[{k}]") for k in range(len(value))]
            return value

        return found

    def _side(self, name: str, value, found):
        """A size of the input that has a default (H: 224): its number, which reads better than an argument; or the
        argument that it follows from (H: image_size)."""
        if self.is_side(name):
            return value
        follows = parsed(self.scope.block.args[name][1]).value(found)
        return follows if self.value_of(follows) == value else value

    def is_side(self, name: str) -> bool:
        """Whether an argument is a size of the input that has a number for its default."""
        args = self.scope.block.args
        return is_type(name) and name in args and args[name][1].kind == "text" and not parsed(args[name][1]).names

    def is_real(self, name: str) -> bool:
        """Whether an argument is a real number that only happens to be whole here, such as width: 1.0."""
        default = self.scope.block.args.get(name)
        return (
            default is not None
            and default[1].kind == "text"
            and re.fullmatch(r"[\d_]*\.\d*", default[1].value) is not None
        )

    def shape(self, value) -> tuple:
        return self.shapes.get(id(value), value.shape)

    def value_of(self, size, index=None):
        """What a symbolic size is in this instance."""
        if type(size) is int:
            return size
        found = self.evaluated.get((id(size), index))
        if found is None:
            value = at(size, self.values if index is None else {**self.values, "i": index})
            found = self.evaluated[id(size), index] = size, value
        return found[1]

    # -- going through

    def _inputs(self):
        declared = self.scope.block.inputs or {}
        for name, value in self.scope.inputs.items():
            if name not in declared:
                self.shapes[id(value)] = value.shape
                continue
            found = self._taken_over(name, None, None, [value.shape])
            if found is None:
                found = [tuple(map(self._pattern, declared[name].shape, value.shape))]
            [self.shapes[id(value)]] = self._step(name, None, None, found, [value.shape])

    def _pattern(self, entry, size):
        try:
            return evaluate(entry, self.env, lookup=self.lookup())
        except FAILURES:
            return size

    def _run(self, scope: Scope, index):
        counts: dict[int, int] = {}
        for position, member in enumerate(scope.members):
            line = id(member.by)
            counts[line] = counts.get(line, -1) + 1
            here = index
            if scope.kind == "copies":
                here = position
            elif "repeat" in member.by.keywords and not (isinstance(member, Scope) and member.kind == "copies"):
                here = counts[line]
            if isinstance(member, Node):
                self._node(member, here)
            elif member.kind == "block":
                self._block(member, here)
            else:
                self._run(member, here)

    def _node(self, node: Node, index):
        actual = [value.shape for value in node.outputs]
        found = self._taken_over(node.by, type(node.layer), index, actual)
        if found is None:
            found = self.symbolic_node(node, index)
        found = self._step(node.by, type(node.layer), index, found, actual)
        for value, shape in zip(node.outputs, found, strict=True):
            self.shapes[id(value)] = shape

    def _step(self, line, kind, index, found: list, actual: list) -> list:
        """The shapes, their sizes symbols where these give the right numbers. Noted for further instances."""
        found = [self._checked(shape, numbers, index) for shape, numbers in zip(found, actual, strict=True)]
        self.steps.append((line, kind, index, found))
        return found

    def _taken_over(self, line, kind, index, actual: list) -> list | None:
        """What the other frame has at this step, where that is the same and its sizes are right here."""
        at_step = len(self.steps)
        if at_step >= len(self.like) or self.like[at_step][:3] != (line, kind, index):
            return None
        found = self.like[at_step][3]
        right = all(
            self._checked(shape, numbers, index) is shape for shape, numbers in zip(found, actual, strict=False)
        )
        return found if right and len(found) == len(actual) else None

    def _checked(self, shape, actual, index) -> tuple:
        """The symbolic shape where it gives the actual one, size by size."""
        if len(shape) != len(actual):
            return actual
        right = [self.value_of(s, index) == a for s, a in zip(shape, actual, strict=True)]
        if all(right) and type(shape) is tuple:
            return shape
        return tuple(s if fits else a for s, a, fits in zip(shape, actual, right, strict=True))

    def symbolic_node(self, node: Node, index) -> list:
        inputs = [self.shape(value) for value in node.inputs]
        actual = [value.shape for value in node.outputs]
        try:
            layer = type(node.layer)(self.symbolic_arguments(node, index, inputs))
            shape = layer.shape(*inputs)
        except FAILURES:
            return actual
        found = list(shape) if node.parts is not None else [shape]
        return found if len(found) == len(actual) else actual

    def symbolic_arguments(self, node: Node, index, inputs) -> dict:
        given = dict(node.layer.given)
        item = node.item
        lookup = self.lookup(index)
        inferred = node.layer.inferred(*inputs) if node.layer.args else {}

        def found(name):
            return inferred[name] if name in inferred and not self.env.has(name) else lookup(name)

        written = list(item.arguments)
        if item.main is not None and type(node.layer).main and not type(node.layer).operator and item.type:
            written.append((None, item.main))
        for key, entry in written:
            name = key.value if key is not None else type(node.layer).main
            if name not in node.layer.args:
                continue
            given[name] = self.symbolic_value(entry, key, found, given.get(name))
        return given

    def symbolic_value(self, entry, key, lookup, actual):
        """An argument's value with symbols; an expression that symbols cannot go through becomes one symbol."""
        if entry.kind == "null":
            value = lookup(key.value)
            return value if _is_size(value) or isinstance(value, list) else actual
        if entry.kind == "list":
            values = actual if isinstance(actual, (list, tuple)) else [None] * len(entry.value)
            return [
                self.symbolic_value(item, None, lookup, value) for item, value in zip(entry.value, values, strict=True)
            ]
        if entry.kind != "text":
            return actual
        try:
            expression = parsed(entry)
        except SpecError:
            return actual
        if not expression.names or not _is_size(actual):
            return actual
        try:
            if any(map(self.is_real, expression.names)):
                raise ValueError("not a formula in whole numbers")
            value = expression.value(lookup)
            if (isinstance(value, Formula) and value.is_whole()) or type(value) is int:
                return value
        except FAILURES:
            pass
        except Exception as problem:  # Undecided: a condition on symbols
            if type(problem).__name__ != "Undecided":
                raise
        if "i" in expression.names:
            return actual
        text = python(expression, lambda name: name)
        self.values[text] = actual
        return symbol(text)

    def _block(self, scope: Scope, index):
        frame = self.frames.of(scope)
        known = {**frame.values, **self._call(scope, index)}
        for (_, value), (_, written) in zip(scope.outputs, frame.scope.outputs, strict=True):
            if id(value) not in self.shapes:
                shape = tuple(at(size, known) for size in frame.shape(written))
                self.shapes[id(value)] = self._checked(shape, value.shape, index)

    def _call(self, scope: Scope, index) -> dict:
        """The names of a block in terms of the names outside: sizes from the tensors, arguments from the call."""
        names = {}
        for name, declared in (scope.block.inputs or {}).items():
            outside = self.shape(scope.inputs[name])
            for entry, size in zip(declared.shape, outside, strict=True):
                if entry.kind == "text" and is_type(entry.value):
                    names.setdefault(entry.value, size)
        lookup = self.lookup(index)
        for key, entry in scope.item.arguments:
            actual = scope.env.values.get(key.value)
            names[key.value] = self.symbolic_value(entry, key, lookup, actual)
        return {name: value for name, value in names.items() if _is_size(value) or isinstance(value, Formula)}


def _is_size(value) -> bool:
    return type(value) is int or isinstance(value, Formula)


def unified(entries: list) -> tuple:
    """The shape that is right for all entries (frame, symbolic shape, actual shape, index); UNRESOLVED where none is."""
    first = entries[0][1]
    if all(symbolic is first for _, symbolic, _, _ in entries):
        return first  # each frame has made sure that it is right there
    ranks = {len(actual) for _, _, actual, _ in entries}
    if len(ranks) != 1:
        return (UNRESOLVED,) * max(ranks)
    return tuple(_unified_size([(f, s[d], a[d], i) for f, s, a, i in entries]) for d in range(ranks.pop()))


def _unified_size(entries: list):
    first = entries[0][1]
    if all(symbolic is first or symbolic == first for _, symbolic, _, _ in entries):
        return first
    candidates = {str(symbolic): symbolic for _, symbolic, _, _ in entries}
    step = _progression(entries)
    if step is not None:
        candidates[str(step)] = step
    for candidate in sorted(candidates.values(), key=lambda c: (not isinstance(c, int), len(str(c)))):
        if all(frame.value_of(candidate, index) == actual for frame, _, actual, index in entries):
            return candidate
    return UNRESOLVED


def _progression(entries: list):
    """first + step * i, where the copies of a repeat grow evenly (two would always do)."""
    if len(entries) < 3 or any(index is None for *_, index in entries) or len({id(f) for f, *_ in entries}) != 1:
        return None
    (_, first, _, i), (_, second, _, j) = entries[:2]
    if j != i + 1:
        return None
    step = second - first
    return first + step * (symbol("i") - i)
