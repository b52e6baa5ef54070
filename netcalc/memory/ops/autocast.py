"""torch.autocast: which operations run in its dtype, and which in float32 (ATen/autocast_mode.h, autocast_mode.cpp).

The lists of a CPU and of CUDA differ. What is on neither runs in the dtype of its operands. Inside an operation that is on
one, autocast is off: its parts take what they get.
"""

from __future__ import annotations

import functools

from ..tensors import Tensor

_LOWER = {
    "convolution", "linear", "matmul", "bmm", "addmm", "prelu", "scaled_dot_product_attention",
}  # fmt: skip
_LOWER_CPU = _LOWER | {"mkldnn_rnn_layer"}
_LOWER_CUDA = _LOWER | {"einsum", "mv", "recurrent_cell"}
_LOSSES = {
    "mse_loss", "smooth_l1_loss", "huber_loss", "l1_loss", "nll_loss", "kl_div", "poisson_nll_loss", "soft_margin_loss",
    "binary_cross_entropy_with_logits", "cosine_embedding_loss", "triplet_margin_loss", "margin_ranking_loss",
    "hinge_embedding_loss",
}  # fmt: skip
_FLOAT32_CPU = _LOSSES | {
    "binary_cross_entropy", "cross_entropy_loss", "prod", "avg_pool3d", "max_pool3d", "adaptive_avg_pool3d",
    "adaptive_max_pool3d", "reflection_pad1d", "reflection_pad2d", "replication_pad1d", "replication_pad2d", "replication_pad3d",
}  # fmt: skip
_FLOAT32_CUDA = _LOSSES | {
    "layer_norm", "rms_norm", "group_norm", "exp", "expm1", "log", "log1p", "reciprocal", "rsqrt", "pow", "softplus",
    "cosine_similarity", "upsample",
}  # fmt: skip


def precision(name: str, cuda: bool, lower: str) -> str | None:
    """The dtype in which an operation runs under autocast to `lower`; None for that of its operands."""
    if name in (_LOWER_CUDA if cuda else _LOWER_CPU):
        return lower
    return "float32" if name in (_FLOAT32_CUDA if cuda else _FLOAT32_CPU) else None


def autocast(name: str):
    """Marks an operation by PyTorch's name for it: its operands are cast as autocast says, and autocast is off inside."""

    def decorate(function):
        @functools.wraps(function)
        def run(self, *given, **options):
            if self.autocast is None or not (dtype := precision(name, self.rules.cuda, self.autocast)):
                return function(self, *given, **options)
            # a C++ call works out its arguments from the last to the first
            operands = [self.cast(x, dtype) if isinstance(x, Tensor) else x for x in reversed(given)][::-1]
            with self.without_autocast():
                return function(self, *operands, **options)

        return run

    return decorate
