"""The peak of a step with mixtures of experts, whatever their routers do.

Which tokens go to which expert decides how much is alive at an instant, but not what happens when: bytes are a linear function
of the numbers of tokens that experts get. Of a mixture each expert gets at most all tokens, and top_k times as many are
dealt out; so at each instant the most is there if those top_k experts for which a token takes most get all of them. The
mixtures of a network are at work one after the other: of all others all that is saved is there, or nothing, and that is the
same for every routing.
"""

from __future__ import annotations

from typing import NamedTuple

from ..arith import prod
from ..facts import Row

BASE = 2  # tokens to each expert in the first column; one more to one expert in each other. Not 0 or 1: those are cases apart


class Mixture(NamedTuple):
    tokens: int
    top_k: int
    experts: int


def mixtures(rows: list[Row]) -> list[Mixture]:
    """The different ones of a network; none where a size is free."""
    found = dict.fromkeys(
        Mixture(prod(row.shapes[0][:-1]), row.node.layer.top_k, row.node.layer.num_experts)
        for row in rows
        if row.type == "MixtureOfExperts"
    )
    return list(found) if all(type(size) is int for mixture in found for size in mixture) else []


class Columns:
    """Shares as arrays: in the first column every expert gets as many tokens, in each other one expert gets one more."""

    def __init__(self, different: list[Mixture]):
        self.starts: dict[Mixture, int] = {}
        self.count = 1
        for mixture in different:
            self.starts[mixture] = self.count
            self.count += mixture.experts

    def share(self, tokens: int, top_k: int, experts: int, number: int):
        import numpy as np

        found = np.full(self.count, BASE, dtype=np.int64)
        found[self.starts[tokens, top_k, experts] + number] += 1
        return found

    def highest(self, trace) -> int:
        """The most bytes alive at any time of a run with these shares, for any routing."""
        import numpy as np

        changes = np.empty((len(trace.events), self.count), dtype=np.int64)
        for at, (index, sign) in enumerate(trace.events):
            changes[at] = sign * trace.storages[index].bytes
        alive = changes.cumsum(axis=0)
        of_a_token = alive[:, 1:] - alive[:, :1]
        found = alive[:, 0] - BASE * of_a_token.sum(axis=1)
        for mixture, start in self.starts.items():
            own = np.sort(of_a_token[:, start - 1 : start - 1 + mixture.experts], axis=1)
            found += mixture.tokens * own[:, -mixture.top_k :].sum(axis=1)
        return int(found.max())
