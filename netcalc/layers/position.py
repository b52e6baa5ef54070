"""Positions and times as numbers that a network can use: sines, and buckets of distances.

Angles of times count their own work; tables that depend on positions only are made once and not counted.
"""

from __future__ import annotations

from ..arith import divides, less
from .base import Layer, Work, arg, layer, literal, need
from .kinds import dim, flag, integer, real


@layer("N -> N E")
class SinusoidalEmbedding(Layer):
    """Sines and cosines of a number for each sample, such as the time step of a diffusion (Ho et al., 2020). Agrees with
    get_timestep_embedding of Hugging Face diffusers.

    Other FLOPs: embedding_dim / 2 products and embedding_dim sines and cosines per sample. The frequencies, which are
    the same for all, are not counted.
    """

    accepts = "any"

    embedding_dim = arg(dim, main=True)
    flip_sin_to_cos = arg(flag, False, doc="cosines first")
    downscale_freq_shift = arg(real, 1, doc="0: frequencies fall to 1/max_period only with one more; 1: with the last")
    max_period = arg(real, 10000, doc="frequencies fall from 1 to about 1/max_period")

    helper_source = '''\
def sinusoidal(
    numbers,
    embedding_dim,
    flip_sin_to_cos=False,
    downscale_freq_shift=1,
    max_period=10000,
):
    """Sines and cosines of each number of [N], at embedding_dim // 2 frequencies: [N, embedding_dim]."""
    half = embedding_dim // 2
    powers = torch.arange(half, dtype=torch.float32, device=numbers.device)
    frequencies = max_period ** (-powers / (half - downscale_freq_shift))
    angles = numbers[:, None].float() * frequencies
    waves = [angles.sin(), angles.cos()]
    if flip_sin_to_cos:
        waves.reverse()
    return torch.cat(waves, dim=-1)
'''

    def needs(self, x):
        width, shift = self.embedding_dim, self.downscale_freq_shift
        yield need(divides(2, width), "E411", lambda: f"embedding_dim must be even, not {width}", "embedding_dim")
        yield need(less(shift, width // 2), "E411",
                   lambda: f"downscale_freq_shift = {shift} must be smaller than half of embedding_dim = {width}",
                   "downscale_freq_shift")  # fmt: skip

    def shape(self, x):
        return (x[0], self.embedding_dim)

    def dtype(self, x):
        return "float32"

    def work(self, x, y):
        return Work(other=x[0] * (self.embedding_dim // 2 + self.embedding_dim))

    def torch(self, x):
        return None

    def call(self, names, x):
        words = ("flip_sin_to_cos", "downscale_freq_shift", "max_period")
        options = [f", {name}={literal(self.value(name))}" for name in words if not self._is_default(name)]
        return f"sinusoidal({names[0]}, {literal(self.embedding_dim)}{''.join(options)})"

    def eager(self, op, weights, x):
        """As `sinusoidal` above does it."""
        powers = op.made((self.embedding_dim // 2,), "float32")
        frequencies = op.scaled(op.scaled(op.scaled(powers)))
        angles = op.mul(op.converted(op.unsqueeze(x, 1), "float32"), frequencies)
        waves = [op.function(angles, name) for name in ("Sin", "Cos")]
        if self.flip_sin_to_cos:
            waves.reverse()
        return op.cat(waves, -1)


@layer("-> T S")
class RelativePositionBuckets(Layer):
    """The number of the bucket of each distance from a query to a key: one each for short distances, wider and wider
    ones for long (Raffel et al., 2020). Agrees with T5 of Hugging Face transformers; an Embedding makes biases of it.

    Depends on positions only: no FLOPs.
    """

    inputs = 0
    accepts = "any"

    query_length = arg(dim)
    key_length = arg(dim)
    bidirectional = arg(flag, True, doc="half of the buckets for keys after the query; false: these share bucket 0")
    num_buckets = arg(integer, 32)
    max_distance = arg(integer, 128, doc="from here on everything is in the last bucket")

    helper_source = '''\
def relative_buckets(
    query_length,
    key_length,
    bidirectional=True,
    num_buckets=32,
    max_distance=128,
    device=None,
):
    """The bucket of the distance from each query to each key, as in T5: [query_length, key_length]."""
    keys = torch.arange(key_length, device=device)
    distance = keys - torch.arange(query_length, device=device)[:, None]
    first = 0
    if bidirectional:
        num_buckets //= 2
        first = (distance > 0).long() * num_buckets
        distance = distance.abs()
    else:
        distance = (-distance).clamp(min=0)
    exact = num_buckets // 2
    scale = (num_buckets - exact) / math.log(max_distance / exact)
    far = exact + ((distance.float() / exact).log() * scale).long()
    far = far.clamp(max=num_buckets - 1)
    return first + torch.where(distance < exact, distance, far)
'''

    def needs(self):
        least = 4 if self.bidirectional else 2
        yield need(less(least - 1, self.num_buckets), "E411", lambda: f"num_buckets must be at least {least}, not {self.num_buckets}",
                   "num_buckets")  # fmt: skip
        exact = self.num_buckets // least
        yield need(less(exact, self.max_distance), "E411",
                   lambda: f"max_distance = {self.max_distance} must be larger than the {exact} distances that have a bucket each",
                   "max_distance")  # fmt: skip

    def shape(self):
        return (self.query_length, self.key_length)

    def dtype(self):
        return "int64"

    def torch(self):
        return None

    def call(self, names):
        words = [literal(self.query_length), literal(self.key_length)]
        for name in ("bidirectional", "num_buckets", "max_distance"):
            if not self._is_default(name):
                words.append(f"{name}={literal(self.value(name))}")
        words += [f"device={names[0]}.device"] if names else []
        return f"relative_buckets({', '.join(words)})"

    def eager(self, op, weights):
        """As `relative_buckets` above does it."""
        made = lambda dtype: op.made(op.shape, dtype)  # noqa: E731
        keys = op.made((op.shape[1],), "int64")
        queries = op.made((op.shape[0],), "int64")
        distance, first = made("int64"), None
        del queries
        if self.bidirectional:
            first = op.scaled(op.converted(op.compared_to(op.shape), "int64"))
            distance = made("int64")
        else:
            distance = op.scaled(op.scaled(distance))
        far = op.scaled(op.converted(op.scaled(op.scaled(op.scaled(op.converted(distance, "float32")))), "int64"))
        far = op.scaled(far)
        chosen = op.where(op.compared_to(op.shape), distance, far)
        buckets = op.scaled(chosen)
        del chosen, keys, first
        return buckets
