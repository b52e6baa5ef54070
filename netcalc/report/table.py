"""Tables as text, markdown, CSV, LaTeX and HTML."""

from __future__ import annotations

from ..arith import Formula

FORMATS = ("table", "markdown", "csv", "json", "latex", "html")
NOTHING = "--"


class Table:
    """Columns (heading, alignment, whether it may be dropped on a narrow screen), rows of text, a totals row, and lines
    of text above and below."""

    def __init__(self, columns: list[tuple[str, str, bool]], rows: list[list[str]], sums: list[str] | None, above: list[str], below: list[str]):
        self.columns, self.rows, self.sums, self.above, self.below = columns, rows, sums, above, below

    def text(self, width: int | None = None) -> str:
        """For a screen of `width` columns; nothing is dropped without one."""
        chosen = list(range(len(self.columns)))
        table = self._drawn(chosen)
        for index in reversed(range(len(self.columns))):
            if width is not None and len(table.split("\n", 1)[0]) > width and self.columns[index][2]:
                chosen.remove(index)
                table = self._drawn(chosen)
        return "\n".join([*self.above, "", table, *([""] if self.below else []), *self.below])

    def _drawn(self, chosen: list[int]) -> str:
        heads = [self.columns[i][0] for i in chosen]
        body = [[row[i] for i in chosen] for row in self.rows]
        sums = [[self.sums[i] for i in chosen]] if self.sums else []
        widths = [max(map(len, column)) for column in zip(heads, *body, *sums, strict=True)]
        rule = "  ".join("-" * width for width in widths)

        def drawn(cells):
            padded = [c.ljust(w) if self.columns[i][1] == "left" else c.rjust(w) for c, w, i in zip(cells, widths, chosen, strict=True)]
            return "  ".join(padded).rstrip()

        lines = [drawn(heads).ljust(len(rule)), rule, *map(drawn, body)]
        return "\n".join(lines + ([rule, drawn(sums[0])] if sums else []))

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
        if format == "html":
            return table
        if format == "latex":
            return table
        return "\n".join([*self.above, "", table, "", *self.below])


def csv_text(rows: list[dict]) -> str:
    """Rows with equal keys as comma-separated values, numbers unformatted."""
    import csv
    import io

    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
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
