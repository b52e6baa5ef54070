"""What would make a training step smaller: each lever measured by the same simulation, and the best of them together."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import NamedTuple


class Cost(NamedTuple):
    """What a step needs: bytes at the peak and FLOPs, those of recomputation included."""

    bytes: int
    flops: int


class Lever(NamedTuple):
    """A change of the options. group: of one group at most one is pulled. exact: whether training stays the same but for
    rounding errors."""

    name: str
    group: str
    options: dict
    exact: bool


class Pulled(NamedTuple):
    """Levers pulled together and what the step needs then, beside what it needed before."""

    levers: tuple[Lever, ...]
    cost: Cost
    base: Cost

    @property
    def saved(self) -> int:
        return self.base.bytes - self.cost.bytes

    @property
    def extra_flops(self) -> int:
        return self.cost.flops - self.base.flops

    @property
    def exact(self) -> bool:
        return all(lever.exact for lever in self.levers)


def levers(batch: int) -> list[Lever]:
    """The levers for a batch of that many samples."""
    found = [
        Lever("autocast to bfloat16 (--amp)", "precision", {"amp": "bfloat16"}, False),
        Lever("everything in bfloat16", "precision", {"dtype": "bfloat16"}, False),
        Lever("fused optimizer", "optimizer", {"implementation": "fused"}, True),
        Lever("plain SGD", "optimizer", {"optimizer": "sgd"}, False),
        Lever("checkpoint every block", "checkpoint", {"checkpoint": "blocks"}, True),
        *(
            Lever(f"checkpoint {text} block", "checkpoint", {"checkpoint": f"blocks:{k}"}, True)
            for k, text in ((2, "every second"), (3, "every third"), (4, "every fourth"))
        ),
        Lever("train the last layer only", "freeze", {"freeze": "all but last"}, False),
        Lever("in-place activations", "inplace", {"inplace": True}, True),
    ]
    parts = [k for k in (2, 4, 8) if batch % k == 0 and batch > k]
    return found + [Lever(f"accumulate over {k} x {batch // k}", "accumulate", {"accumulate": k}, True) for k in parts]


class Table(NamedTuple):
    """base: without any lever. alone: each that saves bytes, the one that saves most first. best, best_exact: the best
    combinations, of all levers and of those that leave training the same; None where nothing is saved. useless: levers
    that save nothing. missing: those that this network does not have."""

    base: Cost
    alone: list[Pulled]
    best: Pulled | None
    best_exact: Pulled | None
    useless: list[Lever]
    missing: list[Lever]


def measure(simulate: Callable[[dict], Cost | None], known: list[Lever], enough: int | None = None) -> Table:
    """Every lever alone, then the best combinations.

    simulate: what a step needs under changed options, None where they do not apply to the network. enough: a number of
    bytes; a combination that is within it grows no further.
    """
    runner = _Runner(simulate)
    base = runner.cost(())
    costs = {lever.name: runner.cost((lever,)) for lever in known}
    alone = [Pulled((lever,), costs[lever.name], base) for lever in known if costs[lever.name] is not None]
    useful = sorted((pulled for pulled in alone if pulled.saved > 0), key=_worth)
    candidates = [pulled.levers[0] for pulled in alone]
    best = _combined(runner, candidates, base, enough)
    exact = _combined(runner, [lever for lever in candidates if lever.exact], base, enough)
    return Table(
        base,
        useful,
        best,
        exact,
        [pulled.levers[0] for pulled in alone if pulled.saved <= 0],
        [lever for lever in known if costs[lever.name] is None],
    )


class _Runner:
    """Each combination simulated once."""

    def __init__(self, simulate):
        self.simulate = simulate
        self.known: dict[frozenset, Cost | None] = {}

    def cost(self, chosen: tuple[Lever, ...]) -> Cost | None:
        key = frozenset(lever.name for lever in chosen)
        if key not in self.known:
            options: dict = {}
            for lever in chosen:
                options |= lever.options
            self.known[key] = self.simulate(options)
        return self.known[key]


def _worth(pulled: Pulled) -> tuple:
    """Most bytes first; of equal ones the one with the least work, then the one that leaves training the same."""
    return -pulled.saved, pulled.extra_flops, not pulled.exact, len(pulled.levers)


def _combined(runner: _Runner, candidates: list[Lever], base: Cost, enough: int | None) -> Pulled | None:
    """The combination that is got by pulling, each time, the lever that saves most, or exchanging one of its group.

    Where no single one saves, two together may: the peak is that of one phase, and another one is as high.
    """
    chosen, cost = (), base
    while enough is None or cost.bytes > enough:
        singles = [(lever,) for lever in candidates]
        pairs = ((a, b) for a, b in combinations(candidates, 2) if a.group != b.group)
        options = _better(runner, chosen, cost, base, singles) or _better(runner, chosen, cost, base, pairs)
        if not options:
            break
        step = min(options, key=_worth)
        chosen, cost = step.levers, step.cost
    return Pulled(chosen, cost, base) if chosen else None


def _better(runner: _Runner, chosen: tuple, cost: Cost, base: Cost, more) -> list[Pulled]:
    """Those of several additions to the chosen levers that save further bytes."""
    found = []
    for added in more:
        groups = {lever.group for lever in added}
        changed = (*(other for other in chosen if other.group not in groups), *added)
        new = runner.cost(changed)
        if new is not None and new.bytes < cost.bytes:
            found.append(Pulled(changed, new, base))
    return found
