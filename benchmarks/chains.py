"""How time and memory grow with the number of layers: chains of 100, 1,000 and 10,000, written out and by `repeat`.

    python benchmarks/chains.py [--rounds 5] [--torchinfo]

Four kinds of layer in turn. From the text to shapes, parameters and FLOPs of every layer.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from functools import partial

from paired import interleaved, machine, print_json, print_machine, spread

import netcalc

CELL = (
    "Conv2d: {out_channels: 16, kernel_size: 3, padding: 1}",
    "BatchNorm2d",
    "ReLU",
    "MaxPool2d: {kernel_size: 3, stride: 1, padding: 1}",
)
PARAMETERS = 16 * 16 * 3 * 3 + 16 + 2 * 16  # of a cell
SIZES = (100, 1_000, 10_000)
GOAL = 60e-6  # seconds for a layer


def written_out(layers: int) -> str:
    return _spec([f"  - {line}" for line in CELL] * (layers // len(CELL)))


def repeated(layers: int) -> str:
    return _spec(["  - Sequential:", *(f"      - {line}" for line in CELL), f"    repeat: {layers // len(CELL)}"])


def _spec(lines: list[str]) -> str:
    return "\n".join(["netcalc: 1", "input: [N, 16, 32, 32]", "layers:", *lines, ""])


WAYS = {"written out": written_out, "repeat": repeated}


def by_netcalc(text: str, layers: int) -> None:
    """Every layer's shape, parameters and FLOPs."""
    net = netcalc.load(text)
    params, flops = net.params(), net.flops()
    assert params.totals["params"] == PARAMETERS * layers // len(CELL)
    assert flops.totals["flops"] > 0 and len(net.graph.nodes) == layers


def by_torchinfo(layers: int) -> None:
    """The same on the meta device: modules built, and called once with tensors that hold no data."""
    import torch
    from torch import nn
    from torchinfo import summary

    with torch.device("meta"):
        cells = [
            (nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(3, stride=1, padding=1))
            for _ in range(layers // len(CELL))
        ]
        model = nn.Sequential(*(module for cell in cells for module in cell))
    found = summary(model, input_size=(1, 16, 32, 32), device="meta", verbose=0)
    assert found.total_params == PARAMETERS * layers // len(CELL)


def cases(way: str, layers: int):
    """What is timed, by the name of the way."""
    return partial(by_torchinfo, layers) if way == "torchinfo" else partial(by_netcalc, WAYS[way](layers), layers)


def peak_growth(way: str, layers: int) -> int | None:
    """By how many bytes one run lifts the memory of a process of its own that has done a small one before."""
    command = [sys.executable, __file__, "--peak", way, str(layers)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def print_peak_growth(way: str, layers: int) -> None:
    cases(way, len(CELL))()
    before = _peak()
    cases(way, layers)()
    print(json.dumps(None if before is None else _peak() - before))


def _peak() -> int | None:
    """The most bytes this process has had in memory. Linux only: elsewhere a process inherits its parent's figure."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
    except OSError:
        return None


def measured(way: str, layers: int, rounds: int) -> dict:
    """The spread of seconds for a layer, and bytes for a layer."""
    seconds = interleaved({way: cases(way, layers)}, rounds)[way]
    found = {"seconds_per_layer": spread([s / layers for s in seconds]), "peak_bytes": peak_growth(way, layers)}
    per_layer, peak = found["seconds_per_layer"], found["peak_bytes"]
    memory = "unknown" if peak is None else f"{peak / 2**20:.1f} MiB"
    print(f"{way:12} {layers:7,} layers  {per_layer['median'] * 1e6:7.1f} us a layer, least {per_layer['min'] * 1e6:.1f}; "
          f"in all {per_layer['median'] * layers * 1e3:,.0f} ms, {memory}")  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--torchinfo", action="store_true", help=f"beside it torchinfo with {SIZES[-1]:,} layers, ten seconds a round"
    )
    parser.add_argument("--peak", nargs=2, metavar=("WAY", "LAYERS"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peak:
        print_peak_growth(given.peak[0], int(given.peak[1]))
        return
    where = machine("netcalc-nn", "PyYAML", *(("torch", "torchinfo") if given.torchinfo else ()))
    print_machine(where)
    figures = {way: {layers: measured(way, layers, given.rounds) for layers in SIZES} for way in WAYS}
    for way, by_size in figures.items():
        small, large = (by_size[layers]["seconds_per_layer"]["min"] for layers in SIZES[1:])
        print(
            f"{way}: a layer of {SIZES[-1]:,} takes {large / small:.2f} times one of {SIZES[1]:,} (least times); goal: at most {GOAL * 1e6:.0f} us a layer"
        )
    if given.torchinfo:
        figures["torchinfo"] = {SIZES[-1]: measured("torchinfo", SIZES[-1], 1)}
    print()
    print_json("chains", where, rounds=given.rounds, chains=figures)


if __name__ == "__main__":
    main()
