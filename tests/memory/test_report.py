"""The result of the memory command: figures by arithmetic on paper, keys, tables that people can read."""

from __future__ import annotations

import csv
import io
import json

import pytest

import netcalc
from netcalc.arith import symbol
from tests.memory.simulated import blocks, two
from tests.memory.traces import step

KEYS = {"model", "variant", "batch", "dtype", "optimizer", "device", "bytes", "peak", "course", "layers"}
BYTES = {"parameters", "buffers", "gradients", "optimizer", "saved_activations", "forward_peak", "inference_peak",
         "backward_peak", "step_peak", "first_step_peak"}  # fmt: skip


def test_figures():
    found = two(state=40).bytes
    # as in test_timeline: 1,010 stay; the second step has the state and the first step's gradients when it begins
    assert found == {
        "parameters": 1000, "buffers": 0, "gradients": 1000, "optimizer": 40, "saved_activations": 307,
        "forward_peak": 1010 + 40 + 1000 + 50, "inference_peak": 1350, "loss_peak": None,
        "backward_peak": 1010 + 40 + 50 + 300 + 1000, "optimizer_peak": 1010 + 40 + 50 + 1000 + 1000,
        "step_peak": 3100, "first_step_peak": 3100,
    }  # fmt: skip


def test_the_keys_of_json():
    found = json.loads(two().format("json"))
    assert set(found) >= KEYS and set(found["bytes"]) >= BYTES
    assert set(found["peak"]) >= {"bytes", "phase", "layer", "event", "live"}
    assert set(found["course"]) == {"parameters", "activations_per_sample", "forward", "forward_backward"}
    assert set(found["layers"][0]) >= {"name", "type", "output_bytes", "saved_bytes", "saved"}
    assert found["layers"][1] == {
        "name": "second", "type": "Linear", "output_bytes": 50, "saved_bytes": 307,
        "saved": [{"what": "input", "bytes": 300, "shared_with": None}, {"what": "mask", "bytes": 7, "shared_with": None}],
    }  # fmt: skip
    assert found["layers"][0]["saved"] == [{"what": "input", "bytes": 10, "shared_with": "input"}]
    assert found["layers"][0]["saved_bytes"] == 0


def test_the_peak_and_what_is_alive_then():
    peak = two(weight=20).peak
    assert (peak.bytes, peak.phase, peak.step, peak.layer, peak.event) == (
        740,
        "backward",
        1,
        "second",
        "grad of weight",
    )
    assert sum(peak.live.values()) == 740
    dumped = two(weight=20).to_dict()["peak"]
    assert dumped["bytes"] == 740 and dumped["live"]["saved"] == 300


def test_the_course():
    assert two().to_dict()["course"] == {
        "parameters": 1000, "activations_per_sample": 70, "forward": 1000 + 5 * 70, "forward_backward": 2000 + 5 * 70,
    }  # fmt: skip
    text = str(two())
    assert "The course's estimate" in text and "M + B*m = 1.32 KiB; with backward 2*M + B*m = 2.29 KiB" in text


def test_each_call_of_a_layer_has_what_it_saves():
    """An activation that is used three times keeps each of its results, of 2 samples of 7, 5 and 3 features in float32."""
    net = netcalc.load(
        "netcalc: 1\nname: Again\ninput: [N, 4]\nlayers:\n"
        "  - a: {Linear: 7}\n  - act: ReLU\n  - b: {Linear: 5}\n  - Reuse: act\n  - c: {Linear: 3}\n  - Reuse: act\n"
    )
    layers = net.memory(2).to_dict()["layers"]
    assert [row["saved_bytes"] for row in layers if row["name"] == "act"] == [2 * 7 * 4, 2 * 5 * 4, 2 * 3 * 4]
    linear = [row["saved_bytes"] for row in layers if row["type"] == "Linear"]
    assert linear == [2 * 4 * 4, 0, 0]  # the batch; the results of the activation, which are counted there


def test_inference_only():
    found = two(trains=False)
    assert found.peak.bytes == found.bytes["inference_peak"] == 1350
    assert found.peak.phase == "inference" and found.bytes["step_peak"] is None and found.bytes["gradients"] is None
    dumped = found.to_dict()
    assert dumped["optimizer"] is None and dumped["bytes"]["saved_activations"] is None
    text = str(found)
    assert "Inference: float32" in text and "Saved" not in text and "SGD" not in text
    assert "training" not in text and "course" in text


def test_one_step_only():
    found = two(steps=1)
    assert found.bytes["step_peak"] == found.bytes["first_step_peak"] == 3060
    assert "First step" not in str(found)


def test_the_allocator_on_cuda_only():
    assert two().allocated is None and two().to_dict()["allocator"] is None
    usage = two("h200", weight=100_000).allocated
    assert usage.requested == two("h200", weight=100_000).peak.bytes < usage.allocated <= usage.reserved
    assert "PyTorch will show: allocated" in str(two("h200")) and "PyTorch will show" not in str(two())


def test_what_is_unknown_is_said():
    found = two("h200", unknown=("conv_workspace", "cublaslt_workspace"))
    text = str(found)
    assert "Not in these numbers: conv workspace (no bound known): cuDNN's heuristics" in text
    assert "Not in these numbers: cublaslt workspace (at most 1.00 MiB)" in text
    first, second = found.to_dict()["unknown"]
    assert (first["what"], first["low"], first["high"]) == ("conv_workspace", 0, None) and second["high"] == 2**20


def test_sections_and_their_totals():
    kinds, phases, layers = two(state=40).sections()
    rows = {row[0]: row[1:] for row in kinds.rows}
    assert rows["parameters"] == ["1,000", "1,000", "32.3 %"] and rows["optimizer state"] == ["40", "40", "1.3 %"]
    assert rows["saved activations"] == ["300", "--", "--"] and kinds.sums == ["Peak", "", "3,100", "100.0 %"]
    assert [row[0] for row in phases.rows] == [
        "inference forward", "training forward", "backward", "optimizer step", "whole step",
    ]  # fmt: skip
    assert phases.rows[1][1:] == ["1,360", "2,100", "first"] or phases.rows[1][1:3] == ["1,360", "2,100"]
    assert layers.sums[2:4] == ["350", "307"]
    assert layers.rows[0][4] == "input (the batch)" and layers.rows[1][4] == "input, mask"


def test_numbers_of_a_column_have_one_unit():
    kinds, *_ = two(weight=30 * 2**20, hidden=100).sections()
    assert all("MiB" in head or head in ("Where the bytes go", "Share") for head, *_ in kinds.columns)
    cells = {row[0]: row[1] for row in kinds.rows}
    assert cells["parameters"] == "30.00" and cells["saved activations"] == "< 0.01"


@pytest.mark.parametrize("width", [80, 200])
def test_it_fits_the_screen(width):
    text = two("h200", unknown=("conv_workspace",), notes=(" ".join(["A note that is rather long."] * 5),)).format(
        width=width
    )
    assert max(map(len, text.split("\n"))) <= width
    assert "\n\n\n" not in text and all(line == line.rstrip() for line in text.split("\n"))


def test_equal_blocks_are_folded():
    found = blocks()
    *_, layers = found.sections()
    shown = {row[0]: row[2:] for row in layers.rows}
    linear, activation = (next(row for title, row in shown.items() if kind in title) for kind in ("x3", "ReLU"))
    title = next(title for title in shown if "(ReLU) x3" in title)
    assert activation == ["48", "48", f"result; extra of {title.split(' ')[0].removesuffix('act')}lin"]
    assert linear == ["48", "--", "input of stem ..."]
    assert layers.sums[2:4] == [str(7 * 16), "48"]
    *_, expanded = found.sections(expand=True)
    assert len(expanded.rows) == 7 and expanded.sums == layers.sums and "..." not in str(expanded.rows)


def test_summed_up_to_a_depth():
    *_, layers = blocks().sections(depth=1)
    assert layers.rows[-1][3:] == ["48", "3 tensors"] and layers.sums[2:4] == [str(7 * 16), "48"]


def test_csv_has_a_row_for_every_layer():
    rows = list(csv.DictReader(io.StringIO(two().format("csv"))))
    assert [row["name"] for row in rows] == ["first", "second"]
    assert (
        rows[1]["saved"] == "input=300 mask=7"
        and rows[0]["saved"] == "input=10(input)"
        and rows[1]["saved_bytes"] == "307"
    )


@pytest.mark.parametrize(
    "format, sign", [("markdown", "| Layer (type)"), ("latex", r"\begin{tabular}"), ("html", "<table>")]
)
def test_other_formats_have_all_sections(format, sign):
    text = two().format(format)
    assert text.count(sign.replace("| Layer (type)", "|---" if format == "markdown" else sign)) >= 3
    assert "backward" in text and "parameters" in text


def test_free_sizes_give_formulas():
    n = symbol("N")
    found = two("h200", batch=n, weight=4000, image=10 * n, hidden=300 * n, logits=50 * n)
    assert str(found.peak.bytes) == str(found.to_dict()["peak"]["bytes"]) == "max(60*N + 12000, 710*N + 6000)"
    text = str(found)
    lines = [line.strip() for line in text.split("\n")]
    at = lines.index("Peak: the largest of")  # 6000 + 650*N is above 12000 from N = 10 on
    assert lines[at + 1 : at + 5] == [
        "60*N + 12000 bytes  for N <= 9", "optimizer step, outside of the layers (step)",
        "710*N + 6000 bytes  for N >= 10", "backward, at second (grad of weight)",
    ]  # fmt: skip
    assert [case["at"] for case in found.to_dict()["peak"]["cases"]] == [
        case.lead.point for case in found.peak.candidates
    ]
    assert found.allocated is None
    assert found.to_dict()["course"]["forward"] == "70*N + 4000" and found.to_dict()["batch"] == "N"
    assert "(batch" not in text
    json.dumps(found.to_dict())


def test_the_trace_is_the_only_source():
    """Another trace, other numbers: nothing is remembered."""
    first, second = two(), two(weight=2000)
    assert first.peak.bytes != second.peak.bytes
    assert second.bytes["parameters"] == 2 * first.bytes["parameters"] == sum(
        storage.bytes for storage in step(weight=2000).storages if storage.kind == "parameters"
    )  # fmt: skip


def test_the_guessed_peak():
    found = two("h200", unknown=("conv_workspace",))
    assert found.guessed_peak == found.peak.bytes == found.to_dict()["guessed_peak"], "no convolution in this net"
    assert "If each convolution's workspace stays within" in str(found)
    assert two("h200").guessed_peak is None and "guess" not in str(two("h200"))


def test_equal_tensors_of_a_layer_are_counted_not_listed():
    """Attention whose query, key and value are one Linear's output each keeps three inputs."""
    text = (
        "netcalc: 1\nname: Att\ninput: [N, 4, 8]\nlayers:\n  - q: {Linear: 8}\n  - k: {Linear: 8}\n    from: input\n"
        "  - v: {Linear: 8}\n    from: input\n  - a: {ScaledDotProductAttention: 2}\n    from: [q, k, v]\n"
    )
    [line] = [line for line in netcalc.load(text).memory(2).format().splitlines() if line.startswith("a (Scaled")]
    assert "3 x input" in line and "input, input" not in line
