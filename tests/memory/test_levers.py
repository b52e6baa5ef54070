"""Levers against a made-up step whose bytes are known: state + activations, each lever with its factor."""

from __future__ import annotations

import csv
import io
import itertools

from netcalc.memory.levers import Cost, Lever, levers, measure
from netcalc.report.levers import Levers


def simulate(options: dict) -> Cost | None:
    """weights 100, gradients 100, state 200 and a temporary 100 of AdamW, activations 800 of 1,000 FLOPs."""
    if "freeze" in options:
        return None
    weights, gradients, state, temporary, activations, flops = 100, 100, 200, 100, 800, 1000
    if options.get("optimizer") == "sgd":
        state = temporary = 0
    if options.get("implementation") == "fused":
        temporary = 0
    if "checkpoint" in options:
        k = int(options["checkpoint"].partition(":")[2] or 1)
        activations, flops = activations - 600 // k, flops + 300 // k
    activations //= options.get("accumulate", 1)
    if options.get("amp"):
        weights, activations = weights + 50, activations // 2
    if options.get("dtype") == "bfloat16":
        weights, gradients, state, temporary, activations = (
            x // 2 for x in (weights, gradients, state, temporary, activations)
        )
    return Cost(weights + gradients + state + max(temporary, activations), flops)


def test_the_levers_of_a_batch():
    assert {lever.options.get("accumulate") for lever in levers(8)} == {None, 2, 4}
    assert {lever.options.get("accumulate") for lever in levers(7)} == {None}
    assert {lever.options.get("accumulate") for lever in levers(64)} == {None, 2, 4, 8}
    assert len({lever.name for lever in levers(64)}) == len(levers(64))


def test_each_alone():
    table = measure(simulate, levers(64))
    assert table.base == Cost(100 + 100 + 200 + 800, 1000)
    found = {pulled.levers[0].name: (pulled.saved, pulled.extra_flops) for pulled in table.alone}
    assert found == {
        "accumulate over 8 x 8": (700, 0), "checkpoint every block": (600, 300), "everything in bfloat16": (600, 0),
        "accumulate over 4 x 16": (600, 0), "accumulate over 2 x 32": (400, 0), "autocast to bfloat16 (--amp)": (350, 0),
        "checkpoint every second block": (300, 150), "checkpoint every third block": (200, 100), "plain SGD": (200, 0),
        "checkpoint every fourth block": (150, 75),
    }  # fmt: skip
    assert [pulled.saved for pulled in table.alone] == sorted((s for s, _ in found.values()), reverse=True)
    assert table.alone[1].extra_flops == 0, "of equal ones the one without more work comes first"
    # 800 of activations hide the optimizer's temporary: fused saves nothing before they are smaller
    assert [lever.name for lever in table.useless] == ["fused optimizer", "in-place activations"]
    assert [lever.name for lever in table.missing] == ["train the last layer only"]


def test_the_best_together_is_the_best_of_all():
    known = levers(64)
    table = measure(simulate, known)
    groups = [[None, *(lever for lever in known if lever.group == group)] for group in {lever.group for lever in known}]
    for best, allowed in ((table.best, known), (table.best_exact, [lever for lever in known if lever.exact])):
        every = []
        for chosen in itertools.product(*groups):
            pulled = [lever for lever in chosen if lever is not None]
            options: dict = {}
            for lever in pulled:
                options |= lever.options
            cost = simulate(options) if all(lever in allowed for lever in pulled) else None
            if cost is not None:
                every.append(cost.bytes)
        assert best.cost.bytes == min(every)
        assert len({lever.group for lever in best.levers}) == len(best.levers)
    assert table.best_exact.exact and not table.best.exact
    assert table.best_exact.cost.bytes == 100 + 100 + 200 + 800 // 4 // 8  # checkpoints, 8 parts, fused


def test_enough_is_enough():
    table = measure(simulate, levers(64), enough=600)
    assert [lever.name for lever in table.best.levers] == ["accumulate over 8 x 8"]
    assert measure(simulate, levers(64), enough=10_000).best is None


def test_each_combination_is_simulated_once():
    seen = []

    def counted(options):
        seen.append(tuple(sorted(options.items())))
        return simulate(options)

    measure(counted, levers(64))
    assert len(seen) == len(set(seen)) < 200


def test_the_table():
    report = Levers(measure(simulate, levers(64)), "Net", (500, "500 bytes"))
    text = report.format(width=100)
    lines = text.split("\n")
    assert lines[0] == "Net: what would make the peak of 1.17 KiB smaller; 700 bytes too much for 500 bytes"
    body = [line.split("  ")[0] for line in lines[4:]]
    assert body[0] == "best together:" and "best with the same training:" in body
    assert "+30.0 %" in next(line for line in lines if line.startswith("checkpoint every block"))
    assert "Saves nothing here: fused optimizer, in-place activations" in text
    assert "Does not apply here: train the last layer only" in text
    assert max(map(len, lines)) <= 100


def test_rows_and_keys():
    report = Levers(measure(simulate, levers(64)), "Net", (500, "500 bytes"))
    found = report.to_dict()
    assert found["peak"] == 1200 and found["limit"] == 500 and found["saves_nothing"][0] == "fused optimizer"
    assert found["levers"][0]["kind"] == "best together" and found["levers"][0]["fits"]
    alone = [row for row in csv.DictReader(io.StringIO(report.format("csv"))) if row["kind"] == "alone"]
    assert alone[0]["levers"] == "accumulate over 8 x 8" and alone[0]["saved"] == "700"


def test_where_nothing_helps():
    table = measure(lambda options: Cost(10, 5), [Lever("a", "a", {"a": 1}, True)])
    assert table.best is None and not table.alone
    assert "Nothing of this makes it smaller." in str(Levers(table, "Net"))
