"""Device profiles: the figures of a device that a spec does not say, each with where it is from.

They are data files in `devices/`. A figure is measured, documented, assumed or unknown; one that is not known exactly
is an interval, from `low` to `high` (None: no bound is known), with the reason in `source`.
"""

from __future__ import annotations

import functools
import os
import re
from fractions import Fraction
from typing import NamedTuple

from ..errors import NetcalcError, closest

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "devices")
PROVENANCE = ("measured", "documented", "assumed", "unknown")
UNITS = {
    "": 1, "b": 1, "bytes": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
}  # fmt: skip
_SIZE = re.compile(r"\s*(\d+(?:_\d+)*(?:\.\d+)?)\s*([A-Za-z]*)\s*\Z", re.ASCII)


class Figure(NamedTuple):
    """One figure of a device. `value` is None where only low <= figure <= high is known."""

    name: str
    value: object
    low: object
    high: object
    provenance: str
    source: str

    @property
    def exact(self) -> bool:
        return self.value is not None


class Profile:
    """A device. rules: "cpu" or "cuda", whose choices of kernels are meant. Figures by name: `profile["context"]`."""

    __slots__ = ("figures", "name", "rules", "title")

    def __init__(self, name: str, title: str, rules: str, figures: dict[str, Figure]):
        self.name, self.title, self.rules, self.figures = name, title, rules, figures

    def __getitem__(self, figure: str) -> Figure:
        return self.figures[figure]

    def value(self, figure: str, default=None):
        """The exact value of a figure; `default` where the device has none or only an interval is known."""
        found = self.figures.get(figure)
        return found.value if found is not None and found.exact else default

    @property
    def intervals(self) -> list[Figure]:
        """What is not known exactly."""
        return [figure for figure in self.figures.values() if not figure.exact]

    @property
    def memory(self) -> int | None:
        """Bytes of the device that torch sees, None for a device of no particular size."""
        return self.value("memory")

    @property
    def usable(self) -> int | None:
        """Bytes that are left for tensors when the most that is assumed for the context is taken off."""
        context = self.figures.get("context")
        return None if self.memory is None else self.memory - ((context.high or 0) if context else 0)


class Limit(NamedTuple):
    """Bytes to stay within, what they are called, and how they come about."""

    bytes: int
    text: str
    note: str = ""


def names() -> list[str]:
    """The devices that come with netcalc, and the other names of some."""
    known = sorted(name[:-5] for name in os.listdir(FOLDER) if name.endswith(".yaml") and name != "gpus.yaml")
    return [*known, *sorted(name for gpu, entry in _gpus().items() for name in (gpu, *entry.get("also", ())))]


def load(name: str) -> Profile:
    """The profile of a device, or of a file that the probe has written. Raises NetcalcError where there is none."""
    return _of_file(name) if name.endswith((".yaml", ".yml")) else _shipped(name)


@functools.cache
def _shipped(name: str) -> Profile:
    wanted = _plain(name)
    known = {_plain(file[:-5]): file for file in os.listdir(FOLDER) if file.endswith(".yaml") and file != "gpus.yaml"}
    if wanted in known:
        return _of_file(os.path.join(FOLDER, known[wanted]))
    for gpu, entry in _gpus().items():
        if wanted in map(_plain, (gpu, *entry.get("also", ()))):
            base = load(entry["extends"])
            size = parse_size(str(entry["memory"]))
            memory = Figure("memory", size, size, size, entry["from"], entry["source"])
            return Profile(gpu, entry["title"], base.rules, {"memory": memory, **base.figures})
    near = closest(name, names())
    raise NetcalcError(
        f"error: there is no device `{name}`\n"
        f"  help: {f'did you mean {near}? ' if near else ''}known are {', '.join(names())}"
    )


def _of_file(path: str) -> Profile:
    import yaml

    try:
        with open(path, encoding="utf-8") as file:
            content = yaml.safe_load(file)
    except OSError as problem:
        raise NetcalcError(f"error: cannot read {path}: {problem.strerror or problem}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise NetcalcError(f"error: {path} is no device profile: {str(problem).splitlines()[0]}") from None
    try:
        base = load(content["extends"]) if content.get("extends") else None
        figures = {name: _figure(name, entry) for name, entry in (content.get("figures") or {}).items()}
        rules = content.get("rules") or base.rules
        return Profile(content["name"], content["title"], rules, {**(base.figures if base else {}), **figures})
    except (KeyError, TypeError, AttributeError, ValueError) as problem:
        raise NetcalcError(f"error: {path} is no device profile: {problem!r}\n"
                           "  help: `name`, `title`, `extends` or `rules`, and `figures` with value (or low, high), from, source") from None  # fmt: skip


def _figure(name: str, entry: dict) -> Figure:
    value, source, provenance = entry.get("value"), entry["source"], entry["from"]
    if provenance not in PROVENANCE:
        raise ValueError(f"{name}: from {provenance}")
    if value is None:
        return Figure(name, None, entry["low"], entry["high"], provenance, source)
    return Figure(name, tuple(value) if isinstance(value, list) else value, value, value, provenance, source)


@functools.cache
def _gpus() -> dict:
    import yaml

    with open(os.path.join(FOLDER, "gpus.yaml"), encoding="utf-8") as file:
        return yaml.safe_load(file)


def _plain(name: str) -> str:
    """A name as people write it: `RTX 4090`, `rtx-4090`, `NVIDIA_H200`."""
    return re.sub(r"[-_ ]|nvidia|geforce|\.", "", name.lower())


def parse_size(text: str) -> int:
    """Bytes: `24GiB`, `80 GB` (decimal), `1.5MiB`, `1000000`. Raises NetcalcError for anything else."""
    found = _SIZE.match(text)
    factor = UNITS.get(found[2].lower()) if found else None
    if factor is None:
        raise NetcalcError(
            f"error: `{text}` is no size in bytes\n  help: write 24GiB (2^30 bytes each), 80GB (10^9 bytes each) or a number of bytes"
        )
    return int(Fraction(found[1].replace("_", "")) * factor)


def with_device_of(size: str | None, options: dict) -> dict:
    """Options of a step, on the GPU that a limit names, where they name no device themselves."""
    if not size or size[:1].isdigit() or "device" in options:
        return options
    return {**options, "device": size}


def limit(text: str) -> Limit:
    """The bytes that `--fit` stays within: a size, or what a known GPU has left for tensors."""
    if text[:1].isdigit():
        size = parse_size(text)
        if size < 1:
            raise NetcalcError("error: --fit needs room for at least one byte")
        return Limit(size, text.strip())
    profile = load(text)
    if profile.usable is None:
        raise NetcalcError(
            f"error: {profile.title} is of no particular size\n  help: give one, for example --fit 24GiB, or name a GPU"
        )
    context, memory = profile["context"], profile["memory"]
    note = f"{profile.title}: torch sees {profile.memory / (1 << 30):.2f} GiB ({memory.provenance}: {memory.source})"
    if context.high:
        note += f"; {context.high >> 20} MiB are left for the CUDA context ({context.provenance})"
    return Limit(profile.usable, profile.name, note)
