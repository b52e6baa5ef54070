"""The memory command: what it hands on, what it answers, how it refuses. The simulation itself is a stand-in here."""

from __future__ import annotations

import json

import pytest

from netcalc.errors import NetcalcError
from netcalc.memory import profiles
from netcalc.model import Net
from tests.memory.simulated import TWO, two

KIB = 1024


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """A simulation of which the bytes are known: 1,000 KiB of weights, 300 KiB per sample. Gives the list of its calls."""
    (tmp_path / "two.yaml").write_text(TWO)
    calls = []

    def memory(self, batch=1, **options):
        calls.append({"batch": batch, **options})
        device = options.get("device", "cpu")
        profiles.load(device)
        if options.get("freeze"):
            raise NetcalcError("error: nothing to freeze")
        hidden = 300 * KIB * batch // options.get("accumulate", 1) // (2 if "amp" in options else 1)
        found = two(
            device, trains="inference" not in options, batch=batch, weight=1000 * KIB, image=KIB * batch, hidden=hidden
        )
        return found

    monkeypatch.setattr(Net, "memory", memory, raising=False)
    return calls


def test_options_are_handed_on(run, asked):
    line = "--batch 64 --dtype bfloat16 --optimizer adamw --fused --weight-decay 0.1 --device h200 --accumulate 4 --drop-output"
    answer = run("memory", "two.yaml", *line.split(), "--checkpoint", "first, second", "--checkpoint", "blocks:2")
    assert answer.code == 0, answer.err
    assert asked == [{
        "batch": 64, "dtype": "bfloat16", "optimizer": "adamw", "implementation": "fused", "weight_decay": 0.1, "device": "h200",
        "accumulate": 4, "drop_output": True, "checkpoint": ("first", "second", "blocks:2"),
    }]  # fmt: skip


def test_what_is_not_given_is_left_to_the_library(run, asked):
    assert run("memory", "two.yaml").code == 0 and asked == [{"batch": 1}]


@pytest.mark.parametrize("option, word", [("--fused", "fused"), ("--foreach", "foreach"), ("--no-foreach", "for-loop")])
def test_the_optimizers_implementation(run, asked, option, word):
    run("memory", "two.yaml", "--optimizer", "adam", option)
    assert asked[0]["implementation"] == word


def test_a_momentum_of_zero_is_said(run, asked):
    run("memory", "two.yaml", "--optimizer", "nesterov", "--momentum", "0")
    assert asked[0]["momentum"] == 0


def test_the_table_and_other_formats(run, asked):
    answer = run("memory", "two.yaml", "--batch", "5")
    assert answer.code == 0 and answer.out.startswith("Two: input [N, 4] (batch 5)\n") and not answer.err
    assert "Peak of each phase" in answer.out and "course's estimate" in answer.out
    found = json.loads(run("memory", "two.yaml", "--format", "json").out)
    assert found["bytes"]["parameters"] == 1000 * KIB
    assert run("memory", "two.yaml", "--format", "csv").out.startswith("name,type,output_bytes,saved_bytes,saved\n")
    assert json.loads(run("memory", "two.yaml", "--inference", "--format", "json").out)["bytes"]["step_peak"] is None


@pytest.mark.parametrize("options, says", [
    (["--inference", "--optimizer", "sgd"], "--inference has no training step, so --optimizer means nothing"),
    (["--inference", "--no-foreach"], "so --no-foreach means nothing"),
    (["--inference", "--drop-output"], "so --drop-output means nothing"),
    (["--inference", "--levers"], "--levers is about training"),
    (["--momentum", "0.9"], "there is no optimizer, so --momentum means nothing"),
    (["--momentum", "0"], "there is no optimizer, so --momentum means nothing"),
    (["--optimizer", "none", "--fused"], "there is no optimizer, so --fused means nothing"),
    (["--optimizer", "adam", "--fused", "--no-foreach"], "--fused and --no-foreach exclude each other"),
    (["--levers", "--fit", "1GiB", "--fit-for", "N"], "--levers looks at one step, and --fit-for at many"),
    (["--levers", "--depth", "1"], "which --levers does not print"),
    (["--fit", "1GiB", "--expand"], "which --fit does not print"),
    (["--amp", "bfloat16", "--dtype", "bfloat16"], "--amp and --dtype exclude each other"),
    (["--fit-for", "N"], "--fit-for needs --fit SIZE"),
    (["--fit", "1GiB", "--batch", "3"], "--fit looks for the batch, and --batch gives it"),
    (["--fit", "1GiB", "--timeline", "a.svg"], "--timeline draws one step"),
    (["--fit", "1GiB", "--set", "N=4"], "--fit looks for N, and --set gives it a value"),
    (["--fit", "24G"], "`24G` is no size in bytes"),
    (["--fit", "h2oo"], "there is no device `h2oo`"),
    (["--fit", "cuda"], "no particular size"),
    (["--fit", "1GiB", "--fit-for", "M"], "`M` is no free dimension of this spec"),
    (["--levers", "--free", "N"], "--free leaves sizes open"),
    (["--timeline", "a.gif"], "a timeline is written as svg, png, pdf, csv, json"),
    (["--device", "gpu9"], "there is no device `gpu9`"),
    (["--batch", "6", "--accumulate", "4"], "--batch 6 cannot be cut into 4 equal micro-batches"),
    (["--accumulate", "0"], "--accumulate"),
    (["--optimizer", "lion"], "--optimizer"),
    (["--batch", "0"], "--batch"),
])  # fmt: skip
def test_wrong_options(run, asked, options, says):
    answer = run("memory", "two.yaml", *options)
    assert (answer.code, answer.out) == (2, "")
    assert says in answer.err and "Traceback" not in answer.err


def test_the_largest_batch(run, asked):
    """forward: 1,000 + 301 n (+ logits); backward: 2 * 300 n + n and 1,500; optimizer: 3,000 + n KiB and the output.

    10 MiB are 10,240 KiB: 1,500 + 601 n (and the 100 bytes of two outputs) allow 14, and 15 needs 10,515.
    """
    answer = run("memory", "two.yaml", "--fit", "10MiB", "--format", "json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert found["largest"] == 14 and found["dimension"] == "batch" and found["needed_is"] == "tensors"
    first, second = found["sizes"]
    assert first["fits"] and first["needed"] == (1500 + 601 * 14) * KIB + 100 and first["phase"] == "backward"
    assert (second["size"], second["needed"] - 10 * 2**20) == (15, -second["left"]) and second["layer"] == "second"
    text = run("memory", "two.yaml", "--fit", "10MiB").out
    assert text.startswith("Two: the largest batch in 10MiB (10,485,760 bytes) is 14\n")
    assert "batch 15 is 275.10 KiB over (281,700 bytes)." in text


def test_a_gpu_as_limit_is_the_device_too(run, asked):
    answer = run("memory", "two.yaml", "--fit", "t4", "--optimizer", "adamw", "--format", "json")
    found = json.loads(answer.out)
    assert found["needed_is"] == "reserved" and found["limit"]["bytes"] == profiles.load("t4").usable
    assert {call["device"] for call in asked} == {"t4"} and {call["optimizer"] for call in asked} == {"adamw"}
    for row in found["sizes"]:
        assert row["fits"] == (row["needed"] <= found["limit"]["bytes"])
    assert len(asked) < 100
    text = run("memory", "two.yaml", "--fit", "t4").out
    assert "Reserved (MiB)" in text and "NVIDIA T4 16GB: torch sees 14.56 GiB (documented: " in text


def test_no_batch_fits(run, asked):
    answer = run("memory", "two.yaml", "--fit", "1MiB")
    # one sample: the optimizer has 3,000 KiB of weights, gradients and temporaries, the input's and 50 bytes of output
    assert "Two: no batch fits in 1MiB (1,048,576 bytes): batch 1 already needs 1.93 MiB more" in answer.out
    found = json.loads(run("memory", "two.yaml", "--fit", "1MiB", "--format", "json").out)
    assert found["largest"] is None and found["missing"] == 3001 * KIB + 50 - 2**20


def test_micro_batches_are_equal(run, asked):
    found = json.loads(run("memory", "two.yaml", "--fit", "10MiB", "--accumulate", "3", "--format", "json").out)
    assert found["largest"] % 3 == 0 and all(call["batch"] % 3 == 0 for call in asked)


def test_another_dimension(run, asked, tmp_path):
    (tmp_path / "seq.yaml").write_text(TWO.replace("[N, 4]", "[N, T, 4]"))

    def memory(self, batch=1, **options):
        length = self.given["T"]
        if length > 1000:
            from netcalc.errors import fail

            raise fail("E412", "T is at most 1000", None)
        return two(batch=batch, weight=1000 * KIB, image=KIB * batch, hidden=KIB * length * batch)

    Net.memory = memory  # the fixture puts it back
    found = json.loads(
        run("memory", "seq.yaml", "--fit", "3GiB", "--fit-for", "T", "--batch", "2", "--format", "json").out
    )
    assert found["dimension"] == "T" and found["largest"] == 1000
    found = json.loads(
        run("memory", "seq.yaml", "--fit", "4MiB", "--fit-for", "T", "--batch", "2", "--format", "json").out
    )
    assert found["largest"] == (4096 - 1502 - 1) // 4  # 1,502 KiB and 2 * 2 * T, and some bytes of outputs
    assert "No larger T is allowed" in run("memory", "seq.yaml", "--fit", "3GiB", "--fit-for", "T", "--batch", "2").out


def test_levers(run, asked):
    answer = run(
        "memory",
        "two.yaml",
        "--batch",
        "16",
        "--levers",
        "--optimizer",
        "adamw",
        "--momentum",
        "0.5",
        "--format",
        "json",
    )
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    alone = {row["levers"][0]: row for row in found["levers"] if row["kind"] == "alone"}
    assert found["peak"] == (1500 + 601 * 16) * KIB + 100
    assert alone["accumulate over 2 x 8"]["saved"] == 300 * 16 * KIB  # each of two storages has half
    assert "train the last layer only" in found["does_not_apply"] and "fused optimizer" in found["saves_nothing"]
    assert all("momentum" not in call for call in asked if call["optimizer"] == "sgd")
    assert not any("amp" in call and "dtype" in call for call in asked)
    assert "what would make the peak of" in run("memory", "two.yaml", "--batch", "16", "--levers", "--fit", "2MiB").out
    on_cuda = json.loads(
        run("memory", "two.yaml", "--batch", "16", "--levers", "--device", "t4", "--format", "json").out
    )
    # the weights, gradients and 16 samples are blocks of their own segments: more than the tensors
    assert on_cuda["reserved"] > found["peak"] and "peak" not in on_cuda


def test_a_lever_that_is_pulled_already_is_not_offered(run):
    text = run("memory", "mlp", "--levers", "--amp", "bfloat16", "--batch", "4").out
    assert "autocast" not in text and "everything in bfloat16" in text
    assert "autocast" in run("memory", "mlp", "--levers", "--batch", "4").out


def test_timeline(run, asked, tmp_path):
    answer = run("memory", "two.yaml", "--timeline", "step.csv")
    assert answer.code == 0 and "note: wrote step.csv" in answer.err and answer.out.startswith("Two:")
    assert (tmp_path / "step.csv").read_text().startswith("event,step,phase,")
    again = run("memory", "two.yaml", "--timeline", "step.csv")
    assert "note: replaced step.csv" in again.err
    missing = run("memory", "two.yaml", "--timeline", "no/where.csv")
    assert (missing.code, missing.out) == (2, "") and "cannot write no/where.csv" in missing.err


def test_it_is_listed_and_helps(run):
    assert "memory " in run("--help").out
    text = run("memory", "--help").out
    assert "--fit 24GiB" in text and "--timeline" in text


def test_it_is_light(asked):
    from tests.test_floors import HEAVY, loaded_by

    code = "from netcalc.cli import main\ntry:\n    main(['memory', 'alexnet'])\nexcept SystemExit:\n    pass"
    assert not loaded_by(code) & set(HEAVY)


def test_sizes_without_a_value_are_named(run):
    """What fits is a question of numbers: with T open there is no largest batch."""
    spec = b"netcalc: 1\ninput: [N, T, 3]\nlayers: [Linear: 4]\n"
    answer = run("memory", "-", "--fit", "1GiB", stdin=spec)
    assert (answer.code, answer.out) == (2, "")
    assert "--fit needs numbers, and T has none\n  help: --set T=..." in answer.err
    assert run("memory", "-", "--fit", "1MiB", "--set", "T=5", stdin=spec).code == 0
