"""Normalizations.

Convention for `other`, in evaluation mode: with stored statistics 2 FLOPs per element (subtract, scale); with the
input's own statistics 5 (sum, subtract, square, sum, scale); 1 more for each of weight and bias.
"""

from __future__ import annotations

from ..arith import divides, equal, prod
from .base import Layer, Work, arg, layer, need
from .kinds import Kind, dim, flag, optional, real

STORED, OWN = 2, 5  # FLOPs per element


class ChannelNorm(Layer):
    """What the batch and the instance normalizations share."""

    def conventions(self, x):
        learnt = sum(1 for _ in self.params(x))
        if self.track_running_stats:
            yield (
                f"PyTorch keeps the running mean and variance as buffers; Keras lists them among the parameters, as "
                f"non-trainable: {(2 + learnt) * x[1]} instead of {learnt * x[1]} here."
            )

    def params(self, x):
        if not self.affine:
            return {}
        return {"weight": (x[1],), "bias": (x[1],)} if self.bias else {"weight": (x[1],)}

    def buffers(self, x):
        if not self.track_running_stats:
            return {}
        return {
            "running_mean": ((x[1],), "float32"),
            "running_var": ((x[1],), "float32"),
            "num_batches_tracked": ((), "int64"),
        }

    def work(self, x, y):
        return Work(other=prod(x) * ((STORED if self.track_running_stats else OWN) + len(self.params(x))))


class BatchNorm(ChannelNorm):
    """Each channel normalized over batch and positions, with running statistics in evaluation mode."""

    local = True

    num_features = arg(dim, infer=1)
    eps = arg(real, 1e-5)
    momentum = arg(optional(real), 0.1)
    affine = arg(flag, True)
    track_running_stats = arg(flag, True)
    bias = arg(flag, True, doc="torch before 2.12 takes no false")

    def eager(self, op, weights, x):
        return op.batch_norm(x, weights["weight"], weights["bias"], weights["running_mean"], weights["running_var"])


@layer("N C | N C L -> ...")
class BatchNorm1d(BatchNorm):
    """Batch normalization; 2 FLOPs per element, 4 with weight and bias. Agrees with torch.nn.BatchNorm1d."""

    ndim = 1


@layer("N C H W -> N C H W")
class BatchNorm2d(BatchNorm):
    """Batch normalization; 2 FLOPs per element, 4 with weight and bias. Agrees with torch.nn.BatchNorm2d."""

    ndim = 2


@layer("N C D H W -> N C D H W")
class BatchNorm3d(BatchNorm):
    """Batch normalization; 2 FLOPs per element, 4 with weight and bias. Agrees with torch.nn.BatchNorm3d."""

    ndim = 3


class InstanceNorm(ChannelNorm):
    """Each channel of each sample normalized over its positions."""

    num_features = arg(dim, infer=1)
    eps = arg(real, 1e-5)
    momentum = arg(real, 0.1)
    affine = arg(flag, False)
    track_running_stats = arg(flag, False)
    bias = arg(flag, True, doc="torch before 2.12 takes no false")

    def eager(self, op, weights, x):
        return op.instance_norm(x, weights["weight"], weights["bias"], weights["running_mean"], weights["running_var"])


@layer("N C L -> N C L")
class InstanceNorm1d(InstanceNorm):
    """Instance normalization; 5 FLOPs per element, 7 with weight and bias. Agrees with torch.nn.InstanceNorm1d."""

    ndim = 1


@layer("N C H W -> N C H W")
class InstanceNorm2d(InstanceNorm):
    """Instance normalization; 5 FLOPs per element, 7 with weight and bias. Agrees with torch.nn.InstanceNorm2d."""

    ndim = 2


@layer("N C D H W -> N C D H W")
class InstanceNorm3d(InstanceNorm):
    """Instance normalization; 5 FLOPs per element, 7 with weight and bias. Agrees with torch.nn.InstanceNorm3d."""

    ndim = 3


@layer("N C ... -> N C ...")
class GroupNorm(Layer):
    """Groups of channels of each sample normalized; 5 FLOPs per element, 7 with weight and bias.
    Agrees with torch.nn.GroupNorm."""

    num_groups = arg(dim)
    num_channels = arg(dim, infer=1)
    eps = arg(real, 1e-5)
    affine = arg(flag, True)
    bias = arg(flag, True, doc="torch before 2.12 takes no false")

    def needs(self, x):
        yield need(divides(self.num_groups, x[1]), "E412",
                   lambda: f"num_channels = {x[1]} is not divisible by num_groups = {self.num_groups}", "num_groups",
                   f"choose num_groups from the divisors of {x[1]}")  # fmt: skip

    params = ChannelNorm.params

    def work(self, x, y):
        return Work(other=prod(x) * (OWN + len(self.params(x))))

    def eager(self, op, weights, x):
        return op.group_norm(x, weights["weight"], weights["bias"], self.num_groups)


def _size_or_list(value, ndim=0):
    return [dim.convert(item) for item in value] if isinstance(value, (list, tuple)) else dim.convert(value)


trailing_sizes = Kind("size, or list of the last sizes", _size_or_list, schema={"type": ["integer", "string", "array"]})


class TrailingNorm(Layer):
    """Normalization over the last dimensions: the last one, unless `normalized_shape` is written as a list."""

    normalized_shape = arg(trailing_sizes, infer=-1)

    def inferred(self, *inputs):
        given = self.normalized_shape
        return {"normalized_shape": list(inputs[0][-len(given) :]) if isinstance(given, list) else inputs[0][-1]}

    def needs(self, x):
        given = self.normalized_shape
        if not isinstance(given, list):
            return
        found = list(x[-len(given) :])
        same_rank = 0 < len(given) == len(found)
        for a, b in zip(given, found, strict=True) if same_rank else [(0, 1)]:
            yield need(equal(a, b), "E414", lambda: f"normalized_shape is given as [{', '.join(map(str, given))}], "
                       f"but the input ends in [{', '.join(map(str, found))}]", "normalized_shape")  # fmt: skip

    def params(self, x):
        if not self.elementwise_affine:
            return {}
        sizes = self.inferred(x)["normalized_shape"]
        sizes = tuple(sizes) if isinstance(sizes, list) else (sizes,)
        return {name: sizes for name in self.weights()}

    def weights(self) -> list:
        return ["weight"]


@layer("... F -> ... F")
class LayerNorm(TrailingNorm):
    """Normalization over the last dimension(s); 5 FLOPs per element, 7 with weight and bias.
    Agrees with torch.nn.LayerNorm."""

    eps = arg(real, 1e-5)
    elementwise_affine = arg(flag, True)
    bias = arg(flag, True)

    def weights(self):
        return ["weight", "bias"] if self.bias else ["weight"]

    def work(self, x, y):
        return Work(other=prod(x) * (OWN + len(self.params(x))))

    def eager(self, op, weights, x):
        given = self.normalized_shape
        return op.layer_norm(x, weights["weight"], weights["bias"], len(given) if isinstance(given, list) else 1)


@layer("... F -> ... F")
class RMSNorm(TrailingNorm):
    """Division by the root mean square; 3 FLOPs per element (square, sum, scale), 4 with weight.
    Agrees with torch.nn.RMSNorm."""

    eps = arg(optional(real), None)
    elementwise_affine = arg(flag, True)

    def work(self, x, y):
        return Work(other=prod(x) * (3 + len(self.params(x))))

    def eager(self, op, weights, x):
        given = self.normalized_shape
        return op.rms_norm(x, weights["weight"], len(given) if isinstance(given, list) else 1)


@layer("N C H W -> N C H W")
class LayerNorm2d(Layer):
    """Normalization over the channels of an image; 5 FLOPs per element, 7 with weight and bias.
    Agrees with torchvision's LayerNorm2d (ConvNeXt)."""

    local = True

    normalized_shape = arg(dim, infer=1)
    eps = arg(real, 1e-5)
    elementwise_affine = arg(flag, True)
    bias = arg(flag, True)

    helper_source = '''\
class LayerNorm2d(nn.LayerNorm):
    """Layer normalization over the channels of a tensor of shape (N, C, H, W)."""

    def forward(self, x):
        x = x.permute(0, 2, 3, 1)
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)
'''

    def params(self, x):
        if not self.elementwise_affine:
            return {}
        return {"weight": (x[1],), "bias": (x[1],)} if self.bias else {"weight": (x[1],)}

    def work(self, x, y):
        return Work(other=prod(x) * (OWN + len(self.params(x))))

    def eager(self, op, weights, x):
        x = op.permute(x, (0, 2, 3, 1))
        x = op.layer_norm(x, weights["weight"], weights["bias"], 1)
        return op.permute(x, (0, 3, 1, 2))


@layer("N C L ... -> N C L ...")
class LocalResponseNorm(Layer):
    """Division by a power of the energy in neighbouring channels; size + 5 FLOPs per element: square, mean over `size`
    channels, times alpha, plus k, power, division. Agrees with torch.nn.LocalResponseNorm."""

    local = True

    size = arg(dim)
    alpha = arg(real, 1e-4)
    beta = arg(real, 0.75)
    k = arg(real, 1.0)

    def work(self, x, y):
        return Work(other=prod(x) * (self.size + 5))

    def eager(self, op, weights, x):
        return op.local_response(x, self.size)
