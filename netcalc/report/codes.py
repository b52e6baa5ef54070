"""The rule behind every code of an error or warning, with what breaks it and what keeps it.

E1xx YAML, E2xx structure, E3xx names and expressions, E4xx shapes and arguments of layers, E5xx checks; W warnings.
"""

from __future__ import annotations

from typing import NamedTuple

from ..errors import NetcalcError, closest


class Rule(NamedTuple):
    """What holds, a line or two that break it, and the same as it should be (empty where there is no line for it)."""

    text: str
    wrong: str = ""
    right: str = ""


CODES = {
    "E100": Rule("A spec is valid YAML.", "- Linear: {out_features: sizes[0], bias: false}",
                 '- Linear: {out_features: "sizes[0]", bias: false}'),
    "E101": Rule("Levels are indented with spaces; YAML allows no tab.", "netcalc: 1\ninput: [N, 3]\nlayers:\n\t- ReLU",
                 "netcalc: 1\ninput: [N, 3]\nlayers:\n  - ReLU"),
    "E102": Rule("A file is one YAML document: no line `---` between parts.",
                 "netcalc: 1\n---\ninput: [N, 3]\nlayers: [ReLU]", "netcalc: 1\ninput: [N, 3]\nlayers: [ReLU]"),
    "E103": Rule("A key stands once in a mapping; YAML would silently keep the last.",
                 "- Conv2d: {out_channels: 64, kernel_size: 3, kernel_size: 5}",
                 "- Conv2d: {out_channels: 64, kernel_size: 5}"),
    "E104": Rule("A key is a word.", "- [a, b]: ReLU", "- a: ReLU"),
    "E105": Rule("Merge keys are not part of the language; blocks serve for what is used twice.",
                 "- Linear: {<<: {bias: false}, out_features: 10}", "- Linear: {bias: false, out_features: 10}"),
    "E106": Rule("A file is nested at most so deep that no network comes near it."),
    "E107": Rule("Anchors and aliases are read, but may not grow a small file into a huge one, nor contain themselves.",
                 "args: {a: &a [*a]}", "args: {a: [1, 2]}"),
    "E108": Rule("YAML tags are not part of the language.", "- !ReLU", "- ReLU"),
    "E109": Rule("A file and what it imports are at most 1 MB: larger ones are not specs."),
    "E110": Rule("A file is UTF-8 text without control characters."),
    "E200": Rule("A spec is a mapping with the keys netcalc, input, layers, ...", "- ReLU",
                 "netcalc: 1\ninput: [N, 3]\nlayers: [ReLU]"),
    "E201": Rule("A spec and a block have a fixed set of keys; `about` takes everything else.", "layer: [ReLU]",
                 "layers: [ReLU]"),
    "E202": Rule("The first key is `netcalc: 1`, the version of the language.", "input: [N, 3]\nlayers: [ReLU]",
                 "netcalc: 1\ninput: [N, 3]\nlayers: [ReLU]"),
    "E203": Rule("A network has an input and layers.", "netcalc: 1\nlayers: [ReLU]",
                 "netcalc: 1\ninput: [N, 3]\nlayers: [ReLU]"),
    "E206": Rule("A name of a block has one meaning in a file: its own or that of one import.",
                 "imports: {resnet.yaml: [Bottleneck]}\nblocks: {Bottleneck: ...}",
                 "imports: {resnet.yaml: [Bottleneck]}"),
    "E207": Rule("An import is a path below the folder of the file that imports, of a file that exists and does not import back.",
                 "imports: {../../x.yaml: [Block]}", "imports: {blocks/x.yaml: [Block]}"),
    "E208": Rule("An imported name is a block of that file.", "imports: {resnet.yaml: [Bottlneck]}",
                 "imports: {resnet.yaml: [Bottleneck]}"),
    "E210": Rule("A key has the form it needs: a list of layers, a mapping, a shape.", "layers: ReLU",
                 "layers: [ReLU]"),
    "E211": Rule("A dtype is one of those of torch that netcalc knows: float32, int64, bool ...",
                 "inputs: {tokens: {shape: [N, T], dtype: int}}", "inputs: {tokens: {shape: [N, T], dtype: int64}}"),
    "E212": Rule("An item of `layers` has a layer in it.", "- conv1:",
                 "- conv1: {Conv2d: {out_channels: 64, kernel_size: 3}}"),
    "E213": Rule("An item has one layer.", "- Conv2d: {out_channels: 64, kernel_size: 3}\n  ReLU:",
                 "- Conv2d: {out_channels: 64, kernel_size: 3}\n- ReLU"),
    "E214": Rule("The arguments of a layer stand inside its braces.", "- MaxPool2d: 3\n  stride: 2",
                 "- MaxPool2d: {kernel_size: 3, stride: 2}"),
    "E215": Rule("Beside a layer stand keywords only: from, repeat, when, shape, tie, freeze ...",
                 "- a: ReLU\n  form: input", "- a: ReLU\n  from: input"),
    "E216": Rule("Keywords stand beside the layer, not inside its braces.",
                 "- Conv2d: {out_channels: 8, kernel_size: 3, repeat: 2}",
                 "- Conv2d: {out_channels: 8, kernel_size: 3}\n  repeat: 2"),
    "E217": Rule("Some keywords belong to some kinds of item: shortcut to Residual, merge to Parallel, tie to a layer with parameters.",
                 "- a: ReLU\n  shortcut: [ReLU]", "- Residual: [ReLU]\n  shortcut: [ReLU]"),
    "E220": Rule("A layer is one that netcalc knows, or a block of the file, spelt with its capital letters.",
                 "- conv2d: {out_channels: 8, kernel_size: 3}", "- Conv2d: {out_channels: 8, kernel_size: 3}"),
    "E221": Rule("A name is letters, digits and _, and no word of the language.", "- conv-1: ReLU", "- conv_1: ReLU"),
    "E222": Rule("A name of a layer becomes an attribute of a torch module, so it cannot be one that Module has.",
                 "- type: ReLU", "- type_: ReLU"),
    "E223": Rule("Every layer has a state_dict name of its own.", "- a: ReLU\n- a: Tanh", "- a: ReLU\n- b: Tanh"),
    "E224": Rule("Reuse names an earlier layer, group or block.", "- Reuse: input", "- a: ReLU\n- Reuse: a"),
    "E225": Rule("A layer that is used again keeps its weights, so its new input must fit them.",
                 "- a: {Linear: 10}\n- Reuse: a          # it now reads 10 features, not 32",
                 "- a: {Linear: 32}\n- Reuse: a"),
    "E226": Rule("A block does not contain itself.", "blocks: {A: {layers: [A]}}\nlayers: [A]",
                 "blocks: {A: {layers: [ReLU]}}\nlayers: [A]"),
    "E227": Rule("`tie` says which parameter of the layer is which parameter of an earlier one.",
                 "- a: {Linear: 32}\n- b: {Linear: 32}\n  tie: {weights: a.weight}",
                 "- a: {Linear: 32}\n- b: {Linear: 32}\n  tie: {weight: a.weight}"),
    "E228": Rule("Tied parameters have one shape.", "- a: {Linear: 32}\n- b: {Linear: 10}\n  tie: {weight: a.weight}",
                 "- a: {Linear: 32}\n- b: {Linear: 32}\n  tie: {weight: a.weight}"),
    "E230": Rule("A layer takes PyTorch's arguments; a block those that it declares.",
                 "- Conv2d: {out_channels: 8, kernal_size: 3}", "- Conv2d: {out_channels: 8, kernel_size: 3}"),
    "E231": Rule("An argument is given once."),
    "E233": Rule("An argument without a value takes that of the same name around it, which must exist.",
                 "- Conv2d: {out_channels: 64, kernel_size}", "- Conv2d: {out_channels: 64, kernel_size: 3}"),
    "E234": Rule("A bare value stands for the main argument of a layer that has one.", "- Conv2d: 64",
                 "- Conv2d: {out_channels: 64, kernel_size: 3}"),
    "E235": Rule("Arguments without a default must be given.", "- Conv2d: {out_channels: 64}",
                 "- Conv2d: {out_channels: 64, kernel_size: 3}"),
    "E236": Rule("An argument of the spec without a default needs a value.", "netcalc params spec.yaml",
                 "netcalc params spec.yaml --set width=8"),
    "E301": Rule("Expressions use numbers, names, + - * / // % **, comparisons, and/or/not, `a if c else b`, [ ] and a few functions.",
                 "- Linear: int(2.5)", "- Linear: floor(2.5)"),
    "E302": Rule("A name in an expression is an argument or a dimension that is known there.", "- Linear: widht",
                 "- Linear: width"),
    "E303": Rule("--set, --free and variants name arguments and free dimensions of the spec.", "--set wdith=2",
                 "--set width=2"),
    "E304": Rule("A value is of the kind that its argument takes.",
                 "- Conv2d: {out_channels: 8, kernel_size: 3, bias: no}",
                 "- Conv2d: {out_channels: 8, kernel_size: 3, bias: false}"),
    "E305": Rule("An operation is defined for its operands: no division by zero, no item beyond the end of a list, numbers of a bounded size.",
                 "- Linear: 10 // 0", "- Linear: 10 // 2"),
    "E307": Rule("--variant names a variant of the spec.", "--variant larg", "--variant large"),
    "E308": Rule("Sizes and counts are whole numbers, for every value of what is free.", "- Linear: 0.3 * 64",
                 "- Linear: round(0.3 * 64)"),
    "E309": Rule("A condition must be decidable: what it compares may not be free.",
                 "- a: ReLU\n  when: H > 64          # with H free", "netcalc params spec.yaml --set H=224"),
    "E310": Rule("A reference is the name of an input or of an earlier layer, `prev` or `input`.",
                 "- a: ReLU\n  from: -1", "- a: ReLU\n  from: input"),
    "E311": Rule("A part after a dot is an output or a named member of what stands before it.",
                 "- lstm: {LSTM: {hidden_size: 8, batch_first: true}}\n- a: ReLU\n  from: lstm.hidden",
                 "- lstm: {LSTM: {hidden_size: 8, batch_first: true}}\n- a: ReLU\n  from: lstm.h_n"),
    "E312": Rule("What is referred to must be there: not removed by a `when`.",
                 "- a: ReLU\n  when: deep          # which is false\n- Add: [a, input]",
                 "- a:\n    - b: ReLU\n      when: deep\n- Add: [a, input]"),
    "E313": Rule("A layer gets as many inputs as it takes, and it is clear which.",
                 "- a: ReLU\n- b: {Concat: {dim: 1}}", "- a: ReLU\n- b: {Concat: {dim: 1}}\n  from: [a, input]"),
    "E314": Rule("A name means one thing in one place: a layer and an argument there cannot share it.",
                 "args: {a: 2}\nlayers: [{a: ReLU}, {Add: [a, prev]}]",
                 "args: {a: 2}\nlayers: [{b: ReLU}, {Add: [b, prev]}]"),
    "E315": Rule("A network stays within bounds that no real one reaches: layers, nesting, arguments."),
    "E316": Rule("A default is not defined by way of itself.", "args: {a: b + 1, b: a - 1}\nlayers: [{Linear: a}]",
                 "args: {a: b + 1, b: 2}\nlayers: [{Linear: a}]"),
    "E317": Rule("With a free `repeat` the copies after the first are equal (`i == 0` is possible) and keep their shape.",
                 "- fc: {Linear: 8 + i}\n  repeat: n          # with --free n", "- fc: {Linear: 8}\n  repeat: n"),
    "E318": Rule("An argument that stands for a layer is a kind of layer, perhaps with arguments.",
                 "args: {Act: 2}\nlayers: [Act]", "args: {Act: ReLU}\nlayers: [Act]"),
    "E400": Rule("The input has the number of dimensions that the layer needs.",
                 "- Flatten\n- Conv2d: {out_channels: 8, kernel_size: 3}",
                 "- Conv2d: {out_channels: 8, kernel_size: 3}\n- Flatten"),
    "E401": Rule("Shapes that are combined element by element are equal or broadcast, as in PyTorch.",
                 "- Residual:\n    - Conv2d: {out_channels: 64, kernel_size: 3, padding: 1}      # of 3 channels",
                 "- Residual:\n    - Conv2d: {out_channels: 64, kernel_size: 3, padding: 1}\n  shortcut:\n    - Conv2d: {out_channels: 64, kernel_size: 1}"),
    "E402": Rule("Sizes that must agree do: in a Concat all dimensions but the joined one, in attention the batch and the lengths.",
                 "- small: {MaxPool2d: 2}\n- Concat: {dim: 1}\n  from: [small, input]          # [N, 3, 16, 16] and [N, 3, 32, 32]",
                 "- small: {MaxPool2d: 2}\n- up: {Upsample: {scale_factor: 2}}\n- Concat: {dim: 1}\n  from: [up, input]"),
    "E404": Rule("A window fits into its padded input, and at least one position comes out.",
                 "- MaxPool2d: 50          # of 32 x 32", "- MaxPool2d: 2"),
    "E405": Rule("Parameters have fixed sizes: what they follow from may not be a free size of the input.",
                 "input: [N, 3, H, W]\nlayers: [Flatten, {Linear: 10}]",
                 "input: [N, 3, H, W]\nlayers: [{AdaptiveAvgPool2d: 1}, Flatten, {Linear: 10}]"),
    "E406": Rule("A layer computes with real numbers, with numbers, with int64 or int32, or with masks, and its input has such a dtype.",
                 "input: [N, T]\nlayers: [{Embedding: {num_embeddings: 9, embedding_dim: 4}}]",
                 "inputs: {tokens: {shape: [N, T], dtype: int64}}\nlayers: [{Embedding: {num_embeddings: 9, embedding_dim: 4}}]"),
    "E410": Rule("The number of heads divides the features.", "- MultiheadAttention: 12          # of 100 features",
                 "- MultiheadAttention: 10"),
    "E411": Rule("An argument lies in its range, alone and together with the others.",
                 "- Conv2d: {out_channels: 8, kernel_size: 0}", "- Conv2d: {out_channels: 8, kernel_size: 1}"),
    "E412": Rule("The number of groups divides the channels.",
                 "- Conv2d: {out_channels: 8, kernel_size: 3, groups: 2}          # of 3 channels",
                 "- Conv2d: {out_channels: 8, kernel_size: 3, groups: 1}"),
    "E413": Rule("Sizes that are split or reshaped come out whole.", "- PixelShuffle: 2          # of 3 channels",
                 "- Conv2d: {out_channels: 12, kernel_size: 1}\n- PixelShuffle: 2"),
    "E414": Rule("An argument that follows from the input may be written, but then it must be right.",
                 "- Linear: {in_features: 400, out_features: 10}          # of 32", "- Linear: 10"),
    "E415": Rule("A block gets inputs of the shapes that it declares.",
                 "blocks: {Stem: {input: [N, C, H, W], layers: [ReLU]}}\nlayers: [Flatten, Stem]",
                 "blocks: {Stem: {input: [N, C], layers: [ReLU]}}\nlayers: [Flatten, Stem]"),
    "E416": Rule("A layer with inplace: true overwrites its input, which nobody else may still need.",
                 "- a: {Linear: 32}\n- Residual: [{ReLU: {inplace: true}}, {Linear: 32}]",
                 "- a: {Linear: 32}\n- Residual: [ReLU, {Linear: 32}]"),
    "E417": Rule("Tensors that are combined have one dtype.",
                 "inputs: {x: [N, 8], t: {shape: [N, 8], dtype: int64}}\nlayers: [{Add: [x, t]}]",
                 "inputs: {x: [N, 8], t: [N, 8]}\nlayers: [{Add: [x, t]}]"),
    "E418": Rule("A number of a dimension is one that the input has.",
                 "- Softmax: 4          # of 4 dimensions, 0 to 3", "- Softmax: 1"),
    "E419": Rule("No size is larger than what a tensor can have, and no tensor has more than 64 dimensions."),
    "E501": Rule("`shape` beside a layer is what comes out of it.", "- MaxPool2d: 2\n  shape: [N, 3, 32, 32]",
                 "- MaxPool2d: 2\n  shape: [N, 3, 16, 16]"),
    "E502": Rule("A loss ends in one number.", "loss: [{Linear: 1}]", "loss: CrossEntropyLoss"),
    "E503": Rule("The numbers in `expect` are those of the network.",
                 "layers: [{Linear: 10}]          # 3*10 weights and 10 biases\nexpect: {params: 44}",
                 "layers: [{Linear: 10}]\nexpect: {params: 40}"),
    "E504": Rule("A number in `expect` can be compared: it depends on nothing that is free.",
                 "input: [N, T, 4]\nlayers: [{Linear: 3}]\nexpect: {macs: 120}",
                 "input: [N, T, 4]\nlayers: [{Linear: 3}]\nexpect: {macs: 120, at: {T: 10}}"),
    "E505": Rule("`expect` names outputs that the network has.", "expect: {output: {logits: [N, 3]}}",
                 "expect: {output: [N, 3]}"),
    "W301": Rule("An argument is used somewhere; one that is not is often a slip in a name.",
                 "args: {dropout: 0.1}\nlayers: [{Dropout: 0.5}]",
                 "args: {dropout: 0.1}\nlayers: [{Dropout: dropout}]"),
    "W302": Rule("A block is used somewhere.", "blocks: {Stem: {layers: [ReLU]}}\nlayers: [Tanh]",
                 "blocks: {Stem: {layers: [ReLU]}}\nlayers: [Stem]"),
    "W303": Rule("A repeat of 0 leaves a layer out; `when` says so more clearly.", "- a: ReLU\n  repeat: 0",
                 "- a: ReLU\n  when: false"),
    "W401": Rule("Linear acts on the last dimension: after a convolution that is the width of the picture, rarely what is meant.",
                 "- Conv2d: {out_channels: 8, kernel_size: 3}\n- Linear: 10",
                 "- Conv2d: {out_channels: 8, kernel_size: 3}\n- Flatten\n- Linear: 10"),
    "W402": Rule("Recurrent layers and attention read dimension 0 as time unless batch_first is true.",
                 "- LSTM: {hidden_size: 8}          # of [N, T, 4]", "- LSTM: {hidden_size: 8, batch_first: true}"),
    "W403": Rule("What a layer computes is used.", "- a: ReLU\n- b: Tanh\n  from: input",
                 "- a: ReLU\n- b: Tanh\n  from: a"),
    "W404": Rule("A layer with parameters among named ones should have a name: its number in the state_dict changes with every edit.",
                 "- conv1: {Conv2d: {out_channels: 8, kernel_size: 3}}\n- Flatten\n- Linear: 10",
                 "- conv1: {Conv2d: {out_channels: 8, kernel_size: 3}}\n- Flatten\n- fc: {Linear: 10}"),
    "W405": Rule("A last layer with several outputs returns the first one only, unless `outputs` says otherwise.",
                 "- lstm: {LSTM: {hidden_size: 8, batch_first: true}}",
                 "- lstm: {LSTM: {hidden_size: 8, batch_first: true}}\n- a: ReLU\n  from: lstm.output"),
    "W406": Rule("A free size that is halved and doubled again comes back only if it is even; the input can say so.",
                 "input: [N, 3, H, W]\nlayers: [{MaxPool2d: 2}, {Upsample: {scale_factor: 2}}]",
                 "input: [N, 3, 2*H, 2*W]\nlayers: [{MaxPool2d: 2}, {Upsample: {scale_factor: 2}}]"),
}  # fmt: skip

_KINDS = {
    "E1": "YAML",
    "E2": "structure",
    "E3": "names and expressions",
    "E4": "shapes and arguments of layers",
    "E5": "checks",
}


def code_text(code: str, format: str = "text") -> str:
    """The rule of a code with its example, as text, markdown, html or json."""
    if code not in CODES:
        near = closest(code, CODES)
        raise NetcalcError(f"error: there is no code {code}\n  help: {f'did you mean {near}? ' if near else ''}the codes are {next(iter(CODES))} to {list(CODES)[-1]}")  # fmt: skip
    rule = CODES[code]
    severity = f"error, {_KINDS[code[:2]]}" if code.startswith("E") else "warning"
    if format == "json":
        import json

        return json.dumps({"code": code, "severity": severity.split(",")[0], **rule._asdict()}, indent=2)
    parts = [(title, text) for title, text in (("Wrong", rule.wrong), ("Right", rule.right)) if text]
    if format == "html":
        import html

        shown = [f"<p>{title}:</p><pre>{html.escape(text)}</pre>" for title, text in parts]
        return "\n".join([f"<h3>{code} ({severity})</h3>", f"<p>{html.escape(rule.text)}</p>", *shown])
    if format == "markdown":
        shown = [f"{title}:\n\n```yaml\n{text}\n```" for title, text in parts]
        return "\n\n".join([f"## {code} ({severity})", rule.text, *shown])
    if format == "latex":
        shown = [f"{title}:\n\\begin{{verbatim}}\n{text}\n\\end{{verbatim}}" for title, text in parts]
        return "\n\n".join([rf"\paragraph{{{code}}} ({severity})", rule.text.replace("_", r"\_").replace("%", r"\%"), *shown])  # fmt: skip
    shown = [f"{title}:\n" + "\n".join(f"    {line}" for line in text.split("\n")) for title, text in parts]
    return "\n\n".join([f"{code} ({severity})", rule.text, *shown])
