"""The memory of training steps by PyTorch's MemTracker under FakeTensorMode, of a module that netcalc has exported.

    python benchmarks/mem_tracker.py exported.py CLASS STEPS BATCH [T]

Prints the most bytes that were alive on the CPU. `memory.py` times it, and calls `peak` in a process with torch imported.
"""

from __future__ import annotations

import runpy
import sys

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.mem_tracker import MemTracker


def peak(names: dict, network: str, steps: int, batch: int, length: int | None = None) -> int:
    """The most bytes alive in so many steps without an optimizer. names: what the exported file defines. length: of the
    sequences of a language model; without one the inputs are pictures of 224x224."""
    with FakeTensorMode():
        model = names[network]()
        inputs = torch.randint(2, (batch, length)) if length else torch.randn(batch, 3, 224, 224)
        target = torch.randint(2, (batch * length if length else batch,))
        tracker = MemTracker()
        tracker.track_external(model, inputs, target)
        with tracker:
            for step in range(steps):
                if step:
                    tracker.reset_mod_stats()
                model.zero_grad(set_to_none=True)
                output = model(inputs)
                loss = names["loss_of"](output, target)
                loss.backward()
    return tracker.get_tracker_snapshot("peak")[torch.device("cpu")]["Total"]


if __name__ == "__main__":
    path, network, *numbers = sys.argv[1:]
    torch.set_num_threads(1)
    print(peak(runpy.run_path(path), network, *map(int, numbers)))
