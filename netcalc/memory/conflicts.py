"""Options of `net.memory` that would do nothing beside others: they are refused, not passed over."""

from __future__ import annotations

from ..errors import NetcalcError

#: options of an optimizer, then what else only a training step has
OF_THE_OPTIMIZER = ("implementation", "momentum", "weight_decay", "centered", "maximize")
OF_TRAINING = ("optimizer", *OF_THE_OPTIMIZER, "checkpoint", "accumulate", "drop_output", "freeze", "inplace")
#: options of `net.memory` that say how a step runs, whatever its sizes
OF_A_STEP = ("dtype", "amp", "inference", "device", *(name for name in OF_TRAINING if name != "accumulate"))
_FLAGS = {"for-loop": "no-foreach", "foreach": "foreach", "fused": "fused"}


def refuse_conflicts(options: dict) -> None:
    """Raise NetcalcError for the first option that another one makes meaningless. options: by their names in the library."""
    said = {name: value for name, value in options.items() if _says(value)}
    if said.get("accumulate") == 1:
        del said["accumulate"]
    if "inference" in said:
        for name in OF_TRAINING:
            if name in said:
                refuse(
                    f"--inference has no training step, so {flag(name, said)} means nothing", "leave one of them out"
                )
    for name in OF_THE_OPTIMIZER if "optimizer" not in said else ():
        if name in said:
            refuse(f"there is no optimizer, so {flag(name, said)} means nothing",
                   "name one with --optimizer, for example --optimizer adamw")  # fmt: skip
    if "amp" in said and said.get("dtype", "float32") != "float32":
        refuse("--amp and --dtype exclude each other", "autocast keeps the parameters in float32: leave --dtype out")


def _says(value) -> bool:
    """Whether a value is more than the default of an option; a momentum of 0 is."""
    return (
        value is not None
        and value is not False
        and value != "none"
        and (not hasattr(value, "__len__") or len(value) > 0)
    )


def refuse(text: str, help: str):
    raise NetcalcError(f"error: {text}\n  help: {help}")


def flag(name: str, options: dict) -> str:
    """An option as on the command line."""
    return (
        "--" + _FLAGS.get(options["implementation"], name)
        if name == "implementation"
        else "--" + name.replace("_", "-")
    )


def in_words(options: dict) -> str:
    """How a step runs: `a training step, bfloat16, adamw, on h100`."""
    what = "inference" if options.get("inference") else "a training step"
    said = [f"autocast to {options['amp']}"] if options.get("amp") else []
    said += [str(options[name]) for name in ("dtype", "optimizer", "implementation") if options.get(name)]
    said += [f"{name.replace('_', ' ')} {options[name]}" for name in ("momentum", "weight_decay") if options.get(name)]
    said += [name.replace("_", " ") for name in ("centered", "maximize", "drop_output") if options.get(name)]
    marked = options.get("checkpoint") or ()
    said += [f"checkpoint {marked if isinstance(marked, str) else ' '.join(marked)}"] if marked else []
    return ", ".join([what, *said, f"on {options.get('device', 'cpu')}"])
