"""The loss in exported files: its value for given targets, and targets of the right shapes and dtypes."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

import netcalc
from netcalc.export import live

HEAD = "netcalc: 1\nname: Net\ninput: [N, 6]\nlayers:\n"
ONE = HEAD + "  - Linear: 5\n"
TWO = (
    HEAD
    + """  - first: {Linear: 5}
  - left: {Linear: 3}
  - right: {Linear: 4}
    from: first
outputs: {a: left, b: right}
loss:
  - classes: CrossEntropyLoss
    from: left
  - distance: MSELoss
    from: right
  - Add: [classes, distance]
"""
)


def functions(text: str) -> dict:
    net = netcalc.load(text)
    return live.namespace(net.export_torch())


def test_without_a_loss_there_are_no_targets():
    names = functions(ONE)
    assert "example_targets" not in names
    output = torch.randn(3, 5)
    assert names["loss_of"](output) == output.mean()


def test_one_class_per_sample():
    names = functions(ONE + "loss: CrossEntropyLoss\n")
    output = torch.randn(3, 5)
    (target,) = names["example_targets"](output)
    assert (target.dtype, target.shape) == (torch.int64, (3,))
    assert 0 <= target.min() <= target.max() < 5
    assert names["loss_of"](output, target) == F.cross_entropy(output, target)


def test_the_target_follows_what_reaches_the_loss():
    names = functions(ONE + "loss:\n  - Unflatten: {dim: 1, unflattened_size: [5, 1]}\n  - CrossEntropyLoss\n")
    output = torch.randn(3, 5)
    (target,) = names["example_targets"](output)
    assert target.shape == (3, 1)
    assert names["loss_of"](output, target) == F.cross_entropy(output.unsqueeze(2), target)


def test_two_losses_of_named_outputs():
    names = functions(TWO)
    output = {"a": torch.randn(2, 3), "b": torch.randn(2, 4)}
    targets = names["example_targets"](output)
    assert [target.shape for target in targets] == [(2,), (2, 4)]
    expected = F.cross_entropy(output["a"], targets[0]) + F.mse_loss(output["b"], targets[1])
    assert names["loss_of"](output, *targets) == expected


def test_what_a_later_layer_reads_is_not_overwritten():
    """The shipped VAE reads three outputs in its loss, one of them twice."""
    names = live.namespace(netcalc.load("vae").export_torch())
    output = {"reconstruction": torch.rand(2, 3, 8, 8), "mu": torch.randn(2, 4), "logvar": torch.randn(2, 4)}
    target = torch.rand(2, 3, 8, 8)
    mu, logvar = output["mu"], output["logvar"]
    divergence = 0.5 * (logvar.exp() + mu**2 - logvar - 1).mean()
    expected = F.mse_loss(output["reconstruction"], target) + divergence
    torch.testing.assert_close(names["loss_of"](output, target), expected)


@pytest.mark.parametrize("name", ["output", "target"])
def test_a_layer_of_the_loss_may_have_any_name(name):
    names = functions(ONE + f"loss:\n  - {name}: {{Mul: [prev, 2]}}\n  - MSELoss\n")
    output, target = torch.randn(3, 5), torch.randn(3, 5)
    assert names["loss_of"](output, target) == F.mse_loss(output * 2, target)
