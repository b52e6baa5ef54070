"""Sines of times and buckets of distances, written as Hugging Face diffusers and transformers do."""

import math

import torch

from tests.layers.table import Row


def timesteps(dim, flip=False, shift=1, period=10000):
    def embedding(t):
        half = dim // 2
        exponent = -math.log(period) * torch.arange(half, dtype=torch.float32, device=t.device) / (half - shift)
        emb = t[:, None].float() * torch.exp(exponent)[None, :]
        emb = torch.cat([torch.sin(emb), torch.cos(emb)], dim=-1)
        return torch.cat([emb[:, half:], emb[:, :half]], dim=-1) if flip else emb

    return embedding


def t5_buckets(queries, keys, bidirectional=True, num_buckets=32, max_distance=128):
    def bucket():
        relative_position = torch.arange(keys)[None, :] - torch.arange(queries)[:, None]
        buckets, number = 0, num_buckets
        if bidirectional:
            number //= 2
            buckets += (relative_position > 0).to(torch.long) * number
            relative_position = torch.abs(relative_position)
        else:
            relative_position = -torch.min(relative_position, torch.zeros_like(relative_position))
        max_exact = number // 2
        is_small = relative_position < max_exact
        large = max_exact + (
            torch.log(relative_position.float() / max_exact) / math.log(max_distance / max_exact) * (number - max_exact)
        ).to(torch.long)
        large = torch.min(large, torch.full_like(large, number - 1))
        return buckets + torch.where(is_small, relative_position, large)

    return bucket


ROWS = [
    Row("SinusoidalEmbedding", {"embedding_dim": 128}, [(3,)], lambda: timesteps(128)),
    Row("SinusoidalEmbedding", {"embedding_dim": 128}, [(3,)], lambda: timesteps(128), ("int64",)),
    Row("SinusoidalEmbedding", {"embedding_dim": 320, "flip_sin_to_cos": True, "downscale_freq_shift": 0}, [(1,)], lambda: timesteps(320, True, 0)),
    Row("SinusoidalEmbedding", {"embedding_dim": 6, "max_period": 500}, [(5,)], lambda: timesteps(6, period=500)),
    Row("RelativePositionBuckets", {"query_length": 7, "key_length": 7}, [], lambda: t5_buckets(7, 7)),
    Row("RelativePositionBuckets", {"query_length": 1, "key_length": 300}, [], lambda: t5_buckets(1, 300)),
    Row("RelativePositionBuckets", {"query_length": 40, "key_length": 40, "bidirectional": False}, [], lambda: t5_buckets(40, 40, False)),
    Row("RelativePositionBuckets", {"query_length": 9, "key_length": 30, "num_buckets": 8, "max_distance": 20}, [], lambda: t5_buckets(9, 30, True, 8, 20)),
]  # fmt: skip
