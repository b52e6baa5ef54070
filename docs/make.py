"""Brings the generated parts of the documentation up to date: `python docs/make.py`.

These are docs/layers.md, the table of docs/validation.md, and the printed output of every `$ netcalc ...` in a
```console block. An output that is left out in the page stays out; the command must succeed all the same.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str, language: str) -> list[tuple[str, str]]:
    """(what stands behind the language, content) of the code blocks in a language."""
    found = [(info.partition(" "), content) for info, content in FENCE.findall(text)]
    return [(rest, content) for (first, _, rest), content in found if first == language]


def with_outputs(text: str) -> str:
    """A page with the outputs of its commands made anew; its named yaml blocks are there as files."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in blocks(text, "yaml"):
            if name.endswith(".yaml"):
                Path(folder, name).write_text(content, encoding="utf-8")

        def made(found):
            info, content = found.groups()
            return f"```{info}\n{_run_all(content, folder)}```" if info == "console" else found.group()

        return FENCE.sub(made, text)


def _run_all(content: str, folder: str) -> str:
    """Commands with their outputs."""
    result = []
    for part in re.split(r"^(?=\$ )", content, flags=re.MULTILINE):
        command, _, shown = part.partition("\n")
        if not command.startswith("$ netcalc "):
            result.append(part)
            continue
        output = run(command[2:], folder, may_fail="error" in shown)
        gap = "\n" if shown.endswith("\n\n") else ""
        result.append(f"{command}\n{output if shown.strip() else ''}{gap}")
    return "".join(result)


def run(command: str, folder: str, may_fail: bool) -> str:
    """What a command prints, on both streams."""
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    words = f"{sys.executable} -m {command}"
    done = subprocess.run(words, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert may_fail or done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout + done.stderr


def pages() -> dict[Path, str]:
    """Every page as it should be."""
    sys.path.insert(0, str(ROOT / "docs"))
    from validation import page

    from netcalc.report.reference import layers_text

    made = {path: with_outputs(path.read_text(encoding="utf-8")) for path in PAGES}
    made[ROOT / "docs" / "layers.md"] = layers_text("markdown") + "\n"
    validation = ROOT / "docs" / "validation.md"
    made[validation] = page(made[validation])
    return made


if __name__ == "__main__":
    for path, text in pages().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
