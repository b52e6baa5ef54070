"""A part of the matrix: every family on both devices' rules, with batches, dtypes and optimizers so that each pair of them meets.

`python -m tests.memory.matrix` runs all of it; docs/validation-memory.md shows the last result.
"""

from __future__ import annotations

import functools
import itertools

import pytest

from .matrix import BATCHES, DEVICES, DTYPES, OPTIMIZERS, Beside, Cell, Network

#: small, but with every layer of the family
SMALL = {
    "alexnet": Network("alexnet"),
    "bert": Network("bert_base", {"num_layers": 1}, {"T": 24}),
    "convnext": Network("convnext_tiny", {"depths": [1, 1, 1, 1]}),
    "densenet": Network("densenet121", {"depths": [2, 2, 2, 2]}),
    "diffusion_unet": Network("diffusion_unet", {"width": 32}),
    "dlrm": Network("dlrm"),
    "gpt2": Network("gpt2", {"n_layer": 1}, {"T": 24}),
    "lenet": Network("lenet"),
    "llama": Network("llama3_2_1b", {"n_layers": 1}, {"T": 24}),
    "lstm_tagger": Network("lstm_tagger", {"vocab_size": 50}),
    "mixer": Network("mixer_s_16", {"num_blocks": 1}),
    "mixtral": Network("mixtral_8x7b", {"n_layers": 1}, {"T": 21}),  # 42 choices of 8 experts a sample
    "mlp": Network("mlp"),
    "mobilenet_v3": Network("mobilenet_v3_small"),
    "resnet": Network("resnet18"),
    "siamese": Network("siamese"),
    "swin": Network("swin_t", {"depths": [2, 2, 2, 2]}),
    "t5": Network("t5_small", {"num_layers": 1}),
    "tiny": Network("tiny"),
    "transformer": Network("transformer_base", {"num_layers": 1}),
    "two_input": Network("two_input"),
    "unet": Network("unet", {"width": 8}),
    "vae": Network("vae"),
    "vgg": Network("vgg11_bn"),
    "vit": Network("vit_b_32", {"num_layers": 1}),
    "seq2seq": Network("seq2seq"),
}  # fmt: skip


def chosen(name: str, device: str) -> Cell:
    """One cell of a network on a device. The lengths of the three lists have no common divisor, so 20 networks in a row
    bring every pair of their elements together."""
    at = list(SMALL).index(name) + 30 * DEVICES.index(device)
    return Cell(device, *DTYPES[at % 3], BATCHES[at % 4], *OPTIMIZERS[at % 5])


CELLS = [(name, chosen(name, device)) for name, device in itertools.product(SMALL, DEVICES)]


@functools.cache
def beside(name: str) -> Beside:
    return Beside(SMALL[name])


@pytest.mark.parametrize("name, cell", CELLS, ids=lambda x: x if isinstance(x, str) else "-".join(map(str, x)))
def test_cell(name, cell, private_side):
    line = beside(name).line(cell)
    assert line["status"] in ("equal", "refused"), line


@pytest.mark.parametrize("device", DEVICES)
def test_pairs(device):
    """Every pair of batch, dtype and optimizer is among the cells of a device."""
    cells = [(cell.batch, (cell.dtype, cell.amp), cell[-2:]) for _, cell in CELLS if cell.device == device]
    for a, b in itertools.combinations(range(3), 2):
        pairs = {(cell[a], cell[b]) for cell in cells}
        assert len(pairs) == len({cell[a] for cell in cells}) * len({cell[b] for cell in cells})
