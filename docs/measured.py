"""Measures what docs/validation.md prints as measured: `python docs/measured.py` writes docs/measured.json.

Every network is exported and run by `verify` on the meta device, for a batch of 2; torch counts the parameters, and its
flop counter the MACs. Takes a few minutes, so the page reads the file; needs torch.
"""

from __future__ import annotations

import json
import platform
from pathlib import Path

import torch
from validation import names, net_of

TARGET = Path(__file__).with_name("measured.json")
BATCH = 2


def measured(name: str) -> dict:
    """Parameters, and MACs for one sample."""
    result = net_of(name).verify("meta", batch=BATCH)
    assert result.ok, result.format()
    macs = result.totals["macs"]["measured"]
    assert macs % BATCH == 0, name
    return {"params": result.totals["parameters"]["measured"], "macs": macs // BATCH}


if __name__ == "__main__":
    made = {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": "meta",
        "networks": {name: measured(name) for name in names()},
    }
    TARGET.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {TARGET.name}: {len(made['networks'])} networks")
