"""The commands that show numbers as algebra: explain, formula and solve."""

from __future__ import annotations

import re

import click

from ..errors import NetcalcError
from . import options
from .options import given_options, loaded_with, network, write

FORMULA_FORMATS = ("text", "latex", "python", "sympy", "json")
_CODE = re.compile(r"[EW]\d{3}")


def _written(formats: tuple):
    """--format and -o for what is not a table."""

    def decorate(function):
        function = options.no_color(function)
        function = click.option("-o", "--output", "target", type=click.Path(dir_okay=False), metavar="FILE", help="Write to a file.")(function)  # fmt: skip
        return click.option("--format", type=click.Choice(formats), default="text", show_default=True, help="How to print.")(function)  # fmt: skip

    return decorate


@click.command(short_help="How a number comes about: formula, substitution, result.")
@click.argument("words", nargs=-1, type=options.SpecArgument(), metavar="[SPEC [LAYER] | CODE]")
@click.option("--layer", "kind", metavar="TYPE", help="A layer by itself: TYPE in=SIZES ARGUMENT=VALUE ...")
@given_options
@_written(("text", "markdown", "latex", "html", "json"))
def explain(words, kind, given, variant, free, format, target):
    """The derivation of a layer's numbers: the general formula, the numbers put in, the result. It comes from the rule
    that the layer itself computes with.

    Without a layer: where the parameters, the work and the activations of the network are. With the code of an error
    or warning: its rule, with an example.

    \b
        netcalc explain alexnet conv1
        netcalc explain resnet50
        netcalc explain --layer Conv2d in=3x224x224 out_channels=96 kernel_size=11 stride=4 padding=2
        netcalc explain resnet50 layer4.2.conv2 --format latex
        netcalc explain E402
    """
    if kind is not None:
        return write(_single(kind, words, variant or given or free).explain("layer").format(format), target)
    if len(words) == 1 and _CODE.fullmatch(words[0]):
        from ..report.codes import code_text

        return write(code_text(words[0], format), target)
    if len(words) > 2:
        raise NetcalcError(
            "error: explain takes a spec and one layer\n  help: for example `netcalc explain alexnet conv1`"
        )
    spec, layer = (*words, None, None)[:2]
    net = network(spec, given, variant, free)
    return write(net.explain(layer).format(format), target)


def _single(kind: str, words: tuple, others):
    """The network of `--layer TYPE NAME=VALUE ...`."""
    from ..report.single import spec_of

    if others:
        raise NetcalcError("error: --layer stands without a spec\n  help: give its arguments as NAME=VALUE")
    given = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name or not value:
            raise NetcalcError(f"error: `{word}` is not NAME=VALUE\n  help: for example in=3x224x224 or kernel_size=3")
        given[name] = value
    return loaded_with(spec_of(kind, given), f"--layer {kind}")


@click.command(short_help="A figure of the network as a formula.")
@click.argument("words", nargs=-1, type=options.SpecArgument(), metavar="[SPEC] QUANTITY")
@given_options
@click.option(
    "--batch", type=click.IntRange(1), metavar="B", help="The size of the batch dimension, instead of a name."
)
@click.option("--substitute", "substituted", cls=options.SetOption, multiple=True, metavar="NAME=FORMULA",
              help="Put a formula in for a name, such as H=32*h.")  # fmt: skip
@click.option("--by-group", is_flag=True, help="Name the part of each module.")
@_written(FORMULA_FORMATS)
def formula(words, given, variant, free, batch, substituted, by_group, format, target):
    """A closed form of a figure in what is free: the free sizes of the input, and the arguments that --free names.

    QUANTITY is params, trainable, macs, flops, backward-flops or activations. A free `repeat` is a factor. Every formula
    is compared with the counted network at random points before it is printed.

    \b
        netcalc formula gpt2 params --free n_layer,n_embd,vocab_size
        netcalc formula gpt2 macs --free n_layer,n_embd --batch 1 --by-group
        netcalc formula unet activations --format python
    """
    from ..report.quantities import quantity

    spec, name = _spec_and(words, "a quantity", "netcalc formula alexnet params --free num_classes")
    quantity(name)  # a slip in it comes before those in the spec
    net = network(spec, given, variant, free, batch)
    write(net.formula(name, substitute=dict(map(_substitution, substituted)), by_group=by_group).format(format), target)


@click.command(short_help="The value of an argument that meets a condition.")
@click.argument("words", nargs=-1, type=options.SpecArgument(), metavar="[SPEC] CONDITION")
@given_options
@click.option("--batch", type=click.IntRange(1), metavar="B", help="The size of the batch dimension.")
@click.option("--for", "unknown", required=True, metavar="NAME", help="The argument or free size to find.")
@click.option("--step", metavar="S", help="Try multiples of S only, such as 8 or 0.05 (default: whole numbers).")
@_written(("text", "json"))
def solve(words, given, variant, free, batch, unknown, step, format, target):
    """The largest value that keeps a figure within a bound, the smallest that reaches it, or the nearest one.

    CONDITION compares a quantity (params, macs, flops ...) with a number by <=, >=, < , > or ==. Numbers may end in
    k, M, G, T or in KiB, MiB, GiB.

    \b
        netcalc solve mobilenet_v2 "macs <= 100M" --for width --step 0.05
        netcalc solve gpt2 "params == 1.5G" --for n_layer
        netcalc solve resnet50 "activations <= 1G" --for N
    """
    spec, condition = _spec_and(words, "a condition", 'netcalc solve gpt2 "params <= 1G" --for n_layer')
    net = network(spec, given, variant, free, batch)
    found = net.solve(condition, unknown, step)
    write(found.format(format), target)
    return 0 if found.value is not None or found.exact else 1


def _spec_and(words: tuple, what: str, example: str) -> tuple:
    """The spec, None for the one in this folder, and the word behind it."""
    if not 1 <= len(words) <= 2:
        raise NetcalcError(f"error: this takes a spec and {what}\n  help: for example {example}")
    return (None, *words) if len(words) == 1 else words


def _substitution(text: str) -> tuple:
    """The name and the formula of NAME=FORMULA."""
    from ..arith import symbol
    from ..language.evaluation import ExpressionError
    from ..language.expressions import parse

    name, equals, given = text.partition("=")
    if not equals or not given.strip():
        raise NetcalcError(f"error: --substitute {text}: this is not NAME=FORMULA\n  help: for example H=32*h")
    try:
        return name.strip(), parse(given.strip()).value(symbol)
    except ExpressionError as problem:
        raise NetcalcError(f"error: --substitute {text}: {problem.text}") from None


__all__ = ["explain", "formula", "solve"]
