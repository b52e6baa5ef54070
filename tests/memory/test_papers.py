"""Formulas that papers give for transformers and mixed precision come out of specs, and what they leave out is named.

The bytes are those of docs/memory.md, "What papers say".
"""

from __future__ import annotations

import pytest

import netcalc
from netcalc.arith import symbol

#: a layer of GPT-2 and Megatron with the attention written out; a heads of k features, hidden size h = a*k
LAYER = """
netcalc: 1
name: TransformerLayer
args: {a: 4, k: 16, p: 0.1}
input: [N, T, a * k]
layers:
  - ln_1: LayerNorm
  - qkv: {Linear: 3 * a * k}
  - parts: {Chunk: {chunks: 3, dim: -1}}
  - q: {Reshape: [N, T, a, k]}
    from: parts.0
  - q_heads: {Transpose: {dim0: 1, dim1: 2}}
  - k_split: {Reshape: [N, T, a, k]}
    from: parts.1
  - k_heads: {Permute: [0, 2, 3, 1]}
  - v: {Reshape: [N, T, a, k]}
    from: parts.2
  - v_heads: {Transpose: {dim0: 1, dim1: 2}}
  - scores: {MatMul: [q_heads, k_heads]}
  - scaled: {Mul: [scores, 0.25]}
  - softmax: {Softmax: -1}
  - attention_dropout: {Dropout: p}
  - over_values: {MatMul: [attention_dropout, v_heads]}
  - back: {Transpose: {dim0: 1, dim1: 2}}
  - merged: {Reshape: [N, T, a * k]}
  - projection: {Linear: a * k}
  - projection_dropout: {Dropout: p}
  - add_1: {Add: [input, projection_dropout]}
  - ln_2: LayerNorm
  - fc_1: {Linear: 4 * a * k}
  - gelu: GELU
  - fc_2: {Linear: a * k}
  - mlp_dropout: {Dropout: p}
  - add_2: {Add: [add_1, mlp_dropout]}
"""
FUSED = """
  - fused: {ScaledDotProductAttention: {num_heads: a, dropout_p: p}}
    from: [parts.0, parts.1, parts.2]
"""
N, T, A, K = (symbol(name) for name in "NTak")
SBH, AS2B = T * N * A * K, A * T * T * N  # s*b*h and a*s*s*b of the papers


def saved(text: str, **options) -> dict:
    """The bytes that each layer saves, as formulas in N, T, a and k: (layer, what) -> bytes."""
    memory = netcalc.load(text).free("a", "k", "N", "T").memory(symbolic=True, **options)
    found: dict = {}
    for row, layer in zip(memory.facts, memory.simulated.layers, strict=True):
        for tensor in layer.saved:
            if not tensor.shared_with:
                key = row.path, tensor.what
                found[key] = found.get(key, 0) + tensor.bytes
    return found


def the_same(a, b) -> bool:
    return a == b or str(a) == str(b)


def test_parameters():
    """12 h**2 weights (Kaplan et al. 2020, eq. 2.1), and 13 h of biases and norms (Narayanan et al. 2021, eq. 2): 4 h of the
    attention's biases, 5 h of the MLP's, 4 h of two norms."""
    found = netcalc.load(LAYER).free("a", "k").params().totals["params"]
    assert the_same(found, 12 * (A * K) * (A * K) + 13 * (A * K))


def test_gpt2_in_all():
    """L (12 d**2 + 13 d) + (V + T) d + 2 d: Narayanan et al. 2021, eq. 2, with the last norm."""
    found = netcalc.load("gpt2").free("n_layer", "n_embd").params().totals["params"]
    d, layers = symbol("n_embd"), symbol("n_layer")
    assert the_same(found, layers * (12 * d * d + 13 * d) + (50257 + 1024) * d + 2 * d)


#: Korthikanti et al. 2022 (arXiv:2205.05198), section 4.1, eq. 1: 34 s b h + 5 a s**2 b bytes a layer in 16 bits.
#: term of the paper: (its bytes, where netcalc has it)
TERMS = {
    "input of both layer norms": (4 * SBH, [("ln_1", "input"), ("ln_2", "input")]),
    "input of the QKV product": (2 * SBH, [("qkv", "input")]),
    "Q and K": (4 * SBH, [("scores", "copy")]),
    "output of the softmax": (2 * AS2B, [("softmax", "result")]),
    "mask of the softmax's dropout": (AS2B, [("attention_dropout", "mask")]),
    "dropped scores": (2 * AS2B, [("over_values", "input")]),
    "V": (2 * SBH, [("over_values", "copy")]),
    "input of the projection": (2 * SBH, [("projection", "input")]),
    "mask of the attention's dropout": (SBH, [("projection_dropout", "mask")]),
    "input of the first linear layer": (2 * SBH, [("fc_1", "input")]),
    "input of GELU": (8 * SBH, [("gelu", "input")]),
    "input of the second linear layer": (8 * SBH, [("fc_2", "input")]),
    "mask of the MLP's dropout": (SBH, [("mlp_dropout", "mask")]),
}
#: what the paper leaves out as small: mean and inverse standard deviation of each row, in float32
STATISTICS = {(norm, what): 4 * T * N for norm in ("ln_1", "ln_2") for what in ("mean", "rstd")}


@pytest.fixture(scope="module")
def on_cuda():
    return saved(LAYER, dtype="bfloat16", device="cuda")


def test_the_terms_add_up_to_the_paper():
    assert the_same(sum(size for size, _ in TERMS.values()), 34 * SBH + 5 * AS2B)


@pytest.mark.parametrize("term", TERMS)
def test_activations_of_a_layer(on_cuda, term):
    size, places = TERMS[term]
    assert the_same(sum(on_cuda[place] for place in places), size)


def test_nothing_else_is_saved(on_cuda):
    places = {place for _, places in TERMS.values() for place in places}
    assert {place: size for place, size in on_cuda.items() if place not in places}.keys() == STATISTICS.keys()
    assert all(the_same(on_cuda[place], size) for place, size in STATISTICS.items())
    assert the_same(sum(on_cuda.values()), 34 * SBH + 5 * AS2B + 16 * T * N)


def test_on_the_cpu_dropout_keeps_what_it_multiplies_with():
    """Noise in the dtype of the activations, 2 bytes where CUDA has a mask of 1: three dropouts, 2 s b h + a s**2 b more.
    The statistics of the norms are in 16 bits there too."""
    found = saved(LAYER, dtype="bfloat16", device="cpu")
    more = sum(found.values()) - (34 * SBH + 5 * AS2B + 8 * T * N)
    assert the_same(more, 2 * SBH + AS2B)


def test_without_16_bits_the_activations_double_and_the_masks_do_not(on_cuda):
    """float32: 2 * (34 - 2) + 2 and 2 * 4 + 1."""
    found = saved(LAYER, device="cuda")
    assert the_same(sum(found.values()), 66 * SBH + 9 * AS2B + 16 * T * N)


def test_fused_attention_drops_what_grows_with_the_square():
    """FlashAttention keeps Q, K, V, the output and the logarithm of the sums in float32, 4 a s b; and the state of the
    random numbers, three numbers of 8 bytes."""
    start, end = LAYER.index("  - q: "), LAYER.index("  - projection: ")
    found = saved(LAYER[:start] + FUSED.lstrip("\n") + LAYER[end:], dtype="bfloat16", device="cuda")
    rest = sum(found.values()) - (34 * SBH + 16 * T * N + 4 * A * T * N)
    assert the_same(rest, 24)


# -- Rajbhandari et al. 2019 (ZeRO, arXiv:1910.02054), section 3.1: 16 bytes a parameter with Adam in mixed precision

WEIGHTS = """
netcalc: 1
name: Weights
args: {d: 64}
input: [N, d]
layers:
  - one: {Linear: {out_features: 4 * d, bias: false}}
  - two: {Linear: {out_features: d, bias: false}}
"""
D = symbol("d")
PSI = 8 * D * D  # parameters


def kinds(**options) -> dict:
    memory = netcalc.load(WEIGHTS).free("d", "N").memory(symbolic=True, optimizer="adamw", device="cuda", **options)
    return {kind: memory.most[kind] for kind in ("parameters", "gradients", "optimizer")}


@pytest.mark.parametrize("options, bytes_each", [
    ({}, (4, 4, 8)),
    ({"amp": "bfloat16"}, (4, 4, 8)),
    ({"dtype": "bfloat16"}, (2, 2, 4)),
], ids=["float32", "autocast", "bfloat16"])  # fmt: skip
def test_states_of_adam(options, bytes_each):
    """The paper has 2 + 2 bytes of 16-bit parameters and gradients, and 4 + 4 + 4 of float32 parameters, momentum and
    variance. Autocast keeps parameters and gradients in float32 once: 4 + 4 + 4 + 4, the same 16. All in bfloat16 are 8."""
    assert sum((4, 4, 8)) == 2 + 2 + 4 + 4 + 4 == 16
    for size, each in zip(kinds(**options).values(), bytes_each, strict=True):
        assert the_same(size, each * PSI)


def test_autocast_holds_copies_of_the_weights_until_backward():
    """2 bytes a parameter more, from forward on: the loss' own bytes and the batch's beside them do not grow with d**2."""
    net = netcalc.load(WEIGHTS).at(d=64)
    plain, cast = (
        net.memory(1, device="cuda", **options).phase_peak("loss", 1) for options in ({}, {"amp": "bfloat16"})
    )
    weights = 8 * 64 * 64
    assert abs(cast - plain - 2 * weights) < 20 * 64  # some activations of 4 d
