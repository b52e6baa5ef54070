"""Lay the simulated events of a training step beside those that torch has, and show where they part.

python -m tests.memory.compare resnet18 --set N=4 --device cuda --optimizer adamw
"""

from __future__ import annotations

import argparse

import netcalc
from netcalc.export import examples
from netcalc.oracle.loop import OPTIMIZERS

from .oracle import measure
from .oracle.traces import beside, parted


def predicted(net, sizes: dict, rules, run_options: dict, inference: bool) -> list[list[tuple]]:
    """The simulated events of each step: (storage, bytes, phase, layer, what)."""
    from netcalc.memory import simulate

    emitter = net.exported().emitter
    if inference:
        trace = simulate.inference(net.graph, emitter, sizes, rules).trace
    else:
        trace = simulate.training(net.graph, emitter, sizes, simulate.Run(rules=rules, **run_options)).trace
    steps: list[list[tuple]] = []
    ends = [*(position for position, *_ in trace.marks[1:]), len(trace.events)]
    for (start, phase, step), end in zip(trace.marks, ends, strict=True):
        while len(steps) <= step:
            steps.append([])
        for index, sign in trace.events[start:end]:
            storage = trace.storages[index]
            steps[step].append((index, sign * storage.bytes, phase, storage.layer, storage.what))
    return steps[1:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spec")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--optimizer", choices=sorted(OPTIMIZERS))
    parser.add_argument("--no-foreach", action="store_true")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--amp")
    parser.add_argument("--rules", choices=("eager", "tracked"), default="eager")
    parser.add_argument("--inference", action="store_true")
    parser.add_argument("--drop-output", action="store_true")
    parser.add_argument("--accumulate", type=int, default=1)
    parser.add_argument("--step", type=int, default=2)
    parser.add_argument("--around", type=int, default=8)
    parser.add_argument("--in-order", action="store_true", help="the order of what comes or goes together counts too")
    _compare(parser.parse_args())


def _compare(given):
    values = dict(item.split("=", 1) for item in given.set)
    net = netcalc.load(given.spec)
    net = net.at(**{k: v for k, v in values.items() if k in net.spec.args})
    free = {k: int(v) for k, v in values.items() if k in net.graph.free}
    sizes = examples.sizes(net.graph, given=free)
    foreach = not given.no_foreach
    measured = measure(
        net, sizes, given.device, optimizer=given.optimizer, foreach=foreach, dtype=given.dtype, amp=given.amp,
        drop_output=given.drop_output, inference=given.inference, accumulate=given.accumulate, rules=given.rules,
    )  # fmt: skip
    from netcalc.memory.tape import Rules

    rules = Rules(cuda=given.device == "cuda", in_place=given.rules == "eager", dtype=given.dtype, autocast=given.amp)
    options = {"optimizer": given.optimizer, "drop_output": given.drop_output, "accumulate": given.accumulate}
    if given.optimizer:
        options["options"] = {"foreach": foreach}
    step = 0 if given.inference else given.step - 1
    show(predicted(net, sizes, rules, options, given.inference)[step], measured.events[step], given)


def show(ours: list, theirs: list, given):
    """Say where two lists of events part."""
    position, both = parted(ours, theirs, given.in_order)
    if position is None:
        print(f"the same {len(both[0])} events")
    else:
        print(beside(*both, position, given.around))


if __name__ == "__main__":
    main()
