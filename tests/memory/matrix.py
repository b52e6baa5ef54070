"""The shipped networks beside torch: the peak of two training steps and what each module saves, one JSON line a cell.

python -m tests.memory.matrix resnet18 gpt2 --devices cuda --batches 1 8 > lines.jsonl

A cell is a network at a batch, on the rules of a device, in a dtype, with an optimizer. Forward and backward do not depend
on the optimizer, so torch runs them once; its optimizers run once for each network and dtype, behind a step with batch 1.
The steps are put together from both. The simulation runs every cell as a whole.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import os
from typing import NamedTuple

import torch

import netcalc
from netcalc.errors import NetcalcError
from netcalc.export import examples, live
from netcalc.memory import simulate
from netcalc.memory.tape import Rules

from .compare import predicted
from .oracle import measure
from .oracle.traces import parted

BATCHES = (1, 2, 8, 64)
OPTIMIZERS = ((None, True), *itertools.product(("sgd-momentum", "adamw"), (True, False)))  # name, foreach
DTYPES = (("float32", None), ("bfloat16", None), ("float32", "bfloat16"))  # of the model, of autocast
DEVICES = ("cpu", "cuda")


class Network(NamedTuple):
    """A shipped spec, with values for its arguments and for its free sizes beside N."""

    spec: str
    args: dict = {}
    sizes: dict = {}


#: every family, in variants that can be run in seconds: fewer layers only where they are many and all alike
NETWORKS = {
    **{name: Network(name) for name in (
        "alexnet", "alexnet_torchvision", "convnext_tiny", "densenet121", "diffusion_unet", "dlrm", "efficientnet_b0",
        "efficientnet_b1", "lenet", "lenet5", "lstm_tagger", "mixer_s_16", "mlp", "mobilenet_v2", "mobilenet_v3_large",
        "mobilenet_v3_small", "resnet18", "resnet50", "resnext50_32x4d", "seq2seq", "siamese", "swin_t", "tiny",
        "two_input", "unet", "unet_upsample", "vae", "vgg11", "vgg11_bn", "vit_b_32", "wide_resnet50_2", "wrn_16_8",
    )},
    "bert_base": Network("bert_base", sizes={"T": 128}),
    "gpt2": Network("gpt2", sizes={"T": 128}),
    "t5_small": Network("t5_small"),
    "transformer_base": Network("transformer_base"),
    "llama3_2_1b": Network("llama3_2_1b", {"n_layers": 4}, {"T": 128}),
    "llama2_7b": Network("llama2_7b", {"n_layers": 2}, {"T": 128}),
    "mixtral_8x7b": Network("mixtral_8x7b", {"n_layers": 2}, {"T": 128}),
}  # fmt: skip


class Cell(NamedTuple):
    device: str
    dtype: str
    amp: str | None
    batch: int
    optimizer: str | None
    foreach: bool

    @property
    def rules(self) -> Rules:
        return Rules(cuda=self.device == "cuda", dtype=self.dtype, autocast=self.amp)


def cells(batches=BATCHES, optimizers=OPTIMIZERS, dtypes=DTYPES, devices=DEVICES) -> list[Cell]:
    found = itertools.product(devices, dtypes, batches, optimizers)
    return [Cell(device, *dtype, batch, *optimizer) for device, dtype, batch, optimizer in found]


class Beside:
    """A network beside torch."""

    def __init__(self, network: Network):
        net = netcalc.load(network.spec)
        self.net, self.given = net.at(**network.args) if network.args else net, network.sizes
        self.passes = functools.lru_cache(8)(self._passes)
        self.steps_of = functools.cache(self._steps_of)

    def sizes(self, batch: int) -> dict:
        return examples.sizes(self.net.graph, batch, {self.net.graph.batch: batch, **self.given})

    def _passes(self, device, dtype, amp, batch):
        """What torch does without an optimizer, in two steps. oneDNN's workspace is not that of FakeTensors."""
        mode = "followed" if self.recurrent and device == "cpu" else "fake"
        return measure(self.net, self.sizes(batch), device, mode, dtype=dtype, amp=amp)

    @property
    def recurrent(self) -> bool:
        return any(node.type in ("LSTM", "GRU", "RNN") for node in self.net.graph.nodes)

    def _steps_of(self, device, dtype, optimizer, foreach) -> list[list]:
        """The events of an optimizer's first and second step."""
        found = measure(self.net, self.sizes(1), device, dtype=dtype, optimizer=optimizer, foreach=foreach, saved=False)
        return [[event for event in step if event[2] == "optimizer"] for step in found.events]

    def torchs(self, cell: Cell) -> list[list]:
        """torch's events of two steps in a cell."""
        steps = self.passes(cell.device, cell.dtype, cell.amp, cell.batch).events
        if cell.optimizer is None:
            return steps
        return [a + b for a, b in zip(steps, self.steps_of(cell.device, cell.dtype, *cell[-2:]), strict=True)]

    def ours(self, cell: Cell) -> list[list]:
        run = {"optimizer": cell.optimizer}
        if cell.optimizer:
            run["options"] = {"foreach": cell.foreach}
        return predicted(self.net, self.sizes(cell.batch), cell.rules, run, False)

    @functools.cached_property
    def modules(self) -> set[str]:
        """The paths of torch's modules."""
        with torch.device("meta"):
            model = live.namespace(self.net.export_torch())[self.net.graph.spec.name]()
        return {path for path, _ in model.named_modules()}

    def saved(self, cell: Cell) -> tuple[dict, dict]:
        """Bytes of activations by module, ours and torch's: those that a module saves first; the batch left out."""
        made = self.net.exported()
        modules = {**made.paths, **{node.path: "loss" for node in self.net.graph.loss}, "loss": "loss"}
        run = simulate.Run(cell.rules, steps=1)
        found: dict[str, int] = {}
        for one in simulate.training(self.net.graph, made.emitter, self.sizes(cell.batch), run).saved:
            if one.storage.kind != "inputs" and one.storage.bytes:
                places = (modules.get(place, "") for place in one.places)
                path = next((place for place in places if place in self.modules or place == "loss"), "")
                found[path] = found.get(path, 0) + one.storage.bytes
        layers = self.modules.intersection(made.modules[id(node)] for node in self.net.graph.nodes)
        theirs: dict[str, int] = {}
        for path, size in self.passes(cell.device, cell.dtype, cell.amp, cell.batch).saved.items():
            if size:
                path = _around(path, layers)
                theirs[path] = theirs.get(path, 0) + size
        return found, theirs

    def line(self, cell: Cell) -> dict:
        """What there is to say of a cell. status: "equal", "differs", or "refused" by both."""
        try:
            self.passes(cell.device, cell.dtype, cell.amp, cell.batch)
        except RuntimeError as error:
            return {**cell._asdict(), "status": self._refusal(cell), "why": str(error).strip().splitlines()[-1]}
        found = self._compared(cell)
        equal = not any(found["difference"]) and not found.get("saved_parts")
        return {**found, "status": "equal" if equal else "differs"}

    def _refusal(self, cell: Cell) -> str:
        try:
            self.ours(cell)
        except NetcalcError:
            return "refused"
        return "differs"

    def _compared(self, cell: Cell) -> dict:
        persistent = self.passes(cell.device, cell.dtype, cell.amp, cell.batch).persistent
        ours, theirs = self.ours(cell), self.torchs(cell)
        found = {**cell._asdict(), "sizes": self.sizes(cell.batch)}
        found["predicted"], found["measured"] = peaks(persistent, ours), peaks(persistent, theirs)
        found["difference"] = [a - b for a, b in zip(found["predicted"], found["measured"], strict=True)]
        found["parts"] = parting(ours, theirs)
        if cell.optimizer is None and cell.batch <= BATCHES[1]:
            both = self.saved(cell)
            found["saved"] = [sum(by.values()) for by in both]
            found["saved_parts"] = {
                path: [by.get(path, 0) for by in both]
                for path in sorted({*both[0], *both[1]})
                if both[0].get(path, 0) != both[1].get(path, 0)
            }
        return found


def _around(path: str, layers) -> str:
    """The layer that a module is a part of; the module itself where it is no part of any."""
    return next((layer for layer in layers if path.startswith(f"{layer}.")), path)


def peaks(persistent: int, steps: list[list]) -> list[int]:
    """The most bytes alive in each step."""
    found, before = [], persistent
    for step in steps:
        levels = list(itertools.accumulate((event[1] for event in step), initial=before))
        found.append(max(levels))
        before = levels[-1]
    return found


def parting(ours: list[list], theirs: list[list]) -> list | None:
    """Where the events of the second step part: (phase, layer and what of the simulation, torch's bytes and label)."""
    position, both = parted(ours[1], theirs[1])
    if position is None:
        return None
    return [list(events[position][1:]) if position < len(events) else None for events in both]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=list(NETWORKS), metavar="NETWORK")
    parser.add_argument("--batches", nargs="+", type=int, default=BATCHES)
    parser.add_argument("--devices", nargs="+", choices=DEVICES, default=DEVICES)
    parser.add_argument(
        "--dtypes", nargs="+", choices=("float32", "bfloat16", "amp"), default=("float32", "bfloat16", "amp")
    )
    parser.add_argument("--no-optimizers", action="store_true")
    given = parser.parse_args()
    dtypes = [DTYPES[("float32", "bfloat16", "amp").index(name)] for name in given.dtypes]
    optimizers = OPTIMIZERS[:1] if given.no_optimizers else OPTIMIZERS
    os.nice(5)
    for name in given.networks:
        beside = Beside(NETWORKS.get(name, Network(name)))
        for cell in cells(given.batches, optimizers, dtypes, given.devices):
            print(json.dumps({"network": name, **beside.line(cell)}), flush=True)


if __name__ == "__main__":
    main()
