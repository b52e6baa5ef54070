"""Predicted memory of training steps against what PyTorch's CUDA allocator counts. NOT RUN ON A GPU YET.

    python benchmarks/gpu_memory.py [--device h200] [--specs resnet50,gpt2] [--batches 1,8,64] [-o results.jsonl]
    python benchmarks/gpu_memory.py --probe h200.yaml      what no one can know without a GPU, as a device profile
    python benchmarks/gpu_memory.py --dry-run              the same loop on the CPU with small sizes: nothing is measured

Every case runs in a process of its own: three warm-up steps, synchronize, reset of the peak statistics, two measured
steps, no hooks and no modes. One JSON line each, then the errors: median, 95th percentile, worst.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from functools import partial
from statistics import median
from time import perf_counter
from typing import NamedTuple

from paired import machine, print_machine

import netcalc
from netcalc import catalog
from netcalc.errors import NetcalcError
from netcalc.export import examples, live
from netcalc.oracle.loop import Loop, targets
from netcalc.oracle.loop import optimizer as make_optimizer

GIB = 1 << 30
WARM_UP, MEASURED = 3, 2
#: for dimensions that are free besides the batch; where a spec refuses them, netcalc's own small examples are taken
SIZES = {"T": 512, "S": 512, "H": 16, "W": 16}
GOAL = "goal over workloads of 1 GiB or more: median at most 0.5 %, worst at most 5 %"
KINDS = ("requested", "allocated", "reserved")


class Case(NamedTuple):
    """One workload. precision: float32, bfloat16, or amp (autocast to bfloat16)."""

    spec: str
    batch: int
    precision: str
    optimizer: str
    implementation: str | None = None

    def options(self, device: str) -> dict:
        """What `net.memory` is asked."""
        found = {"batch": self.batch, "optimizer": self.optimizer, "device": device}
        if self.precision == "amp":
            found["amp"] = "bfloat16"
        elif self.precision != "float32":
            found["dtype"] = self.precision
        return found | ({"implementation": self.implementation} if self.implementation else {})


def cases(specs: list[str], batches: list[int]) -> list[Case]:
    """All combinations; the optimizers are those of the tables: none, SGD with momentum, AdamW in two ways."""
    optimizers = [("none", None), ("sgd-momentum", None), ("adamw", "foreach"), ("adamw", "fused")]
    return [
        Case(spec, batch, precision, *optimizer)
        for spec in specs
        for batch in batches
        for precision in ("float32", "bfloat16", "amp")
        for optimizer in optimizers
    ]


def specs() -> list[str]:
    """Every shipped spec, and all its variants."""
    return list(dict.fromkeys(name for spec in catalog.names() for name in (catalog.variants(spec) or [spec])))


# -- one case, in a process of its own


def one(case: Case, device: str, dry: bool) -> dict:
    """The line of a case: predicted, measured, error in per cent. `failed` says why one of them is missing."""
    net = netcalc.load(case.spec)
    sizes = _sizes(net, case.batch, dry)
    found = {"case": case._asdict(), "sizes": sizes, "device": device, "dry_run": dry}
    try:
        found["predicted"] = predicted(net, sizes, case.options(device))
    except (NetcalcError, AttributeError) as problem:
        found["failed"] = f"prediction: {str(problem).splitlines()[0]}"
    start = perf_counter()
    try:
        found["measured"] = measured(net, sizes, case, "cpu" if dry else "cuda")
    except Exception as problem:  # out of memory, an operation that this dtype does not have
        found["failed"] = f"{type(problem).__name__}: {str(problem).splitlines()[0] if str(problem) else ''}"
    found["seconds"] = round(perf_counter() - start, 2)
    if found.get("predicted") and found.get("measured"):
        found["error"] = {k: round(100 * (found["predicted"][k] / found["measured"][k] - 1), 4) for k in KINDS}
    return found


def _sizes(net, batch: int, dry: bool) -> dict:
    graph = net.graph
    wanted = {} if dry else {name: SIZES[name] for name in graph.free if name in SIZES}
    try:
        return examples.sizes(graph, batch, wanted)
    except NetcalcError:
        return examples.sizes(graph, batch)


def predicted(net, sizes: dict, options: dict) -> dict:
    """Bytes of a later step: of its tensors, of the allocator's blocks and segments."""
    from netcalc.memory.allocator import replay

    others = {name: size for name, size in sizes.items() if name != net.graph.batch}
    memory = (net.at(**others) if others else net).memory(**options)
    timeline = memory.timeline
    last = timeline.steps[-1]
    since = min(phase.start for phase in timeline.phases if phase.step == last and phase.name != "setup")
    return replay(timeline.trace, since)._asdict()


def measured(net, sizes: dict, case: Case, device: str) -> dict | None:
    """Peaks of the allocator's statistics over the measured steps; None on the CPU, which has none."""
    import torch

    loop = training_loop(net, sizes, case, device)

    def on_phase(phase: str, step: int):
        if (phase, step) == ("forward", WARM_UP + 1) and device == "cuda":
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()

    loop.on_phase = on_phase
    loop.run(WARM_UP + MEASURED)
    if device != "cuda":
        return None
    torch.cuda.synchronize()
    statistics = torch.cuda.memory_stats()
    return {kind: statistics[f"{kind}_bytes.all.peak"] for kind in KINDS}


def training_loop(net, sizes: dict, case: Case, device: str) -> Loop:
    """The usual loop: it holds the batch, the targets, the output and the loss."""
    import torch

    torch.manual_seed(0)
    names = live.namespace(net.export_torch())
    with torch.device(device):
        model = names[net.graph.spec.name]()
    batch = live.inputs(net.graph, sizes, device)
    if case.precision == "bfloat16":
        model = model.to(torch.bfloat16)
        batch = [x.to(torch.bfloat16) if x.dtype == torch.float32 else x for x in batch]
    model.train()
    ways = {"foreach": {"foreach": True}, "fused": {"fused": True}, "for-loop": {"foreach": False}}
    made = None
    if case.optimizer != "none":
        parameters = [p for p in model.parameters() if p.requires_grad]
        made = make_optimizer(case.optimizer, parameters, **ways.get(case.implementation, {}))
    autocast = partial(torch.autocast, device, torch.bfloat16, enabled=case.precision == "amp")
    return Loop(model, names["loss_of"], batch, targets(names, model, batch), made, autocast=autocast)


# -- all of them


def run_all(chosen: list[Case], device: str, dry: bool, timeout: int, out) -> list[dict]:
    """A process for each case; its line is written at once."""
    found = []
    for number, case in enumerate(chosen, 1):
        line = _run_one(case, device, dry, timeout)
        found.append(line)
        print(json.dumps(line), file=out, flush=True)
        print(f"[{number}/{len(chosen)}] {shown(line)}", file=sys.stderr)
    return found


def _run_one(case: Case, device: str, dry: bool, timeout: int) -> dict:
    command = [
        sys.executable,
        __file__,
        "--one",
        json.dumps(case._asdict()),
        "--device",
        device,
        *(["--dry-run"] if dry else []),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return {"case": case._asdict(), "failed": f"more than {timeout} s"}
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        return {"case": case._asdict(), "failed": f"process ended with {done.returncode}: {last}"}
    return json.loads(done.stdout.splitlines()[-1])


def shown(line: dict) -> str:
    case = line["case"]
    name = f"{case['spec']} b{case['batch']} {case['precision']} {case['optimizer']} {case['implementation'] or ''}".rstrip()
    if "error" not in line:
        return f"{name}: {line.get('failed') or 'not measured'}"
    return f"{name}: {line['measured']['allocated'] / GIB:.3f} GiB, " + ", ".join(
        f"{k} {line['error'][k]:+.3f} %" for k in KINDS
    )


def summary(lines: list[dict], least: int = 0) -> dict:
    """Median, 95th percentile and worst of the errors without sign, in per cent, of cases with `least` bytes or more."""
    chosen = [line for line in lines if "error" in line and line["measured"]["allocated"] >= least]
    found: dict = {"cases": len(chosen)}
    for kind in KINDS:
        errors = sorted(abs(line["error"][kind]) for line in chosen)
        if errors:
            at = -(-95 * len(errors) // 100) - 1  # the nearest rank
            found[kind] = {"median": median(errors), "p95": errors[at], "worst": errors[-1]}
    return found


def report(lines: list[dict]) -> None:
    for text, least in (("all", 0), ("1 GiB or more", GIB)):
        found = summary(lines, least)
        print(f"\n{text}: {found['cases']} workloads measured")
        for kind in KINDS:
            if kind in found:
                print(f"  {kind:10}" + ", ".join(f"{name} {value:.3f} %" for name, value in found[kind].items()))
    failures: dict[str, int] = {}
    for line in lines:
        if "failed" in line:
            failures[line["failed"]] = failures.get(line["failed"], 0) + 1
    for reason, count in sorted(failures.items(), key=lambda item: -item[1])[:10]:
        print(f"failed {count} times: {reason}")
    print(GOAL)
    print(json.dumps({"all": summary(lines), "of_1_gib_or_more": summary(lines, GIB)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--device", default="cuda", help="the device profile that predicts (a name, or the probe's file)"
    )
    parser.add_argument("--specs", help="names, separated by commas; all shipped ones and their variants if left out")
    parser.add_argument("--batches", default="1,8,64")
    parser.add_argument("--dry-run", action="store_true", help="on the CPU, nothing measured")
    parser.add_argument("--probe", metavar="FILE", help="write a device profile instead")
    parser.add_argument("--timeout", type=int, default=300, metavar="SECONDS")
    parser.add_argument("-o", "--output", metavar="FILE", help="where the JSON lines go; standard output if left out")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(one(Case(**json.loads(given.one)), given.device, given.dry_run)))
        return
    if given.probe:
        from gpu_probe import write_profile

        write_profile(given.probe)
        return
    if not given.dry_run:
        _need_cuda()
    print_machine(machine("netcalc-nn", "torch"))
    chosen = cases(given.specs.split(",") if given.specs else specs(), [int(b) for b in given.batches.split(",")])
    if given.output:
        with open(given.output, "w", encoding="utf-8") as file:
            lines = run_all(chosen, given.device, given.dry_run, given.timeout, file)
    else:
        lines = run_all(chosen, given.device, given.dry_run, given.timeout, sys.stdout)
    report(lines)


def _need_cuda() -> None:
    import torch

    if not torch.cuda.is_available():
        sys.exit("there is no CUDA device here; --dry-run runs the same loop on the CPU")


if __name__ == "__main__":
    main()
