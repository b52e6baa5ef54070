"""The simulation of shipped networks beside torch: what is saved, the peak of the second step and of inference, equal in bytes;
for most every event too, on the CPU with the optimizer's loop and on CUDA's rules with foreach."""

from __future__ import annotations

import itertools

import pytest

import netcalc
from netcalc.export import examples
from netcalc.memory import simulate
from netcalc.memory.tape import Rules

from .compare import predicted
from .oracle import measure
from .oracle.traces import beside, parted

#: arguments that make a network small
GIVEN = {"gpt2": {"n_layer": 2, "n_embd": 64, "n_head": 4, "vocab_size": 500}}
EXACT = ("tiny", "two_input", "lenet", "alexnet", "resnet18", "tied")
#: equal in bytes saved and at the peak, with a difference between events away from it
AT_PEAK = ("gpt2", "vae")


#: the weight gets two gradients. The first is a view, and so PyTorch makes their sum anew
TIED = """
netcalc: 1
name: Tied
inputs: {tokens: {shape: [N, T], dtype: int64}}
layers:
  - wte: {Embedding: {num_embeddings: 500, embedding_dim: 64}}
  - ln: LayerNorm
  - head: {Linear: {out_features: 500, bias: false}}
    tie: {weight: wte.weight}
"""
#: the mean of a bag: on CUDA only a maximum keeps its places
BAGS = """
netcalc: 1
name: Bags
inputs: {tokens: {shape: [N, T], dtype: int64}}
layers:
  - bags: {EmbeddingBag: {num_embeddings: 50, embedding_dim: 8}}
  - head: {Linear: 5}
"""
TEXTS = {"tied": TIED, "bags": BAGS}


def network(name: str):
    """A network, and sizes for what is free in it."""
    net = netcalc.load(TEXTS.get(name, name)).at(**GIVEN.get(name, {}))
    return net, examples.sizes(net.graph, 2)


def peak(persistent: int, steps: list) -> int:
    """The most bytes alive in the last of the steps."""
    before = persistent + sum(event[1] for step in steps[:-1] for event in step)
    return max(itertools.accumulate((event[1] for event in steps[-1]), initial=before))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("name", EXACT + AT_PEAK)
def test_training(name, device, private_side):
    net, sizes = network(name)
    cuda = device == "cuda"
    found = measure(net, sizes, device, optimizer="adamw", foreach=cuda)
    run = {"optimizer": "adamw", "options": {"foreach": cuda}}
    steps = predicted(net, sizes, Rules(cuda=cuda), run, False)
    result = simulate.training(net.graph, net.exported().emitter, sizes, simulate.Run(Rules(cuda=cuda)))
    assert sum(saved.storage.bytes for saved in result.saved) == found.saved_bytes + found.saved_inputs
    assert peak(found.persistent, steps) == found.peak
    if name in EXACT:
        for ours, theirs in zip(steps, found.events, strict=True):
            position, both = parted(ours, theirs)
            assert position is None, "\n" + beside(*both, position)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("name", EXACT)
def test_inference(name, device, private_side):
    net, sizes = network(name)
    found = measure(net, sizes, device, inference=True)
    steps = predicted(net, sizes, Rules(cuda=device == "cuda"), {}, True)
    assert peak(found.persistent, steps) == found.peak


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_what_is_recomputed_under_autocast(device, tmp_path, private_side):
    """The stretch runs again in an autocast region of its own: weights are cast once more."""
    path = tmp_path / "net.yaml"
    path.write_text(
        "netcalc: 1\ninput: [N, 8]\nlayers:\n  - Linear: 8\n"
        "  - b: [{Linear: 9}, ReLU, {Linear: 10}, Tanh]\n    checkpoint: true\n  - Linear: 4\n"
    )
    net = netcalc.load(path)
    sizes = examples.sizes(net.graph, 2)
    found = measure(net, sizes, device, amp="bfloat16")
    steps = predicted(net, sizes, Rules(cuda=device == "cuda", autocast="bfloat16"), {}, False)
    assert peak(found.persistent, steps) == found.peak


def test_a_mean_of_bags_keeps_no_places_on_cuda(private_side):
    net, sizes = network("bags")
    found = measure(net, sizes, "cuda")
    result = simulate.training(net.graph, net.exported().emitter, sizes, simulate.Run(Rules(cuda=True)))
    assert sum(saved.storage.bytes for saved in result.saved) == found.saved_bytes + found.saved_inputs
    assert peak(found.persistent, predicted(net, sizes, Rules(cuda=True), {}, False)) == found.peak
