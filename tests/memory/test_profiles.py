"""Device profiles: every figure says where it is from; sizes as people write them."""

from __future__ import annotations

import pytest

from netcalc.errors import NetcalcError
from netcalc.memory import profiles
from netcalc.memory.profiles import PROVENANCE, limit, load, parse_size


@pytest.mark.parametrize("text, size", [
    ("24GiB", 24 * 2**30), ("24gib", 24 * 2**30), ("80GB", 80 * 10**9), ("1.5 MiB", 3 * 2**19), ("0.1kB", 100),
    ("1_000_000", 10**6), ("512", 512), ("2TiB", 2**41), (" 7 bytes ", 7),
])  # fmt: skip
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["24G", "GiB", "", "-5GiB", "24 GiBs", "1e9", "1,000", "0x10", "24GiB24", "٣GiB"])
def test_what_is_no_size(text):
    with pytest.raises(NetcalcError, match="help: write 24GiB"):
        parse_size(text)


def test_every_figure_has_its_provenance():
    for name in profiles.names():
        profile = load(name)
        assert profile.rules in ("cpu", "cuda") and profile.title
        for figure in profile.figures.values():
            assert figure.provenance in PROVENANCE and figure.source.strip()
            if figure.exact:
                assert figure.provenance != "unknown"
            else:
                assert figure.low == 0 or figure.low > 0
                assert figure.high is None or figure.low < figure.high


def test_nothing_claims_to_be_measured_before_it_is():
    """Until the probe has run on a GPU, no shipped profile may say so."""
    assert all(figure.provenance != "measured" for name in profiles.names() for figure in load(name).figures.values())


def test_workspaces_by_generation():
    assert load("cpu").value("cublas_workspace") is None
    assert load("cuda")["cublas_workspace"].value == 4096 * 1024 * 2 + 16 * 1024 * 8
    assert load("h200")["cublas_workspace"].value == load("b200")["cublas_workspace"].value == 32 * 2**20
    assert load("h100").value("sdpa_order")[0] == "cudnn" and load("a100").value("sdpa_order")[0] == "flash"
    assert "flash" not in load("t4").value("sdpa_order")


@pytest.mark.parametrize("written, name", [
    ("RTX 4090", "rtx4090"), ("rtx-3090", "rtx3090"), ("NVIDIA_H200", "h200"), ("H100", "h100-80gb"), ("a100", "a100-80gb"),
    ("v100 16GB", "v100-16gb"), ("GeForce RTX 5090", "rtx5090"), ("CUDA", "cuda"),
])  # fmt: skip
def test_names_as_people_write_them(written, name):
    assert load(written).name == name


def test_memory_of_gpus_is_near_what_they_are_sold_as():
    import re

    for name in profiles.names():
        sold = re.search(r"(\d+)GB", load(name).title)
        if sold:
            assert 0.9 * int(sold[1]) <= load(name).memory / 2**30 <= int(sold[1])
            assert load(name).usable == load(name).memory - 700 * 2**20


def test_unknown_devices():
    with pytest.raises(NetcalcError, match="did you mean h200"):
        load("h20O")
    with pytest.raises(NetcalcError, match=r"cannot read nowhere\.yaml"):
        load("nowhere.yaml")


def test_a_profile_from_a_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\ntitle: my GPU\nextends: sm90\nfigures:\n"
        "  batch_norm_reserve: {value: 0, from: measured, source: probe}\n"
        "  memory: {value: 1000000000000, from: measured, source: probe}\n"
    )
    mine = load(str(path))
    assert (mine.rules, mine["batch_norm_reserve"].value, mine.memory) == ("cuda", 0, 10**12)
    assert mine["cublas_workspace"] == load("h100")["cublas_workspace"]
    assert "batch_norm_reserve" not in [figure.name for figure in mine.intervals]


@pytest.mark.parametrize("text", [
    "[", "just text", "", "name: x", "{name: x, title: y}", "{name: x, title: y, extends: cuda, figures: {a: 3}}",
    "{name: x, title: y, extends: cuda, figures: {a: {value: 3, from: heaven, source: z}}}", "\x00",
])  # fmt: skip
def test_files_that_are_no_profile(tmp_path, text):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(NetcalcError, match="is no device profile"):
        load(str(path))


def test_limits():
    assert limit("24GiB").bytes == 24 * 2**30
    found = limit("h200")
    assert found.bytes == 139 * 2**30 - 700 * 2**20
    assert (
        found.text == "h200"
        and "139.00 GiB (assumed: " in found.note
        and "700 MiB are left for the CUDA context" in found.note
    )
    assert limit("24GiB").note == "" and limit("NVIDIA H100").text == "h100-80gb"
    for name in ("cpu", "cuda"):
        with pytest.raises(NetcalcError, match="no particular size"):
            limit(name)
    with pytest.raises(NetcalcError, match="at least one byte"):
        limit("0")
