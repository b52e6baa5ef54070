"""What the codes of messages mean: the rule that a spec broke, with an example where one says more than the rule."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import NetcalcError, closest


class Code(NamedTuple):
    """A rule in one or two sentences; layers that break it, and layers that keep it."""

    rule: str
    wrong: str = ""
    right: str = ""


def explanation(code: str) -> str:
    """The rule behind an error or warning (E402, W401), as text. Raises NetcalcError for a code that there is not."""
    found = CODES.get(code.upper())
    if found is None:
        near = closest(code.upper(), CODES)
        help = f"did you mean {near}? " if near else ""
        raise NetcalcError(f"error: there is no message with the code {code}\n"
                           f"  help: {help}the codes are {', '.join(_ranges())}")  # fmt: skip
    kind = "a warning" if code.upper().startswith("W") else "an error"
    parts = [f"{code.upper()}, {kind} about {_about(code.upper())}.", found.rule]
    if found.wrong:
        parts += ["Wrong:", _indented(found.wrong), "Right:", _indented(found.right)]
    return "\n\n".join(parts)


def example(text: str) -> str:
    """A whole spec of an example: what it leaves out is an input of pictures."""
    return text if text.startswith("netcalc:") else f"netcalc: 1\ninput: [N, 3, 32, 32]\nlayers:\n{text}\n"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.strip("\n").split("\n"))


def _ranges() -> list[str]:
    """E100 to E110, ...: the first and last code of each hundred."""
    groups: dict[str, list[str]] = {}
    for code in CODES:
        groups.setdefault(code[:2], []).append(code)
    return [f"{codes[0]} to {codes[-1]}" for codes in groups.values()]


def _about(code: str) -> str:
    return _SUBJECTS[code[1]]


_SUBJECTS = {
    "1": "the YAML text", "2": "the structure of the spec", "3": "names and expressions",
    "4": "shapes and the arguments of layers", "5": "checks",
}  # fmt: skip

CODES = {
    # -- the YAML text
    "E100": Code("The text must be valid YAML. Inside { } or [ ], an expression with brackets or commas needs quotes.",
                 "- Linear: {out_features: max[1]}", '- Linear: {out_features: "max(1, 2)"}'),
    "E101": Code("Lines are indented with spaces, not with tabs: two for each level."),
    "E102": Code("A file holds one YAML document: there is no line --- in it."),
    "E103": Code("A key stands once in a mapping. YAML itself would silently keep only the second one.",
                 "- Conv2d: {out_channels: 8, kernel_size: 3, out_channels: 16}", "- Conv2d: {out_channels: 16, kernel_size: 3}"),
    "E104": Code("A key is a word, not a list or a mapping."),
    "E105": Code("Merge keys (<<) are not part of the language. What is used twice becomes a block under `blocks:`."),
    "E106": Code("Lists and mappings are nested at most 64 levels deep."),
    "E107": Code("An alias (*name) stands for an anchor (&name) before it, not for itself, and must not let the file grow without "
                 "bounds. A block under `blocks:` is the better way to use something twice."),
    "E108": Code("YAML tags (!!python/object, !something) are not part of the language: a spec is data, never code."),
    "E109": Code("A spec is at most 1 MB, with all files that it imports."),
    "E110": Code("A spec is text in UTF-8."),
    # -- the structure
    "E200": Code("A spec is a mapping with the keys netcalc, input (or inputs), layers and others."),
    "E201": Code("At the top of a spec, an import, a variant and a block there are only the keys that the language has."),
    "E202": Code("The first line names the version of the language.", "netcalc: 2\ninput: [N, 4]\nlayers: [ReLU]\n",
                 "netcalc: 1\ninput: [N, 4]\nlayers: [ReLU]\n"),
    "E203": Code("A network has an input and layers.", "netcalc: 1\nlayers: [ReLU]\n", "netcalc: 1\ninput: [N, 4]\nlayers: [ReLU]\n"),
    "E206": Code("A kind of layer has one definition: a block of this file, or one that is imported, not both."),
    "E207": Code("An import names a file in the folder of the spec or below it."),
    "E208": Code("An import names blocks that the other file has."),
    "E210": Code("A value must have the form that its key asks for: a list, a mapping, a text or a number.",
                 "- Linear: 4\n  shape: 4", "- Linear: 4\n  shape: [N, 3, 32, 4]"),
    "E211": Code("A dtype is float32, int64, bool or another of the language."),
    "E212": Code("An item of `layers` is a layer: Type, Type: {arguments}, or name: layer.", "- conv1:", "- conv1: {Linear: 64}"),
    "E213": Code("An item of `layers` is one layer. The next one starts on its own line with a dash.",
                 "- Linear: 8\n  ReLU:", "- Linear: 8\n- ReLU"),
    "E214": Code("The arguments of a layer go inside its braces; keywords (from, repeat, when, ...) go beside it.",
                 "- Conv2d: {out_channels: 8, kernel_size: 3}\n  stride: 2", "- Conv2d: {out_channels: 8, kernel_size: 3, stride: 2}"),
    "E215": Code("Beside a layer there are only keywords of the language.", "- Linear: 8\n  repaet: 2", "- Linear: 8\n  repeat: 2"),
    "E216": Code("Keywords (from, repeat, when, ...) go beside a layer, not inside its braces.",
                 "- Conv2d: {out_channels: 3, kernel_size: 1, repeat: 2}", "- Conv2d: {out_channels: 3, kernel_size: 1}\n  repeat: 2"),
    "E217": Code("Some keywords belong to one kind of item: `shortcut` to Residual, `merge` to Parallel.",
                 "- Linear: 8\n  merge: Add", "- Parallel: [{Linear: 8}, {Linear: 8}]\n  merge: Add"),
    "E220": Code("A kind of layer is one of netcalc's own (`netcalc layers`), or a block of this file. Its name starts with a "
                 "capital letter.", "- relu", "- ReLU"),
    "E221": Code("The name of a layer is made of letters, digits and _; it is part of a state_dict key.",
                 "- conv.1: {Linear: 4}", "- conv_1: {Linear: 4}"),
    "E222": Code("A layer must not have the name of a part of torch.nn.Module, or of a word of Python: it could not be an attribute "
                 "of a module.", "- forward: {Linear: 4}", "- forward_: {Linear: 4}"),
    "E223": Code("Two layers must not have the same state_dict name.", "- fc: {Linear: 4}\n- fc: {Linear: 4}", "- fc1: {Linear: 4}\n- fc2: {Linear: 4}"),
    "E224": Code("Reuse names a layer, group or block before it, which runs again with the same weights.",
                 "- fc: {Linear: 32}\n- Reuse: prev", "- fc: {Linear: 32}\n- Reuse: fc"),
    "E225": Code("What is used again has the weights that it has: its input must have a shape that fits them.",
                 "- fc: {Linear: 8}\n- Reuse: fc", "- fc: {Linear: 32}\n- Reuse: fc"),
    "E226": Code("A block does not contain itself, neither directly nor by way of others."),
    "E227": Code("`tie` maps a parameter of this layer to a parameter of a layer before it: tie: {weight: wte.weight}."),
    "E228": Code("Parameters that are tied are one tensor: their shapes are equal.",
                 "- a: {Linear: 8}\n- b: {Linear: 8}\n  tie: {weight: a.weight}", "- a: {Linear: 32}\n- b: {Linear: 32}\n  tie: {weight: a.weight}"),
    "E230": Code("A layer or block has only the arguments that it declares; `netcalc layers TYPE` lists them.",
                 "- Conv2d: {out_channels: 8, kernal_size: 3}", "- Conv2d: {out_channels: 8, kernel_size: 3}"),
    "E231": Code("An argument is given once: by its name or as the bare value of a layer."),
    "E233": Code("A name without a value in the braces of a layer ({stride}) takes the argument of that name; there must be one.",
                 "- Conv2d: {out_channels: 8, kernel_size: 3, stride}", "- Conv2d: {out_channels: 8, kernel_size: 3, stride: 2}"),
    "E234": Code("A bare value stands for the main argument of a layer. Where a layer needs several, they are named.",
                 "- Conv2d: 64", "- Conv2d: {out_channels: 64, kernel_size: 3}"),
    "E235": Code("Arguments without a default must be given.", "- Conv2d: {out_channels: 8}", "- Conv2d: {out_channels: 8, kernel_size: 3}"),
    "E236": Code("An argument of the spec without a default gets its value from outside: --set NAME=VALUE."),
    # -- names and expressions
    "E301": Code("An expression is made of numbers, names, + - * / // % **, comparisons, and/or/not, `a if c else b`, lists and a few "
                 "functions. It is never run as Python.", '- Linear: "__import__(1)"', '- Linear: "2 * 16"'),
    "E302": Code("A name in an expression is an argument of the spec or block, a size of an input, or `i` in a repeat.",
                 "- Linear: 2 * widht", "netcalc: 1\nargs: {width: 16}\ninput: [N, 4]\nlayers: [{Linear: 2 * width}]\n"),
    "E303": Code("--set, --free and variants give values to the arguments and free sizes that the spec has."),
    "E304": Code("A value must be one of those that its argument takes, such as a word of a list, or true and false.",
                 "- Linear: {out_features: 8, bias: yes}", "- Linear: {out_features: 8, bias: true}"),
    "E305": Code("An expression must have a value that can be worked out, of a reasonable size.", '- Linear: "1 // 0"', '- Linear: "8 // 2"'),
    "E307": Code("--variant names a variant of the spec."),
    "E308": Code("Sizes, counts and kernels are whole numbers: // divides without a fraction, / must come out even.",
                 "- Linear: 15 / 2", "- Linear: 15 // 2"),
    "E309": Code("A condition on a free size cannot be decided: whether N > 8 is open while N is. --set gives it a value.",
                 "- ReLU:\n  when: N > 8", "- ReLU:\n  when: 16 > 8"),
    "E310": Code("`from` and operands refer to layers before them by name (or `prev`, `input`), not by number.",
                 "- ReLU\n- Add: [prev, missing]", "- first: ReLU\n- Add: [prev, first]"),
    "E311": Code("A reference with a dot names a part that the layer has: an output, or a layer in a group.",
                 "- halves: {Chunk: {chunks: 2, dim: 2}}\n- Identity:\n  from: halves.third",
                 "- halves: {Chunk: {chunks: 2, dim: 2}}\n- Identity:\n  from: halves.0"),
    "E312": Code("What `when` or `repeat: 0` takes away cannot be referred to."),
    "E313": Code("A layer or block reads as many tensors as it has inputs; where there are several, `from` says which.",
                 "- Conv2d: {out_channels: 8, kernel_size: 3}\n  from: [input, input]", "- Conv2d: {out_channels: 8, kernel_size: 3}\n  from: input"),
    "E314": Code("A name that is both a layer and an argument is not clear as an operand: one of them is renamed."),
    "E315": Code("Copies, nested defaults and other things that grow have a limit, so that no spec takes all memory.",
                 "- Linear: 32\n  repeat: 1000000000", "- Linear: 32\n  repeat: 10"),
    "E316": Code("The default of an argument must not need the argument itself.",
                 "netcalc: 1\nargs: {a: b + 1, b: a}\ninput: [N, 4]\nlayers: [{Linear: a}]\n",
                 "netcalc: 1\nargs: {a: b + 1, b: 3}\ninput: [N, 4]\nlayers: [{Linear: a}]\n"),
    "E317": Code("Where the number of copies is free, all copies must be alike and keep the shape."),
    "E318": Code("A kind of layer as an argument is a type with or without arguments: ReLU, or {LeakyReLU: {negative_slope: 0.2}}."),
    # -- shapes and arguments of layers
    "E400": Code("A layer takes tensors of the number of dimensions that its signature names (`netcalc layers TYPE`).",
                 "- Flatten\n- Conv2d: {out_channels: 8, kernel_size: 3}", "- Conv2d: {out_channels: 8, kernel_size: 3}\n- Flatten"),
    "E401": Code("Residual adds its input to what its layers give: both have the same shape. A `shortcut` can bring the input to it.",
                 "- Residual:\n    - Linear: 8", "- Residual:\n    - Linear: 8\n  shortcut:\n    - Linear: 8"),
    "E402": Code("Tensors that are joined or computed with one another agree in their sizes: in Concat all dimensions but the one they "
                 "are joined along, in Add all of them (or 1, which is stretched).",
                 "- a: {MaxPool2d: 2}\n- Concat: {dim: 1}\n  from: [a, input]", "- a: {Identity: }\n- Concat: {dim: 1}\n  from: [a, input]"),
    "E404": Code("A window (kernel with its dilation) fits into the input with its padding.",
                 "- Conv2d: {out_channels: 8, kernel_size: 40}", "- Conv2d: {out_channels: 8, kernel_size: 5}"),
    "E405": Code("A layer with weights needs numbers for the sizes that its weights have; free sizes cannot be learnt for.",
                 "netcalc: 1\ninput: [N, 3, H, W]\nlayers: [Flatten, {Linear: 10}]\n",
                 "netcalc: 1\ninput: [N, 3, H, W]\nlayers: [{AdaptiveAvgPool2d: 1}, Flatten, {Linear: 10}]\n"),
    "E406": Code("A layer takes the dtype that it computes with: Embedding whole numbers, most others real ones.",
                 "- Embedding: {num_embeddings: 10, embedding_dim: 4}",
                 "netcalc: 1\ninput: {shape: [N, T], dtype: int64}\nlayers: [{Embedding: {num_embeddings: 10, embedding_dim: 4}}]\n"),
    "E410": Code("The features are divided evenly among the heads.",
                 "netcalc: 1\ninput: [N, T, 10]\nlayers: [{MultiheadAttention: {num_heads: 3, batch_first: true}}]\n",
                 "netcalc: 1\ninput: [N, T, 12]\nlayers: [{MultiheadAttention: {num_heads: 3, batch_first: true}}]\n"),
    "E411": Code("An argument is in the range that makes sense for it: sizes at least 1, probabilities from 0 to 1.",
                 "- Dropout: 2", "- Dropout: 0.2"),
    "E412": Code("The channels are divided evenly among the groups.",
                 "- Conv2d: {out_channels: 8, kernel_size: 3, groups: 2}", "- Conv2d: {out_channels: 9, kernel_size: 3, groups: 3}"),
    "E413": Code("Reshape keeps the number of elements, and a dimension that is split into equal pieces divides evenly.", "- GLU: 1", "- GLU: 2"),
    "E414": Code("Sizes of the input are inferred; where one is written all the same, it is the actual one.",
                 "- Conv2d: {in_channels: 4, out_channels: 8, kernel_size: 3}", "- Conv2d: {out_channels: 8, kernel_size: 3}"),
    "E415": Code("What a block is called with fits the pattern of its `input`: the number of dimensions, and the sizes it names."),
    "E416": Code("An operation in place overwrites its input: that must not be read again, nor be needed for the gradient.",
                 "- a: {Linear: 8}\n- b: {ReLU: {inplace: true}}\n- Add: [b, a]", "- a: {Linear: 8}\n- b: ReLU\n- Add: [b, a]"),
    "E417": Code("Tensors that are computed with one another have one dtype; To changes it."),
    "E418": Code("A dimension is one that the tensor has: 0 to its last, or -1 and downwards from the end.",
                 "- Softmax: 4", "- Softmax: 3"),
    "E419": Code("A tensor has at most 64 dimensions and at most 2**63 - 1 elements, as in torch."),
    # -- checks
    "E501": Code("`shape` beside a layer is a comment that is checked: it is the output's shape.",
                 "- MaxPool2d: 2\n  shape: [N, 3, 32, 32]", "- MaxPool2d: 2\n  shape: [N, 3, 16, 16]"),
    "E502": Code("A loss ends in one number."),
    "E503": Code("`expect` holds published numbers: the network has exactly those, or rounds to them (macs: 4.1G)."),
    "E504": Code("MACs or FLOPs that `expect` names need a size for what is free: `at: {T: 1024}`. The batch counts as one sample."),
    "E505": Code("`expect` names outputs that the network has."),
    # -- warnings
    "W301": Code("An argument that nothing uses is probably misspelt somewhere."),
    "W302": Code("A block that nothing uses is probably misspelt somewhere, or left over."),
    "W303": Code("`repeat: 0` takes the layer away."),
    "W401": Code("Linear acts on the last dimension. After convolutions a Flatten is usually missing before it."),
    "W402": Code("Recurrent layers and MultiheadAttention take time first unless `batch_first: true` is given, as in torch. An input "
                 "[N, T, features] is probably batch first."),
    "W403": Code("The output of a layer is used by nothing: neither read nor returned."),
    "W404": Code("A layer with parameters has no name: its state_dict key is a number, which changes when a layer is put before it."),
    "W405": Code("A layer is named so that nothing outside can use the name."),
    "W406": Code("A size comes back smaller after halving and doubling, unless it is a multiple: the input can be written as one."),
}  # fmt: skip
