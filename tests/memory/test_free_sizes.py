"""Peaks as formulas: equal to the simulation of numbers at every point of small grids."""

from __future__ import annotations

from itertools import product

import pytest

import netcalc
from netcalc.arith import at
from tests.designs.test_peak import HEADS

SPLIT = """
netcalc: 1
args: {width: 8, heads: 2}
input: [N, 6, width]
layers:
  - Linear: {out_features: width}
  - Reshape: [N, 6, heads, width // heads]
  - Permute: [0, 2, 1, 3]
  - Softmax: -1
  - Permute: [0, 2, 1, 3]
  - Reshape: [N, 6, width]
  - Linear: 3
"""
GPT = {"n_layer": 2, "n_embd": 24, "vocab_size": 17, "block_size": 9}


def network(name: str, **values):
    return netcalc.load(name).at(**values)


CASES = {
    "gpt2": (network("gpt2", **GPT), (), {"N": (1, 2, 3, 40), "T": (1, 2, 3, 8)}),
    "gpt2 of any width": (network("gpt2", **GPT | {"N": 2}), ("n_embd",), {"n_embd": (12, 24, 36, 120), "T": (2, 5, 9)}),
    "gpt2 of any heads": (network("gpt2", **GPT | {"N": 2, "T": 3}), ("n_embd", "n_head"), {"n_embd": (6, 8, 12, 24), "n_head": (1, 2, 3, 4, 12)}),
    "pictures": (network("resnet18", N=2), ("H", "W"), {"H": (31, 32, 33, 50, 64), "W": (33, 47, 64)}),
    "one side": (network("resnet18", N=3, W=33), ("H",), {"H": (*range(30, 37), 62, 63, 64, 65, 96)}),
    "any width": (network("unet", H=16, W=16), ("width",), {"N": (1, 2, 5), "width": (1, 2, 3, 4, 7)}),
    "attention": (netcalc.load(HEADS), ("size",), {"N": (1, 2, 3), "T": (1, 2, 3), "size": (1, 2, 5)}),
    "heads that must divide": (netcalc.load(SPLIT), ("width", "heads"), {"N": (2, 3), "width": (4, 6, 12), "heads": (1, 2, 3, 6)}),
    "two lengths": (network("t5", vocab_size=11, d_model=4, d_ff=5, num_layers=1, num_heads=2, d_kv=2), (), {"N": (1, 2, 3), "S": (1, 2, 4), "T": (2, 3)}),
}  # fmt: skip


def points(net, grid: dict):
    """The points of a grid that the network's conditions allow, each with the peak simulated there."""
    for values in product(*grid.values()):
        point = dict(zip(grid, values, strict=True))
        try:
            yield point, net.at(**point).memory().peak.bytes
        except netcalc.NetcalcError:
            continue


@pytest.mark.parametrize("case", CASES)
def test_at_every_point_it_is_the_simulated_peak(case):
    net, free, grid = CASES[case]
    found = net.free(*free).formula("peak")
    inside, all = 0, 0
    for point, counted in points(net, grid):
        all += 1
        inside += found.domain.holds(point)
        try:
            number = found.at(**point)
        except netcalc.NetcalcError:
            assert not found.domain.holds(point)
            assert not any(point[name] == 1 and one.domain.holds(point) for name, one in found.ones), point
        else:
            assert number == counted, point
    assert inside * 2 >= all > 3, "the conditions leave most sizes"


@pytest.mark.parametrize("case", CASES)
def test_each_term_is_the_peak_where_it_is_said_to_be(case):
    net, free, _ = CASES[case]
    shown = net.free(*free).formula("peak").cases()
    for which in shown[:3]:
        if which.point and max(which.point.values()) < 2000:
            assert net.at(**which.point).memory().peak.bytes == at(which.value, which.point), which


def test_what_holds_for_one_is_not_taken_for_granted():
    """With one text the heads of GPT-2 are views; with several they are copied: at 512 words this is at the peak."""
    net = netcalc.load("gpt2")
    found, counted = net.formula("peak"), net.at(N=1, T=512).memory().peak.bytes
    assert list(map(str, found.conditions)) == ["N >= 2"] and at(found.value, {"N": 1, "T": 512}) != counted
    assert found.at(N=1, T=512) == counted
    with pytest.raises(netcalc.NetcalcError, match="holds where T >= 2; T = 1 is outside of that"):
        found.at(N=1, T=1)
    assert found.at(N=2, T=512) == net.at(N=2, T=512).memory().peak.bytes


def test_conditions_may_be_on_names_that_are_in_none_of_the_sizes():
    """With one head nothing is copied; how many there are else makes no difference."""
    net = netcalc.load(SPLIT)
    found = net.free("width", "heads").formula("peak")
    assert (
        found.names == ("width", "N") and "heads >= 2" in map(str, found.conditions) and "For heads = 1" in str(found)
    )
    counted = {heads: net.at(N=2, width=12, heads=heads).memory().peak.bytes for heads in (1, 2, 3)}
    assert counted[1] < counted[2] == counted[3]
    assert {heads: found.at(N=2, width=12, heads=heads) for heads in counted} == counted


def test_the_instants_of_a_peak_are_in_the_trace():
    """What is alive after the event of each candidate adds up to its bytes."""
    net = netcalc.load("gpt2").at(**GPT).free("n_embd")
    found = net.memory()
    line = found.timeline
    for one in line.peak().candidates:
        alive = sum(storage.bytes for storage in line.alive(one.event))
        for width, words in product((24, 60, 96), (2, 5)):
            assert at(alive, {"n_embd": width, "T": words, "N": 3}) == at(
                one.bytes, {"n_embd": width, "T": words, "N": 3}
            )
