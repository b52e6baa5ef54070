"""Look-up tables: embeddings and bags of embeddings."""

from __future__ import annotations

from ..arith import at_least, less, prod
from .base import Layer, Work, arg, layer, need
from .kinds import dim, flag, integer, optional, real, word

RENORM = "rows longer than max_norm are rescaled when they are looked up; how many there are depends on the data"


class Table(Layer):
    """What the two look-ups share: a weight with one row per token."""

    accepts = "integer"

    def needs(self, x):
        """Tokens are data, so that only padding_idx can be checked against the table."""
        if self.padding_idx is not None:
            rows, row = self.num_embeddings, self.padding_idx
            for ok in (at_least(row, -rows), less(row, rows)):
                yield need(ok, "E411", lambda: f"padding_idx = {row} is not one of the {rows} rows", "padding_idx",
                           f"rows are numbered 0 to {rows - 1}")  # fmt: skip

    def dtype(self, *dtypes):
        return "float32"

    def conventions(self, x):
        yield "Papers on scaling (Kaplan et al., 2020) leave embeddings out of the number of parameters N."

    def params(self, x):
        return {"weight": (self.num_embeddings, self.embedding_dim)}


@layer("... -> ... E")
class Embedding(Table):
    """A row of a table for each token. Agrees with torch.nn.Embedding.

    Looking up is movement of data: no FLOPs.
    """

    num_embeddings = arg(dim, doc="rows of the table")
    embedding_dim = arg(dim, doc="features of each row")
    padding_idx = arg(optional(integer), None, doc="the row that is not trained")
    max_norm = arg(optional(real), None, doc="rows with a larger norm are rescaled when looked up")
    norm_type = arg(real, 2.0)
    scale_grad_by_freq = arg(flag, False)
    sparse = arg(flag, False)

    def shape(self, x):
        return (*x, self.embedding_dim)

    def work(self, x, y):
        return Work(unmodelled=RENORM if self.max_norm is not None else "")

    def eager(self, op, weights, x):
        return op.embedding(x, weights["weight"])


@layer("N L -> N E")
class EmbeddingBag(Table):
    """The sum, mean or maximum of the rows of L tokens. Agrees with torch.nn.EmbeddingBag on 2-D input.

    Other FLOPs: the L - 1 additions (or comparisons) of each output element, and one division for a mean. Tokens equal
    to padding_idx, which torch leaves out, are counted like all others.
    """

    num_embeddings = arg(dim, doc="rows of the table")
    embedding_dim = arg(dim, doc="features of each row")
    max_norm = arg(optional(real), None, doc="rows with a larger norm are rescaled when looked up")
    norm_type = arg(real, 2.0)
    scale_grad_by_freq = arg(flag, False)
    mode = arg(word("sum", "mean", "max"), "mean")
    sparse = arg(flag, False)
    padding_idx = arg(optional(integer), None, doc="tokens with this number are left out")

    def needs(self, x):
        yield from super().needs(x)
        for name in ("scale_grad_by_freq", "sparse"):
            ok = self.mode != "max" or not getattr(self, name)
            yield need(
                ok, "E411", f"mode: max does not support {name}: true", name, f"leave {name} out, or use mode: sum"
            )

    def shape(self, x):
        return (x[0], self.embedding_dim)

    def work(self, x, y):
        each = x[1] if self.mode == "mean" else x[1] - 1
        return Work(other=prod(y) * each, unmodelled=RENORM if self.max_norm is not None else "")

    def eager(self, op, weights, x):
        return op.embedding_bag(x, weights["weight"], self.mode, self.padding_idx is not None, self.sparse)
