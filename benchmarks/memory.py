"""The memory of training steps of ResNet-152 and GPT-2, beside PyTorch's MemTracker under FakeTensorMode.

    python benchmarks/memory.py [--rounds 5] [--networks resnet152,gpt2] [--no-processes]

netcalc starts from the shipped spec, simulates an inference and two training steps and prints its tables; MemTracker
gets the module that netcalc has exported, builds it without data and follows two steps, or one. Both must find the same
peak. In one process all imports are done, and netcalc runs ten times in each round, of which the mean counts: what the
machine does besides changes from one tenth of a second to the next. As whole processes both start from nothing.
"""

from __future__ import annotations

import argparse
import runpy
import sys
import tempfile
from pathlib import Path

from paired import interleaved, machine, print_json, print_machine, ratio, shown_ratio, shown_seconds, spread
from whole_process import process

import netcalc

NETCALC, TWO_STEPS, ONE_STEP = "netcalc", "MemTracker, two steps", "MemTracker, one step"
#: batch, length of the sequences, values that the spec is given
NETWORKS = {"resnet152": (64, None, {}), "gpt2": (8, 1024, {"T": 1024})}
TIMES = 10  # runs of netcalc in a round, in one process
IN_PROCESS, AS_PROCESS = 100, 20  # goals: how many times longer two steps of MemTracker take


def by_netcalc(name: str) -> int:
    """The tables, and the bytes at the peak of both steps."""
    batch, _, given = NETWORKS[name]
    net = netcalc.load(name)
    memory = (net.at(**given) if given else net).memory(batch)
    assert memory.format()
    return memory.peak.bytes


def by_mem_tracker(exported: tuple[dict, str], name: str, steps: int) -> int:
    import mem_tracker

    batch, length, _ = NETWORKS[name]
    return mem_tracker.peak(*exported, steps, batch, length)


def exported(name: str, folder: str) -> tuple[str, str]:
    """The path of the exported module, and the name of its class."""
    _, _, given = NETWORKS[name]
    net = netcalc.load(name)
    net = net.at(**given) if given else net
    path = Path(folder, f"{name}.py")
    path.write_text(net.export_torch(), encoding="utf-8")
    return str(path), net.graph.spec.name


def in_process(name: str, folder: str, rounds: int) -> dict:
    path, network = exported(name, folder)
    names = runpy.run_path(path)
    cases = {
        NETCALC: lambda: [by_netcalc(name) for _ in range(TIMES)][-1],
        TWO_STEPS: lambda: by_mem_tracker((names, network), name, 2),
        ONE_STEP: lambda: by_mem_tracker((names, network), name, 1),
    }
    found = {tool: case() for tool, case in cases.items()}
    print(f"{name}, in one process; peak {found}")
    assert found[NETCALC] == found[TWO_STEPS], "they do not find the same peak"
    seconds = interleaved(cases, rounds)
    seconds[NETCALC] = [time / TIMES for time in seconds[NETCALC]]
    return shown(seconds, IN_PROCESS)


def as_processes(name: str, folder: str, rounds: int) -> dict:
    path, network = exported(name, folder)
    batch, length, given = NETWORKS[name]
    settings = [word for key, value in given.items() for word in ("--set", f"{key}={value}")]
    script = [sys.executable, str(Path(__file__).with_name("mem_tracker.py")), path, network]
    sizes = [str(batch), *([str(length)] if length else [])]
    commands = {
        NETCALC: [str(Path(sys.executable).with_name("netcalc")), "memory", name, "--batch", str(batch), *settings],
        TWO_STEPS: [*script, "2", *sizes],
        ONE_STEP: [*script, "1", *sizes],
    }
    print(f"{name}, whole processes")
    runs = {tool: lambda c=command: process(c, folder) for tool, command in commands.items()}
    return shown(interleaved(runs, rounds), AS_PROCESS)


def shown(seconds: dict[str, list[float]], goal: int) -> dict:
    """Print and return the spreads and ratios."""
    for tool, times in seconds.items():
        print(f"  {tool:24}{shown_seconds(spread(times))}")
    found = {tool: spread(times) for tool, times in seconds.items()}
    for tool in (TWO_STEPS, ONE_STEP):
        found[f"{tool} to netcalc"] = times_longer = ratio(seconds[tool], seconds[NETCALC])
        print(f"  {tool} / netcalc: {shown_ratio(times_longer)}" + (f"; goal: {goal}" if tool == TWO_STEPS else ""))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--networks", default=",".join(NETWORKS), metavar="NAMES", help="separated by commas")
    parser.add_argument("--no-processes", action="store_true", help="in one process only")
    given = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    where = machine("netcalc-nn", "PyYAML", "torch")
    print_machine(where)
    figures: dict = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in given.networks.split(","):
            figures[name] = {"in_process": in_process(name, folder, given.rounds)}
            if not given.no_processes:
                figures[name]["processes"] = as_processes(name, folder, given.rounds)
    print()
    print_json("memory", where, rounds=given.rounds, seconds=figures)


if __name__ == "__main__":
    main()
