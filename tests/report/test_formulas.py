"""Formulas: those of the literature (tests/reference/formulas.json) out of specs, and how they are written."""

from __future__ import annotations

import itertools
import json
import random
from math import prod
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import netcalc
from netcalc.arith import Domain, Formula, at, maximum, symbol
from netcalc.errors import NetcalcError
from netcalc.report import formulas, maxima, proof, quantities

LITERATURE = json.loads((Path(__file__).parent.parent / "reference" / "formulas.json").read_text(encoding="utf-8"))
PUBLISHED = {row["id"]: row["formula"] for row in LITERATURE["formulas"]}

KAPLAN = """
netcalc: 1
args: {n_layer: 2, d_model: 8, d_attn: 8, d_ff: 32}
input: [N, T, d_model]
layers:
  - Block: {d_attn, d_ff}
    repeat: n_layer
blocks:
  Block:
    args: {d_attn, d_ff}
    input: [N, T, D]
    layers:
      - Residual:
          - {Linear: {out_features: 3 * d_attn, bias: false}}
          - qkv: {Chunk: {chunks: 3, dim: -1}}
          - ScaledDotProductAttention: 1
            from: [qkv.0, qkv.1, qkv.2]
          - {Linear: {out_features: D, bias: false}}
      - Residual:
          - {Linear: {out_features: d_ff, bias: false}}
          - GELU
          - {Linear: {out_features: D, bias: false}}
"""


def numbers(names, count: int = 20, most: int = 50):
    """Random whole numbers for names."""
    dice = random.Random(1)
    return [{name: dice.randint(1, most) for name in names} for _ in range(count)]


# -- the literature


def test_kaplans_count_without_embeddings():
    """N = 2 d_model n_layer (2 d_attn + d_ff), eq. 2.1."""
    assert PUBLISHED["kaplan_params"].startswith("N = 2 d_model n_layer (2 d_attn + d_ff)")
    found = netcalc.load(KAPLAN).free("n_layer", "d_model", "d_attn", "d_ff").formula("params")
    d, layers, attn, ff = map(symbol, ("d_model", "n_layer", "d_attn", "d_ff"))
    assert found.value == 2 * d * layers * (2 * attn + ff)
    assert found.value.at({"d_attn": d, "d_ff": 4 * d}) == 12 * layers * d**2


def test_kaplans_forward_work():
    """C_forward = 2N + 2 n_layer n_ctx d_attn FLOPs a token, of which the attention term is half of the uncausal count."""
    net = netcalc.load(KAPLAN).free("n_layer", "d_model", "d_attn", "d_ff")
    macs, params = net.at(N=1).formula("macs").value, net.formula("params").value
    layers, attn, t = map(symbol, ("n_layer", "d_attn", "T"))
    assert 2 * macs == t * (2 * params + 2 * (2 * layers * t * attn))


def test_the_exact_count_of_gpt():
    """P = L(12 d^2 + 13 d) + (V + T) d + 2 d."""
    assert PUBLISHED["exact_gpt_params"].startswith("P = L(12 d^2 + 13 d) + (V + T) d + 2 d")
    names = ("n_layer", "n_embd", "vocab_size", "block_size")
    found = netcalc.load("gpt2").free(*names).formula("params")
    layers, d, v, t = map(symbol, names)
    assert found.value == layers * (12 * d**2 + 13 * d) + (v + t) * d + 2 * d
    assert found.checked == proof.POINTS
    assert [str(condition) for condition in found.conditions] == ["n_embd % 12 == 0"]
    for name, published in (("gpt2", 124439808), ("gpt2_xl", 1557611200)):
        args = netcalc.load(name).graph.args
        assert found.at(**{n: args[n] for n in names}) == published


def test_megatrons_count():
    """P = 12 L h^2 (1 + 13/(12 h) + (V + s)/(12 L h)), eq. 2: without the 2 h of the final normalisation."""
    assert "12 L h^2 (1 + 13/(12 h) + (V + s)/(12 L h))" in PUBLISHED["megatron_params"]
    names = ("n_layer", "n_embd", "vocab_size", "block_size")
    found = netcalc.load("gpt2").free(*names).formula("params").value
    layers, h, v, s = map(symbol, names)
    assert found == 12 * layers * h**2 * (1 + 13 / (12 * h) + (v + s) / (12 * layers * h)) + 2 * h


@pytest.mark.parametrize(
    ("kind", "gates", "published"), [("LSTM", 4, "4h(i + h + 2)"), ("GRU", 3, "GRU torch 3h(i+h+2)")]
)
def test_recurrent_layers(kind, gates, published):
    assert published in PUBLISHED["lstm"]
    rnn = f"{{{kind}: {{hidden_size: h, batch_first: true}}}}"
    net = netcalc.load(
        f"netcalc: 1\nargs: {{e: 3, h: 5}}\ninput: [N, T, e]\nlayers: [{{rnn: {rnn}}}]\noutputs: [rnn.output]\n"
    )
    i, h = symbol("e"), symbol("h")
    assert net.free("e", "h").formula("params").value == gates * h * (i + h + 2)


CONV = "netcalc: 1\nargs: {{k: 3, s: 1, p: 0, d: 1, a: 0}}\ninput: [N, 1, I]\nlayers: [{{{kind}: {{{arguments}}}}}]\n"


def out(kind: str, arguments: str, **values):
    net = netcalc.load(CONV.format(kind=kind, arguments=arguments)).at(**values)
    return net.graph.nodes[-1].outputs[0].shape[2]


def test_the_arithmetic_of_convolutions():
    """Relationships 1 to 7 and 15 of Dumoulin and Visin (2016), on all small sizes."""
    full = "out_channels: 1, kernel_size: k, stride: s, padding: p, dilation: d"
    for i, k in itertools.product(range(5, 9), range(1, 5)):
        assert out("Conv1d", full, I=i, k=k) == (i - k) + 1  # 1: no padding, unit strides
        assert out("Conv1d", full, I=i, k=k, p=2) == (i - k) + 2 * 2 + 1  # 2: unit strides
        assert out("Conv1d", full, I=i, k=k, p=k - 1) == i + (k - 1)  # 4: full padding
        assert out("Conv1d", full, I=i, k=2 * (k // 2) + 1, p=k // 2) == i  # 3: half padding
        for s in (1, 2, 3):
            assert out("Conv1d", full, I=i, k=k, s=s) == (i - k) // s + 1  # 5
            assert out("Conv1d", full, I=i, k=k, s=s, p=1) == (i + 2 - k) // s + 1  # 6
            assert out("MaxPool1d", "kernel_size: k, stride: s", I=i, k=k, s=s) == (i - k) // s + 1  # 7
            if 2 * (k - 1) + 1 <= i:
                assert out("Conv1d", full, I=i, k=k, s=s, p=1, d=2) == (i + 2 - k - (k - 1)) // s + 1  # 15


def test_the_arithmetic_of_transposed_convolutions():
    """Relationships 8 to 14: with a the padding of the output."""
    full = "out_channels: 1, kernel_size: k, stride: s, padding: p, output_padding: a"
    for i, k in itertools.product(range(3, 7), range(3, 6)):
        assert out("ConvTranspose1d", full, I=i, k=k) == i + (k - 1)  # 8
        assert out("ConvTranspose1d", full, I=i, k=k, p=1) == i + (k - 1) - 2  # 9
        assert out("ConvTranspose1d", full, I=i, k=k, s=2) == 2 * (i - 1) + k  # 12
        assert out("ConvTranspose1d", full, I=i, k=k, s=2, p=1) == 2 * (i - 1) + k - 2  # 13
        assert out("ConvTranspose1d", full, I=i, k=k, s=2, p=1, a=1) == 2 * (i - 1) + 1 + k - 2  # 14


def test_the_published_formula_of_windows_holds_on_symbols():
    assert "out = floor((in + 2p - d(k-1) - 1)/s) + 1" in PUBLISHED["conv_out"]
    full = "out_channels: 1, kernel_size: k, stride: s, padding: p, dilation: d"
    net = netcalc.load(CONV.format(kind="Conv1d", arguments=full)).free("k", "s", "p", "d")
    size = net.graph.nodes[0].outputs[0].shape[2]
    for point in numbers(("I", "k", "s", "p", "d")):
        i, k, s, p, d = (point[name] for name in ("I", "k", "s", "p", "d"))
        assert size.at(point) == (i + 2 * p - d * (k - 1) - 1) // s + 1


def test_resnets_in_their_depths():
    """A BasicBlock of p planes that keeps its shape has two 3x3 convolutions and two norms: 18 p^2 + 4 p; the first one of a
    later stage reads p/2 channels and has a 1x1 convolution with a norm beside: 9/2 p^2 + 9 p^2 + 4 p + p^2/2 + 2 p."""
    found = netcalc.load("resnet").free("depths").formula("params")
    depths = [symbol(f"depths[{stage}]") for stage in range(4)]
    expected = 3 * 64 * 49 + 2 * 64 + depths[0] * (18 * 64**2 + 4 * 64) + 512 * 1000 + 1000
    for depth, p in zip(depths[1:], (128, 256, 512), strict=True):
        first = 9 * p * p // 2 + 9 * p * p + 4 * p + p * p // 2 + 2 * p
        expected = expected + first + (depth - 1) * (18 * p * p + 4 * p)
    assert found.value == expected and found.checked == proof.POINTS
    published = {"resnet18": ([2, 2, 2, 2], 11_689_512), "resnet34": ([3, 4, 6, 3], 21_797_672)}
    for numbers, params in published.values():
        assert found.at(**{f"depths[{stage}]": n for stage, n in enumerate(numbers)}) == params


@pytest.mark.parametrize("quantity", ["params", "macs", "flops", "backward-flops", "activations"])
def test_bottlenecks_in_their_depths(quantity):
    net = netcalc.load("resnet50")
    found = net.free("depths").formula(quantity)
    for depths in ([3, 4, 6, 3], [3, 4, 23, 3], [1, 1, 1, 1]):
        counted = net.at(depths=depths).formula(quantity).value
        assert at(found.value, {f"depths[{stage}]": n for stage, n in enumerate(depths)}) == counted
    assert found.format("python").startswith(f"def {quantity.replace('-', '_')}(")


# -- quantities


SMALL = """
netcalc: 1
args: {width: 4}
input: [N, 3, H, W]
layers:
  - stem: {Conv2d: {out_channels: width, kernel_size: 3, stride: 2, padding: 1}}
  - body:
      - Conv2d: {out_channels: 2 * width, kernel_size: 1, bias: false}
      - ReLU
    freeze: true
  - pool: {MaxPool2d: 2}
"""


@pytest.mark.parametrize(("quantity", "at_8x8_width_4"), [
    ("params", 3 * 4 * 9 + 4 + 4 * 8),
    ("trainable", 3 * 4 * 9 + 4),
    ("macs", 16 * 4 * 27 + 16 * 8 * 4),
    ("flops", 2 * (16 * 4 * 27 + 16 * 8 * 4) + 16 * 4 + 16 * 8 + 4 * 8 * 4),
    ("activations", 16 * 4 + 16 * 8 + 16 * 8 + 4 * 8),
])  # fmt: skip
def test_every_quantity_by_hand(quantity, at_8x8_width_4):
    """For one 8 x 8 picture: stem 4 x 4 x 4, body 8 x 4 x 4 twice, pool 8 x 2 x 2."""
    found = netcalc.load(SMALL).free("width").formula(quantity)
    assert found.at(N=1, H=8, W=8, width=4) == at_8x8_width_4
    assert found.checked == proof.POINTS


def test_backward_is_that_of_the_table():
    net = netcalc.load(SMALL)
    assert net.formula("backward-flops").at(N=1, H=8, W=8) == net.at(H=8, W=8).flops().totals["backward_flops"]


def test_parts_by_module_add_up():
    found = netcalc.load("gpt2").free("n_layer", "n_embd").formula("params", by_group=True)
    assert [label for label, _ in found.groups] == [
        "transformer.wte (Embedding)", "transformer.wpe (Embedding)", "transformer.h (n_layer x Block)", "transformer.ln_f (LayerNorm)",
    ]  # fmt: skip
    assert sum((value for _, value in found.groups), 0) == found.value


def test_floors_go_with_the_substitution_that_is_offered():
    net = netcalc.load(SMALL)
    found = net.formula("activations")
    assert "(H + 1)//2" in str(found)
    assert "by --substitute H=4*h W=4*w" in str(found)
    h, w = symbol("h"), symbol("w")
    put_in = net.formula("activations", substitute={"H": 4 * h, "W": 4 * w})
    assert "//" not in str(put_in.value) and put_in.names == ("N", "h", "w")
    for point in numbers(("N", "h", "w")):
        assert put_in.at(**point) == found.at(N=point["N"], H=4 * point["h"], W=4 * point["w"])


# -- the check


def test_a_formula_that_differs_from_the_network_is_refused(monkeypatch):
    right = quantities.QUANTITIES["params"]

    def wrong(net):
        value = right.of(net)
        return value + 1 if isinstance(value, Formula) else value

    monkeypatch.setitem(quantities.QUANTITIES, "params", right._replace(of=wrong))
    with pytest.raises(NetcalcError, match="this is a fault of netcalc"):
        netcalc.load("gpt2").free("n_layer").formula("params")


def test_the_points_meet_all_conditions():
    net = netcalc.load("gpt2").free("n_embd", "n_head", "n_layer")
    found = net.formula("macs")
    assert [str(condition) for condition in found.conditions] == ["n_embd % n_head == 0"]
    assert found.checked == proof.POINTS


def test_a_new_quantity_is_one_entry(monkeypatch):
    depth = quantities.Quantity(
        "depth", "layers", "executed layers", lambda net: sum((n.times for n in net.graph.nodes), 0)
    )
    monkeypatch.setitem(quantities.QUANTITIES, "depth", depth)
    assert str(netcalc.load("gpt2").free("n_layer").formula("depth").value) == "13*n_layer + 7"
    with pytest.raises(NetcalcError, match="not a sum over layers"):
        netcalc.load("gpt2").free("n_layer").formula("depth", by_group=True)


# -- how it is written


def test_text_orders_names_as_they_were_freed():
    text = str(netcalc.load("gpt2").free("n_layer", "n_embd", "vocab_size").formula("params"))
    assert "12*n_layer*n_embd^2 + 13*n_layer*n_embd + n_embd*vocab_size + 1026*n_embd" in text
    assert "= n_embd*(n_layer*(12*n_embd + 13) + vocab_size + 1026)" in text
    assert "Valid for whole numbers from 1 on, with n_embd % 12 == 0." in text
    assert "Checked at 5 random points" in text


@pytest.mark.parametrize("quantity", ["params", "macs", "activations", "backward-flops"])
@pytest.mark.parametrize(
    ("spec", "free"), [("gpt2", ("n_layer", "n_embd")), (SMALL, ("width",))], ids=["gpt2", "small"]
)
def test_python_and_sympy_compute_the_same(spec, free, quantity):
    import sympy

    found = netcalc.load(spec).free(*free).formula(quantity)
    name = quantity.replace("-", "_")
    python: dict = {}
    exec(found.format("python"), python)
    code: dict = {}
    exec(found.format("sympy"), code)
    for point in numbers(found.names, 5):
        expected = found.at(**point)
        assert python[name](**point) == expected
        symbols = {symbol: point[symbol.name] for symbol in code[name].free_symbols}
        assert sympy.sympify(code[name]).subs(symbols) == expected == found.to_sympy().subs(symbols)


def test_factored_and_plain_are_one():
    for spec, free in (("gpt2", ("n_layer", "n_embd")), (SMALL, ("width",)), ("convnext", ())):
        for quantity in ("params", "flops", "activations"):
            found = netcalc.load(spec).free(*free).formula(quantity)
            for point in numbers(found.names, 5):
                assert eval(found.to_dict()["factored"], {}, dict(point)) == found.at(**point)


def test_latex_and_json():
    found = netcalc.load("gpt2").free("n_layer", "n_embd").formula("params")
    assert r"12 \cdot n_{\mathrm{layer}} \cdot n_{\mathrm{embd}}^{2}" in found.format("latex")
    data = json.loads(found.format("json"))
    assert data["names"] == ["n_layer", "n_embd"] and data["checked_points"] == 5
    assert data["formula"] == "12*n_embd**2*n_layer + 13*n_embd*n_layer + 51283*n_embd"


def test_a_number_is_a_number():
    found = netcalc.load("alexnet").formula("params")
    assert found.value == 62378344 and found.checked == 0
    assert "params = 62,378,344 parameters" in str(found)


def test_the_activations_of_resnet50_in_the_size_of_its_picture():
    """37,561,832 elements of outputs for one 224 x 224 picture, as the table of shapes adds up."""
    net = netcalc.load("resnet50").free("N", "H", "W")
    shapes = [row["output"] for row in netcalc.load("resnet50").at(N=1).shapes().rows]
    elements = sum(prod(shape) for shape in shapes)
    found = net.formula("activations")
    assert found.names == ("N", "H", "W") and found.at(N=1, H=224, W=224) == elements
    assert "by --substitute H=32*h W=32*w" in str(found)
    h, w = symbol("h"), symbol("w")
    assert net.formula("activations", substitute={"H": 32 * h, "W": 32 * w}).at(N=1, h=7, w=7) == elements


#: as torchvision gives them with its weights (`min_size`)
SMALLEST = {"alexnet_torchvision": 63, "vgg16": 32, "densenet121": 29, "convnext_tiny": 32, "resnet50": 1, "mobilenet_v2": 1, "efficientnet_b0": 1}  # fmt: skip


@pytest.mark.parametrize("name", SMALLEST)
def test_the_smallest_picture_is_that_of_torchvision(name):
    least = SMALLEST[name]
    wanted = [f"{side} >= {least}" for side in "HW"] if least > 1 else []
    assert [str(condition) for condition in netcalc.load(name).free("H", "W").formula("macs").conditions] == wanted


@pytest.mark.parametrize(
    "name", ["alexnet", "resnet50", "vgg16", "vit_b_32", "mobilenet_v3_large", "convnext_tiny", "lenet", "vae"]
)
def test_the_size_of_the_picture_may_be_free(name):
    """The shapes that the files assert hold for any size; the formula gives what is counted for another one."""
    net = netcalc.load(name)
    sides = {side: net.graph.args[side] + more for side, more in (("H", 32), ("W", 64))}
    for quantity in ("params", "macs", "activations"):
        found = net.at(N=2).free("H", "W").formula(quantity).value
        assert at(found, sides) == net.at(N=2, **sides).formula(quantity).value


def test_activations_are_what_the_modules_of_torch_put_out():
    net, seen = netcalc.load("alexnet"), []
    module = net.to_torch("meta")
    for inner in module.modules():
        if not list(inner.children()):
            inner.register_forward_hook(lambda m, given, out: seen.append(out.numel()))
    module(torch.empty(1, 3, 224, 224, device="meta"))
    flattened = 256 * 6 * 6  # the module calls a function for it
    assert len(seen) == len(net.graph.nodes) - 1
    assert net.formula("activations").at(N=1) == sum(seen) + flattened


def test_a_lower_bound_is_said():
    spec = "netcalc: 1\ninputs: {t: {shape: [N, T], dtype: int64}}\nlayers: [{e: {Embedding: {num_embeddings: 9, embedding_dim: 4, max_norm: 1.0}}}, {fc: {Linear: 3}}]\n"
    assert "Not modelled, so a lower bound: e (Embedding)" in str(netcalc.load(spec).formula("flops"))
    assert "lower bound" not in str(netcalc.load(spec).formula("activations"))
    assert "macs is a lower bound: e (Embedding)" in str(netcalc.load(spec).solve("macs <= 1k", "T"))


def test_long_formulas_are_broken_before_signs():
    lines = str(netcalc.load(SMALL).free("width").formula("flops")).split("\n")
    assert max(map(len, lines)) <= formulas.WIDTH
    assert sum(line.startswith("    ") for line in lines) >= 1


def test_a_maximum_says_when_each_of_its_terms_is_the_largest(monkeypatch):
    """100 + 2N, 90 + 4N and 10 + 8N: the second is larger from N = 6 on, the third from N = 21 on."""
    n = symbol("N")
    peak = quantities.Quantity("peak", "bytes", "", lambda net: maximum(100 + 2 * net.graph.inputs["input"].shape[0], *(
        90 + 4 * net.graph.inputs["input"].shape[0], 10 + 8 * net.graph.inputs["input"].shape[0])))  # fmt: skip
    monkeypatch.setitem(quantities.QUANTITIES, "peak", peak)
    net = netcalc.load("alexnet")
    found = net.formula("peak")
    assert found.value == maximum(100 + 2 * n, 90 + 4 * n, 10 + 8 * n) and found.checked == proof.POINTS
    lines = str(found).split("\n")
    at_ = lines.index("the largest of")
    assert [line.split() for line in lines[at_ + 1 : at_ + 4]] == [
        ["2*N", "+", "100", "for", "N", "<=", "5"],
        ["4*N", "+", "90", "for", "6", "<=", "N", "<=", "20"],
        ["8*N", "+", "10", "for", "N", ">=", "21"],
    ]
    assert net.solve("peak <= 1000", "N").value == (1000 - 10) // 8


def cases(value) -> list[tuple]:
    terms = maxima.items(value)
    return [(case.value, case.when) for case in maxima.cases(terms, Domain())] if terms else []


def test_a_maximum_in_several_names_lists_its_terms():
    a, b = symbol("a"), symbol("b")
    assert {str(item) for item, _ in cases(maximum(3 * a, 2 * b) + 7)} == {"2*b + 7", "3*a + 7"}
    assert cases(3 * a) == [] and cases(5) == []


def test_a_maximum_in_several_names_gives_a_point_where_each_term_is_the_largest():
    a, b = symbol("a"), symbol("b")
    terms = maxima.items(maximum(3 * a, 2 * b + 5, a + b + 1))
    found = maxima.cases(terms, Domain())
    assert sorted(str(case.value) for case in found) == [
        "2*b + 5",
        "3*a",
    ]  # a + b + 1 is below a mean: a + 4/3*b + 10/3
    for case in found:
        others = [at(term, case.point) for number, term in enumerate(terms) if number != case.number]
        assert at(case.value, case.point) > max(others) and case.when.startswith("as at a = ")


@settings(deadline=None)
@given(lines=st.lists(st.tuples(st.integers(1, 30), st.integers(0, 300)), min_size=2, max_size=5))
def test_the_ranges_of_a_maximum_are_those_of_its_values(lines):
    n = symbol("N")
    value = maximum(*(a * n + c for a, c in lines))
    found = cases(value)
    assert found or not isinstance(value, Formula) or "max" not in str(value)
    for number in range(1, 60) if found else ():
        [item] = [item for item, when in found if _in_range(when, number)]
        assert item.at({"N": number}) == max(a * number + c for a, c in lines)


def _in_range(when: str, number: int) -> bool:
    text = when.removeprefix("for ").replace(",", "")
    if text == "every N":
        return True
    return eval(text.replace(" = ", " == "), {"N": number})


def test_a_size_of_one_can_be_a_case_of_its_own():
    """Heads are split, swapped with the positions and joined again: with one row only that is no copy, but a view."""
    spec = """
netcalc: 1
input: [N, 500, 2]
layers:
  - Linear: 2
  - Permute: [1, 0, 2]
  - Reshape: [500, 2 * N]
"""
    net = netcalc.load(spec)
    peak = net.formula("peak")
    counted = {n: net.memory(batch=n).peak.bytes for n in (1, 2, 3, 50)}
    assert {n: peak.at(N=n) for n in counted} == counted and at(peak.value, {"N": 1}) != counted[1]
    assert f"from 2 on.\nFor N = 1 it is {counted[1]:,}." in str(peak) and "N <= 1" not in str(peak)
    found = net.solve(f"peak <= {counted[1]}", "N")
    assert found.value == 1 and found.figure == counted[1]


ATTENTION = """
netcalc: 1
args: {d: 12}
input: [2, 3, d]
layers:
  - m: {MultiheadAttention: {num_heads: 2, batch_first: true}}
"""


def test_a_peak_has_no_number_outside_its_conditions():
    net = netcalc.load(ATTENTION)
    found = net.free("d").formula("peak")
    assert found.at(d=16) == net.at(d=16).memory().peak.bytes
    with pytest.raises(NetcalcError, match=r"holds where d % 2 == 0; d = 15 is outside of that"):
        found.at(d=15)
    assert net.free("d").formula("params").at(d=15) == 4 * 15 * 15 + 4 * 15, "no network, but the same algebra"
