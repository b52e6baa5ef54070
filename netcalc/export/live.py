"""The exported source as a live module."""

from __future__ import annotations

from ..errors import NetcalcError
from ..graph import Graph

NO_TORCH = "error: this needs PyTorch, which is not installed\n  help: pip install 'netcalc-nn[torch]'"


def torch_module():
    """torch, or the advice to install it."""
    try:
        import torch
    except ImportError:
        raise NetcalcError(NO_TORCH) from None
    return torch


def namespace(text: str) -> dict:
    """What the exported file defines. The source is netcalc's own: text of a spec is in it as literals only."""
    torch_module()
    names: dict = {"__name__": "netcalc_export"}
    exec(compile(text, "<netcalc export>", "exec"), names)
    return names


def module(graph: Graph, text: str, device: str = "cpu"):
    """The model, built on a torch device ("meta" allocates nothing)."""
    names = namespace(text)
    with torch_module().device(device):
        return names[graph.spec.name]()


def inputs(graph: Graph, sizes: dict, device: str) -> list:
    """Random tensors of the inputs' shapes."""
    from ..arith import Sizes
    from .examples import highest

    torch, of = torch_module(), Sizes(sizes).of
    made = []
    for value in graph.inputs.values():
        shape = of(value.shape)
        dtype = getattr(torch, value.dtype)
        if dtype.is_floating_point:
            made.append(torch.randn(shape, dtype=dtype, device=device))
        else:
            limit = 2 if value.dtype == "bool" else highest(graph, value)
            made.append(torch.randint(limit, shape, device=device).to(dtype))
    return made
