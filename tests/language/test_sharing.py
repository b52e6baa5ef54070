"""Weights used more than once, frozen or recomputed: Reuse, tie, freeze and checkpoint (sections 2.4 and 2.17a)."""

from __future__ import annotations

import pytest

from .specs import error, graph, keys, net, net_error, shape

LIN = "{Linear: {out_features: 4, bias: false}}"
LINE = LIN[1:-1]

# -- Reuse


def test_reuse_of_a_layer():
    g = graph(
        "inputs: {x: [N, 4], y: [M, 4]}\nlayers:\n  - fc: {Linear: 3}\n    from: x\n  - Reuse: fc\n    from: y\noutputs: [fc, prev]"
    )
    first, second = g.nodes
    assert second.original is first and second.path == "fc" and shape(second.outputs[0]) == "[M, 3]"
    assert keys(g) == ["fc.weight", "fc.bias"]


@pytest.mark.parametrize("what", [
    f"enc: [{LIN}, ReLU]", "enc: B", f"enc: {{Residual: [{LIN}]}}", f"enc: {{Parallel: [{LIN}, ReLU]}}\n  merge: Add", f"enc: {LIN}\n  repeat: 2", "enc: B\n  repeat: 2", f"enc: [{{Residual: [{LIN}]}}, {{a: B}}]\n  repeat: 2",
])  # fmt: skip
def test_reuse_of_more(what):
    lines = "".join(f"  {line}\n" for line in f"- {what}".split("\n"))
    g = graph(f"input: [N, 4]\nlayers:\n{lines}  - twin: {{Reuse: enc}}\n    from: input\n  - Sub: [enc, twin]\n"
              f"blocks:\n  B: {{layers: [{LIN}, {{g: [ReLU]}}]}}\n")  # fmt: skip
    half = len(g.nodes) // 2
    for first, second in zip(g.nodes[:half], g.nodes[half:-1], strict=True):
        assert second.original is first and second.path == first.path and second.layer.type == first.layer.type
    assert [value.node for value in g.nodes[-1].inputs] == [g.nodes[half - 1], g.nodes[-2]]
    assert all(key.endswith("weight") for key in keys(g)) and len(set(keys(g))) == len(keys(g))


def test_reuse_reads_what_stands_before_it():
    g = net(f"- enc: [{LIN}, ReLU]\n- a: Tanh\n- Reuse: enc", "[N, 4]")
    assert g.nodes[3].inputs[0].node.path == "a"


def test_reuse_of_a_copy_a_part_and_a_reuse():
    g = net(
        f"- h: {LIN}\n  repeat: 3\n- Reuse: h.1\n- g: [{LIN}]\n- Reuse: g.0\n- twin: {{Reuse: h.0}}\n- Reuse: twin",
        "[N, 4]",
    )
    assert [node.original.path if node.original else None for node in g.nodes] == [
        None,
        None,
        None,
        "h.1",
        None,
        "g.0",
        "h.0",
        "h.0",
    ]


def test_reuse_with_repeat():
    """ALBERT: one layer's weights, twelve layers deep."""
    g = net(f"- layer: {LIN}\n- Reuse: layer\n  repeat: 11", "[N, 4]")
    assert len(g.nodes) == 12 and keys(g) == ["layer.weight"]
    assert [node.inputs[0].node for node in g.nodes[1:]] == list(g.nodes[:-1])


def test_reuse_of_a_block_with_several_inputs():
    text = """
        inputs: {x: [N, 4], y: [N, 4]}
        layers:
          - f: Pair
            from: {a: x, b: y}
          - g: {Reuse: f}
            from: {a: y, b: x}
          - Add: [f, g]
        blocks:
          Pair: {inputs: {a: [N, C], b: [N, C]}, layers: [{u: {Linear: C}, from: a}, {v: {Add: [u, b]}}]}
    """
    g = graph(text)
    assert [[v.label or v.node.path for v in node.inputs] for node in g.nodes[:4]] == [
        ["the input `x`"],
        ["f.u", "the input `y`"],
        ["the input `y`"],
        ["f.u", "the input `x`"],
    ]
    assert error(text.replace("from: {a: y, b: x}", "from: x")).code == "E313"


def test_reuse_of_a_layer_with_several_inputs():
    g = net(
        "- att: {MultiheadAttention: {num_heads: 2, batch_first: true}}\n  from: [input, input, input]\n- Reuse: att\n  from: [prev, input, input]",
        "[N, T, 4]",
    )
    assert [v.label or v.node.path for v in g.nodes[1].inputs] == ["att", "the input `input`", "the input `input`"]


def test_reuse_of_an_operator_keeps_its_numbers():
    g = net("- scale: {Mul: 0.5}\n- Reuse: scale", "[N, 4]")
    assert g.nodes[1].layer.given["operands"] == g.nodes[0].layer.given["operands"]


def test_reuse_of_a_layer_in_unnamed_wiring():
    assert net(f"- Residual: [{{fc: {LIN}}}]\n- Reuse: fc", "[N, 4]").nodes[-1].original.path == "fc"


def test_reuse_in_a_reused_group():
    g = net(f"- fc: {LIN}\n- g: [{{Reuse: fc}}, {LIN}]\n- Reuse: g", "[N, 4]")
    assert [node.original.path if node.original else None for node in g.nodes] == [None, "fc", None, "fc", "g.1"]


@pytest.mark.parametrize("layers, code", [
    ("- a: ReLU\n- Reuse: b", "E310"), ("- a: ReLU\n- Reuse: prev", "E224"), ("- a: ReLU\n- Reuse: input", "E224"),
    ("- a: ReLU\n- Reuse", "E235"), ("- a: {Linear: 4}\n- Reuse: a.weight", "E224"),
    ("- c: {Chunk: {chunks: 2, dim: 1}}\n- Reuse: c.0", "E224"),
    ("- a: ReLU\n- Reuse: a\n  from: [a, input]", "E313"), ("- a: ReLU\n- Reuse: a\n  tie: {weight: b}", "E217"),
    ("- a: ReLU\n- Reuse: a\n  freeze: true", "E217"), ("- fc: {Linear: 3}\n- Reuse: fc", "E225"),
    ("- a: [{Linear: 8}]\n- b: {Linear: 7}\n- Reuse: a", "E225"),
])  # fmt: skip
def test_reuse_that_cannot_be(layers, code):
    assert net_error(layers, "[N, 4]").code == code


def test_reuse_of_a_block_whose_conditions_come_out_differently():
    text = "input: [N, 4]\nlayers:\n  - b: B\n  - Slice: {dim: 1, end: 2}\n  - Reuse: b\nblocks:\n  B: {input: [N, C], layers: [ReLU, {Tanh: , when: C > 3}]}"
    assert error(text).code == "E225"


# -- tie, freeze, checkpoint


def test_tie():
    g = graph("""
        inputs: {tokens: {shape: [N, T], dtype: int64}}
        layers:
          - t: [{wte: {Embedding: {num_embeddings: 10, embedding_dim: 4}}}]
          - head: {Linear: {out_features: 10, bias: false}}
            tie: {weight: t.wte.weight}
          - ReLU
          - Slice: {dim: 2, end: 4}
          - again: {Linear: {out_features: 10, bias: false}}
            tie: {weight: head.weight}
    """)
    wte = g.nodes[0]
    assert g.nodes[1].tied == {"weight": (wte, "weight")} and g.nodes[4].tied == {"weight": (wte, "weight")}


def test_tie_to_a_parameter():
    g = net(
        "- p: {Parameter: {shape: [6, 4]}}\n- fc: {Linear: {out_features: 6, bias: false}}\n  from: input\n  tie: {weight: p}\n- MatMul: [fc, p]",
        "[N, 4]",
    )
    assert g.nodes[1].tied == {"weight": (g.nodes[0], "")}


@pytest.mark.parametrize(
    "tie, code",
    [
        ("{bias: a.weight}", "E227"),
        ("{weight: a}", "E227"),
        ("{weight: a.bias}", "E311"),
        ("a.weight", "E227"),
        ("{weight: x.weight}", "E310"),
        ("{weight: later.weight}", "E310"),
    ],
)
def test_tie_that_cannot_be(tie, code):
    assert net_error(f"- a: {LIN}\n- b: {LIN}\n  tie: {tie}\n- later: {LIN}", "[N, 4]").code == code


def test_tie_of_a_block():
    assert error("input: [N, 4]\nlayers: [{B: , tie: {weight: x}}]\nblocks: {B: {layers: [ReLU]}}").code == "E227"


def test_freeze_is_inherited():
    g = graph(
        f"input: [N, 4]\nlayers:\n  - a: {LIN}\n  - g:\n      - {LINE}\n      - B\n      - {LINE}\n        freeze: false\n    freeze: true\n  - {LINE}\n    freeze: true\n    repeat: 2\nblocks: {{B: {{layers: [{{Residual: [{LIN}]}}]}}}}"
    )
    assert [(node.path, node.frozen) for node in g.nodes] == [
        ("a", False),
        ("g.0", True),
        ("g.1.0", True),
        ("g.1.add", True),
        ("g.2", False),
        ("2", True),
        ("3", True),
    ]


def test_checkpoint_is_inherited_and_each_copy_is_a_stretch():
    g = net(
        f"- a: ReLU\n- h: [{LIN}, ReLU]\n  checkpoint: true\n  repeat: 2\n- b: Tanh\n- c: Tanh\n  checkpoint: true",
        "[N, 4]",
    )
    assert [node.segment for node in g.nodes] == [None, "h.0", "h.0", "h.1", "h.1", None, "c"]


def test_checkpointed_stretches_are_distinct():
    """Unnamed wiring has the path of its list, and a layer used again the path of the first time."""
    g = net(
        f"- Residual: [{LIN}]\n  checkpoint: true\n  repeat: 2\n- g: [{LIN}]\n  checkpoint: true\n- Reuse: g\n- ReLU\n- Reuse: g\n  checkpoint: true",
        "[N, 4]",
    )
    stretches = [node.segment for node in g.nodes]
    assert stretches[0] == stretches[1] and stretches[2] == stretches[3] and stretches[6] is None
    distinct = [stretches[0], stretches[2], stretches[4], stretches[5], stretches[7]]
    assert None not in distinct and len(set(distinct)) == 5


def test_a_layer_used_again_is_checkpointed_where_it_stands():
    g = net(
        f"- fc: {LIN}\n- g:\n    - ReLU\n    - Reuse: fc\n  checkpoint: true\n- h: [ReLU, {LIN}]\n  checkpoint: true\n- Reuse: h.1",
        "[N, 4]",
    )
    assert [node.segment for node in g.nodes] == [None, "g", "g", "h", "h", None]


@pytest.mark.parametrize("word", ["freeze", "checkpoint"])
def test_switches_need_true_or_false(word):
    assert net_error(f"- ReLU:\n  {word}: 1").code == "E304"
    assert net_error(f"- g: [ReLU]\n  {word}: yes").code in ("E302", "E304")
