"""Convolutions and transposed convolutions in one, two and three dimensions."""

from __future__ import annotations

from ..arith import at_least, divides, prod
from .base import Layer, Reach, Work, arg, layer, need
from .kinds import dim, either, flag, spatial_count, spatial_dim, word


def positions(size, kernel, stride, padding, dilation):
    """How many places a window has along one dimension (Relationship 15 of Dumoulin and Visin, 2016)."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def listed(values) -> str:
    return f"[{', '.join(map(str, values))}]"


class Convolution(Layer):
    """What the three convolutions share."""

    spatial = True

    in_channels = arg(dim, infer=1)
    out_channels = arg(dim)
    kernel_size = arg(spatial_dim)
    stride = arg(spatial_dim, 1)
    padding = arg(either(spatial_count, "same", "valid"), 0)
    dilation = arg(spatial_dim, 1)
    groups = arg(dim, 1)
    bias = arg(flag, True)
    padding_mode = arg(word("zeros", "reflect", "replicate", "circular"), "zeros")

    def pads(self) -> tuple:
        """The total padding of each dimension, both sides together."""
        if self.padding == "valid":
            return (0,) * self.ndim
        if self.padding == "same":
            return tuple(d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True))
        return tuple(2 * p for p in self.padding)

    def windows(self):
        before = [pad // 2 for pad in self.pads()]
        return list(zip(self.kernel_size, self.stride, before, self.dilation, strict=True))

    def needs(self, x):
        _, c, *size = x
        yield need(divides(self.groups, c), "E412", lambda: f"in_channels = {c} is not divisible by groups = {self.groups}", "groups",
                   f"choose groups from the divisors of {c}, or groups: in_channels for a depthwise convolution")  # fmt: skip
        yield need(divides(self.groups, self.out_channels), "E412",
                   lambda: f"out_channels = {self.out_channels} is not divisible by groups = {self.groups}", "groups",
                   f"groups must divide out_channels = {self.out_channels} too")  # fmt: skip
        if self.padding == "same":
            yield need(set(self.stride) == {1}, "E411", "padding: same needs a stride of 1", "padding")
        reach = [d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel_size, strict=True)]
        for length, pad, window in zip(size, self.pads(), reach, strict=True):
            yield need(at_least(length + pad, window), "E404",
                       lambda: f"the input is {listed(size)}, smaller than the kernel {listed(self.kernel_size)} "
                       f"(dilation {listed(self.dilation)}, padding {self.padding if isinstance(self.padding, str) else listed(self.padding)})",
                       "kernel_size", "use a smaller kernel, more padding or fewer poolings before this layer")  # fmt: skip

    def shape(self, x):
        n, _, *size = x
        out = [
            (length + pad - d * (k - 1) - 1) // s + 1
            for length, pad, d, k, s in zip(
                size, self.pads(), self.dilation, self.kernel_size, self.stride, strict=True
            )
        ]
        return (n, self.out_channels, *out)

    def params(self, x):
        weight = (self.out_channels, x[1] // self.groups, *self.kernel_size)
        return {"weight": weight, "bias": (self.out_channels,)} if self.bias else {"weight": weight}

    def work(self, x, y):
        taps = x[1] // self.groups * prod(self.kernel_size)
        return Work(macs=prod(y[1:]) * taps * y[0], other=prod(y[1:]) * y[0] if self.bias else 0)

    def pads_before(self) -> list | None:
        """(before, after) of each spatial dimension where PyTorch pads the input in a step of its own, else None."""
        total = self.pads()
        if self.padding_mode != "zeros":
            return [(pad // 2, pad - pad // 2) for pad in total]
        if self.padding == "same" and any(pad % 2 for pad in total):
            return [(0, pad % 2) for pad in total]
        return None

    def eager(self, op, weights, x):
        shape = self.shape(x.shape)
        return op.padded_convolution(
            x, weights["weight"], weights["bias"], shape, self.pads_before(), self.padding_mode
        )


@layer("N C L -> N K P")
class Conv1d(Convolution):
    """1-D convolution (cross-correlation) over a padded input. Agrees with torch.nn.Conv1d."""

    ndim = 1


@layer("N C H W -> N K P Q")
class Conv2d(Convolution):
    """2-D convolution (cross-correlation) over a padded input. Agrees with torch.nn.Conv2d."""

    ndim = 2


@layer("N C D H W -> N K O P Q")
class Conv3d(Convolution):
    """3-D convolution (cross-correlation) over a padded input. Agrees with torch.nn.Conv3d."""

    ndim = 3


class TransposedConvolution(Layer):
    """What the three transposed convolutions share."""

    spatial = True

    in_channels = arg(dim, infer=1)
    out_channels = arg(dim)
    kernel_size = arg(spatial_dim)
    stride = arg(spatial_dim, 1)
    padding = arg(spatial_count, 0)
    output_padding = arg(spatial_count, 0)
    groups = arg(dim, 1)
    bias = arg(flag, True)
    dilation = arg(spatial_dim, 1)
    padding_mode = arg(word("zeros"), "zeros")

    def needs(self, x):
        c = x[1]
        yield need(divides(self.groups, c), "E412", lambda: f"in_channels = {c} is not divisible by groups = {self.groups}", "groups",
                   f"choose groups from the divisors of {c}")  # fmt: skip
        yield need(divides(self.groups, self.out_channels), "E412",
                   lambda: f"out_channels = {self.out_channels} is not divisible by groups = {self.groups}", "groups")  # fmt: skip
        for extra, s, d in zip(self.output_padding, self.stride, self.dilation, strict=True):
            yield need(
                extra < s or extra < d,
                "E411",
                "output_padding must be smaller than stride or dilation",
                "output_padding",
            )
        for length in self.shape(x)[2:]:
            yield need(at_least(length, 1), "E404", lambda: f"the output would be {listed(self.shape(x)[2:])}", "padding",
                       "use less padding or a larger kernel")  # fmt: skip

    def shape(self, x):
        """Each side: (in - 1)*stride - 2*padding + dilation*(kernel - 1) + output_padding + 1 (torch documentation)."""
        n, _, *size = x
        out = [
            (length - 1) * s - 2 * p + d * (k - 1) + extra + 1
            for length, s, p, d, k, extra in zip(
                size, self.stride, self.padding, self.dilation, self.kernel_size, self.output_padding, strict=True
            )
        ]
        return (n, self.out_channels, *out)

    def reaches(self, x):
        sides = zip(self.kernel_size, self.stride, self.padding, self.dilation, strict=True)
        return [Reach(s, 1, p - d * (k - 1), p, d) for k, s, p, d in sides]

    def params(self, x):
        weight = (x[1], self.out_channels // self.groups, *self.kernel_size)
        return {"weight": weight, "bias": (self.out_channels,)} if self.bias else {"weight": weight}

    def work(self, x, y):
        """Each input position is multiplied with the whole kernel once: MACs go by input positions."""
        taps = self.out_channels // self.groups * prod(self.kernel_size)
        return Work(macs=prod(x[1:]) * taps * x[0], other=prod(y[1:]) * y[0] if self.bias else 0)

    def chooses_room(self, x) -> bool:
        """Whether the kernel that runs it on a CPU decides how large the storage of the output is: in three dimensions, in
        one group, where the output may be smaller than the input."""
        return self.ndim == 3 and self.groups == 1 and at_least(prod(self.shape(x)), prod(x)) is not True

    def eager(self, op, weights, x):
        shape = self.shape(x.shape)
        if self.chooses_room(x.shape):
            return op.transposed_3d(x, weights["weight"], weights["bias"], shape, self)
        return op.convolution(x, weights["weight"], weights["bias"], shape)


@layer("N C L -> N K P")
class ConvTranspose1d(TransposedConvolution):
    """1-D transposed convolution. Agrees with torch.nn.ConvTranspose1d."""

    ndim = 1


@layer("N C H W -> N K P Q")
class ConvTranspose2d(TransposedConvolution):
    """2-D transposed convolution. Agrees with torch.nn.ConvTranspose2d."""

    ndim = 2


@layer("N C D H W -> N K O P Q")
class ConvTranspose3d(TransposedConvolution):
    """3-D transposed convolution. Agrees with torch.nn.ConvTranspose3d."""

    ndim = 3
