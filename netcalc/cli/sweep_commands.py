"""The commands about several networks: many designs of one, and two side by side."""

from __future__ import annotations

import sys
import time

import click

from ..errors import NetcalcError
from .main import complain
from .options import (
    SetOption,
    SpecArgument,
    _names,
    _settings,
    all_of,
    loaded,
    output_options,
    show,
)  # fmt: skip
from .step_options import ONE_STEP, of_a_step

_SWEEP = [
    click.argument("spec", required=False, type=SpecArgument()),
    click.option("--set", "given", cls=SetOption, multiple=True, callback=_settings, metavar="NAME=VALUES",
                 help="The values of an argument or a free dimension: a,b,c or FIRST..LAST or FIRST..LAST..STEP."),
    click.option("--variant", "variants", multiple=True, callback=_names, metavar="V,...", help="Variants of the spec: another axis."),
    click.option("--sample", type=click.IntRange(1), metavar="K", help="Try K designs at random instead of all."),
    click.option("--seed", type=int, default=0, show_default=True, help="What the random sample depends on."),
    click.option("--columns", multiple=True, callback=_names, metavar="NAMES",
                 help="Figures: params, trainable, macs, flops, backward_flops, activations, peak.  [default: params,macs]"),
    click.option("--where", metavar="CONDITION", help='Keep designs that meet it: "params < 30M and macs <= 300M".'),
    click.option("--sort", multiple=True, callback=_names, metavar="NAMES", help="Order by these; -NAME: greatest first."),
    click.option("--top", type=click.IntRange(1), metavar="K", help="Keep the first K."),
    click.option("--pareto", multiple=True, callback=_names, metavar="NAMES",
                 help="Keep what nothing is better than in all of these (least; max:NAME or -NAME: greatest)."),
    click.option("--fits-in", "fits", metavar="SIZE", help="Keep what fits into 24GiB, 80GB or a GPU such as h200."),
    click.option("--plot", type=click.Path(dir_okay=False), metavar="FILE", help="Draw a scatter plot: svg, png or pdf."),
]  # fmt: skip
BACKGROUND = 4_000  # points of a plot besides those of the result


@click.command(short_help="Many designs: parameters, MACs and more for a grid of arguments.")
@all_of(_SWEEP)
@all_of(ONE_STEP)
@output_options
def sweep(
    spec, given, variants, sample, seed, columns, where, sort, top, pareto, fits, plot, format, target, **options
):
    """A table of designs: every combination of the values given with --set, with its parameters, MACs and more.

    The column `peak` is the peak of a training step, as `netcalc memory` gives it; --optimizer, --device and the like
    say how it runs. Units in a condition: k, M, G, T (powers of 1000), KiB, MiB, GiB, TiB. Designs that cannot exist are counted, with the reason.

    \b
        netcalc sweep mobilenet_v2 --set width=0.5,0.75,1,1.4
        netcalc sweep spec.yaml --set width=8..64..8 --set N=1..256 --where "macs < 1G" --sort -params --top 10
        netcalc sweep gpt2 --set n_layer=2..48 --set n_embd=64..2048..64 --set T=1024 --pareto max:params,macs
        netcalc sweep resnet50 --set N=1..256 --columns peak --optimizer adamw
        netcalc sweep gpt2 --set n_layer=6,12,24 --set N=1..64 --set T=1024 --fits-in h200 --sort -params,-N --top 5
        netcalc sweep resnet --variant resnet18,resnet34,resnet50 --columns params,flops --plot resnets.svg
    """
    net = loaded(spec)
    if plot is not None:
        _check_plot(plot)
    meter = _Meter()
    try:
        found = net.sweep(
            given, variants=variants, columns=columns, where=where, sort=sort, top=top, pareto=pareto,
            sample=sample, seed=seed, background=BACKGROUND if plot else 0, progress=meter,
            fits=fits, **of_a_step(options),
        )  # fmt: skip
    finally:
        meter.clear()
    if plot is not None:
        existed = _exists(plot)
        found.plot(plot)
        complain(f"note: {'replaced' if existed else 'wrote'} {plot}")
    show(found, format, None, False, target)
    return 0


def _exists(path: str) -> bool:
    import os

    return os.path.exists(path)


def _check_plot(path: str):
    """What is wrong with the file of a plot is said before the work."""
    from ..designs.plot import check

    check(path)


class _Meter:
    """How far a long sweep is, on a terminal's standard error, from the first second on."""

    def __init__(self):
        self.start = self.shown = time.monotonic()
        self.width = 0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if not sys.stderr.isatty() or now - self.start < 1 or now - self.shown < 0.2:
            return
        self.shown = now
        text = f"{done:,} of {total:,} designs ({100 * done // total} %)"
        self.width = max(self.width, len(text))
        sys.stderr.write(f"\r{text:<{self.width}}")
        sys.stderr.flush()

    def clear(self) -> None:
        if self.width:
            sys.stderr.write(f"\r{'':<{self.width}}\r")
            sys.stderr.flush()


@click.command(short_help="Two networks side by side.")
@click.argument("a", type=SpecArgument(), metavar="A")
@click.argument("b", type=SpecArgument(), metavar="B")
@click.option("--set", "given", multiple=True, callback=_settings, metavar="NAME=VALUE", help="A value for both.")
@click.option("--set-a", multiple=True, callback=_settings, metavar="NAME=VALUE", help="A value for A.")
@click.option("--set-b", multiple=True, callback=_settings, metavar="NAME=VALUE", help="A value for B.")
@click.option("--variant-a", metavar="V", help="A variant of A.")
@click.option("--variant-b", metavar="V", help="A variant of B.")
@all_of(ONE_STEP)
@click.option("--expand", is_flag=True, help="Show every layer, also those that are equal.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 where there is a difference.")
@output_options
def diff(a, b, given, set_a, set_b, variant_a, variant_b, expand, exit_code, format, target, **options):
    """Two networks side by side: layers added, removed and changed, with parameters, MACs and memory of both.

    Layers are matched by their state_dict names, then, where these changed, by what they are.

    \b
        netcalc diff resnet50 resnet101
        netcalc diff mobilenet_v2 mobilenet_v2 --set-b width=0.5
        netcalc diff resnet50 resnet101 --set N=64 --optimizer adamw --device h100
        netcalc diff old.yaml new.yaml --exit-code
    """
    if a == "-" and b == "-":
        raise NetcalcError("error: only one of the two can be read from standard input")
    found = _chosen(a, {**given, **set_a}, variant_a).diff(
        _chosen(b, {**given, **set_b}, variant_b), **of_a_step(options)
    )
    show(found, format, None, expand, target)
    return 1 if exit_code and found.differs else 0


def _chosen(spec: str, given: dict, variant: str | None):
    net = loaded(spec)
    net = net if variant is None else net.variant(variant)
    net = net.at(**given)
    net.graph  # noqa: B018  (errors come before any output)
    return net


__all__ = ["diff", "sweep"]
