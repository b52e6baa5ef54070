"""Printed tables read back, column by column."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import netcalc

FOLDER = Path(__file__).parent

#: the golden files: name -> (method, spec, options of the table)
GOLDEN = {
    "params_alexnet": ("params", "alexnet", {}),
    "shapes_alexnet": ("shapes", "alexnet", {}),
    "flops_alexnet": ("flops", "alexnet", {}),
    "params_resnet50": ("params", "resnet50", {}),
    "params_resnet50_depth_1": ("params", "resnet50", {"depth": 1}),
    "params_resnet50_depth_2_expanded": ("params", "resnet50", {"depth": 2, "expand": True}),
    "flops_resnet18_expanded": ("flops", "resnet18", {"expand": True}),
    "params_gpt2": ("params", "gpt2", {}),
    "params_gpt2_narrow": ("params", "gpt2", {"width": 80}),
    "flops_gpt2_depth_2": ("flops", "gpt2", {"depth": 2}),
    "shapes_unet": ("shapes", "unet", {}),
    "shapes_vit_b_16_narrow": ("shapes", "vit_b_16", {"width": 80}),
    "params_siamese": ("params", "siamese", {}),
    "params_tiny": ("params", "tiny", {}),
    "flops_two_input": ("flops", "two_input", {}),
}


def printed(name: str) -> str:
    method, spec, options = GOLDEN[name]
    return getattr(netcalc.load(spec), method)().format(**options) + "\n"


class Printed:
    """A printed table: `heads`, `rows` and `sums` (None where there is no totals row), all text."""

    def __init__(self, text: str):
        lines = text.split("\n")
        rules = [i for i, line in enumerate(lines) if re.fullmatch(r"-+(  -+)*", line)]
        spans = [match.span() for match in re.finditer(r"-+", lines[rules[0]])]

        def cells(line):
            assert line == line.rstrip(), "no blanks at the end of a line"
            gaps = [line[a:b] for (_, a), (b, _) in pairwise(spans)]
            assert not "".join(gaps).strip(), f"a cell runs out of its column: {line}"
            assert len(line) <= spans[-1][1], f"a cell runs out of the table: {line}"
            return [line[start:end].strip() for start, end in spans]

        end = rules[1] if len(rules) > 1 else lines.index("", rules[0])
        self.heads = cells(lines[rules[0] - 1])
        self.rows = [cells(line) for line in lines[rules[0] + 1 : end]]
        self.sums = cells(lines[end + 1]) if len(rules) > 1 else None
        self.below = lines[end + 2 :] if len(rules) > 1 else lines[end:]

    def column(self, head: str) -> list[str]:
        return [row[self.heads.index(head)] for row in self.rows]

    def total(self, head: str) -> str:
        return self.sums[self.heads.index(head)]


def whole(text: str) -> int:
    """The number of a cell; nothing, shared and tied are 0."""
    return 0 if text in ("--", "(shared)", "(tied)") else int(text.replace(",", ""))


if __name__ == "__main__":
    for golden in GOLDEN:
        (FOLDER / f"{golden}.txt").write_text(printed(golden), encoding="utf-8")
