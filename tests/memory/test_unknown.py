"""What is not known of a device: which figures matter to a network, and what the guess makes of the peak."""

from __future__ import annotations

import netcalc
from netcalc import facts
from netcalc.memory.profiles import load
from netcalc.memory.timeline import Timeline
from netcalc.memory.unknown import figures, guessed_workspaces, peak_with
from tests.memory.traces import Trace

CONV = """
netcalc: 1
name: Conv
input: [N, 3, 8, 8]
layers:
  - conv: {Conv2d: {out_channels: 5, kernel_size: 3, padding: 1}}
  - bn: BatchNorm2d
  - act: ReLU
"""


def rows(name: str, **sizes):
    net = netcalc.load(name)
    return facts.rows(net.graph, sizes)


def test_what_a_network_runs_into():
    convolutions = rows("resnet18", N=2)
    assert figures(convolutions, load("h200"), "float32") == (
        "cublaslt_workspace",
        "conv_workspace",
        "batch_norm_reserve",
    )
    assert "batch_norm_reserve" not in figures(convolutions, load("h200"), "float32", inference=True)
    assert figures(convolutions, load("cpu"), "float32") == ()
    attention = rows("gpt2", N=2, T=16)
    assert figures(attention, load("h200"), "bfloat16") == ("cublaslt_workspace", "cudnn_sdpa_workspace")
    assert (
        figures(attention, load("h200"), "float32")
        == figures(attention, load("a100"), "bfloat16")
        == ("cublaslt_workspace",)
    )
    recurrent = rows("lstm_tagger", N=2, T=4)
    of_cudnn = ("cublaslt_workspace", "rnn_reserve", "rnn_workspace")
    assert figures(recurrent, load("cuda"), "float32") == of_cudnn
    assert figures(recurrent, load("cuda"), "float32", inference=True) == (of_cudnn[0], of_cudnn[2])


def test_dropout_between_recurrent_layers_and_cells():
    text = "netcalc: 1\ninput: [N, T, 8]\nlayers: [{GRU: {hidden_size: 7, num_layers: 2, dropout: 0.1}}]\n"
    assert "rnn_dropout_state" in figures(rows(text, N=2, T=4), load("h200"), "float32")
    cell = "netcalc: 1\ninput: [N, 8]\nlayers: [{LSTMCell: {hidden_size: 7}}]\n"
    assert figures(rows(cell, N=2), load("h200"), "float32") == ("cublaslt_workspace",)


def test_the_guess_for_a_convolution():
    found = guessed_workspaces(rows(CONV, N=2), "float32")
    elements = 2 * 3 * 64 + 2 * 5 * 64 + 5 * 3 * 9 + 5
    assert found == {"conv": 4 * elements}
    assert guessed_workspaces(rows(CONV, N=2), "bfloat16") == {"conv": 2 * elements}


def test_a_workspace_counts_only_while_its_layer_works():
    trace = Trace()
    trace.phase("forward")
    trace.at("conv")
    a = trace.alloc(100)
    trace.at("bn")
    b = trace.alloc(50)
    trace.at("")
    line = Timeline(trace)
    assert peak_with(line, {}) == line.peak().bytes == 150
    assert peak_with(line, {"conv": 40}) == 150
    assert peak_with(line, {"conv": 60}) == 160
    assert peak_with(line, {"bn": 1, "conv": 60}) == 160
    assert peak_with(line, {"bn": 11, "conv": 60}) == 161
    trace.free(a, b)
    assert peak_with(Timeline(trace), {"bn": 11}) == 161


def test_what_is_an_estimate_says_so():
    tagger = netcalc.load("lstm_tagger").at(T=5)
    said = "Assumed: oneDNN works in bfloat16 on this CPU (lstm)"
    assert said in str(tagger.memory(dtype="bfloat16")) and said in str(tagger.memory(amp="bfloat16"))
    trained_by_steps, on_cuda = tagger.memory(dtype="float16"), tagger.memory(dtype="bfloat16", device="cuda")
    assert "Assumed: oneDNN" not in f"{tagger.memory()}{trained_by_steps}{on_cuda}"
    assert "Assumed: oneDNN" in str(tagger.memory(dtype="float16", inference=True))
    experts = netcalc.load("mixtral").at(T=5, n_layers=2)
    said = str(experts.memory())
    assert "equal shares are assumed (model.layers.0.block_sparse_moe and 1 more)" in said
    assert "Whatever tokens go to which expert, the peak is at most this one." in said
