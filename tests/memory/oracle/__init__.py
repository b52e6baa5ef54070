"""What torch really does, measured: the oracle of the memory model."""

from .measure import Event, Measured, measure
from .shim import missing

__all__ = ["Event", "Measured", "measure", "missing"]
