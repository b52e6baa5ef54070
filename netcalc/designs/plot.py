"""A scatter plot of a sweep: two figures, the Pareto front or the values of an axis in colour. Needs matplotlib."""

from __future__ import annotations

import os
import tempfile

from ..errors import NetcalcError
from ..report.quantities import QUANTITIES
from .axes import text_of

FORMATS = ("svg", "png", "pdf")
INK, PALE, MARKED = "#1f2933", "#b8c2cc", "#d1495b"
SERIES = ("#00798c", "#edae49", "#d1495b", "#30638e", "#66a182", "#8d6a9f", "#2e4057", "#b56b45")
WIDE = 30  # greatest over least from which on an axis of the plot is logarithmic


def check(path: str) -> str:
    """The format by a file's ending. Raises NetcalcError for another one, or where matplotlib is missing."""
    ending = os.path.splitext(path)[1].lstrip(".").lower()
    if ending not in FORMATS:
        raise NetcalcError(f"error: --plot {path}: the file must end in .svg, .png or .pdf")
    import importlib.util

    if importlib.util.find_spec("matplotlib") is None:
        raise NetcalcError("error: --plot needs matplotlib, which is not installed\n"
                           "  help: pip install 'netcalc-nn[plot]'")  # fmt: skip
    return ending


def draw(result, path: str, format: str | None = None) -> None:
    """Write the picture of a Sweep to a file, whole or not at all."""
    format = format or check(path)
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    style = {
        "font.size": 11,
        "svg.fonttype": "none",
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "svg.hashsalt": "netcalc",
    }
    with rc_context(style):
        figure = Figure(figsize=(8, 5), layout="constrained")
        _paint(figure.add_subplot(), result)
        _write(figure, path, format)


def _write(figure, path: str, format: str):
    try:
        handle, temporary = tempfile.mkstemp(
            dir=os.path.dirname(os.path.abspath(path)), prefix=".plot.", suffix=f".{format}"
        )
        try:
            with os.fdopen(handle, "wb") as file:
                no_date = {"Date": None} if format == "svg" else {"CreationDate": None} if format == "pdf" else {}
                figure.savefig(file, format=format, dpi=160, metadata=no_date)
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(temporary, 0o666 & ~mask)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as problem:
        raise NetcalcError(f"error: cannot write {path}: {problem.strerror or problem}") from None


def _paint(axes, result):
    first, second = _figures(result)
    shown, behind = result.columns, result.background
    if not len(result):
        raise NetcalcError("error: --plot: no design is left to draw")
    narrowed = len(behind[first]) > len(result)
    if narrowed:
        label = f"designs with {result.condition}" if result.condition else "all designs"
        axes.scatter(_floats(behind[first]), _floats(behind[second]), s=9, color=PALE, linewidths=0, label=label)
    everything = [[*_floats(shown[name]), *_floats(behind[name])] for name in (first, second)]
    if result.front:
        _paint_front(axes, result, first, second)
    elif narrowed:
        x, y = _floats(shown[first]), _floats(shown[second])
        axes.scatter(x, y, s=30, color=MARKED, linewidths=0, label=f"the best {len(x):,}")
    else:
        _paint_points(axes, result, first, second)
    for side, name, values in zip("xy", (first, second), everything, strict=True):
        _scale(axes, side, values)
        getattr(axes, f"set_{side}label")(_label(name))
    _finish(axes, result)


def _figures(result) -> tuple[str, str]:
    """What goes along the two sides: the first two of the Pareto front, else the first two columns of figures."""
    names = [name for name in dict.fromkeys([*result.front, *result.names, "params", "macs"]) if name in result.columns]
    if len(names) < 2:
        names = [*result.columns][-2:]
    if len(names) < 2:
        raise NetcalcError("error: --plot needs two columns of numbers\n  help: for example --columns params,macs")
    return names[0], names[1]


def _paint_front(axes, result, first: str, second: str):
    x, y = _floats(result.columns[first]), _floats(result.columns[second])
    order = sorted(range(len(x)), key=lambda row: (x[row], y[row]))
    line = "-" if len(result.front) == 2 else ""
    axes.plot(
        [x[row] for row in order], [y[row] for row in order], line, marker="o", markersize=5 if len(x) < 50 else 3, linewidth=1.5,
        color=MARKED, label=f"Pareto front ({len(x):,})",
    )  # fmt: skip


def _paint_points(axes, result, first: str, second: str):
    """The designs, coloured by the first axis with few values."""
    x, y = _floats(result.columns[first]), _floats(result.columns[second])
    size = 36 if len(x) < 200 else 12
    axis = next((axis for axis in result.axes if 2 <= len(axis) <= len(SERIES)), None)
    if axis is None:
        axes.scatter(x, y, s=size, color=SERIES[0], linewidths=0, alpha=0.8)
        return
    texts = [text_of(value) for value in result.columns[axis.name].tolist()]
    for value, colour in zip(axis.values, SERIES, strict=False):
        rows = [row for row, text in enumerate(texts) if text == text_of(value)]
        if rows:
            axes.scatter([x[r] for r in rows], [y[r] for r in rows], s=size, color=colour, linewidths=0, alpha=0.85,
                         label=f"{axis.name} = {text_of(value)}" if axis.name != "variant" else text_of(value))  # fmt: skip


def _floats(column) -> list[float]:
    try:
        return [float(value) for value in column.tolist()]
    except (TypeError, ValueError):
        raise NetcalcError("error: --plot: one of the columns to draw is not of numbers") from None


def _scale(axes, side: str, values: list[float]):
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axis = getattr(axes, f"{side}axis")
    if min(values) > 0 and max(values) / min(values) > WIDE:
        getattr(axes, f"set_{side}scale")("log")
        if max(values) / min(values) > 10**1.5:
            axis.set_minor_formatter(NullFormatter())
    elif min(values) >= 0:
        getattr(axes, f"set_{side}lim")(0, max(values) * 1.05 or 1)
    axis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))


def short(value: float) -> str:
    """1500000 as 1.5 M."""
    for unit, power in (("T", 12), ("G", 9), ("M", 6), ("k", 3)):
        if abs(value) >= 10**power:
            return f"{value / 10**power:g} {unit}"
    return f"{value:g}"


def _label(name: str) -> str:
    titles = {"params": "Parameters", "trainable": "Trainable parameters", "activations": "Activations (elements)"}
    return titles.get(name, QUANTITIES[name].title if name in QUANTITIES else name)


def _finish(axes, result):
    axes.set_title(f"{result.model}: {result.valid:,} designs", loc="left", color=INK, fontsize=13)
    axes.grid(True, color="#e4e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    if labels:
        axes.legend(handles, labels, frameon=False, loc="best")
