"""Printed tables: as recorded, and with columns that add up to their totals, however they are folded.

After a wanted change, `python -m tests.golden.printed` writes the files again.
"""

from __future__ import annotations

import pytest

import netcalc
from tests.golden.printed import FOLDER, GOLDEN, Printed, printed, whole
from tests.shipped import ALL, IDS, net_of

VIEWS = [{}, {"expand": True}, {"depth": 1}, {"depth": 2}, {"depth": 2, "expand": True}, {"depth": 3}]


@pytest.mark.parametrize("name", GOLDEN)
def test_as_recorded(name):
    assert printed(name) == (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


def test_no_file_is_forgotten():
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(GOLDEN)


def sized(net):
    """With numbers for all free dimensions but the batch, so that columns can be added."""
    free = {name for name in net.graph.free if name != net.graph.batch}
    return net.at(**dict.fromkeys(free, 3)) if free else net


@pytest.mark.parametrize("name, variant", ALL, ids=IDS)
def test_columns_add_up(name, variant):
    net = sized(net_of(name, variant))
    params, flops = net.params(), net.flops()
    totals = params.totals
    for view in VIEWS:
        table = Printed(params.format(**view))
        for head in ("Weight", "Bias", "Param #"):
            assert sum(map(whole, table.column(head))) == whole(table.total(head)), (view, head)
        assert whole(table.total("Param #")) == totals["params"], view
        assert whole(table.total("Weight")) + whole(table.total("Bias")) == totals["params"], view
        table = Printed(flops.format(**view))
        for head, key in (("MACs", "macs"), ("FLOPs", "flops"), ("Backward FLOPs", "backward_flops")):
            assert sum(map(whole, table.column(head))) == whole(table.total(head)) == flops.totals[key], (view, head)


@pytest.mark.parametrize("name, variant", ALL, ids=IDS)
def test_shares_are_of_the_model(name, variant):
    table = Printed(net_of(name, variant).params().format(expand=True))
    model = whole(table.total("Param #"))
    for params, share in zip(table.column("Param #"), table.column("Share"), strict=True):
        expected = f"{100 * whole(params) / model:.1f} %" if whole(params) else "--"
        assert share == expected


@pytest.mark.parametrize("name, variant", ALL, ids=IDS)
def test_an_expanded_table_has_a_line_for_every_layer(name, variant):
    net = net_of(name, variant)
    rows = net.shapes().rows
    table = Printed(net.shapes().format(expand=True))
    assert table.column("Layer (type)") == [f"{row['name']} ({row['type']})" for row in rows]
    assert table.column("Output Shape") == [f"[{', '.join(map(str, row['output']))}]" for row in rows]


@pytest.mark.parametrize("name", ["alexnet", "resnet152", "vgg16_bn", "gpt2", "densenet201", "vit_b_16", "llama3_8b"])
def test_nothing_is_wider_than_the_screen(name):
    net = net_of(name, None)
    for result in (net.params(), net.shapes()):
        assert max(map(len, result.format(width=80).split("\n"))) <= 80


# -- folding what is not quite equal


def spec(layers: str, shape: str = "[N, 1, 9, 9]"):
    return netcalc.load(f"netcalc: 1\ninput: {shape}\nlayers:\n{layers}")


def agree(net, view):
    flops = net.flops()
    table = Printed(flops.format(**view))
    for head, key in (("MACs", "macs"), ("FLOPs", "flops"), ("Backward FLOPs", "backward_flops")):
        assert sum(map(whole, table.column(head))) == flops.totals[key]
    return table


def test_the_first_copy_needs_no_gradient_of_its_input():
    """Backward 100 + 2*200 MACs and 10 operations of each bias, on one line."""
    table = agree(spec("  - layer: {Linear: 10}\n    repeat: 3\n", "[N, 10]"), {})
    assert table.column("Layer (type)") == ["layer.0-2 (Linear) x3"]
    assert table.column("Backward FLOPs") == [f"{2 * (100 + 200 + 200) + 3 * 10:,}"]


def test_copies_of_different_work_are_not_equal():
    table = agree(spec("  - pool: {MaxPool2d: {kernel_size: 2 * i + 1, stride: 1, padding: i}}\n    repeat: 3\n"), {})
    assert len(table.rows) == 3


def test_folds_within_folds():
    layers = "  - outer:\n      - inner: {Linear: 10}\n        repeat: 2\n      - ReLU\n    repeat: 3\n"
    net = spec(layers, "[N, 10]")
    table = Printed(net.params().format())
    assert table.column("Layer (type)") == ["outer.0-2.inner.0-1 (Linear) x6", "outer.0-2.1 (ReLU) x3"]
    assert table.column("Param #") == ["660", "--"]
    assert Printed(net.params().format(depth=1)).column("Layer (type)") == ["outer (3 x Sequential)"]
    assert Printed(net.params().format(depth=2)).column("Layer (type)") == ["outer.0-2 (Sequential) x3"]
    assert Printed(net.params().format(depth=3)).column("Layer (type)")[0] == "outer.0-2.inner (2 x Linear) x3"


def test_marks_of_a_free_repeat():
    net = netcalc.load("gpt2").free("n_layer")
    table = Printed(net.params().format(depth=2))
    assert "transformer.h (n_layer x Block)" in table.column("Layer (type)")
    table = Printed(net.params().format())
    assert "transformer.h.i.ln_1 (LayerNorm) x n_layer" in table.column("Layer (type)")


def test_tied_and_shared_are_named():
    table = Printed((FOLDER / "params_gpt2.txt").read_text(encoding="utf-8"))
    assert table.column("Param #")[-1] == "(tied)"
    table = Printed((FOLDER / "params_siamese.txt").read_text(encoding="utf-8"))
    assert table.column("Param #").count("(shared)") == 5


# -- narrow screens


def test_columns_are_dropped_in_turn_and_named():
    result = netcalc.load("alexnet").params()
    for width, dropped in (
        (None, []),
        (76, []),
        (75, ["Bias"]),
        (67, ["Weight", "Bias"]),
        (55, ["Output Shape", "Weight", "Bias"]),
    ):
        text = result.format(width=width)
        heads = Printed(text).heads
        assert [head for head in ("Output Shape", "Weight", "Bias") if head not in heads] == dropped, width
        assert " ".join(text.split()).endswith(f"Left out, for a wider screen: {', '.join(dropped)}") == bool(dropped)
        assert width is None or max(map(len, text.split("\n"))) <= width


def test_long_names_are_cut_at_a_dot():
    text = netcalc.load("vit_b_16").shapes().format(width=80)
    names = Printed(text).column("Layer (type)")
    assert "...encoder_layer_0-11.self_attention (MultiheadAttention) x12" in names
    assert "encoder.layers.encoder_layer_0-11.ln_1 (LayerNorm) x12" in names
