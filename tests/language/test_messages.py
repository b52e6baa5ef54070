"""The further cases of the language document's section on errors, and what goes with every message."""

from __future__ import annotations

import pytest

from netcalc.elaborate import elaborate
from netcalc.errors import Diagnostic, Source, SpecError, Where, closest
from netcalc.language.files import spec_of_file, spec_of_text

from .specs import error, graph, net, net_error


def codes(graph) -> list[str]:
    return [warning.code for warning in graph.warnings]


def warning(graph, code: str):
    [found] = [w for w in graph.warnings if w.code == code]
    return found


# -- E416


def test_in_place_on_a_tensor_that_a_residual_still_adds():
    problem = net_error("""
        - conv: {Conv2d: {out_channels: 3, kernel_size: 3, padding: 1}}
        - Residual:
            - act: {ReLU: {inplace: true}}
            - Conv2d: {out_channels: 3, kernel_size: 1}
    """)
    assert problem.code == "E416"
    assert problem.text == "ReLU with inplace: true overwrites the output of conv, which Residual still has to add"
    assert problem.help == "leave inplace out here"
    assert str(problem.where) == "net.yaml:6:15"


def test_in_place_through_a_view():
    """Flatten shares the storage of its input, so what it gives is overwritten with it."""
    problem = net_error("""
        - conv: {Conv2d: {out_channels: 3, kernel_size: 1}}
        - flat: Flatten
        - ReLU: {inplace: true}
          from: conv
        - Flatten
        - Add: [prev, flat]
    """)
    assert problem.code == "E416"


@pytest.mark.parametrize("layers", [
    "- Conv2d: {out_channels: 3, kernel_size: 1}\n- ReLU: {inplace: true}\n- ReLU: {inplace: true}",
    "- a: {Conv2d: {out_channels: 3, kernel_size: 1}}\n- b: {Sigmoid: }\n- ReLU: {inplace: true}\n- Add: [prev, a]",
])  # fmt: skip
def test_in_place_where_nothing_is_lost(layers):
    assert net(layers).nodes


# -- warnings


def test_outputs_that_the_model_drops():
    g = net("- lstm: {LSTM: {hidden_size: 4, batch_first: true}}", "[N, T, 8]")
    found = warning(g, "W405")
    assert found.text == "the model returns lstm.output only; h_n and c_n are dropped"
    assert found.help == "outputs: [lstm.output, lstm.h_n]"
    assert "W405" not in codes(
        graph(
            "input: [N, T, 8]\nlayers:\n  - lstm: {LSTM: {hidden_size: 4, batch_first: true}}\noutputs: [lstm.output]"
        )
    )


def test_outputs_dropped_inside_a_group_are_named_by_their_path():
    g = net("- rnn:\n  - lstm: {LSTM: {hidden_size: 4, batch_first: true}}", "[N, T, 8]")
    assert warning(g, "W405").help == "outputs: [rnn.lstm.output, rnn.lstm.h_n]"
    text = "input: [N, T, 8]\nlayers:\n  - rnn:\n      - lstm: {LSTM: {hidden_size: 4, batch_first: true}}\noutputs: [rnn.lstm.output, rnn.lstm.h_n]"
    assert [value.shape[-1] for _, value in graph(text).outputs] == [4, 4]


def test_unnamed_layer_with_parameters_among_named_ones():
    g = net("- a: Flatten\n- Linear: 10")
    assert warning(g, "W404").text == 'Linear has parameters but no name; its state_dict key would be "1.weight"'
    assert warning(g, "W404").help == "- fc: {Linear: 10}"
    assert "W404" not in codes(net("- Flatten\n- Linear: 10"))
    assert "W404" not in codes(net("- a: Flatten\n- ReLU\n- b: {Linear: 10}"))


def test_block_never_used():
    g = graph("""
        input: [N, 4]
        layers: [ReLU]
        blocks:
          Bottleneck: {layers: [Inner]}
          Inner: {layers: [ReLU]}
    """)
    texts = {w.text for w in g.warnings if w.code == "W302"}
    assert "block Bottleneck is never used" in texts


def test_argument_used_only_elsewhere_is_used():
    """By another variant's value, in a name, in a condition or in a default."""
    g = graph("""
        args: {a: 1, b: 2, c: a, d: 3, e: false, Act: ReLU}
        variants: {big: {args: {d: b}}}
        input: [N, 4]
        layers:
          - Linear: {out_features: d}
            repeat: 1
            name: l{c}
          - Act
          - Dropout:
            when: e
    """)
    assert "W301" not in codes(g)


def test_repeat_zero():
    g = net("- ReLU:\n  repeat: 0\n- Flatten")
    assert warning(g, "W303").text == "repeat is 0: this layer is not there"
    assert [node.type for node in g.nodes] == ["Flatten"]


def test_a_free_size_where_padding_matters():
    layers = """
        - MaxPool2d: 2
        - ConvTranspose2d: {out_channels: 3, kernel_size: 2, stride: 2}
    """
    found = [w for w in net(layers, "[N, 3, H, 8]").warnings if w.code == "W406"]
    assert found and "H must be even" in found[0].text
    assert "MaxPool2d" in found[0].text and "ConvTranspose2d" in found[0].text
    assert "W406" not in codes(net(layers, "[N, 3, 2*H, 8]"))
    assert "W406" not in codes(net(layers, "[N, 3, 9, 8]"))


def test_own_block_before_a_layer_of_that_name():
    """A note, not a warning: a new layer must not break an old file, not even in strict mode."""
    text = "input: [N, 4]\nlayers: [Mish]\nblocks:\n  Mish: {layers: [Tanh]}"
    g = graph(text)
    assert [node.type for node in g.nodes] == ["Tanh"]
    [note] = g.warnings
    assert note.severity == "note" and "Mish" in note.text and str(note.where) == "net.yaml:5:3"


# -- E1xx, E2xx and E4xx of the table


def test_import_cycle_names_both_places(tmp_path):
    (tmp_path / "a.yaml").write_text("netcalc: 1\nimports: {b.yaml: [B]}\nblocks:\n  A: {layers: [B]}\n")
    (tmp_path / "b.yaml").write_text("netcalc: 1\nimports: {a.yaml: [A]}\nblocks:\n  B: {layers: [A]}\n")
    with pytest.raises(SpecError) as caught:
        spec_of_file(tmp_path / "a.yaml", "a.yaml")
    [problem] = caught.value.diagnostics
    assert (problem.code, problem.text) == ("E207", "a.yaml imports b.yaml, which imports a.yaml")
    assert str(problem.where).endswith("b.yaml:2:11")
    assert [(text, str(where)) for text, where in problem.notes] == [("b.yaml is imported here", "a.yaml:2:11")]


def test_file_that_imports_itself(tmp_path):
    (tmp_path / "a.yaml").write_text("netcalc: 1\nimports: {./a.yaml: [A]}\nblocks:\n  A: {layers: [ReLU]}\n")
    with pytest.raises(SpecError, match=r"E207.*a\.yaml imports itself"):
        spec_of_file(tmp_path / "a.yaml")


def test_imported_name_clashes(tmp_path):
    (tmp_path / "resnet.yaml").write_text("netcalc: 1\nblocks:\n  Bottleneck: {layers: [ReLU]}\n")
    (tmp_path / "a.yaml").write_text(
        "netcalc: 1\nimports: {resnet.yaml: [Bottleneck]}\nblocks:\n  Bottleneck: {layers: [Tanh]}\n"
    )
    with pytest.raises(SpecError) as caught:
        spec_of_file(tmp_path / "a.yaml", "a.yaml")
    [problem] = caught.value.diagnostics
    assert (problem.code, problem.text) == ("E206", "Bottleneck is defined here and imported from resnet.yaml")
    assert str(problem.notes[0][1]) == "a.yaml:4:3"


def test_alias_bomb():
    lines = ["about:", "  a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"  a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    problem = error("\n".join(lines) + "\ninput: [N]\nlayers: [ReLU]")
    assert problem.code == "E107"
    assert problem.text == "this file grows to more than 10,000 nodes through aliases"


def test_tag():
    problem = net_error("- !ReLU {}")
    assert (problem.code, problem.text, problem.help) == ("E108", "the tag !ReLU is not part of netcalc", "write ReLU")


def test_dtypes_that_differ():
    problem = error("""
        inputs: {x: [N, 4], tokens: {shape: [N, 4], dtype: int64}}
        layers:
          - a: {Linear: 4}
            from: x
          - Add: [a, tokens]
    """)
    assert (problem.code, problem.layer) == ("E417", "1")
    assert problem.text == "Add of float32 (layer `a`) and int64 (the input `tokens`)"


def test_bare_layer_before_a_keyword_line():
    problem = net_error("- ReLU\n  repeat: 2")
    assert problem.code == "E100"
    assert "write `- ReLU:` with a colon" in problem.help


def test_bare_named_layer_before_a_keyword_line():
    """With a name the line needs nothing: its keywords stand in the same mapping."""
    assert [node.path for node in net("- act: ReLU\n  repeat: 2").nodes] == ["act.0", "act.1"]


# -- several at once, and what is printed


def test_structural_errors_come_together():
    with pytest.raises(SpecError) as caught:
        net("- conv2d: {out_channels: 64}\n- ReLU:\n  wehn: true\n- type: ReLU")
    assert [d.code for d in caught.value.diagnostics] == ["E220", "E215", "E222"]


def test_notes_for_each_level_of_blocks():
    problem = graph_error = error("""
        input: [N, 4]
        layers: [Outer]
        blocks:
          Outer: {layers: [Inner]}
          Inner: {layers: [{Linear: 0}]}
    """)
    assert graph_error.code == "E411"
    assert problem.layer == "0.0.0"
    assert [text for text, _ in problem.notes] == ["inside block Inner, used here", "inside block Outer, used here"]


def test_nothing_that_a_terminal_would_obey_is_printed():
    problem = net_error('- "\\e[31mred\\u202e": ReLU')
    assert "\x1b" not in str(problem) and "\u202e" not in str(problem)


def test_a_long_line_is_cut_around_the_place():
    source = Source("net.yaml", "x" * 5000 + "HERE" + "y" * 5000)
    quoted = str(Diagnostic("E100", "text", Where(source, 1, 5001, 4))).split("\n")
    assert quoted[1].rindex("HERE") == quoted[2].index("^^^^") and len(quoted[1]) < 200


def test_line_breaks_are_those_of_yaml():
    """The mark of YAML counts \\r, \\u0085 and \\u2028 as line breaks too."""
    spec = "netcalc: 1\r# a\x85# b\u2028input: [N, 4]\r\nlayers: [Lin]\n"
    with pytest.raises(SpecError) as caught:
        elaborate(spec_of_text(spec, "net.yaml"))
    assert "net.yaml:5:10: " in str(caught.value) and "5 | layers: [Lin]" in str(caught.value)


@pytest.mark.parametrize("word, known, expected", [
    ("kernal_size", ["stride", "kernel_size"], "kernel_size"),
    ("conv2D", ["Conv1d", "Conv2d"], "Conv2d"),
    ("batchnorm2d", ["BatchNorm1d", "BatchNorm2d"], "BatchNorm2d"),
    ("xyz", ["stride", "kernel_size"], None),
])  # fmt: skip
def test_closest(word, known, expected):
    assert closest(word, known) == expected


def test_nothing_is_guessed_for_a_word_without_end():
    assert closest("a" * 100_000, ["a" * 99_999]) is None
