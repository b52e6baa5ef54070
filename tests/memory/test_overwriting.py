"""In-place layers: netcalc refuses to train what PyTorch refuses, and nothing else."""

from __future__ import annotations

import pytest

import netcalc
from netcalc.errors import NetcalcError

torch = pytest.importorskip("torch")

HEAD = "netcalc: 1\nname: Overwritten\ninput: [N, 6, 8]\nlayers:\n  - first: {Linear: 8}\n"
OVER = ("ReLU: {inplace: true}", "SiLU: {inplace: true}", "Dropout: {inplace: true}", "Dropout: {p: 0, inplace: true}",
        "RReLU: {inplace: true}", "Threshold: {threshold: 0.1, value: 2, inplace: true}")  # fmt: skip
BEFORE = (
    "Linear: 6", "Sigmoid: {}", "Tanh: {}", "Softmax: 1", "ReLU: {}", "GELU: {}", "ELU: {}", "LayerNorm: {}", "BatchNorm1d: {}",
    "Dropout: {}", "Exp: {}", "Sqrt: {}", "Rsqrt: {}", "LogSoftmax: 1", "Reciprocal: {}", "SELU: {}", "Softplus: {}",
    "LSTM: {hidden_size: 8, batch_first: true}", "GRU: {hidden_size: 8, batch_first: true}", "MaxPool1d: 2",
    "MultiheadAttention: {num_heads: 2, batch_first: true}", "Permute: [0, 2, 1]", "Flatten: {}", "RMSNorm: {}",
)  # fmt: skip
#: what is read by an in-place layer, in a way that autograd has rules for
VIEWS = {
    "one of several": "  - some: {Split: {split_size_or_sections: [4, 4], dim: 2}}\n  - act: {ReLU: {inplace: true}}\n    from: some.0\n",
    "one of several, seen again": "  - some: {Chunk: {chunks: 2, dim: 2}}\n  - seen: {Permute: [0, 2, 1]}\n    from: some.0\n"
                                  "  - act: {ReLU: {inplace: true}}\n  - back: {Permute: [0, 2, 1]}\n",
    "one of all": "  - some: {Unbind: {dim: 1}}\n  - act: {ReLU: {inplace: true}}\n    from: some.0\n",
    "one": "  - part: {Slice: {dim: 1, start: 2}}\n  - act: {ReLU: {inplace: true}}\n",
    "a selected one": "  - part: {Select: {dim: 1, index: 0}}\n  - act: {ReLU: {inplace: true}}\n",
    "a parameter": "  - own: {Parameter: {shape: [3, 8]}}\n  - act: {ReLU: {inplace: true}}\n",
    "a view of one": "  - own: {Parameter: {shape: [3, 4]}}\n  - flat: {Flatten: {start_dim: 0}}\n  - act: {ReLU: {inplace: true}}\n",
    "made from one": "  - own: {Parameter: {shape: [3, 8]}}\n  - exp: Abs\n  - act: {ReLU: {inplace: true}}\n",
}  # fmt: skip


def refused(net) -> tuple[bool, bool]:
    """Whether PyTorch refuses a training step, and whether netcalc does."""
    found = []
    for step in (lambda: net.to_torch()(torch.rand(4, 6, 8)).mean().backward(), lambda: net.memory(4)):
        try:
            step()
            found.append(False)
        except (RuntimeError, NetcalcError) as problem:
            assert any(word in str(problem) for word in ("inplace", "in-place")), problem
            found.append(True)
    return tuple(found)


@pytest.mark.parametrize("before", BEFORE)
def test_after_a_layer(before):
    for over in OVER:
        theirs, ours = refused(
            netcalc.load(f"{HEAD}  - before: {{{before}}}\n  - act: {{{over}}}\n  - last: {{Linear: 3}}\n")
        )
        assert ours == theirs, over


@pytest.mark.parametrize("view", VIEWS)
def test_of_a_view(view):
    theirs, ours = refused(netcalc.load(f"{HEAD}{VIEWS[view]}  - last: {{Linear: 3}}\n"))
    assert ours == theirs


def test_a_checkpoint_makes_it_again():
    mark = "  - before: Sigmoid\n    checkpoint: true\n"
    assert refused(netcalc.load(f"{HEAD}{mark}  - act: {{ReLU: {{inplace: true}}}}\n")) == (False, False)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_said(device):
    net = netcalc.load(f"{HEAD}  - before: Sigmoid\n  - act: {{ReLU: {{inplace: true}}}}\n")
    with pytest.raises(NetcalcError) as caught:
        net.memory(2, device=device)
    assert str(caught.value) == (
        "error: act overwrites what before needs for its backward pass, so PyTorch refuses to train this\n"
        "  help: leave inplace out of act"
    )
    assert net.memory(2, device=device, inference=True).peak.bytes, "a forward pass alone may do so"
