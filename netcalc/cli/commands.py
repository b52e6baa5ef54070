"""The commands. Each reads a spec, asks the library and prints the answer."""

from __future__ import annotations

import click

from ..errors import NetcalcError, SpecError, closest
from . import options
from .main import complain
from .options import network, output_options, report_unmet, show, spec_options, table_options, write


@click.command(short_help="The output shape of every layer.")
@table_options
def shapes(spec, given, variant, free, batch, depth, expand, format, target):
    """The output shape of every layer. Free dimensions stay symbols.

    \b
        netcalc shapes resnet50
        netcalc shapes unet --set H=30 W=40 --batch 2
        netcalc shapes spec.yaml --format json
    """
    net = network(spec, given, variant, free, batch)
    show(net.shapes(), format, depth, expand, target)
    return report_unmet(net)


@click.command(short_help="The parameters of every layer.")
@table_options
def params(spec, given, variant, free, batch, depth, expand, format, target):
    """The parameters of every layer: weights, biases, share of the model; trainable, frozen and buffers in total.

    \b
        netcalc params alexnet
        netcalc params resnet152 --depth 1
        netcalc params gpt2 --free n_layer,n_embd
        netcalc params vgg16 --format csv -o vgg16.csv
    """
    net = network(spec, given, variant, free, batch)
    show(net.params(), format, depth, expand, target)
    return report_unmet(net)


@click.command(short_help="The MACs and FLOPs of every layer.")
@table_options
def flops(spec, given, variant, free, batch, depth, expand, format, target):
    """The MACs and FLOPs of every layer, forward and backward, for one sample (or --batch B).

    One MAC is one multiply-accumulate of a convolution, a linear layer or a matrix product. FLOPs are 2 * MACs plus
    the other operations (biases, normalisation, activations, pooling).

    \b
        netcalc flops resnet50
        netcalc flops gpt2 --set T=1024
        netcalc flops convnext_tiny --depth 2 --format markdown
    """
    net = network(spec, given, variant, free, batch)
    show(net.flops(), format, depth, expand, target)
    return report_unmet(net)


@click.command(short_help="Check specs against their published numbers.")
@click.argument("specs", nargs=-1, type=options.SpecArgument())
@options.strict
@options.no_color
def check(specs, strict):
    """Read specs and check every `expect` and `shape`, for the defaults and all variants.

    Exit code 0 where all is well, 1 where a number differs (or, with --strict, there are warnings), 2 where a spec is
    wrong.

    \b
        netcalc check spec.yaml
        netcalc check resnet vgg alexnet --strict
    """
    codes = [_check_one(spec, strict) for spec in specs or (None,)]
    return max(codes)


def _check_one(spec: str | None, strict: bool) -> int:
    try:
        net = options.loaded(spec)
    except NetcalcError as problem:
        complain(str(problem))
        return 2
    chosen = [net] if net.variant_name or not net.variants else [net, *map(net.variant, net.variants)]
    return max(_check_net(one, spec or "spec.yaml", strict) for one in chosen)


def _check_net(net, name: str, strict: bool) -> int:
    label = f"{name} ({net.variant_name})" if net.variant_name and net.variant_name != name else name
    try:
        problems = [*(net.warnings if strict else ()), *net.check()]
        from ..check import met

        expected = met(net.graph)
    except SpecError as problem:
        complain(str(problem))
        return 2
    for diagnostic in problems if strict else (*net.warnings, *problems):
        complain(str(diagnostic))
    if problems:
        click.echo(f"{label}: failed")
        return 1
    total = net.params().sum.params
    shown = f"{total:,}" if isinstance(total, int) else str(total)
    checked = f"{', '.join(expected)} as expected" if expected else "nothing to expect"
    click.echo(f"{label}: ok ({shown} parameters; {checked})")
    return 0


@click.command(short_help="The networks that come with netcalc.")
@click.option("--format", type=click.Choice(("table", "json")), default="table", show_default=True)
@click.option("-o", "--output", "target", type=click.Path(dir_okay=False), metavar="FILE", help="Write to a file.")
def models(format, target):
    """The networks that come with netcalc: use their names, or those of their variants, as SPEC.

    \b
        netcalc models
        netcalc models --format json
    """
    from ..report.reference import models_text

    write(models_text(format), target)


@click.command(short_help="The kinds of layer, with arguments and rules.")
@click.argument("type", required=False)
@click.option("--format", type=click.Choice(("table", "markdown", "json")), default="table", show_default=True)
@click.option("-o", "--output", "target", type=click.Path(dir_okay=False), metavar="FILE", help="Write to a file.")
def layers(type, format, target):
    """All kinds of layer, or one with its arguments and defaults.

    \b
        netcalc layers
        netcalc layers Conv2d
    """
    from ..layers import REGISTRY
    from ..report.reference import layer_text, layers_text

    if type is None:
        write(layers_text(format), target)
    elif type in REGISTRY:
        write(layer_text(type, format), target)
    else:
        near = closest(type, REGISTRY)
        help = f"did you mean {near}? " if near else ""
        raise NetcalcError(f"error: there is no layer `{type}`\n  help: {help}`netcalc layers` lists all")


@click.command(short_help="The JSON Schema of specs, for editors.")
@click.option("-o", "--output", "target", type=click.Path(dir_okay=False), metavar="FILE", help="Write to a file.")
def schema(target):
    """The JSON Schema of the spec language: completion and checks in an editor.

    Put  # yaml-language-server: $schema=netcalc-1.json  on the first line of a spec.

    \b
        netcalc schema -o netcalc-1.json
    """
    import json

    from ..language.schema import schema as made

    write(json.dumps(made(), indent=1), target)


@click.command(short_help="Completion for a shell.")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell):
    """Print the completion script for a shell.

    \b
        netcalc completion bash >> ~/.bashrc
        netcalc completion zsh >> ~/.zshrc
        netcalc completion fish > ~/.config/fish/completions/netcalc.fish
    """
    from click.shell_completion import get_completion_class

    from .main import cli

    kind = get_completion_class(shell)
    write(kind(cli, {}, "netcalc", "_NETCALC_COMPLETE").source(), None)


__all__ = [
    "check",
    "completion",
    "flops",
    "layers",
    "models",
    "output_options",
    "params",
    "schema",
    "shapes",
    "spec_options",
]
