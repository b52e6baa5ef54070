"""Which tokens choose an expert, where FakeTensors have no data to tell: every expert is chosen equally often.

The places of `torch.where(chosen == number)`, with `chosen` from a topk of the scores of E experts, are as many as
`(choices + number) // E`: over all experts that is each choice once, and no two experts differ by more than one.
"""

from __future__ import annotations

import torch

aten = torch.ops.aten


def equal(choices: int, experts: int, number: int) -> int:
    """How many of the choices fall on an expert."""
    return (choices + number) // experts


class Shares:
    """The operations that lead from scores to places, on FakeTensors. given: how many choices fall on each expert; `equal`
    if left out."""

    def __init__(self, given: list | None = None):
        self.given = given

    def places(self, function, args) -> torch.Tensor | None:
        """What nonzero gives of a mask that tells where an expert was chosen; None for all else."""
        share = getattr(args[0], "share", None) if function is aten.nonzero.default else None
        if share is None:
            return None
        # the columns lie one after the other (nonzero_out_cpu, Nonzero.cu)
        return args[0].new_empty((args[0].dim(), share), dtype=torch.int64).t()

    def noted(self, function, args, found):
        """Remember what choices and masks are about."""
        if function is aten.topk.default:
            found[1].experts = args[0].shape[-1]
        elif function is aten.eq.Scalar and hasattr(args[0], "experts"):
            choices, experts, number = args[0].numel(), args[0].experts, args[1]
            found.share = self.given[number] if self.given else equal(choices, experts, number)
