"""The shipped families beyond torchvision's old ones, against torch, torchvision, the papers and sums on paper."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import netcalc
from netcalc import catalog
from tests.networks import rebuilt
from tests.shipped import recorded

# -- written a second time in torch


def tokens(*shape):
    return torch.zeros(shape, dtype=torch.long, device="meta")


def picture():
    return torch.zeros(1, 3, 224, 224, device="meta")


#: network -> (module in torch, example inputs of one sample, free sizes of the spec)
REBUILT = {
    "bert_base": (rebuilt.Bert, lambda: (tokens(1, 24), tokens(1, 24), tokens(1, 1, 1, 24) == 0), {"T": 24}),
    "bert_large": (lambda: rebuilt.Bert(24, 16, 1024), lambda: (tokens(1, 9), tokens(1, 9), tokens(1, 1, 1, 9) == 0), {"T": 9}),
    "transformer_base": (rebuilt.Transformer, lambda: (tokens(1, 20), tokens(1, 30)), {"S": 20, "T": 30}),
    "transformer_big": (lambda: rebuilt.Transformer(dim=1024, heads=16), lambda: (tokens(1, 7), tokens(1, 5)), {"S": 7, "T": 5}),
    "efficientnet_b0": (rebuilt.efficientnet_b0, lambda: (picture(),), {}),
    "mobilenet_v3_large": (rebuilt.mobilenet_v3_large, lambda: (picture(),), {}),
    "swin_t": (rebuilt.SwinT, lambda: (picture(),), {}),
}  # fmt: skip


@pytest.mark.parametrize("name", REBUILT)
def test_tensors_of_a_second_implementation(name):
    with torch.device("meta"):
        module = REBUILT[name][0]()
    assert netcalc.load(name).state_dict() == {key: tuple(value.shape) for key, value in module.state_dict().items()}


@pytest.mark.parametrize("name", REBUILT)
def test_macs_of_a_second_implementation(name):
    make, inputs, sizes = REBUILT[name]
    with torch.device("meta"):
        module = make()
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        module(*inputs())
    assert netcalc.load(name).at(**sizes).flops().totals["macs"] == counter.get_total_flops() // 2


def filled(module):
    """Numbers in place of zeros and ones, so that a wrong connection shows."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.05 + (parameter.ndim == 1) * 0.5)
    return module.eval()


def test_bert_computes_the_same():
    theirs = filled(rebuilt.Bert(layers=2))
    ours = netcalc.load("bert").at(num_layers=2).to_torch().eval()
    ours.load_state_dict(theirs.state_dict())
    words, types = torch.arange(22).reshape(2, 11) * 7, torch.arange(22).reshape(2, 11) % 2
    mask = torch.arange(11) < torch.tensor([[11], [6]])
    with torch.no_grad():
        found = ours(words, types, mask[:, None, None])
        for a, b in zip(
            found.values() if isinstance(found, dict) else found, theirs(words, types, mask[:, None, None]), strict=True
        ):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_transformer_computes_the_same():
    theirs = filled(rebuilt.Transformer(words=50, layers=2))
    ours = netcalc.load("transformer").at(vocab_size=50, num_layers=2).to_torch().eval()
    ours.load_state_dict(theirs.state_dict())
    source, target = torch.arange(16).reshape(2, 8) * 3, torch.arange(10).reshape(2, 5) * 4
    with torch.no_grad():
        torch.testing.assert_close(ours(source, target), theirs(source, target), rtol=1e-4, atol=1e-4)


# -- torchvision


@pytest.fixture(scope="module")
def torchvision():
    """torchvision; without its compiled operators their names are declared, and its networks run all the same."""
    pytest.importorskip("torch")
    try:
        import torchvision
    except ImportError:
        pytest.skip("torchvision is not installed")
    except RuntimeError:  # the compiled part does not fit this torch
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision

        torchvision.declared = library  # lives as long as the module
    return torchvision


OF_TORCHVISION = [
    *catalog.variants("efficientnet"), *catalog.variants("mobilenet_v3"), *catalog.variants("swin"), *catalog.variants("vit"),
]  # fmt: skip


def meta_model(torchvision, name: str):
    options = {"image_size": 518} if name == "vit_h_14" else {}
    with torch.device("meta"):
        return getattr(torchvision.models, name)(**options)


@pytest.mark.parametrize("name", OF_TORCHVISION)
def test_tensors_of_torchvision(torchvision, name):
    theirs = {key: tuple(value.shape) for key, value in meta_model(torchvision, name).state_dict().items()}
    assert netcalc.load(name).state_dict() == theirs


@pytest.mark.parametrize("name", OF_TORCHVISION)
def test_macs_of_torchvision(torchvision, name):
    net = netcalc.load(name)
    shape = [size if isinstance(size, int) else 1 for size in next(iter(net.graph.inputs.values())).shape]
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        meta_model(torchvision, name)(torch.zeros(shape, device="meta"))
    assert net.flops().totals["macs"] == counter.get_total_flops() // 2


@pytest.mark.parametrize("name", ["efficientnet_b0", "mobilenet_v3_large", "mobilenet_v3_small", "swin_t", "vit_b_32"])
def test_outputs_of_torchvision(torchvision, name):
    theirs = filled(getattr(torchvision.models, name)())
    ours = netcalc.load(name).to_torch().eval()
    ours.load_state_dict(theirs.state_dict())
    pictures = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = theirs(pictures)
        assert expected.std() > 0
        torch.testing.assert_close(ours(pictures), expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


# -- papers

PAPERS = {(row["family"], row["model"]): row for row in recorded("papers.json")["rows"]}
LANGUAGE = {
    **{("Llama", f"Llama-{v}-{s}B"): f"llama{v}_{s.lower()}b".replace(".", "_") for v, s in
       (("2", "7"), ("2", "13"), ("2", "70"), ("3", "8"), ("3", "70"), ("3.1", "405"), ("3.2", "1"), ("3.2", "3"))},
    **{("GPT-2", f"gpt2{size}"): f"gpt2{size}".replace("-", "_") for size in ("", "-medium", "-large", "-xl")},
    ("BERT", "bert-base"): "bert_base", ("BERT", "bert-large"): "bert_large",
}  # fmt: skip
#: figures printed in another way than rounded to their last digit: (that of the last digit kept, rounding)
PRINTED = {("BERT", "bert-base"): (Decimal(10), ROUND_HALF_UP), ("BERT", "bert-large"): (Decimal(10), ROUND_HALF_UP),
           ("Llama", "Llama-3.2-1B"): (Decimal("0.01"), ROUND_DOWN)}  # fmt: skip


@pytest.mark.parametrize("key", LANGUAGE, ids=LANGUAGE.values())
def test_language_models_of_the_papers(key):
    row, params = PAPERS[key], netcalc.load(LANGUAGE[key]).params().totals["params"]
    assert params == row["check"]["params"], "the count of Hugging Face transformers"
    [(unit, figure)] = row["published"].items()
    printed = Decimal(str(figure))
    step, rounding = PRINTED.get(key, (Decimal(1).scaleb(printed.as_tuple().exponent), ROUND_HALF_UP))
    exact = Decimal(params).scaleb({"params_m": -6, "params_b": -9}[unit])
    assert (exact / step).quantize(Decimal(1), rounding) * step == printed


@pytest.mark.parametrize("variant, width", [("base", 512), ("big", 1024)])
def test_transformer_of_2017(variant, width):
    """18 attentions with 4 biases each are more than the paper's formula has."""
    counted = PAPERS["Transformer", variant]["check"]["params"]
    assert netcalc.load(f"transformer_{variant}").params().totals["params"] == counted + 18 * 4 * width


@pytest.mark.parametrize(
    "name, params", [("t5_small", 60_506_624), ("t5_base", 222_903_552), ("t5_large", 737_668_096)]
)
def test_t5(name, params):
    """num_parameters() of T5ForConditionalGeneration with the published configurations."""
    assert netcalc.load(name).params().totals["params"] == params


def test_t5_by_hand():
    """Words, 6 + 6 blocks of width 512, two tables of 32 buckets and 8 heads; every norm has a weight and no bias."""
    attention, feed_forward, norm = 4 * 512 * 512, 2 * 512 * 2048, 512
    encoder = 6 * (attention + feed_forward + 2 * norm) + norm + 32 * 8
    decoder = 6 * (2 * attention + feed_forward + 3 * norm) + norm + 32 * 8
    net = netcalc.load("t5_small")
    assert net.params().totals["params"] == 32128 * 512 + encoder + decoder
    biases = [key for key in net.state_dict() if "bias" in key]
    assert biases == [
        f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight" for side in ("encoder", "decoder")
    ]


@pytest.mark.parametrize(
    "name, printed, with_head", [("vit_b_16", 86, False), ("vit_h_14", 632, True), ("vit_l_32", 307, True)]
)
def test_vit_figures_of_the_note(name, printed, with_head):
    """The paper's 86M, 307M, 632M at 224x224: what fits them, with or without the head for 1000 classes."""
    net = netcalc.load(name).at(image_size=224)
    width = net.state_dict()["class_token"][-1]
    params, head = net.params().totals["params"], 1000 * width + 1000
    fits = {True: params, False: params - head}
    assert [had for had, count in fits.items() if round(count / 1e6) == printed] == [with_head]


def test_vit_l_16_fits_with_no_head():
    params = netcalc.load("vit_l_16").params().totals["params"]
    assert {round(params / 1e6), round((params - 1_025_000) / 1e6)} == {304, 303}


# -- work of language models


@pytest.mark.parametrize("name, layers, d", [("gpt2", 12, 768), ("gpt2_medium", 24, 1024), ("gpt2_xl", 48, 1600)])
@pytest.mark.parametrize("batch, length", [(1, 1024), (3, 77)])
def test_gpt2_flops_by_formula(name, layers, d, batch, length):
    """L (24 B T d^2 + 4 B T^2 d) + 2 B T d V, where a multiply-accumulate is two FLOPs."""
    words = 50257
    flops = layers * (24 * batch * length * d * d + 4 * batch * length**2 * d) + 2 * batch * length * d * words
    assert 2 * netcalc.load(name).at(T=length).flops(batch).totals["macs"] == flops


@pytest.mark.parametrize("name", [name for (family, _), name in LANGUAGE.items() if family == "Llama"])
def test_llama_macs_by_formula(name):
    """Per word: the weights of every matrix but the embedding; per pair of words 2 d for scores and sums."""
    row = next(row for key, row in PAPERS.items() if LANGUAGE.get(key) == name)
    config, length = row["config"], 100
    d, layers, heads = config["hidden_size"], config["num_hidden_layers"], config["num_attention_heads"]
    shared = d // heads * config.get("num_key_value_heads", heads)
    weights = layers * (2 * d * d + 2 * d * shared + 3 * d * config["intermediate_size"]) + d * config["vocab_size"]
    assert netcalc.load(name).at(T=length).flops().totals["macs"] == length * weights + layers * 2 * length**2 * d


def test_mixtral_by_hand():
    """A word meets 2 of 8 experts: 12.9 of 46.7 billion parameters, as the paper says."""
    d, hidden, layers, words = 4096, 14336, 32, 32000
    attention, expert = 2 * d * d + 2 * d * 1024, 3 * d * hidden
    outside = layers * (attention + 8 * d + 2 * d) + 2 * words * d + d
    params, macs = netcalc.load("mixtral").params().totals, netcalc.load("mixtral").at(T=50).flops().totals["macs"]
    assert params["params"] == outside + layers * 8 * expert == 46_702_792_704
    assert params["active"] == outside + layers * 2 * expert
    assert f"{params['active'] / 1e9:.1f}" == "12.9"
    assert macs == 50 * (layers * (attention + 8 * d + 2 * expert) + words * d) + layers * 2 * 50 * 50 * d


# -- counted by hand


def conv(channels, out, kernel=3, bias=True):
    return channels * out * kernel**2 + out * bias


def test_unet_with_interpolation():
    """Each double convolution has two kernels of 3x3 and two normalisations."""

    def double(channels, middle, out):
        return conv(channels, middle, bias=False) + 2 * middle + conv(middle, out, bias=False) + 2 * out

    down = sum(double(a, b, b) for a, b in ((3, 64), (64, 128), (128, 256), (256, 512), (512, 512)))
    up = double(1024, 512, 256) + double(512, 256, 128) + double(256, 128, 64) + double(128, 64, 64)
    assert netcalc.load("unet_upsample").params().totals["params"] == down + up + conv(64, 2, 1) == 17_263_042


def test_diffusion_unet():
    """35.7 million in the paper (Ho et al., 2020, section 4)."""

    def block(channels, out, attention=False):
        skip = conv(channels, out, 1) if channels != out else 0
        attended = 2 * out + 4 * conv(out, out, 1) if attention else 0
        return 2 * channels + conv(channels, out) + 512 * out + out + 2 * out + conv(out, out) + skip + attended

    time, same = 128 * 512 + 512 + 512 * 512 + 512, conv(256, 256)
    down = (
        2 * block(128, 128)
        + conv(128, 128)
        + block(128, 256, True)
        + block(256, 256, True)
        + same
        + 2 * block(256, 256)
        + same
    )
    middle = 2 * block(256, 256) + block(256, 256, True) + block(256, 256)
    up = 3 * block(512, 256) + same + 3 * block(512, 256) + same
    up += 2 * block(512, 256, True) + block(384, 256, True) + same + block(384, 128) + 2 * block(256, 128)
    params = netcalc.load("diffusion_unet").params().totals["params"]
    assert params == time + conv(3, 128) + down + middle + up + 2 * 128 + conv(128, 3)
    assert f"{params / 1e6:.1f}" == "35.7"


def test_vae():
    """Kernels of 4x4, each convolution half or twice the size; the two halves do the same work."""
    kernels = [(3, 32), (32, 64), (64, 128), (128, 256)]
    norms = 2 * (32 + 64 + 128 + 256) + 2 * (128 + 64 + 32)
    weights = 2 * sum(conv(a, b, 4, bias=False) for a, b in kernels)
    linear = 2 * (4096 * 128 + 128) + 128 * 4096 + 4096
    net = netcalc.load("vae")
    assert net.params().totals["params"] == weights + norms + linear + 3
    sides = [32, 16, 8, 4]
    work = sum(conv(a, b, 4, bias=False) * side**2 for (a, b), side in zip(kernels, sides, strict=True))
    assert net.flops().totals["macs"] == 2 * work + 3 * 4096 * 128


def test_dlrm():
    """The tables of the Criteo Kaggle data; 27 rows give 27 * 26 / 2 pairs."""
    rows = (1460, 583, 10131227, 2202608, 305, 24, 12517, 633, 3, 93145, 5683, 8351593, 3194, 27, 14992, 5461306, 10, 5652,
            2173, 4, 7046547, 18, 15, 286181, 105, 142572)  # fmt: skip
    mlps = [(13, 512), (512, 256), (256, 64), (64, 16), (16 + 351, 512), (512, 256), (256, 1)]
    net = netcalc.load("dlrm")
    assert net.params().totals["params"] == 16 * sum(rows) + sum(a * b + b for a, b in mlps)
    assert net.flops().totals["macs"] == sum(a * b for a, b in mlps) + 27 * 27 * 16


@pytest.mark.parametrize("name, blocks, d", [("mixer_s_16", 8, 512), ("mixer_b_16", 12, 768), ("mixer_l_16", 24, 1024)])
def test_mlp_mixer(name, blocks, d):
    """196 patches; the MLPs are half as wide as the features along the patches, four times along the channels."""
    stem, tokens_mlp, channels_mlp = 3 * 16 * 16 * d, 2 * 196 * (d // 2), 2 * d * 4 * d
    biases = d + blocks * (d // 2 + 196 + 4 * d + d + 4 * d) + 2 * d + 1000
    net = netcalc.load(name)
    assert net.params().totals["params"] == stem + blocks * (tokens_mlp + channels_mlp) + 1000 * d + biases
    assert net.flops().totals["macs"] == 196 * stem + blocks * (d * tokens_mlp + 196 * channels_mlp) + 1000 * d


def test_seq2seq():
    """Three gates with two biases each; attention over 20 words read for each of 30 written."""
    gru, keys, combine, words = 3 * 512 * (256 + 512), 512 * 512, 1024 * 512, 512 * 20000
    net = netcalc.load("seq2seq")
    assert net.params().totals["params"] == 2 * 20000 * 256 + 2 * (gru + 6 * 512) + keys + combine + words + 20000
    macs = net.at(S=20, T=30).flops().totals["macs"]
    assert macs == (20 + 30) * gru + 20 * keys + 2 * 20 * 30 * 512 + 30 * (combine + words)
