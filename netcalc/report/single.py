"""A layer by itself: a network of one layer, from its kind, its arguments and the sizes of its input."""

from __future__ import annotations

from ..errors import NetcalcError, closest
from ..layers import REGISTRY

_EXAMPLE = "netcalc explain --layer Conv2d in=3x224x224 out_channels=96 kernel_size=11 stride=4 padding=2"


def spec_of(type: str, given: dict[str, str]) -> str:
    """The text of a spec with that one layer. given: `in`, the sizes of each input without the batch, as 3x224x224;
    and the arguments as in a spec."""
    if type not in REGISTRY:
        near = closest(type, REGISTRY)
        raise NetcalcError(f"error: there is no layer `{type}`\n  help: {f'did you mean {near}? ' if near else ''}`netcalc layers` lists all")  # fmt: skip
    cls = REGISTRY[type]
    arguments = {name: value for name, value in given.items() if name != "in"}
    inputs = [part.split("x") for part in given["in"].split(",")] if "in" in given else []
    if not inputs and cls.inputs != 0:
        raise NetcalcError(
            f"error: {type} needs the sizes of its input\n  help: without the batch, for example {_EXAMPLE}"
        )
    for size in (size for shape in inputs for size in shape):
        if not size.isdigit() and not (size.isidentifier() and size[0].isupper()):
            raise NetcalcError(f"error: in={given['in']}: `{size}` is not a size\n  help: sizes are joined by x, inputs by a comma: in=3x224x224")  # fmt: skip
    listed = ", ".join(f"{name}: {_quoted(value)}" for name, value in arguments.items())
    item = f"  - layer: {{{type}: {{{listed}}}}}" if listed else f"  - layer: {type}"
    if len(inputs) > 1:
        item += f"\n    from: [{', '.join(_name(i) for i in range(len(inputs)))}]"
    return "\n".join(["netcalc: 1", f"name: {type}", _inputs(cls, inputs), "layers:", item, ""])


def _inputs(cls, inputs: list) -> str:
    if not inputs:
        return "input: [N]"
    accepts = [cls.accepts if isinstance(cls.accepts, str) else cls.accepts[min(i, len(cls.accepts) - 1)] for i in range(len(inputs))]  # fmt: skip
    dtypes = [{"integer": "int64", "bool": "bool"}.get(kind, "float32") for kind in accepts]
    shapes = [f"{{shape: [{', '.join(['N', *sizes])}], dtype: {dtype}}}" for sizes, dtype in zip(inputs, dtypes, strict=True)]  # fmt: skip
    return "\n".join(["inputs:", *(f"  {_name(i)}: {shape}" for i, shape in enumerate(shapes))])


def _name(number: int) -> str:
    return f"x{number + 1}"


def _quoted(value: str) -> str:
    """A value inside braces; what has brackets or commas of an expression is quoted."""
    plain = value.startswith("[") or not any(char in value for char in ",[]{}:#'\"")
    return value if plain else f'"{value}"'
