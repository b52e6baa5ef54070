"""cuDNN's recurrent layers in name only: what ATen does around cuDNN, written after native/cudnn/RNN.cpp and
cudnn/AutocastRNN.cpp, so that a build without CUDA follows it under FakeTensors.

What only cuDNN knows has 0 bytes: its reserve, its workspaces and the state of its dropout. The space of the weights is taken to
have no gaps.
"""

from __future__ import annotations

import contextlib

import torch

aten = torch.ops.aten
MODES = {"rnn_relu": 0, "rnn_tanh": 1, "lstm": 2, "gru": 3}
GATES = (1, 1, 4, 3)  # by mode


# -- the space of the weights


def spans(weights: list, stride: int, with_biases: bool, rows: int) -> tuple[int, list]:
    """The elements of the flat buffer, and where each of some weights is in it: (start, end). Both biases of `rows`
    elements are there for each layer and direction, also where the layer has none."""
    at, found = 0, []
    for first in range(0, len(weights), stride):
        for weight in weights[first : first + stride]:
            found.append((at, at + weight.numel()))
            at += weight.numel()
        at += 0 if with_biases else 2 * rows
    return at, found


def flatten(model: torch.nn.Module):
    """RNNBase.flatten_parameters of every layer: the parameters become parts of one buffer."""
    for module in model.modules():
        if isinstance(module, torch.nn.RNNBase):
            weights = module._flat_weights
            stride = len(weights) // len(module._all_weights)
            size, places = spans(weights, stride, module.bias, weights[0].shape[0])
            with torch.no_grad():
                buffer = weights[0].new_zeros(size)
                for weight, place in zip(weights, places, strict=True):
                    weight.data = part(buffer, place, weight.shape)


def part(buffer: torch.Tensor, place: tuple, shape) -> torch.Tensor:
    """A tensor of its own on the storage of a buffer: no view to autograd."""
    return buffer[slice(*place)].view(shape).data


def _whole(weights: list) -> torch.Tensor:
    """try_get_weight_buf: the buffer of which the weights are parts."""
    size = weights[0].untyped_storage().nbytes() // weights[0].element_size()
    return weights[0].data.as_strided((size,), (1,), 0)


# -- torch.lstm and its like


@contextlib.contextmanager
def in_name():
    """Inside, recurrent layers on "cuda" take cuDNN's way."""
    for name in MODES:
        setattr(torch._VF, name, _entry(name))
    try:
        yield
    finally:
        for name in MODES:
            delattr(torch._VF, name)


def _entry(name: str):
    usual = getattr(torch._C._VariableFunctions, name)

    def run(input, hidden, weights, biases, layers, dropout, train, both, batch_first):
        if input.device.type != "cuda":
            return usual(input, hidden, weights, biases, layers, dropout, train, both, batch_first)
        hx, cx = hidden if name == "lstm" else (hidden, None)
        size = (hx if cx is None else cx).shape[2]
        projected = hx.shape[2] if hx.shape[2] != size else 0
        stride = (4 if biases else 2) + (projected != 0)
        buffer = _whole(weights)
        how = (MODES[name], size, projected, layers, batch_first, dropout, train, both, [], None)
        call = _cast if torch.is_autocast_enabled("cuda") else torch._cudnn_rnn
        found = call(input, weights, stride, buffer, hx, cx, *how)
        return found[:2] if cx is None else found[:3]

    return run


def _cast(input, weights, stride, buffer, hx, cx, *how):
    """_cudnn_rnn_cast_reflatten: float16, whatever autocast asks for; the weights are copied into a new buffer."""
    torch.set_autocast_enabled("cuda", False)
    try:
        half = torch.float16
        if buffer.dtype != half:
            size, places = spans(weights, stride, stride > 3, weights[0].shape[0])
            buffer = torch.zeros(size, dtype=half, device=buffer.device)
            parts = [part(buffer, place, (weight.numel(), 1)) for weight, place in zip(weights, places, strict=True)]
            for copy, weight in zip(parts, weights, strict=True):
                copy.copy_(weight.view_as(copy))
            weights = parts
        states = [None if state is None else state.to(half) for state in (cx, hx)]
        return torch._cudnn_rnn(input.to(half), weights, stride, buffer, states[1], states[0], *how)
    finally:
        torch.set_autocast_enabled("cuda", True)


# -- kernels


def _forward(
    input, weight, stride, buffer, hx, cx, mode, hidden, proj, layers, batch_first, dropout, train, both, sizes, state
):
    if not all(given is None or given.is_contiguous() for given in (hx, cx)):
        raise RuntimeError("rnn: hx is not contiguous")
    x = (input.transpose(0, 1) if batch_first else input).contiguous()
    output = x.new_empty((*x.shape[:2], (proj or hidden) * (1 + both)))
    hy = hx.new_empty(hx.shape)
    cy = hx.new_empty(0) if cx is None else cx.new_empty(cx.shape)
    return output.transpose(0, 1) if batch_first else output, hy, cy, x.new_empty(0, dtype=torch.uint8), buffer


def _backward(input, weight, stride, buffer, hx, cx, output, grad_output, grad_hy, grad_cy, mode, hidden, proj, layers, batch_first, dropout, train, both, sizes, state, reserve, mask):  # fmt: skip
    if grad_output is None and grad_hy is None and grad_cy is None:
        return None, None, None, [None] * len(weight)
    grad_output = (
        torch.zeros_like(output, memory_format=torch.contiguous_format) if grad_output is None else grad_output
    )
    grad_hy = torch.zeros_like(hx) if grad_hy is None else grad_hy
    grad_cy = torch.zeros_like(cx) if cx is not None and grad_cy is None else grad_cy
    dx, dhx, dcx = _backward_input(input, hx, cx, grad_output, grad_hy, grad_cy, batch_first)
    return dx, dhx, dcx, _backward_weight(input, weight, stride, buffer, batch_first) if mask[3] else []


def _backward_input(input, hx, cx, grad_output, grad_hy, grad_cy, batch_first):
    if batch_first:
        input, grad_output = input.transpose(0, 1), grad_output.transpose(0, 1)
    x, dy = input.contiguous(), grad_output.contiguous()
    dx = torch.empty_like(input, memory_format=torch.contiguous_format)
    dhy, dcy = grad_hy.contiguous(), None if cx is None else grad_cy.contiguous()
    dhx, dcx = torch.empty_like(hx), None if cx is None else torch.empty_like(cx)
    del x, dy, dhy, dcy
    return dx.transpose(0, 1) if batch_first else dx, dhx, dcx


def _backward_weight(input, weight, stride, buffer, batch_first):
    x = (input.transpose(0, 1) if batch_first else input).contiguous()
    dw = torch.zeros_like(buffer)
    _, places = spans(weight, stride, stride > 3, 0)
    del x
    if stride > 3:
        return [part(dw, place, w.shape) for w, place in zip(weight, places, strict=True)]
    return [torch.empty_like(w) for w in weight]


# -- cells (native/cuda/RNN.cu)


def _lstm_cell(input_gates, hidden_gates, cx, input_bias=None, hidden_bias=None):
    return torch.empty_like(cx), torch.empty_like(cx), torch.empty_like(input_gates)


def _gru_cell(input_gates, hidden_gates, hx, input_bias=None, hidden_bias=None):
    return torch.empty_like(hx), hx.new_empty((hx.shape[0], 5 * hx.shape[1]))


def _gru_cell_backward(grad_hy, workspace, has_bias):
    n, width = workspace.shape
    gates = [workspace.new_empty((n, width // 5 * 3)) for _ in range(2)]
    grad_hx = torch.empty_like(grad_hy)
    return *gates, grad_hx, *(gate.sum(0) if has_bias else None for gate in gates)


KERNELS = {
    aten._cudnn_rnn.default: _forward,
    aten._cudnn_rnn_backward.default: _backward,
    aten._thnn_fused_lstm_cell.default: _lstm_cell,
    aten._thnn_fused_gru_cell.default: _gru_cell,
    aten._thnn_fused_gru_cell_backward.default: _gru_cell_backward,
}
