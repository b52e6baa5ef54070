"""Attention over sequences, and rotary position embeddings.

MACs are those of the full score matrix, causal or not. Other FLOPs per score: 1 for the scale, 1 for a mask, 5 for the
softmax (maximum, subtraction, exponential, sum, division); dropout costs nothing in evaluation mode.
"""

from __future__ import annotations

from math import isqrt

from ..arith import divides, equal, same_shape
from .base import Layer, Work, arg, elements, layer, literal, need
from .kinds import dim, flag, optional, probability, real


def divisors(number: int) -> list:
    small = [d for d in range(1, isqrt(number) + 1) if number % d == 0]
    return sorted({*small, *(number // d for d in small)})


def heads_divide(features, heads, words: str, name: str):
    """E410: `words` is what the features are called, `name` the argument that gives the heads."""
    ok, help = divides(heads, features), f"{name} must divide the features"
    if ok is False and type(features) is int and features <= 1_000_000:
        help += f"; {features} is divisible by {', '.join(map(str, divisors(features)))}"
    return need(ok, "E410", lambda: f"{words} = {features} is not divisible by {name} = {heads}", name, help)


def sizes_agree(first: str, a, second: str, b, what: str, at: str | None = None):
    return need(equal(a, b), "E402", lambda: f"{first} has {what} {a}, but {second} has {b}", at)


def causal_half(layer):
    """Where papers count the scores of causal attention differently."""
    if layer.is_causal:
        yield (
            "The whole score matrix is counted, as kernels without a special case compute it; papers that leave out what "
            "the causal mask hides (Kaplan et al., 2020) have half of it."
        )


CAUSAL_ATTENTION = '''\
def causal_attention(module, query, key, value):
    """nn.MultiheadAttention in which a position looks only at itself and those before."""
    length = query.shape[1 if module.batch_first else 0]
    mask = nn.Transformer.generate_square_subsequent_mask(
        length, device=query.device, dtype=query.dtype
    )
    return module(
        query, key, value, attn_mask=mask, is_causal=True, need_weights=False
    )[0]
'''


@layer("A B E, C D K, C D V -> A B E")
class MultiheadAttention(Layer):
    """Scaled dot-product attention between learned projections. Agrees with torch.nn.MultiheadAttention on batched
    input, called with need_weights=False.

    One input is query, key and value (self-attention); with two, the second is key and value; three are query, key,
    value. Causal or not, the full score matrix is counted. Other FLOPs: 6 per score and 1 per bias added (scale and softmax as for ScaledDotProductAttention).
    """

    whole = True

    inputs = (1, 3)

    embed_dim = arg(dim, infer=-1)
    num_heads = arg(dim, main=True)
    dropout = arg(probability, 0.0)
    bias = arg(flag, True)
    add_bias_kv = arg(flag, False, doc="append a learned position to key and value")
    add_zero_attn = arg(flag, False, doc="append a position of zeros to key and value")
    kdim = arg(optional(dim), None, doc="features of the key; always inferred")
    vdim = arg(optional(dim), None, doc="features of the value; always inferred")
    batch_first = arg(flag, False, doc="input is [batch, time, features], not [time, batch, features]")
    is_causal = arg(flag, False, doc="a position looks only at itself and those before; given to forward, as in torch")

    @property
    def helper_source(self):
        return CAUSAL_ATTENTION if self.is_causal else None

    def three(self, inputs) -> tuple:
        """Query, key and value of one to three inputs."""
        return (inputs[0], inputs[min(1, len(inputs) - 1)], inputs[-1])

    def sizes(self, inputs) -> tuple:
        """Samples, query positions, and key positions (without added ones)."""
        query, key, _ = self.three(inputs)
        batch, time = (0, 1) if self.batch_first else (1, 0)
        return query[batch], query[time], key[time]

    def inferred(self, *inputs) -> dict:
        query, key, value = self.three(inputs)
        return {"embed_dim": query[-1], "kdim": key[-1], "vdim": value[-1]}

    def one_width(self, *inputs) -> bool:
        """Whether query, key and value have the same features, so that torch keeps their weights in one tensor."""
        query, key, value = self.three(inputs)
        return same_shape(query[-1:] * 2, (key[-1], value[-1]))

    def needs(self, *inputs):
        query, key, value = self.three(inputs)
        batch, time = (0, 1) if self.batch_first else (1, 0)
        yield heads_divide(query[-1], self.num_heads, "embed_dim", "num_heads")
        if len(inputs) > 1:
            yield sizes_agree("the query", query[batch], "the key", key[batch], "batch size")
        if len(inputs) > 2:
            yield sizes_agree("the key", key[batch], "the value", value[batch], "batch size")
            yield sizes_agree("the key", key[time], "the value", value[time], "length")
        if self.is_causal:
            yield sizes_agree("the query", query[time], "the key", key[time], "length", "is_causal")
            for name in ("add_bias_kv", "add_zero_attn"):
                yield need(not self.value(name), "E411", f"is_causal: true cannot be combined with {name}: true", name)

    def params(self, *inputs):
        query, key, value = self.three(inputs)
        e = query[-1]
        if self.one_width(*inputs):
            found = {"in_proj_weight": (3 * e, e)}
        else:
            found = {"q_proj_weight": (e, e), "k_proj_weight": (e, key[-1]), "v_proj_weight": (e, value[-1])}
        if self.bias:
            found["in_proj_bias"] = (3 * e,)
        if self.add_bias_kv:
            found |= {"bias_k": (1, 1, e), "bias_v": (1, 1, e)}
        found["out_proj.weight"] = (e, e)
        return found | {"out_proj.bias": (e,)} if self.bias else found

    def work(self, *shapes):
        query, key, value = self.three(shapes[:-1])
        n, t, s = self.sizes(shapes[:-1])
        e = query[-1]
        attended = s + int(self.add_bias_kv) + int(self.add_zero_attn)
        projections = e * (2 * t * e + s * (key[-1] + value[-1]))
        biases = e * (2 * t + 2 * s) if self.bias else 0
        return Work(
            macs=n * (projections + 2 * t * attended * e), other=n * (6 * self.num_heads * t * attended + biases)
        )

    def backward_macs(self, needed, trains, *shapes):
        """Where weights train everything flows inside, else what leads to an input that needs a gradient; and only the
        inputs' own gradients can be spared."""
        if not trains and not any(needed):
            return 0
        inputs = shapes[:-1]
        query, key, value = self.three(inputs)
        n, t, s = self.sizes(inputs)
        projections = (n * t * query[-1] * query[-1], n * s * key[-1] * query[-1], n * s * value[-1] * query[-1])
        wanted = {1: (needed[0],) * 3, 2: (needed[0], needed[-1], needed[-1])}.get(len(inputs), needed)
        into = sum(p for p, want in zip(projections, wanted, strict=True) if want)
        out = n * t * query[-1] * query[-1]
        product = (self.work(*shapes).macs - sum(projections) - out) // 2  # the scores, or the weighted sum
        q, k, v = (True,) * 3 if trains else wanted
        return into + (sum(projections) + out) * trains + out + product * (q + k + v + (q or k))

    def conventions(self, *inputs):
        yield from causal_half(self)

    def torch(self, *inputs):
        """kdim and vdim are written where they differ from embed_dim, for the weights depend on it."""
        found = self.inferred(*inputs)
        arguments = [literal(found["embed_dim"]), literal(self.num_heads)]
        for name in self.args:
            value = getattr(self, name)
            if name in ("kdim", "vdim"):
                value = None if same_shape((found[name],), (found["embed_dim"],)) else found[name]
            if name not in ("embed_dim", "num_heads", "is_causal") and value != self.args[name].default:
                arguments.append(f"{name}={literal(value)}")
        return f"nn.MultiheadAttention({', '.join(arguments)})"

    def apply(self, module: str, names: list) -> str:
        names = list(self.three(names))
        if self.is_causal:
            return f"causal_attention({', '.join([module, *names])})"
        return f"{module}({', '.join(names)}, need_weights=False)[0]"

    def eager(self, op, weights, *inputs):
        """What nn.MultiheadAttention does on [batch, time] or [time, batch], and `causal_attention` around it."""
        mask = op.causal_bias(inputs[0].shape[1 if self.batch_first else 0]) if self.is_causal else None
        query, key, value = self.three(inputs)
        if self.batch_first:
            seen = {id(x): op.transpose(x, 1, 0) for x in inputs}  # what is the same stays the same
            query, key, value = (seen[id(x)] for x in (query, key, value))
            del seen
        options = {"dropout": self.dropout, "is_causal": self.is_causal, "add_zero_attn": self.add_zero_attn}
        out = op.multihead_attention(query, key, value, weights, self.num_heads, options)
        del mask
        return op.transpose(out, 1, 0) if self.batch_first else out


@layer("N T E, N S K, N S V, ... -> N T O")
class ScaledDotProductAttention(Layer):
    """Splits features into heads, attends and merges the heads: softmax(q k^T * scale) v for each of them. Agrees with
    torch.nn.functional.scaled_dot_product_attention.

    Inputs are query, key, value and, if wanted, a mask (bool: true where it may look) or a bias of the scores. With
    num_kv_heads fewer than num_heads, several heads share a key and value (grouped-query attention).
    """

    whole = True

    inputs = (3, 4)
    accepts = ("float", "float", "float", "any")

    num_heads = arg(dim, main=True)
    num_kv_heads = arg(dim, None, doc="heads of key and value; num_heads if not given")
    is_causal = arg(flag, False, doc="a position looks only at itself and those before")
    dropout_p = arg(probability, 0.0)
    scale = arg(optional(real), None, doc="factor of the scores; 1/sqrt(head size) if not given")

    helper_source = '''\
def attention(
    query,
    key,
    value,
    mask=None,
    *,
    num_heads,
    num_kv_heads=None,
    is_causal=False,
    dropout_p=0.0,
    scale=None,
):
    """Multi-head attention of [N, T, features]: split the heads, attend, merge them again."""
    num_kv_heads = num_kv_heads or num_heads
    query = query.unflatten(-1, (num_heads, -1)).transpose(1, 2)
    key = key.unflatten(-1, (num_kv_heads, -1)).transpose(1, 2)
    value = value.unflatten(-1, (num_kv_heads, -1)).transpose(1, 2)
    out = F.scaled_dot_product_attention(
        query,
        key,
        value,
        mask,
        dropout_p,
        is_causal,
        scale=scale,
        enable_gqa=num_kv_heads != num_heads,
    )
    return out.transpose(1, 2).flatten(2)
'''

    def kv_heads(self):
        return self.num_heads if self.num_kv_heads is None else self.num_kv_heads

    def scores(self, query, key) -> tuple:
        return (query[0], self.num_heads, query[1], key[1])

    def needs(self, query, key, value, mask=None):
        kv_name = "num_heads" if self.num_kv_heads is None else "num_kv_heads"
        yield heads_divide(query[2], self.num_heads, "query features", "num_heads")
        yield heads_divide(key[2], self.kv_heads(), "key features", kv_name)
        yield heads_divide(value[2], self.kv_heads(), "value features", kv_name)
        if self.num_kv_heads is not None:
            yield need(divides(self.num_kv_heads, self.num_heads), "E410",
                       lambda: f"num_heads = {self.num_heads} is not divisible by num_kv_heads = {self.num_kv_heads}", "num_kv_heads")  # fmt: skip
        yield sizes_agree("the query", query[2] // self.num_heads, "the key", key[2] // self.kv_heads(), "head size")
        yield sizes_agree("the query", query[0], "the key", key[0], "batch size")
        yield sizes_agree("the key", key[0], "the value", value[0], "batch size")
        yield sizes_agree("the key", key[1], "the value", value[1], "length")
        if mask is not None:
            yield need(not self.is_causal, "E411", "is_causal: true cannot be combined with a mask", "is_causal",
                       "put the causal pattern into the mask")  # fmt: skip
            yield from self.mask_needs(self.scores(query, key), mask)

    def mask_needs(self, scores, mask):
        """A mask broadcasts to the scores, [batch, heads, query length, key length]."""
        fits = [(type(a) is int and a == 1) or equal(a, b) for a, b in zip(mask[::-1], scores[::-1], strict=False)]
        for ok in [2 <= len(mask) <= 4, *fits]:
            yield need(ok, "E401", lambda: f"a mask [{', '.join(map(str, mask))}] does not broadcast to the scores "
                       f"[{', '.join(map(str, scores))}]", None,
                       "a mask is [query length, key length]; with one per sample, [batch, 1, query length, key length]")  # fmt: skip

    def shape(self, query, key, value, mask=None):
        return (query[0], query[1], self.merged(value))

    def merged(self, value):
        """The features of all heads of the output together."""
        return value[2] if self.num_kv_heads is None else value[2] // self.num_kv_heads * self.num_heads

    def work(self, query, key, value, *rest):
        """`rest` is a mask, if there is one, and the output."""
        per_score = 6 if len(rest) == 1 else 7
        pairs = query[0] * query[1] * key[1]
        return Work(macs=pairs * (query[2] + self.merged(value)), other=pairs * self.num_heads * per_score)

    def backward_macs(self, needed, trains, query, key, value, *rest):
        """Gradients of query and key cost as much as the scores, those of value and of the weights as the weighted sum."""
        pairs = query[0] * query[1] * key[1]
        for_scores, for_sum = pairs * query[2], pairs * self.merged(value)
        through = needed[0] or needed[1] or any(needed[3:])
        return for_scores * (needed[0] + needed[1]) + for_sum * (needed[2] + through)

    def conventions(self, *inputs):
        yield from causal_half(self)

    def torch(self, *inputs):
        return None

    def call(self, names, *inputs):
        words = [*names, f"num_heads={literal(self.num_heads)}"]
        for name in ("num_kv_heads", "is_causal", "dropout_p", "scale"):
            value = getattr(self, name)
            if value != self.args[name].default:
                suffix = " if self.training else 0.0" if name == "dropout_p" else ""
                words.append(f"{name}={literal(value)}{suffix}")
        return f"attention({', '.join(words)})"

    def eager(self, op, weights, query, key, value, mask=None):
        """As `attention` above does it."""
        parts = (query, self.num_heads), (key, self.kv_heads()), (value, self.kv_heads())
        apart = not all(op.side_by_side(x, heads) for x, heads in parts)
        query = op.transpose(op.unflatten(query, -1, (self.num_heads, query.shape[2] // self.num_heads)), 1, 2)
        key = op.transpose(op.unflatten(key, -1, (self.kv_heads(), key.shape[2] // self.kv_heads())), 1, 2)
        value = op.transpose(op.unflatten(value, -1, (self.kv_heads(), value.shape[2] // self.kv_heads())), 1, 2)
        out = op.attention(query, key, value, mask, self.dropout_p, self.is_causal, apart)
        return op.flatten(op.transpose(out, 1, 2), 2)


@layer("N T E -> N T E")
class RotaryEmbedding(Layer):
    """Rotates pairs of features by angles that grow with the position (Su et al., 2021), position 0 first. Agrees with
    Llama of Hugging Face transformers: in each head, feature i is paired with feature i + head_dim/2.

    Other FLOPs: 3 per element (two multiplications, one addition). The table of cosines and sines, which depends on
    positions only and is made once, is not counted.
    """

    head_dim = arg(dim, main=True, doc="features of a head")
    base = arg(real, 10000, doc="angles fall from 1 to about 1/base radians per position")

    helper_source = '''\
def rotary(x, head_dim, base=10000):
    """Rotary position embedding of [N, T, heads * head_dim], feature i of a head paired with i + head_dim // 2."""
    positions = torch.arange(x.shape[1], dtype=torch.float32, device=x.device)
    powers = (
        torch.arange(0, head_dim, 2, dtype=torch.float32, device=x.device) / head_dim
    )
    angles = torch.outer(positions, base**-powers).unsqueeze(1)  # [T, 1, head_dim // 2]
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x.unflatten(-1, (-1, head_dim)).chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1).flatten(2)
'''

    def needs(self, x):
        yield need(divides(2, self.head_dim), "E411", lambda: f"head_dim must be even, not {self.head_dim}", "head_dim")
        yield need(divides(self.head_dim, x[2]), "E410",
                   lambda: f"the {x[2]} features are not divisible by head_dim = {self.head_dim}", "head_dim",
                   "head_dim is the number of features over the number of heads")  # fmt: skip

    def work(self, x, y):
        return Work(other=3 * elements(y))

    def torch(self, *inputs):
        return None

    def call(self, names, *inputs):
        base = "" if self._is_default("base") else f", base={literal(self.base)}"
        return f"rotary({names[0]}, head_dim={literal(self.head_dim)}{base})"

    def eager(self, op, weights, x):
        """As `rotary` above does it."""
        half = self.head_dim // 2
        positions = op.made((x.shape[1],), "float32")
        powers = op.divided(op.made((half,), "float32"))
        angles = op.unsqueeze(op.outer(positions, powers), 1)
        cos, sin = (op.cast(op.made(angles.shape, "float32"), x.dtype) for _ in range(2))
        a, b = op.split(op.unflatten(x, -1, (x.shape[2] // self.head_dim, self.head_dim)), [half, half], -1)
        first = op.add(op.mul(a, cos), op.mul(b, sin), negative=True)
        second = op.add(op.mul(b, cos), op.mul(a, sin))
        return op.flatten(op.cat([first, second], -1), 2)
