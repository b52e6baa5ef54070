"""Embeddings and bags of embeddings."""

from torch import nn

from tests.layers.table import Row

I64, I32 = ("int64",), ("int32",)

ROWS = [
    Row("Embedding", {"num_embeddings": 1000, "embedding_dim": 64}, [(2, 17)], lambda: nn.Embedding(1000, 64), I64),
    Row("Embedding", {"num_embeddings": 11, "embedding_dim": 3, "padding_idx": 0}, [(5,)], lambda: nn.Embedding(11, 3, padding_idx=0), I32),
    Row("Embedding", {"num_embeddings": 11, "embedding_dim": 3, "padding_idx": -11}, [(4, 5, 2)], lambda: nn.Embedding(11, 3, -11), I64),
    Row("Embedding", {"num_embeddings": 11, "embedding_dim": 3, "max_norm": 1.5, "norm_type": 1}, [(4, 5)], lambda: nn.Embedding(11, 3, None, 1.5, 1), I64),
    Row("Embedding", {"num_embeddings": 1, "embedding_dim": 1, "sparse": True, "scale_grad_by_freq": True}, [(3, 5)], lambda: nn.Embedding(1, 1, sparse=True, scale_grad_by_freq=True), I64),
    Row("Embedding", {"num_embeddings": 50257, "embedding_dim": 768}, [()], lambda: nn.Embedding(50257, 768), I64),
    Row("EmbeddingBag", {"num_embeddings": 1000, "embedding_dim": 64}, [(2, 17)], lambda: nn.EmbeddingBag(1000, 64), I64),
    Row("EmbeddingBag", {"num_embeddings": 10, "embedding_dim": 3, "mode": "sum"}, [(4, 7)], lambda: nn.EmbeddingBag(10, 3, mode="sum"), I32),
    Row("EmbeddingBag", {"num_embeddings": 10, "embedding_dim": 3, "mode": "max", "padding_idx": 9}, [(4, 1)], lambda: nn.EmbeddingBag(10, 3, mode="max", padding_idx=9), I64),
    Row("EmbeddingBag", {"num_embeddings": 10, "embedding_dim": 3, "max_norm": 2, "norm_type": 3.5, "sparse": True}, [(4, 7)], lambda: nn.EmbeddingBag(10, 3, 2, 3.5, sparse=True), I64),
    Row("EmbeddingBag", {"num_embeddings": 10, "embedding_dim": 3, "mode": "sum", "scale_grad_by_freq": True, "padding_idx": -1}, [(1, 7)], lambda: nn.EmbeddingBag(10, 3, scale_grad_by_freq=True, mode="sum", padding_idx=-1), I64),
]  # fmt: skip
