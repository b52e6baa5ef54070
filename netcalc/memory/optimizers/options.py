"""What an optimizer is asked to be, as options of a run, and what PyTorch does not have."""

from __future__ import annotations

from typing import NamedTuple

from ...errors import NetcalcError, closest

OPTIMIZERS = (
    "sgd", "sgd-momentum", "nesterov", "adam", "adamw", "amsgrad", "rmsprop", "adagrad", "adadelta", "adamax", "nadam",
    "radam",
)  # fmt: skip
IMPLEMENTATIONS = ("for-loop", "foreach", "fused")
FUSED = ("sgd", "sgd-momentum", "nesterov", "adam", "adamw", "amsgrad", "adagrad")  # on the CPU and on CUDA
WITH_MOMENTUM = ("sgd", "sgd-momentum", "nesterov", "rmsprop")
KEYS = ("implementation", "foreach", "fused", "momentum", "weight_decay", "centered", "maximize")


class Choice(NamedTuple):
    """implementation: of `IMPLEMENTATIONS`. momentum: whether there is a buffer for it. coupled: whether weight decay is
    added to the gradient; adamw scales the parameter instead, which needs no memory."""

    name: str
    implementation: str
    momentum: bool
    coupled: bool
    centered: bool
    maximize: bool


def chosen(name: str, options: dict, cuda: bool) -> Choice:
    """The choice that a name and options make.

    options: `implementation`, one of `IMPLEMENTATIONS` or None for PyTorch's own choice (foreach on CUDA, for-loop on the
    CPU), or its short forms `foreach` and `fused`, True or False; `momentum` and `weight_decay`, numbers; `centered` and
    `maximize`, booleans.
    """
    if name not in OPTIMIZERS:
        _refuse(f"unknown optimizer '{name}'", _instead(name, OPTIMIZERS))
    for key in options:
        if key not in KEYS:
            _refuse(f"unknown option '{key}' of an optimizer", _instead(key, KEYS))
    implementation = _implementation(options, cuda)
    if implementation == "fused" and name not in FUSED:
        _refuse(f"PyTorch has no fused {name}", f"foreach or for-loop; fused are {', '.join(FUSED)}")
    decays = _number(options, "weight_decay") > 0
    centered, maximize = bool(options.get("centered")), bool(options.get("maximize"))
    if centered and name != "rmsprop":
        _refuse(f"{name} cannot be centered", "only rmsprop can")
    return Choice(name, implementation, _momentum(name, options), decays and name != "adamw", centered, maximize)


def _implementation(options: dict, cuda: bool) -> str:
    named, foreach, fused = (options.get(key) for key in ("implementation", "foreach", "fused"))
    if named is not None and named not in IMPLEMENTATIONS:
        _refuse(f"unknown implementation '{named}' of an optimizer", _instead(str(named), IMPLEMENTATIONS))
    if foreach and fused:
        _refuse("an optimizer is either fused or foreach", "ask for one of them")
    if named is not None:
        return named
    if fused:
        return "fused"
    return "foreach" if (cuda if foreach is None else foreach) else "for-loop"


def _momentum(name: str, options: dict) -> bool:
    asked = _number(options, "momentum") > 0
    if asked and name not in WITH_MOMENTUM:
        _refuse(f"{name} has no option momentum", f"those that have it are {', '.join(WITH_MOMENTUM)}")
    if options.get("momentum") is None:
        return name in ("sgd-momentum", "nesterov")
    if name == "nesterov" and not asked:
        _refuse("nesterov needs a momentum above 0", "leave momentum out for 0.9, or take sgd")
    return asked


def _number(options: dict, key: str) -> float:
    value = options.get(key)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        _refuse(f"the {key.replace('_', ' ')} of an optimizer is {value!r}", "a number, 0 or more")
    return value


def _instead(word: str, known: tuple) -> str:
    near = closest(word, known)
    return f"did you mean '{near}'?" if near else f"one of {', '.join(known)}"


def _refuse(text: str, help: str):
    raise NetcalcError(f"error: {text}\n  help: {help}")
