"""Published networks written a second time, by hand in torch, with the names of their authors' code."""

from __future__ import annotations

import math

import torch
from torch import nn


class Bert(nn.Module):
    """BertModel of Hugging Face transformers: post-norm encoder, learned positions, pooler."""

    def __init__(self, layers=12, heads=12, dim=768, words=30522):
        super().__init__()
        self.embeddings = nn.Module()
        self.embeddings.word_embeddings = nn.Embedding(words, dim, padding_idx=0)
        self.embeddings.position_embeddings = nn.Embedding(512, dim)
        self.embeddings.token_type_embeddings = nn.Embedding(2, dim)
        self.embeddings.LayerNorm = nn.LayerNorm(dim, eps=1e-12)
        self.encoder = nn.Module()
        self.encoder.layer = nn.ModuleList(BertLayer(dim, heads) for _ in range(layers))
        self.pooler = nn.Module()
        self.pooler.dense = nn.Linear(dim, dim)

    def forward(self, tokens, types, mask):
        e = self.embeddings
        x = e.word_embeddings(tokens) + e.token_type_embeddings(types) + e.position_embeddings.weight[: tokens.shape[1]]
        x = e.LayerNorm(x)
        for layer in self.encoder.layer:
            x = layer(x, mask)
        return x, self.pooler.dense(x[:, 0]).tanh()


class BertLayer(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.attention = nn.Module()
        self.attention.self = nn.Module()
        for name in ("query", "key", "value"):
            setattr(self.attention.self, name, nn.Linear(dim, dim))
        self.attention.output = BertOutput(dim, dim)
        self.intermediate = nn.Module()
        self.intermediate.dense = nn.Linear(dim, 4 * dim)
        self.output = BertOutput(4 * dim, dim)

    def forward(self, x, mask):
        inner = self.attention.self
        q, k, v = (m(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for m in (inner.query, inner.key, inner.value))
        scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])
        attended = scores.masked_fill(~mask, -math.inf).softmax(-1) @ v
        x = self.attention.output(attended.transpose(1, 2).flatten(2), x)
        return self.output(nn.functional.gelu(self.intermediate.dense(x)), x)


class BertOutput(nn.Module):
    def __init__(self, wide, dim):
        super().__init__()
        self.dense, self.LayerNorm = nn.Linear(wide, dim), nn.LayerNorm(dim, eps=1e-12)

    def forward(self, x, residual):
        return self.LayerNorm(self.dense(x) + residual)


class Transformer(nn.Module):
    """Vaswani et al. with torch's own layers, and the positions of tensor2tensor: sines, then cosines."""

    def __init__(self, words=37000, dim=512, heads=8, layers=6):
        super().__init__()
        options = {"dim_feedforward": 4 * dim, "dropout": 0.0, "batch_first": True}
        self.embedding = nn.Embedding(words, dim)
        self.encoder, self.decoder = nn.Module(), nn.Module()
        self.encoder.layers = nn.ModuleList(nn.TransformerEncoderLayer(dim, heads, **options) for _ in range(layers))
        self.decoder.layers = nn.ModuleList(nn.TransformerDecoderLayer(dim, heads, **options) for _ in range(layers))
        self.generator = nn.Linear(dim, words, bias=False)
        self.generator.weight = self.embedding.weight

    def embed(self, tokens):
        dim = self.embedding.embedding_dim
        steps = torch.arange(dim // 2, device=tokens.device) / (dim // 2 - 1)
        angles = torch.arange(tokens.shape[1], device=tokens.device)[:, None] * 10000.0**-steps
        return self.embedding(tokens) * math.sqrt(dim) + torch.cat([angles.sin(), angles.cos()], dim=1)

    def forward(self, source, target):
        memory, x = self.embed(source), self.embed(target)
        for layer in self.encoder.layers:
            memory = layer(memory)
        mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).triu(1)
        for layer in self.decoder.layers:
            x = layer(x, memory, tgt_mask=mask)
        return self.generator(x)


class ConvBN(nn.Sequential):
    def __init__(self, channels, out, kernel=3, stride=1, groups=1, act=nn.SiLU, **norm):
        conv = nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups, bias=False)
        super().__init__(conv, nn.BatchNorm2d(out, **norm), *([act()] if act else []))


class SqueezeExcitation(nn.Module):
    def __init__(self, channels, squeeze, act, scale):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, squeeze, 1), nn.Conv2d(squeeze, channels, 1)
        self.act, self.scale = act(), scale()

    def forward(self, x):
        return x * self.scale(self.fc2(self.act(self.fc1(x.mean((2, 3), keepdim=True)))))


class Inverted(nn.Module):
    """The inverted residual of EfficientNet and MobileNetV3, with torchvision's numbers."""

    def __init__(self, channels, hidden, out, kernel, stride, act, excite=None, **norm):
        super().__init__()
        expand = [ConvBN(channels, hidden, 1, act=act, **norm)] if hidden != channels else []
        excite = [SqueezeExcitation(hidden, *excite)] if excite else []
        depthwise = ConvBN(hidden, hidden, kernel, stride, hidden, act, **norm)
        self.block = nn.Sequential(*expand, depthwise, *excite, ConvBN(hidden, out, 1, act=None, **norm))
        self.residual = stride == 1 and channels == out

    def forward(self, x):
        return x + self.block(x) if self.residual else self.block(x)


class Classifier(nn.Module):
    """Features, mean over the picture, linear layers: what torchvision's mobile networks share."""

    def __init__(self, features, classifier):
        super().__init__()
        self.features, self.classifier = nn.Sequential(*features), nn.Sequential(*classifier)

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


def efficientnet_b0():
    """Table 1 of Tan and Le (2019): expansion, kernel, stride, channels in and out, blocks."""
    table = ((1, 3, 1, 32, 16, 1), (6, 3, 2, 16, 24, 2), (6, 5, 2, 24, 40, 2), (6, 3, 2, 40, 80, 3),
             (6, 5, 1, 80, 112, 3), (6, 5, 2, 112, 192, 4), (6, 3, 1, 192, 320, 1))  # fmt: skip
    features = [ConvBN(3, 32, stride=2)]
    for expand, kernel, stride, channels, out, depth in table:
        sizes = [(channels, stride)] + [(out, 1)] * (depth - 1)
        excite = [(c // 4, nn.SiLU, nn.Sigmoid) for c, _ in sizes]
        features.append(
            nn.Sequential(
                *(Inverted(c, expand * c, out, kernel, s, nn.SiLU, e) for (c, s), e in zip(sizes, excite, strict=True))
            )
        )
    return Classifier([*features, ConvBN(320, 1280, 1)], [nn.Dropout(0.2), nn.Linear(1280, 1000)])


def mobilenet_v3_large():
    """Table 1 of Howard et al. (2019): kernel, hidden, channels out, squeeze, activation, stride."""
    relu, swish, norm = nn.ReLU, nn.Hardswish, {"eps": 0.001, "momentum": 0.01}
    table = ((3, 16, 16, 0, relu, 1), (3, 64, 24, 0, relu, 2), (3, 72, 24, 0, relu, 1), (5, 72, 40, 24, relu, 2),
             (5, 120, 40, 32, relu, 1), (5, 120, 40, 32, relu, 1), (3, 240, 80, 0, swish, 2), (3, 200, 80, 0, swish, 1),
             (3, 184, 80, 0, swish, 1), (3, 184, 80, 0, swish, 1), (3, 480, 112, 120, swish, 1),
             (3, 672, 112, 168, swish, 1), (5, 672, 160, 168, swish, 2), (5, 960, 160, 240, swish, 1),
             (5, 960, 160, 240, swish, 1))  # fmt: skip
    features, channels = [ConvBN(3, 16, stride=2, act=swish, **norm)], 16
    for kernel, hidden, out, squeeze, act, stride in table:
        excite = (squeeze, relu, nn.Hardsigmoid) if squeeze else None
        features.append(Inverted(channels, hidden, out, kernel, stride, act, excite, **norm))
        channels = out
    head = [nn.Linear(960, 1280), swish(), nn.Dropout(0.2), nn.Linear(1280, 1000)]
    return Classifier([*features, ConvBN(160, 960, 1, act=swish, **norm)], head)


class SwinBlock(nn.Module):
    def __init__(self, dim, heads, size, shift):
        super().__init__()
        self.heads, self.size, self.shift = heads, size, shift
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = nn.Module()
        self.attn.relative_position_bias_table = nn.Parameter(torch.zeros(169, heads))
        self.attn.register_buffer("relative_position_index", torch.zeros(2401, dtype=torch.long))
        self.attn.qkv, self.attn.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Dropout(0), nn.Linear(4 * dim, dim))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))

    def attention(self, x):
        """Without the mask of the shifted windows, which changes neither shapes nor products."""
        side, attn = self.size // 7, self.attn
        x = torch.roll(x, (-self.shift, -self.shift), (1, 2))
        windows = x.unflatten(1, (side, 7)).unflatten(3, (side, 7)).transpose(2, 3).flatten(3, 4).flatten(0, 2)
        q, k, v = attn.qkv(windows).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        bias = attn.relative_position_bias_table[attn.relative_position_index].unflatten(0, (49, 49)).permute(2, 0, 1)
        scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[-1]) + bias
        out = attn.proj((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))
        out = out.unflatten(0, (-1, side, side)).unflatten(3, (7, 7)).transpose(2, 3).flatten(1, 2).flatten(2, 3)
        return torch.roll(out, (self.shift, self.shift), (1, 2))


class PatchMerging(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.reduction, self.norm = nn.Linear(4 * dim, 2 * dim, bias=False), nn.LayerNorm(4 * dim)

    def forward(self, x):
        corners = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.reduction(self.norm(torch.cat(corners, dim=-1)))


class ChannelsLast(nn.Module):
    def forward(self, x):
        return x.permute(0, 2, 3, 1)


class SwinT(nn.Module):
    """torchvision's swin_t."""

    def __init__(self):
        super().__init__()
        features = [nn.Sequential(nn.Conv2d(3, 96, 4, 4), ChannelsLast(), nn.LayerNorm(96))]
        for stage, (depth, heads) in enumerate(((2, 3), (2, 6), (6, 12), (2, 24))):
            dim, size = 96 << stage, 56 >> stage
            features += [PatchMerging(dim // 2)] if stage else []
            shifts = [3 if i % 2 and size > 7 else 0 for i in range(depth)]
            features.append(nn.Sequential(*(SwinBlock(dim, heads, size, shift) for shift in shifts)))
        self.features, self.norm, self.head = nn.Sequential(*features), nn.LayerNorm(768), nn.Linear(768, 1000)

    def forward(self, x):
        return self.head(self.norm(self.features(x)).mean((1, 2)))
