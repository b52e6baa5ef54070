"""The parameters, MACs and FLOPs that other counters report for netcalc's own exports, beside netcalc's figures.

    python benchmarks/peers/compare.py            everything, in an environment of its own (made on the first run)

Prints Markdown tables and writes results.jsonl beside this file. README.md says more.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import netcalc

HERE = Path(__file__).resolve().parent
MINUTES = 10  # for one counter on one network


@dataclass(frozen=True)
class Network:
    title: str
    model: str  # of netcalc
    sizes: dict  # of its free dimensions
    dtype: str  # of its input
    input: tuple

    @property
    def net(self):
        return netcalc.load(self.model)

    def figures(self) -> dict:
        """netcalc's own, for one sample."""
        net = self.net.at(**self.sizes)
        flops = net.flops().totals
        return {"params": net.params().totals["params"], "macs": flops["macs"], "flops": flops["flops"]}


NETWORKS = [
    Network("ViT-B/16", "vit_b_16", {}, "float32", (1, 3, 224, 224)),
    Network("GPT-2, T = 1024", "gpt2", {"T": 1024}, "int64", (1, 1024)),
    Network("LSTM tagger, T = 32", "lstm_tagger", {"T": 32}, "int64", (1, 32)),
    Network("U-Net, 256x256", "unet", {"H": 16, "W": 16}, "float32", (1, 3, 256, 256)),
]


@dataclass(frozen=True)
class Figure:
    """A figure of a counter, and what it is to be compared with."""

    counter: str  # its name in measure.py
    field: str
    unit: str  # what the counter calls it
    counts: str  # as read in its source

    def expected(self, own: dict) -> int:
        """netcalc's figure in the same unit: FlopCounterMode's FLOPs are two per MAC and nothing else."""
        if self.field == "flops" and self.counter.startswith("FlopCounterMode"):
            return 2 * own["macs"]
        return own[self.field]


PATCHED = "2 per MAC of patched functions, convolution bias, norms, activations, poolings, LSTM by a formula of its own"
DISPATCH = "2 per MAC of the convolutions, matrix products and fused attention that it knows; nothing else"
FIGURES = [
    Figure("torchinfo", "macs", "mult-adds", "weights and biases of leaf modules, once per sample, position or step"),
    Figure(
        "thop",
        "macs",
        "MACs",
        "MACs of known modules, norms 2 or 4 per element, LSTM with bias and gates; no other bias",
    ),
    Figure(
        "ptflops (pytorch)",
        "macs",
        "MACs",
        "MACs of known modules, bias, norms, activations, poolings, LSTM gates, MultiheadAttention",
    ),
    Figure("ptflops (aten)", "macs", "MACs", "MACs of convolution and matrix operators, and their bias"),
    Figure("fvcore", "macs", "FLOPs, 1 per MAC", "MACs of convolution and matrix operators; norms; no bias"),
    Figure("calflops", "macs", "MACs", "MACs of patched functions; LSTM none"),
    Figure("calflops", "flops", "FLOPs", PATCHED),
    Figure("DeepSpeed", "macs", "MACs", "MACs of patched functions; LSTM none"),
    Figure("DeepSpeed", "flops", "FLOPs", PATCHED),
    Figure("FlopCounterMode, meta, train", "flops", "FLOPs, 2 per MAC", DISPATCH),
    Figure("FlopCounterMode, CPU, train", "flops", "FLOPs, 2 per MAC", DISPATCH),
    Figure("FlopCounterMode, CPU, eval", "flops", "FLOPs, 2 per MAC", DISPATCH),
]
COUNTERS = list(dict.fromkeys(figure.counter for figure in FIGURES))


def prepare(folder: Path) -> Path:
    """The Python of an environment with the counters. One that cannot be installed will fail when it counts."""
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    ready = folder / "ready"
    if ready.exists():
        return python
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    requirements = HERE / "requirements.txt"
    for line in requirements.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            print(f"installing {line}", file=sys.stderr)
            command = [python, "-m", "pip", "install", "--quiet", line, "--constraint", requirements]
            done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
            if done.returncode:
                print(first_error(done.stderr), file=sys.stderr)
    ready.touch()
    return python


def first_error(text: str) -> str:
    lines = text.strip().splitlines() or ["no message"]
    return next((line for line in lines if "rror" in line), lines[-1])


def measure(python: Path, counter: str, network: Network, source: Path) -> dict:
    """What a counter says, in a process of its own: some replace torch's functions while they count."""
    name = network.net.graph.spec.name
    words = [python, HERE / "measure.py", counter, source, name, network.dtype, *map(str, network.input)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=60 * MINUTES)
    except subprocess.TimeoutExpired:
        return {"error": f"not done after {MINUTES} minutes"}
    if done.returncode:
        return {"error": f"exit status {done.returncode}: {first_error(done.stderr)}"}
    return json.loads(done.stdout.splitlines()[-1])


def results(python: Path):
    """A dict per network and counter, netcalc first."""
    with tempfile.TemporaryDirectory() as folder:
        for network in NETWORKS:
            yield {"network": network.title, "counter": "netcalc", "version": netcalc.__version__, **network.figures()}
            Path(folder, f"{network.model}.py").write_text(network.net.export_torch(), encoding="utf-8")
        for network in NETWORKS:
            for counter in COUNTERS:
                print(f"{network.title}: {counter}", file=sys.stderr)
                found = measure(python, counter, network, Path(folder, f"{network.model}.py"))
                yield {"network": network.title, "counter": counter, **found}


def difference(figure: int, expected: int) -> str:
    if figure == expected:
        return "equal"
    percent = 100 * (figure - expected) / expected
    return f"{percent:+.2f} %" if abs(percent) >= 0.01 else f"{percent:+.1g} %"


def short(figure: int) -> str:
    for unit, size in (("G", 10**9), ("M", 10**6)):
        if figure >= size:
            return f"{figure / size:.3f} {unit}"
    return f"{figure:,}"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def report(found: dict) -> str:
    """The tables, in Markdown. `found`: {(network, counter): result}."""
    titles = [network.title for network in NETWORKS]
    own = {title: found[title, "netcalc"] for title in titles}

    def version(counter):
        return next((r["version"] for (_, name), r in found.items() if name == counter and "version" in r), "--")

    def work(figure, title):
        result = found[title, figure.counter]
        if "error" in result:
            return "fails"
        value = result[figure.field]
        return f"{short(value)}, {difference(value, figure.expected(own[title]))}"

    def params(counter, title):
        result = found[title, counter]
        if "error" in result:
            return "fails"
        value = result["params"]
        return f"{value:,}, {difference(value, own[title]['params'])}"

    works = [
        ["netcalc", unit, *(short(own[t][field]) for t in titles)]
        for unit, field in (("MACs", "macs"), ("FLOPs", "flops"))
    ]
    works += [[figure.counter, figure.unit, *(work(figure, title) for title in titles)] for figure in FIGURES]
    counted = [["netcalc", *(f"{own[title]['params']:,}" for title in titles)]]
    counted += [[c, *(params(c, title) for title in titles)] for c in COUNTERS if not c.startswith("FlopCounterMode")]
    rules = [[figure.counter, version(figure.counter), figure.unit, figure.counts] for figure in FIGURES]
    failed = [f"{name} on {title}: {r['error']}" for (title, name), r in found.items() if "error" in r]
    parts = [
        table(["counter", "version", "its unit", "what it counts"], rules),
        table(["counter", "its unit", *titles], works),
        table(["parameters", *titles], counted),
        *failed,
    ]
    return "\n\n".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--environment", type=Path, default=HERE / ".venv", help="the folder of the counters' environment"
    )
    parser.add_argument("--output", type=Path, default=HERE / "results.jsonl", help="the JSON lines")
    parser.add_argument("--again", action="store_true", help="print the tables of --output, without measuring")
    chosen = parser.parse_args()
    if not chosen.again:
        python = prepare(chosen.environment)
        with chosen.output.open("w", encoding="utf-8") as file:
            for result in results(python):
                print(json.dumps(result), file=file, flush=True)
    rows = [json.loads(line) for line in chosen.output.read_text(encoding="utf-8").splitlines()]
    print(report({(row["network"], row["counter"]): row for row in rows}))


if __name__ == "__main__":
    main()
