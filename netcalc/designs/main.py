"""A sweep: the designs in order, in chunks of bounded size, through the filters to a result."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from ..elaborate.root import check_given
from ..errors import NetcalcError
from ..report.quantities import QUANTITIES, unknown
from .axes import VARIANT, Axis, axis
from .evaluate import Evaluator
from .peak import running
from .result import Sweep
from .select import Selection
from .where import Where

CHUNK = 1 << 16  # designs worked out at a time
FAMILIES = 64  # networks elaborated at a time: what takes long still says how far it is
MAX_ROWS = 5_000_000  # of a result
COLUMNS = ("params", "macs")


def sweep(
    net,
    sets: dict | None = None,
    *,
    variants=(),
    columns=None,
    where: str | None = None,
    sort=(),
    top: int | None = None,
    pareto=(),
    sample: int | None = None,
    seed: int = 0,
    background: int = 0,
    progress: Callable[[int, int], None] | None = None,
    fits: str | None = None,
    **step,
) -> Sweep:
    """The figures of every design of a grid, or of some at random.

    sets: for arguments and free dimensions their values: text as in --set ("2..8"), a range, a list of alternatives.
    variants: names of variants, another axis. columns: names of quantities. where: a condition on names and quantities.
    sort: names, `-name` for the greatest first. top: so many rows. pareto: the designs that no other is better than in
    all of these (least is best; `max:name` or `-name`: greatest). sample: so many designs, drawn with `seed`.
    background: so many designs kept for a plot although they are not in the result. fits: a size or a
    GPU, such as "24GiB" or "h200", that the step has to fit in. step: options of `net.memory`, which say what `peak` is of.
    """
    axes = _axes(net, sets or {}, _listed(variants))
    varying, constant = [a for a in axes if len(a) > 1], [a for a in axes if len(a) == 1]
    base = _with_constants(net, constant)
    condition = Where(where, varying) if where else None
    sort, pareto = _listed(sort), _listed(pareto)
    steps = running(step, fits)
    selection = Selection(varying, condition, sort, top, pareto, background, steps)
    columns = _columns(columns, [*selection.quantities, *(["peak"] if step or fits else [])])
    used = list(dict.fromkeys([*columns, *selection.figures]))
    designs = _Designs(varying, sample, seed)
    _check_count(designs, selection)
    evaluator = Evaluator(base, varying, used, designs.count, steps)
    _work_out(designs, evaluator, selection, progress)
    return Sweep(net, base, axes, varying, columns, designs, evaluator, selection)


def _work_out(designs: _Designs, evaluator: Evaluator, selection: Selection, progress) -> None:
    """All designs through the selection. Raises NetcalcError where none is valid."""
    done = 0
    for index, digits in designs.chunks(evaluator.structural):
        selection.add(evaluator.block(index, digits))
        done += len(index)
        if progress is not None:
            progress(done, designs.count)
    if selection.valid == 0:
        raise _none_valid(evaluator, designs.count)


def _check_count(designs: _Designs, selection: Selection):
    if designs.count > MAX_ROWS and not selection.narrows:
        raise NetcalcError(f"error: sweep: these are {designs.count:,} designs\n"
                           "  help: --top K, --where CONDITION or --pareto NAMES keep the best of them, --sample K tries some")  # fmt: skip


def _listed(names) -> list[str]:
    if isinstance(names, str):
        names = names.split(",")
    return [name.strip() for name in names or () if name.strip()]


def _axes(net, sets: dict, variants: list[str]) -> list[Axis]:
    check_given(sets, net.spec, "--set")
    found = [axis(name, given, net.spec) for name, given in sets.items()]
    for name in variants:
        if name not in net.variants:
            raise (
                unknown(name, net.variants, "variant")
                if net.variants
                else NetcalcError("error: this spec has no variants")
            )
    if VARIANT in sets and variants:
        raise NetcalcError(f"error: `{VARIANT}` is an argument of this spec: its variants cannot be an axis beside it")
    return [Axis(VARIANT, variants, ", ".join(variants)), *found] if variants else found


def _with_constants(net, constant: list[Axis]):
    from .family import with_values

    return with_values(net, {a.name: a.values[0] for a in constant})


def _columns(columns, selected: list[str]) -> list[str]:
    """The quantities to show: those asked for, else the usual ones and those that the selection is by."""
    asked = _listed(columns)
    for name in asked:
        if name not in QUANTITIES:
            raise unknown(name, QUANTITIES, where="--columns: ")
    return list(
        dict.fromkeys([*asked, *(name for name in selected if name == "peak")] if asked else [*COLUMNS, *selected])
    )


def _none_valid(evaluator: Evaluator, count: int) -> NetcalcError:
    """The error where no design exists: that of the first one, in full."""
    [(text, number), *others] = evaluator.reasons.most_common()
    first = evaluator.error_of_first()
    if count == 1 and first is not None:
        return first
    more = f" ({number:,} of them)" if others else ""
    full = f"\n{first}" if first is not None else ""
    return NetcalcError(f"error: sweep: none of the {count:,} designs is valid: {text}{more}{full}")


class _Designs:
    """The designs to try: all of a grid, or a sample of it drawn without repetition."""

    def __init__(self, axes: list[Axis], sample: int | None, seed: int):
        self.axes = axes
        self.grid = prod(map(len, axes))
        self.sampled = sample is not None and sample < self.grid
        self.count = sample if self.sampled else self.grid
        self.seed = seed
        if self.grid >= 2**62:
            raise NetcalcError(f"error: sweep: the grid has {self.grid:,} designs, more than can be numbered\n"
                               "  help: give fewer values")  # fmt: skip

    def chunks(self, structural: list[str]):
        """(numbers of designs in the grid, places on the axes), with what is structural changing slowest."""
        import numpy

        ordered = sorted(self.axes, key=lambda a: a.name not in structural)
        if self.sampled:
            import random

            drawn = random.Random(self.seed).sample(range(self.grid), self.count)
            drawn = numpy.sort(numpy.array(drawn, dtype=numpy.int64))
        size = min(CHUNK, FAMILIES * prod(len(a) for a in self.axes if a.name not in structural))
        for start in range(0, self.count, size):
            stop = min(start + size, self.count)
            numbers = drawn[start:stop] if self.sampled else numpy.arange(start, stop, dtype=numpy.int64)
            digits = _digits(numbers, ordered)
            yield self._index(digits, numbers), digits

    def _index(self, digits: dict, numbers):
        """The number that the first axis counts slowest for, as they were given."""
        import numpy

        index = numpy.zeros(len(numbers), dtype=numpy.int64)
        for a in self.axes:
            index = index * len(a) + digits[a.name]
        return index


def _digits(numbers, axes: list[Axis]) -> dict:
    """The places on the axes that numbers stand for, the last axis changing fastest."""
    import numpy

    found = {}
    for a in reversed(axes):
        numbers, found[a.name] = numpy.divmod(numbers, len(a))
    return found


__all__ = ["COLUMNS", "sweep"]
