"""A mixture of experts: FakeTensors that are told how often each expert is chosen are as the real CPU with a router that
chooses so, and the simulation is as they are."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

import netcalc
from netcalc.memory.ops.routing import equal_shares
from netcalc.memory.tape import Rules

from .compare import predicted
from .oracle import measure
from .oracle.shares import equal
from .oracle.traces import beside, difference, in_runs, stops_being_within, without_scratch

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
        both = [in_runs(without_scratch([tuple(event) for event in events])) for events in (ours, theirs)]
        position = difference(*both)
        assert position is None, "\n" + beside(*both, position)


@pytest.mark.parametrize("tokens, top_k, experts", [(15, 2, 4), (1, 2, 8), (7, 3, 3), (5, 1, 4)])
def test_equal_shares_are_dealt_out(tokens, top_k, experts):
    """Every choice is some expert's, and no two experts differ by more than one token."""
    shares = [equal_shares(tokens, top_k, experts, number) for number in range(experts)]
    assert sum(shares) == tokens * top_k and max(shares) - min(shares) <= 1
