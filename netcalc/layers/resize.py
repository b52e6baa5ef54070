"""Layers that change the number of positions without weights: upsampling, pixel shuffling and padding."""

from __future__ import annotations

from fractions import Fraction

from ..arith import at_least, divides, less, prod
from .base import Layer, Reach, Work, arg, layer, need
from .conv import listed
from .kinds import ArgumentError, Kind, dim, flag, list_of, optional, positive, real, whole, word

#: what each mode of Upsample interpolates: FLOPs per output (weights times taps), the number of spatial dimensions
MODES = {"linear": (3, 1), "bilinear": (7, 2), "bicubic": (31, 2), "trilinear": (15, 3)}


def scaled(length, factor):
    """floor(length * factor) in whole numbers."""
    if isinstance(factor, (Fraction, float)):
        over, under = factor.as_integer_ratio()
        return length * over // under
    return length * factor // 1


def same_in_torch(length, factor) -> bool:
    """Whether torch, which multiplies in floating point, gets `scaled` too: its 45 * 1.4 is 62.99…, rounded to 62."""
    if type(length) is not int or not isinstance(factor, (Fraction, float)):
        return True
    return int(length * float(factor)) == scaled(length, factor)


def _taps(mode: str, over: int, under: int) -> Reach:
    """What an output of an interpolation reads along a side that grows by over/under."""
    if mode == "nearest":
        return Reach(over, under, 1 - over, 0)
    up, down, middle = 2 * over, 2 * under, under - over  # the place is (down*i + middle) / up
    if mode == "nearest-exact":
        return Reach(up, down, under - up + 1, under)
    more = up if mode == "bicubic" else 0
    return Reach(up, down, middle - up + 1 - more, middle + up - 1 + more)


@layer("N C L | N C H W | N C D H W -> ...")
class Upsample(Layer):
    """Interpolation to `size`, or to floor(in * scale_factor). FLOPs per output: 0 for nearest, 3 linear, 7 bilinear,
    15 trilinear, 31 bicubic. Agrees with torch.nn.Upsample."""

    spatial = True

    size = arg(optional(list_of(dim, 1)), None)
    scale_factor = arg(optional(list_of(real, 1)), None)
    mode = arg(word("nearest", "linear", "bilinear", "bicubic", "trilinear", "nearest-exact"), "nearest")
    align_corners = arg(optional(flag), None)
    recompute_scale_factor = arg(optional(flag), None)

    def needs(self, x):
        ndim = len(x) - 2
        yield need((self.size is None) != (self.scale_factor is None), "E411",
                   "Upsample needs either size or scale_factor, and not both", "size" if self.size else None)  # fmt: skip
        for name in ("size", "scale_factor"):
            values = getattr(self, name) or ()
            yield need(len(values) in (0, 1, ndim), "E411",
                       lambda n=name, v=values: f"{n} has {len(v)} values, but the input has {ndim} spatial dimensions", name)  # fmt: skip
        if self.mode in MODES:
            yield need(MODES[self.mode][1] == ndim, "E411",
                       lambda: f"mode: {self.mode} needs {MODES[self.mode][1]} spatial dimensions, but the input has {ndim}",
                       "mode", "linear is for 1, bilinear and bicubic for 2, trilinear for 3 dimensions")  # fmt: skip
        else:
            yield need(self.align_corners is None, "E411", f"align_corners has no meaning with mode: {self.mode}", "align_corners",
                       "leave it out, or use linear, bilinear, bicubic or trilinear")  # fmt: skip
        yield need(not (self.size and self.recompute_scale_factor), "E411", "recompute_scale_factor has no meaning with size",
                   "recompute_scale_factor")  # fmt: skip
        out = self.shape(x)[2:]
        for length in out:
            yield need(at_least(length, 1), "E404", lambda: f"the output would be {listed(out)}", "scale_factor")
        for length, factor in zip(x[2:], self.each(self.scale_factor or (1,), x), strict=True):
            yield need(same_in_torch(length, factor), "E411",
                       lambda i=length, f=factor: f"scale_factor = {float(f)} times {i} is {scaled(i, f)}, but PyTorch's "
                       f"floating-point product gives {int(i * float(f))}", "scale_factor", "write size instead")  # fmt: skip

    @staticmethod
    def each(values, x) -> tuple:
        """One value for each spatial dimension."""
        return values if len(values) == len(x) - 2 else values[:1] * (len(x) - 2)

    def shape(self, x):
        if self.size:
            return (*x[:2], *self.each(self.size, x))
        factors = self.each(self.scale_factor or (1,), x)
        return (*x[:2], *(scaled(length, factor) for length, factor in zip(x[2:], factors, strict=True)))

    def reaches(self, x):
        """Output i of a side that grows by over/under stands at (i + 1/2) * under/over - 1/2 of the input, and is made of
        the position before and after (cubic: two each); `nearest` takes that at i * under/over, rounded down."""
        if self.align_corners or any(type(length) is not int for length in (*x[2:], *self.shape(x)[2:])):
            return None  # with align_corners where it stands depends on the size
        if self.size:
            rates = [Fraction(new, old) for new, old in zip(self.shape(x)[2:], x[2:], strict=True)]
        else:
            rates = map(Fraction, self.each(self.scale_factor, x))
        return [_taps(self.mode, *rate.as_integer_ratio()) for rate in rates]

    def work(self, x, y):
        return Work(other=prod(y) * MODES[self.mode][0] if self.mode in MODES else 0)

    def eager(self, op, weights, x):
        return op.upsampled(x, op.shape)


@layer("... C H W -> ... K P Q")
class PixelShuffle(Layer):
    """Channels moved into positions: C*r*r, H, W -> C, H*r, W*r; no FLOPs. Agrees with torch.nn.PixelShuffle."""

    spatial = True

    upscale_factor = arg(dim, main=True)

    def needs(self, x):
        r, c = self.upscale_factor, x[-3]
        yield need(divides(r * r, c), "E413", lambda: f"{c} channels are not divisible by upscale_factor**2 = {r * r}",
                   "upscale_factor", f"give the layer before a multiple of {r * r} channels")  # fmt: skip

    def reaches(self, x):
        return [Reach(self.upscale_factor, 1, 1 - self.upscale_factor, 0)] * 2

    def shape(self, x):
        *batch, c, h, w = x
        r = self.upscale_factor
        return (*batch, c // (r * r), h * r, w * r)

    def eager(self, op, weights, x):
        return op.rearranged(x, op.shape)


@layer("... C H W -> ... K P Q")
class PixelUnshuffle(Layer):
    """Positions moved into channels: C, H*r, W*r -> C*r*r, H, W; no FLOPs. Agrees with torch.nn.PixelUnshuffle."""

    spatial = True

    downscale_factor = arg(dim)

    def needs(self, x):
        r = self.downscale_factor
        for length in x[-2:]:
            yield need(divides(r, length), "E413", lambda: f"the input is {listed(x[-2:])}, not divisible by downscale_factor = {r}",
                       "downscale_factor")  # fmt: skip

    def reaches(self, x):
        return [Reach(1, self.downscale_factor, 0, self.downscale_factor - 1)] * 2

    def shape(self, x):
        *batch, c, h, w = x
        r = self.downscale_factor
        return (*batch, c * r * r, h // r, w // r)

    def eager(self, op, weights, x):
        return op.rearranged(x, op.shape)


# -- padding


def _pads(one, text: str) -> Kind:
    """One number, or two for each spatial dimension in PyTorch's order: left, right, top, bottom, front, back."""

    def convert(value, ndim=1):
        if not isinstance(value, (list, tuple)):
            return (one(value),) * (2 * ndim)
        if len(value) != 2 * ndim:
            order = ", ".join(("left", "right", "top", "bottom", "front", "back")[: 2 * ndim])
            raise ArgumentError("E411", f"needs {2 * ndim} values ({order}) or a single one, not {len(value)}")
        return tuple(one(item) for item in value)

    return Kind(f"{text}, or two per spatial dimension", convert, schema={"type": ["integer", "string", "array"]})


def _natural(value):
    value = whole(value)
    return value if type(value) is int and value == 0 else positive(value)


any_pads = _pads(whole, "whole number")
natural_pads = _pads(_natural, "whole number >= 0")


class Pad(Layer):
    """What the paddings share. They move data and count no FLOPs."""

    spatial = True

    padding = arg(natural_pads)

    def sides(self):
        """(before, after) of each spatial dimension, first dimension first (PyTorch lists the last one first)."""
        return list(zip(self.padding[::2], self.padding[1::2], strict=True))[::-1]

    def windows(self):
        return [(1, 1, before, 1) for before, _ in self.sides()]

    def shape(self, x):
        lead, size = x[: -self.ndim], x[-self.ndim :]
        return (*lead, *(length + a + b for length, (a, b) in zip(size, self.sides(), strict=True)))


class ConstantPad(Pad):
    """Padding with a constant; negative numbers cut off."""

    padding = arg(any_pads)

    def needs(self, x):
        size, out = x[-self.ndim :], self.shape(x)[-self.ndim :]
        for length in out:
            yield need(
                at_least(length, 1), "E404", lambda: f"the output would be {listed(out)}", "padding", "cut off less"
            )
        for length, pads in zip(size, self.sides(), strict=True):
            for pad in pads:
                yield need(at_least(length, -pad), "E404",
                           lambda: f"padding = {listed(self.padding)} cuts off more than the input {listed(size)} has", "padding")  # fmt: skip

    def eager(self, op, weights, x):
        return op.resized(x, op.shape)


class ReflectionPad(Pad):
    """Padding that mirrors the input at its edge."""

    def needs(self, x):
        size = x[-self.ndim :]
        for length, pads in zip(size, self.sides(), strict=True):
            for pad in pads:
                yield need(less(pad, length), "E411",
                           lambda: f"padding = {listed(self.padding)} must be smaller than the input {listed(size)}", "padding")  # fmt: skip

    def eager(self, op, weights, x):
        return op.padded(x, op.shape, "reflect", self.sides())


class ReplicationPad(Pad):
    """Padding that repeats the edge of the input."""

    def eager(self, op, weights, x):
        return op.padded(x, op.shape, "replicate", self.sides())


class CircularPad(Pad):
    """Padding that continues with the other end of the input."""

    def needs(self, x):
        size = x[-self.ndim :]
        for length, pads in zip(size, self.sides(), strict=True):
            for pad in pads:
                yield need(at_least(length, pad), "E411",
                           lambda: f"padding = {listed(self.padding)} is larger than the input {listed(size)}", "padding")  # fmt: skip

    def eager(self, op, weights, x):
        return op.circular(x, op.shape, self.sides())


def _register(kind: str, base: type, text: str, signatures: tuple, **extra):
    """The 1d, 2d and 3d variants of a padding, which differ in their rank only."""
    for ndim, signature in enumerate(signatures, 1):
        name = f"{kind}{ndim}d"
        members = {"__doc__": f"{text} Agrees with torch.nn.{name}.", "__module__": __name__, "ndim": ndim}
        members |= {key: make() for key, make in extra.items()}
        globals()[name] = layer(signature)(type(name, (base,), members))


FREE = ("... L -> ... P", "... H W -> ... P Q", "... D H W -> ... O P Q")
CHANNELS = ("N C L -> N C P", "N C H W -> N C P Q", "N C D H W -> N C O P Q")

_register("ZeroPad", ConstantPad, "Zeros around the input; negative numbers cut off.", FREE)
_register(
    "ConstantPad",
    ConstantPad,
    "A constant around the input; negative numbers cut off.",
    FREE,
    fill=lambda: arg(real, name="value"),
)
_register("ReflectionPad", ReflectionPad, "The input mirrored at its edge.", CHANNELS)
_register("ReplicationPad", ReplicationPad, "The edge of the input repeated.", CHANNELS)
_register("CircularPad", CircularPad, "The input continued with its other end.", CHANNELS)
