"""`repeat`: what feeds the copies, and counts that are free (sections 2.4, 2.7 and 2.17a)."""

from __future__ import annotations

import pytest

from .specs import error, graph, net, net_error, reads

LIN = "{Linear: {out_features: 4, bias: false}}"

# -- repeat


def test_copies_are_fed_by_the_one_before():
    g = net("- a: ReLU\n- Tanh:\n  repeat: 3")
    assert [reads(g, path) for path in ("1", "2", "3")] == [["a"], ["1"], ["2"]]


def test_repeat_with_from():
    """The first copy reads what `from` says, the others the copy before."""
    g = net("- a: ReLU\n- b: Tanh\n- h: Sigmoid\n  from: a\n  repeat: 3\n- g: [Tanh]\n  from: a\n  repeat: 2")
    assert [reads(g, path) for path in ("h.0", "h.1", "h.2", "g.0.0", "g.1.0")] == [
        ["a"],
        ["h.0"],
        ["h.1"],
        ["a"],
        ["g.0.0"],
    ]


def test_repeat_with_several_inputs():
    """`prev`, or the first of the list, is fed by the copy before; the others stay."""
    g = net(
        "- a: ReLU\n- b: Tanh\n- x: Add\n  from: [a, prev]\n  repeat: 2\n- y: Add\n  from: [a, b]\n  repeat: 2\n- z: {Add: [a, b]}\n  repeat: 2\n- w: {Sub: [a, prev]}\n  repeat: 2\n- v: {Sub: [1, a]}\n  repeat: 2"
    )
    assert [reads(g, p) for p in ("x.0", "x.1", "y.0", "y.1", "z.0", "z.1", "w.0", "w.1", "v.0", "v.1")] == [
        ["a", "b"], ["a", "x.0"], ["a", "b"], ["y.0", "b"], ["a", "b"], ["z.0", "b"], ["a", "z.1"], ["a", "w.0"], ["a"], ["v.0"]]  # fmt: skip


def test_self_attention_is_fed_three_times():
    g = net(
        "- MultiheadAttention: {num_heads: 2, batch_first: true}\n  from: [prev, prev, prev]\n  repeat: 2", "[N, T, 4]"
    )
    assert reads(g, "1") == ["0", "0", "0"]


CELL = """
inputs: {x: [N, 4], h: [N, 4], c: [N, 4]}
layers:
  - a: ReLU
    from: x
  - s: Cell
    from: {x: prev, h: %s, c: c}
    repeat: 3
  - Add: [s.%s, 1]
blocks:
  Cell:
    inputs: {x: [N, C], h: [N, C], c: [N, C]}
    layers: [{u: {Add: [x, h]}}, {v: {Add: [u, c]}}]
    outputs: %s
"""


def test_inputs_named_like_outputs_are_carried():
    g = graph(CELL % ("h", "h", "{h: u, c: v}"))
    assert [reads(g, f"s.{i}.u") for i in range(3)] == [["a", "the input `h`"], ["a", "s.0.u"], ["a", "s.1.u"]]
    assert [reads(g, f"s.{i}.v")[1] for i in range(3)] == ["the input `c`", "s.0.v", "s.1.v"]


def test_without_such_names_prev_is_carried():
    g = graph(CELL % ("h", "0", "[v]"))
    assert [reads(g, f"s.{i}.u") for i in range(3)] == [
        ["a", "the input `h`"],
        ["s.0.v", "the input `h`"],
        ["s.1.v", "the input `h`"],
    ]


def test_without_prev_the_first_is_carried():
    g = graph((CELL % ("h", "0", "[v]")).replace("x: prev", "x: a"))
    assert [reads(g, f"s.{i}.u")[0] for i in range(3)] == ["a", "s.0.v", "s.1.v"]


@pytest.mark.parametrize(
    "count, code",
    [
        ("-1", "E308"),
        ("1.5", "E308"),
        ("true", "E308"),
        ("[2]", "E308"),
        ("10001", "E315"),
        ("n", "E302"),
        ("", "E308"),
        ("ReLU", "E308"),
    ],
)
def test_counts(count, code):
    assert net_error(f"- ReLU:\n  repeat: {count}").code == code


def test_a_static_layer_is_checked_in_every_copy():
    """An inferred argument that is written is compared with the input of each copy."""
    problem = net_error("- Linear: {in_features: 4, out_features: 6}\n  repeat: 2", "[N, 4]")
    assert (problem.code, problem.layer) == ("E414", "1") and "[N, 6] has 6" in problem.text


# -- free repeats and free arguments


def test_free_repeat():
    g = graph("args: {depth: 2, width: 4}\ninput: [N, width]\nlayers:\n  - h: {Linear: {out_features: width, bias: false}}\n    repeat: depth",
              free=("depth", "width"))  # fmt: skip
    [node] = g.nodes
    assert (node.path, str(node.times), str(node.params["weight"])) == ("h.i", "depth", "(width, width)")
    assert g.free == ("N", "depth", "width")


def test_free_repeat_of_named_copies():
    """The names of the copies may differ: only the copies themselves must be equal."""
    g = graph(
        "args: {depth: 2}\ninput: [N, 4]\nlayers:\n  - layers: ReLU\n    repeat: depth\n    name: encoder_layer_{i}",
        free=("depth",),
    )
    assert str(g.nodes[0].times) == "depth"


def test_free_repeats_multiply():
    g = graph(
        "args: {a: 2, b: 2}\ninput: [N, 4]\nlayers:\n  - g:\n      - ReLU\n      - Tanh:\n        repeat: b\n    repeat: a",
        free=("a", "b"),
    )
    assert [(node.type, str(node.times)) for node in g.nodes] == [("ReLU", "a"), ("Tanh", "a*b")]


@pytest.mark.parametrize(
    "layer, part",
    [
        ("Linear: 5", "[N, 4] becomes [N, 5]"),
        ("Linear: 4 + 0 * i", "`i` cannot be used"),
        ("Linear: 5, from: input", "becomes [N, 5]"),
    ],
)
def test_free_repeat_of_copies_that_differ(layer, part):
    problem = error(f"args: {{depth: 2}}\ninput: [N, 4]\nlayers: [{{{layer}, repeat: depth}}]", free=("depth",))
    assert problem.code == "E317" and part in problem.text


def test_free_repeat_with_carried_inputs():
    text = "args: {steps: 3}\n" + (CELL % ("h", "h", "{h: u, c: v}")).lstrip("\n").replace("repeat: 3", "repeat: steps")
    assert [str(n.times) for n in graph(text, free=("steps",)).nodes] == ["1", "steps", "steps", "1"]
    wider = text.replace("{v: {Add: [u, c]}}", "{v: {Concat: {dim: 1}}, from: [u, c]}")
    assert error(wider, free=("steps",)).code == "E317"


def test_free_names_that_do_not_exist():
    assert error("args: {a: 1}\ninput: [N, 4]\nlayers: [{Linear: a}]", free=("b",)).code == "E303"
