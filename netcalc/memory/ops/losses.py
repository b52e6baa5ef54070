"""Losses: those that PyTorch has a kernel for, and those that it puts together (ATen/native/Loss.cpp, LossNLL.cpp)."""

from __future__ import annotations

from ...errors import NetcalcError
from ...language.names import DTYPE_BYTES
from ..tensors import Tensor
from .autocast import autocast
from .recurrent import Recurrent


class Losses(Recurrent):
    def collapsed(self, values: Tensor, reduction: str) -> Tensor:
        """What `reduction` makes of the values of a loss."""
        if reduction == "none":
            return values
        return self.mean(values, None, False, scale=reduction == "mean")

    # -- with a kernel

    @autocast("mse_loss")
    def compared(self, x: Tensor, target: Tensor, reduction: str = "mean", work: str = "storage") -> Tensor:
        """mse_loss and its kin: both are saved. work: where the losses of the elements are before they become a number: in
        the "storage" of the number, which stays of the input's size; "beside" that; or in a buffer, the number being a
        "scalar" of its own."""
        if reduction == "none":
            loss = self.make(x.shape, x.dtype, what="losses")
        else:
            buffer = self.inside(x.shape, x.dtype, "losses") if work == "scalar" else None
            loss = Tensor(self.store(DTYPE_BYTES[x.dtype] if work == "scalar" else x.bytes, "loss"), (), x.dtype)
            if work == "beside":
                buffer = self.inside(x.shape, x.dtype, "losses")
            del buffer
        needs, before = (x.needs_grad, target.needs_grad), x.shape

        def back(g):
            return [self.make(before, g.dtype, what="gradient") if need else None for need in needs]

        return self.record("compared", loss, [x, target], back, [x, target])

    def binary_cross_entropy(self, x: Tensor, target: Tensor, reduction: str) -> Tensor:
        """On CUDA autocast refuses it."""
        if self.autocast and self.rules.cuda:
            raise NetcalcError("error: PyTorch refuses BCELoss under autocast on CUDA (--amp)\n"
                               "  help: leave out the Sigmoid before it and take BCEWithLogitsLoss")  # fmt: skip
        return self.compared(x, target, reduction)

    @autocast("binary_cross_entropy_with_logits")
    def bce_with_logits(self, x: Tensor, target: Tensor, reduction: str) -> Tensor:
        """One kernel of several steps, which a dispatch mode does not see: what is reduced lies beside its logarithms."""
        before = x.shape
        logs, values = (self.inside(before, x.dtype, what) for what in ("logarithms", "losses"))
        if reduction == "none":
            del values  # they are what comes out
        loss = self.make(before if reduction == "none" else (), x.dtype, what="loss")
        del logs

        def back(g):
            sigmoid = self.make(before, g.dtype, what="sigmoid")
            if self.rules.in_place:
                return [sigmoid]
            difference = self.make(before, g.dtype, what="difference")
            del sigmoid
            found = self.make(before, g.dtype, what="gradient")
            del difference
            return [found]

        return self.record("bce_with_logits", loss, [x], back, [x, target])

    @autocast("nll_loss")
    def nll(self, logs: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
        loss = self.make(target.shape if reduction == "none" else (), logs.dtype, what="loss")
        weight = self.make((), logs.dtype, what="total weight")
        before = logs.shape
        return self.record(
            "nll_loss", loss, [logs], lambda g: self.make(before, g.dtype, what="gradient"), [logs, target, weight]
        )

    @autocast("cross_entropy_loss")
    def cross_entropy(self, logits: Tensor, target: Tensor, reduction: str = "mean", smoothing=0) -> Tensor:
        logs = self.softmax(logits, "log_softmax", typed=True)
        loss = self.nll(logs, target, reduction)
        if isinstance(smoothing, (int, float)) and smoothing == 0:
            return loss
        smooth = self.mean(logs, [1 if len(logs.shape) > 1 else 0], False, scale=False)
        smooth = self.scaled(smooth)
        ignored = self.make(target.shape, "bool", what="ignored targets")
        smooth = self.record("masked_fill_", smooth.alias(), [smooth], self.as_gradient, [ignored])
        share = self._smooth_share(smooth, ignored, reduction)
        return self.add(self.scaled(loss), self.scaled(share))

    def _smooth_share(self, smooth: Tensor, ignored: Tensor, reduction: str) -> Tensor:
        if reduction != "mean":
            return self.collapsed(smooth, reduction)
        counted = self.make(ignored.shape, "bool", what="counted targets")
        number = self.make((), "int64", what="number of targets")
        total = self.mean(smooth, None, False, scale=False)
        share = self.make((), total.dtype, what="output")
        del counted
        return self.record("div", share, [total], self.as_gradient, [number])

    # -- put together

    @autocast("l1_loss")
    def absolute_error(self, x: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
        difference = self.add(x, target, negative=True)
        values = self.make(difference.shape, difference.dtype, what="output")

        def back(g):
            sign = self.as_gradient(g)
            found = self.as_gradient(g)
            del sign
            return [found]

        values = self.record("abs", values, [difference], back, [difference])
        return self.collapsed(values, reduction)

    @autocast("kl_div")
    def kl_div(self, x: Tensor, target: Tensor, reduction: str, log_target: bool) -> Tensor:
        values = self._kl_of_logs(x, target) if log_target else self._kl(x, target)
        if reduction != "batchmean":
            return self.collapsed(values, reduction)
        loss = self.collapsed(values, "sum")
        return self.scaled(loss) if x.shape else loss

    def _kl(self, x: Tensor, target: Tensor) -> Tensor:
        product = self.mul(x, target)
        return self.add(self.unary(target, "xlogy"), product, negative=True)

    def _kl_of_logs(self, x: Tensor, target: Tensor) -> Tensor:
        difference = self.add(target, x, negative=True)
        return self.mul(self.unary(target, "exp"), difference)

    @autocast("poisson_nll_loss")
    def poisson_nll(self, x: Tensor, target: Tensor, reduction: str, log_input: bool, full: bool) -> Tensor:
        values = self._poisson(x, target, log_input)
        if full:
            values = self.add_(values, self._stirling(target))
        return self.collapsed(values, reduction)

    def _poisson(self, x: Tensor, target: Tensor, log_input: bool) -> Tensor:
        if log_input:
            product = self.mul(target, x)
            return self.add(self.unary(x, "exp", "output"), product, negative=True)
        moved = self.shifted(x)  # all that an expression of C++ makes is held to its end
        logs = self.unary(moved, "log")
        product = self.mul(target, logs)
        return self.add(x, product, negative=True)

    def _stirling(self, target: Tensor) -> Tensor:
        """target log(target) - target + log(2 pi target) / 2, and 0 where the target is at most 1."""
        terms = [self.unary(target, "term") for _ in range(7)]
        del terms[:-1]
        small = self.make(target.shape, "bool", what="mask")
        found = self.unary(target, "masked_fill")
        del small
        return found

    @autocast("cosine_embedding_loss")
    def cosine_embedding(self, x1: Tensor, x2: Tensor, target: Tensor, reduction: str) -> Tensor:
        together = self._row_sums(self.mul(x1, x2))
        first, second = self._square_size(x1), self._square_size(x2)  # held to the end
        sizes = self.mul(first, second)
        sizes = self.unary(sizes, "sqrt", "output", inplace=True)
        cosine = self.mul(together, sizes, divide=True)
        zeros = self.made(cosine.shape, cosine.dtype)
        alike = self.scaled(cosine)
        other = self.unary(self.shifted(cosine), "clamp_min", "input", inplace=True)
        alike_or_zero = self.where(self.made(target.shape, "bool"), alike, zeros)
        other_or_zero = self.where(self.made(target.shape, "bool"), other, zeros)
        return self.collapsed(self.add(alike_or_zero, other_or_zero), reduction)

    def _row_sums(self, x: Tensor) -> Tensor:
        return self.mean(x, [-1], False, scale=False)

    def _square_size(self, x: Tensor) -> Tensor:
        square = self.mul(x, x)
        total = self._row_sums(square)
        return self.shifted(total)

    @autocast("triplet_margin_loss")
    def triplet_margin(self, anchor: Tensor, positive: Tensor, negative: Tensor, reduction: str, swap: bool) -> Tensor:
        near, far = self.distance(anchor, positive), self.distance(anchor, negative)
        if swap:
            across = self.distance(positive, negative)
            far = self.chosen(far, across)
        values = self.unary(self.add(self.shifted(near), far, negative=True), "clamp_min")
        return self.collapsed(values, reduction)

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """F.pairwise_distance: the norm of the differences; differences and norm are saved."""
        difference = self.add(a, b, negative=True)
        moved = self.shifted(difference)
        y = self.make(moved.shape[:-1], moved.dtype, what="output")
        before = moved.shape

        def back(g):
            ratio = self.make(before, g.dtype, what="ratio")
            found = self.make(before, g.dtype, what="gradient")
            del ratio
            return [found]

        return self.record("norm", y, [moved], back, [moved, y])
