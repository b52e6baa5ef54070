"""`repeat`: what feeds the copies, and counts that are free (sections 2.4, 2.7 and 2.17a)."""

from __future__ import annotations

import pytest

from netcalc.facts import rows

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
    """The first copy reads what needs no gradient: it stands by itself, so that the backward pass is right."""
    g = graph("args: {depth: 2, width: 4}\ninput: [N, width]\nlayers:\n  - h: {Linear: {out_features: width, bias: false}}\n    repeat: depth",
              free=("depth", "width"))  # fmt: skip
    assert [(node.path, str(node.times), str(node.params["weight"])) for node in g.nodes] == [
        ("h.0", "1", "(width, width)"), ("h.i", "depth - 1", "(width, width)"),
    ]  # fmt: skip
    assert g.free == ("N", "depth", "width")


def test_free_repeat_of_equal_copies_is_one():
    g = graph(
        "args: {depth: 2}\ninput: [N, 4]\nlayers: [{Linear: 4}, {h: {Linear: 4}, repeat: depth}]", free=("depth",)
    )
    assert [(node.path, str(node.times)) for node in g.nodes] == [("0", "1"), ("h.i", "depth")]


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
    ("layer", "params"),
    [
        ("Linear: 5", lambda d: 4 * 5 + 5 + (d - 1) * (5 * 5 + 5)),
        ("Linear: 5, from: input", lambda d: 4 * 5 + 5 + (d - 1) * (5 * 5 + 5)),
        ("Linear: 4 + 0 * i", lambda d: d * (4 * 4 + 4)),
        ("Linear: 6 if i == 0 else 3", None),
        ("Linear: {out_features: 3, bias: i > 0}", lambda d: 4 * 3 + (d - 1) * (3 * 3 + 3)),
    ],
)
def test_the_first_copy_of_a_free_repeat_may_differ(layer, params):
    text = f"args: {{depth: 2}}\ninput: [N, 4]\nlayers: [{{{layer}, repeat: depth}}]"
    if params is None:
        assert error(text, free=("depth",)).text.endswith("[N, 6] becomes [N, 3]")
        return
    assert [_params(graph(text, free=("depth",))).at({"depth": d}) for d in (1, 2, 7)] == [params(d) for d in (1, 2, 7)]
    assert [_params(graph(text, given={"depth": d})) for d in (1, 2, 7)] == [params(d) for d in (1, 2, 7)]


def _params(g):
    return sum(row.params for row in rows(g))


def test_a_free_count_that_may_be_nought_says_so():
    g = graph("args: {d: 2}\ninput: [N, 4]\nlayers: [{Linear: 4}, {Linear: 4, repeat: d - 1}]", free=("d",))
    assert [str(condition) for condition, _ in g.conditions] == ["d - 1 >= 1"]


@pytest.mark.parametrize(
    ("layer", "part"),
    [
        ("Linear: 2 * in_features", "[N, 8] becomes [N, 16]"),
        ("Linear: 4 + i", "`i` cannot be used, as in `i`"),
        ("Linear: 4 if i % 2 == 0 else 5", "cannot tell whether"),
    ],
)
def test_free_repeat_of_copies_that_differ(layer, part):
    problem = error(f"args: {{depth: 2}}\ninput: [N, 4]\nlayers: [{{{layer}, repeat: depth}}]", free=("depth",))
    assert problem.code == "E317" and part in problem.text


def test_copies_of_a_free_repeat_are_not_used_again():
    text = "args: {d: 2}\ninput: [N, 4]\nlayers: [{h: {Linear: 4}, repeat: d}, {Reuse: h}]"
    assert error(text, free=("d",)).code == "E317"


def test_two_free_repeats_without_names_in_one_list():
    text = "args: {d: 2}\ninput: [N, 4]\nlayers: [{Linear: 4}, {Linear: 4, repeat: d}, {Linear: 4, repeat: d}]"
    assert [node.path for node in graph(text, free=("d",)).nodes] == ["0", "1+i", "2+i"]


def test_free_repeat_with_carried_inputs():
    text = "args: {steps: 3}\n" + (CELL % ("h", "h", "{h: u, c: v}")).lstrip("\n").replace("repeat: 3", "repeat: steps")
    assert [str(n.times) for n in graph(text, free=("steps",)).nodes] == ["1", "steps", "steps", "1"]
    wider = text.replace("{v: {Add: [u, c]}}", "{v: {Concat: {dim: 1}}, from: [u, c]}")
    assert error(wider, free=("steps",)).code == error(wider).code == "E415"


def test_free_names_that_do_not_exist():
    assert error("args: {a: 1}\ninput: [N, 4]\nlayers: [{Linear: a}]", free=("b",)).code == "E303"
