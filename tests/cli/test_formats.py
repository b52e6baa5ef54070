"""Each format says the same numbers and can be read by the tools that it is for."""

from __future__ import annotations

import csv
import io
import json
from html.parser import HTMLParser

import pytest

import netcalc
from tests.golden.printed import Printed, whole

COMMANDS = ("shapes", "params", "flops")
FORMATS = ("table", "markdown", "csv", "json", "latex", "html")


class Cells(HTMLParser):
    """The cells of an HTML table, row by row."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.open = [], []
        self.feed(text)
        assert not self.open, "every tag is closed"

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data.strip()


def markdown_cells(text):
    lines = [line for line in text.split("\n") if line.startswith("|")]
    rows = [[cell.strip().replace("\\*", "*") for cell in line.strip("|").split("|")] for line in lines]
    return [rows[0], *rows[2:]]


def latex_cells(text):
    lines = [line for line in text.split("\n") if line.endswith("\\\\")]
    return [[cell.strip().replace("\\", "") for cell in line.removesuffix("\\\\").split("&")] for line in lines]


@pytest.mark.parametrize("spec", ["alexnet", "gpt2", "resnet18", "unet"])
@pytest.mark.parametrize("command", COMMANDS)
def test_people_read_the_same_cells_in_every_format(run, command, spec):
    table = Printed(run(command, spec).out)
    cells = [table.heads, *table.rows, *([table.sums] if table.sums else [])]
    for format, parsed in (
        ("markdown", markdown_cells),
        ("latex", latex_cells),
        ("html", lambda text: Cells(text).rows),
    ):
        answer = run(command, spec, "--format", format)
        assert answer.code == 0
        assert parsed(answer.out) == cells, format


def test_markdown_keeps_the_totals(run):
    out = run("params", "resnet18", "--format", "markdown").out
    assert out.startswith("ResNet (resnet18): input [N, 3, 224, 224]\n\n| Layer (type)")
    assert "Total params:       11,689,512" in out


def test_csv_of_params(run):
    rows = list(csv.DictReader(io.StringIO(run("params", "alexnet", "--format", "csv").out)))
    assert list(rows[0]) == ["name", "type", "weight", "bias", "params", "buffers", "share"]
    assert sum(int(row["params"]) for row in rows) == 62_378_344
    assert rows[0] | {"share": ""} == {"name": "conv1", "type": "Conv2d", "weight": "34848", "bias": "96",
                                       "params": "34944", "buffers": "0", "share": ""}  # fmt: skip
    assert sum(float(row["share"]) for row in rows) == pytest.approx(1)


def test_csv_of_shapes_and_flops(run):
    rows = list(csv.DictReader(io.StringIO(run("shapes", "unet", "--format", "csv").out)))
    assert rows[0] == {"name": "inc.double_conv.0", "type": "Conv2d", "output": "Nx64x16*Hx16*W"}
    rows = list(csv.DictReader(io.StringIO(run("flops", "mlp", "--format", "csv").out)))
    assert [row["macs"] for row in rows] == ["2000", "0", "20000", "0", "100"]


@pytest.mark.parametrize("spec", ["gpt2", "siamese", "tiny"])
@pytest.mark.parametrize("command", COMMANDS)
def test_csv_has_a_row_per_layer_also_where_rows_differ(run, command, spec):
    """A tied layer says so in JSON; in CSV all rows have the same columns."""
    answer = run(command, spec, "--format", "csv")
    rows = list(csv.reader(io.StringIO(answer.out)))
    assert answer.code == 0 and {len(row) for row in rows} == {len(rows[0])}
    assert len(rows) - 1 == len(netcalc.load(spec).graph.nodes)


# -- JSON: the keys that programs go by


def test_json_of_shapes(run):
    found = json.loads(run("shapes", "unet", "--format", "json").out)
    assert found["model"] == "UNet" and found["variant"] is None
    assert found["inputs"] == {"input": ["N", 3, "16*H", "16*W"]}
    assert found["layers"][0] == {"name": "inc.double_conv.0", "type": "Conv2d", "output": ["N", 64, "16*H", "16*W"]}
    assert found["outputs"] == {"output": ["N", 2, "16*H", "16*W"]}


def test_json_of_several_inputs_and_outputs(run):
    found = json.loads(run("shapes", "two_input", "--format", "json", "--batch", "4").out)
    assert found["inputs"] == {"photo": [4, 3, 64, 64], "facts": [4, 12]}
    assert found["outputs"] == {"price": [4, 1], "category": [4, 5]}


def test_json_of_params(run):
    found = json.loads(run("params", "resnet50", "--format", "json").out)
    assert (found["model"], found["variant"]) == ("ResNet", "resnet50")
    assert found["total"] == {"params": 25_557_032, "trainable": 25_557_032, "frozen": 0, "buffers": 53_173,
                              "bytes": 4 * 25_557_032}  # fmt: skip
    first = found["layers"][0]
    assert first == {"name": "conv1", "type": "Conv2d", "weight": 9_408, "bias": 0, "params": 9_408, "buffers": 0,
                     "share": pytest.approx(9_408 / 25_557_032)}  # fmt: skip
    assert sum(layer["params"] for layer in found["layers"]) == 25_557_032
    assert sum(layer["buffers"] for layer in found["layers"]) == 53_173


def test_json_of_flops(run):
    found = json.loads(run("flops", "resnet50", "--format", "json").out)
    assert {"model", "variant", "layers", "total"} <= set(found)
    assert set(found["total"]) == {"macs", "flops", "backward_flops"}
    assert found["total"]["macs"] == 4_089_184_256
    assert set(found["layers"][0]) == {"name", "type", "macs", "flops", "backward_flops"}
    for key in found["total"]:
        assert sum(layer[key] for layer in found["layers"]) == found["total"][key]


def test_json_counts_a_layer_used_twice_once_in_params_and_twice_in_flops(run):
    params = json.loads(run("params", "siamese", "--format", "json").out)["layers"]
    flops = json.loads(run("flops", "siamese", "--format", "json").out)["layers"]
    twice = [row["params"] for row in params if row["name"] == "encoder.12"]
    assert twice == [9216 * 4096 + 4096, 0]
    assert [row["macs"] for row in flops if row["name"] == "encoder.12"] == [9216 * 4096] * 2


def test_json_of_free_sizes_is_text(run):
    found = json.loads(run("params", "gpt2", "--free", "n_layer", "--format", "json").out)
    assert found["total"]["params"] == "7087872*n_layer + 39385344"
    assert all(layer["share"] is None for layer in found["layers"])


def test_json_says_what_is_tied(run):
    layers = json.loads(run("params", "gpt2", "--format", "json").out)["layers"]
    assert layers[-1]["tied"] == {"weight": "transformer.wte.weight"} and layers[-1]["params"] == 0


def test_depth_and_expand_leave_json_alone(run):
    assert (
        run("params", "resnet50", "--format", "json", "--depth", "1").out
        == run("params", "resnet50", "--format", "json").out
    )


def test_the_table_is_for_people(run):
    out = run("params", "alexnet").out
    for text in (
        "Layer (type)",
        "Output Shape",
        "Param #",
        "34,944",
        " -- ",
        "Total params:       62,378,344  (237.95 MiB)",
    ):
        assert text in out
    assert whole(Printed(out).total("Param #")) == 62_378_344
    assert "\x1b" not in out


def test_csv_names_what_is_tied(run):
    rows = list(csv.DictReader(io.StringIO(run("params", "gpt2", "--format", "csv").out)))
    assert [row["tied"] for row in rows if row["tied"]] == ["weight=transformer.wte.weight"]
