"""state_dict keys: the seven rules of section 2.3 of the language. Modules of torch say the same where they can."""

from __future__ import annotations

from collections import OrderedDict

import pytest
from torch import nn

from .specs import error, graph, keys, net, net_error

LINEAR = "{Linear: {out_features: 4, bias: false}}"


def weights(graph) -> list[str]:
    """The keys, each without its `.weight`."""
    return [key.removesuffix(".weight") for key in keys(graph)]


# -- rules 1 and 2: names and positions


def test_names_and_positions_are_those_of_sequential():
    g = net("""
        - Conv2d: {out_channels: 4, kernel_size: 3}
        - ReLU
        - norm: BatchNorm2d
        - Conv2d: {out_channels: 4, kernel_size: 3}
    """)
    torch = nn.Sequential(
        OrderedDict(
            [("0", nn.Conv2d(3, 4, 3)), ("1", nn.ReLU()), ("norm", nn.BatchNorm2d(4)), ("3", nn.Conv2d(4, 4, 3))]
        )
    )
    assert keys(g) == list(torch.state_dict())


def test_groups_in_groups():
    g = net("""
        - features:
            - Conv2d: {out_channels: 4, kernel_size: 3}
            - stage:
                - ReLU
                - Sequential:
                    - Conv2d: {out_channels: 2, kernel_size: 1}
        - Flatten
        - Sequential: [{Linear: 5}]
        - head: {Sequential: [ReLU, {Linear: 6}]}
    """)
    stage = nn.Sequential(nn.ReLU(), nn.Sequential(nn.Conv2d(4, 2, 1)))
    torch = nn.Sequential(OrderedDict([
        ("features", nn.Sequential(OrderedDict([("0", nn.Conv2d(3, 4, 3)), ("stage", stage)]))),
        ("1", nn.Flatten()), ("2", nn.Sequential(nn.Linear(72, 5))), ("head", nn.Sequential(nn.ReLU(), nn.Linear(5, 6))),
    ]))  # fmt: skip
    assert keys(g) == list(torch.state_dict())


def test_blocks_and_groups_are_numbered_alike():
    g = graph("""
        input: [N, 4]
        layers:
          - Two
          - two: Two
        blocks:
          Two: {layers: [{Linear: {out_features: 4, bias: false}}, {fc: {Linear: {out_features: 4, bias: false}}}]}
    """)
    assert weights(g) == ["0.0", "0.fc", "two.0", "two.fc"]


# -- rule 3: repeat


def test_repeat_under_a_name():
    assert weights(net(f"- ReLU\n- h: {LINEAR}\n  repeat: 3\n- {LINEAR[1:-1]}", "[N, 4]")) == ["h.0", "h.1", "h.2", "2"]


def test_repeat_without_a_name():
    assert weights(net(f"- ReLU\n- {LINEAR[1:-1]}\n  repeat: 3\n- {LINEAR[1:-1]}", "[N, 4]")) == ["1", "2", "3", "4"]


def test_repeat_of_a_group_under_a_name():
    assert weights(net(f"- h:\n    - ReLU\n    - fc: {LINEAR}\n  repeat: 2", "[N, 4]")) == ["h.0.fc", "h.1.fc"]


def test_names_of_copies():
    g = net(f"- layers: {LINEAR}\n  repeat: 3\n  name: encoder_layer_{{2 * i + 1}}", "[N, 4]")
    assert weights(g) == ["layers.encoder_layer_1", "layers.encoder_layer_3", "layers.encoder_layer_5"]


def test_names_of_copies_in_the_list_itself():
    g = net(f"- {LINEAR[1:-1]}\n  repeat: 2\n  name: denselayer{{i + 1}}\n- {LINEAR[1:-1]}", "[N, 4]")
    assert weights(g) == ["denselayer1", "denselayer2", "2"]


def test_copies_that_share_a_name():
    problem = net_error(f"- {LINEAR[1:-1]}\n  repeat: 2\n  name: same", "[N, 4]")
    assert problem.code == "E223" and "`same`" in problem.text


def test_index_in_arguments_and_in_inner_repeats():
    g = net(
        "- s:\n    - Linear: {out_features: 10 * (i + 1), bias: false}\n      name: l{i}\n      repeat: 2\n  repeat: 2",
        "[N, 4]",
    )
    assert [(key, shape) for key, shape, *_ in g.tensors()] == [
        ("s.0.l0.weight", (10, 4)), ("s.0.l1.weight", (20, 10)), ("s.1.l0.weight", (10, 20)), ("s.1.l1.weight", (20, 10))]  # fmt: skip


def test_index_of_the_outer_repeat_reaches_into_groups_but_not_blocks():
    assert weights(net(f"- s:\n    - {LINEAR[1:-1]}\n      name: l{{i}}\n  repeat: 2", "[N, 4]")) == [
        "s.0.l0",
        "s.1.l1",
    ]
    problem = error("input: [N, 4]\nlayers: [{B: , repeat: 2}]\nblocks: {B: {layers: [{Linear: i + 1}]}}")
    assert problem.code == "E302" and "`i` in block B" in problem.text


# -- rule 4: when


@pytest.mark.parametrize("flag, expected", [("true", ["0", "1", "a", "3"]), ("false", ["0", "1"])])
def test_what_when_skips_takes_no_position(flag, expected):
    g = net(f"""
        - {LINEAR[1:-1]}
        - {LINEAR[1:-1]}
          when: {flag}
        - a: {LINEAR}
          when: {flag}
        - {LINEAR[1:-1]}
    """, "[N, 4]")  # fmt: skip
    assert weights(g) == expected


def test_alternatives_may_share_a_name():
    layers = "- fc: {Linear: 3}\n  when: %s\n- fc: {Linear: 5}\n  when: not %s"
    assert [s for _, s, *_ in net(layers % ("true", "true"), "[N, 4]").tensors()] == [(3, 4), (3,)]
    assert [s for _, s, *_ in net(layers % ("false", "false"), "[N, 4]").tensors()] == [(5, 4), (5,)]
    assert net_error("- fc: {Linear: 3}\n  when: true\n- fc: {Linear: 5}\n  when: true", "[N, 4]").code == "E223"


def test_repeat_zero_takes_no_position():
    assert weights(net(f"- ReLU:\n  repeat: 0\n- {LINEAR[1:-1]}", "[N, 4]")) == ["0"]


# -- rule 5: unnamed wiring


def test_unnamed_residual_adds_nothing():
    g = net(f"""
        - {LINEAR[1:-1]}
        - Residual:
            - {LINEAR[1:-1]}
            - fc: {LINEAR}
        - {LINEAR[1:-1]}
        - Residual: [{LINEAR}]
          repeat: 2
        - block: {{Residual: [ReLU, {LINEAR}]}}
    """, "[N, 4]")  # fmt: skip
    assert weights(g) == ["0", "1", "fc", "3", "4", "5", "block.1"]


def test_unnamed_parallel_adds_nothing():
    g = net(f"""
        - Parallel:
            - {LINEAR[1:-1]}
            - branch: [{LINEAR}]
            - Sequential:
                - ReLU
                - {LINEAR[1:-1]}
          merge: Add
        - towers: {{Parallel: [{LINEAR}, {LINEAR}]}}
          merge: Add
    """, "[N, 4]")  # fmt: skip
    assert weights(g) == ["0", "branch.0", "2.1", "towers.0", "towers.1"]


def test_shortcut_is_numbered_after_the_layers():
    g = net(
        f"- Residual: [{LINEAR}, ReLU]\n  shortcut:\n    - {LINEAR[1:-1]}\n    - down: {LINEAR}\n- {LINEAR[1:-1]}",
        "[N, 4]",
    )
    assert weights(g) == ["0", "2", "down", "4"]


def test_wiring_in_wiring():
    g = net(
        f"- Residual:\n    - Residual: [{LINEAR}]\n    - Parallel: [{LINEAR}, {LINEAR}]\n      merge: Add\n    - {LINEAR[1:-1]}",
        "[N, 4]",
    )
    assert weights(g) == ["0", "1", "2", "3"]


def test_residual_named_by_a_capital():
    assert weights(net(f"- Residual: [{LINEAR}]\n  name: Block-1\n- {LINEAR[1:-1]}", "[N, 4]")) == ["Block-1.0", "1"]


def test_named_wiring_under_repeat():
    assert weights(net(f"- h: {{Residual: [{LINEAR}]}}\n  repeat: 2", "[N, 4]")) == ["h.0.0", "h.1.0"]


def test_one_name_in_two_unnamed_residuals_is_one_key():
    problem = net_error(f"- Residual: [{{fc: {LINEAR}}}]\n- Residual: [{{fc: {LINEAR}}}]", "[N, 4]")
    assert problem.code == "E223" and "`fc`" in problem.text


def test_operations_of_wiring_have_paths_of_their_own():
    g = net(
        f"- add: {LINEAR}\n- Residual: [ReLU]\n- Residual: [ReLU]\n- Parallel: [ReLU, Tanh]\n  merge: {{Concat: {{dim: 1}}}}",
        "[N, 4]",
    )
    paths = [node.path for node in g.nodes]
    assert len(set(paths)) == len(paths) and paths[-1] == "concat"


# -- rule 6: Reuse, Parameter


def test_reuse_and_parameters_add_nothing():
    g = graph("""
        input: [N, 4]
        layers:
          - token: {Parameter: {shape: [1, 4]}}
          - mask: {Buffer: {shape: [2], dtype: int64}}
          - enc: [{Linear: 4}]
            from: input
          - twin: {Reuse: enc}
          - Add: [twin, token]
          - out: {Linear: 2}
        outputs: [out, mask]
    """)
    assert keys(g) == ["token", "mask", "enc.0.weight", "enc.0.bias", "out.weight", "out.bias"]


def test_own_parameters_come_before_those_of_layers():
    """As in torch: a module's own, then its children's."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 4)
            self.scale = nn.Parameter(nn.Linear(4, 1).weight[0])
            self.register_buffer("mask", self.scale.detach())

    g = net(
        "- fc: {Linear: 4}\n- scale: {Parameter: {shape: [4]}}\n- mask: {Buffer: {shape: [4]}}\n- Add: [fc, scale]\n- Add: [prev, mask]",
        "[N, 4]",
    )
    assert keys(g) == list(Net().state_dict())


# -- rule 7: names with capitals


@pytest.mark.parametrize("name", ["Conv2d_1a_3x3", "LayerNorm", "block1-0", "shortcut", "0", "a" * 100])
def test_name_of_any_kind(name):
    assert weights(net(f"- {LINEAR[1:-1]}\n  name: {name}", "[N, 4]")) == [name]


@pytest.mark.parametrize("name, code", [("a.b", "E221"), ("''", "E221"), ("[a]", "E221"), ("a b", "E221"), ("'a\"); import os; (\"'", "E221"), ("forward", "E222"), ("type", "E222"), ("parameters", "E222"),
                                        ("n\u00e4me", "E221"), ("a{b}", "E302"), ("a{1 +}", "E301"), ("a{1 / 2}", "E221"), ("a{-1 < 0}", None), ("a" * 101, "E221")])  # fmt: skip
def test_name_that_cannot_be(name, code):
    layers = f"- {LINEAR[1:-1]}\n  name: {name}"
    if code is None:
        assert weights(net(layers, "[N, 4]")) == ["atrue"]
    else:
        assert net_error(layers, "[N, 4]").code == code


def test_reference_by_a_name_with_capitals():
    g = net(f"- {LINEAR[1:-1]}\n  name: LayerNorm\n- ReLU\n- Add: [LayerNorm, prev]", "[N, 4]")
    assert [value.node.path for value in g.nodes[-1].inputs] == ["LayerNorm", "1"]
