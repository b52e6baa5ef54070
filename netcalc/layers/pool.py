"""Poolings: maximum and average, in windows of a given size or to an output of a given size."""

from __future__ import annotations

from ..arith import at_least, ceil_div, minimum, prod
from .base import Layer, Work, arg, layer, need
from .conv import listed, positions
from .kinds import dim, flag, optional, per_dimension, spatial_count, spatial_dim


class Pool(Layer):
    """What the window poolings share. `ceil_mode` keeps a last window that hangs over the end."""

    spatial = True
    dilation: tuple | None = None

    def windows(self):
        """(kernel, stride, padding, dilation) of each dimension."""
        stride = self.kernel_size if self.stride is None else self.stride
        return list(zip(self.kernel_size, stride, self.padding, self.dilation or (1,) * self.ndim, strict=True))

    def needs(self, x):
        size = x[2:]
        for k, _, p, _ in self.windows():
            yield need(at_least(k, 2 * p), "E411",
                       lambda: f"padding = {listed(self.padding)} is more than half of kernel_size = {listed(self.kernel_size)}",
                       "padding", "use less padding, or a ZeroPad layer before this one")  # fmt: skip
        for length, (k, s, p, d) in zip(size, self.windows(), strict=True):
            room = length + 2 * p + (s - 1 if self.ceil_mode else 0)
            yield need(at_least(room, d * (k - 1) + 1), "E404",
                       lambda: f"the input is {listed(size)}, smaller than the kernel {listed(self.kernel_size)} "
                       f"({self.dilation_text()}padding {listed(self.padding)})",
                       "kernel_size", "use a smaller kernel, more padding or fewer poolings before this layer")  # fmt: skip

    def dilation_text(self) -> str:
        return f"dilation {listed(self.dilation)}, " if self.dilation else ""

    def shape(self, x):
        return (*x[:2], *(self.places(length, *window) for length, window in zip(x[2:], self.windows(), strict=True)))

    def places(self, length, k, s, p, d):
        if not self.ceil_mode:
            return positions(length, k, s, p, d)
        # The last window may hang over, but must start inside the input or its left padding (as torch has it):
        # min(ceil((length + 2p - reach)/s) + 1, ceil((length + p)/s)), whose two terms are one since ceil is monotone.
        reach = d * (k - 1) + 1
        return ceil_div(length + p + minimum(p + s - reach, 0), s)

    def work(self, x, y):
        return Work(other=prod(y) * prod(self.kernel_size))


class MaxPool(Pool):
    """Maximum over windows. `other` counts one comparison for each position of each window."""

    kernel_size = arg(spatial_dim, main=True)
    stride = arg(optional(spatial_dim), None, doc="default: kernel_size")
    padding = arg(spatial_count, 0)
    dilation = arg(spatial_dim, 1)
    ceil_mode = arg(flag, False)

    def eager(self, op, weights, x):
        return op.max_pool(op.operand(f"max_pool{self.ndim}d", x), self.shape(x.shape))


class AvgPool(Pool):
    """Mean over windows. `other` counts the window's size for each output: its additions and the division."""

    kernel_size = arg(spatial_dim, main=True)
    stride = arg(optional(spatial_dim), None, doc="default: kernel_size")
    padding = arg(spatial_count, 0)
    ceil_mode = arg(flag, False)
    count_include_pad = arg(flag, True)

    def eager(self, op, weights, x):
        return op.avg_pool(op.operand(f"avg_pool{self.ndim}d", x), self.shape(x.shape))


@layer("N C L -> N C P")
class MaxPool1d(MaxPool):
    """Maximum over 1-D windows; one comparison for each position of a window. Agrees with torch.nn.MaxPool1d."""

    ndim = 1


@layer("N C H W -> N C P Q")
class MaxPool2d(MaxPool):
    """Maximum over 2-D windows; one comparison for each position of a window. Agrees with torch.nn.MaxPool2d."""

    ndim = 2


@layer("N C D H W -> N C O P Q")
class MaxPool3d(MaxPool):
    """Maximum over 3-D windows; one comparison for each position of a window. Agrees with torch.nn.MaxPool3d."""

    ndim = 3


@layer("N C L -> N C P")
class AvgPool1d(AvgPool):
    """Mean over 1-D windows; as many FLOPs per output as the window has positions. Agrees with torch.nn.AvgPool1d."""

    ndim = 1


@layer("N C H W -> N C P Q")
class AvgPool2d(AvgPool):
    """Mean over 2-D windows; as many FLOPs per output as the window has positions. Agrees with torch.nn.AvgPool2d."""

    ndim = 2
    divisor_override = arg(optional(dim), None)


@layer("N C D H W -> N C O P Q")
class AvgPool3d(AvgPool):
    """Mean over 3-D windows; as many FLOPs per output as the window has positions. Agrees with torch.nn.AvgPool3d."""

    ndim = 3
    divisor_override = arg(optional(dim), None)

    def needs(self, x):
        """Here, and here only, torch wants the input without its padding to hold a window."""
        yield from super().needs(x)
        for length, k in zip(x[2:], self.kernel_size, strict=True):
            yield need(at_least(length, k), "E404",
                       lambda: f"the input is {listed(x[2:])}, smaller than the kernel {listed(self.kernel_size)}", "kernel_size",
                       "AvgPool3d does not count padding here")  # fmt: skip


class AdaptivePool(Layer):
    """Pooling to a given size; `none` keeps the size of the input.

    `other` counts ceil(in / out) positions for each output and side. That is exact where out divides in; elsewhere
    some windows of torch have one position more.
    """

    spatial = True
    output_size = arg(per_dimension(optional(dim)), main=True)

    def shape(self, x):
        return (*x[:2], *(i if o is None else o for i, o in zip(x[2:], self.output_size, strict=True)))

    def work(self, x, y):
        window = prod(1 if o is None else ceil_div(i, o) for i, o in zip(x[2:], self.output_size, strict=True))
        return Work(other=prod(y) * window)

    def eager(self, op, weights, x):
        shape, most = self.shape(x.shape), "Max" in self.type
        given = op.operand(f"adaptive_{'max' if most else 'avg'}_pool{self.ndim}d", x)
        return op.max_pool(given, shape) if most else op.adaptive_avg_pool(given, shape, self.ndim)


class AdaptivePool1d(AdaptivePool):
    """In one dimension torch has no `none`."""

    ndim = 1
    output_size = arg(spatial_dim, main=True)


@layer("N C L -> N C P")
class AdaptiveAvgPool1d(AdaptivePool1d):
    """Mean over as many windows as asked for; ceil(in/out) FLOPs per output. Agrees with torch.nn.AdaptiveAvgPool1d."""


@layer("N C H W -> N C P Q")
class AdaptiveAvgPool2d(AdaptivePool):
    """Mean over as many windows as asked for; ceil(in/out) FLOPs per output and side.
    Agrees with torch.nn.AdaptiveAvgPool2d."""

    ndim = 2


@layer("N C D H W -> N C O P Q")
class AdaptiveAvgPool3d(AdaptivePool):
    """Mean over as many windows as asked for; ceil(in/out) FLOPs per output and side.
    Agrees with torch.nn.AdaptiveAvgPool3d."""

    ndim = 3


@layer("N C L -> N C P")
class AdaptiveMaxPool1d(AdaptivePool1d):
    """Maximum over as many windows as asked for; ceil(in/out) FLOPs per output.
    Agrees with torch.nn.AdaptiveMaxPool1d."""


@layer("N C H W -> N C P Q")
class AdaptiveMaxPool2d(AdaptivePool):
    """Maximum over as many windows as asked for; ceil(in/out) FLOPs per output and side.
    Agrees with torch.nn.AdaptiveMaxPool2d."""

    ndim = 2


@layer("N C D H W -> N C O P Q")
class AdaptiveMaxPool3d(AdaptivePool):
    """Maximum over as many windows as asked for; ceil(in/out) FLOPs per output and side.
    Agrees with torch.nn.AdaptiveMaxPool3d."""

    ndim = 3
