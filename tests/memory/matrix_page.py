"""docs/validation-memory.md, out of the lines that the matrix printed.

python -m tests.memory.matrix > lines.jsonl; python -m tests.memory.matrix_page lines.jsonl > docs/validation-memory.md
"""

from __future__ import annotations

import datetime
import fileinput
import json
from collections import Counter

import torch

from .matrix import BATCHES, DEVICES, DTYPES, NETWORKS, OPTIMIZERS

COLUMNS = [(device, *dtype) for device in DEVICES for dtype in DTYPES]
HEAD = """\
# Validation of memory

The simulated peaks of the first and the second training step, and the saved bytes of every module, beside what torch does:
storages followed under FakeTensors (recurrent networks on the CPU: under real tensors), as [memory.md](memory.md) says. A
cell is a network at a batch, on the rules of a device, in a dtype, with an optimizer; it is *equal* where all these numbers
have a difference of 0 bytes. Nothing here was measured on a GPU: CUDA's rules are those that torch follows on a device in name only.

Cells are run one after the other, and not all of them have seen the last repair of a rule; a part of every
family is run as a test (`tests/memory/test_matrix.py`).

Made by `python -m tests.memory.matrix` and `python -m tests.memory.matrix_page`.
"""


WORDS = ("equal", "differs", "refused")


def page(lines: list[dict]) -> str:
    others = [line for line in lines if line["network"] not in NETWORKS]
    lines = [line for line in lines if line["network"] in NETWORKS]
    total = len(NETWORKS) * len(COLUMNS) * len(BATCHES) * len(OPTIMIZERS)
    batches = sorted({line["batch"] for line in lines})
    optimizers = sorted({_optimizer(line) for line in lines})
    parts = [
        HEAD,
        f"torch {torch.__version__}, {datetime.date.today().isoformat()}: {len(lines)} of {total} cells of the whole matrix were run "
        f"(batches {', '.join(map(str, batches))}; optimizers {', '.join(optimizers)}). "
        f"{_counted(lines)}.\n",
        "*Refused*: PyTorch and netcalc both refuse the combination.\n",
        *_table(lines),
        "",
        *_others(others),
        *_differences([*lines, *others]),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _counted(lines: list[dict]) -> str:
    counts = Counter(line["status"] for line in lines)
    return ", ".join(f"{counts[word]} {word}" for word in WORDS if counts[word])


def _others(lines: list[dict]) -> list[str]:
    """Variants that are not in the matrix, in one paragraph."""
    names = list(dict.fromkeys(line["network"] for line in lines))
    if not names:
        return []
    batches = ", ".join(sorted({str(line["batch"]) for line in lines}))
    return [f"{len(names)} more variants, whole and without an optimizer, at batch {batches} on both devices: {_counted(lines)} "
            f"({', '.join(names)}).", ""]  # fmt: skip


def _optimizer(line: dict) -> str:
    if line["optimizer"] is None:
        return "none"
    return f"{line['optimizer']} ({'foreach' if line['foreach'] else 'for-loop'})"


def _table(lines: list[dict]) -> list[str]:
    heads = [f"{device} {'autocast to ' + amp if amp else dtype}" for device, dtype, amp in COLUMNS]
    rows = [f"| network | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    for name in sorted({line["network"] for line in lines}):
        cells = []
        for column in COLUMNS:
            here = [
                line
                for line in lines
                if line["network"] == name and (line["device"], line["dtype"], line["amp"]) == column
            ]
            cells.append(_counted(here) or "--")
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return rows


def _differences(lines: list[dict]) -> list[str]:
    rows = []
    for line in lines:
        if line["status"] == "differs":
            where = f"batch {line['batch']}, {line['device']}, {(line['amp'] and 'autocast') or line['dtype']}, {_optimizer(line)}"
            peaks = ", ".join(f"{size:+,}" for size in line.get("difference", ()))
            saved = line.get("saved", [0, 0])
            rows.append(f"| {line['network']} | {where} | {peaks} | {saved[0] - saved[1]:+,} |")
    if not rows:
        return ["There is no difference."]
    return [
        "| network | cell | peak of step 1, 2: bytes too many | saved: bytes too many |",
        "|---|---|---|---|",
        *rows,
    ]


if __name__ == "__main__":
    with fileinput.input(encoding="utf-8") as lines:
        print(page([json.loads(line) for line in lines]), end="")
