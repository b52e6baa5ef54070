"""A mixture of experts: FakeTensors that are told how often each expert is chosen are as the real CPU with a router that
chooses so, and the simulation is as they are."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
import torch

import netcalc
from netcalc.memory import simulate
from netcalc.memory.ops.routing import equal_shares
from netcalc.memory.tape import Rules
from netcalc.memory.timeline import Timeline
from netcalc.report.memory_table import exactly

from .compare import predicted
from .oracle import measure
from .oracle.shares import equal
from .oracle.traces import beside, parted, stops_being_within

EXPERTS, TOP_K = 4, 2
SPEC = f"""
netcalc: 1
name: Net
input: [N, 5, 6]
layers:
  - first: {{Linear: 6}}
  - moe: {{MixtureOfExperts: {{num_experts: {EXPERTS}, top_k: {TOP_K}, hidden_features: 8}}}}
  - Linear: 3
"""


def dealt(tokens: int) -> list[tuple[int, ...]]:
    """The experts of each token where they are dealt out in turn, the last one first."""
    left = iter(range(tokens * TOP_K))
    return [tuple(EXPERTS - 1 - next(left) % EXPERTS for _ in range(TOP_K)) for _ in range(tokens)]


#: the experts of each of so many tokens
ROUTES = {
    "equal": dealt,
    "all to the same": lambda tokens: [(0, 2)] * tokens,
    "uneven": lambda tokens: [(0, 1), (1, 2), (1, 3)] + [(1, 2)] * (tokens - 3),
}


def counted(route: list) -> list[int]:
    found = Counter(expert for chosen in route for expert in chosen)
    return [found[expert] for expert in range(EXPERTS)]


def routed(route: list):
    """A function that gives model and input values with which the router sends each token where it should go."""

    def prepare(model, x):
        model.first.weight.copy_(torch.eye(6))
        model.first.bias.zero_()
        model.moe.gate.weight.copy_(torch.eye(EXPERTS, 6))
        x.mul_(0.01)
        for token, chosen in zip(x.view(-1, 6), route, strict=True):
            for rank, expert in enumerate(chosen):
                token[expert] = 3 - rank

    return prepare


@pytest.mark.parametrize("optimizer", [None, "adamw"])
@pytest.mark.parametrize("batch", [4, 3])  # 10 tokens to an expert, and 7 or 8
@pytest.mark.parametrize("name", ROUTES)
def test_fake_is_as_real(name, batch, optimizer, private_side):
    net, route = netcalc.load(SPEC), ROUTES[name](5 * batch)
    shares = counted(route)
    if name == "equal":
        assert shares == [equal(len(route) * TOP_K, EXPERTS, number) for number in range(EXPERTS)]
    arguments = {"optimizer": optimizer, "foreach": False}
    fake = measure(net, {"N": batch}, shares=shares, **arguments)
    real = measure(net, {"N": batch}, mode="real", prepare=routed(route), **arguments)
    for ours, theirs in zip(fake.events, real.events, strict=True):
        position = stops_being_within(ours, theirs)
        assert position is None, "\n" + beside(ours, theirs, position)
    assert fake.saved == real.saved


@pytest.mark.parametrize("dtype, amp", [("float32", None), ("bfloat16", None), ("float32", "bfloat16")])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("name", ROUTES)
def test_the_simulation_is_as_fake(name, device, dtype, amp, private_side):
    """Event by event, with 7 or 8 tokens to an expert where they have equal shares."""
    net, shares = netcalc.load(SPEC), counted(ROUTES[name](15))
    fake = measure(net, {"N": 3}, device, dtype=dtype, amp=amp, shares=shares, saved=False)
    rules = Rules(cuda=device == "cuda", dtype=dtype, autocast=amp)
    run = {"share": lambda tokens, top_k, experts, number: shares[number]}
    for ours, theirs in zip(predicted(net, {"N": 3}, rules, run, False), fake.events, strict=True):
        position, both = parted(ours, theirs)
        assert position is None, "\n" + beside(*both, position)


@pytest.mark.parametrize("tokens, top_k, experts", [(15, 2, 4), (1, 2, 8), (7, 3, 3), (5, 1, 4)])
def test_equal_shares_are_dealt_out(tokens, top_k, experts):
    """Every choice is some expert's, and no two experts differ by more than one token."""
    shares = [equal_shares(tokens, top_k, experts, number) for number in range(experts)]
    assert sum(shares) == tokens * top_k and max(shares) - min(shares) <= 1


#: two mixtures of two kinds
TWO = SPEC.replace(
    "  - Linear: 3", "  - other: {MixtureOfExperts: {num_experts: 3, top_k: 1, hidden_features: 40}}\n  - Linear: 3"
)


@pytest.mark.parametrize("options", [{}, {"optimizer": "adamw"}, {"checkpoint": "moe"}, {"inference": True}, {"device": "cuda"}],
                         ids=str)  # fmt: skip
def test_the_peak_of_the_worst_routing(options):
    """Against each routing that sends all tokens to the same experts, and some that do not."""
    net, tokens = netcalc.load(TWO), 15
    found = net.memory(3, **options)
    corners = [
        {(4, number): tokens * (number in four) for number in range(4)}
        | {(3, number): tokens * (number == one) for number in range(3)}
        for four in itertools.combinations(range(4), 2)
        for one in range(3)
    ]
    inner = [
        {(4, 0): 15, (4, 1): 1, (4, 2): 6, (4, 3): 8, (3, 0): 0, (3, 1): 13, (3, 2): 2},
        {(4, 0): 7, (4, 1): 7, (4, 2): 8, (4, 3): 8, (3, 0): 5, (3, 1): 5, (3, 2): 5},
    ]
    peaks = [peak(net, shares, options) for shares in corners + inner]
    assert found.routed_peak == found.to_dict()["routed_peak"] == max(peaks[: len(corners)]) == max(peaks)
    assert peaks[-1] == found.peak.bytes < found.routed_peak
    assert f"Whatever tokens go to which expert, the peak is at most {exactly(found.routed_peak)}." in str(found)


def peak(net, shares: dict, options: dict) -> int:
    """The most bytes alive at any time, with that many tokens to each expert."""
    emitter, share = net.exported().emitter, lambda tokens, top_k, experts, number: shares[experts, number]
    rules = Rules(cuda=options.get("device") == "cuda")
    if options.get("inference"):
        return Timeline(simulate.inference(net.graph, emitter, {"N": 3}, rules, share).trace).peak().bytes
    marked = frozenset({options["checkpoint"]} if "checkpoint" in options else ())
    run = simulate.Run(rules, options.get("optimizer"), checkpoint=marked, share=share)
    return Timeline(simulate.training(net.graph, emitter, {"N": 3}, run).trace).peak().bytes


def test_no_worst_routing_without_experts_or_sizes():
    assert netcalc.load("mlp").memory().routed_peak is None
    free = netcalc.load(TWO).memory(symbolic=True)
    assert free.routed_peak is None and "An estimate" in str(free)
