"""The commands that show numbers as algebra: explain, formula and solve."""

from __future__ import annotations

import re

import click

from ..errors import NetcalcError
from . import options
from .options import given_options, loaded_with, network, write

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
