"""Numbers that courses work out on the blackboard."""

from __future__ import annotations

import pytest

import netcalc

#: AlexNet as lecture slides print it: layer -> (output height x width x channels, parameters)
ALEXNET = {
    "conv1": ((55, 55, 96), 34_944), "pool1": ((27, 27, 96), 0),
    "conv2": ((27, 27, 256), 614_656), "pool2": ((13, 13, 256), 0),
    "conv3": ((13, 13, 384), 885_120), "conv4": ((13, 13, 384), 1_327_488), "conv5": ((13, 13, 256), 884_992),
    "pool3": ((6, 6, 256), 0),
    "fc1": ((4096,), 37_752_832), "fc2": ((4096,), 16_781_312), "fc3": ((1000,), 4_097_000),
}  # fmt: skip
TOTAL = 62_378_344


@pytest.fixture(scope="module")
def alexnet():
    return netcalc.load("alexnet")


@pytest.mark.parametrize("name", ALEXNET)
def test_alexnet_row(alexnet, name):
    [output] = [row["output"] for row in alexnet.shapes().rows if row["name"] == name]
    [params] = [row["params"] for row in alexnet.params().rows if row["name"] == name]
    n, channels, *size = output
    assert (n, (*size, channels), params) == ("N", *ALEXNET[name])


def test_alexnet_conv1_is_weights_and_biases(alexnet):
    first = alexnet.params().rows[0]
    assert (first["weight"], first["bias"], first["params"]) == (34_848, 96, 34_944) == (11 * 11 * 3 * 96, 96, 34_944)


def test_alexnet_totals_and_shares(alexnet):
    params = alexnet.params()
    assert params.totals["params"] == TOTAL == sum(count for _, count in ALEXNET.values())
    shares = {row["name"]: row["share"] for row in params.rows}
    linear = shares["fc1"] + shares["fc2"] + shares["fc3"]
    assert int(100 * linear) == 93 and round(100 * linear) == 94
    assert int(100 * shares["fc1"]) == 60
    assert sum(shares.values()) == pytest.approx(1)


def test_alexnet_flattens_9216(alexnet):
    [flat] = [row["output"] for row in alexnet.shapes().rows if row["type"] == "Flatten"]
    assert flat == ["N", 6 * 6 * 256] == ["N", 9216]


def test_two_by_two_pooling_halves():
    net = netcalc.load("netcalc: 1\ninput: [N, 1, 6, 6]\nlayers:\n  - MaxPool2d: {kernel_size: 2, stride: 2}\n")
    assert net.shapes().rows[0]["output"] == ["N", 1, 3, 3]


@pytest.mark.parametrize(
    "width, height, c_in, c_out, kernel", [(6, 6, 16, 32, 3), (28, 28, 1, 6, 5), (13, 11, 8, 4, 3)]
)
def test_convolution_against_a_linear_layer_in_its_place(width, height, c_in, c_out, kernel):
    """S*S*C_in*C_out weights against (W*H*C_in)(W_out*H_out*C_out)."""
    head = f"netcalc: 1\ninput: [N, {c_in}, {height}, {width}]\nlayers:\n"
    conv = netcalc.load(f"{head}  - Conv2d: {{out_channels: {c_out}, kernel_size: {kernel}, bias: false}}\n")
    _, _, out_h, out_w = conv.shapes().rows[0]["output"]
    assert (out_h, out_w) == (height - kernel + 1, width - kernel + 1)
    linear = netcalc.load(f"{head}  - Flatten\n  - Linear: {{out_features: {c_out * out_h * out_w}, bias: false}}\n")
    assert conv.params().totals["params"] == kernel * kernel * c_in * c_out
    assert linear.params().totals["params"] == (width * height * c_in) * (out_w * out_h * c_out)


def test_lenet_by_hand():
    table = {row["name"]: row["params"] for row in netcalc.load("lenet").params().rows if row["params"]}
    assert table == {"conv1": 156, "conv2": 2_416, "fc1": 48_120, "fc2": 10_164, "fc3": 850}


def test_gpt2_closed_form():
    """P = L(12 d^2 + 13 d) + (V + T) d + 2 d, for L layers of width d, V words and T positions; the head is tied."""
    formula = netcalc.load("gpt2").free("n_layer", "n_embd", "n_head", "vocab_size", "block_size").params().sum.params
    for layers, d, heads, words, positions in (
        (12, 768, 12, 50257, 1024),
        (48, 1600, 25, 50257, 1024),
        (3, 64, 4, 1000, 77),
    ):
        values = {"n_layer": layers, "n_embd": d, "n_head": heads, "vocab_size": words, "block_size": positions}
        assert formula.at(values) == layers * (12 * d * d + 13 * d) + (words + positions) * d + 2 * d


def test_gpt2_printed_formula():
    printed = str(netcalc.load("gpt2").free("n_layer", "n_embd").params().sum.params)
    n_embd, n_layer = 768, 12
    assert "//" not in printed
    assert eval(printed, {"n_embd": n_embd, "n_layer": n_layer}) == n_embd * (
        12 * n_embd * n_layer + 13 * n_layer + 51283
    )


def test_gpt2_flops_of_nanogpt():
    """291,648,307,200 for a forward pass of 1024 tokens: karpathy/nanoGPT, transformer_sizing, two per MAC."""
    assert 2 * netcalc.load("gpt2").at(T=1024).flops().totals["macs"] == 291_648_307_200
