"""torchvision's networks compute the same as the exported specs, bit for bit, with torchvision's weights in both."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

import pytest
import torch

from netcalc.export import live
from tests.shipped import of_torchvision

MODELS = (
    "alexnet", "vgg16_bn", "resnet18", "resnet50", "wide_resnet50_2", "resnext50_32x4d", "convnext_tiny", "densenet121",
    "mobilenet_v2", "vit_b_16",
)  # fmt: skip


def _operators():
    """Declare what torchvision registers kernels for when its compiled part does not fit this build of torch.

    The models need none of its operators, but it cannot be imported without their names.
    """
    folder = Path(importlib.util.find_spec("torchvision").origin).parent
    try:
        for library in folder.glob("_C*.so"):
            torch.ops.load_library(library)
    except OSError:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return library
    return None


@pytest.fixture(scope="module")
def models():
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    library = _operators()
    try:
        yield importlib.import_module("torchvision.models")
    except ImportError as problem:
        pytest.skip(f"torchvision cannot be imported: {problem}")
    del library


def _random(model: torch.nn.Module):
    """Weights of a sensible size, no tensor of one value only: zeros and ones would hide what is done with them."""
    for value in model.state_dict().values():
        if value.dim() > 1:
            bound = (3 / value[0].numel()) ** 0.5
            value.uniform_(-bound, bound)
        elif value.is_floating_point():
            value.uniform_(0.5, 1.5)
        else:
            value.zero_()


@pytest.mark.parametrize("name", MODELS)
def test_equal_outputs(name, models):
    torch.manual_seed(0)
    with torch.device("meta"):
        theirs = models.get_model(name, weights=None).eval()
    theirs.to_empty(device="cpu")
    _random(theirs)
    net = of_torchvision(name)
    ours = live.module(net.graph, net.export_torch(), "meta").eval()
    ours.load_state_dict(theirs.state_dict(), strict=True, assign=True)
    picture = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        expected, found = theirs(picture), ours(picture)
    assert expected.isfinite().all() and expected.std() > 1e-3 * expected.abs().max()
    assert torch.equal(found, expected)
