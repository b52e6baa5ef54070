"""`netcalc solve`: against arithmetic on paper and against trying every value."""

from __future__ import annotations

from fractions import Fraction

import pytest

import netcalc
from netcalc.errors import NetcalcError

#: (10 + 1)*w + (w + 1)*10 = 21*w + 10 parameters
LINE = """
netcalc: 1
args: {w: 4, scale: 1.0}
input: [N, 10]
layers:
  - a: {Linear: w}
  - b: {Linear: round(10 * scale)}
"""


@pytest.mark.parametrize(("condition", "value", "figure", "further"), [
    ("params <= 1000", 47, 997, (48, 1018)),
    ("params <= 1018", 48, 1018, (49, 1039)),
    ("params < 1018", 47, 997, (48, 1018)),
    ("params >= 1000", 48, 1018, (47, 997)),
    ("params > 1018", 49, 1039, (48, 1018)),
    ("params == 1018", 48, 1018, (49, 1039)),
    ("params == 1000", 47, 997, (48, 1018)),
    ("params == 1012", 48, 1018, (47, 997)),
    ("params = 1.018k", 48, 1018, (49, 1039)),
    ("params == 5", 1, 31, None),
])  # fmt: skip
def test_a_line_by_hand(condition, value, figure, further):
    found = netcalc.load(LINE).solve(condition, "w")
    assert (found.value, found.figure) == (value, figure)
    assert further is None or found.further == further
    if condition.startswith("params ="):
        assert found.exact == (condition.split()[2] in ("1018", "1.018k"))
        assert found.exact != ("No whole w gives exactly that" in str(found))


def test_there_may_be_none():
    found = netcalc.load(LINE).solve("params <= 30", "w")
    assert found.value is None and found.further == (1, 31)
    assert "params is 31 already at w = 1, the smallest possible" in str(found)


def test_what_does_not_depend_on_the_unknown_is_said():
    assert "94, so every value will do" in str(netcalc.load(LINE).solve("params <= 100", "N"))
    assert "94, so none will do" in str(netcalc.load(LINE).solve("params <= 90", "N"))


def test_large_answers_are_exact():
    """21*w + 10 <= 10**15."""
    assert netcalc.load(LINE).solve("params <= 1000T", "w").value == (10**15 - 10) // 21


def test_the_batch_can_be_the_unknown_and_is_one_otherwise():
    """10*w + w*10 = 80 MACs for a sample and w = 4."""
    assert netcalc.load(LINE).solve("macs <= 1k", "N").value == 12
    found = netcalc.load(LINE).solve("macs <= 1k", "w")
    assert (found.value, found.sizes) == (50, {"N": 1})


def test_conditions_are_met():
    """n_embd must be a multiple of 12: the largest GPT-2 of that kind below a million parameters."""
    found = netcalc.load("gpt2").solve("params <= 1M", "n_embd")
    assert found.value == 12 and found.further[0] == 24

    def count(width: int) -> int:
        return netcalc.load("gpt2").at(n_embd=width).params().totals["params"]

    assert count(12) == found.figure <= 1_000_000 < count(24) == found.further[1]


def test_fractions_are_tried_on_a_grid():
    """Every width of MobileNetV2 in steps of 0.05, counted one by one."""
    net = netcalc.load("mobilenet_v2")
    found = net.solve("macs <= 100M", "width", 0.05)
    counted = {k: net.at(width=Fraction(k, 20)).flops().totals["macs"] for k in range(1, 25)}
    largest = max(k for k, macs in counted.items() if macs <= 100_000_000)
    assert (found.value, found.figure) == (Fraction(largest, 20), counted[largest])
    assert found.to_dict()["value"] == 0.5


def test_steps_of_whole_numbers():
    found = netcalc.load(LINE).solve("params <= 1000", "w", 8)
    assert (found.value, found.further[0]) == (40, 48)


def test_an_unknown_that_only_counting_can_follow():
    """depths of blocks by list cannot be free; a scale of a Linear can: round(10*scale) outputs of 5 parameters each."""
    found = netcalc.load(LINE).solve("params <= 100", "scale", "0.1")
    assert (found.value, found.figure) == (Fraction(11, 10), 44 + 11 * 5)


@pytest.mark.parametrize(("condition", "unknown", "step", "said"), [
    ("params", "w", None, "is not a condition"),
    ("params <= 25X", "w", None, "is not a condition"),
    ("parms <= 25", "w", None, "did you mean `params`"),
    ("params <= 25", "v", None, "no argument or free size of that name"),
    ("params <= 25", "w", "0", "a step is a number above 0"),
    ("params <= 25", "w", "x", "a step is a number above 0"),
    ("params <= 2.5", "w", None, "not a whole number"),
])  # fmt: skip
def test_slips_are_answered(condition, unknown, step, said):
    with pytest.raises(NetcalcError, match=said):
        netcalc.load(LINE).solve(condition, unknown, step)


def test_other_free_sizes_must_be_given():
    with pytest.raises(NetcalcError, match=r"macs depends on T too\n  help: give values: --set T=\.\.\."):
        netcalc.load("gpt2").solve("macs <= 1T", "n_layer")


def test_a_formula_with_floors_is_looked_at_value_by_value():
    """(H + 1)//2 squared times 27*4: the formula has differences in it, so that it is not taken for granted to grow."""
    spec = "netcalc: 1\ninput: [N, 3, H, H]\nlayers: [{Conv2d: {out_channels: 4, kernel_size: 11, stride: 4, padding: 2, bias: false}}]\n"
    net = netcalc.load(spec)
    found = net.solve("macs <= 1M", "H")

    def macs(size: int) -> int:
        return 3 * 11 * 11 * 4 * ((size + 4 - 11) // 4 + 1) ** 2

    assert found.value == max(size for size in range(7, 500) if macs(size) <= 1_000_000)
    assert found.figure == macs(found.value) and found.further == (found.value + 1, macs(found.value + 1))
    assert "was looked at" in str(found)


def test_bytes_are_said_in_binary_units(monkeypatch):
    from netcalc.report import quantities

    eight = quantities.Quantity(
        "weight-bytes", "bytes", "4 for each parameter", lambda net: 4 * quantities.QUANTITIES["params"].of(net)
    )
    monkeypatch.setitem(quantities.QUANTITIES, "weight-bytes", eight)
    text = str(netcalc.load(LINE).solve("weight-bytes <= 1MiB", "w"))
    assert "weight-bytes <= 1,048,576 bytes" in text
    assert "w = 12,482  weight-bytes = 1,048,528 bytes (1,023.95 KiB)" in text  # (21*12482 + 10)*4


@pytest.mark.parametrize(("args", "hint"), [("{w: 1}", False), ("{w: 1/2}", True)])
def test_numbers_between_whole_ones_are_offered_where_the_network_takes_them(args, hint):
    width = "round(8*w)" if hint else "8*w"
    net = netcalc.load(f"netcalc: 1\nargs: {args}\ninput: [N, 3]\nlayers: [Linear: {width}]\n")
    assert ("--step" in str(net.solve("params <= 100", "w"))) == hint
    assert "--step" not in str(net.solve("params <= 100", "w", 0.5 if hint else 1))
