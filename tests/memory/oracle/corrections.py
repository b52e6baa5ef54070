"""Where what FakeTensors give is not what kernels do; `test_oracle.py` compares both on the CPU."""

from __future__ import annotations

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from . import cudnn
from .shares import Shares

aten = torch.ops.aten
#: normalisations that return statistics, with the place of the weight in their arguments
NORMS = {aten.native_batch_norm.default: 1, aten.native_layer_norm.default: 2, aten.native_group_norm.default: 1}
#: with the places of the factors in their arguments
PRODUCTS = {aten.mm.default: (0, 1), aten.bmm.default: (0, 1), aten.addmm.default: (1, 2)}


class Corrections(TorchDispatchMode):
    """Mixed precision on the CPU: of 16-bit inputs statistics are float32 where the weight is, and gradients 16-bit.
    Products of two dtypes are refused. The gradient in a layer norm is contiguous whatever its input; a batch norm makes
    only the gradients that are asked for. shares: how many choices fall on each expert; equally many if left out."""

    def __init__(self, shares: list | None = None):
        super().__init__()
        self.shares = Shares(shares)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        places = self.shares.places(function, args)
        if places is not None:
            return places
        operands = [args[k] for k in PRODUCTS.get(function, ())]
        if len({x.dtype for x in operands}) > 1:
            raise RuntimeError(
                f"{function} of {' and '.join(str(x.dtype) for x in operands)}: their dtypes should be the same"
            )
        if function in cudnn.KERNELS:
            return cudnn.KERNELS[function](*args)
        found = function(*args, **(kwargs or {}))
        self.shares.noted(function, args, found)
        if function is aten.native_group_norm_backward.default and found[0] is not None:
            return torch.empty_like(found[0], dtype=args[1].dtype), *found[1:]
        if function is aten.native_batch_norm_backward.default:
            return tuple(one if wanted else None for one, wanted in zip(found, args[9], strict=True))
        if function is aten.native_layer_norm_backward.default and found[0] is not None:
            return found[0].contiguous(), *found[1:]
        if function is aten._scaled_dot_product_efficient_attention_backward.default and found[3] is not None:
            return *found[:3], _in_whole_rows(found[3])
        at = NORMS.get(function)
        if at is None or args[0].device.type != "cpu":
            return found
        weight = args[at]
        if weight is None or weight.dtype == args[0].dtype:
            return found
        return found[0], *(torch.empty_like(one, dtype=weight.dtype) for one in found[1:])


def _in_whole_rows(gradient: torch.Tensor) -> torch.Tensor:
    """That of a bias, which lies in rows of a multiple of 16 elements: FakeTensors leave out the end of the last row."""
    length = gradient.shape[-1]
    return gradient.new_empty((*gradient.shape[:-1], -(-length // 16) * 16))[..., :length]
