"""What each layer keeps for the backward pass and the peak of a step equal what torch does on the CPU, in bytes.

For every row of the layer tables, in a network of its own (see `rules`), with the CPU's rules and a dispatch mode's view.
"""

from __future__ import annotations

import warnings

import pytest

import netcalc
from netcalc.layers import Layer
from tests.layers.table import all_rows, built
from tests.memory import measured, rules

#: not modelled yet
MISSING: set[str] = set()
#: rows that cannot run in a network of their own
APART = {
    "Embedding-num_embeddings=1,embedding_dim=1,sparse=True,scale_grad_by_freq=True-3x5": "torch has no such gradient",
    "EmbeddingBag-num_embeddings=10,embedding_dim=3,max_norm=2,norm_type=3.5,sparse=True-4x7": "a sparse gradient has no storage",
    "Slice-dim=2,start=5,end=2-2x9x7": "empty output",
    "Slice-dim=1,start=20-2x9": "empty output",
    "Arange-end=4,start=4-": "empty output",
}
#: layers whose peak depends on the data: which tokens go to which expert, as torch says then
PEAK_BY_DATA = {"MixtureOfExperts"}
ROWS = [row for row in all_rows() if not built(row).loss]
MODELLED = [row for row in ROWS if type(built(row)).eager is not Layer.eager and str(row) not in APART]


def test_only_these_are_not_modelled():
    assert {row.type for row in ROWS if type(built(row)).eager is Layer.eager} == MISSING


def test_the_exceptions_are_rows():
    assert set(APART) <= {str(row) for row in ROWS}
    assert {row.type for row in ROWS if built(row).by_data} == PEAK_BY_DATA


@pytest.mark.parametrize("grown", [True, False], ids=["gradient", "data"])
@pytest.mark.parametrize("row", MODELLED, ids=str)
def test_saved_bytes_and_peak_equal_torch(row, grown):
    """With inputs that need a gradient, and with plain data."""
    warnings.simplefilter("ignore")
    net = rules.loaded(row, grown)
    predicted = rules.predicted(net)
    assert predicted.saved == measured.saved(net, predicted.sizes)
    peak, shares = measured.peak(net, predicted.sizes)
    assert bool(shares) == (row.type in PEAK_BY_DATA)
    assert peak == (rules.predicted(net, shares) if shares else predicted).peak


#: layouts and guards that no row has: a convolution after channels-last data, a frozen layer, operands that need none
CHAINS = {
    "channels last": "[LayerNorm2d, {Conv2d: {out_channels: 8, kernel_size: 2, stride: 2}}, ReLU]",
    "channels last, pooled": "[LayerNorm2d, {Conv2d: {out_channels: 8, kernel_size: 3}}, BatchNorm2d, {MaxPool2d: 2}, Flatten]",
    "transposed": "[{Permute: {dims: [0, 2, 3, 1]}}, {Linear: 7}, GELU, {Linear: {out_features: 5, bias: false}}]",
    "heads of one feature": "[{Flatten: {start_dim: 2}}, {Linear: 7}, {Transpose: {dim0: 1, dim1: 2}}, "
    "{ScaledDotProductAttention: {num_heads: 6}, from: [prev, prev, prev]}]",
    "flattened": "[{Flatten: {start_dim: 2}}, {Transpose: {dim0: 1, dim1: 2}}, {Linear: 7}, LayerNorm, {Softmax: -1}]",
}


@pytest.mark.parametrize("layers", CHAINS.values(), ids=list(CHAINS))
def test_layouts(layers):
    net = netcalc.load(f"netcalc: 1\nname: Chain\ninput: [N, 6, 8, 9]\nlayers: {layers}\n")
    predicted = rules.predicted(net)
    assert predicted.saved == measured.saved(net, predicted.sizes)
    assert predicted.peak == measured.peak(net, predicted.sizes)[0]
