"""Tables as text, markdown, CSV, LaTeX and HTML."""

from __future__ import annotations

from ..arith import Formula

FORMATS = ("table", "markdown", "csv", "json", "latex", "html")
NOTHING = "--"


class Table:
    """Columns (heading, alignment, its turn to be dropped on a narrow screen or 0 for never), rows of text, a totals row,
    and lines of text above and below."""

    def __init__(
        self,
        columns: list[tuple[str, str, int]],
        rows: list[list[str]],
        sums: list[str] | None,
        above: list[str],
        below: list[str],
    ):
        self.columns, self.rows, self.sums, self.above, self.below = columns, rows, sums, above, below

    def text(self, width: int | None = None) -> str:
        """For a screen of `width` columns: what may be dropped is, in turn, then the names are cut at a dot.

        Nothing is left out without a width.
        """
        chosen, rows = list(range(len(self.columns))), self.rows
        for index in sorted((i for i in chosen if self.columns[i][2]), key=lambda i: self.columns[i][2]):
            if width is not None and self._width(chosen, rows) > width:
                chosen = [i for i in chosen if i != index]
        excess = self._width(chosen, rows) - width if width is not None else 0
        if excess > 0:
            names = _cut([row[0] for row in rows], max(len(row[0]) for row in rows) - excess)
            cut = [[name, *row[1:]] for name, row in zip(names, rows, strict=True)]
            rows = cut if self._width(chosen, cut) <= width else rows
        dropped = [column[0] for i, column in enumerate(self.columns) if i not in chosen]
        notes = [f"Left out, for a wider screen: {', '.join(dropped)}"] if dropped else []
        below = _wrapped([*self.below, *notes], width)
        return "\n".join(
            [*_wrapped(self.above, width), "", self._drawn(chosen, rows), *([""] if below else []), *below]
        )

    def _width(self, chosen: list[int], rows: list[list[str]]) -> int:
        return sum(self._widths(chosen, rows)) + 2 * (len(chosen) - 1)

    def _widths(self, chosen: list[int], rows: list[list[str]]) -> list[int]:
        sums = [self.sums] if self.sums else []
        return [max([len(self.columns[i][0]), *(len(row[i]) for row in [*rows, *sums])]) for i in chosen]

    def _drawn(self, chosen: list[int], rows: list[list[str]]) -> str:
        widths = self._widths(chosen, rows)
        rule = "  ".join("-" * width for width in widths)

        def drawn(cells):
            padded = [
                cells[i].ljust(width) if self.columns[i][1] == "left" else cells[i].rjust(width)
                for i, width in zip(chosen, widths, strict=True)
            ]
            return "  ".join(padded).rstrip()

        lines = [drawn([column[0] for column in self.columns]), rule, *map(drawn, rows)]
        return "\n".join(lines + ([rule, drawn(self.sums)] if self.sums else []))

    def formatted(self, format: str) -> str:
        """Markdown, LaTeX or HTML."""
        from tabulate import tabulate

        kind = {"markdown": "github", "latex": "latex_booktabs", "html": "html"}[format]
        align = [alignment for _, alignment, _ in self.columns]
        heads = [head for head, _, _ in self.columns]
        rows = [*self.rows, *([self.sums] if self.sums else [])]
        if format == "markdown":
            rows = [[cell.replace("|", "\\|").replace("*", "\\*") for cell in row] for row in rows]
        table = tabulate(rows, heads, tablefmt=kind, colalign=align, disable_numparse=True)
        if format != "markdown":
            return table
        return "\n".join([*self.above, "", table, "", *self.below])


def _wrapped(lines: list[str], width: int | None) -> list[str]:
    if width is None or all(len(line) <= width for line in lines):
        return lines
    import textwrap

    return [part for line in lines for part in ([line] if len(line) <= width else textwrap.wrap(line, max(width, 20)))]


def _cut(names: list[str], width: int) -> list[str]:
    """Dotted names that keep within a width where they can: the front gives way to `...`, a whole part at a time."""
    found = []
    for name in names:
        parts = name.split(" (", 1)[0].split(".")
        for start in range(1, len(parts)):
            if len(name) <= width:
                break
            name = "..." + name.removeprefix("...")[len(parts[start - 1]) + 1 :]
        found.append(name)
    return found


def csv_text(rows: list[dict]) -> str:
    """Rows as comma-separated values, numbers unformatted. Columns are the keys of any row; a cell may be empty."""
    import csv
    import io

    out = io.StringIO()
    columns = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(out, fieldnames=columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().rstrip("\n")


def shape(dimensions) -> str:
    return f"[{', '.join(map(str, dimensions))}]"


def dimensions(dims) -> list:
    """A shape for JSON: whole numbers, and text for what is free."""
    return [size if isinstance(size, int) else str(size) for size in dims]


def number(value) -> str:
    """A number with thousands separators; `--` for none."""
    if isinstance(value, Formula):
        return str(value)
    return f"{value:,}" if value else NOTHING


def exact(value):
    """A number for JSON: a whole number, or the text of a formula."""
    return str(value) if isinstance(value, Formula) else value


def mebibytes(size) -> str:
    """Bytes as a person reads them, in binary units."""
    if isinstance(size, Formula):
        return f"{size} bytes"
    for unit, power in (("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size >= 1 << power:
            return f"{size / (1 << power):,.2f} {unit}"
    return f"{size:,} bytes"


def percent(part, whole) -> str:
    if isinstance(part, Formula) or isinstance(whole, Formula) or not part or not whole:
        return NOTHING
    return f"{100 * part / whole:.1f} %"
