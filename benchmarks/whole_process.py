"""How long a person waits: the whole process `netcalc params alexnet`, beside what it cannot do without, and torchinfo.

    python benchmarks/whole_process.py [--rounds 15]

Needs netcalc installed in this Python (for its console script), torch and torchinfo.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from paired import interleaved, machine, print_json, print_machine, ratio, shown_ratio, shown_seconds, spread

NETCALC, FLOOR, TORCHINFO = "netcalc params alexnet", "import click, yaml", "torchinfo on AlexNet"
PARAMETERS = "62,378,344"  # of the single-tower AlexNet; both must print it
MOST_OF_FLOOR, LEAST_OF_TORCHINFO = 1.8, 15
COMMANDS = {
    NETCALC: [str(Path(sys.executable).with_name("netcalc")), "params", "alexnet"],
    FLOOR: [sys.executable, "-c", "import click, yaml"],
    TORCHINFO: [sys.executable, str(Path(__file__).with_name("alexnet_torchinfo.py"))],
}


def process(command: list[str], folder: str) -> str:
    """Run a command to its end, as from a shell; its output."""
    # Without compiled files, every start would compile the sources anew, which no installed package does.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    where = machine("netcalc-nn", "click", "PyYAML", "torch", "torchinfo")
    print_machine(where)
    with tempfile.TemporaryDirectory() as folder:
        for name in (NETCALC, TORCHINFO):
            assert PARAMETERS in process(COMMANDS[name], folder), f"{name} does not find {PARAMETERS} parameters"
        seconds = interleaved(
            {name: lambda c=command: process(c, folder) for name, command in COMMANDS.items()}, rounds
        )
    for name, times in seconds.items():
        print(f"{name:24}{shown_seconds(spread(times))}")
    to_floor, to_torchinfo = ratio(seconds[NETCALC], seconds[FLOOR]), ratio(seconds[TORCHINFO], seconds[NETCALC])
    print(f"\nnetcalc / imports    {shown_ratio(to_floor)}; goal: at most {MOST_OF_FLOOR}")
    print(f"torchinfo / netcalc  {shown_ratio(to_torchinfo)}; goal: at least {LEAST_OF_TORCHINFO}\n")
    print_json("whole_process", where, rounds=rounds, seconds={name: spread(times) for name, times in seconds.items()},
               netcalc_to_imports=to_floor, torchinfo_to_netcalc=to_torchinfo)  # fmt: skip


if __name__ == "__main__":
    main()
