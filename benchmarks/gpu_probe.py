"""What no one can know without a GPU, measured and written as a device profile. NOT RUN ON A GPU YET.

`python benchmarks/gpu_memory.py --probe h200.yaml`, then `netcalc memory SPEC --device h200.yaml`.
"""

from __future__ import annotations

import os
import platform
import sys
from datetime import date

#: (batch, channels in, height, channels out, kernel, stride) of convolutions whose workspaces are listed
CONVOLUTIONS = (
    (32, 3, 224, 64, 7, 2), (32, 64, 56, 64, 1, 1), (32, 64, 56, 64, 3, 1), (32, 256, 14, 256, 3, 1), (32, 512, 7, 512, 3, 1),
    (128, 128, 28, 128, 3, 1),
)  # fmt: skip


def write_profile(path: str) -> None:
    """Measure, and write the profile."""
    import torch

    if not torch.cuda.is_available():
        sys.exit("there is no CUDA device here: nothing to probe")
    name = os.path.splitext(os.path.basename(path))[0]
    text = profile_text(name, facts(torch))
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    print(text)


def facts(torch) -> dict:
    """Everything that is measured, in the order in which it must be: the first multiplication comes first."""
    free_before, total = torch.cuda.mem_get_info()
    torch.zeros(1, device="cuda")
    found = {"gpu": torch.cuda.get_device_name(), "capability": torch.cuda.get_device_capability(), "memory": total}
    found |= {"torch": torch.__version__, "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
    found |= _matrix_workspaces(torch)
    found["sdpa_order"] = _sdpa_order(torch)
    found["batch_norm_reserve"] = _batch_norm(torch)
    found["convolutions"] = [_convolution(torch, *shape) for shape in CONVOLUTIONS]
    free, _ = torch.cuda.mem_get_info()
    found["context"] = max(0, total - free - torch.cuda.memory_reserved() - max(0, total - free_before))
    return found


def _current(torch) -> int:
    torch.cuda.synchronize()
    return torch.cuda.memory_stats()["allocated_bytes.all.current"]


def _growth(torch, work) -> int:
    """Bytes that stay allocated after some work of which nothing is kept."""
    before = _current(torch)
    work()
    return _current(torch) - before


def _matrix_workspaces(torch) -> dict:
    """What stays after the first product, the first product with bias, and the first backward pass."""
    x = torch.randn(64, 64, device="cuda")
    linear = torch.nn.Linear(64, 64, device="cuda")

    def backward():
        linear(x).sum().backward()
        linear.zero_grad(set_to_none=True)

    forward = _growth(torch, lambda: x @ x)
    bias = _growth(torch, lambda: linear(x).detach())
    return {"forward": forward, "bias": bias, "backward": _growth(torch, backward)}


def _sdpa_order(torch) -> list[str]:
    """The order in which attention's backends are tried, by name."""
    from torch.nn.attention import SDPBackend

    words = {"FLASH_ATTENTION": "flash", "EFFICIENT_ATTENTION": "efficient", "CUDNN_ATTENTION": "cudnn", "MATH": "math"}
    known = {getattr(SDPBackend, word).value: text for word, text in words.items()}
    return [known[number] for number in torch._C._get_sdp_priority_order() if number in known]


def _batch_norm(torch) -> dict[str, int]:
    """Bytes that cuDNN's batch norm keeps for its backward pass, by dtype and layout."""
    found = {}
    for dtype in (torch.float32, torch.float16):
        for layout in (torch.contiguous_format, torch.channels_last):
            x = torch.randn(32, 64, 56, 56, device="cuda", dtype=dtype).to(memory_format=layout)
            weight = torch.ones(64, device="cuda")
            made = torch.ops.aten.cudnn_batch_norm(x, weight, weight, weight.clone(), weight.clone(), True, 0.1, 1e-5)
            found[f"{str(dtype)[6:]} {str(layout)[6:]}"] = made[3].numel() * made[3].element_size()
    return found


def _convolution(torch, n: int, c: int, size: int, k: int, kernel: int, stride: int) -> dict:
    """Workspaces of one convolution, float32, in its three directions: the peak less the output."""
    x = torch.randn(n, c, size, size, device="cuda")
    w = torch.randn(k, c, kernel, kernel, device="cuda")
    y = torch.nn.functional.conv2d(x, w, stride=stride, padding=kernel // 2)
    g = torch.randn_like(y)
    places = ([stride] * 2, [kernel // 2] * 2, [1] * 2, False, [0] * 2, 1)

    def backward(mask):
        return torch.ops.aten.convolution_backward(g, x, w, None, *places, mask)

    return {
        "shape": [n, c, size, k, kernel, stride],
        "forward": _extra(torch, lambda: torch.nn.functional.conv2d(x, w, stride=stride, padding=kernel // 2), y),
        "input_gradient": _extra(torch, lambda: backward([True, False, False]), x),
        "weight_gradient": _extra(torch, lambda: backward([False, True, False]), w),
    }


def _extra(torch, work, result) -> int:
    """Bytes at the peak of some work, beyond its result, once it is warm."""
    work()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_stats()["requested_bytes.all.current"]
    kept = work()
    torch.cuda.synchronize()
    peak = torch.cuda.memory_stats()["requested_bytes.all.peak"] - before
    del kept
    return peak - result.numel() * result.element_size()


# -- the profile


def profile_text(name: str, found: dict) -> str:
    """The facts as a profile: what was measured, the rest as in the profile of the GPU's generation."""
    major = found["capability"][0]
    base = "sm70" if major < 8 else "cuda" if major == 8 else "sm90" if major == 9 else "sm100"
    where = (
        f"gpu_memory.py --probe on {found['gpu']}, torch {found['torch']}, CUDA {found['cuda']}, cuDNN {found['cudnn']}"
    )
    source = f"{where}, {platform.system()}, {date.today().isoformat()}"
    lines = [f"name: {name}", f"title: {found['gpu']}", f"extends: {base}", "figures:"]
    reserves = found["batch_norm_reserve"].values()
    exact = {
        "memory": found["memory"],
        "cublas_workspace": found["forward"],
        "cublaslt_workspace": found["bias"],
        "context": found["context"],
        "sdpa_order": f"[{', '.join(found['sdpa_order'])}]",
    }
    if len(set(reserves)) == 1:
        exact["batch_norm_reserve"] = next(iter(reserves))
    for figure, value in exact.items():
        lines += _entry(figure, [f"value: {value}"], source)
    if found["backward"] != found["forward"] + found["bias"]:
        lines.append(f"  # the backward thread's first product kept {found['backward']} bytes")
    most = max(
        max(entry[way] for way in ("forward", "input_gradient", "weight_gradient")) for entry in found["convolutions"]
    )
    lines += _entry(
        "conv_workspace",
        ["low: 0", "high: null"],
        f"{source}: up to {most:,} bytes among the convolutions below; others may need more",
    )
    lines += [f"  # {entry}" for entry in found["convolutions"]]
    lines += [
        f"  # batch norm's reserve, {layout}: {size} bytes" for layout, size in found["batch_norm_reserve"].items()
    ]
    return "\n".join(lines) + "\n"


def _entry(figure: str, values: list[str], source: str) -> list[str]:
    return [f"  {figure}:", *(f"    {value}" for value in values), "    from: measured", f'    source: "{source}"']
