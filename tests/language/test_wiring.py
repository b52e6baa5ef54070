"""What reads what: from, references, containers, blocks, repeat and Reuse (sections 2.4, 2.8, 2.9 and 2.17a)."""

from __future__ import annotations

import pytest

from .specs import error, graph, net, net_error, output, reads, shape, types

LIN = "{Linear: {out_features: 4, bias: false}}"
LINE = LIN[1:-1]

# -- from and references


def test_each_layer_reads_the_one_before():
    g = net("- a: ReLU\n- b: Tanh\n- c: Sigmoid")
    assert (reads(g, "a"), reads(g, "b"), reads(g, "c")) == (["the input `input`"], ["a"], ["b"])


def test_from_one_several_and_prev():
    g = net("""
        - a: ReLU
        - b: {Tanh: }
        - c: Sigmoid
          from: a
        - d: {Concat: {dim: 1}}
          from: [prev, b, input]
    """)
    assert reads(g, "c") == ["a"] and reads(g, "d") == ["c", "b", "the input `input`"] and output(g) == "[N, 9, 8, 8]"


def test_every_layer_becomes_prev_sources_too():
    assert reads(net("- a: ReLU\n- p: {Parameter: {shape: [8]}}\n- b: {Add: [prev, a]}"), "b") == ["p", "a"]


def test_names_of_enclosing_groups_are_seen_and_inner_ones_are_not():
    g = net("- a: ReLU\n- g:\n    - h:\n        - b: Tanh\n        - c: {Add: [a, b]}")
    assert reads(g, "g.h.c") == ["a", "g.h.b"]
    assert net_error("- g: [{b: Tanh}]\n- Add: [b, input]").code == "E310"


def test_an_inner_name_hides_the_outer_one():
    assert reads(net("- a: ReLU\n- g:\n    - a: Tanh\n    - c: {Add: [a, prev]}"), "g.c") == ["g.a", "g.a"]


def test_input_in_a_group_is_that_of_the_model_and_in_a_block_that_of_the_block():
    g = graph(
        "input: [N, 4]\nlayers:\n  - a: ReLU\n  - g: [{b: {Add: [prev, input]}}]\n  - B\nblocks:\n  B: {layers: [Tanh, {g: [{c: {Add: [prev, input]}}]}]}"
    )
    assert reads(g, "g.b") == ["a", "the input `input`"] and reads(g, "2.g.c") == ["2.0", "g.b"]


@pytest.mark.parametrize("container", ["Residual: [{b: Tanh}]", "Parallel: [ReLU, {b: Tanh}]\n  merge: Add"])
def test_names_in_unnamed_wiring_are_seen_inside_it_only(container):
    assert net_error(f"- {container}\n- Add: [b, input]").code == "E310"


@pytest.mark.parametrize("layers, makers", [
    ("- g: [{a: ReLU}, Tanh]\n- x: {Add: [g.a, g.1]}", ["g.a", "g.1"]),
    ("- g: [{a: ReLU}, Tanh]\n- x: {Add: [g.0, g]}", ["g.a", "g.1"]),
    ("- h: ReLU\n  repeat: 12\n- x: {Add: [h.11, h.0]}", ["h.11", "h.0"]),
    ("- h: [{a: ReLU}, {b: Tanh}]\n  repeat: 2\n- x: {Add: [h.1.a, h.0.b]}", ["h.1.a", "h.0.b"]),
    ("- h: ReLU\n  repeat: 3\n  name: l{i}\n- x: {Add: [h.l1, h]}", ["h.l1", "h.l2"]),
    ("- c: {Chunk: {chunks: 3, dim: 1}}\n- x: {Add: [c.0, c.2]}", ["c", "c"]),
    ("- c: {Chunk: {chunks: 3, dim: 1}}\n- x: {Add: [prev.1, c]}", ["c", "c"]),
    ("- p: {Parallel: [{a: ReLU}, Tanh]}\n- x: {Add: [p.a, p.1]}", ["p.a", "p.1"]),
    ("- p: {Parallel: [ReLU, Tanh]}\n- x: {Add: [p.0, p.1]}", ["p.0", "p.1"]),
    ("- m: {Max: {dim: 1}}\n- x: {Add: [m.values, m]}", ["m", "m"]),
])  # fmt: skip
def test_parts(layers, makers):
    assert reads(net(layers), "x") == makers


def test_a_layer_with_several_outputs_passes_its_first_one_on():
    g = net("- lstm: {LSTM: {hidden_size: 6, batch_first: true}}\n- x: ReLU\n- y: ReLU\n  from: lstm.c_n", "[N, T, 5]")
    assert [value.part for node in g.nodes[1:] for value in node.inputs] == [0, 2]
    assert [shape(node.outputs[0]) for node in g.nodes] == ["[N, T, 6]", "[N, T, 6]", "[1, N, 6]"]


def test_max_has_values_and_indices():
    g = net("- m: {Max: {dim: 1}}\n- e: {Embedding: {num_embeddings: 3, embedding_dim: 7}}\n  from: m.indices")
    assert output(g) == "[N, 8, 8, 7]"


def test_reference_to_a_parameter():
    g = graph("""
        inputs: {tokens: {shape: [N, T], dtype: int64}}
        layers:
          - wte: {Embedding: {num_embeddings: 10, embedding_dim: 4}}
          - back: {Transpose: {dim0: 0, dim1: 1}}
            from: wte.weight
          - MatMul: [wte, back]
    """)
    assert output(g) == "[N, T, 10]"
    assert g.nodes[1].inputs[0].node is g.nodes[0]


@pytest.mark.parametrize("reference, code, part", [
    ("later", "E310", "no layer or input `later` before this point"), ("g.c", "E311", "`g` has no part `c`"),
    ("g.5", "E311", "`g` has no part `5`"), ("a.0", "E311", "`a` has no part `0`"),
    ("blk.inner", "E311", "`blk` has no part `inner`"),
    ("two", "E313", "2 outputs"), ("0", "E310", "not by number (0)"), ("-1", "E310", "not by number (-1)"),
    ("g.", "E310", "`g.` is not a reference"), ("[a]", "E310", "not by number"), ("a b", "E310", "is not a reference"),
    ("self", "E310", "`self`"), ("prev.x", "E311", "has no part `x`"),
])  # fmt: skip
def test_reference_to_what_is_not_there(reference, code, part):
    problem = error(f"""
        input: [N, 4]
        layers:
          - a: ReLU
          - g: [{{b: ReLU}}]
          - blk: Blk
          - two: {{Parallel: [ReLU, Tanh]}}
          - ReLU:
            from: a
          - self: {{Flatten: }}
            from: [{reference}]
          - later: ReLU
        blocks:
          Blk: {{layers: [{{inner: ReLU}}]}}
    """)
    assert problem.code == code and part in problem.text


def test_a_layer_does_not_see_its_own_copies():
    assert net_error("- h: [{Add: [h, prev]}]\n  repeat: 2").code == "E310"


def test_a_block_is_closed():
    problem = error("input: [N, 4]\nlayers: [{b: B}, {Add: [b.inner, prev]}]\nblocks: {B: {layers: [{inner: ReLU}]}}")
    assert problem.code == "E311" and "from outside only its outputs can be named" in problem.help
    problem = error("input: [N, 4]\nargs: {width: 3}\nlayers: [{a: ReLU}, B]\nblocks: {B: {layers: [{Linear: width}]}}")
    assert problem.code == "E302" and "`width` in block B" in problem.text
    assert error("input: [N, 4]\nlayers: [{a: ReLU}, B]\nblocks: {B: {layers: [{Add: [a, prev]}]}}").code == "E310"


# -- operators


@pytest.mark.parametrize("operation, makers, given", [
    ("Add: [a, b]", ["a", "b"], None), ("Add: a", ["b", "a"], None), ("Sub: [1, a]", ["a"], [1, None]),
    ("Mul: [a, 2 * k]", ["a"], [None, 6]), ("Mul: 2", ["b"], [None, 2]), ("Mul: [2, prev]", ["b"], [2, None]),
    ("Div: [prev, 2 ** k]", ["b"], [None, 8]), ("Add: [prev, prev]", ["b", "b"], None),
    ("Add: [a, b, input]", ["a", "b", "the input `input`"], None), ("Mul: k", ["b"], [None, 3]),
])  # fmt: skip
def test_operands(operation, makers, given):
    g = graph(f"args: {{k: 3}}\ninput: [N, 4]\nlayers:\n  - a: ReLU\n  - b: Tanh\n  - x: {{{operation}}}\n")
    assert reads(g, "x") == makers
    assert g.nodes[-1].layer.given.get("operands") == given


def test_operands_and_from():
    assert reads(net("- a: ReLU\n- b: Tanh\n- x: {Mul: 2}\n  from: a"), "x") == ["a"]
    assert reads(net("- a: ReLU\n- b: Tanh\n- x: {Sub: a}\n  from: b"), "x") == ["b", "a"]
    assert reads(net("- a: ReLU\n- b: Tanh\n- x: Sub\n  from: [b, a]"), "x") == ["b", "a"]
    assert net_error("- a: ReLU\n- b: Tanh\n- x: {Sub: [a, b]}\n  from: input").code == "E313"


def test_an_operand_that_is_a_layer_and_an_argument():
    problem = error("args: {scale: 2}\ninput: [N, 4]\nlayers: [{scale: ReLU}, {Mul: [prev, scale]}]")
    assert problem.code == "E314" and problem.help == "rename one of them"
    assert error("args: {x: 2}\ninputs: {x: [N, 4], y: [N, 4]}\nlayers: [{Mul: [y, x]}]").code == "E314"


@pytest.mark.parametrize("operand", ["true", "[1, 2]", "ReLU"])
def test_an_operand_that_is_no_number(operand):
    assert net_error(f"- Mul: [prev, {operand}]").code == "E310"


# -- containers


def test_residual_adds_its_input():
    g = net("- a: ReLU\n- r: {Residual: [Tanh, {b: Sigmoid}]}")
    assert reads(g, "r.add") == ["r.b", "a"] and types(g) == ["ReLU", "Tanh", "Sigmoid", "Add"]


def test_residual_with_shortcut():
    g = net(
        "- Residual: [{a: {Conv2d: {out_channels: 5, kernel_size: 1}}}]\n  shortcut: [{b: {Conv2d: {out_channels: 5, kernel_size: 1}}}]"
    )
    assert (reads(g, "a"), reads(g, "b"), reads(g, "add")) == (["the input `input`"], ["the input `input`"], ["a", "b"])


def test_an_empty_shortcut_is_the_identity():
    g = net(
        "- Residual: [{a: ReLU}]\n  shortcut:\n    - down: {Conv2d: {out_channels: 5, kernel_size: 1}}\n      when: 1 > 2"
    )
    assert reads(g, "add") == ["a", "the input `input`"]


def test_residual_reads_from():
    assert reads(net("- a: ReLU\n- b: Tanh\n- Residual: [{c: Tanh}]\n  from: a"), "add") == ["c", "a"]


def test_parallel_with_merge():
    g = net("- p: {Parallel: [{a: ReLU}, {b: [Tanh]}]}\n  merge: {Concat: {dim: 1}}")
    assert reads(g, "p.concat") == ["p.a", "p.b.0"] and output(g) == "[N, 6, 8, 8]"


def test_parallel_without_merge_has_parts():
    g = net("- p: {Parallel: [{a: ReLU}, Tanh]}\n- Concat: {dim: 1}\n  from: [p.1, p.a, p.0]")
    assert [value.node.path for value in g.nodes[-1].inputs] == ["p.1", "p.a", "p.a"]
    assert net_error("- Parallel: [ReLU, Tanh]\n- Flatten").code == "E313"


def test_a_branch_that_when_deletes():
    g = net("- Parallel:\n    - ReLU\n    - Tanh:\n      when: 1 > 2\n    - Sigmoid\n  merge: {Concat: {dim: 1}}")
    assert types(g) == ["ReLU", "Sigmoid", "Concat"] and output(g) == "[N, 6, 8, 8]"


def test_a_branch_that_is_empty_passes_the_input_on():
    g = net("- Parallel:\n    - g:\n        - Tanh:\n          when: 1 > 2\n    - Sigmoid\n  merge: {Concat: {dim: 1}}")
    assert [value.label or value.node.path for value in g.nodes[-1].inputs] == ["the input `input`", "1"]


def test_parallel_of_several_inputs():
    g = graph(
        "inputs: {x: [N, 3], y: [N, 4]}\nlayers:\n  - Parallel:\n      - a: ReLU\n        from: x\n      - b: Tanh\n        from: y\n    merge: {Concat: {dim: 1}}"
    )
    assert output(g) == "[N, 7]"


@pytest.mark.parametrize("merge", ["Pair", "{Pair: }"])
def test_merge_by_a_block(merge):
    problem = error(
        f"input: [N, 4]\nlayers: [{{Parallel: [ReLU, Tanh], merge: {merge}}}]\nblocks: {{Pair: {{inputs: {{x: [N, C], y: [N, C]}}, layers: [{{Add: [x, y]}}]}}}}"
    )
    assert problem.code == "E217"


def test_a_group_reads_one_thing():
    assert reads(net("- a: ReLU\n- b: Tanh\n- g: [{c: Tanh}]\n  from: a"), "g.c") == ["a"]
    assert net_error("- a: ReLU\n- g: [{c: Tanh}]\n  from: [a, input]").code == "E313"
    assert net_error("- g: [{c: Tanh}]\n  from: []").code == "E313"


def test_sources_read_nothing():
    assert net_error("- Parameter: {shape: [3]}\n  from: input").code == "E313"


# -- several inputs and outputs


def test_several_inputs_have_no_first():
    text = "inputs: {{x: [N, 3], y: [N, 4]}}\nlayers:\n  - a: {{Flatten: }}\n{}  - b: ReLU\n"
    assert error(text.format("")).code == "E313"
    assert reads(graph(text.format("    from: y\n")), "b") == ["a"]
    problem = error("inputs: {x: [N, 3], y: [N, 4]}\nlayers: [{Add: [input, 1]}]")
    assert (
        problem.code == "E310" and "there are several inputs" in problem.text and problem.help == "The inputs are x, y"
    )


def test_outputs_as_a_list_and_as_a_mapping():
    body = "input: [N, 4]\nlayers: [{a: ReLU}, {c: {Chunk: {chunks: 2, dim: 1}}}, {g: [Tanh]}]\n"
    assert [(n, v.node.path, v.part) for n, v in graph(body + "outputs: [a, c.1, prev]").outputs] == [
        ("a", "a", 0),
        ("c_1", "c", 1),
        ("prev", "g.0", 0),
    ]
    assert [(n, v.node.path) for n, v in graph(body + "outputs: {first: a, second: g.0}").outputs] == [
        ("first", "a"),
        ("second", "g.0"),
    ]
    assert error(body + "outputs: [b]").code == "E310"


def test_an_output_that_when_deletes_disappears():
    body = "args: {aux: false}\ninput: [N, 4]\nlayers:\n  - a: ReLU\n  - b: Tanh\n    when: aux\n  - c: Flatten\noutputs: {main: c, aux: b}"
    assert [n for n, _ in graph(body).outputs] == ["main"]
    assert [n for n, _ in graph(body, given={"aux": True}).outputs] == ["main", "aux"]
    assert error(body.replace("main: c, ", "")).code == "E312"


def test_a_model_that_ends_in_several_outputs_returns_them_all():
    g = graph("input: [N, 4]\nlayers: [B]\nblocks: {B: {layers: [{a: ReLU}, {b: Tanh}], outputs: {x: a, y: b}}}")
    assert [(n, v.node.path) for n, v in g.outputs] == [("x", "0.a"), ("y", "0.b")]


def test_loss_with_several_outputs_says_from():
    body = "input: [N, 4]\nlayers: [{a: {Linear: 3}}, {b: {Linear: 1}}]\noutputs: [a, b]\n"
    assert error(body + "loss: CrossEntropyLoss").code == "E313"
    assert [node.type for node in graph(body + "loss: {CrossEntropyLoss: , from: a}").loss] == ["CrossEntropyLoss"]
    assert error(body.replace("[a, b]", "[a]") + "loss: ReLU").code == "E502"


# -- when


def test_when_deletes_the_line():
    g = net("- a: ReLU\n- b: Tanh\n  when: 1 > 2\n- c: Sigmoid")
    assert reads(g, "c") == ["a"]


def test_two_lines_are_an_alternative_with_their_own_from():
    text = "- a: ReLU\n- b: Tanh\n- near: Sigmoid\n  from: a\n  when: %s\n- far: Flatten\n  from: b\n  when: not %s\n- x: ReLU"
    assert reads(net(text % ("true", "true")), "x") == ["near"] and reads(net(text % ("false", "false")), "x") == [
        "far"
    ]


def test_reference_to_a_deleted_line():
    problem = net_error("- a: ReLU\n- b: Tanh\n  when: 1 > 2\n- Add: [a, b]")
    assert (problem.code, problem.text) == ("E312", "`b` is not there: its `when` is false")
    assert "one named group" in problem.help and str(problem.notes[0][1]) == "net.yaml:5:5"


def test_alternatives_in_a_named_group():
    g = net("- a: ReLU\n- alt:\n    - Tanh:\n      when: 1 > 2\n- x: {Add: [alt, input]}")
    assert reads(g, "x") == ["a", "the input `input`"]


@pytest.mark.parametrize(
    "condition, code",
    [
        ("1", "E304"),
        ("a", "E304"),
        ("H", "E304"),
        ("H > 5", "E309"),
        ("H >= 1", None),
        ("nothing", "E302"),
        ("[true]", "E304"),
        ("", "E304"),
        ("Act == ReLU", None),
        ("Act", "E304"),
    ],
)
def test_conditions(condition, code):
    text = f"args: {{a: 1, Act: ReLU}}\ninput: [N, H]\nlayers:\n  - Tanh:\n    when: {condition}\n  - Add: [prev, a]"
    if code:
        assert error(text).code == code
    else:
        assert types(graph(text)) == ["Tanh", "Add"]
