"""The standard library: its blocks are known in every spec, and are what torch and torchvision have under these names."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import netcalc
from netcalc.export.live import namespace
from netcalc.language import standard

HEAD = "netcalc: 1\nname: Net\n"
ENCODER = HEAD + "input: [A, B, 24]\nlayers:\n  - layer: {{TransformerEncoderLayer: {{{}}}}}\n"


def decoder(written: str) -> str:
    shapes = ("[N, T, 24]", "[N, S, 24]") if "batch_first: true" in written else ("[T, N, 24]", "[S, N, 24]")
    line = f"  - layer: {{TransformerDecoderLayer: {{{written}}}}}\n    from: {{tgt: tgt, memory: memory}}\n"
    return f"{HEAD}inputs: {{tgt: {shapes[0]}, memory: {shapes[1]}}}\nlayers:\n{line}"


#: arguments in the spec, and in torch
CASES = [
    ("nhead: 4", {"nhead": 4}),
    ("nhead: 2, dim_feedforward: 40, batch_first: true", {"nhead": 2, "dim_feedforward": 40, "batch_first": True}),
    ("nhead: 3, norm_first: true, Activation: GELU", {"nhead": 3, "norm_first": True, "activation": "gelu"}),
    ("nhead: 8, bias: false, layer_norm_eps: 1e-3", {"nhead": 8, "bias": False, "layer_norm_eps": 1e-3}),
    (
        "nhead: 1, batch_first: true, norm_first: true, bias: false, dropout: 0.5, dim_feedforward: 7",
        {"nhead": 1, "batch_first": True, "norm_first": True, "bias": False, "dropout": 0.5, "dim_feedforward": 7},
    ),
]


def exported(text: str):
    """The model of a spec, its layers' names and shapes as netcalc predicts them, in evaluation mode."""
    net = netcalc.load(text)
    model = namespace(net.exported().text)["Net"]()
    assert {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()} == net.state_dict()
    return model.eval(), net


def assert_same(text: str, reference: nn.Module, inputs: list, **options):
    """Names and shapes of the state are equal, and so is the output with equal weights."""
    model, net = exported(text)
    state = {f"layer.{key}": tensor for key, tensor in reference.state_dict().items()}
    assert net.state_dict() == {key: tuple(tensor.shape) for key, tensor in state.items()}
    assert net.params().totals["params"] == sum(p.numel() for p in reference.parameters())
    model.load_state_dict(state)
    with torch.no_grad():
        torch.testing.assert_close(model(*inputs), reference.eval()(*inputs, **options))


@pytest.mark.parametrize(("written", "given"), CASES)
def test_encoder_layer_is_that_of_torch(written, given):
    torch.manual_seed(0)
    assert_same(ENCODER.format(written), nn.TransformerEncoderLayer(24, **given), [torch.randn(5, 3, 24)])


@pytest.mark.parametrize(("written", "given"), CASES)
def test_decoder_layer_is_that_of_torch(written, given):
    torch.manual_seed(0)
    batch_first = given.get("batch_first", False)
    inputs = (
        [torch.randn(3, 5, 24), torch.randn(3, 7, 24)]
        if batch_first
        else [torch.randn(5, 3, 24), torch.randn(7, 3, 24)]
    )
    assert_same(decoder(written), nn.TransformerDecoderLayer(24, **given), inputs)


@pytest.mark.parametrize("batch_first", [True, False])
def test_a_causal_layer_is_that_of_torch_with_its_mask(batch_first):
    torch.manual_seed(0)
    written = f"nhead: 4, batch_first: {str(batch_first).lower()}, "
    mask = nn.Transformer.generate_square_subsequent_mask(3 if batch_first else 5)
    x, memory = torch.randn(5, 3, 24), torch.randn((5, 7, 24) if batch_first else (7, 3, 24))
    encoder = nn.TransformerEncoderLayer(24, 4, batch_first=batch_first)
    assert_same(ENCODER.format(written + "is_causal: true"), encoder, [x], src_mask=mask)
    layer = nn.TransformerDecoderLayer(24, 4, batch_first=batch_first)
    assert_same(decoder(written + "tgt_is_causal: true"), layer, [x, memory], tgt_mask=mask)


def test_causal_and_other_layers_in_one_model_are_different_classes():
    torch.manual_seed(0)
    text = ENCODER.format("nhead: 4, is_causal: true") + "  - second: {TransformerEncoderLayer: {nhead: 4}}\n"
    model, _ = exported(text)
    x = torch.randn(5, 3, 24)
    changed = torch.cat([x[:4], torch.randn(1, 3, 24)])
    torch.testing.assert_close(model.layer(x)[:4], model.layer(changed)[:4])
    assert not torch.allclose(model.second(x)[:4], model.second(changed)[:4])


class SqueezeExcitation(nn.Module):
    """As in torchvision.ops."""

    def __init__(self, channels, squeezed, activation=nn.ReLU, scale_activation=nn.Sigmoid):
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.activation, self.scale_activation = activation(), scale_activation()

    def forward(self, x):
        scale = self.fc2(self.activation(self.fc1(self.avgpool(x))))
        return self.scale_activation(scale) * x


@pytest.mark.parametrize(
    ("written", "given"),
    [
        ("squeeze_channels: 4", {}),
        (
            "squeeze_channels: 6, Activation: SiLU, ScaleActivation: Hardsigmoid",
            {"activation": nn.SiLU, "scale_activation": nn.Hardsigmoid},
        ),
    ],
)
def test_squeeze_excitation_is_that_of_torchvision(written, given):
    text = HEAD + f"input: [N, 16, H, W]\nlayers:\n  - layer: {{SqueezeExcitation: {{{written}}}}}\n"
    width = int(written.split(",")[0].split()[-1])
    assert_same(text, SqueezeExcitation(16, width, **given), [torch.randn(2, 16, 5, 7)])


class Gated(nn.Module):
    def __init__(self, features, hidden, out, bias):
        super().__init__()
        self.w1 = nn.Linear(features, hidden, bias=bias)
        self.w3 = nn.Linear(features, hidden, bias=bias)
        self.w2 = nn.Linear(hidden, out, bias=bias)

    def forward(self, x):
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


@pytest.mark.parametrize(
    ("written", "reference"),
    [
        ("hidden_features: 20", Gated(12, 20, 12, False)),
        ("hidden_features: 5, out_features: 7, bias: true", Gated(12, 5, 7, True)),
    ],
)
def test_swiglu_is_its_definition(written, reference):
    text = HEAD + f"input: [N, T, 12]\nlayers:\n  - layer: {{SwiGLU: {{{written}}}}}\n"
    assert_same(text, reference, [torch.randn(2, 3, 12)])


def test_macs_of_an_encoder_layer_are_those_on_paper():
    net = netcalc.load(
        ENCODER.format("nhead: 4, dim_feedforward: 40, batch_first: true").replace("[A, B, 24]", "[1, 5, 24]")
    )
    projections, scores, feedforward = 4 * 5 * 24 * 24, 2 * 5 * 5 * 24, 2 * 5 * 24 * 40
    assert net.flops().totals["macs"] == projections + scores + feedforward


def test_a_block_of_the_file_goes_first():
    text = HEAD + "input: [N, T, 12]\nlayers: [SwiGLU]\nblocks:\n  SwiGLU:\n    layers: [{a: {Linear: 3}}]\n"
    assert netcalc.load(text).state_dict() == {"0.a.weight": (3, 12), "0.a.bias": (3,)}


def test_an_imported_block_goes_first(tmp_path):
    (tmp_path / "own.yaml").write_text("netcalc: 1\nblocks:\n  SwiGLU:\n    layers: [{a: {Linear: 3}}]\n")
    (tmp_path / "net.yaml").write_text(HEAD + "imports: {own.yaml: [SwiGLU]}\ninput: [N, T, 12]\nlayers: [SwiGLU]\n")
    assert list(netcalc.load(tmp_path / "net.yaml").state_dict()) == ["0.a.weight", "0.a.bias"]


def test_its_blocks_may_be_kinds_of_layer():
    text = HEAD + "args: {Ff: {SwiGLU: {hidden_features: 5}}}\ninput: [N, T, 12]\nlayers: [{ff: Ff}]\n"
    assert netcalc.load(text).params().totals["params"] == 3 * 5 * 12


def test_a_misspelt_name_is_suggested():
    with pytest.raises(netcalc.SpecError, match="did you mean `TransformerEncoderLayer`"):
        netcalc.load(ENCODER.format("nhead: 2").replace("EncoderLayer", "EncoderLayr")).params()


def test_an_error_inside_names_the_line_that_uses_the_block():
    with pytest.raises(netcalc.SpecError) as problem:
        netcalc.load(ENCODER.format("nhead: 5")).params()
    text = str(problem.value)
    assert "embed_dim = 24 is not divisible by num_heads = 5" in text
    assert "inside block TransformerEncoderLayer, used here" in text


def test_the_library_is_sound_and_read_only_when_needed():
    assert set(standard.blocks()) >= {
        "TransformerEncoderLayer",
        "TransformerDecoderLayer",
        "SwiGLU",
        "SqueezeExcitation",
    }
    code = (
        "import netcalc; from netcalc.language import standard; netcalc.load('resnet').params();"
        "print(standard.blocks.cache_info().misses)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"
