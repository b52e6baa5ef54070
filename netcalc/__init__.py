"""netcalc: shapes, parameters and MACs of a neural network, worked out without running it.

net = netcalc.load("resnet50")      # a shipped spec, a path, or text
print(net.params())
"""

from __future__ import annotations

__version__ = "0.1.0"
__all__ = ["Net", "NetcalcError", "SpecError", "__version__", "load", "sweep"]


def __getattr__(name: str):
    """The public names, loaded when they are first used."""
    if name in ("Net", "load"):
        from . import model

        return getattr(model, name)
    if name == "sweep":
        from .designs import sweep

        return sweep
    if name in ("NetcalcError", "SpecError"):
        from . import errors

        return getattr(errors, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
