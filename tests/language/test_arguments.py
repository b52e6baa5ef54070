"""Arguments of files, blocks and layers: kinds of layer, precedence, defaults, sizes bound by patterns
(sections 2.5, 2.6 and 2.8)."""

from __future__ import annotations

from math import prod

import pytest

from .specs import error, graph, net, net_error, output, types

# -- values and precedence

SIZES = "args: {width: 4, depth: width // 2}\nvariants: {big: {args: {width: 8}}, wide: {args: {width: depth * 3, depth: 5}}}\ninput: [N, 3]\nlayers: [{Linear: width}]\n"


@pytest.mark.parametrize(
    "given, variant, expected",
    [
        ({}, None, (4, 2)),
        ({}, "big", (8, 4)),
        ({"width": 6}, None, (6, 3)),
        ({"width": 6}, "big", (6, 3)),
        ({"depth": 9}, "big", (8, 9)),
        ({}, "wide", (15, 5)),
        ({"depth": 2}, "wide", (6, 2)),
    ],
)
def test_default_then_variant_then_given(given, variant, expected):
    args = graph(SIZES, given=given, variant=variant).args
    assert (args["width"], args["depth"]) == expected


def test_values_of_all_kinds():
    args = graph("""
        args: {n: 2 ** 3, flag: not true, list: [1, 2 * n, [3]], word: nearest, Act: ReLU, Acts: [ReLU, GELU], Block: {LeakyReLU: 0.2}, text: "[n, 1]"}
        input: [N, 3]
        layers: [ReLU]
    """).args
    assert (args["n"], args["flag"], args["list"], args["word"], args["text"]) == (
        8,
        False,
        [1, 16, [3]],
        "nearest",
        [8, 1],
    )
    assert (
        str(args["Act"]) == "ReLU" and [str(kind) for kind in args["Acts"]] == ["ReLU", "GELU"] and args["Block"].given
    )


@pytest.mark.parametrize("text, code, part", [
    ("args: {a: b, b: c, c: a}\ninput: [N, 3]\nlayers: [{Linear: a}]", "E316", "`a` is defined by way of itself"),
    ("args: {a: a}\ninput: [N, 3]\nlayers: [{Linear: a}]", "E316", "`a`"),
    ("args: {a: }\ninput: [N, 3]\nlayers: [{Linear: a}]", "E236", "needs a value for `a`"),
    ("args: {a: 2}\ninput: [N, 3]\nlayers: [a]", "E220", "`a`"),
    ("args: {A: 2}\ninput: [N, 3]\nlayers: [A]", "E318", "the argument `A` is 2, not a kind of layer"),
    ("input: [N, 3]\nlayers: [N]", "E318", "N"),
    ("args: {a: {b: 1}}\ninput: [N, 3]\nlayers: [{Linear: a}]", "E318", "a kind of layer"),
    ("args: {Act: Relu}\ninput: [N, 3]\nlayers: [Act]", "E302", "`Relu`"),
    ("args: {Act: {ReLU: {inplce: true}}}\ninput: [N, 3]\nlayers: [Act]", "E230", "ReLU has no argument `inplce`"),
    ("args: {Act: {Conv2d: 3}}\ninput: [N, 3]\nlayers: [Act]", "E234", "no single main argument"),
    ("args: {Act: ReLU}\ninput: [N, 3]\nlayers: [{Linear: Act}]", "E304", "a whole number"),
    ("input: [N, n]\nlayers: [ReLU]", "E302", "`n`"), ("input: [N, 0]\nlayers: [ReLU]", "E411", "at least 1"),
    ("input: [N, 1.5]\nlayers: [ReLU]", "E308", "a whole number"),
    ("input: [N, H / 2]\nlayers: [ReLU]", "E308", "whole number"),
    ("input: [N, true]\nlayers: [ReLU]", "E308", "not true"), ("input: [N, -3]\nlayers: [ReLU]", "E411", "at least 1"),
])  # fmt: skip
def test_arguments_that_are_wrong(text, code, part):
    problem = error(text)
    assert problem.code == code and part in problem.text


@pytest.mark.parametrize(
    "given, part",
    [({"wdith": 1}, "did you mean `width`?"), ({"M": 1}, "The arguments are width, depth; the free dimensions are N")],
)
def test_given_names_that_do_not_exist(given, part):
    problem = error(SIZES, given=given)
    assert problem.code == "E303" and part in problem.help


@pytest.mark.parametrize("value", [0, -1, True, "x", 1.5])
def test_a_dimension_is_a_whole_number(value):
    assert error(SIZES, given={"N": value}).code == "E308"


def test_free_dimensions():
    text = "inputs: {x: [N, 3, 16*H, 16*W], y: [N, H]}\nlayers: [{MaxPool2d: 16, from: x}]"
    g = graph(text)
    assert output(g) == "[N, 3, H, W]" and g.free == ("H", "N", "W") and g.batch == "N"
    assert output(graph(text, given={"N": 2, "H": 5})) == "[2, 3, 5, W]"
    assert graph("inputs: {x: [N, 3], y: [M, 3]}\nlayers: [{ReLU: , from: x}]").batch is None
    assert graph("args: {N: 4}\ninput: [N, 3]\nlayers: [ReLU]").batch is None


# -- keys without a value, inferred and main arguments


def test_a_key_without_a_value_takes_the_value_of_that_name():
    g = graph(
        "args: {out_channels: 5, kernel_size: 3}\ninput: [N, 3, 8, 8]\nlayers: [{Conv2d: {out_channels, kernel_size}}]"
    )
    assert output(g) == "[N, 5, 6, 6]"
    problem = error("args: {a: 5}\ninput: [N, 3]\nlayers: [{Linear: {out_features}}]")
    assert (problem.code, problem.help, problem.layer) == ("E233", "write out_features: 3", "0")


def test_inferred_arguments_may_be_used_and_written():
    assert net("- Conv2d: {out_channels: 2 * in_channels, kernel_size: 1, groups: in_channels}").nodes[0].params[
        "weight"
    ] == (6, 1, 1, 1)
    assert net("- Conv2d: {in_channels: 3, out_channels: 4, kernel_size: 1}").nodes[0].params["weight"] == (4, 3, 1, 1)
    problem = net_error("- Conv2d: {in_channels: 4, out_channels: 4, kernel_size: 1}")
    assert (problem.code, str(problem.where)) == ("E414", "net.yaml:4:27")


@pytest.mark.parametrize(
    "layer, shape",
    [
        ("Linear: 5", "[N, 3, 8, 5]"),
        ("MaxPool2d: 2", "[N, 3, 4, 4]"),
        ("AdaptiveAvgPool2d: [1, 2]", "[N, 3, 1, 2]"),
        ("Permute: [0, 2, 3, 1]", "[N, 8, 8, 3]"),
        ("Reshape: [N, -1]", "[N, 192]"),
        ("Softmax: 1", "[N, 3, 8, 8]"),
        ("GLU: -1", "[N, 3, 8, 4]"),
    ],
)
def test_main_arguments(layer, shape):
    assert output(net(f"- {layer}")) == shape


@pytest.mark.parametrize(
    "layer, input",
    [
        ("Conv2d: 3", "[N, 3, 8, 8]"),
        ("Embedding: 3", "{shape: [N], dtype: int64}"),
        ("LSTM: 3", "[N, T, 4]"),
        ("Flatten: 1", "[N, 3, 8]"),
        ("Tanh: 1", "[N]"),
    ],
)
def test_layers_without_a_main_argument(layer, input):
    assert net_error(f"- {layer}", input).code == "E234"


def test_words_may_be_arguments():
    """Where a word is expected it is an argument of that name if there is one."""
    text = "args: {%s: zeros}\ninput: [N, 3, 8, 8]\nlayers: [{Conv2d: {out_channels: 3, kernel_size: 3, padding: 1, padding_mode: %s}}]"
    assert graph(text % ("mode", "mode")).nodes[0].layer.padding_mode == "zeros"
    assert graph(text % ("reflect", "reflect")).nodes[0].layer.padding_mode == "zeros"
    assert graph(text % ("other", "reflect")).nodes[0].layer.padding_mode == "reflect"
    assert error(text % ("other", "reflct")).code == "E304"


# -- kinds of layer


@pytest.mark.parametrize("args, expected", [
    ("Act: ReLU", "ReLU"), ("Act: {LeakyReLU: 0.2}", "LeakyReLU"),
    ("Act: {LeakyReLU: {negative_slope: s}}, s: 0.2", "LeakyReLU"),
    ("Act: Hardswish if large else ReLU, large: true", "Hardswish"),
    ("Act: Hardswish if large else ReLU, large: false", "ReLU"),
    ("Act: Other, Other: Tanh", "Tanh"), ("Act: {Other: }, Other: Tanh", "Tanh"),
    ("Act: 'Acts[1]', Acts: [ReLU, GELU]", "GELU"), ("Act: 'Acts[0]', Acts: [{LeakyReLU: 0.2}]", "LeakyReLU"),
    ("Act: {Act2: {negative_slope: 0.3}}, Act2: {LeakyReLU: 0.1}", "LeakyReLU"),
])  # fmt: skip
def test_kinds(args, expected):
    assert types(graph(f"args: {{{args}}}\ninput: [N, 3]\nlayers: [Act]")) == [expected]


def test_arguments_given_with_a_kind_and_where_it_is_used():
    text = "args: {Conv: {Conv2d: {kernel_size: 3, padding: 1}}}\ninput: [N, 3, 8, 8]\nlayers: [{Conv: {out_channels: 5}}, {Conv: {out_channels: 6, padding: 0}}]"
    assert output(graph(text)) == "[N, 6, 6, 6]"


def test_each_call_of_a_block_has_the_arguments_of_its_own_kind():
    """A PReLU has one slope, with num_parameters as many as that: 1 + 4, in whichever order."""
    for kinds in (("PReLU", "{PReLU: {num_parameters: 4}}"), ("{PReLU: {num_parameters: 4}}", "PReLU")):
        calls = ", ".join(f"{{B: {{K: {kind}}}}}" for kind in kinds)
        found = graph(f"input: [N, 4]\nlayers: [{calls}]\nblocks: {{B: {{args: {{K: }}, layers: [K]}}}}\n")
        assert sum(prod(shape) for _, shape, *_ in found.tensors()) == 5


def test_what_stands_beside_a_kind_is_evaluated_where_it_is_written():
    text = """
        args: {width: 7}
        input: [N, 3]
        layers:
          - Wrap: {Inner: {Linear: width + i}, width: 1}
            repeat: 2
        blocks:
          Wrap: {args: {Inner, width}, layers: [Inner, {Linear: width}]}
    """
    assert [node.params["weight"][0] for node in graph(text).nodes] == [7, 1, 8, 1]


def test_a_block_as_a_kind_with_arguments():
    text = """
        args: {Block: {Bottleneck: {groups: 3}}}
        input: [N, 6, 8, 8]
        layers: [{Block: {planes: 9}}, {Block: {planes: 3, groups: 1}}]
        blocks:
          Bottleneck: {args: {planes, groups: 1}, layers: [{Conv2d: {out_channels: planes, kernel_size: 1, groups}}]}
    """
    assert [node.params["weight"] for node in graph(text).nodes] == [(9, 2, 1, 1), (3, 9, 1, 1)]
    problem = error(text.replace("groups: 3", "group: 3"))
    assert problem.code == "E230" and "block Bottleneck has no argument `group`" in problem.text


def test_a_block_nested_in_itself_by_its_argument():
    text = """
        input: [N, 3, 16, 16]
        layers:
          - Hourglass: {Inner: {Hourglass: {Inner: {Hourglass: {Inner: ReLU}}}}}
        blocks:
          Hourglass:
            args: {Inner}
            layers:
              - Residual:
                  - MaxPool2d: 2
                  - Inner
                  - Upsample: {scale_factor: 2}
    """
    g = graph(text)
    assert types(g).count("MaxPool2d") == 3 and [str(n.outputs[0].shape) for n in g.nodes if n.type == "ReLU"] == [
        "(N, 3, 2, 2)"
    ]
    assert error(text.replace("Inner: ReLU", "Inner: Hourglass")).code == "E235"


def test_blocks_that_contain_each_other():
    assert (
        error(
            "input: [N]\nlayers: [A]\nblocks: {A: {layers: [B]}, B: {layers: [[A]]}}".replace("[[A]]", "[{g: [A]}]")
        ).code
        == "E226"
    )


def test_own_block_goes_before_a_layer_as_a_kind_too():
    text = "args: {Act: Mish}\ninput: [N, 4]\nlayers: [Act, {Use: {K: Mish}}]\nblocks:\n  Mish: {layers: [Tanh]}\n  Use: {args: {K}, layers: [K]}"
    assert types(graph(text)) == ["Tanh", "Tanh"]


# -- blocks


def test_patterns_bind_sizes_and_multiples():
    block = "blocks: {B: {input: %s, args: {out: %s}, layers: [{Linear: out}]}}"
    text = "input: [N, 12, 32]\nlayers: [B]\n"
    assert output(graph(text + block % ("[N, T, D]", "D + T"))) == "[N, 12, 44]"
    assert output(graph(text + block % ("[M, 4*T, 16*D]", "D + T"))) == "[N, 12, 5]"
    assert output(graph("args: {Act: 1}\n" + text + block % ("[N, 12, D]", "D"))) == "[N, 12, 32]"
    for pattern in ("[N, T]", "[N, T, 5*D]", "[N, T, T]", "[N, 13, D]", "[3, T, D]"):
        problem = error(text + block % (pattern, 1))
        assert (
            problem.code == "E415"
            and f"of shape {pattern}, but gets [N, 12, 32] from the input `input`" in problem.text
        )


def test_patterns_of_formulas():
    text = "input: [N, 3, 16*H, W]\nlayers: [B]\nblocks: {B: {input: [N, C, %s, W], args: {out: h}, layers: [ReLU, {Reshape: [N, C, out, -1]}]}}"
    assert output(graph((text % "8*K").replace("out: h", "out: K"))) == "[N, 3, 2*H, 8*W]"
    assert error((text % "32*K").replace("out: h", "out: K")).code == "E415"


def test_patterns_use_arguments():
    text = "input: [N, 12]\nlayers: [{B: {heads: 3}}]\nblocks: {B: {input: [N, heads * D], args: {heads}, layers: [{Linear: D}]}}"
    assert output(graph(text)) == "[N, 4]"
    assert error(text.replace("heads: 3", "heads: 5")).code == "E415"


def test_defaults_of_a_block_use_its_sizes_and_each_other():
    text = "input: [N, 6]\nlayers: [B, {B: {hidden: 5}}]\nblocks: {B: {input: [N, C], args: {hidden: factor * C, factor: 2}, layers: [{Linear: hidden}]}}"
    assert [node.params["weight"] for node in graph(text).nodes] == [(12, 6), (5, 12)]


def test_dtypes_of_patterns():
    text = "input: [N, 4]\nlayers: [B]\nblocks: {B: {input: {shape: [N, T], dtype: int64}, layers: [{Embedding: {num_embeddings: 3, embedding_dim: 4}}]}}"
    problem = error(text)
    assert problem.code == "E417" and "of dtype int64, but gets float32" in problem.text


PAIR = "inputs: {x: [N, 3], y: [N, 4]}\nlayers: [{p: Pair, from: %s}%s]\nblocks: {Pair: {inputs: {a: [N, A], b: [N, B]}, layers: [{j: {Concat: {dim: 1}}, from: [a, b]}, {d: ReLU, from: b}], outputs: %s}}"


def test_a_block_with_several_inputs_and_outputs():
    g = graph(PAIR % ("{b: x, a: y}", ", {Concat: {dim: 1}, from: [p.sum, p.1]}", "{sum: j, other: d}"))
    assert output(g) == "[N, 10]" and [v.label for v in g.nodes[0].inputs] == ["the input `y`", "the input `x`"]


@pytest.mark.parametrize(
    "start, code, part",
    [
        ("{a: x}", "E313", "needs its input `b`"),
        ("{a: x, b: y, c: x}", "E313", "has no input `c`"),
        ("[x, y]", "E313", "has several inputs: name them"),
        ("x", "E313", "name them"),
        ("{a: x, b: z}", "E310", "`z`"),
        ("{a: x, b: 1}", "E310", "by number"),
    ],
)
def test_inputs_of_a_block_that_are_wrong(start, code, part):
    problem = error(PAIR % (start, "", "[j]"))
    assert problem.code == code and part in problem.text


def test_reading_a_block_with_several_outputs():
    problem = error(PAIR % ("{a: x, b: y}", ", ReLU", "{sum: j, other: d}"))
    assert problem.code == "E313" and "2 outputs" in problem.text and "p.sum" in problem.help


def test_a_mapping_for_a_layer():
    assert net_error("- ReLU:\n  from: {input: input}").code == "E313"


# -- elements of lists

STAGES = """
    args: {ds: [1, 2], w: 3}
    variants: {deep: {args: {ds: [4, 5, 6]}}}
    input: [N, w]
    layers:
      - Linear: w
        repeat: ds[0]
      - Linear: w
        repeat: sum(ds) - ds[0]
"""


def test_an_element_of_a_list_has_a_name():
    assert graph(STAGES, given={"ds[1]": 7}).args["ds"] == [1, 7]
    assert graph(STAGES, given={"ds": [3, 3, 3], "ds[2]": 7}).args["ds"] == [3, 3, 7]
    assert graph(STAGES, given={"ds[2]": 9}, variant="deep").args["ds"] == [4, 5, 9]
    assert graph(STAGES, free=("ds[0]",)).free == ("N", "ds[0]")
    assert graph(STAGES, free=("ds",)).free == ("N", "ds[0]", "ds[1]")
    assert graph(STAGES, free=("ds",), given={"ds[1]": 4}).free == ("N", "ds[0]")


@pytest.mark.parametrize(
    ("given", "said"), [("ds[2]", "a list of 2"), ("w[0]", "3, not a list"), ("v[0]", "no argument `v[0]`")]
)
def test_elements_that_do_not_exist(given, said):
    for options in ({"given": {given: 1}}, {"free": (given,)}):
        problem = error(STAGES, **options)
        assert problem.code == "E303" and said in problem.text
