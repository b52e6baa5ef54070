"""How many designs a second `sweep` works out for a network of the size of ResNet-18, beside building each with torch.

    python benchmarks/sweep.py [--rounds 7] [--no-torch]

Numeric: a grid of width, classes and batch, a million designs, parameters and MACs of each, all of them kept and the
best ten. Peak: the peak memory of a training step of 250,000 of them. Structural: the numbers of blocks in the four stages and the kind of block, every combination a network of its
own. Torch builds each design on the meta device, which fills no weights, and asks torchinfo's summary for parameters and
multiply-adds, or its own FlopCounterMode.
"""

from __future__ import annotations

import argparse
import itertools

from paired import interleaved, machine, print_json, print_machine, spread

import netcalc

RESNET = """
netcalc: 1
args: {Block: Basic, width: 64, depths: [2, 2, 2, 2], num_classes: 1000}
input: [N, 3, 224, 224]
layers:
  - conv1: {Conv2d: {out_channels: width, kernel_size: 7, stride: 2, padding: 3, bias: false}}
  - bn1: BatchNorm2d
  - ReLU
  - MaxPool2d: {kernel_size: 3, stride: 2, padding: 1}
  - layer1: {Block: {planes: width}}
    repeat: depths[0]
  - layer2: {Block: {planes: 2 * width, stride: 2 if i == 0 else 1}}
    repeat: depths[1]
  - layer3: {Block: {planes: 4 * width, stride: 2 if i == 0 else 1}}
    repeat: depths[2]
  - layer4: {Block: {planes: 8 * width, stride: 2 if i == 0 else 1}}
    repeat: depths[3]
  - AdaptiveAvgPool2d: 1
  - Flatten
  - fc: {Linear: num_classes}
blocks:
  Basic:
    args: {planes, stride: 1}
    input: [N, C, H, W]
    layers:
      - Residual:
          - conv1: {Conv2d: {out_channels: planes, kernel_size: 3, stride, padding: 1, bias: false}}
          - bn1: BatchNorm2d
          - relu: ReLU
          - conv2: {Conv2d: {out_channels: planes, kernel_size: 3, padding: 1, bias: false}}
          - bn2: BatchNorm2d
        shortcut:
          - downsample:
              - Conv2d: {out_channels: planes, kernel_size: 1, stride, bias: false}
              - BatchNorm2d
            when: stride != 1 or C != planes
      - ReLU
"""
NUMERIC = {"width": "1..250", "num_classes": "1..1000", "N": "1..4"}
DEPTHS = [list(depths) for depths in itertools.product((1, 2, 3), repeat=4)]
PEAKS = {"width": "1..250", "num_classes": "1..100", "N": "1..10"}
GOALS = {"numeric": 1_000_000, "structural": 2_000, "peak": 50_000}  # designs a second
BUILT = [(width, classes) for width in (16, 48, 64) for classes in (10, 1000)]  # what torch builds in a round


def numeric(**options):
    """A million designs, from the text of the spec."""
    found = netcalc.load(RESNET).sweep(NUMERIC, **options)
    assert found.designs == 1_000_000 == found.valid
    return found


def peaks():
    """The peaks of a training step of 250,000 designs."""
    found = netcalc.load(RESNET).sweep(PEAKS, columns="peak")
    assert found.designs == 250_000 == found.valid
    return found


def structural():
    """81 networks, parameters and MACs of each."""
    found = netcalc.load(RESNET).sweep({"depths": DEPTHS})
    assert found.columns["params"][DEPTHS.index([2, 2, 2, 2])] == 11_689_512
    return found


def mixed():
    """The same 81 networks at 1,000 widths and batches."""
    found = netcalc.load(RESNET).sweep({"depths": DEPTHS, "width": "1..250", "N": "1..4"}, top=10, sort="-params")
    assert found.designs == 81_000
    return found


def resnet18(width: int, classes: int):
    """ResNet-18 in torch with another width, after torchvision."""
    from torch import nn

    class Basic(nn.Module):
        def __init__(self, channels: int, planes: int, stride: int):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(channels, planes, 3, stride, 1, bias=False), nn.BatchNorm2d(planes)
            self.conv2, self.bn2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False), nn.BatchNorm2d(planes)
            self.relu, self.downsample = nn.ReLU(), None
            if stride != 1 or channels != planes:
                projection = nn.Conv2d(channels, planes, 1, stride, bias=False)
                self.downsample = nn.Sequential(projection, nn.BatchNorm2d(planes))

        def forward(self, x):
            y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
            return self.relu(y + (x if self.downsample is None else self.downsample(x)))

    layers = [nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    channels = width
    for planes, stride in ((width, 1), (2 * width, 2), (4 * width, 2), (8 * width, 2)):
        layers += [Basic(channels, planes, stride), Basic(planes, planes, 1)]
        channels = planes
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def on_meta(width: int, classes: int):
    import torch

    with torch.device("meta"):
        return resnet18(width, classes), torch.empty(1, 3, 224, 224)


def by_torchinfo() -> list[tuple]:
    """(parameters, multiply-adds) of the designs of BUILT."""
    from torchinfo import summary

    found = []
    for width, classes in BUILT:
        model, _ = on_meta(width, classes)
        seen = summary(model, input_size=(1, 3, 224, 224), device="meta", verbose=0)
        found.append((seen.total_params, seen.total_mult_adds))
    return found


def by_flop_counter() -> list[tuple]:
    """(parameters, MACs) of the designs of BUILT."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    found = []
    for width, classes in BUILT:
        model, x = on_meta(width, classes)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model(x)
        found.append((sum(p.numel() for p in model.parameters()), counter.get_total_flops() // 2))
    return found


def agree() -> None:
    """Both must find the same before anything is timed."""
    found = netcalc.load(RESNET).sweep({"width": [16, 48, 64], "num_classes": [10, 1000]})
    ours = list(zip(found.columns["params"].tolist(), found.columns["macs"].tolist(), strict=True))
    assert ours == by_flop_counter(), "netcalc and torch count differently"
    assert [params for params, _ in ours] == [params for params, _ in by_torchinfo()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--no-torch", action="store_true", help="netcalc alone")
    given = parser.parse_args()
    where = machine("netcalc-nn", "numpy", *(() if given.no_torch else ("torch", "torchinfo")))
    print_machine(where)
    cases = {
        "numeric, all kept": (numeric, 1_000_000),
        "numeric, best ten": (lambda: numeric(top=10, sort="-params"), 1_000_000),
        "peak": (peaks, 250_000),
        "structural": (structural, len(DEPTHS)),
        "structural x numeric": (mixed, 81_000),
    }
    if not given.no_torch:
        agree()
        cases |= {"torchinfo": (by_torchinfo, len(BUILT)), "FlopCounterMode": (by_flop_counter, len(BUILT))}
    seconds = interleaved({name: run for name, (run, _) in cases.items()}, given.rounds)
    rates = {name: [cases[name][1] / taken for taken in seconds[name]] for name in cases}
    figures = {name: spread(rate) for name, rate in rates.items()}
    for name, found in figures.items():
        goal = next((f"; goal {number:,}" for word, number in GOALS.items() if name.split(",")[0] == word), "")
        print(f"{name:21}{found['median']:14,.0f} designs/s (half of the rounds: {found['low']:,.0f} to {found['high']:,.0f}){goal}")  # fmt: skip
    times = {}
    if not given.no_torch:
        for ours, theirs in itertools.product(("numeric, all kept", "structural"), ("torchinfo", "FlopCounterMode")):
            within = [a / b for a, b in zip(rates[ours], rates[theirs], strict=True)]
            times[f"{ours} / {theirs}"] = spread(within)
            print(f"{ours} / {theirs}: {times[f'{ours} / {theirs}']['median']:,.1f} times as many designs")
    print()
    print_json("sweep", where, rounds=given.rounds, designs_per_second=figures, ratios=times)


if __name__ == "__main__":
    main()
