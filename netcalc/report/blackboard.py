"""Explanations as text, markdown, LaTeX and HTML: formula, substitution, result, one below the other."""

from __future__ import annotations

import html
import json

from ..arith import Formula, Traced
from .notation import Latex, Text

FORMATS = ("text", "markdown", "latex", "html", "json")
WIDTH = 110  # a derivation that is shorter stands on one line


def written(explanation, format: str) -> str:
    """An explanation in one of FORMATS."""
    if format == "json":
        return json.dumps(explanation.to_dict(), indent=2)
    return {"text": _text, "markdown": _markdown, "latex": _latex, "html": _html}[format](explanation)


def result(value) -> str:
    """A result for people."""
    return f"{value:,}" if isinstance(value, int) else str(value)


def equation(step, formula, substitution) -> list[str]:
    """The parts of a step between equals signs: the sign, the formula, the substitution, the result; each once."""
    parts = [step.sign] if step.sign else []
    if isinstance(step.tree, Traced):
        parts.append(formula(step.tree))
        if step.tree.op != "name":
            parts.append(substitution(step.tree))
    last = result(step.value)
    plain = {last, str(step.value)}
    return [part for part in parts if part not in plain] + [last]


# -- text


def _text(explanation) -> str:
    found = [explanation.title]
    wide = max((len(step.label) for section in explanation.sections for step in section.steps), default=0)
    for section in explanation.sections:
        found += ["", section.title]
        for step in section.steps:
            found += [f"  {line}".rstrip() for line in _lines(step, wide)]
        found += [f"  {text}" for text in section.texts]
    if explanation.notes:
        found += ["", *(f"note: {text}" for text in explanation.notes)]
    return "\n".join(found)


def _lines(step, wide: int) -> list[str]:
    """A step on one line, or its substitution and result below the formula, their signs one below the other."""
    parts = equation(step, Text(), Text(values=True))
    note = f"  ({step.note})" if step.note else ""
    line = f"{step.label:<{wide}}  {' = '.join(parts)}{note}"
    if len(line) <= WIDTH:
        return [line]
    head = f"{step.label:<{wide}}  " + (f"{step.sign} " if step.sign else "")
    body = parts[1:] if step.sign else parts
    indent = " " * len(head)
    first = f"{head}= {body[0]}" if step.sign else f"{head}{body[0]}"
    return [first, *(f"{indent}= {part}" for part in body[1:-1]), f"{indent}= {body[-1]}{note}"]


# -- markdown and LaTeX


def _aligned(section) -> str:
    """The steps of a section as lines of an `aligned` block."""
    rows = []
    for step in section.steps:
        parts = equation(step, Latex(), Latex(values=True))
        label = rf"\text{{{escaped(step.label)}}}"
        first = [label] if not step.sign else [label, Latex()(Traced(None, "name", (), step.sign))]
        body = parts[1:] if step.sign else parts
        body[-1] = body[-1].replace(",", "{,}") if isinstance(step.value, int) else _number(step.value)
        body[-1] += rf"\quad \text{{({escaped(step.note)})}}" if step.note else ""
        rows.append(" : ".join(first) + "".join((" &= " if i == 0 else "\\\\\n &= ") + part for i, part in enumerate(body)))  # fmt: skip
    return "\\begin{aligned}\n" + "\\\\\n".join(rows) + "\n\\end{aligned}"


def _number(value) -> str:
    return Latex()(value) if isinstance(value, Formula) else str(value)


def escaped(text: str) -> str:
    for char in "\\&%$#_{}":
        text = text.replace(char, f"\\{char}" if char != "\\" else r"\textbackslash ")
    return text


def _markdown(explanation) -> str:
    found = [f"## {_plain_markdown(explanation.title)}"]
    for section in explanation.sections:
        found.append(f"### {_plain_markdown(section.title)}")
        if section.steps:
            found.append(f"$$\n{_aligned(section)}\n$$")
        if section.texts:
            found.append("\n".join(f"- {_plain_markdown(text.strip())}" for text in section.texts))
    found += [f"> {_plain_markdown(text)}" for text in explanation.notes]
    return "\n\n".join(found)


def _plain_markdown(text: str) -> str:
    return text.replace("*", "\\*").replace("_", "\\_")


def _latex(explanation) -> str:
    found = [rf"\subsection*{{{escaped(explanation.title)}}}"]
    for section in explanation.sections:
        found.append(rf"\paragraph{{{escaped(section.title)}}}")
        if section.steps:
            found.append(f"\\[\n{_aligned(section)}\n\\]")
        if section.texts:
            items = "\n".join(rf"  \item {escaped(text.strip())}" for text in section.texts)
            found.append(f"\\begin{{itemize}}\n{items}\n\\end{{itemize}}")
    found += [rf"\emph{{Note:}} {escaped(text)}" for text in explanation.notes]
    return "\n\n".join(found)


# -- HTML


def _html(explanation) -> str:
    found = [f"<h3>{html.escape(explanation.title)}</h3>"]
    for section in explanation.sections:
        found.append(f"<h4>{html.escape(section.title)}</h4>")
        if section.steps:
            found += ["<table>", *map(_html_row, section.steps), "</table>"]
        if section.texts:
            found += ["<ul>", *(f"<li>{html.escape(text.strip())}</li>" for text in section.texts), "</ul>"]
    found += [f"<p><em>Note:</em> {html.escape(text)}</p>" for text in explanation.notes]
    return "\n".join(found)


def _html_row(step) -> str:
    parts = equation(step, Text(), Text(values=True))
    body = "<br>= ".join(f"<code>{html.escape(part)}</code>" for part in parts[:-1])
    end = f"<strong>{html.escape(parts[-1])}</strong>"
    note = f" ({html.escape(step.note)})" if step.note else ""
    return f"<tr><th>{html.escape(step.label)}</th><td>{body + '<br>= ' if body else ''}{end}{note}</td></tr>"
