"""`netcalc explain`: derivations of layers and totals, checked against a blackboard."""

from __future__ import annotations

import json

import pytest

import netcalc
from netcalc.errors import NetcalcError
from tests.shipped import ALL, IDS, net_of


def step(found, label: str):
    return next(s for section in found.sections for s in section.steps if s.label == label)


def test_the_first_layer_of_alexnet_as_on_a_blackboard():
    text = str(netcalc.load("alexnet").explain("conv1"))
    for line in (
        "conv1 (Conv2d)  [N, 3, 224, 224] -> [N, 96, 55, 55]",
        "H_out = floor((H + 2*padding - dilation*(kernel_size - 1) - 1) / stride) + 1",
        "= floor((224 + 2*2 - 1*(11 - 1) - 1) / 4) + 1",
        "W_out = 55  (as the height)",
        "out_channels * (in_channels // groups) * kernel_size * kernel_size",
        "= 96 * (3 // 1) * 11 * 11",
        "= 34,848",
        "weight + bias = 34848 + 96 = 34,944",
        "= 105,415,200",
    ):
        assert line in text, line


def test_figures_are_those_of_the_tables():
    net = netcalc.load("alexnet")
    params = {row["name"]: row for row in net.params().rows}
    flops = {row["name"]: row for row in net.flops().rows}
    for name in ("conv1", "conv2", "fc1", "fc3"):
        found = net.explain(name)
        assert step(found, "weight").value == params[name]["weight"]
        assert step(found, "MACs").value == flops[name]["macs"]
        assert step(found, "FLOPs").value == flops[name]["flops"]
        assert (
            2 * step(found, "backward MACs").value + step(found, "other FLOPs").value == flops[name]["backward_flops"]
        )


def test_the_first_layer_needs_no_gradient_of_its_input():
    net = netcalc.load("alexnet")
    assert step(net.explain("conv1"), "backward MACs").note == "gradients of the weights"
    assert step(net.explain("conv2"), "backward MACs").note == "gradients of the weights and the input"


def test_a_fully_connected_layer_in_place_of_a_convolution():
    """3*224*224 inputs times 96*55*55 outputs, against 96*3*11*11 weights."""
    found = netcalc.load("alexnet").explain("conv1")
    assert step(found, "weights").value == 3 * 224 * 224 * 96 * 55 * 55
    assert "one in 1,254,400 of them" in str(found)
    assert "fully connected" not in str(netcalc.load("alexnet").explain("fc1"))


@pytest.mark.parametrize(("layer", "said"), [
    ("LSTM in=35x100 hidden_size=20 batch_first=true", "one, so 80 parameters fewer"),  # 4h
    ("GRU in=35x100 hidden_size=20 batch_first=true", "reset_after=True"),
    ("BatchNorm2d in=64x7x7", "256 instead of 128"),  # gamma, beta, mean, variance
    ("LayerNorm in=7x64", None),
])  # fmt: skip
def test_where_others_count_differently(layer, said):
    from netcalc.report.single import spec_of

    kind, *words = layer.split()
    text = str(netcalc.load(spec_of(kind, dict(word.split("=", 1) for word in words))).explain("layer"))
    assert said in text if said else "note:" not in text


def test_free_sizes_stay():
    found = netcalc.load("gpt2").explain("transformer.h.0.mlp.c_fc")
    assert str(step(found, "MACs").value) == f"{768 * 4 * 768}*T"
    assert "N * T * out_features * in_features" in str(found)


def test_a_free_repeat_and_a_reuse_and_a_tie_are_said():
    assert "stands for n_layer equal layers" in str(
        netcalc.load("gpt2").free("n_layer").explain("transformer.h.i.ln_1")
    )
    assert "runs 3 times" in str(netcalc.load("resnet50").explain("layer1.0.relu"))
    assert "weight is transformer.wte.weight" in str(netcalc.load("gpt2").explain("lm_head"))


def test_totals_name_the_layers_that_hold_most():
    text = str(netcalc.load("alexnet").explain())
    assert "60.5 %  37,752,832  fc1 (Linear)" in text
    assert "By kind: Linear 94.0 %, Conv2d 6.0 %" in text
    assert "39.5 %  447,897,600  conv2 (Conv2d)" in text


def test_shares_add_up():
    """The rest is what the lines above it leave: 25,557,032 parameters in all."""
    [section] = [s for s in netcalc.load("resnet50").explain().sections if s.title.startswith("Parameters")]
    numbers = [
        int(text.split("%")[1].split()[0].replace(",", "")) for text in section.texts if not text.startswith("By")
    ]
    assert len(numbers) == 9 and sum(numbers) == 25_557_032


@pytest.mark.parametrize("name", ["conv", "layer1", "conv1", "99"])
def test_layers_that_are_not_there_are_answered_with_names(name):
    net = netcalc.load("alexnet" if name in ("conv", "99") else "resnet50")
    if name == "conv1":
        assert str(net.explain("conv1")).startswith("conv1 (Conv2d)  [N, 3, 224, 224]")
        return
    with pytest.raises(NetcalcError, match=r"conv1|layer1\.0\.conv1"):
        net.explain(name)


def test_formats_agree_on_the_numbers():
    found = netcalc.load("alexnet").explain("conv1")
    data = json.loads(found.format("json"))
    height = next(s for section in data["sections"] for s in section["steps"] if s["label"] == "height")
    assert (height["value"], height["sign"]) == (55, "H_out")
    assert r"\left\lfloor \frac{H + 2 \cdot \mathrm{padding}" in found.format("latex")
    assert "$$\n\\begin{aligned}" in found.format("markdown") and "34{,}848" in found.format("markdown")
    assert "<td><code>" in found._repr_html_() and "<strong>34,848</strong>" in found._repr_html_()


# -- memory


def _section(found, start: str):
    [section] = [section for section in found.sections if section.title.startswith(start)]
    return section


def test_what_a_convolution_keeps_and_why():
    """Its input, 96 channels of 27 * 27 numbers in 4 bytes; the weight counts as a parameter."""
    section = _section(netcalc.load("alexnet").explain("conv2"), "Kept")
    assert section.title == "Kept for the backward pass, in bytes, for N = 1"
    [step] = section.steps
    assert (step.label, step.value) == ("input", 96 * 27 * 27 * 4)
    assert step.note == "float32; kept by convolution: the gradient of the weight is made of it"
    assert "1 * 96 * 27 * 27 * 4" in str(netcalc.load("alexnet").explain("conv2"))


def test_a_tensor_that_two_layers_keep_counts_once_and_says_so():
    net = netcalc.load("alexnet")
    relu, pool = (_section(net.explain(name), "Kept") for name in ("relu1", "pool1"))
    assert [step.value for step in relu.steps] == [96 * 55 * 55 * 4]
    assert relu.texts == ("The same result is kept by pool1 too: it is counted once.",)
    assert [(step.label, step.value) for step in pool.steps] == [("indices", 96 * 27 * 27 * 8)]
    assert pool.texts[0].startswith("input: 1.11 MiB, counted at relu1, which keeps it too; kept by max pool: ")


@pytest.mark.parametrize(
    ("name", "sizes"), [("resnet18", {"N": 2}), ("unet", {"H": 1, "W": 1}), ("gpt2", {"T": 4, "n_layer": 1})]
)
def test_what_layers_keep_adds_up_to_what_memory_says(name, sizes):
    net = netcalc.load(name).at(**sizes)
    memory, seen, kept = net.memory(), set(), 0
    for row in memory.facts:
        if row.path not in seen and row.node in net.graph.nodes:
            seen.add(row.path)
            steps = _section(net.explain(row.path), "Kept").steps
            kept += steps[-1].value if steps else 0
    loss = sum(memory.by_row[id(row)].saved_bytes for row in memory.facts if row.node not in net.graph.nodes)
    assert kept + loss == memory.bytes["saved_activations"]


def test_a_layer_that_keeps_nothing():
    assert _section(netcalc.load("resnet18").explain("layer1.0.add"), "Kept").texts == (
        "Nothing: no gradient needs a tensor of it.",
    )


def test_where_the_peak_comes_from():
    net = netcalc.load("resnet50").at(N=8)
    peak = net.memory().peak
    section = _section(net.explain(), "Memory of a training step")
    assert section.title == f"Memory of a training step: {peak.bytes:,} bytes"
    assert f"backward of step {peak.step}, at {peak.layer} ({peak.event})" in section.texts[0]
    alive = [text.split() for text in section.texts if "%" in text]
    assert sum(int(words[2].replace(",", "")) for words in alive) == peak.bytes
    assert section.texts[len(alive) + 1].startswith("The largest: ")


def test_a_peak_in_free_sizes_is_one_of_few():
    texts = _section(netcalc.load("gpt2").explain(), "Memory of a training step, for N = 1").texts
    assert texts[0] == "Peak: the largest of" and texts[-1].startswith("Formulas hold where T >= 2")
    assert all("T" in term and " bytes  " in term for term in texts[1:-1:2]) and len(texts) < 10
    assert all(instant.startswith("backward, at ") for instant in texts[2:-1:2])


def test_what_is_not_known_of_memory_is_said():
    found = netcalc.load("gpt2").free("n_layer").explain("lm_head")
    assert _section(found, "Kept").texts == ("Not known: the number of copies of a `repeat` is free",)


@pytest.mark.parametrize("format", ["markdown", "latex", "html"])
def test_why_it_is_kept_is_said_in_every_format(format):
    assert "the gradient of the weight is made of it" in netcalc.load("alexnet").explain("conv2").format(format)
    assert "saved activations" in netcalc.load("alexnet").explain().format(format)


def test_work_in_free_sizes_is_written_in_the_sizes_of_the_output():
    """(224 + 2*2 - 11) // 4 + 1 places in general: H_out stands for them in what follows."""
    from netcalc.report.single import spec_of

    given = {"in": "3xHxW", "out_channels": "96", "kernel_size": "11", "stride": "4", "padding": "2"}
    found = netcalc.load(spec_of("Conv2d", given)).explain("layer")
    assert str(step(found, "height").value) == "(H + 1)//4 - 1"
    assert str(step(found, "MACs").value) == f"{96 * 3 * 11 * 11}*H_out*W_out"


@pytest.mark.parametrize(("name", "variant"), ALL, ids=IDS)
def test_every_layer_of_every_shipped_network_is_explained(name, variant):
    """One of each kind of layer in a network; what is explained adds up to what is counted."""
    net = net_of(name, variant)
    assert str(net.explain())
    params = {row["name"]: row for row in reversed(net.params().rows)}  # the first run of a layer has its weights
    seen = set()
    for node in net.graph.nodes:
        if node.type not in seen and node.original is None:
            seen.add(node.type)
            found = net.explain(node.path)
            tensors = next((s.steps for s in found.sections if s.title == "Parameters"), ())
            total = next((s.value for s in tensors if s.label == "together"), sum(s.value for s in tensors))
            assert node.tied or total == params[node.path]["params"], node.path
            for format in ("text", "latex", "markdown", "html", "json"):
                assert found.format(format)
