"""Who reads what, over the whole graph: what a class takes and what it gives follows from it."""

from __future__ import annotations

from collections.abc import Iterator

from ..graph import Graph, Node, Scope, Value


class NotParametric(Exception):
    """The instances of a block cannot share a class with expressions for its sizes."""


#: written as expressions in forward although torch has a module
EXPRESSIONS = frozenset(("Flatten", "Unflatten"))


def key(value: Value):
    """What makes two values one: a parameter is a new value wherever it is read."""
    return (id(value.node), value.label) if value.part < 0 else id(value)


def outputs(member) -> list[tuple[str | None, Value]]:
    """What a layer, block or group gives, by name where there are several."""
    if isinstance(member, Node):
        return list(zip(member.parts or (None,), member.outputs, strict=True))
    return member.outputs


def inputs(member) -> list[Value]:
    """What a layer or a block takes."""
    return list(member.inputs) if isinstance(member, Node) else list(member.inputs.values())


def level(scope: Scope) -> Iterator:
    """The layers and blocks of a body, those in its groups too, in order."""
    for member in scope.members:
        if isinstance(member, Node) or member.kind == "block":
            yield member
        else:
            yield from level(member)


def by_line(scope: Scope) -> dict[int, list]:
    """The members of a scope by the line of the spec (its id) that they come from."""
    found: dict[int, list] = {}
    for member in scope.members:
        found.setdefault(id(member.by), []).append(member)
    return found


def everything(member) -> Iterator:
    """A member and all that is in it."""
    todo = [member]
    while todo:
        member = todo.pop()
        yield member
        if not isinstance(member, Node):
            todo += reversed(member.members)


def is_empty(member) -> bool:
    """Whether a member is a group in which nothing is left."""
    return isinstance(member, Scope) and member.kind != "block" and all(map(is_empty, member.members))


def block_of(scope: Scope) -> Scope:
    """The block, or the model, in whose body a group stands."""
    while scope.kind != "block" and scope.outer is not None:
        scope = scope.outer
    return scope


def has_module(member) -> bool:
    """Whether a layer or group is a module in the source, not only an expression."""
    return isinstance(member, Scope) or (
        member.layer.torch(*member.shapes) is not None and member.type not in EXPRESSIONS
    )


class Slot:
    """A parameter of the forward of a group: the value that each of its runs gives it, by the id of the run."""

    __slots__ = ("start", "values")

    def __init__(self, values: dict[int, Value], start: bool):
        self.values, self.start = values, start


class Flow:
    """The facts about one graph."""

    def __init__(self, graph: Graph):
        self.readers: dict = {}  # key of a value -> ids of the layers and blocks that read it
        self.runs: dict[str, list[Scope]] = {}  # path -> the runs of the group there: its own, then those of a Reuse
        for member in everything(graph.root):
            if isinstance(member, Node) or member.kind == "block":
                for value in inputs(member):
                    self.readers.setdefault(key(value), set()).add(id(member))
            elif member.outer is not None and member.path != member.outer.path:
                self.runs.setdefault(member.path, []).append(member)

    def all_runs(self, scopes: list[Scope]) -> list[Scope]:
        """Groups and what runs them again."""
        return list({id(run): run for scope in scopes for run in [scope, *self.runs.get(scope.path, ())]}.values())

    # -- what a group gives

    def outlets(self, scopes: list[Scope]) -> list[tuple]:
        """The places (path in the group, which run of it, which output) in the middle of a group that are read outside."""
        return list({place: None for run in self.all_runs(scopes) for place in self._outlets(run)})

    def _outlets(self, scope: Scope) -> Iterator[tuple]:
        inside = {id(member) for member in everything(scope)}
        own = {key(value) for _, value in scope.outputs}
        returned = {key(value) for _, value in block_of(scope).outputs}
        for place, value in _made(scope):
            name = key(value)
            if name not in own and (name in returned or self.readers.get(name, set()) - inside):
                own.add(name)
                yield place

    @staticmethod
    def given(scope: Scope, outlets: list[tuple]) -> list[tuple[str | None, Value]]:
        """The outputs of a group, and what its outlets give in this run."""
        made = dict(_made(scope)) if outlets else {}
        if any(place not in made for place in outlets):
            raise NotParametric("a group gives different things")
        return [*scope.outputs, *((place[0].replace(".", "_"), made[place]) for place in outlets)]

    # -- what a group takes

    def slots(self, scopes: list[Scope]) -> list[Slot]:
        """The parameters of the forward of a group in all its places and runs, the one that it starts from first."""
        runs = {id(run): run for run in self.all_runs(scopes)}
        sites = {number: _sites(run) for number, run in runs.items()}
        others: dict[tuple, dict] = {}
        started = False
        for place in dict.fromkeys(place for found in sites.values() for place in found):
            values = {number: found[place] for number, found in sites.items() if place in found}
            if all(runs[n].start is not None and key(runs[n].start) == key(value) for n, value in values.items()):
                started = True
            else:
                others.setdefault(tuple(key(value) for value in values.values()), values)
        if any(len(values) != len(runs) for values in others.values()):
            raise NotParametric("a group reads different things")
        slots = [Slot({number: run.start for number, run in runs.items()}, True)] if started else []
        return [*slots, *(Slot(values, False) for values in others.values())]

    def chains(self, scope: Scope) -> bool:
        """Whether a group only takes the tensor before it and passes one on."""
        if modules(scope) or len(scope.outputs) != 1 or self.outlets([scope]):
            return False
        slots = self.slots([scope])
        return len(slots) == 1 and slots[0].start


def _made(scope: Scope) -> Iterator[tuple[tuple, Value]]:
    """Every value that the layers and blocks of a group make, by its place."""
    counts: dict[str, int] = {}
    for member in level(scope):
        path = _relative(member.path, scope)
        counts[path] = counts.get(path, 0) + 1
        for number, (_, value) in enumerate(outputs(member)):
            yield (path, counts[path], number), value


def _sites(scope: Scope) -> dict[tuple, Value]:
    """Every place in a group that reads something from outside."""
    made = {key(value) for _, value in _made(scope)}
    found: dict[tuple, Value] = {}
    counts: dict[str, int] = {}
    for member in level(scope):
        path = _relative(member.path, scope)
        counts[path] = counts.get(path, 0) + 1
        found |= {(path, counts[path], k): value for k, value in enumerate(inputs(member))}
    found |= {("", 0, k): value for k, (_, value) in enumerate(scope.outputs)}
    return {
        place: value for place, value in found.items() if key(value) not in made and not _own_parameter(value, scope)
    }


def _own_parameter(value: Value, scope: Scope) -> bool:
    return value.part < 0 and value.node.path.startswith(f"{scope.path}.")


def _relative(path: str, scope: Scope) -> str:
    """A path in a group; of what is used again from outside, in the block."""
    base = scope.path if path.startswith(f"{scope.path}.") else block_of(scope).path
    return path[len(base) + 1 :] if base else path


def modules(scope: Scope) -> list[str]:
    """The modules outside a group that it uses again: their paths in the block."""
    found = [m.path for m in _again(scope) if has_module(m) and not m.path.startswith(f"{scope.path}.")]
    return [_relative(path, scope) for path in dict.fromkeys(found)]


def _again(scope: Scope) -> Iterator:
    """The members of a group that a Reuse runs."""
    for member in scope.members:
        if is_again(member):
            yield member
        elif isinstance(member, Scope) and member.kind != "block":
            yield from _again(member)


def is_again(member) -> bool:
    """Whether a member is a run of an earlier one, not only the copies of such runs."""
    by = member.by
    if by is None or by.type != "Reuse":
        return False
    return (
        isinstance(member, Node)
        or member.kind != "copies"
        or by.name is None
        or member.path != member.outer.child_path(by.name)
    )
