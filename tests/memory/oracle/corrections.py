"""Where the shapes and dtypes that FakeTensors give are not those of the kernels; `test_oracle.py` compares both on the CPU."""

from __future__ import annotations

import torch
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
#: normalisations that return statistics, with the place of the weight in their arguments
NORMS = {aten.native_batch_norm.default: 1, aten.native_layer_norm.default: 2, aten.native_group_norm.default: 1}


class Corrections(TorchDispatchMode):
    """Mixed precision on the CPU: statistics of 16-bit inputs are float32 where the weight is, in PyTorch's kernels."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        at = NORMS.get(function)
        if at is None or args[0].device.type != "cpu":
            return found
        weight = args[at]
        if weight is None or weight.dtype == args[0].dtype:
            return found
        return found[0], *(torch.empty_like(one, dtype=weight.dtype) for one in found[1:])
