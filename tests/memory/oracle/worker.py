"""A process of its own for measurements on the device in name only.

libtorch's autograd counts devices at the first backward pass of a process, which tests may have behind them long since.
"""

from __future__ import annotations

import atexit
import functools
import os
import pickle
import subprocess
import sys
import traceback
from pathlib import Path

ROOT = Path(__file__).parents[3]


def elsewhere(function, *arguments):
    """What a function of this package returns, called in the other process. Raises RuntimeError with its traceback."""
    process = _process()
    pickle.dump((function, arguments), process.stdin)
    process.stdin.flush()
    good, found = pickle.load(process.stdout)
    if not good:
        raise RuntimeError(found)
    return found


@functools.cache
def _process() -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    command = [sys.executable, "-c", f"from {__name__} import serve; serve()"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=environment)
    atexit.register(process.stdin.close)
    return process


def serve():
    """Answer calls until there are no more."""
    import torch

    torch.set_num_threads(1)
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anybody prints is not an answer
    while True:
        try:
            function, arguments = pickle.load(requests)
        except EOFError:
            return
        try:
            found = True, function(*arguments)
        except Exception:
            found = False, traceback.format_exc()
        pickle.dump(found, answers)
        answers.flush()
