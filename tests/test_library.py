"""What a library user holds: `load`, `Net`, and results."""

from __future__ import annotations

import builtins
import json
from pathlib import Path

import pytest

import netcalc
from netcalc import catalog

TEXT = """\
netcalc: 1
name: Small
args: {width: 4, out: 50, Act: ReLU}
variants: {wide: {args: {width: 8}}, slim: {args: {width: 2}}}
input: [N, 10]
layers:
  - a: {Linear: width}
  - Act
  - b: {Linear: out}
"""


def small(width: int, out: int = 50) -> int:
    return (10 + 1) * width + (width + 1) * out


def count(net) -> int:
    return net.params().totals["params"]


# -- load


def test_load_text():
    assert count(netcalc.load(TEXT)) == small(4)


def test_load_a_path(tmp_path, monkeypatch):
    path = tmp_path / "net.yaml"
    path.write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    assert count(netcalc.load(path)) == count(netcalc.load(str(path))) == count(netcalc.load("net.yaml")) == small(4)


@pytest.mark.parametrize("name, params", [("alexnet", 62_378_344), ("resnet50", 25_557_032), ("resnet", 11_689_512),
                                          ("vgg16-bn", 138_365_992)])  # fmt: skip
def test_load_a_shipped_name(name, params):
    assert count(netcalc.load(name)) == params


def test_a_variant_by_name_is_that_variant():
    net = netcalc.load("resnet50")
    assert net.variant_name == "resnet50" and net.variants == [
        "resnet18",
        "resnet34",
        "resnet50",
        "resnet101",
        "resnet152",
    ]
    assert repr(net) == "<Net ResNet (resnet50)>"


def test_a_file_wins_over_a_shipped_name(tmp_path, monkeypatch):
    (tmp_path / "alexnet").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    assert count(netcalc.load("alexnet")) == small(4)


@pytest.mark.parametrize(
    "source, says",
    [("alexnett", "did you mean alexnet?"), ("none.yaml", "there is no such file"), ("a/b", "there is no such file")],
)
def test_what_cannot_be_loaded(source, says):
    with pytest.raises(netcalc.NetcalcError, match=says.replace("?", "[?]")):
        netcalc.load(source)


def test_a_wrong_spec_raises_with_places():
    net_text = TEXT.replace("Linear: width", "Lineer: width")
    with pytest.raises(netcalc.SpecError) as error:
        netcalc.load(net_text).params()
    [diagnostic] = error.value.diagnostics
    assert (diagnostic.code, diagnostic.where.line, diagnostic.where.column) == ("E220", 7, 9)
    assert isinstance(error.value, netcalc.NetcalcError)


def test_every_name_of_the_catalog_loads():
    assert all(netcalc.load(name).spec.name for name in catalog.everything())


@pytest.mark.parametrize("name", ["", "..", "../specs/alexnet", "alexnet.yaml.yaml", "%s", "a b"])
def test_catalog_finds_nothing_outside(name):
    assert catalog.find(name) is None


# -- at, free, variant


def test_at_binds_arguments_and_dimensions():
    net = netcalc.load(TEXT)
    assert count(net.at(width=7)) == count(net.at(width="7")) == count(net.at(width="14 // 2")) == small(7)
    assert count(net.at(out=7)) == small(4, 7)
    assert net.at(N=3).shapes().rows[0]["output"] == [3, 4]
    assert net.at(Act="GELU").shapes().rows[1]["type"] == "GELU"
    assert count(netcalc.load("resnet").at(Block="Bottleneck", depths=[3, 4, 23, 3])) == 44_549_160


def test_fractions_are_exact():
    """The language promises that 64 * 0.25 is 16; a Python float is taken as it is printed."""
    net = netcalc.load("netcalc: 1\nargs: {ratio: 0.25}\ninput: [N, 2]\nlayers:\n  - Linear: 64 * ratio\n")
    assert [count(net.at(ratio=ratio)) for ratio in (0.25, 0.5, "0.125")] == [16 * 3, 32 * 3, 8 * 3]
    with pytest.raises(netcalc.SpecError, match=r"19\.2, which is not a whole number"):
        net.at(ratio=0.3).params()


def test_a_net_is_never_changed():
    net = netcalc.load(TEXT)
    net.at(width=7), net.variant("wide"), net.free("width")
    assert count(net) == small(4) and net.changed == []
    assert net.at(width=7).at(N=3).changed == ["width"]


def test_the_last_value_given_holds():
    assert count(netcalc.load(TEXT).at(width=7).at(width=9)) == small(9)


def test_variant():
    net = netcalc.load(TEXT)
    assert [count(net.variant(name)) for name in net.variants] == [small(8), small(2)]
    assert count(net.variant("wide").at(width=3)) == small(3)
    with pytest.raises(netcalc.SpecError, match="did you mean `wide`"):
        net.variant("wyde").params()


def test_free():
    net = netcalc.load(TEXT).free("width")
    assert str(net.params().sum.params) == "61*width + 50" == net.params().totals["params"]
    assert net.params().sum.params.at({"width": 4}) == small(4)
    assert str(netcalc.load("gpt2").free("n_layer").params().sum.params) == "7087872*n_layer + 39385344"


@pytest.mark.parametrize("wrong", [{"widht": 3}, {"M": 3}, {"width": 1.5}, {"width": "no such"}])
def test_wrong_values_are_refused(wrong):
    with pytest.raises(netcalc.SpecError):
        netcalc.load(TEXT).at(**wrong).params()


def test_flops_of_a_batch():
    net = netcalc.load("alexnet")
    one, four = net.flops().totals, net.flops(batch=4).totals
    assert four["macs"] == 4 * one["macs"]
    assert net.at(N=4).flops().totals["macs"] == four["macs"]


def test_check():
    net = netcalc.load("mlp")
    assert net.check() == []
    [problem] = netcalc.load(TEXT + "expect: {params: 1}\n").check()
    assert problem.code == "E503"
    assert netcalc.load(TEXT + "expect: {params: 1}\n").at(width=5).check() == []


# -- results


def test_a_result_prints_as_its_table():
    net = netcalc.load("alexnet")
    for result in (net.params(), net.shapes(), net.flops()):
        assert str(result) == result.format("table") and str(result).startswith("AlexNet: input [N, 3, 224, 224]\n")


def test_rows_totals_and_to_dict():
    params = netcalc.load("alexnet").params()
    assert len(params.rows) == 21 and params.rows[0]["params"] == 34_944
    assert params.totals["params"] == 62_378_344 == sum(row["params"] for row in params.rows)
    assert params.to_dict() == json.loads(params.format("json"))
    assert params.to_dict()["layers"] == params.rows and params.to_dict()["total"] == params.totals


def test_an_unknown_format_is_refused():
    with pytest.raises((KeyError, ValueError)):
        netcalc.load("mlp").params().format("xml")


def test_notebooks_get_html():
    html = netcalc.load("alexnet").params()._repr_html_()
    assert html.startswith("<table>") and html.endswith("</table>") and "34,944" in html


def test_to_pandas_without_pandas(monkeypatch):
    real = builtins.__import__

    def missing(name, *arguments, **options):
        if name == "pandas":
            raise ImportError("No module named 'pandas'", name="pandas")
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match="pandas"):
        netcalc.load("mlp").params().to_pandas()


def test_to_pandas():
    pandas = pytest.importorskip("pandas")
    frame = netcalc.load("mlp").params().to_pandas()
    assert isinstance(frame, pandas.DataFrame) and frame["params"].sum() == 22_100


def test_state_dict():
    assert list(netcalc.load(TEXT).state_dict().items()) == [
        ("a.weight", (4, 10)), ("a.bias", (4,)), ("b.weight", (50, 4)), ("b.bias", (50,)),
    ]  # fmt: skip


def test_state_dict_of_a_tied_weight_names_it_twice():
    shapes = netcalc.load("gpt2").state_dict()
    assert shapes["lm_head.weight"] == shapes["transformer.wte.weight"] == (50257, 768)


def test_state_dict_order_is_that_of_torch():
    """A module's own parameters, its own buffers, then its children in the order of the list."""
    text = ("netcalc: 1\ninput: [N, 4]\nlayers:\n  - norm: BatchNorm1d\n  - scale: {Parameter: {shape: [4], init: 1}}\n"
            "  - Mul: [norm, scale]\n  - shift: {Buffer: {shape: [4], init: 0}}\n  - Add: [prev, shift]\n")  # fmt: skip
    expected = [
        "scale",
        "shift",
        *(f"norm.{name}" for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")),
    ]
    text = text.replace("  - Mul: [norm, scale]", "  - scaled: {Mul: [norm, scale]}").replace(
        "[prev, shift]", "[scaled, shift]"
    )
    assert list(netcalc.load(text).state_dict()) == expected


def test_frozen_parameters_and_bytes():
    text = TEXT.replace("- a: {Linear: width}", "- a: {Linear: width}\n    freeze: true")
    totals = netcalc.load(text).params().totals
    assert totals == {"params": small(4), "trainable": 5 * 50, "frozen": 44, "buffers": 0, "bytes": 4 * small(4)}


def test_buffers_have_bytes_of_their_dtype():
    """BatchNorm over 6 channels: 12 float32 and one int64."""
    params = netcalc.load("netcalc: 1\ninput: [N, 6]\nlayers: [BatchNorm1d]\n").params()
    assert (params.sum.buffers, params.sum.buffer_bytes) == (13, 12 * 4 + 8)


def test_specs_are_beside_the_package():
    assert Path(catalog.folder(), "alexnet.yaml").is_file()


def test_an_argument_may_have_any_name():
    net = netcalc.load("netcalc: 1\nargs: {self: 4, name: 1}\ninput: [N, 10]\nlayers: [{Linear: self + name}]\n")
    assert net.at(self=6, name=2).params().totals["params"] == 88


def test_the_source_of_a_layer_of_ones_own_is_not_guessed():
    """torch has no nn.Doubled: what a class does not say is not written."""
    from netcalc.layers import REGISTRY
    from netcalc.layers.base import Layer, layer

    text = "netcalc: 1\ninput: [N, 4]\nlayers: [{twice: Doubled}]\n"
    try:

        @layer("... -> ...")
        class Doubled(Layer):
            pass

        for asked in (netcalc.load(text).export_torch, netcalc.load(text).verify):
            with pytest.raises(netcalc.NetcalcError, match=r"what Doubled is in PyTorch is not known \(layer twice\)"):
                asked()
        Doubled.torch, Doubled.call = lambda self, x: None, lambda self, names, x: f"2 * {names[0]}"
        assert "x = 2 * x" in netcalc.load(text).export_torch()
        assert netcalc.load(text).verify().ok
    finally:
        REGISTRY.pop("Doubled", None)
