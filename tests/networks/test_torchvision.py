"""The torchvision networks, tensor for tensor and figure for figure."""

from __future__ import annotations

import pytest

from netcalc import catalog
from tests.shipped import REFERENCE, of_torchvision, recorded

ROWS = recorded("torchvision.json")["rows"]
STATE_DICTS = sorted(path.stem for path in (REFERENCE / "state_dicts").glob("*.json"))


def test_all_recorded_networks_are_shipped():
    assert {row["model"] for row in ROWS} | set(STATE_DICTS) <= set(catalog.everything())
    assert len(ROWS) == 33


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["model"])
def test_figures(row):
    net = of_torchvision(row["model"])
    totals, macs = net.params().totals, net.flops().totals["macs"]
    assert totals["params"] == totals["trainable"] == row["num_params"]
    assert totals["buffers"] == row["buffers_exact"]
    assert macs == row["macs_flopcounter"]
    assert f"{macs / 1e9:.3f}" == f"{row['gmacs_ops']:.3f}"


@pytest.mark.parametrize("model", STATE_DICTS)
def test_state_dict(model):
    """Names, shapes and order. vit_h_14 was recorded at 224x224, which is what its position embedding goes by."""
    net = of_torchvision(model)
    net = net.at(image_size=224) if model == "vit_h_14" else net
    expected = recorded(f"state_dicts/{model}.json")
    assert list(net.state_dict().items()) == [(key, tuple(shape)) for key, shape in expected.items()]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["model"])
def test_rows_add_up(row):
    """The parameters and buffers of the layers are those of the state_dict."""
    net = of_torchvision(row["model"])
    sizes = {key: _size(shape) for key, shape in net.state_dict().items()}
    layers = net.params().rows
    assert sum(sizes.values()) == row["num_params"] + row["buffers_exact"]
    assert sum(layer["weight"] + layer["bias"] for layer in layers) == row["num_params"]
    biases = sum(size for key, size in sizes.items() if "bias" in key.rpartition(".")[2])
    assert sum(layer["bias"] for layer in layers) == biases


def _size(shape) -> int:
    size = 1
    for length in shape:
        size *= length
    return size
