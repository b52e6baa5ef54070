"""The timeline as data and as a picture."""

from __future__ import annotations

import csv
import io
import json
import re
import sys

import pytest

from netcalc.arith import symbol
from netcalc.errors import NetcalcError
from netcalc.memory.timeline import KINDS
from netcalc.report.timeline_plot import COLOURS, ORDER, _places, rendered
from tests.memory.simulated import two


def test_csv_is_every_event():
    memory = two(state=40)
    rows = list(csv.DictReader(io.StringIO(rendered(memory, "a.csv").decode())))
    assert len(rows) == len(memory.simulated.trace.events)
    running = 0
    for row in rows:
        running += int(row["bytes"])
        assert int(row["live"]) == running == sum(int(value) for key, value in row.items() if key.startswith("live_"))
    assert max(int(row["live"]) for row in rows) == 3100
    assert [row["phase"] for row in rows[:3]] == ["setup"] * 3 and rows[-1]["phase"] == "optimizer"


def test_json_has_phases_and_the_peak():
    found = json.loads(rendered(two(state=40), "a.json"))
    assert found["peak"]["bytes"] == 3100 and found["peak"]["phase"] == "optimizer"
    assert found["events"][found["peak"]["event"]]["live"] == 3100
    assert [phase["name"] for phase in found["phases"]] == ["setup", *["forward", "backward", "optimizer"] * 2]


@pytest.mark.parametrize("suffix, magic", [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_pictures(suffix, magic):
    pytest.importorskip("matplotlib")
    content = rendered(two(state=40), f"a.{suffix}")
    assert content.startswith(magic) and content == rendered(two(state=40), f"b.{suffix}"), (
        "the same net, the same file"
    )


def test_what_the_picture_says():
    pytest.importorskip("matplotlib")
    comments = re.findall(r"<!-- (.*?) -->", rendered(two(weight=20), "a.svg").decode())
    assert "peak 740 bytes: backward, second" in comments
    assert {"forward", "backward", "optimizer", "first step", "later steps", "saved activations", "at the peak"} <= set(
        comments
    )
    assert any(comment.startswith("Live memory of Two, batch 5, float32, SGD, cpu") for comment in comments)


def test_inference_is_drawn_too():
    pytest.importorskip("matplotlib")
    comments = re.findall(r"<!-- (.*?) -->", rendered(two(trains=False), "a.svg").decode())
    assert "forward" in comments and "first step" not in comments
    assert any("inference" in comment for comment in comments)


def test_every_kind_has_a_place_and_a_colour():
    assert set(ORDER) == set(KINDS) == set(COLOURS) and len(set(COLOURS.values())) == len(COLOURS)


def test_phases_keep_their_order_and_a_width():
    memory = two(state=40)
    phases = memory.timeline.phases
    place = _places(phases)
    places = [place(event) for event in range(len(memory.simulated.trace.events))]
    assert places[0] == 0 and places == sorted(set(places)) and places[-1] < 1 == place(len(places))
    widths = [place(phase.end) - place(phase.start) for phase in phases]
    assert min(widths) > 0.05


@pytest.mark.parametrize("name", ["a.gif", "a", "svg", ".png", "a.svg.txt"])
def test_other_endings(name):
    with pytest.raises(NetcalcError, match="a timeline is written as svg, png, pdf, csv, json"):
        rendered(two(), name)


def test_a_timeline_needs_numbers():
    with pytest.raises(NetcalcError, match="needs numbers"):
        rendered(two(batch=symbol("N"), hidden=3 * symbol("N")), "a.csv")


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(NetcalcError, match=r"pip install 'netcalc-nn\[plot\]'"):
        rendered(two(), "a.svg")
    assert rendered(two(), "a.csv")
