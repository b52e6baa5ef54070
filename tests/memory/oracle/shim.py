"""libtorch's private side: a CUDA device in name only, and a log of the CPU allocator. Built once with g++."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from unittest import mock

import torch

SOURCE = Path(__file__).with_name("shim.cpp")
PINNED = "2.13"  # private interfaces of C++: of this version only


def missing() -> str | None:
    """Why the shim cannot be used here, or None."""
    if not torch.__version__.startswith(f"{PINNED}."):
        return f"the shim is written for torch {PINNED}, not {torch.__version__}"
    if torch.version.cuda is not None:
        return "this torch is built with CUDA: the shim is for CPU builds"
    if shutil.which("g++") is None:
        return "there is no g++ to build the shim with"
    return _built()[1]


@functools.cache
def _built() -> tuple[Path, str | None]:
    """The library, and what went wrong in building it."""
    root = Path(torch.__file__).parent
    key = hashlib.sha256(SOURCE.read_bytes() + f"{torch.__version__} {root}".encode()).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"netcalc-shim-{os.getuid()}" / f"{key}.so"
    if path.exists():
        return path, None
    path.parent.mkdir(mode=0o700, exist_ok=True)
    made = path.with_suffix(f".{os.getpid()}")
    include = [f"-I{root / 'include'}", f"-I{root / 'include/torch/csrc/api/include'}"]
    libraries = [f"-L{root / 'lib'}", "-ltorch_cpu", "-lc10", f"-Wl,-rpath,{root / 'lib'}"]
    command = ["g++", "-O1", "-g0", "-w", "-std=c++20", "-fPIC", "-shared", str(SOURCE), "-o", str(made)]
    done = subprocess.run([*command, *include, *libraries], capture_output=True, text=True)
    if done.returncode:
        return path, f"the shim does not build: {done.stderr.strip().splitlines()[:1]}"
    made.rename(path)
    return path, None


@functools.cache
def library() -> ctypes.CDLL:
    reason = missing()
    if reason:
        raise RuntimeError(reason)
    loaded = ctypes.CDLL(str(_built()[0]))
    loaded.shim_log_length.restype = ctypes.c_int64
    loaded.shim_log_read.argtypes = [ctypes.c_void_p]
    return loaded


@contextlib.contextmanager
def cuda_in_name():
    """Inside, FakeTensors on "cuda" are trained as if there were a device."""
    _dummy_kernels()
    library().shim_device(1)
    try:
        with (
            mock.patch("torch.cuda.amp.common.amp_definitely_not_available", lambda: False),
            mock.patch("torch.cuda.is_bf16_supported", lambda: True),
        ):
            yield
    finally:
        library().shim_device(0)


@functools.cache
def _dummy_kernels() -> torch.library.Library:
    """CUDA kernels in name only for operations that a CPU build would take apart on a CUDA device."""
    made = torch.library.Library("aten", "IMPL")
    like = lambda grad, x: torch.empty_like(x)  # noqa: E731
    made.impl("silu_backward", like, "CUDA")
    made.impl("mish_backward", like, "CUDA")
    made.impl("_fused_rms_norm", _rms_norm, "CUDA")
    made.impl("_fused_rms_norm_backward", _rms_norm_backward, "CUDA")
    return made


def _rms_norm(x, shape, weight, eps):
    rows = (*x.shape[: x.dim() - len(shape)], *(1 for _ in shape))
    half = x.dtype in (torch.float16, torch.bfloat16)
    return torch.empty_like(x), x.new_empty(rows, dtype=torch.float32 if half else x.dtype)


def _rms_norm_backward(grad, x, shape, rstd, weight, mask):
    return (torch.empty_like(x) if mask[0] else None), (torch.empty_like(weight) if mask[1] else None)


class AllocationLog:
    """What the CPU allocator does while it is on: (number of the block, +bytes or -bytes), in order."""

    def __enter__(self) -> AllocationLog:
        library().shim_log(1)
        return self

    def __exit__(self, *_):
        library().shim_log(0)

    def __len__(self) -> int:
        return library().shim_log_length()

    def events(self) -> list[tuple[int, int]]:
        found = (ctypes.c_int64 * (2 * len(self)))()
        library().shim_log_read(found)
        return list(zip(found[::2], found[1::2], strict=True))
