"""One counter on one network: `python measure.py COUNTER MODULE.py CLASS DTYPE SIZE...` prints one line of JSON.

Runs in the environment of the counters, which has no netcalc: the module is netcalc's export, a file of its own. Every
counter is called as its documentation says, with its defaults, on a batch of one.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import io
import json
import sys
import warnings

import torch


def torchinfo(model, x):
    from torchinfo import summary

    found = summary(model, input_data=x, verbose=0)
    return {"params": found.total_params, "macs": found.total_mult_adds}


def thop(model, x):
    from thop import profile

    macs, params = profile(model, inputs=(x,), verbose=False)
    return {"params": params, "macs": macs}


def ptflops(model, x, backend="pytorch"):
    from ptflops import get_model_complexity_info

    macs, params = get_model_complexity_info(
        model,
        tuple(x.shape[1:]),
        input_constructor=lambda size: x,
        as_strings=False,
        print_per_layer_stat=False,
        backend=backend,
    )
    if macs is None:  # ptflops prints what went wrong and returns nothing
        raise RuntimeError("get_model_complexity_info returned (None, None)")
    return {"params": params, "macs": macs}


def ptflops_aten(model, x):
    return ptflops(model, x, "aten")


def fvcore(model, x):
    from fvcore.nn import FlopCountAnalysis, parameter_count

    analysis = FlopCountAnalysis(model.eval(), x)
    return {
        "params": parameter_count(model)[""],
        "macs": analysis.total(),
        "unsupported": dict(analysis.unsupported_ops()),
    }


def calflops(model, x):
    from calflops import calculate_flops

    flops, macs, params = calculate_flops(model, args=[x], print_results=False, output_as_string=False)
    return {"params": params, "macs": macs, "flops": flops}


def deepspeed(model, x):
    from deepspeed.profiling.flops_profiler import get_model_profile

    flops, macs, params = get_model_profile(model, args=[x], print_profile=False, as_string=False)
    return {"params": params, "macs": macs, "flops": flops}


def torch_meta_train(model, x):
    return _flop_counter(model.to("meta").train(), x.to("meta"))


def torch_cpu_train(model, x):
    return _flop_counter(model.train(), x)


def torch_cpu_eval(model, x):
    with torch.no_grad():
        return _flop_counter(model.eval(), x)


def _flop_counter(model, x):
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        model(x)
    operators = {str(name): flops for name, flops in counter.get_flop_counts()["Global"].items()}
    return {"flops": counter.get_total_flops(), "operators": operators}


COUNTERS = {
    "torchinfo": ("torchinfo", torchinfo),
    "thop": ("thop", thop),
    "ptflops (pytorch)": ("ptflops", ptflops),
    "ptflops (aten)": ("ptflops", ptflops_aten),
    "fvcore": ("fvcore", fvcore),
    "calflops": ("calflops", calflops),
    "DeepSpeed": ("deepspeed", deepspeed),
    "FlopCounterMode, meta, train": ("torch", torch_meta_train),
    "FlopCounterMode, CPU, train": ("torch", torch_cpu_train),
    "FlopCounterMode, CPU, eval": ("torch", torch_cpu_eval),
}


def network(path: str, name: str):
    """A class of an exported file, made with its defaults."""
    spec = importlib.util.spec_from_file_location("exported", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)()


def example(dtype: str, size: list[int]) -> torch.Tensor:
    return torch.zeros(size, dtype=torch.int64) if dtype == "int64" else torch.randn(size)


def main():
    counter, path, name, dtype, *size = sys.argv[1:]
    distribution, count = COUNTERS[counter]
    result = {}
    said = io.StringIO()  # some counters print; the last line of ours must be the JSON alone
    try:
        result["version"] = importlib.metadata.version(distribution)
        with contextlib.redirect_stdout(said), warnings.catch_warnings(action="ignore"):
            result |= count(network(path, name), example(dtype, [int(part) for part in size]))
    except Exception as problem:  # a counter that fails is a result, too
        lines = str(problem).strip().splitlines() or [""]
        result["error"] = f"{type(problem).__name__}: {lines[0]}"
    whole = {key: int(value) if isinstance(value, float) else value for key, value in result.items()}
    print(json.dumps(whole, default=int))


if __name__ == "__main__":
    main()
