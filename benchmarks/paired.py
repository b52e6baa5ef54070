"""Timing two or more things fairly: interleaved rounds, ratios within a round, and the machine beside the figures."""

from __future__ import annotations

import gc
import json
import os
import platform
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from statistics import median, quantiles
from time import perf_counter


def interleaved(cases: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """The seconds of every case in every round, after one round to warm up.

    A slow moment of the machine meets all cases of a round alike, and every other round runs them in reverse order, so
    that none has the better place.
    """
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name in sorted(cases, key=list(cases).index, reverse=number % 2 == 1):
            gc.collect()
            start = perf_counter()
            cases[name]()
            if number:
                seconds[name].append(perf_counter() - start)
    return seconds


def spread(numbers: list[float]) -> dict[str, float]:
    """Least, median, and the quarters between which half of the numbers lie."""
    low, _, high = quantiles(numbers, n=4) if len(numbers) > 1 else (numbers[0],) * 3
    return {"min": min(numbers), "low": low, "median": median(numbers), "high": high}


def ratio(of: list[float], to: list[float]) -> dict[str, float]:
    """How many times longer `of` takes than `to`: the spread of the ratios within each round."""
    return spread([a / b for a, b in zip(of, to, strict=True)])


def shown_ratio(found: dict[str, float]) -> str:
    return f"{found['median']:.2f} (half of the rounds: {found['low']:.2f} to {found['high']:.2f})"


def shown_seconds(found: dict[str, float]) -> str:
    return f"{found['median'] * 1e3:9.1f} ms, least {found['min'] * 1e3:.1f}, half of the rounds {found['low'] * 1e3:.1f} to {found['high'] * 1e3:.1f}"


def machine(*packages: str) -> dict:
    """Where the figures come from: processor, load, Python, and the versions of packages."""
    found = {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }
    return found | {name: _version(name) for name in packages}


def _processor() -> str:
    """The model of the processor; `platform` knows it on few systems."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def print_machine(found: dict) -> None:
    print(", ".join(f"{name} {value}" for name, value in found.items()), end="\n\n")


def print_json(benchmark: str, where: dict, **figures) -> None:
    """The result as one line, the last of the output."""
    sys.stdout.flush()
    print(json.dumps({"benchmark": benchmark, "machine": where} | figures, default=float))
