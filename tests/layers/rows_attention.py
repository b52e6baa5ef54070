"""Attention and rotary position embeddings.

On the meta device torch's flop counter sees the matrix products of attention in full (the causal ones too); the rows
with `macs` say what they are by hand.
"""

import torch
import torch.nn.functional as F
from torch import nn

from tests.layers.table import Row


def self_attention(module, x):
    return module(x, x, x, need_weights=False)[0]


def cross_attention(module, x, memory):
    return module(x, memory, memory, need_weights=False)[0]


def causal_attention(module, x):
    length = x.shape[1 if module.batch_first else 0]
    mask = torch.ones(length, length, dtype=torch.bool, device=x.device).triu(1)
    return module(x, x, x, need_weights=False, attn_mask=mask, is_causal=True)[0]


def full_attention(module, query, key, value):
    return module(query, key, value, need_weights=False)[0]


def heads(x, count):
    n, t, features = x.shape
    return x.view(n, t, count, features // count).permute(0, 2, 1, 3)


def merged(x):
    n, count, t, size = x.shape
    return x.permute(0, 2, 1, 3).reshape(n, t, count * size)


def attention(count, kv_count=None, **kwargs):
    kv = kv_count or count
    return lambda q, k, v, mask=None: merged(
        F.scaled_dot_product_attention(
            heads(q, count), heads(k, kv), heads(v, kv), mask, enable_gqa=kv != count, **kwargs
        )
    )


def rotate_half(x):
    half = x.shape[-1] // 2
    return torch.cat((-x[..., half:], x[..., :half]), dim=-1)


def llama_rotary(size, base=10000.0):
    def rotated(x):
        inverse = 1.0 / base ** (torch.arange(0, size, 2, device=x.device).float() / size)
        angles = torch.arange(x.shape[1], device=x.device).float()[:, None] * inverse[None, :]
        table = torch.cat((angles, angles), dim=-1)
        q = heads(x, x.shape[2] // size)
        return merged(q * table.cos() + rotate_half(q) * table.sin())

    return rotated


BOOL, FLOAT = ("float32", "float32", "float32", "bool"), ("float32",) * 4

ROWS = [
    Row("MultiheadAttention", {"num_heads": 12, "batch_first": True}, [(2, 197, 768)], lambda: nn.MultiheadAttention(768, 12, batch_first=True), call=self_attention, macs=2 * (197 * 768 * 768 * 4 + 197 * 197 * 768 * 2)),
    Row("MultiheadAttention", {"num_heads": 3}, [(7, 2, 12)], lambda: nn.MultiheadAttention(12, 3), call=self_attention),
    Row("MultiheadAttention", {"num_heads": 1, "bias": False, "dropout": 0.1}, [(7, 2, 5)], lambda: nn.MultiheadAttention(5, 1, 0.1, False), call=self_attention),
    Row("MultiheadAttention", {"num_heads": 4, "add_bias_kv": True}, [(7, 3, 12)], lambda: nn.MultiheadAttention(12, 4, add_bias_kv=True), call=self_attention, macs=3 * (7 * 12 * 12 * 4 + 7 * 8 * 12 * 2)),
    Row("MultiheadAttention", {"num_heads": 4, "add_zero_attn": True, "add_bias_kv": True, "bias": False, "batch_first": True}, [(3, 7, 12)], lambda: nn.MultiheadAttention(12, 4, 0.0, False, True, True, batch_first=True), call=self_attention, macs=3 * (7 * 12 * 12 * 4 + 7 * 9 * 12 * 2)),
    Row("MultiheadAttention", {"num_heads": 2}, [(7, 3, 12), (9, 3, 12)], lambda: nn.MultiheadAttention(12, 2), call=cross_attention),
    Row("MultiheadAttention", {"num_heads": 2, "batch_first": True}, [(3, 7, 12), (3, 9, 5)], lambda: nn.MultiheadAttention(12, 2, kdim=5, vdim=5, batch_first=True), call=cross_attention, macs=3 * (7 * 12 * 12 * 2 + 9 * 5 * 12 * 2 + 7 * 9 * 12 * 2)),
    Row("MultiheadAttention", {"num_heads": 6, "batch_first": True}, [(3, 7, 12), (3, 9, 12), (3, 9, 12)], lambda: nn.MultiheadAttention(12, 6, batch_first=True), call=full_attention),
    Row("MultiheadAttention", {"num_heads": 6, "add_zero_attn": True}, [(7, 3, 12), (9, 3, 5), (9, 3, 8)], lambda: nn.MultiheadAttention(12, 6, kdim=5, vdim=8, add_zero_attn=True), call=full_attention, macs=3 * (7 * 12 * 12 * 2 + 9 * 5 * 12 + 9 * 8 * 12 + 7 * 10 * 12 * 2)),
    Row("MultiheadAttention", {"num_heads": 3, "bias": False, "kdim": 5, "vdim": 12}, [(7, 2, 12), (9, 2, 5), (9, 2, 12)], lambda: nn.MultiheadAttention(12, 3, bias=False, kdim=5), call=full_attention),
    Row("MultiheadAttention", {"num_heads": 3, "vdim": 7, "add_bias_kv": True}, [(1, 2, 12), (9, 2, 12), (9, 2, 7)], lambda: nn.MultiheadAttention(12, 3, vdim=7, add_bias_kv=True), call=full_attention),
    Row("ScaledDotProductAttention", {"num_heads": 12, "is_causal": True}, [(2, 50, 768)] * 3, lambda: attention(12, is_causal=True), macs=2 * 12 * 50 * 50 * 64 * 2),
    Row("ScaledDotProductAttention", {"num_heads": 3}, [(2, 7, 12), (2, 9, 12), (2, 9, 12)], lambda: attention(3)),
    Row("ScaledDotProductAttention", {"num_heads": 1, "scale": 0.5}, [(2, 7, 5), (2, 9, 5), (2, 9, 8)], lambda: attention(1, scale=0.5), macs=2 * 7 * 9 * (5 + 8)),
    Row("ScaledDotProductAttention", {"num_heads": 3, "dropout_p": 0.1}, [(2, 7, 12), (2, 9, 12), (2, 9, 15)], lambda: attention(3, dropout_p=0.1), macs=2 * 3 * 7 * 9 * (4 + 5)),
    Row("ScaledDotProductAttention", {"num_heads": 6, "num_kv_heads": 2}, [(5, 7, 24), (5, 9, 8), (5, 9, 8)], lambda: attention(6, 2), macs=5 * 6 * 7 * 9 * (4 + 4)),
    Row("ScaledDotProductAttention", {"num_heads": 4, "num_kv_heads": 1, "is_causal": True, "scale": 1.0}, [(3, 7, 20), (3, 7, 5), (3, 7, 6)], lambda: attention(4, 1, is_causal=True, scale=1.0), macs=3 * 4 * 7 * 7 * (5 + 6)),
    Row("ScaledDotProductAttention", {"num_heads": 4, "num_kv_heads": 4}, [(3, 1, 20), (3, 7, 20), (3, 7, 20)], lambda: attention(4)),
    Row("ScaledDotProductAttention", {"num_heads": 3}, [(2, 7, 12), (2, 9, 12), (2, 9, 12), (7, 9)], lambda: attention(3), BOOL),
    Row("ScaledDotProductAttention", {"num_heads": 3}, [(2, 7, 12), (2, 9, 12), (2, 9, 12), (2, 1, 1, 9)], lambda: attention(3), BOOL),
    Row("ScaledDotProductAttention", {"num_heads": 3}, [(2, 7, 12), (2, 9, 12), (2, 9, 15), (1, 1, 7, 9)], lambda: attention(3), FLOAT),
    Row("ScaledDotProductAttention", {"num_heads": 6, "num_kv_heads": 3}, [(2, 7, 24), (2, 9, 12), (2, 9, 12), (2, 1, 7, 9)], lambda: attention(6, 3), FLOAT, macs=2 * 6 * 7 * 9 * (4 + 4)),
    Row("RotaryEmbedding", {"head_dim": 64}, [(2, 50, 768)], lambda: llama_rotary(64)),
    Row("RotaryEmbedding", {"head_dim": 2, "base": 500000}, [(3, 7, 10)], lambda: llama_rotary(2, 500000)),
    Row("RotaryEmbedding", {"head_dim": 6, "base": 1e4}, [(3, 1, 6)], lambda: llama_rotary(6)),
    Row("MultiheadAttention", {"num_heads": 12, "batch_first": True, "dropout": 0.2, "add_zero_attn": True}, [(2, 5, 12), (2, 7, 12)], lambda: nn.MultiheadAttention(12, 12, 0.2, add_zero_attn=True, batch_first=True), call=cross_attention),
    Row("ScaledDotProductAttention", {"num_heads": 32, "num_kv_heads": 8, "is_causal": True}, [(1, 33, 4096), (1, 33, 1024), (1, 33, 1024)], lambda: attention(32, 8, is_causal=True), macs=32 * 33 * 33 * 128 * 2),
    Row("MultiheadAttention", {"num_heads": 4, "batch_first": True, "is_causal": True}, [(3, 7, 12)], lambda: nn.MultiheadAttention(12, 4, batch_first=True), call=causal_attention, macs=3 * (7 * 12 * 12 * 4 + 7 * 7 * 12 * 2)),
    Row("MultiheadAttention", {"num_heads": 1, "is_causal": True, "bias": False}, [(7, 3, 5)], lambda: nn.MultiheadAttention(5, 1, bias=False), call=causal_attention),
]  # fmt: skip
