"""The `memory` command: where the bytes go, what fits, what would make it smaller, the timeline."""

from __future__ import annotations

import click

from ..errors import NetcalcError
from ..memory.conflicts import refuse, refuse_conflicts
from .options import all_of, network, report_unmet, show, table_options, write, write_bytes
from .step_options import ONE_STEP, of_a_step

_ANSWERS = [
    click.option("--accumulate", type=click.IntRange(1), metavar="K", help="Accumulate gradients over K micro-batches of B/K."),
    click.option("--fit", metavar="SIZE", help="The largest batch that fits into 24GiB, 80GB or a GPU such as h200."),
    click.option("--fit-for", metavar="DIM", help="With --fit: the largest value of another free dimension."),
    click.option("--levers", is_flag=True, help="What would make it smaller: bytes saved and extra FLOPs of each."),
    click.option("--timeline", type=click.Path(dir_okay=False), metavar="FILE", help="Write live bytes over the step: .svg, .png, .pdf, .csv or .json."),
]  # fmt: skip


@click.command(short_help="The memory of a training step, and its peak.")
@all_of(ONE_STEP)
@all_of(_ANSWERS)
@table_options
def memory(spec, given, variant, free, batch, depth, expand, format, target, fit, fit_for, levers, timeline, **options):
    """The memory of one training step: where the bytes go, the peak of each phase, which layer makes it, what every
    layer keeps for the backward pass. Simulated exactly as PyTorch runs the exported module.

    \b
        netcalc memory resnet50 --batch 64
        netcalc memory resnet50 --batch 64 --optimizer adamw --amp bfloat16 --device h200
        netcalc memory gpt2 --batch 8 --set T=1024 --timeline gpt2.svg
        netcalc memory vit_b_16 --fit 24GiB --optimizer adamw
        netcalc memory gpt2 --batch 1 --fit h200 --fit-for T
        netcalc memory gpt2 --batch 8 --set T=1024 --levers
        netcalc memory resnet50 --free N --format json
    """
    chosen = of_a_step(options)
    if timeline is not None:
        from ..report.timeline_plot import kind_of

        kind_of(timeline)
    _conflicts(batch, free, fit, fit_for, levers, timeline, bool(depth or expand), chosen)
    net = network(spec, given, variant, free)
    if fit is not None and not levers:
        write(_fitting(net, fit, fit_for, batch, chosen).format(format, _width(target)), target)
        return report_unmet(net)
    if levers:
        write(_levers(net, fit, batch, chosen).format(format, _width(target)), target)
        return report_unmet(net)
    result = _memory(net, batch, chosen)
    if timeline is not None:
        from ..report.timeline_plot import rendered

        write_bytes(rendered(result, timeline), timeline)
    show(result, format, depth, expand, target)
    return report_unmet(net)


def _conflicts(batch, free, fit, fit_for, levers, timeline, folding: bool, chosen: dict) -> None:
    """Refuse what would be passed over. folding: whether --depth or --expand was given."""
    refuse_conflicts(chosen)
    if fit_for and not fit:
        refuse("--fit-for needs --fit SIZE", "for example --fit 24GiB --fit-for T")
    if fit_for and levers:
        refuse("--levers looks at one step, and --fit-for at many", "ask for them one after the other")
    if fit and not fit_for and not levers and batch is not None:
        refuse(
            "--fit looks for the batch, and --batch gives it",
            "leave --batch out, or name another dimension with --fit-for",
        )
    if timeline and (fit or levers):
        refuse("--timeline draws one step, --fit and --levers try many", "ask for them one after the other")
    if levers and "inference" in chosen:
        refuse("--levers is about training", "leave --inference out")
    if folding and (fit or levers):
        refuse(f"--depth and --expand are for the table of layers, which {'--levers' if levers else '--fit'} does not print",
               "leave them out")  # fmt: skip
    if free and (fit or levers or timeline):
        refuse("--free leaves sizes open, and this needs numbers", "use --set")
    amount = chosen.get("accumulate", 1)
    if (batch or 1) % amount and batch is not None:
        refuse(f"--batch {batch} cannot be cut into {amount} equal micro-batches", "choose a divisor of the batch")


def _memory(net, batch: int | None, options: dict):
    """The result; a device is looked up first, so that a misspelt one is told at once."""
    return net.memory(**({} if batch is None else {"batch": batch}), **options)


def _width(target):
    from .options import screen_width

    return screen_width() if target is None else None


# -- what fits


def _fitting(net, size: str, dimension: str | None, batch: int | None, options: dict):
    from ..elaborate.root import batch_dimension
    from ..memory.fit import largest, needed
    from ..memory.profiles import limit, with_device_of
    from ..report.fit import Fitting

    bound, options = limit(size), with_device_of(size, options)
    batched = batch_dimension(net.spec, {})
    name = dimension or batched
    _is_free(net, name)
    known: dict = {}
    refused: list = []

    def at(value: int):
        if value not in known:
            known[value] = (
                _memory(net, value, options) if name == batched else _memory(net.at(**{name: value}), batch, options)
            )
        return known[value]

    parts = options.get("accumulate", 1) if name == batched else 1

    def predict(value: int) -> int | None:
        if value % parts:  # micro-batches are equal
            return None
        _progress(name, value)
        try:
            found = at(value)
        except NetcalcError as problem:  # a size that the spec does not allow, or that nothing can run
            refused.append(problem)
            return None
        return needed(found.timeline.trace, bound.bytes, found.simulated.device.rules)

    fit = largest(predict, bound.bytes)
    _progress(None, None)
    if fit.smallest is None and refused:
        raise refused[0]
    rules = at(fit.size or fit.smallest).simulated.device.rules if fit.smallest else "cpu"
    return Fitting(fit, bound, "batch" if name == batched else name, _named(net), rules, at)


def _is_free(net, name: str | None) -> None:
    """Refuse a dimension that is not there, or has a value already."""
    if name is None:
        raise NetcalcError("error: --fit: the inputs of this spec have no common free dimension in first place\n"
                           "  help: name the dimension with --fit-for")  # fmt: skip
    if name in net.given:
        raise NetcalcError(f"error: --fit looks for {name}, and --set gives it a value\n  help: leave --set {name} out")
    allowed = [*net.graph.free, *net.spec.args]
    if name not in allowed:
        from ..errors import closest

        near = closest(name, allowed)
        known = ", ".join(net.graph.free) or "none"
        raise NetcalcError(f"error: --fit-for: `{name}` is no free dimension of this spec\n"
                           f"  help: {f'did you mean `{near}`? ' if near else ''}free are {known}")  # fmt: skip
    others = [free for free in net.graph.free if free not in (name, net.graph.batch)]
    if others:
        raise NetcalcError(f"error: --fit needs numbers, and {' and '.join(others)} {'has' if len(others) == 1 else 'have'} none\n"
                           f"  help: {' '.join(f'--set {other}=...' for other in others)}")  # fmt: skip


def _named(net) -> str:
    graph = net.graph
    return graph.spec.name + (f" ({graph.variant})" if graph.variant else "")


def _progress(name: str | None, value: int | None) -> None:
    """Which size is being tried, on a terminal; gone when the answer comes."""
    import sys

    if sys.stderr.isatty():
        click.echo("\r\033[K" + (f"trying {name} = {value:,} " if name else ""), err=True, nl=False)


# -- what would make it smaller


def _levers(net, size: str | None, batch: int | None, options: dict):
    from ..memory.levers import Cost, levers, measure
    from ..memory.profiles import limit, with_device_of
    from ..report.levers import Levers

    bound, options = limit(size) if size else None, with_device_of(size, options)
    measured: list[str] = []

    def cost(changes: dict) -> Cost | None:
        merged = {**options, **changes}
        if "amp" in changes:
            merged.pop("dtype", None)
        if "dtype" in changes:
            merged.pop("amp", None)
        if changes.get("optimizer") == "sgd":
            merged = {
                name: value
                for name, value in merged.items()
                if name not in ("implementation", "momentum", "weight_decay", "centered")
            }
        try:
            found = _memory(net, batch, merged)
        except NetcalcError:
            if not changes:
                raise
            return None
        if found.allocated is None:
            return Cost(found.peak.bytes, found.flops)
        measured[:] = ["reserved"]
        return Cost(found.allocated.reserved, found.flops)

    base = cost({})
    if not isinstance(base.bytes, int):
        raise NetcalcError("error: --levers needs numbers\n  help: give the free sizes a value with --batch and --set")
    open_ones = [lever for lever in levers(batch or 1) if lever.options.items() - options.items()]
    table = measure(cost, open_ones, bound.bytes if bound else None)
    return Levers(table, _named(net), (bound.bytes, bound.text) if bound else None, *measured)
