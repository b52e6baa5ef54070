"""A call in a copy of this process.

libtorch's autograd counts devices at the first backward pass of a process, and never again but after a fork.
"""

from __future__ import annotations

import os
import pickle
import traceback


def forked(function, *arguments, **named):
    """What a function returns, run in a child process. Raises RuntimeError with the child's traceback."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _run(writing, function, arguments, named)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        data = stream.read()
    os.waitpid(child, 0)
    good, found = pickle.loads(data) if data else (False, "the child process died")
    if not good:
        raise RuntimeError(found)
    return found


def _run(writing: int, function, arguments, named):
    """In the child: never returns."""
    try:
        found = True, function(*arguments, **named)
    except BaseException:
        found = False, traceback.format_exc()
    with os.fdopen(writing, "wb") as stream:
        pickle.dump(found, stream)
    os._exit(0)
