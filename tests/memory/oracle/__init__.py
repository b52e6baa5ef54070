"""What torch really does, measured: the oracle of the memory model."""

from .measure import OPTIMIZERS, Event, Measured, measure
from .shim import missing

__all__ = ["OPTIMIZERS", "Event", "Measured", "measure", "missing"]
