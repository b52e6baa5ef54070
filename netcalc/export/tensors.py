"""Which variable of a forward holds which tensor, and which variable may be written next."""

from __future__ import annotations

from itertools import chain, count

from ..graph import Scope, Value
from .flow import Flow, NotParametric, everything, key

POOL = ("x", "out", "y", "z", "u", "v", "w")  # variables for what is read at once


class Tensors:
    """The variables of one forward.

    A class may suit several instances of a block; a variable then holds a tensor of each, and so the values here are
    dicts {number of the instance: value}.
    """

    def __init__(self, flow: Flow, scopes: list[Scope], returned: list[dict[int, Value]], may_be):
        self.flow, self.may_be = flow, may_be  # may_be: whether a name may be a variable
        self.inside = [{id(member) for member in _level(scope)} for scope in scopes]
        self.returned = [{key(values[at]) for values in returned} for at in range(len(scopes))]
        self.done: set[int] = set()  # ids of what has run
        self.holds: dict[str, dict[int, set]] = {}  # what was written last comes last

    def put(self, variable: str, values: dict[int, Value], keep: bool = False):
        """Note that a variable was written; `keep`: in other instances it holds what it held."""
        held = self.holds.pop(variable, {})
        self.holds[variable] = {**(held if keep else {}), **{at: {key(value)} for at, value in values.items()}}

    def get(self, values: dict[int, Value]) -> str | None:
        """The expression that holds these values; None where there is none."""
        for variable in reversed(self.holds):
            held = self.holds[variable]
            if all(key(value) in held.get(at, ()) for at, value in values.items()):
                return variable
        return None

    def read(self, values: dict[int, Value]) -> str:
        found = self.get(values)
        if found is None:
            raise NotParametric("a tensor lies in different variables")
        return found

    def ran(self, members):
        """Note that layers have run: what only they read is not needed any more."""
        self.done.update(id(inner) for member in members for inner in everything(member))

    def needed(self, at: int, name) -> bool:
        """Whether a value (its key) is still read in an instance."""
        return name in self.returned[at] or bool((self.flow.readers.get(name, set()) & self.inside[at]) - self.done)

    def wanted(self, values: dict[int, Value]) -> bool:
        return any(self.needed(at, key(value)) for at, value in values.items())

    def busy(self, variable: str, instances=None) -> bool:
        """Whether a variable holds something that is still read (in some instances, or in any)."""
        held = self.holds.get(variable, {})
        return any(
            self.needed(at, name)
            for at, names in held.items()
            if instances is None or at in instances
            for name in names
        )

    def free(self, variable: str) -> bool:
        return self.may_be(variable) and not self.busy(variable)

    def target(self, wanted: str | None = None, before: str | None = None, avoid=()) -> str:
        """A variable for a result: the wanted name, else the one that was read, else another."""
        numbered = (f"x{number}" for number in count(1))
        again = before is not None and (before in POOL or (before[0] == "x" and before[1:].isdigit()))
        names = chain([wanted] if wanted is not None else [], [before] if again else [], POOL, numbered)
        return next(name for name in names if name not in avoid and self.free(name))


def _level(scope: Scope):
    """What runs in the forward of a class: a block in it as a whole."""
    for member in scope.members:
        yield member
        if isinstance(member, Scope) and member.kind != "block":
            yield from _level(member)
