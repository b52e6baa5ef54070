"""One question to the library, imports done: load a network and work out its parameters and FLOPs, beside torchinfo.

    python benchmarks/in_process.py [--rounds 15] [--no-torch]

Each round starts from the file, and from nothing in torch: the modules are built on the meta device, which has no
weights to fill and runs no kernels, and is torchinfo's fastest way for networks of this size.
"""

from __future__ import annotations

import argparse
from functools import partial
from time import perf_counter

from paired import interleaved, machine, print_json, print_machine, ratio, shown_ratio, shown_seconds, spread

import netcalc

NETWORKS = {"resnet152": 60_192_808, "densenet201": 20_013_928}  # parameters, as torchvision publishes them
GOALS = {"resnet152": 0.030}  # seconds


def by_netcalc(name: str) -> int:
    """Parameters and work of every layer; the parameters in all."""
    net = netcalc.load(name)
    totals = net.params().totals
    assert net.flops().totals["flops"] > 0
    return totals["params"]


def by_torchinfo(name: str) -> int:
    """The same by building the modules and calling them once with tensors that hold no data."""
    import torch
    import torch_networks
    from torchinfo import summary

    with torch.device("meta"):
        model = getattr(torch_networks, name)()
    found = summary(model, input_size=(1, 3, 224, 224), device="meta", verbose=0)
    assert found.total_mult_adds > 0
    return found.total_params


def alone(name: str, rounds: int) -> dict:
    """The first call of the process, and later ones, as long as torch is not in memory."""
    start = perf_counter()
    assert by_netcalc(name) == NETWORKS[name], f"netcalc does not find the {NETWORKS[name]:,} parameters of {name}"
    first = perf_counter() - start
    found = spread(interleaved({name: partial(by_netcalc, name)}, rounds)[name])
    goal = f"; goal: {GOALS[name] * 1e3:.0f} ms" if name in GOALS else ""
    print(f"{name:12} netcalc alone {shown_seconds(found)}; first call {first * 1e3:.1f}{goal}")
    return {"first_call": first, "alone": found}


def beside_torchinfo(name: str, rounds: int) -> dict:
    """Both in one process, where every garbage collection also visits what torch has in memory."""
    assert by_torchinfo(name) == NETWORKS[name], f"torchinfo does not find the {NETWORKS[name]:,} parameters of {name}"
    seconds = interleaved({"netcalc": partial(by_netcalc, name), "torchinfo": partial(by_torchinfo, name)}, rounds)
    found = {tool: spread(times) for tool, times in seconds.items()}
    times_longer = ratio(seconds["torchinfo"], seconds["netcalc"])
    for tool, times in found.items():
        print(f"{name:12} {tool:13} {shown_seconds(times)}")
    print(f"{'':12} torchinfo / netcalc  {shown_ratio(times_longer)}")
    return found | {"torchinfo_to_netcalc": times_longer}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--no-torch", action="store_true", help="netcalc alone")
    given = parser.parse_args()
    where = machine("netcalc-nn", "PyYAML", *(() if given.no_torch else ("torch", "torchinfo")))
    print_machine(where)
    figures = {name: alone(name, given.rounds) for name in NETWORKS}
    if not given.no_torch:
        print()
        for name in NETWORKS:
            figures[name] |= beside_torchinfo(name, given.rounds)
    print()
    print_json("in_process", where, rounds=given.rounds, seconds=figures)


if __name__ == "__main__":
    main()
