"""Recurrent layers in 16 bits on the CPU and on CUDA's rules, beside torch: the peaks of two training steps and what is saved.

On the CPU an LSTM is oneDNN's where it runs the dtype, else steps of common operations, as RNN and GRU always are. On CUDA all
are cuDNN's, in name only (`oracle/cudnn.py`).
"""

from __future__ import annotations

import pytest
import torch

import netcalc
from netcalc.errors import NetcalcError
from netcalc.export import examples
from netcalc.memory.simulate import Run, training
from netcalc.memory.tape import Rules

from .compare import predicted
from .matrix import parting, peaks
from .oracle import Event, measure
from .oracle.measure import summed

#: what surrounds a layer
AROUND = {
    "behind a layer": "input: [N, 6, 8]\nlayers: [{Linear: 8}, {LAYER}, {Linear: 4}]\n",
    "first": "input: [6, N, 8]\nlayers: [{LAYER}, {Linear: 4}]\n",
    "alone": "input: [6, N, 8]\nlayers: [{LAYER}]\n",
    "frozen": "input: [6, N, 8]\nlayers:\n  - Linear: 8\n  - one: {LAYER}\n    freeze: true\n  - Linear: 4\n",
    "frozen first": "input: [6, N, 8]\nlayers:\n  - one: {LAYER}\n    freeze: true\n  - Linear: 4\n",
    "its last state": "input: [6, N, 8]\nlayers:\n  - Linear: 8\n  - one: {LAYER}\n  - Linear: 4\n    from: one.h_n\n",
    "recomputed": "input: [6, N, 8]\nlayers:\n  - Linear: 8\n  - b: [{LAYER}, {Linear: 5}]\n    checkpoint: true\n  - Linear: 4\n",
    "states of another": """
inputs: {a: [N, 6, 8], b: [N, 5, 8]}
layers:
  - x: {Linear: 8}
    from: a
  - one: {LAYER}
  - y: {Linear: 8}
    from: b
  - two: {LAYER}
    from: [y, one.h_n, one.c_n]
  - Linear: 4
""",
}
BOTH = "LSTM: {hidden_size: 7, num_layers: 2, bidirectional: true, dropout: 0.2}"
PROJECTED = "LSTM: {hidden_size: 7, proj_size: 5, num_layers: 2, batch_first: true}"
TURNED = "LSTM: {hidden_size: 7, batch_first: true}"
CASES = [
    *(("behind a layer", f"{kind}: {{hidden_size: 7, {options}}}")
      for kind in ("GRU", "RNN") for options in ("batch_first: true", "num_layers: 2, bidirectional: true, dropout: 0.2")),
    *(("behind a layer", line) for line in (BOTH, PROJECTED, TURNED, "LSTM: {hidden_size: 7, bias: false}")),
    *((place, BOTH) for place in AROUND if place not in ("behind a layer", "states of another")),
    ("states of another", TURNED), ("recomputed", "GRU: {hidden_size: 7}"),
]  # fmt: skip
DTYPES = {"bfloat16": ("bfloat16", None), "float16": ("float16", None), "autocast": ("float32", "bfloat16")}


def runs_in(dtype: str) -> bool:
    """Whether oneDNN works in a dtype on this CPU."""
    return dtype == "float32" or bool(
        getattr(torch.ops.mkldnn, f"_is_mkldnn_{'fp16' if dtype == 'float16' else 'bf16'}_supported")()
    )


def network(tmp_path, place: str, line: str):
    path = tmp_path / "net.yaml"
    path.write_text("netcalc: 1\n" + AROUND[place].replace("{LAYER}", "{" + line + "}"))
    return netcalc.load(path)


def agrees(net, dtype: str, amp: str | None = None, inference: bool = False, cuda: bool = False, onednn: tuple = Rules().onednn):  # fmt: skip
    sizes, rules = examples.sizes(net.graph, 2), Rules(cuda=cuda, dtype=dtype, autocast=amp, onednn=onednn)
    device, mode = ("cuda", "fake") if cuda else ("cpu", "followed")
    theirs = measure(net, sizes, device, mode, dtype=dtype, amp=amp, inference=inference)
    ours = predicted(net, sizes, rules, {}, inference)
    if cuda and not inference and not net.graph.nodes[-1].type.endswith("Cell"):
        assert parting(ours, theirs.events) is None
    assert peaks(theirs.persistent, ours) == peaks(theirs.persistent, theirs.events)
    if not inference:
        saved = training(net.graph, net.exported().emitter, sizes, Run(rules, steps=1)).saved
        assert sum(one.storage.bytes for one in saved if one.storage.kind != "inputs") == theirs.saved_bytes


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("place, line", CASES)
def test_training(tmp_path, place, line, name):
    dtype, amp = DTYPES[name]
    if not runs_in(amp or dtype):
        pytest.skip(f"oneDNN does not run {amp or dtype} on this CPU")
    agrees(network(tmp_path, place, line), dtype, amp)


@pytest.mark.parametrize("name", ["float32", *DTYPES])
@pytest.mark.parametrize("line", [BOTH, TURNED, "GRU: {hidden_size: 7, batch_first: true}"])
def test_inference(tmp_path, line, name):
    dtype, amp = DTYPES.get(name, (name, None))
    if not runs_in(amp or dtype):
        pytest.skip(f"oneDNN does not run {amp or dtype} on this CPU")
    agrees(network(tmp_path, "first", line), dtype, amp, inference=True)


@pytest.mark.parametrize("line", [BOTH, TURNED])
def test_a_cpu_without_16_bits_in_onednn(tmp_path, line):
    """It takes the steps one by one. torch does so, too, when it may not use oneDNN."""
    with torch.backends.mkldnn.flags(enabled=False):
        agrees(network(tmp_path, "behind a layer", line), "bfloat16", onednn=("float32",))


@pytest.mark.parametrize(("steps", "features", "hidden"), [(64, 48, 64), (7, 300, 200), (3, 64, 256), (5, 33, 100)])
def test_workspace_in_16_bits(tmp_path, steps, features, hidden):
    """oneDNN's, of several pages and with its padding of rows."""
    if not runs_in("bfloat16"):
        pytest.skip("oneDNN does not run bfloat16 on this CPU")
    path = tmp_path / "net.yaml"
    path.write_text(f"netcalc: 1\ninput: [{steps}, N, {features}]\nlayers: [{{LSTM: {{hidden_size: {hidden}}}}}]\n")
    agrees(netcalc.load(path), "bfloat16")


def test_what_onednn_refuses(tmp_path):
    """Autocast asks for float16 of an LSTM whose input is float32; one whose input is float16 already takes steps."""
    first = network(tmp_path, "first", TURNED)
    with pytest.raises(RuntimeError, match="could not create a primitive descriptor"):
        measure(first, examples.sizes(first.graph, 2), mode="followed", amp="float16")
    with pytest.raises(NetcalcError, match="oneDNN cannot train the LSTM 0 in float16"):
        first.memory(amp="float16")
    agrees(network(tmp_path, "behind a layer", TURNED), "float32", "float16")


def test_a_device_file_says_what_onednn_runs(tmp_path):
    path = tmp_path / "old.yaml"
    figures = "onednn: {value: [float32], from: documented, source: no AVX-512}"
    path.write_text(f"name: old\ntitle: an old CPU\nextends: cpu\nfigures: {{{figures}}}\n")
    net = network(tmp_path, "first", TURNED).at(N=3)
    old, new = (net.memory(dtype="bfloat16", device=device) for device in (str(path), "cpu"))
    assert old.peak.bytes < new.peak.bytes and "Assumed" in str(new) and "Assumed" not in str(old)


ON_CUDA = {**DTYPES, "float32": ("float32", None), "autocast to float16": ("float32", "float16")}


@pytest.mark.parametrize("name", ON_CUDA)
@pytest.mark.parametrize("place, line", [
    *CASES, ("behind a layer", "LSTM: {hidden_size: 7, proj_size: 5, bias: false}"),
    ("alone", "GRU: {hidden_size: 7, bias: false, num_layers: 2, batch_first: true}"),
])  # fmt: skip
def test_training_on_cuda(tmp_path, place, line, name, private_side):
    """One buffer for all weights, one for their gradients; autocast makes float16 whatever it is asked for."""
    agrees(network(tmp_path, place, line), *ON_CUDA[name], cuda=True)


@pytest.mark.parametrize("name", ON_CUDA)
@pytest.mark.parametrize("line", [BOTH, TURNED])
def test_inference_on_cuda(tmp_path, line, name, private_side):
    agrees(network(tmp_path, "first", line), *ON_CUDA[name], inference=True, cuda=True)


@pytest.mark.parametrize("name", ["float32", "autocast"])
@pytest.mark.parametrize("kind", ["GRUCell", "LSTMCell"])
@pytest.mark.parametrize("bias", ["true", "false"])
def test_cells_on_cuda(tmp_path, kind, bias, name, private_side):
    path = tmp_path / "net.yaml"
    path.write_text(
        f"netcalc: 1\ninput: [N, 8]\nlayers: [{{Linear: 8}}, {{{kind}: {{hidden_size: 7, bias: {bias}}}}}]\n"
    )
    agrees(netcalc.load(path), *ON_CUDA[name], cuda=True)


def test_cudnn_refuses_a_transposed_state(tmp_path, private_side):
    path = tmp_path / "net.yaml"
    path.write_text("""
netcalc: 1
inputs: {a: [6, N, 8], b: [1, 7, N]}
layers:
  - turned: {Transpose: {dim0: 1, dim1: 2}}
    from: b
  - rnn: {GRU: {hidden_size: 7}}
    from: [a, turned]
""")
    net = netcalc.load(path)
    with pytest.raises(RuntimeError, match="hx is not contiguous"):
        measure(net, {"N": 3}, "cuda")
    with pytest.raises(NetcalcError, match="rnn starts from a state that is transposed in memory"):
        net.at(N=3).memory(device="cuda")
    assert net.at(N=3).memory().peak.bytes


def test_weights_on_cuda_have_both_biases(tmp_path):
    """Also where the layer has none: 2 directions of 4 gates of 7 rows, each with 8 and 7 weights and two biases."""
    net = network(tmp_path, "alone", "LSTM: {hidden_size: 7, bidirectional: true, bias: false}").at(N=3)
    trace = training(net.graph, net.exported().emitter, {}, Run(Rules(cuda=True))).trace
    made = [trace.storages[index] for index, change in trace.events if change > 0]
    weights, gradients = ([s.bytes for s in made if s.kind == kind] for kind in ("parameters", "gradients"))
    assert weights == [4 * 2 * 28 * (8 + 7 + 2)]
    assert sorted(gradients) == sorted(2 * 2 * [4 * 28 * 7, 4 * 28 * 8])


@pytest.mark.parametrize("kind", ["RNNCell", "GRUCell", "LSTMCell"])
@pytest.mark.parametrize("rules", ["eager", "tracked"])
def test_a_cell_inside_checkpoints(tmp_path, kind, rules):
    """Nothing is saved, so that what C++ holds to the end of an expression makes the peak of the forward pass."""
    path = tmp_path / "net.yaml"
    path.write_text(f"""
netcalc: 1
input: [N, 8]
layers:
  - Linear: 8
  - outer:
      - inner: [{{{kind}: {{hidden_size: 40}}}}, {{Linear: 8}}]
        checkpoint: true
      - Linear: 8
    checkpoint: true
  - Linear: 4
""")
    net = netcalc.load(path)
    sizes = examples.sizes(net.graph, 3)
    theirs = measure(net, sizes, "cpu", "followed", rules=rules, saved=False)
    ours = predicted(net, sizes, Rules(in_place=rules == "eager"), {}, False)
    steps = [[Event(number, size, phase, "") for number, size, phase, *_ in step] for step in ours]
    assert summed(steps, theirs.persistent)[0] == theirs.peaks
