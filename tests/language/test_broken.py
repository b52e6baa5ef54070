"""The broken specs of the language document: each gets the message that the document promises.

The columns: file, code, place, the layer line, and parts of the message, the note and the help. They were written down
from the document, not from a run.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from netcalc.elaborate import elaborate
from netcalc.errors import SpecError
from netcalc.language.files import spec_of_file

FOLDER = Path(__file__).parent.parent / "broken"
FUNCTIONS = "abs, ceil, floor, len, make_divisible, max, min, round, sqrt, sum"
KEYS = "netcalc, name, about, imports, args, variants, input, inputs, layers, outputs, blocks, loss, expect"
CONV2D = "in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode"

ERRORS = [
    ("01_misspelt_argument", "E230", "4:30", "0", "Conv2d has no argument `kernal_size`", "did you mean `kernel_size`?", f"Conv2d takes {CONV2D}"),
    ("02_misspelt_layer", "E220", "4:3", None, "there is no layer `Conv2D`", "did you mean `Conv2d`?"),
    ("03_layer_type_in_small_letters", "E220", "4:3", None, "there is no layer `conv2d`", "did you mean `Conv2d`?",
     "The name of a layer type starts with a capital letter."),
    ("04_small_letter_scalar", "E220", "5:3", None, "there is no layer `relu`", "did you mean `ReLU`?",
     "The name of a layer type starts with a capital letter."),
    ("05_missing_argument", "E235", "4:3", "0", "Conv2d needs `kernel_size`", "Conv2d: {out_channels: ..., kernel_size: ...}"),
    ("06_argument_beside_the_layer", "E214", "5:3", None, "`stride` is an argument of Conv2d; it goes inside its braces",
     "- Conv2d: {stride: ...}"),
    ("07_keyword_inside_the_braces", "E216", "4:54", None, "`from` goes beside the name `stem`, not inside its braces",
     "- stem: {Conv2d: ...}\n          from: ..."),
    ("08_keyword_inside_the_arguments", "E216", "4:46", "0", "`repeat` goes beside Conv2d, not inside its braces"),
    ("09_two_layers_in_one_item", "E213", "5:3", None, "two layers in one item: `Conv2d` and `ReLU`",
     "start the second one on its own line with a dash"),
    ("10_braces_forgotten", "E214", "4:39", "conv1", "`kernel_size` is an argument of Conv2d; it goes inside the inner braces",
     "- conv1: {Conv2d: {..., kernel_size: 3}}"),
    ("11_bare_value_for_a_layer_without_main_argument", "E234", "4:11", "0",
     "Conv2d has no single main argument; name them: Conv2d: {out_channels: ..., kernel_size: ...}"),
    ("12_bracket_in_a_flow_map", "E100", "5:34", None, "this is not valid YAML: expected ',' or '}', but got '['",
     "inside { }, put an expression that contains [ ] or a comma in quotes", '{out_channels: "dims[0]"}'),
    ("13_one_line_nested_mapping", "E100", "4:16", None, "this is not valid YAML: mapping values are not allowed here",
     "put the arguments in braces, as in  - Conv2d: {out_channels: 64, kernel_size: 3}, or quote the text"),
    ("14_tab", "E101", "5:1", None, "a tab cannot be used for indentation", "use two spaces for each level"),
    ("15_duplicate_key", "E103", "4:58", None, "`kernel_size` is written twice here", "note: first written here (net.yaml:4:30)",
     "remove one of them; YAML would silently keep only the second"),
    ("16_merge_key", "E105", "6:14", None, "merge keys (<<) are not part of netcalc", "define a block under `blocks:` and use it twice"),
    ("17_yes_for_true", "E304", "4:52", None, "`no` is neither true nor false", "write false"),
    ("18_true_with_a_capital", "E304", "4:52", None, "`True` is neither true nor false", "write true"),
    ("19_undefined_name_in_an_expression", "E302", "5:32", None, "there is no argument or dimension `widht` in this file",
     "did you mean `width`? Known here: N, in_channels, width"),
    ("20_typo_in_the_input_shape", "E302", "3:15", None, "there is no argument or dimension `image_sze` in this file",
     "did you mean `image_size`? Known here: N, image_size (A free dimension has a capital letter, like N or H.)"),
    ("21_fraction_where_a_whole_number_is_needed", "E308", "5:28", "0",
     "out_channels of Conv2d is 64 * width = 19.2, which is not a whole number", "use // to round down, round( ) or ceil( )"),
    ("22_python_call_in_an_expression", "E301", "4:37", None, "`'` is not allowed in an expression",
     f"expressions use numbers, names, + - * / // % **, comparisons, and/or/not, `a if c else b`, [ ] and {FUNCTIONS}"),
    ("23_unknown_function", "E301", "4:26", None, "cannot read the expression: there is no function `int`", f"the functions are {FUNCTIONS}"),
    ("24_reference_to_a_later_or_unknown_layer", "E310", "5:9", None, "there is no layer or input `stme` before this point",
     "did you mean `stem`? Known here: input, stem, prev"),
    ("25_reference_by_number", "E310", "6:10", None, "layers are referred to by name, not by number (-1)",
     "give the layer a name, or write prev for the layer before"),
    ("26_name_used_twice", "E223", "5:3", None, "the name `conv` is used twice in this list", "note: first used here (net.yaml:4:3)",
     "choose another name; to use the same layer again write Reuse: conv"),
    ("27_name_with_a_dot_or_dash", "E221", "4:3", None, "`conv-1` is not a name: use letters, digits and _",
     "`conv_1` would do; a dot is made by a group inside a group"),
    ("28_name_of_nn_module", "E222", "4:3", None, "`type` cannot be the name of a layer: it is a word of Python or of torch.nn.Module",
     "try `type_` or `type1`"),
    ("29_name_that_yaml_1_1_reads_as_a_boolean", "E221", "4:3", None,
     "`on` cannot be a name: other YAML readers take it for true, false or null"),
    ("30_shapes_do_not_add", "E401", "4:3", None,
     "Residual adds [N, 64, 16, 16] (its layers) to [N, 3, 32, 32] (its input): the shapes differ",
     "add a shortcut that changes the shape in the same way, e.g. a 1x1 Conv2d with the same out_channels and stride"),
    ("31_concat_mismatch", "E402", "5:3", "1",
     "Concat along dimension 1 needs the other dimensions equal, but got [N, 3, 16, 16] (layer `a`) and "
     "[N, 3, 32, 32] (the input `input`): dimension 2 is 16 and 32",
     "resize one of them first (Upsample, ConvTranspose2d, or a stride), or concatenate along another dim"),
    ("32_concat_of_symbolic_sizes", "E402", "6:5", "2", "Concat along dimension 1 needs the other dimensions equal, but got [N, 3, ",
     "(layer `up`) and [N, 3, H, W] (the input `input`)",
     "these agree only for some sizes; write the input as a multiple, for example 16*H"),
    ("33_kernel_larger_than_its_input", "E404", "5:43", "1",
     "the input is [4, 4], smaller than the kernel [5, 5] (dilation [1, 1], padding [0, 0])",
     "use a smaller kernel, more padding or fewer poolings before this layer"),
    ("34_wrong_rank", "E400", "5:3", "1",
     "Conv2d needs an input of 4 dimensions [N, C, H, W], but gets 2: [N, 3072] from layer `0`",
     "convolutions and 2-D poolings come before Flatten"),
    ("36_linear_on_a_free_size", "E405", "5:5", "1",
     "Linear needs a fixed number of input features, but its input is [N, 3*H*W]",
     "fix H, W in `input` (or with --set), or pool to a fixed size first, e.g. AdaptiveAvgPool2d: 1"),
    ("37_groups_do_not_divide", "E412", "4:54", "0", "in_channels = 3 is not divisible by groups = 2",
     "choose groups from the divisors of 3, or groups: in_channels for a depthwise convolution"),
    ("38_heads_do_not_divide", "E410", "4:37", "0", "embed_dim = 100 is not divisible by num_heads = 12",
     "num_heads must divide the features; 100 is divisible by 1, 2, 4, 5, 10, 20, 25, 50, 100"),
    ("39_float_tokens", "E406", "4:5", "0", "Embedding looks up whole numbers, but its input is float32",
     "give the input an integer type: tokens: {shape: [N, T], dtype: int64}"),
    ("40_in_features_given_and_wrong", "E414", "5:25", "1", "in_features is given as 400, but the input [N, 3072] has 3072",
     "leave in_features out: it is always inferred"),
    ("42_part_that_does_not_exist", "E311", "6:11", None, "`lstm` has no part `hidden`", "it has 0, 1, 2, output, h_n, c_n"),
    ("43_undecidable_condition", "E309", "5:11", None, "cannot tell whether H > 64 while H is free",
     "give it a value, for example --set H=224"),
    ("44_when_is_not_a_comparison", "E304", "6:11", None, "`when` needs true or false, not 2",
     "write a comparison, for example `stride != 1`"),
    ("45_unknown_block_argument", "E230", "4:12", "0", "block Stem has no argument `widht`", "did you mean `width`? Stem takes width"),
    ("46_missing_block_argument", "E235", "4:5", "0", "block Stem needs `width`", "note: declared here (net.yaml:7:12)",
     "- Stem: {width: ...}"),
    ("47_block_gets_a_tensor_of_the_wrong_rank", "E415", "5:5", "1",
     "block Stem expects `input` of shape [N, C, H, W], but gets [N, 3072] from layer `0`", "note: declared here (net.yaml:9:12)"),
    ("48_block_contains_itself", "E226", "6:3", None, "block `A` contains itself"),
    ("49_an_error_inside_a_block", "E412", "10:62", "0.conv", "in_channels = 3 is not divisible by groups = 4",
     "note: inside block Stem, used here (net.yaml:4:5)",
     "choose groups from the divisors of 3, or groups: in_channels for a depthwise convolution"),
    ("50_argument_without_a_value", "E233", "4:30", "0",
     "`kernel_size` has no value, and there is no argument `kernel_size` here to take it from", "write kernel_size: 3"),
    ("51_two_inputs_no_from", "E313", "4:5", "0", "the spec has several inputs: say with `from` which one this layer reads"),
    ("52_too_few_inputs", "E313", "4:3", "0", "Concat takes at least 2 inputs, but gets 1", "name them with `from: [a, b]`"),
    ("53_reuse_with_other_shapes", "E225", "5:10", None,
     "`a` cannot be used again here: its `weight` is [8, 3, 3, 3], but this input would need [8, 8, 3, 3]",
     "note: `a` is defined here (net.yaml:4:3)",
     "a layer used again needs an input of the same channels or features; define a second layer if new weights are meant"),
    ("54_tied_shapes_differ", "E228", "6:10", "head",
     "`head.weight` [1001, 64] and `wte.weight` [1000, 64] cannot be tied: the shapes differ"),
    ("55_shape_assertion_fails", "E501", "5:10", "0", "the output is [N, 16, 28, 28], but `shape` says [N, 16, 32, 32]"),
    ("57_unknown_variant", "E307", "4:3", None, "there is no variant `larg`", "did you mean `large`? The variants are small, large"),
    ("58_an_import_that_does_not_exist", "E207", "2:11", None, "cannot find the file `blocks/resnt.yaml`",
     "a path is read from the folder of this file"),
    ("59_a_default_that_needs_itself", "E316", "7:15", None, "`a` is defined by way of itself"),
    ("60_unknown_top_level_key", "E201", "3:1", None, "`layer` is not a key of a spec", f"did you mean `layers`? The keys are {KEYS}."),
    ("61_version_missing", "E202", "1:1", None, "the first line must be `netcalc: 1`, the version of the language",
     "add `netcalc: 1` at the top"),
    ("62_newer_version", "E202", "1:10", None, "this file is written in version 2 of the language; this tool reads version 1",
     "upgrade netcalc, or write `netcalc: 1`"),
    ("63_unknown_argument_on_the_command_line", "E303", None, None, "--set wdith: this spec has no argument `wdith`",
     "did you mean `width`? The arguments are width"),
]  # fmt: skip

WARNINGS = [
    ("35_missing_flatten_warning", "W401", "5:3",
     "Linear acts on the last dimension of a 4-D input [N, 64, 30, 30]; is a Flatten missing? (layer 1)"),
    ("41_lstm_without_batch_first_warning", "W402", "4:5",
     "LSTM reads dimension 0 as time, but dimension 0 of [N, T, 100] is the batch; add batch_first: true (layer 0)"),
    ("64_unused_branch_warning", "W403", "4:7",
     "the output of `a` (Conv2d) is never used; name it in `outputs` or in a `from`, or remove the layer"),
    ("65_unused_argument_warning", "W301", "2:19", "the argument `dropout` is never used"),
]  # fmt: skip

#: how wide the mark under the line is, where the document shows more than one sign under a value
MARKS = {"15_duplicate_key": 11, "19_undefined_name_in_an_expression": 5, "21_fraction_where_a_whole_number_is_needed": 10,
         "54_tied_shapes_differ": 20, "55_shape_assertion_fails": 15, "58_an_import_that_does_not_exist": 17,
         "59_a_default_that_needs_itself": 5, "30_shapes_do_not_add": 8, "42_part_that_does_not_exist": 11}  # fmt: skip


def elaborated(name: str):
    spec = spec_of_file(FOLDER / f"{name}.yaml", "net.yaml")
    given = {"wdith": 3} if name.startswith("63") else {}
    return elaborate(spec, given, "larg" if name.startswith("57") else None)


@pytest.mark.parametrize(
    "name, code, place, layer, text, more", [(*row[:5], row[5:]) for row in ERRORS], ids=[row[0][:2] for row in ERRORS]
)
def test_error(name, code, place, layer, text, more):
    with pytest.raises(SpecError) as caught:
        elaborated(name)
    message = str(caught.value)
    first, *lines = message.split("\n")
    where = f"net.yaml:{place}: " if place else ""
    assert first.startswith(f"{where}error[{code}]: {text}")
    layers = [line for line in lines if line.startswith("  in layer ")]
    assert layers == ([f"  in layer {layer}"] if layer else [])
    for part in more:
        assert part in message


@pytest.mark.parametrize("name, code, place, text", WARNINGS, ids=[row[0][:2] for row in WARNINGS])
def test_warning(name, code, place, text):
    found = [str(warning).split("\n")[0] for warning in elaborated(name).warnings]
    assert f"net.yaml:{place}: warning[{code}]: {text}" in found


@pytest.mark.parametrize("name", MARKS)
def test_mark(name):
    """The line of the file is quoted with a mark as wide as what it points at."""
    [place] = [row[2] for row in ERRORS if row[0] == name]
    line, column = map(int, place.split(":"))
    text = (FOLDER / f"{name}.yaml").read_text().split("\n")[line - 1]
    with pytest.raises(SpecError) as caught:
        elaborated(name)
    quoted = f"  {line} | {text}\n  {' ' * len(str(line))} | {' ' * (column - 1)}{'^' * MARKS[name]}"
    assert (str(caught.value) + "\n").count(quoted + "\n") == 1


def test_every_broken_spec_is_tested():
    tested = {row[0] for row in ERRORS} | {row[0] for row in WARNINGS} | {"56_published_count_differs"}
    assert tested == {path.stem for path in FOLDER.glob("*.yaml")}
    assert len(tested) == 65


def test_a_part_list_names_no_unnamed_layer():
    """A layer without a name cannot be named in `outputs`, so the help must not propose its number."""
    [warning] = [w for w in elaborated("41_lstm_without_batch_first_warning").warnings if w.code == "W405"]
    assert "give the layer a name" in warning.help and "0." not in warning.help


def test_published_count_differs():
    """56: the check of `expect`."""
    from netcalc.check import unmet

    [problem] = unmet(elaborated("56_published_count_differs"))
    assert str(problem).startswith(
        "net.yaml:5:18: error[E503]: the model has 2,000 parameters, but `expect` says 2,200 (-200)\n"
        "  5 | expect: {params: 2200}\n"
        "    |                  ^^^^\n"
        "  help: the largest are 0.weight 2,000; "
    )
