"""A row of the layer tables as a network whose memory can be predicted and measured.

Every real input is first multiplied with a parameter, so that it needs a gradient and nobody else holds it. The network
also returns a parameter times two: so there is a gradient where the layer gives none.
"""

from __future__ import annotations

import json
from typing import NamedTuple

import netcalc
from netcalc.export import examples
from netcalc.memory.simulate import Run, training
from netcalc.memory.tape import Rules
from netcalc.memory.timeline import Timeline
from tests.layers.table import Row, built


def spec(row: Row, grown: bool = True) -> str:
    """The network, as text."""
    dtypes = row.dtypes or ("float32",) * len(row.inputs)
    inputs = {f"x{k}": {"shape": list(s), "dtype": d} for k, (s, d) in enumerate(zip(row.inputs, dtypes, strict=True))}
    layers = [
        {"anchor": {"Parameter": {"shape": [1], "init": 1}}},
        {"twice": {"Mul": ["anchor", 2]}},
        {"used": {"Mul": ["batch", "anchor"]}},
    ]
    names = []
    for name, dtype, shape in zip(inputs, dtypes, row.inputs, strict=True):
        names.append(f"{name}_grown" if grown and "float" in dtype else name)
        if grown and "float" in dtype:
            layers.append({f"{name}_factor": {"Parameter": {"shape": [1] if shape else [], "init": 1, "dtype": dtype}}})
            layers.append({f"{name}_grown": {"Mul": [name, f"{name}_factor"]}})
    layers.append(line(row, names))
    found = {"netcalc": 1, "name": "Row", "inputs": {"batch": {"shape": [2, 3]}, **inputs}, "layers": layers}
    return json.dumps({**found, "outputs": ["y", "twice", "used"]}, default=float, indent=0)


def line(row: Row, names: list[str]) -> dict:
    """The layer, with what it reads."""
    if "operands" not in built(row).args:
        return {"y": {row.type: row.args or None}, **({"from": names} if names else {})}
    left = iter(names)
    operands = row.args.get("operands") or [None] * len(names)
    return {"y": {row.type: [next(left) if value is None else value for value in operands]}}


class Predicted(NamedTuple):
    """What the simulation says of a network in training on the CPU, as a dispatch mode sees it."""

    sizes: dict
    saved: int  # bytes
    peak: int  # bytes, of the second step
    trace: object


def predicted(net, shares=()) -> Predicted:
    """shares: how many tokens each expert gets, in the order in which they run; equally many if left out."""
    sizes = examples.sizes(net.graph, 2)
    left = iter(shares)
    run = Run(Rules(in_place=False), **({"share": lambda *_: next(left)} if shares else {}))
    result = training(net.graph, net.exported().emitter, sizes, run)
    saved = sum(saved.storage.bytes for saved in result.saved)
    return Predicted(sizes, saved, Timeline(result.trace).peak(step=2).bytes, result.trace)


def loaded(row: Row, grown: bool = True):
    return netcalc.load(spec(row, grown))
