"""Losses. Each implies the targets that it compares its inputs with.

Work: per element as each docstring says, then one addition per value and one division for `reduction: mean`.
"""

from __future__ import annotations

from fractions import Fraction

from ..arith import equal
from .arithmetic import broadcast, broadcast_needs
from .base import Layer, Work, arg, elements, layer, need
from .kinds import flag, integer, probability, real, word
from .shape import described


class Loss(Layer):
    """What the losses share. `values` is the shape of what is reduced to one number."""

    loss = True
    per_element = 0  # FLOPs

    reduction = arg(word("mean", "sum", "none"), "mean")

    def values(self, *inputs):
        return inputs[0]

    def shape(self, *inputs):
        return tuple(self.values(*inputs)) if self.reduction == "none" else ()

    def targets(self, *inputs):
        return [(inputs[0], "float32")]

    def work(self, *shapes):
        *inputs, _ = shapes
        return Work(other=self.unreduced(*inputs) + self.reducing(elements(self.values(*inputs))))

    def unreduced(self, *inputs):
        """The FLOPs before the reduction."""
        return self.per_element * elements(inputs[0])

    def reducing(self, values):
        return {"none": 0, "sum": values}.get(self.reduction, values + 1)


class Classification(Loss):
    """Input [N, C, ...] (or [C]) with the class at dimension 1; the target holds the number of the class."""

    ignore_index = arg(integer, -100)
    reduction = arg(word("mean", "sum", "none"), "mean")

    def values(self, x):
        return (*x[:1], *x[2:]) if len(x) > 1 else ()

    def targets(self, x):
        return [(self.values(x), "int64")]


@layer("C | N C ... -> ...")
class CrossEntropyLoss(Classification):
    """-log softmax(x)[class]. Agrees with torch.nn.CrossEntropyLoss.

    Work: 5 per element of the log-softmax (max, subtract, exp, sum, subtract) and 1 per row (log), then 1 per target
    (negate); label smoothing 1 more per element (sum) and 3 per target.
    """

    label_smoothing = arg(probability, 0)

    def unreduced(self, x):
        smooth = not (type(self.label_smoothing) is int and self.label_smoothing == 0)
        return (6 if smooth else 5) * elements(x) + (5 if smooth else 2) * elements(self.values(x))

    def eager(self, op, weights, x, target):
        return op.cross_entropy(x, target, self.reduction, self.label_smoothing)


@layer("C | N C ... -> ...")
class NLLLoss(Classification):
    """-x[class] of log-probabilities. Agrees with torch.nn.NLLLoss. Work: 1 per target (negate)."""

    def unreduced(self, x):
        return elements(self.values(x))

    def eager(self, op, weights, x, target):
        return op.nll(x, target, self.reduction)


@layer("... -> ...")
class MSELoss(Loss):
    """(x - y)^2. Agrees with torch.nn.MSELoss. Work: 2 per element."""

    per_element = 2

    def eager(self, op, weights, x, target):
        return op.compared(x, target, self.reduction, work="beside")


@layer("... -> ...")
class L1Loss(Loss):
    """|x - y|. Agrees with torch.nn.L1Loss. Work: 2 per element."""

    per_element = 2

    def eager(self, op, weights, x, target):
        return op.absolute_error(x, target, self.reduction)


@layer("... -> ...")
class SmoothL1Loss(Loss):
    """(x - y)^2 / (2 beta) near zero, |x - y| - beta/2 elsewhere. Agrees with torch.nn.SmoothL1Loss.

    Work: 6 per element (subtract, absolute value, compare, square, halve, divide by beta).
    """

    per_element = 6
    beta = arg(real, 1)

    def eager(self, op, weights, x, target):
        if self.beta == 0:
            return op.absolute_error(x, target, self.reduction)
        return op.compared(x, target, self.reduction, work="beside")


@layer("... -> ...")
class HuberLoss(Loss):
    """(x - y)^2 / 2 near zero, delta (|x - y| - delta/2) elsewhere. Agrees with torch.nn.HuberLoss.

    Work: 5 per element (subtract, absolute value, compare, square, halve).
    """

    per_element = 5
    delta = arg(real, 1)

    def eager(self, op, weights, x, target):
        return op.compared(x, target, self.reduction, work="scalar")


@layer("... -> ...")
class BCELoss(Loss):
    """-(y log x + (1 - y) log(1 - x)). Agrees with torch.nn.BCELoss. Work: 8 per element."""

    per_element = 8

    def eager(self, op, weights, x, target):
        return op.binary_cross_entropy(x, target, self.reduction)


@layer("... -> ...")
class BCEWithLogitsLoss(Loss):
    """max(x, 0) - x y + log(1 + exp(-|x|)). Agrees with torch.nn.BCEWithLogitsLoss. Work: 9 per element."""

    per_element = 9

    def eager(self, op, weights, x, target):
        return op.bce_with_logits(x, target, self.reduction)


@layer("... -> ...")
class KLDivLoss(Loss):
    """y (log y - x) of log-probabilities x. Agrees with torch.nn.KLDivLoss. Work: 3 per element."""

    per_element = 3
    reduction = arg(word("mean", "sum", "none", "batchmean"), "mean")
    log_target = arg(flag, False)

    def eager(self, op, weights, x, target):
        return op.kl_div(x, target, self.reduction, self.log_target)


@layer("... -> ...")
class PoissonNLLLoss(Loss):
    """exp(x) - y x, or x - y log(x + eps). Agrees with torch.nn.PoissonNLLLoss.

    Work: 3 per element with log_input, else 4; `full` adds Stirling's term: 9.
    """

    log_input = arg(flag, True)
    full = arg(flag, False)
    eps = arg(real, Fraction("1e-8"))

    def unreduced(self, x):
        return ((3 if self.log_input else 4) + (9 if self.full else 0)) * elements(x)

    def eager(self, op, weights, x, target):
        return op.poisson_nll(x, target, self.reduction, self.log_input, self.full)


@layer("D | N D, D | N D -> ...")
class CosineEmbeddingLoss(Loss):
    """1 - cos(x1, x2) where the target is 1, max(0, cos(x1, x2) - margin) where it is -1. Agrees with torch.nn.CosineEmbeddingLoss.

    Work: 6 per element (three products and sums), 11 per pair.
    """

    inputs = 2
    margin = arg(real, 0)

    def needs(self, x1, x2):
        text = f"CosineEmbeddingLoss needs two inputs of one shape, not {described(x1)} and {described(x2)}"
        yield need(len(x1) == len(x2), "E401", text)
        for a, b in zip(x1, x2, strict=False):
            yield need(equal(a, b), "E401", text)

    def values(self, x1, x2):
        return x1[:-1]

    def targets(self, x1, x2):
        return [(x1[:-1], "float32")]

    def unreduced(self, x1, x2):
        return 6 * elements(x1) + 11 * elements(x1[:-1])

    def eager(self, op, weights, x1, x2, target):
        return op.cosine_embedding(x1, x2, target, self.reduction)


@layer("..., ..., ... -> ...")
class TripletMarginLoss(Loss):
    """max(|anchor - positive|_p - |anchor - negative|_p + margin, 0). Agrees with torch.nn.TripletMarginLoss.

    Work: per distance 4 per element (subtract, add eps, square, sum; 5 where p is not 2) and 1 root; swap takes a third
    distance and a comparison; 3 per triplet.
    """

    inputs = 3
    margin = arg(real, 1)
    p = arg(real, 2)
    eps = arg(real, Fraction("1e-6"))
    swap = arg(flag, False)

    def needs(self, *inputs):
        yield from broadcast_needs("TripletMarginLoss", inputs, "compare")
        yield need(all(inputs), "E401", "TripletMarginLoss needs inputs with a dimension of features")

    def values(self, *inputs):
        return broadcast(*inputs)[:-1]

    def targets(self, *inputs):
        return []

    def unreduced(self, *inputs):
        distances = 3 if self.swap else 2
        triplets = elements(self.values(*inputs))
        per_element = 4 if self.p == 2 else 5
        return distances * (per_element * elements(broadcast(*inputs)) + triplets) + (distances + 1) * triplets

    def eager(self, op, weights, anchor, positive, negative):
        return op.triplet_margin(anchor, positive, negative, self.reduction, self.swap)
