"""`netcalc sweep` and `netcalc diff` as typed."""

from __future__ import annotations

import csv
import io
import json
import re
import sys

import pytest

LINEAR = b"""\
netcalc: 1
name: Linear
args: {w: 4, d: 1}
input: [N, 10]
layers:
  - a: {Linear: w}
  - b: {Linear: w}
    repeat: d
  - ReLU
  - c: {Linear: 3}
"""  # 10*w + w + d*(w*w + w) + 3*w + 3 parameters


def params(w, d=1):
    return 11 * w + d * (w * w + w) + 3 * w + 3


@pytest.fixture
def linear(tmp_path):
    path = tmp_path / "linear.yaml"
    path.write_bytes(LINEAR)
    return path


def test_table(run, linear):
    answer = run(
        "sweep", "linear.yaml", "--set", "w=1,2", "d=0..4..2", "--where", "params < 50 or w > 1",
        "--sort", "macs", "--top", "3",
    )  # fmt: skip
    rows = [(macs, w, d, params(w, d)) for w in (1, 2) for d in (0, 2, 4)
            if params(w, d) < 50 or w > 1 for macs in [13 * w + d * w * w]]  # fmt: skip
    shown = [tuple(map(int, line.split())) for line in answer.out.split("\n") if re.match(r"^\d+  \d", line)]
    assert shown == [(w, d, p, macs) for macs, w, d, p in sorted(rows)[:3]]
    assert answer.out.startswith("Linear: 6 designs: w = 1,2; d = 0..4..2\nFor N = 1.\n")
    assert f"3 of 6 designs. {len(rows)} meet params < 50 or w > 1. The first by least macs" in answer.out
    assert (answer.code, answer.err) == (0, "")


def test_formats_say_the_same(run, linear):
    command = ("sweep", "linear.yaml", "--set", "w=1..3", "--columns", "params,trainable")
    rows = json.loads(run(*command, "--format", "json").out)["rows"]
    assert rows == [{"w": w, "params": params(w), "trainable": params(w)} for w in (1, 2, 3)]
    read = list(csv.DictReader(io.StringIO(run(*command, "--format", "csv").out)))
    assert [{name: int(value) for name, value in row.items()} for row in read] == rows
    for format in ("markdown", "latex", "html", "table"):
        out = run(*command, "--format", format).out
        assert all(str(row["params"]) in out for row in rows)


def test_json_names_what_is_invalid(run, linear):
    found = json.loads(run("sweep", "linear.yaml", "--set", "w=0..2", "--format", "json").out)
    assert found["designs"] == {"tried": 3, "valid": 2, "met": 2, "shown": 2}
    assert found["invalid"] == [{"reason": "out_features of Linear is 0, but must be at least 1", "designs": 1}]


def test_output_goes_to_a_file(run, linear, tmp_path):
    answer = run("sweep", "linear.yaml", "--set", "w=1..3", "--format", "csv", "-o", "out.csv")
    assert (answer.out, answer.err, answer.code) == ("", "note: wrote out.csv\n", 0)
    assert (tmp_path / "out.csv").read_text().split("\n")[1] == f"1,{params(1)},14"


@pytest.mark.parametrize(("arguments", "said"), [
    (("--set", "v=1"), "--set v: this spec has no argument `v`"),
    (("--set", "w=3..1"), "this range is empty"),
    (("--set", "w=1..3", "--where", "size < 3"), "there is no quantity and no axis `size`"),
    (("--set", "w=1..3", "--columns", "memory"), "there is no quantity `memory`"),
    (("--set", "w=1..3", "--plot", "a.gif"), "must end in .svg, .png or .pdf"),
    (("--set", "w=0,-1"), "none of the 2 designs is valid"),
    (("--set", "w=1..3", "--plot", "no/such/folder/a.svg"), "cannot write no/such/folder/a.svg"),
])  # fmt: skip
def test_mistakes_are_answered_in_one_message(run, linear, arguments, said):
    answer = run("sweep", "linear.yaml", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err and "Traceback" not in answer.err


def test_nothing_left_is_said(run, linear):
    answer = run("sweep", "linear.yaml", "--set", "w=1..3", "--where", "params > 1G")
    assert answer.code == 0 and "No design is left." in answer.out
    assert (
        run("sweep", "linear.yaml", "--set", "w=1..3", "--where", "params > 1G", "--format", "csv").out
        == "w,params,macs\n"
    )


def test_a_single_design_is_a_row(run, linear):
    answer = run("sweep", "linear.yaml", "--set", "w=2")
    assert answer.out.split("\n")[:2] == ["Linear: 1 design", "For w = 2, N = 1."]
    assert f"{params(2)}" in answer.out


# -- the plot


@pytest.mark.parametrize("ending", ["svg", "png", "pdf"])
def test_plot(run, linear, tmp_path, ending):
    answer = run("sweep", "linear.yaml", "--set", "w=1..40", "d=0..4", "--pareto", "-w,macs", "--plot", f"a.{ending}")
    assert answer.code == 0 and answer.err == f"note: wrote a.{ending}\n"
    start = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[ending]
    assert (tmp_path / f"a.{ending}").read_bytes().startswith(start)


def test_the_plot_says_what_it_shows_and_can_be_made_again(run, linear, tmp_path):
    command = ("sweep", "linear.yaml", "--set", "w=1..40", "d=0..4", "--plot")
    run(*command, "a.svg")
    run(*command, "b.svg")
    text = (tmp_path / "a.svg").read_text()
    assert all(f">{words}<" in text for words in ("Linear: 200 designs", "Parameters", "MACs", "d = 0", "d = 4"))
    assert text == (tmp_path / "b.svg").read_text()


def test_without_matplotlib_it_says_how_to_install_it(run, linear, monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    answer = run("sweep", "linear.yaml", "--set", "w=1..3", "--plot", "a.svg")
    assert answer.code == 2 and "help: pip install 'netcalc-nn[plot]'" in answer.err


def test_progress_is_for_terminals(run, linear, monkeypatch):
    import time

    from netcalc.designs import main

    monkeypatch.setattr(main, "CHUNK", 2)
    clock = iter(range(1000))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    command = ("sweep", "linear.yaml", "--set", "w=1..6")
    assert run(*command).err == ""
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda self: True, raising=False)
    assert "\r4 of 6 designs (66 %)" in run(*command).err


# -- diff


def test_equal_networks_have_no_difference(run, linear):
    answer = run("diff", "linear.yaml", "linear.yaml", "--exit-code")
    assert answer.code == 0
    assert "... 4 layers unchanged" in answer.out and "No difference." in answer.out


def test_changed_layers_stand_beside_each_other(run, linear):
    answer = run("diff", "linear.yaml", "linear.yaml", "--set-b", "w=8", "--exit-code")
    assert answer.code == 1
    row = next(line.split() for line in answer.out.split("\n") if line.startswith("~  a (Linear)"))
    assert row == ["~", "a", "(Linear)", "[1,", "4]", "->", "[1,", "8]", "44", "88", "40", "80"]
    assert (
        f"Parameters:  {params(4)} -> {params(8)}  (+{params(8) - params(4)}, +{100 * (params(8) / params(4) - 1):.1f} %)"
        in answer.out
    )


def test_resnets_differ_by_whole_blocks(run):
    """17 more bottlenecks in the third stage, as in He et al.; counts are torchvision's."""
    answer = run("diff", "resnet50", "resnet101")
    assert answer.code == 0
    lines = [line for line in answer.out.split("\n") if line.startswith("+")]
    assert len(lines) == 1 and lines[0].startswith("+  layer3.6-22 (Bottleneck) x17")
    assert "25,557,032 ->     44,549,160  (+18,992,128, +74.3 %)" in answer.out


def test_removed_added_and_renamed(run, tmp_path, linear):
    changed = LINEAR.replace(b"- ReLU", b"- Tanh").replace(b"- c:", b"- head:").replace(b"repeat: d", b"repeat: 0")
    (tmp_path / "changed.yaml").write_bytes(changed)
    layers = json.loads(run("diff", "linear.yaml", "changed.yaml", "--format", "json").out)["layers"]
    found = {(layer["status"], layer["name"], layer.get("name_before")) for layer in layers}
    assert found == {
        ("equal", "a", None), ("removed", "b.0", None), ("changed", "2", None), ("renamed", "head", "c"),
    }  # fmt: skip
    assert [layer["type"] for layer in layers if layer["name"] == "2"] == [["ReLU", "Tanh"]]


def test_json_of_a_difference(run, linear):
    found = json.loads(run("diff", "linear.yaml", "linear.yaml", "--set-b", "d=3", "--format", "json").out)
    assert found["total"]["params"] == {"before": params(4), "after": params(4, 3), "difference": 40}
    assert [(layer["name"], layer["params"]) for layer in found["layers"] if layer["status"] == "added"] == [
        ("b.1", [None, 20]), ("b.2", [None, 20]),
    ]  # fmt: skip


def test_diff_formats(run, linear):
    command = ("diff", "linear.yaml", "linear.yaml", "--set-b", "w=8")
    rows = list(csv.DictReader(io.StringIO(run(*command, "--format", "csv").out)))
    assert next((row["name"], row["params_before"], row["params_after"]) for row in rows) == ("a", "44", "88")
    for format in ("markdown", "latex", "html"):
        assert "88" in run(*command, "--format", format).out


def test_a_wrong_side_is_one_message(run, linear):
    answer = run("diff", "linear.yaml", "linear.yaml", "--set-b", "v=8")
    assert (answer.code, answer.out) == (2, "") and "this spec has no argument `v`" in answer.err
    answer = run("diff", "linear.yaml", "linearr")
    assert answer.code == 2 and "no file and no shipped spec" in answer.err
    answer = run("diff", "-", "-")
    assert answer.code == 2 and "only one of the two" in answer.err
