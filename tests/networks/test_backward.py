"""MACs of the forward and the backward pass together equal what torch's flop counter sees, gradient by gradient.

The counter runs on the meta device in train mode: it knows no attention and no LSTM on a CPU. It over-counts the backward
of grouped convolutions, which therefore have a test on paper.
"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import netcalc

HEAD = "netcalc: 1\n"


class Chain(nn.Sequential):
    """A Sequential that goes on with the first output of a layer that has several."""

    def forward(self, x):
        for module in self:
            x = module(x)
            x = x[0] if isinstance(x, tuple) else x
        return x


def mlp():
    return nn.Sequential(nn.Linear(10, 200, bias=False), nn.ReLU(), nn.Linear(200, 100, bias=False), nn.Linear(100, 1))


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


def alexnet():
    pool = nn.MaxPool2d(3, 2)
    return nn.Sequential(
        nn.Conv2d(3, 96, 11, 4, 2), nn.ReLU(), pool, nn.Conv2d(96, 256, 5, 1, 2), nn.ReLU(), pool,
        nn.Conv2d(256, 384, 3, 1, 1), nn.ReLU(), nn.Conv2d(384, 384, 3, 1, 1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, 1, 1), nn.ReLU(), pool, nn.Flatten(), nn.Dropout(), nn.Linear(9216, 4096), nn.ReLU(),
        nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000),
    )  # fmt: skip


class BasicBlock(nn.Module):
    def __init__(self, channels, planes, stride):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(channels, planes, 3, stride, 1, bias=False), nn.BatchNorm2d(planes), nn.ReLU(),
            nn.Conv2d(planes, planes, 3, 1, 1, bias=False), nn.BatchNorm2d(planes),
        )  # fmt: skip
        same = stride == 1 and channels == planes
        self.side = nn.Identity() if same else nn.Conv2d(channels, planes, 1, stride, bias=False)

    def forward(self, x):
        return F.relu(self.main(x) + self.side(x))


def resnet18():
    blocks, channels = [], 64
    for planes in (64, 128, 256, 512):
        blocks += [BasicBlock(channels, planes, 1 if planes == 64 else 2), BasicBlock(planes, planes, 1)]
        channels = planes
    return nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1), *blocks,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000),
    )  # fmt: skip


def tagger():
    return Chain(
        nn.Embedding(50, 12), nn.LSTM(12, 16, num_layers=2, bidirectional=True, batch_first=True), nn.Linear(32, 5)
    )


def lstm_first():
    return Chain(nn.LSTM(12, 16, num_layers=2, batch_first=True), nn.Linear(16, 5))


def gru_first():
    return Chain(nn.GRU(12, 16, batch_first=True), nn.Linear(16, 5))


def frozen_lstm():
    net = Chain(nn.Linear(12, 12), nn.LSTM(12, 16, proj_size=6, batch_first=True), nn.Linear(6, 5))
    net[1].requires_grad_(False)
    return net


def cells():
    return Chain(nn.GRUCell(12, 16), nn.LSTMCell(16, 8), nn.RNNCell(8, 4))


class Attention(nn.Module):
    def __init__(self, first=None, width=24):
        super().__init__()
        self.first, self.attention = first or nn.Identity(), nn.MultiheadAttention(width, 4, batch_first=True)

    def forward(self, x):
        x = self.first(x)
        return self.attention(x, x, x, need_weights=False)[0]


class Cross(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.attention = nn.Linear(24, 24), nn.MultiheadAttention(24, 4, kdim=16, vdim=16, batch_first=True)

    def forward(self, x, memory):
        return self.attention(self.q(x), memory, memory, need_weights=False)[0]


class GptBlock(nn.Module):
    """Causal attention from one matrix, as in GPT-2."""

    def __init__(self):
        super().__init__()
        self.c_attn, self.c_proj = nn.Linear(24, 72), nn.Linear(24, 24)

    def forward(self, x):
        q, k, v = (part.unflatten(-1, (4, 6)).transpose(1, 2) for part in self.c_attn(x).chunk(3, -1))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(y.transpose(1, 2).flatten(2))


class QueryOnly(nn.Module):
    """Only the query is learned: nothing flows back into key and value."""

    def __init__(self):
        super().__init__()
        self.q = nn.Linear(24, 24)

    def forward(self, x):
        q, kv = self.q(x).unsqueeze(1), x.unsqueeze(1)
        return F.scaled_dot_product_attention(q, kv, kv)


class ValueOnly(QueryOnly):
    def forward(self, x):
        return F.scaled_dot_product_attention(x.unsqueeze(1), x.unsqueeze(1), self.q(x).unsqueeze(1))


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(40, 8)
        self.mid, self.head = nn.Linear(8, 8), nn.Linear(8, 40, bias=False)
        self.head.weight = self.wte.weight

    def forward(self, x):
        return self.head(self.mid(self.wte(x)))


class Twins(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.score = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 8)), nn.Linear(8, 1)

    def forward(self, left, right):
        return self.score(self.encoder(left) - self.encoder(right))


def upsampler():
    return nn.Sequential(nn.ConvTranspose2d(8, 4, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(4, 2, 2, 2))


def frozen_start():
    net = mlp()
    net[0].requires_grad_(False)
    return net


def frozen_middle():
    net = mlp()
    net[2].requires_grad_(False)
    return net


def all_frozen_but_norm():
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 3))
    net[0].requires_grad_(False)
    net[2].requires_grad_(False)
    return net


class Scores(nn.Module):
    """A matrix product of two activations, and one with a parameter."""

    def __init__(self):
        super().__init__()
        self.a, self.w = nn.Linear(6, 6), nn.Parameter(torch.empty(6, 3))

    def forward(self, x):
        y = self.a(x)
        return y @ y.transpose(1, 2) @ x @ self.w


def chain(layers, shape, dtype=None):
    given = f"{{shape: {shape}, dtype: {dtype}}}" if dtype else shape
    return f"{HEAD}input: {given}\nlayers:\n" + "".join(f"  - {line}\n" for line in layers)


def shipped(name):
    return lambda: netcalc.load(name)


MLP = [
    "a: {Linear: {out_features: 200, bias: false}}",
    "r: ReLU",
    "b: {Linear: {out_features: 100, bias: false}}",
    "c: {Linear: 1}",
]
FROZEN_START = ["a: {Linear: {out_features: 200, bias: false}}\n    freeze: true", *MLP[1:]]
FROZEN_MIDDLE = [*MLP[:2], "b: {Linear: {out_features: 100, bias: false}}\n    freeze: true", MLP[3]]
NORM_ONLY = ["a: {Conv2d: {out_channels: 8, kernel_size: 3}}\n    freeze: true", "n: BatchNorm2d",
             "b: {Conv2d: {out_channels: 4, kernel_size: 3}}\n    freeze: true"]  # fmt: skip
TAGGER = ["e: {Embedding: {num_embeddings: 50, embedding_dim: 12}}",
          "l: {LSTM: {hidden_size: 16, num_layers: 2, bidirectional: true, batch_first: true}}", "t: {Linear: 5}"]  # fmt: skip
ATTENTION = "m: {MultiheadAttention: {num_heads: 4, batch_first: true}}"
FROZEN_LSTM = [
    "a: {Linear: 12}",
    "l: {LSTM: {hidden_size: 16, proj_size: 6, batch_first: true}}\n    freeze: true",
    "t: {Linear: 5}",
]
CELLS = ["a: {GRUCell: {hidden_size: 16}}", "b: {LSTMCell: {hidden_size: 8}}", "c: {RNNCell: {hidden_size: 4}}"]
CROSS = (
    HEAD
    + """
inputs: {x: [N, 5, 24], memory: [N, 7, 16]}
layers:
  - q: {Linear: 24}
    from: x
  - attention: {MultiheadAttention: {num_heads: 4, batch_first: true}}
    from: [q, memory]
"""
)
GPT = ["c_attn: {Linear: 72}", "qkv: {Chunk: {chunks: 3, dim: -1}}",
       "y: {ScaledDotProductAttention: {num_heads: 4, is_causal: true}}\n    from: [qkv.0, qkv.1, qkv.2]", "c_proj: {Linear: 24}"]  # fmt: skip
QUERY = ["q: {Linear: 24}", "y: {ScaledDotProductAttention: {num_heads: 1}}\n    from: [q, input, input]"]
VALUE = ["v: {Linear: 24}", "y: {ScaledDotProductAttention: {num_heads: 1}}\n    from: [input, input, v]"]
TIED = ["wte: {Embedding: {num_embeddings: 40, embedding_dim: 8}}", "mid: {Linear: 8}",
        "head: {Linear: {out_features: 40, bias: false}}\n    tie: {weight: wte.weight}"]  # fmt: skip
TWINS = (
    HEAD
    + """
inputs: {left: [N, 20], right: [N, 20]}
layers:
  - encoder: [{Linear: 30}, ReLU, {Linear: 8}]
    from: left
  - twin: {Reuse: encoder}
    from: right
  - Sub: [encoder, twin]
  - score: {Linear: 1}
"""
)
UP = ["a: {ConvTranspose2d: {out_channels: 4, kernel_size: 4, stride: 2, padding: 1}}", "r: ReLU",
      "b: {ConvTranspose2d: {out_channels: 2, kernel_size: 2, stride: 2}}"]  # fmt: skip
SCORES = ["a: {Linear: 6}", "t: {Transpose: {dim0: 1, dim1: 2}}", "s: {MatMul: [a, t]}", "y: {MatMul: [s, input]}",
          "w: {Parameter: {shape: [6, 3], init: 0}}", "z: {MatMul: [y, w]}"]  # fmt: skip

IMAGE, WORDS, SEQUENCE = (3, 3, 224, 224), (3, 9), (3, 9, 24)
CASES = {
    "mlp": (chain(MLP, "[N, 10]"), mlp, [(3, 10)]),
    "lenet5": (shipped("lenet5"), lenet, [(3, 1, 28, 28)]),
    "alexnet": (shipped("alexnet"), alexnet, [IMAGE]),
    "resnet18": (shipped("resnet18"), resnet18, [IMAGE]),
    "tagger": (chain(TAGGER, "[N, 9]", "int64"), tagger, [WORDS]),
    "lstm first": (
        chain(["l: {LSTM: {hidden_size: 16, num_layers: 2, batch_first: true}}", "t: {Linear: 5}"], "[N, 9, 12]"),
        lstm_first,
        [(3, 9, 12)],
    ),
    "gru first": (
        chain(["l: {GRU: {hidden_size: 16, batch_first: true}}", "t: {Linear: 5}"], "[N, 9, 12]"),
        gru_first,
        [(3, 9, 12)],
    ),
    "frozen lstm": (chain(FROZEN_LSTM, "[N, 9, 12]"), frozen_lstm, [(3, 9, 12)]),
    "cells": (chain(CELLS, "[N, 12]"), cells, [(3, 12)]),
    "attention first": (chain([ATTENTION], "[N, 9, 24]"), Attention, [SEQUENCE]),
    "attention inside": (
        chain(["a: {Linear: 24}", ATTENTION], "[N, 9, 24]"),
        lambda: Attention(nn.Linear(24, 24)),
        [SEQUENCE],
    ),
    "cross attention": (CROSS, Cross, [(3, 5, 24), (3, 7, 16)]),
    "gpt attention": (chain(GPT, "[N, 9, 24]"), GptBlock, [SEQUENCE]),
    "query only": (chain(QUERY, "[N, 9, 24]"), QueryOnly, [SEQUENCE]),
    "value only": (chain(VALUE, "[N, 9, 24]"), ValueOnly, [SEQUENCE]),
    "tied": (chain(TIED, "[N, 9]", "int64"), Tied, [WORDS]),
    "reuse": (TWINS, Twins, [(3, 20), (3, 20)]),
    "transposed": (chain(UP, "[N, 8, 6, 6]"), upsampler, [(3, 8, 6, 6)]),
    "frozen start": (chain(FROZEN_START, "[N, 10]"), frozen_start, [(3, 10)]),
    "frozen middle": (chain(FROZEN_MIDDLE, "[N, 10]"), frozen_middle, [(3, 10)]),
    "norm only": (chain(NORM_ONLY, "[N, 3, 12, 12]"), all_frozen_but_norm, [(3, 3, 12, 12)]),
    "matrix products": (chain(SCORES, "[N, 5, 6]"), Scores, [(3, 5, 6)]),
}


def measured(module, shapes, whole: bool) -> tuple[int, int]:
    """torch's MACs of the forward pass and of the backward pass."""
    dtype = torch.int64 if whole else torch.float32
    module = module.to("meta").train()
    inputs = [torch.empty(shape, device="meta", dtype=dtype) for shape in shapes]
    with FlopCounterMode(display=False) as forward:
        out = module(*inputs)
    with FlopCounterMode(display=False) as backward:
        out.sum().backward()
    return forward.get_total_flops() // 2, backward.get_total_flops() // 2


@pytest.mark.parametrize("case", CASES)
def test_macs_of_both_passes_equal_torchs(case):
    source, module, shapes = CASES[case]
    net = source() if callable(source) else netcalc.load(source)
    flops = net.flops(batch=shapes[0][0])
    table = flops.facts
    whole = any(value.dtype == "int64" for value in net.graph.inputs.values())
    assert (sum(r.macs for r in table), sum(r.backward_macs for r in table)) == measured(module(), shapes, whole)


def test_grouped_convolution_costs_twice_its_forward_pass():
    """Each gradient sums the same products as the forward pass; torch's counter forgets the groups there."""
    layers = [
        "a: {Conv2d: {out_channels: 8, kernel_size: 3, padding: 1, groups: 4}}",
        "b: {Conv2d: {out_channels: 8, kernel_size: 3, groups: 8}}",
    ]
    first, second = netcalc.load(chain(layers, "[N, 4, 6, 6]")).flops(batch=2).facts
    assert (first.macs, first.backward_macs) == (2 * 8 * 36 * 9, 2 * 8 * 36 * 9)  # the picture needs no gradient
    assert (second.macs, second.backward_macs) == (2 * 8 * 16 * 9, 2 * 2 * 8 * 16 * 9)


def test_what_does_not_train_costs_nothing_backward():
    frozen = chain(["a: {Linear: 8}\n    freeze: true", "b: {Linear: 4}\n    freeze: true"], "[N, 8]")
    assert netcalc.load(frozen).flops().totals["backward_flops"] == 0


def test_a_frozen_layer_with_the_weight_of_one_that_trains():
    """Its weight's gradient is worked out all the same, for the owner: on paper 2 weights' gradients of 6*4*4 MACs each,
    and one of the tensor between the layers."""
    net = netcalc.load(
        "netcalc: 1\ninput: [N, 6, 4]\nlayers:\n  - a: {Linear: 4}\n  - b: {Linear: 4}\n    tie: {weight: a.weight}\n"
        "    freeze: true\n"
    )
    backward = net.flops().to_dict()["layers"]
    assert [row["backward_flops"] for row in backward] == [2 * 96 + 24, 2 * 2 * 96 + 24]
