"""Layers with a notation, dtypes or inputs of their own, as a spec writes them."""

from __future__ import annotations

import pytest
import torch

import netcalc
from netcalc.export.live import namespace

HEAD = "netcalc: 1\nname: Net\n"


def error(text: str) -> str:
    with pytest.raises(netcalc.SpecError) as problem:
        netcalc.load(HEAD + text).params()
    return str(problem.value)


def shape(text: str) -> list:
    return netcalc.load(HEAD + text).shapes().rows[-1]["output"]


PAIR = "inputs: {q: [N, T, 64], k: [N, S, 64]}\nlayers:\n  - Einsum: %s\n    from: [q, k]\n"


@pytest.mark.parametrize(
    "written",
    ["ntd,nsd->nts", "'ntd,nsd->nts'", '"ntd, nsd -> nts"', '{equation: "ntd,nsd->nts"}'],
)
def test_an_equation_is_taken_literally_with_or_without_quotes(written):
    net = netcalc.load(HEAD + PAIR % written)
    assert [str(size) for size in net.shapes().rows[-1]["output"]] == ["N", "T", "S"]
    assert net.at(N=2, T=3, S=5).flops().totals["macs"] == 2 * 3 * 5 * 64


def test_an_equation_may_come_with_a_kind_of_layer():
    text = 'args: {Join: {Einsum: {equation: "ntd,nsd->nts"}}}\n' + (PAIR % "x").replace("Einsum: x", "Join")
    text = text.replace("- Join", "- Join:")
    assert [str(size) for size in shape(text)] == ["N", "T", "S"]


@pytest.mark.parametrize(
    ("equation", "said"),
    [
        ("ntd,nsd", "needs letters, a comma between operands, and an arrow"),
        ("...td,nsd->nts", "`...` is not part of it here"),
        ("nt1,nsd->nts", "needs letters"),
        ("ntt,nsd->nts", "`ntt` repeats the letter t"),
        ("ntd,nsd->ntz", "the letter z of the output is in no operand"),
        ("ntd,nsd->ntt", "`ntt` repeats the letter t"),
        ("ntd,nsd,x->nts", "it has 3 operands"),
        ("ntd->nt", "names 1 operands, but 2 are read"),
        ("ntd,sd->nts", "`sd` of ntd,sd->nts names 2 dimensions, but [N, S, 64] has 3"),
    ],
)
def test_a_wrong_equation_is_E411(equation, said):
    text = error(PAIR % f'"{equation}"')
    assert "error[E411]" in text
    assert said in text


def test_letters_of_different_sizes_are_E402():
    text = error(PAIR % "nsd,nsd->nsd")
    assert "error[E402]" in text
    assert "the letter s of nsd,nsd->nsd is T in the first operand, but S in the second" in text


def test_values_of_an_init_are_expressions():
    text = "args: {std: 0.5, k: 3}\ninput: [N, 4]\nlayers:\n  - w: {Parameter: {shape: [1000, 4], init: normal(2 * std)}}\n"
    text += "  - at: {Buffer: {shape: [k**4], dtype: int64, init: 'relative_position(k, k)'}}\n  - picked: {IndexSelect: {dim: 0}}\n"
    text += "    from: [w, at]\noutputs: [picked]\n"
    net = netcalc.load(HEAD + text)
    assert [str(problem) for problem in net.warnings if "W403" not in str(problem)] == []
    model = namespace(net.exported().text)["Net"]()
    assert 0.9 < model.w.std() < 1.1
    assert "error[E302]" in error(text.replace("2 * std", "2 * sdt"))
    wrong = error(text.replace("relative_position(k, k)", "relative_position(k, 4)"))
    assert "error[E411]: init: relative_position(3, 4) has one number for each pair of 12 places, not 81" in wrong


def test_the_index_of_relative_positions_is_that_of_swin():
    """The construction of Liu et al. (2021), as torchvision has it."""
    height, width = 3, 5
    text = f"input: [N, 4]\nlayers:\n  - at: {{Buffer: {{shape: [225], dtype: int64, init: 'relative_position({height}, {width})'}}}}\n"
    model = namespace(netcalc.load(HEAD + text + "  - Identity:\n    from: at\n").exported().text)["Net"]()
    coords = torch.stack(torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")).flatten(1)
    relative = (coords[:, :, None] - coords[:, None, :]).permute(1, 2, 0).contiguous()
    relative[:, :, 0] += height - 1
    relative[:, :, 1] += width - 1
    relative[:, :, 0] *= 2 * width - 1
    assert torch.equal(model.at, relative.sum(-1).flatten())


def test_a_mask_must_be_bool_and_choices_of_one_dtype():
    text = "inputs: {x: [N, 4], m: {shape: [N, 4], dtype: bool}, w: {shape: [N, 4], dtype: int64}}\nlayers:\n"
    assert "error[E406]: MaskedFill needs a mask, true or false, but its input is float32" in error(
        text + "  - MaskedFill: {value: 0}\n    from: [x, x]\n"
    )
    assert "error[E406]: Where needs a mask" in error(text + "  - Where: [x, x, 0]\n")
    assert "error[E417]: Where of float32 (the input `x`) and int64 (the input `w`)" in error(
        text + "  - Where: [m, x, w]\n"
    )
    assert "error[E417]: Concat of float32 (the input `x`) and bool (the input `m`)" in error(
        text + "  - Concat: {dim: 1}\n    from: [x, m]\n"
    )
    assert "error[E401]" in error(text.replace("m: {shape: [N, 4]", "m: {shape: [N, 3]") + "  - Where: [m, x, 0]\n")
    assert "error[E411]: the first operand of Where is a mask, not a number" in error(text + "  - Where: [1, m, m]\n")


@pytest.mark.parametrize(
    "layer", ["Abs", "Neg", "Floor", "Ceil", "Round", "Argmax", "{TopK: {k: 1}}", "{Sub: [x, y]}", "{Sub: [x, 1]}"]
)
def test_what_torch_does_not_have_for_truth_is_refused(layer):
    """abs, neg, floor, ceil, round, argmax, topk and sub raise in torch where their input is bool."""
    name = layer.strip("{").partition(":")[0]
    reads = "" if name == "Sub" else "    from: x\n"
    text = f"inputs: {{x: {{shape: [N, 4], dtype: bool}}, y: {{shape: [N, 4], dtype: bool}}}}\nlayers:\n  - a: {layer}\n{reads}"
    assert f"error[E406]: {name} computes with numbers, but its input is bool" in error(text)
    with pytest.raises(RuntimeError, match=r"(?i)bool"):
        truth = torch.ones(2, 4, dtype=torch.bool)
        getattr(torch, name.lower())(truth, *{"TopK": [1], "Sub": [truth]}.get(name, []))


def test_negative_powers_of_whole_numbers_and_indices_of_small_types_are_refused():
    """torch.pow: "Integers to negative integer powers are not allowed"; torch.gather: "Expected dtype int32/int64"."""
    text = "inputs: {x: {shape: [N, 4], dtype: int64}}\nlayers:\n  - Pow: %s\n"
    assert "error[E411]: int64 cannot be taken to the power -1" in error(text % -1)
    with pytest.raises(RuntimeError, match="negative integer powers"):
        torch.pow(torch.ones(2, 4, dtype=torch.int64), -1)
    tokens = (
        "inputs: {t: {shape: [N, 4], dtype: uint8}}\nlayers:\n  - Embedding: {num_embeddings: 9, embedding_dim: 4}\n"
    )
    assert "error[E406]: Embedding looks up int64 or int32, but its input is uint8" in error(tokens)


@pytest.mark.parametrize("value", ["-inf", "'-inf'"])
def test_masked_fill_takes_infinity(value):
    text = f"inputs: {{x: [N, 4, 4]}}\nlayers:\n  - m: {{CausalMask: 4}}\n  - n: LogicalNot\n  - MaskedFill: {{value: {value}}}\n    from: [x, n]\n"
    net = netcalc.load(HEAD + text)
    model = namespace(net.exported().text)["Net"]()
    x = torch.ones(1, 4, 4)
    assert torch.equal(model(x)[0] == 1, torch.ones(4, 4).tril().bool())


SEQ2SEQ = """\
inputs: {src: [N, S, 8], tgt: [N, T, 8]}
layers:
  - encoder: {LSTM: {hidden_size: 12, batch_first: true}}
    from: src
  - decoder: {LSTM: {hidden_size: 12, batch_first: true}}
    from: [tgt, encoder.h_n, encoder.c_n]
  - out: {Linear: 5}
"""


def test_a_decoder_starts_from_the_state_of_its_encoder():
    torch.manual_seed(0)
    net = netcalc.load(HEAD + SEQ2SEQ)
    model = namespace(net.exported().text)["Net"]()
    src, tgt = torch.randn(3, 4, 8), torch.randn(3, 6, 8)
    _, state = model.encoder(src)
    torch.testing.assert_close(model(src, tgt), model.out(model.decoder(tgt, state)[0]))
    assert net.verify(train=True, device="meta").ok


def test_a_state_of_another_size_or_half_a_state_is_an_error():
    assert "error[E402]" in (text := error(SEQ2SEQ.replace("12", "6", 1)))
    assert "h_0 is [1, N, 6], but LSTM starts from [1, N, 12]" in text
    assert "two tensors, h_0 and c_0" in error(SEQ2SEQ.replace(", encoder.c_n", ""))


MIXTURE = """\
input: [N, T, 12]
layers:
  - ffn: {MixtureOfExperts: {num_experts: 8, top_k: 2, hidden_features: 28}}
  - norm: RMSNorm
"""


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_mixture_of_experts_states_all_and_active_parameters(device):
    net = netcalc.load(HEAD + MIXTURE)
    totals = net.params().totals
    assert totals["params"] == 12 * 8 + 8 * 3 * 12 * 28 + 12
    assert totals["active"] == 12 * 8 + 2 * 3 * 12 * 28 + 12
    assert f"Active params: {totals['active']:,}" in " ".join(str(net.params()).split())
    assert net.at(N=1, T=1).flops().totals["macs"] == 12 * 8 + 2 * 3 * 12 * 28
    assert net.verify(train=True, device=device).ok


def test_without_a_choice_nothing_is_said_of_active_parameters():
    net = netcalc.load(HEAD + SEQ2SEQ)
    assert "active" not in net.params().totals
    assert "Active" not in str(net.params())


def test_more_experts_than_there_are_is_E411():
    text = error(MIXTURE.replace("top_k: 2", "top_k: 9"))
    assert "error[E411]: top_k = 9 is more than the 8 experts" in text
