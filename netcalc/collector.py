"""Python's collector of cyclic garbage, held off where much is made at once.

A graph, a class file and a simulation make tens of thousands of objects in a row and no cycles that could be thrown away
meanwhile. Every 700 of them the collector would look, now and then through the whole process: with torch imported that
takes longer than a simulation.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager


@contextmanager
def paused():
    """Inside, only reference counts free objects. Also a decorator: `@paused()`."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()
