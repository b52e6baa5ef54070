"""The networks of tests/reference/memory.json as specs: every figure recorded there is that of these modules, to the byte.

Most are shipped specs as they are. Two differ from ours: that LeNet-5 reads pictures of 32x32 without padding, and that
GPT-2 keeps its positions and what `ln_f` reads until the logits are there, which shows in inference only.
"""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

import netcalc


def convolutions_first(names: list[str]) -> list[str]:
    """The parameters of resnet18 in the order of the module that was recorded: in each block the convolutions, then the
    norms. It shows in one figure, AdamW's peak on the CPU at batch 1: while one weight is updated, the denominator of the
    parameter before it is still held (a convolution's 9,437,184 bytes, not the 2,048 of a norm's).
    """
    found = []
    for path, group in groupby(names, lambda name: ".".join(name.split(".")[:2]) if "layer" in name else name):
        members = list(group)
        found += sorted(members, key=lambda name: ("downsample" in name, "bn" in name)) if "layer" in path else members
    return found


class Case(NamedTuple):
    """A shipped spec by name, or a text; values for its arguments and for free sizes beside N."""

    spec: str
    args: dict = {}
    sizes: dict = {}
    order: object = None  # of the parameters, where it is not that of the spec

    def net(self):
        net = netcalc.load(self.spec)
        return net.at(**self.args) if self.args else net


LENET5 = """\
netcalc: 1
name: LeNet5
input: [N, 1, 32, 32]
layers:
  - Conv2d: {out_channels: 6, kernel_size: 5}
  - Tanh
  - AvgPool2d: 2
  - Conv2d: {out_channels: 16, kernel_size: 5}
  - Tanh
  - AvgPool2d: 2
  - Flatten
  - Linear: 120
  - Tanh
  - Linear: 84
  - Tanh
  - Linear: 10
loss: CrossEntropyLoss
"""

GPT2 = """\
netcalc: 1
name: GPT2
args: {dropout: 0.1}
inputs:
  tokens: {shape: [N, T], dtype: int64}
layers:
  - positions: {Arange: T}
  - body: {Body: {dropout}}
    from: {tokens: tokens, positions: positions}
blocks:
  Body:
    args: {dropout}
    inputs: {tokens: {shape: [N, T], dtype: int64}, positions: {shape: [T], dtype: int64}}
    layers:
      - embeddings:
          - wte: {Embedding: {num_embeddings: 50257, embedding_dim: 768}}
            from: tokens
          - wpe: {Embedding: {num_embeddings: 1024, embedding_dim: 768}}
            from: positions
          - Add: [wte, wpe]
      - drop: {Dropout: dropout}
      - h: {Block: {dropout}}
        repeat: 12
      - head:
          - ln_f: LayerNorm
          - lm_head: {Linear: {out_features: 50257, bias: false}}
            tie: {weight: embeddings.wte.weight}
  Block:
    args: {dropout}
    input: [N, T, D]
    layers:
      - Residual:
          - ln_1: LayerNorm
          - c_attn: {Linear: 3 * D}
          - qkv: {Chunk: {chunks: 3, dim: -1}}
          - ScaledDotProductAttention: {num_heads: 12, is_causal: true, dropout_p: dropout}
            from: [qkv.0, qkv.1, qkv.2]
          - c_proj: {Linear: D}
          - resid_dropout: {Dropout: dropout}
      - Residual:
          - ln_2: LayerNorm
          - c_fc: {Linear: 4 * D}
          - gelu: GELU
          - mlp_proj: {Linear: D}
          - dropout: {Dropout: dropout}
loss:
  - Flatten: {start_dim: 0, end_dim: 1}
  - CrossEntropyLoss
"""

CASES = {
    "mlp": Case("mlp"),
    "lenet5": Case(LENET5),
    "alexnet": Case("alexnet"),
    "vgg16": Case("vgg16"),
    "resnet18": Case("resnet18", order=convolutions_first),
    "resnet50": Case("resnet50"),
    "mobilenet_v2": Case("mobilenet_v2"),
    "convnext_tiny": Case("convnext_tiny"),
    "gpt2 (dropout 0, T=1024)": Case(GPT2, {"dropout": 0}, {"T": 1024}),
    "gpt2 (dropout 0.1, T=1024)": Case(GPT2, {}, {"T": 1024}),
}
