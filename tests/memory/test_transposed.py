"""The storage of what a transposed 3-D convolution gives on the CPU: that of real torch, whichever kernel runs it."""

from __future__ import annotations

import itertools

import pytest

import netcalc
from netcalc.memory import simulate
from netcalc.memory.tape import Rules

from .test_rules_recurrent import runs_in

torch = pytest.importorskip("torch")

#: batch, kernel, stride, output_padding, channels, each side of the input
CASES = [
    case for case in itertools.product((1, 2, 16), (1, 2, 4, 5), (1, 2), (0, 1), (8, 64), (4, 9)) if case[3] < case[2]
]


@pytest.fixture(autouse=True)
def two_threads():
    """Alone PyTorch's own kernel runs kernels of one element."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    "dtype, onednn", [("float32", True), ("bfloat16", True), ("bfloat16", False), ("float16", True)]
)
def test_room(dtype, onednn):
    onednn = onednn and runs_in(dtype)
    rules = Rules(dtype=dtype, onednn=(dtype,) if onednn else ())
    native = 0
    for batch, kernel, stride, extra, channels, side in CASES:
        shape, real = (batch, channels, side, side, side), getattr(torch, dtype)
        layer = torch.nn.ConvTranspose3d(channels, 2, kernel, stride, output_padding=extra, dtype=real)
        with torch.backends.mkldnn.flags(enabled=onednn):
            out = layer(torch.rand(shape, dtype=real))
        line = f"{{out_channels: 2, kernel_size: {kernel}, stride: {stride}, output_padding: {extra}}}"
        net = netcalc.load(
            f"netcalc: 1\ninput: [N, {', '.join(map(str, shape[1:]))}]\nlayers: [{{ConvTranspose3d: {line}}}]\n"
        )
        trace = simulate.inference(net.graph, net.exported().emitter, {"N": batch}, rules).trace
        [made] = [storage.bytes for storage in trace.storages if storage.what == "output"]
        assert made == out.untyped_storage().nbytes(), (shape, line)
        native += made > out.numel() * out.element_size()
    assert native if dtype == "float32" or not onednn else not native
