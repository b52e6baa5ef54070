"""Paddings, and convolutions of padded inputs."""

from __future__ import annotations

from ..tensors import Tensor, same


class Padding:
    def padded(self, x: Tensor, shape, mode: str, sides: list) -> Tensor:
        """F.pad in a mode of nn.Conv2d's padding_mode, "zeros" included. sides: (before, after) of the spatial dimensions."""
        if mode == "zeros":
            return self.resized(x, shape)
        if mode == "circular":
            return self.circular(x, shape, sides)
        kind = {"reflect": "reflection", "replicate": "replication"}[mode]
        return self.avg_pool(self.operand(f"{kind}_pad{len(sides)}d", x), shape)  # the input is kept

    def circular(self, x: Tensor, shape, sides: list) -> Tensor:
        """_pad_circular: an empty tensor into which the input and then its own ends are copied, the last dimension first."""
        y = self.make(shape, x.dtype, what="output")
        source, first = x, len(shape) - len(sides)
        for k in range(len(sides)):
            source = self.narrow(source, first + k, x.shape[first + k])
        y = self._copied_into(y, source, None)
        del source
        for k, pads in reversed(list(enumerate(sides, first))):
            for pad in pads:
                if not same(pad, 0):
                    y = self._copied_into(y, self.narrow(y, k, pad), y)
        return y

    def _copied_into(self, y: Tensor, piece: Tensor, before: Tensor | None) -> Tensor:
        """y[slice] = piece: the gradient is copied, what goes to the piece taken out of it."""
        whole, part = y.shape, piece.shape

        def back(g):
            rest = self.make(whole, g.dtype, what="copy of the gradient")
            taken = self.make(part, g.dtype, what="gradient of the piece")
            zeros = self.make(part, g.dtype, what="zeros") if before_needs else None
            del zeros
            return [rest if before_needs else None, taken]

        before_needs = before is not None and before.needs_grad
        return self.record("copy_slices", y.alias(), [before, piece], back)

    def padded_convolution(self, x, w, b, shape, pads: list | None, mode: str) -> Tensor:
        """A convolution after F.pad by (before, after) of each spatial dimension; None: it pads by itself."""
        if pads is None:
            return self.convolution(x, w, b, shape)
        lead = x.shape[: len(x.shape) - len(pads)]
        size = x.shape[len(lead) :]
        padded = (*lead, *(s + before + after for s, (before, after) in zip(size, pads, strict=True)))
        return self.convolution(self.padded(x, padded, mode, pads), w, b, shape)


__all__ = ["Padding"]
