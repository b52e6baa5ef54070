"""Paddings, convolutions of padded inputs, and what pads inside: local response normalisation."""

from __future__ import annotations

from ..tensors import Tensor


class Padding:
    def padded(self, x: Tensor, shape, mode: str = "constant", sides: list | None = None) -> Tensor:
        """F.pad. mode: reflection keeps the input, a constant and replication keep it or not as their formulas say.
        sides: (before, after) of the spatial dimensions, for the circular mode."""
        if mode == "constant":
            return self.resized(x, shape)
        if mode == "circular":
            return self.circular(x, shape, sides)
        return self.avg_pool(x, shape)

    def circular(self, x: Tensor, shape, sides: list) -> Tensor:
        """_pad_circular: an empty tensor into which the input and then its ends are copied, dimension by dimension."""
        raise NotImplementedError

    def padded_convolution(self, x, w, b, shape, pads: list | None, mode: str) -> Tensor:
        """A convolution after F.pad by (before, after) of each spatial dimension."""
        if pads is None:
            return self.convolution(x, w, b, shape)
        lead = x.shape[: len(x.shape) - len(pads)]
        size = x.shape[len(lead) :]
        padded = (*lead, *(s + before + after for s, (before, after) in zip(size, pads, strict=True)))
        return self.convolution(self.padded(x, padded, mode, pads), w, b, shape)


__all__ = ["Padding"]
