"""How a row of a layer table is checked against torch."""

from __future__ import annotations

import importlib
import pkgutil
import re
from fractions import Fraction
from typing import NamedTuple

from netcalc.layers import REGISTRY


class Row(NamedTuple):
    """A layer with arguments and input shapes, and the same in torch, written by hand."""

    type: str
    args: dict
    inputs: list
    torch: object  # a function that returns the module, or the function of tensors, that the layer agrees with
    dtypes: tuple = ()  # of the inputs, by name; default float32
    macs: int | None = None  # by hand, where torch's flop counter does not know the operation; None: ask the counter
    fixed: tuple = ()  # sizes that must be numbers: they stay so in the test of free sizes
    call: object = None  # (module, *tensors) -> output, where the module is not simply called with the inputs

    def __str__(self):
        args = ",".join(f"{k}={v}" for k, v in self.args.items())
        return re.sub(r"[\[\]() ]", "", f"{self.type}-{args}-{'+'.join('x'.join(map(str, i)) for i in self.inputs)}")


def all_rows() -> list[Row]:
    import tests.layers as package

    rows = []
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.startswith("rows_"):
            rows += importlib.import_module(f"tests.layers.{module.name}").ROWS
    return rows


def built(row: Row):
    """The netcalc layer of a row. Floats become exact fractions, as the language's reader makes them."""
    return REGISTRY[row.type]({name: exact(value) for name, value in row.args.items()})


def exact(value):
    if isinstance(value, float):
        return Fraction(str(value))
    return [exact(item) for item in value] if isinstance(value, list) else value
