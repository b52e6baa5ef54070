"""What the torch at hand can do that an older one, which netcalc also runs with, cannot."""

import inspect

from torch import nn

#: bias=False in batch, instance and group norm: torch 2.12 and later
NORMS_WITHOUT_BIAS = "bias" in inspect.signature(nn.GroupNorm).parameters
