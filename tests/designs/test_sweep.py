"""Sweeps: each design's figures are those that it has alone; nothing is dropped without a word."""

from __future__ import annotations

import itertools
import json
from collections import Counter

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import netcalc
from netcalc import NetcalcError, SpecError
from netcalc.arith import Formula
from netcalc.designs import evaluate, stretches
from netcalc.designs import main as sweeps
from netcalc.designs.axes import axis
from netcalc.designs.select import front
from netcalc.report.one_sample import rows
from netcalc.report.quantities import QUANTITIES
from tests.designs.bodies import bodies
from tests.random_specs.specs import specs

#: one linear layer and copies of another: 10*w + w, then d times w*w + w, then w*c + c parameters
PLAIN = """
netcalc: 1
name: Plain
args: {w: 4, d: 2, c: 3, Act: ReLU, bias: true}
variants:
  wide: {args: {w: 8}}
  deep: {args: {d: 5}}
input: [N, 10]
layers:
  - a: {Linear: {out_features: w, bias}}
  - b: {Linear: {out_features: w, bias}}
    repeat: d
  - Act
  - c: {Linear: {out_features: c, bias}}
"""
GROUPED = """
netcalc: 1
args: {channels: 12, groups: 1}
input: [N, channels, 8, 8]
layers:
  - conv: {Conv2d: {out_channels: 24, kernel_size: 3, groups}}
"""


def params(w, d, c):
    return 10 * w + w + d * (w * w + w) + w * c + c


def macs(w, d, c):
    return 10 * w + d * w * w + w * c


@pytest.fixture
def plain():
    return netcalc.load(PLAIN)


@pytest.fixture
def symbols(monkeypatch):
    """As many symbols as possible, also for few designs."""
    monkeypatch.setattr(evaluate, "FEW", 0)


# -- figures


@pytest.mark.parametrize("few", [0, 10**9], ids=["symbols", "numbers"])
def test_figures_are_those_of_the_arithmetic(plain, monkeypatch, few):
    monkeypatch.setattr(evaluate, "FEW", few)
    found = plain.sweep({"w": [1, 4, 9], "d": "0..3", "N": "2,5"})
    assert found.rows == [
        {"w": w, "d": d, "N": n, "params": params(w, d, 3), "macs": n * macs(w, d, 3)}
        for w in (1, 4, 9)
        for d in (0, 1, 2, 3)
        for n in (2, 5)
    ]


def test_variants_are_an_axis(plain):
    found = plain.sweep({"c": [1, 2]}, variants=["wide", "deep"], columns="params")
    assert [(r["variant"], r["c"], r["params"]) for r in found.rows] == [
        ("wide", 1, params(8, 2, 1)), ("wide", 2, params(8, 2, 2)), ("deep", 1, params(4, 5, 1)), ("deep", 2, params(4, 5, 2)),
    ]  # fmt: skip


def test_published_numbers_of_resnets():
    found = netcalc.load("resnet").sweep(variants=["resnet18", "resnet34", "resnet50"], columns="params")
    assert found.columns["params"].tolist() == [11_689_512, 21_797_672, 25_557_032]


def test_the_activations_of_alexnet_are_its_outputs():
    """LeNet-5 as in LeCun et al.: 6*28*28 and 6*14*14, 16*10*10 and 16*5*5, 120, 84, 10, with the tanhs between."""
    maps = 2 * 6 * 28 * 28 + 6 * 14 * 14 + 2 * 16 * 10 * 10 + 2 * 16 * 5 * 5 + 2 * 120 + 2 * 84 + 10
    found = netcalc.load("lenet5").sweep({"N": [1, 7]}, columns="activations")
    assert found.columns["activations"].tolist() == [maps, 7 * maps]


def test_kinds_lists_words_and_truth_values(plain):
    found = plain.sweep({"Act": "ReLU,GELU,{LeakyReLU: 0.1}", "bias": "true,false"}, columns="params,flops")
    assert [row["params"] for row in found.rows] == [params(4, 2, 3), macs(4, 2, 3)] * 3
    lists = netcalc.load("resnet").sweep({"depths": "[2,2,2,2],[3,4,6,3]"}, columns="params")
    assert [(row["depths"], row["params"]) for row in lists.rows] == [
        ([2, 2, 2, 2], 11_689_512),
        ([3, 4, 6, 3], 21_797_672),
    ]


def test_fractions_are_exact():
    found = netcalc.load("mobilenet_v2").sweep({"width": "0.5..1..0.5"}, columns="params")
    assert [(row["width"], row["params"]) for row in found.rows] == [(0.5, 1_968_680), (1, 3_504_872)]  # torchvision's


def test_never_a_silent_overflow(symbols):
    """2**40 * 2**40 is 0 in int64."""
    net = netcalc.load(
        "netcalc: 1\nargs: {a: 1, b: 1}\ninput: [N, a]\nlayers: [{fc: {Linear: {out_features: b, bias: false}}}]\n"
    )
    found = net.sweep({"a": [3, 2**40], "b": [5, 2**40]}, columns="params,macs", where="params > 100", sort="-params")
    assert [row["params"] for row in found.rows] == [2**80, 5 * 2**40, 3 * 2**40]
    assert [row["macs"] for row in found.rows] == [2**80, 5 * 2**40, 3 * 2**40]


@pytest.mark.parametrize(
    "name", ["gpt2", "vit", "unet", "mlp_mixer", "resnext", "swin", "densenet", "t5", "wide_resnet_cifar"]
)
def test_shipped_networks_equal_each_design_alone(name, symbols):
    net = netcalc.load(name)
    axes = {n: sorted({1, 2, v, max(1, v // 2)}) for n, v in net.graph.args.items() if type(v) is int}
    axes = dict(itertools.islice(axes.items(), 2)) | {n: [16, 32] for n in net.graph.free if n != net.graph.batch}
    _equals_each_alone(net, axes | {net.graph.batch: [1, 3]})


@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(bodies(), st.booleans())
def test_structural_axes_equal_each_design_alone(drawn, few):
    """Lists, kinds of layer, truth values: with ties, references, lines that come and go, gradients that end."""
    text, axes = drawn
    before, evaluate.FEW = evaluate.FEW, 0 if few else 10**9
    try:
        _equals_each_alone(netcalc.load(text), axes)
    finally:
        evaluate.FEW = before


def test_what_other_designs_have_in_common_is_elaborated_once(monkeypatch):
    """81 ResNets in all combinations of three depths for each of four stages: far fewer stretches."""
    net = netcalc.load("resnet")
    depths = [list(one) for one in itertools.product((1, 2, 3), repeat=4)]
    made = []
    walk = stretches.Walk
    monkeypatch.setattr(stretches, "Walk", lambda *given: made.append(given) or walk(*given))
    found = net.sweep({"depths": depths}, columns="params")
    assert found.columns["params"][depths.index([2, 2, 2, 2])] == 11_689_512
    assert len(made) == 11 + 2 * 4  # the lines of the file, and for each stage two more depths


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(specs(), st.booleans())
def test_random_networks_equal_each_design_alone(builder, few):
    before, evaluate.FEW = evaluate.FEW, 0 if few else 10**9
    try:
        net = netcalc.load(builder.text())
        axes = {name: [v, 2 * v, v + 1, 1] for name, v in net.graph.args.items() if type(v) is int}
        axes |= {name: [1, 5, 8] for name in net.graph.free}
        _equals_each_alone(net, dict(list(axes.items())[:3]))
    finally:
        evaluate.FEW = before


COLUMNS = ("params", "trainable", "macs", "flops", "backward_flops", "activations")


def _equals_each_alone(net, axes: dict):
    """By the graph of each design."""
    expected, invalid = [], Counter()
    for combination in itertools.product(*axes.values()):
        alone = net.at(**dict(zip(axes, combination, strict=True)))
        try:
            alone.graph  # noqa: B018
        except SpecError as problem:
            invalid[problem.diagnostics[0].text] += 1
            continue
        expected.append([sum(getattr(row, QUANTITIES[name].row) for row in rows(alone)) for name in COLUMNS])
    if not expected or any(isinstance(figure, Formula) for figures in expected for figure in figures):
        with pytest.raises(NetcalcError):
            net.sweep(axes, columns=COLUMNS)
        return
    found = net.sweep(axes, columns=COLUMNS)
    assert [[row[name] for name in COLUMNS] for row in found.rows] == expected
    assert sum(number for _, number in found.invalid) == invalid.total()
    assert {reason for reason, _ in found.invalid} <= invalid.keys()  # numbers may differ within a reason of an axis
    if all(type(value) is not int for values in axes.values() for value in values):
        assert dict(found.invalid) == dict(invalid)


def test_depths_of_stages_are_symbols():
    net = netcalc.load("resnet")
    axes = {f"depths[{stage}]": range(1, 9) for stage in range(4)}
    asked = evaluate.Evaluator(net, [axis(name, values, net.spec) for name, values in axes.items()], ["params"], 8**4)
    assert asked.structural == []
    found = net.sweep(
        axes, columns="params", where="depths[0] == 3 and depths[1] == 4 and depths[2] == 6 and depths[3] == 3"
    )
    assert [row["params"] for row in found.rows] == [21_797_672]  # ResNet-34


def test_the_first_copy_of_a_free_repeat_passes_no_gradient_on(symbols):
    """d layers of 4 x 4 on N = 1: 16 MACs forward and twice that for the gradients of weights and input, but that the
    first one has no gradient of its input; 4 biases each, counted as often backward as forward."""
    net = netcalc.load("netcalc: 1\nargs: {d: 2}\ninput: [N, 4]\nlayers: [{l: {Linear: 4}, repeat: d}]\n")
    found = net.sweep({"d": "1..4"}, columns="backward_flops")
    assert found.columns["backward_flops"].tolist() == [2 * (2 * 16 * d - 16) + 4 * d for d in range(1, 5)]


# -- invalid designs


@pytest.mark.parametrize("few", [0, 10**9], ids=["symbols", "numbers"])
def test_invalid_designs_are_counted_with_their_reason(monkeypatch, few):
    monkeypatch.setattr(evaluate, "FEW", few)
    found = netcalc.load(GROUPED).sweep({"groups": "1..4", "channels": [9, 12]}, columns="params")
    assert dict(found.invalid) == {
        "in_channels = 9 is not divisible by groups = 2": 1,
        "in_channels = 9 is not divisible by groups = 4": 1,
    }
    assert [(r["groups"], r["channels"]) for r in found.rows] == [(1, 9), (1, 12), (2, 12), (3, 9), (3, 12), (4, 12)]
    assert "2 designs are invalid: in_channels = 9 is not divisible by groups = 2 (1); " in str(found)


def test_many_reasons_that_differ_in_numbers_are_told_as_one():
    found = netcalc.load(GROUPED).sweep({"groups": [1, 5, 7, 9, 10, 11]}, top=1)
    assert "5 designs are invalid: in_channels = 12 is not divisible by groups = 5, and the like (5)" in str(found)


def test_where_nothing_is_valid_the_reason_is_the_error():
    with pytest.raises(
        NetcalcError, match=r"none of the 2 designs is valid: in_channels = 12 is not divisible by groups = 5"
    ):
        netcalc.load(GROUPED).sweep({"groups": [5, 7]})


def test_an_argument_below_what_its_layer_takes_is_invalid(symbols):
    spec = "netcalc: 1\nargs: {k: 5}\ninput: [N, 3]\nlayers: [{Linear: k - 2}]\n"
    found = netcalc.load(spec).sweep({"k": "1..5"}, columns="params")
    assert found.columns["params"].tolist() == [4, 8, 12]
    assert [count for _, count in found.invalid] == [1, 1]


def test_a_size_of_1_that_is_dropped_is_not_a_symbol(symbols):
    """torch's squeeze makes [3] of [1, 3], which no BatchNorm1d takes, and leaves [5, 3] as it is."""
    net = netcalc.load("netcalc: 1\ninput: [N, 3]\nlayers: [Squeeze, BatchNorm1d, {Linear: 2}]\n")
    found = net.sweep({"N": "1,5,8"}, columns="params,macs")
    assert [(row["N"], row["params"], row["macs"]) for row in found.rows] == [(5, 14, 30), (8, 14, 48)]
    assert [number for _, number in found.invalid] == [1]
    assert [str(condition) for condition in net.formula("macs").conditions] == ["N != 1"]


# -- selection


def test_where_sort_and_top(plain):
    found = plain.sweep(
        {"w": "1..50", "d": "0..4"}, where="params < 1k and not d == 3 and macs / w >= 15.5", sort="-params,d", top=7
    )
    rows = [(params(w, d, 3), d, w) for w in range(1, 51) for d in (0, 1, 2, 4)
            if params(w, d, 3) < 1000 and macs(w, d, 3) >= 15.5 * w]  # fmt: skip
    best = sorted(rows, key=lambda row: (-row[0], row[1]))[:7]
    assert [(row["params"], row["d"], row["w"]) for row in found.rows] == best
    assert (found.designs, found.met, len(found)) == (250, len(rows), 7)


def test_where_knows_units_words_and_variants(plain):
    found = plain.sweep(
        {"Act": "ReLU,GELU", "w": [1, 100]}, variants="deep,wide", where="Act == GELU and variant != wide"
    )
    assert [(row["variant"], row["Act"], row["w"]) for row in found.rows] == [
        ("deep", "GELU", 1),
        ("deep", "GELU", 100),
    ]
    assert len(plain.sweep({"w": "1..400"}, where="params <= 1.5k or params > 2KiB")) == len(
        [w for w in range(1, 401) if params(w, 2, 3) <= 1500 or params(w, 2, 3) > 2048]
    )


@pytest.mark.parametrize(("condition", "said"), [
    ("params", "a condition needs a comparison"),
    ("parms < 3", "there is no quantity and no axis `parms`"),
    ("params < ", "it ends too early"),
    ("Act < ReLU", "the values of `Act` have no order"),
    ("Act == Relu", "there is no quantity and no axis `Relu`"),
    ("params / (w - 1) > 3", "division by zero"),
    ("params and w > 1", "`and`, `or` and `not` stand between comparisons"),
    ("max(params, 3) < 5", "only names, numbers"),
])  # fmt: skip
def test_wrong_conditions_are_explained(plain, condition, said):
    with pytest.raises(NetcalcError, match="error: --where") as problem:
        plain.sweep({"w": "1..5", "Act": "ReLU,GELU"}, where=condition)
    assert said in str(problem.value)


def test_the_pareto_front_is_that_of_all_pairs(plain):
    found = plain.sweep({"w": "1..12", "d": "0..8"}, pareto="max:params,macs,d")
    everything = [(-params(w, d, 3), macs(w, d, 3), d) for w in range(1, 13) for d in range(9)]
    best = [
        a for a in everything if not any(all(x <= y for x, y in zip(b, a, strict=True)) and b != a for b in everything)
    ]
    assert sorted((-row["params"], row["macs"], row["d"]) for row in found.rows) == sorted(best)


@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.tuples(*[st.integers(0, 6)] * n), min_size=1, max_size=40)))
def test_front(rows):
    best = [
        i
        for i, a in enumerate(rows)
        if not any(b != a and all(x <= y for x, y in zip(b, a, strict=True)) for b in rows)
    ]
    assert front(numpy.array(rows)).tolist() == best


def test_chunks_change_nothing(plain, monkeypatch):
    options = [
        {},
        {"top": 5, "sort": "-macs"},
        {"pareto": "-w,macs"},
        {"where": "params % 2 == 0", "top": 9},
        {"sample": 60},
    ]
    axes = {"w": "1..30", "bias": "true,false", "d": "1..3"}
    whole = [plain.sweep(axes, **option).to_dict() for option in options]
    monkeypatch.setattr(sweeps, "CHUNK", 7)
    assert [plain.sweep(axes, **option).to_dict() for option in options] == whole


def test_a_sample_is_part_of_the_grid_and_can_be_drawn_again(plain):
    axes = {"w": "1..1000", "c": "1..1000", "Act": "ReLU,GELU"}
    first, again, other = (plain.sweep(axes, sample=500, seed=seed) for seed in (1, 1, 2))
    assert first.rows == again.rows != other.rows
    assert len({(row["w"], row["c"], row["Act"]) for row in first.rows}) == 500
    assert all(row["params"] == params(row["w"], 2, row["c"]) for row in first.rows)
    assert 400 < sum(row["w"] for row in first.rows) / 500 < 600
    assert len(plain.sweep({"w": "1..5"}, sample=100)) == 5


def test_a_million_designs_need_no_million_rows(plain):
    import tracemalloc

    tracemalloc.start()
    found = plain.sweep({"w": "1..1000", "c": "1..1000"}, top=3, sort="-params")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [row["params"] for row in found.rows] == [params(1000, 2, c) for c in (1000, 999, 998)]
    assert peak < 30e6  # a column of a million is 8 MB, and there are several


# -- what is given


@pytest.mark.parametrize(("sets", "options", "said"), [
    ({"v": [1]}, {}, "this spec has no argument `v`"),
    ({"w": "8..2"}, {}, "this range is empty"),
    ({"w": "1..x"}, {}, "a range is FIRST..LAST"),
    ({"w": "1..9..0"}, {}, "the step is 0"),
    ({"w": "1,,2"}, {}, "a value is missing"),
    ({"w": []}, {}, "`w` has no values"),
    ({"w": "1..100000000"}, {}, "an axis has at most 10,000,000"),
    ({"w": "1..10000", "c": "1..10000"}, {}, "these are 100,000,000 designs"),
    ({"w": "1..4"}, {"columns": "parms"}, "did you mean `params`?"),
    ({"w": "1..4"}, {"sort": "size"}, "--sort: there is no quantity `size`"),
    ({"w": "1..4"}, {"pareto": "macs,Act"}, "--pareto: there is no quantity `Act`"),
    ({"Act": "ReLU,GELU"}, {"pareto": "macs,Act"}, "the values of `Act` are not numbers"),
    ({"w": "1..4"}, {"variants": "wider"}, "did you mean `wide`?"),
])  # fmt: skip
def test_wrong_requests_are_explained(plain, sets, options, said):
    with pytest.raises(NetcalcError) as problem:
        plain.sweep(sets, **options)
    assert said in str(problem.value)


def test_a_free_size_that_matters_is_asked_for():
    net = netcalc.load("gpt2")
    with pytest.raises(NetcalcError, match=r"macs depends on T, which has no value\n  help: --set T=\.\.\."):
        net.sweep({"n_layer": [1, 2]})
    assert net.sweep({"n_layer": [12, 24]}, columns="params").columns["params"][0] == 124_439_808  # as published


def test_a_size_of_the_input_that_a_layer_takes_as_features_can_be_a_symbol():
    net = netcalc.load("netcalc: 1\ninput: [N, D]\nlayers: [{fc: {Linear: 3}}]\n")
    asked = evaluate.Evaluator(net, [axis("D", "1..1000", net.spec)], ["params"], 1000)
    assert asked.structural == []
    assert net.sweep({"D": "1..1000"}, columns="params").columns["params"].tolist() == [
        3 * d + 3 for d in range(1, 1001)
    ]


def test_what_a_rule_asks_about_is_elaborated_value_by_value():
    net = netcalc.load("netcalc: 1\nargs: {w: 1, k: 2}\ninput: [N, 5]\nlayers: [{Linear: 'w if w > k else k'}]\n")
    axes = [axis("w", "1..1000", net.spec), axis("k", "2,4", net.spec)]
    assert evaluate.Evaluator(net, axes, ["params"], 2000).structural == ["w", "k"]
    found = net.sweep({"w": "1..1000", "k": "2,4"}, columns="params").columns["params"].tolist()
    assert found == [6 * max(w, k) for w in range(1, 1001) for k in (2, 4)]


def test_python_values(plain):
    by_text = plain.sweep({"w": "2..6..2", "d": "1", "Act": "ReLU,Tanh"})
    by_value = plain.sweep({"w": range(2, 7, 2), "d": 1, "Act": ["ReLU", "Tanh"]})
    by_array = netcalc.sweep(plain, {"w": numpy.array([2, 4, 6]), "d": numpy.int64(1), "Act": ("ReLU", "Tanh")})
    assert by_text.rows == by_value.rows == by_array.rows
    assert [(row["w"], row["Act"]) for row in by_text.rows][:3] == [(2, "ReLU"), (2, "Tanh"), (4, "ReLU")]


def test_the_result_prints_and_is_data(plain):
    found = plain.sweep({"w": [1, 2]})
    assert found.columns["params"].dtype == numpy.int64
    assert json.loads(json.dumps(found.to_dict()))["rows"] == found.rows
    assert str(found).startswith("Plain: 2 designs: w = 1, 2\nFor N = 1.\n")
    assert "<table>" in found._repr_html_()
