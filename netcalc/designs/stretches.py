"""Networks put together of stretches that were counted before: the figures of a network are the sums of theirs."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

from ..elaborate import blocks, lint
from ..elaborate.environment import Env
from ..elaborate.root import batch_dimension, free_names, root_environment
from ..elaborate.walk import MAX_DEPTH, MAX_NODES, MAX_PATH, MAX_STEPS, Walk
from ..errors import SpecError
from ..facts import Gradients
from ..graph import Graph, Scope, Value
from ..language.spec import Item, Spec
from ..report import one_sample
from .chain import Part, parts

MAX_KEPT = 20_000  # stretches remembered


class NoChain(Exception):
    """These values make a network that has to be looked at as a whole."""


class Passed(NamedTuple):
    """What goes from one stretch to the next: a tensor, its name among the outputs of a block, whether something before
    it trains; for each of the lists of layers around it the next number and the words for wiring that are used up."""

    value: Value | None
    name: str | None = None
    trains: bool = False
    lists: tuple = ((0, ()),)

    @property
    def key(self) -> tuple:
        value = self.value
        return (None if value is None else (value.shape, value.dtype), *self[1:])

    @property
    def thing(self):
        """What the next layer finds before it."""
        if self.name is None:
            return self.value
        scope = Scope("block", "", None)
        scope.outputs = [(self.name, self.value)]
        return scope

    def at(self, part: Part, before: Part | None) -> Passed:
        """The same where the next part stands, in other groups perhaps: each that begins takes a number of its list."""
        inside = before.groups if before is not None else ()
        if part.groups == inside:
            return self
        kept = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] is pair[1], zip(inside, part.groups)))  # noqa: B905
        lists = list(self.lists[: kept + 1])
        for _ in part.groups[kept:]:
            number, wired = lists[-1]
            lists[-1:] = [(number + 1, wired), (0, ())]
        return self._replace(lists=tuple(lists))


class Stretch:
    """A part of a network with its figures. after: what it passes on; its value is None where that is what came in.

    graph: its layers, until they are counted. fed: the tensors that came in and of which something before trains.
    size: the largest number of layers that it runs, and the names that it depends on.
    """

    __slots__ = ("after", "conditions", "fed", "figures", "graph", "layers", "size", "state", "steps")

    def __init__(self, graph: Graph, after: Passed | None = None, steps: int = 0, fed: tuple = ()):
        self.graph, self.after, self.steps, self.fed = graph, after, steps, fed
        self.layers = len(graph.nodes)
        self.conditions = [condition for condition, _ in graph.conditions]
        self.figures: dict | None = None
        self.size: tuple | None = None
        self.state: int | None = None  # the number of what it passes on

    def count(self, figures: Callable[[Stretch], dict]) -> dict:
        """Its figures by name, worked out once."""
        if self.figures is None:
            self.figures = figures(self)
            self.graph = None
        return self.figures


class Network(NamedTuple):
    """A network in stretches. args, inputs: the values of the arguments, and the shapes that come in. sizes: the values
    of free dimensions to count with. whole: the network, where it could not be taken apart."""

    stretches: list[Stretch]
    args: dict
    inputs: dict
    sizes: dict
    whole: object = None


class Stretches:
    """The networks of a spec for all kinds of values, with those of their stretches that came before."""

    def __init__(self, spec: Spec):
        self.spec = spec
        self.parts = parts(spec) if spec.body and spec.inputs else []
        self._known: dict = {}
        self._states: dict = {}
        self._refused: dict = {}  # errors, which name the layer before too
        self._layers: tuple[dict, dict] = {}, {}

    def of(self, net) -> Network:
        """A network. Raises SpecError where it does not exist."""
        if len(self.parts) > 1:
            try:
                return self._chain(net)
            except (NoChain, RecursionError):
                pass
        return whole(net)

    def _chain(self, net) -> Network:
        env, inputs, dimensions = root_environment(self.spec, net.given, net.variant_name, net.free_names)
        passed = Passed(next(iter(inputs.values())) if len(inputs) == 1 else None)
        general = (dimensions, *((value.shape, value.dtype) for value in inputs.values()))
        found = []
        before = state = None
        for part in self.parts:
            if before is None or part.groups != before.groups:
                passed, state = passed.at(part, before), None
            if state is None:
                state = self._state(general, passed)
            stretch = self._stretch(part, state, passed, env, inputs, dimensions)
            found.append(stretch)
            if stretch.after.value is None:
                passed, state = stretch.after._replace(value=passed.value), None
            else:
                passed, state = stretch.after, stretch.state
                if state is None:
                    state = stretch.state = self._state(general, passed)
            before = part
        if sum(s.steps + MAX_DEPTH for s in found) > MAX_STEPS or sum(s.layers for s in found) > MAX_NODES:
            raise NoChain
        args = {name: _value(env, name) for name in self.spec.args}
        batch = batch_dimension(self.spec, inputs)
        single = batch in free_names(inputs, args) and batch not in net.given
        return Network(found, args, inputs, {batch: 1} if single else {})

    def _state(self, general: tuple, passed: Passed) -> int:
        """A number for what a part finds before it, quicker to look up than that itself."""
        try:
            return self._states.setdefault((general, passed.key), len(self._states))
        except TypeError:  # sizes that cannot be looked up
            raise NoChain from None

    def _stretch(self, part: Part, state: int, passed: Passed, env: Env, inputs: dict, dimensions) -> Stretch:
        try:
            key = (part.number, state, part.values(env))
            found = self._known.get(key, False)
        except (SpecError, TypeError):  # a default that cannot be worked out, values that cannot be looked up
            raise NoChain from None
        if found is False:
            label = (key, str(passed.value))
            if label in self._refused:
                raise self._refused[label].with_traceback(None)
            try:
                found = self._made(key, part, passed, env, inputs, dimensions)
            except SpecError as problem:
                self._refused[label] = problem
                raise
        if found is None:
            raise NoChain
        return found

    def _made(self, key, part: Part, passed: Passed, env: Env, inputs: dict, dimensions) -> Stretch | None:
        if len(self._known) + len(self._refused) > MAX_KEPT:
            for kept in (self._known, self._refused, *self._layers):
                kept.clear()
        try:
            found = _elaborated(self.spec, env, inputs, dimensions, part, passed, self._layers)
        except NoChain:
            found = None
        self._known[key] = found
        return found


def whole(net) -> Network:
    """A network in one stretch."""
    graph = net.graph
    sizes = {graph.batch: 1} if one_sample.one_sample(net) else {}
    return Network([Stretch(graph)], graph.args, graph.inputs, sizes, net)


def _value(env: Env, name: str):
    try:
        return env.lookup(name)
    except SpecError:  # it has its turn after the layers
        raise NoChain from None


# -- how a part is elaborated


def _elaborated(spec: Spec, env: Env, inputs: dict, dimensions, part: Part, before: Passed, known: tuple) -> Stretch:
    """A part with what comes in. Raises SpecError as the whole network would; NoChain where it cannot speak for itself.

    known: layers that were made before, as `Walk.static` and `Walk.layers`.
    """
    walk = Walk(spec, dimensions)
    walk.static, walk.layers = known
    root = Scope("model", "", env)
    root.block, root.inputs, root.item = spec, inputs, Item(spec.entry)
    scope = _within(walk, root, part, before)
    made = walk.body(part.items, scope, before.thing)
    if part.last:
        blocks.set_outputs(spec, root, made)
    else:
        root.outputs = _only_output(made)
    loss = walk.loss(spec, root) if part.last else ()
    graph = Graph(spec, root, tuple(walk.nodes), root.outputs)
    graph.loss, graph.conditions, graph.batch = loss, tuple(walk.conditions.items()), batch_dimension(spec, inputs)
    fed = (before.value,) if before.trains else ()
    gradients = Gradients(graph, fed)
    _check_alone(graph, part, before, gradients)
    after = Passed(None)
    if not part.last:
        [(name, value)] = root.outputs
        kept = None if value is before.value else Value(value.shape, value.dtype, label=str(value))
        wired = tuple(sorted(walk.wired[id(scope.numbering)][1].items()))
        lists = (*before.lists[:-1], (scope.numbering[0], wired))
        after = Passed(kept, name, gradients.reaches(value), lists)
    return Stretch(graph, after, walk.steps, fed)


def _within(walk: Walk, root: Scope, part: Part, before: Passed) -> Scope:
    """The list of layers that a part stands in, with what was used up in those around it."""
    scope = root
    for group in part.groups:
        scope = Scope("group", scope.child_path(group.name), root.env, scope, group)
        scope.name = group.name
        if len(scope.path) > MAX_PATH:
            raise NoChain
    around = scope
    for number, wired in reversed(before.lists):
        around.numbering[0] = number
        walk.wired[id(around.numbering)] = (around.numbering, dict(wired))
        around = around.outer
    walk.depth = len(part.groups)
    return scope


def _only_output(made) -> list:
    """What a part passes on, as a (name, tensor) pair."""
    outputs = made.outputs if isinstance(made, Scope) else [(None, getattr(made, "outputs", [made])[0])]
    if len(outputs) != 1 or outputs[0][1] is None:
        raise NoChain
    return outputs


def _check_alone(graph: Graph, part: Part, before: Passed, gradients: Gradients):
    """Raises NoChain where a later part could have a say in this one, or this one in an earlier one: by a layer that
    overwrites what is passed on, or by a gradient that ends here."""
    try:
        shared = lint.overwrites(graph, None if part.last else graph.outputs[0][1])
    except SpecError:  # this error has its turn after those of later parts
        raise NoChain from None
    if shared or not (part.number == 0 or gradients.comes_back(before.value)):
        raise NoChain


__all__ = ["Network", "Stretch", "Stretches", "whole"]
