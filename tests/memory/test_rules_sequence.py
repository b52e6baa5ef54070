"""What attention, recurrent layers and losses keep for the backward pass, and the peak of a step, against torch on a CPU.

Each layer stands behind a Linear, so that its input needs a gradient. Sizes are odd, so that no two tensors are alike by
chance.
"""

from __future__ import annotations

import pytest

import netcalc
from netcalc.arith import at
from netcalc.errors import NetcalcError
from netcalc.export import examples
from netcalc.memory.simulate import Run, inference, training
from netcalc.memory.tape import Rules
from netcalc.memory.timeline import Timeline
from tests.memory import measured

ATTENTION = [
    "MultiheadAttention: {num_heads: 2}",
    "MultiheadAttention: {num_heads: 2, batch_first: true}",
    "MultiheadAttention: {num_heads: 2, batch_first: true, bias: false}",
    "MultiheadAttention: {num_heads: 2, batch_first: true, is_causal: true}",
    "MultiheadAttention: {num_heads: 2, batch_first: true, dropout: 0.1}",
    "MultiheadAttention: {num_heads: 2, batch_first: true, dropout: 0.1, is_causal: true}",
    "MultiheadAttention: {num_heads: 2, batch_first: true, add_bias_kv: true, add_zero_attn: true}",
    "MultiheadAttention: {num_heads: 2, add_bias_kv: true}",
]
RECURRENT = [
    f"{kind}: {{hidden_size: 7{options}}}"
    for kind in ("RNN", "GRU", "LSTM")
    for options in (
        "",
        ", batch_first: true",
        ", bias: false",
        ", bidirectional: true, batch_first: true",
        ", num_layers: 3, dropout: 0.2",
        ", num_layers: 2, bidirectional: true, dropout: 0.2",
    )
] + [
    "RNN: {hidden_size: 7, nonlinearity: relu}",
    "LSTM: {hidden_size: 7, proj_size: 5, batch_first: true}",
    "LSTM: {hidden_size: 7, proj_size: 5, num_layers: 2, bidirectional: true}",
]
CELLS = [
    f"{kind}: {{hidden_size: 7{bias}}}" for kind in ("RNNCell", "GRUCell", "LSTMCell") for bias in ("", ", bias: false")
]
LOSSES = [
    f"{name}: {{reduction: {reduction}{options}}}"
    for name, options in (
        ("MSELoss", ""),
        ("L1Loss", ""),
        ("SmoothL1Loss", ""),
        ("SmoothL1Loss", ", beta: 0"),
        ("HuberLoss", ""),
        ("BCEWithLogitsLoss", ""),
        ("KLDivLoss", ""),
        ("KLDivLoss", ", log_target: true"),
        ("PoissonNLLLoss", ""),
        ("PoissonNLLLoss", ", full: true"),
        ("PoissonNLLLoss", ", full: true, log_input: false"),
        ("CrossEntropyLoss", ""),
        ("CrossEntropyLoss", ", label_smoothing: 0.1"),
        ("NLLLoss", ""),
    )
    for reduction in ("mean", "sum")
] + ["KLDivLoss: {reduction: batchmean}"]
PAIRS = [("CosineEmbeddingLoss", "margin: 0.2"), ("TripletMarginLoss", "swap: false"), ("TripletMarginLoss", "swap: true")]  # fmt: skip


def agrees(tmp_path, text: str, **sizes):
    """Compare a network with torch: saved bytes, and the peak of the second step as a dispatch mode sees it."""
    path = tmp_path / "net.yaml"
    path.write_text("netcalc: 1\n" + text)
    net = netcalc.load(path)
    sizes = sizes or examples.sizes(net.graph, 2)
    result = training(net.graph, net.exported().emitter, sizes, Run(Rules(in_place=False)))
    assert sum(saved.storage.bytes for saved in result.saved) == measured.saved(net, sizes)
    assert Timeline(result.trace).peak(step=2).bytes == measured.peak(net, sizes)[0]


def between(line: str, shape: str) -> str:
    return f"input: {shape}\nlayers:\n  - Linear: 8\n  - {line}\n  - Linear: 4\n"


@pytest.mark.parametrize("line", ATTENTION + RECURRENT)
def test_sequences(tmp_path, line):
    agrees(tmp_path, between(line, "[N, 6, 8]"))


@pytest.mark.parametrize("line", CELLS)
def test_cells(tmp_path, line):
    agrees(tmp_path, between(line, "[N, 8]"))


@pytest.mark.parametrize("inputs", ["x, y", "x, y, y", "x, y, z"])
@pytest.mark.parametrize("width", [8, 12])
def test_attention_between_sequences(tmp_path, inputs, width):
    """Packed projections where the features are the same, else one for each."""
    agrees(
        tmp_path,
        f"""
inputs: {{a: [N, 6, 8], b: [N, 5, {width}]}}
layers:
  - x: {{Linear: 8}}
    from: a
  - y: {{Linear: {width}}}
    from: b
  - z: {{Linear: {width}}}
    from: b
  - att: {{MultiheadAttention: {{num_heads: 2, batch_first: true}}}}
    from: [{inputs}]
  - last: {{Linear: 4}}
outputs: [last, z]
""",
    )


@pytest.mark.parametrize(("kind", "states"), [("RNN", "h_n"), ("GRU", "h_n"), ("LSTM", "h_n, one.c_n")])
def test_states_from_another_layer(tmp_path, kind, states):
    """An encoder and a decoder that starts where it ended: gradients flow through the states."""
    agrees(
        tmp_path,
        f"""
inputs: {{a: [N, 6, 8], b: [N, 5, 8]}}
layers:
  - x: {{Linear: 8}}
    from: a
  - one: {{{kind}: {{hidden_size: 7, batch_first: true}}}}
  - y: {{Linear: 8}}
    from: b
  - two: {{{kind}: {{hidden_size: 7, batch_first: true}}}}
    from: [y, one.{states}]
  - Linear: 4
""",
    )


@pytest.mark.parametrize("line", LOSSES)
@pytest.mark.parametrize("shape", ["[N, 8]", "[N, 6, 8]", "[N, 6, 3, 8]"])
def test_losses(tmp_path, line, shape):
    agrees(tmp_path, f"input: {shape}\nlayers: [{{Linear: 8}}, ReLU, {{Linear: 10}}]\nloss: [{{{line}}}]\n")


def test_bce_loss(tmp_path):
    agrees(tmp_path, "input: [N, 8]\nlayers: [{Linear: 10}, Sigmoid]\nloss: BCELoss\n")


@pytest.mark.parametrize(("name", "options"), PAIRS)
def test_losses_of_several_outputs(tmp_path, name, options):
    names = ["p", "q", "r"][: 2 if name.startswith("Cos") else 3]
    heads = "".join(f"  - {one}: {{Linear: 10}}\n    from: h\n" for one in names)
    joined = ", ".join(names)
    agrees(
        tmp_path,
        f"input: [N, 8]\nlayers:\n  - h: {{Linear: 8}}\n{heads}outputs: [{joined}]\n"
        f"loss:\n  - {name}: {{{options}}}\n    from: [{joined}]\n",
    )


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize(
    "options", ["mode: sum", "mode: mean", "mode: max", "padding_idx: 1", "mode: sum, padding_idx: 1"]
)
def test_embedding_bag(tmp_path, options, dtype):
    bag = f"EmbeddingBag: {{num_embeddings: 20, embedding_dim: 4, {options}}}"
    agrees(tmp_path, f"inputs: {{x: {{shape: [N, 5], dtype: {dtype}}}}}\nlayers: [{{{bag}}}, {{Linear: 6}}]\n")


@pytest.mark.parametrize(("steps", "features", "hidden"), [(64, 48, 64), (7, 300, 200), (3, 64, 256), (5, 33, 100)])
def test_workspace_of_an_lstm(tmp_path, steps, features, hidden):
    """oneDNN's, of several pages and with its padding of rows."""
    text = f"input: [N, {steps}, {features}]\nlayers: [{{LSTM: {{hidden_size: {hidden}, batch_first: true}}}}, {{Linear: 4}}]\n"
    agrees(tmp_path, text, N=3)


# -- CUDA: what cuDNN saves, on paper


def saved_on_cuda(tmp_path, text: str, **sizes) -> dict:
    """The bytes that each layer saves."""
    path = tmp_path / "net.yaml"
    path.write_text("netcalc: 1\n" + text)
    net = netcalc.load(path)
    result = training(net.graph, net.exported().emitter, sizes, Run(Rules(cuda=True)))
    found: dict = {}
    for one in result.saved:
        found[one.layer] = found.get(one.layer, 0) + one.storage.bytes
    return found


LSTM = (
    "input: [N, T, 8]\nlayers: [{Linear: 8}, {LSTM: {hidden_size: 7, num_layers: 2, batch_first: true}}, {Linear: 4}]\n"
)


def test_cudnn_saves_input_states_and_output(tmp_path):
    """Its reserve aside: x [3, 5, 8], h_0 and c_0 [2, 3, 7] each, y [5, 3, 7], 4 bytes each."""
    found = saved_on_cuda(tmp_path, LSTM, N=3, T=5)
    assert found["1"] == 4 * (3 * 5 * 8 + 2 * (2 * 3 * 7) + 5 * 3 * 7)


def test_cudnn_does_not_count_steps(tmp_path):
    """The number of steps may be free."""
    found = saved_on_cuda(tmp_path, LSTM)
    assert at(found["1"], {"N": 3, "T": 5}) == 4 * (3 * 5 * 8 + 2 * (2 * 3 * 7) + 5 * 3 * 7)


def test_a_fused_cell_saves_gates_and_workspace(tmp_path):
    """x and h_0 for the weights, two products [3, 28], c_0 (the zeros of h_0), c_1, a workspace [3, 28]."""
    found = saved_on_cuda(tmp_path, "input: [N, 8]\nlayers: [{Linear: 8}, {LSTMCell: {hidden_size: 7}}]\n", N=3)
    assert found["1"] == 4 * (3 * 8 + 3 * 7 + 2 * 3 * 28 + 3 * 7 + 3 * 28)


def test_on_a_cpu_the_steps_must_be_known(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text("netcalc: 1\ninput: [T, N, 8]\nlayers: [{GRU: {hidden_size: 7}}]\n")
    net = netcalc.load(path)
    with pytest.raises(NetcalcError, match="T is not a number"):
        inference(net.graph, net.exported().emitter, {}, Rules())
