"""The shipped specs and their variants, and the recorded figures that they are compared with."""

from __future__ import annotations

import json
from pathlib import Path

import netcalc
from netcalc import catalog

REFERENCE = Path(__file__).parent / "reference"
#: every shipped spec with its defaults, and every variant
ALL = [(name, variant) for name in catalog.names() for variant in (None, *catalog.variants(name))]
IDS = [f"{name}-{variant}" if variant else name for name, variant in ALL]


def net_of(name: str, variant: str | None):
    net = netcalc.load(name)
    return net.variant(variant) if variant else net


def recorded(name: str):
    return json.loads((REFERENCE / name).read_text(encoding="utf-8"))


def of_torchvision(model: str):
    """The network of a torchvision model: our `alexnet` is that of 2012."""
    return netcalc.load("alexnet_torchvision" if model == "alexnet" else model)
