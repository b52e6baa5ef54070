"""The options that say how a step of training runs, or an inference: those of every command that knows memory."""

from __future__ import annotations

import click

from ..memory.conflicts import refuse

OPTIMIZERS = (
    "none", "sgd", "sgd-momentum", "nesterov", "adam", "adamw", "amsgrad", "rmsprop", "adagrad", "adadelta", "adamax",
    "nadam", "radam",
)  # fmt: skip
HALVES = ("bfloat16", "float16")
WAYS = {"fused": "fused", "foreach": "foreach", "no_foreach": "for-loop"}  # flags, and what `net.memory` calls them


ONE_STEP = [
    click.option("--dtype", type=click.Choice(("float32", *HALVES)), help="The dtype of parameters and activations.  [default: float32]"),
    click.option("--amp", type=click.Choice(HALVES), help="Train with autocast to this dtype; parameters stay float32."),
    click.option("--optimizer", type=click.Choice(OPTIMIZERS), help="The optimizer; none for a backward pass without a step."),
    click.option("--fused", is_flag=True, help="The optimizer's fused kernel."),
    click.option("--foreach", is_flag=True, help="The optimizer over all tensors at once (CUDA's default)."),
    click.option("--no-foreach", is_flag=True, help="The optimizer tensor by tensor (the CPU's default)."),
    click.option("--momentum", type=click.FloatRange(0), metavar="M", help="Momentum of sgd and rmsprop."),
    click.option("--weight-decay", type=click.FloatRange(0), metavar="W", help="Weight decay of the optimizer."),
    click.option("--centered", is_flag=True, help="Centered rmsprop."),
    click.option("--maximize", is_flag=True, help="The optimizer maximizes."),
    click.option("--inference", is_flag=True, help="A forward pass without gradients only."),
    click.option("--device", metavar="D", help="cpu, cuda, a GPU such as h200, or a profile.yaml.  [default: cpu]"),
    click.option("--checkpoint", multiple=True, metavar="LAYERS", help="Recompute these in backward: names with *, or `blocks`, `blocks:2` (every second)."),
    click.option("--drop-output", is_flag=True, help="The loop does not keep the output: loss = f(model(x), y)."),
]  # fmt: skip


def of_a_step(options: dict) -> dict:
    """The options that were given, as `net.memory` takes them."""
    asked = [(flag, word) for flag, word in WAYS.items() if options.pop(flag, False)]
    if len(asked) > 1:
        first, second = (f"--{flag.replace('_', '-')}" for flag, _ in asked[:2])
        refuse(f"{first} and {second} exclude each other", "ask for one of them")
    found = {name: value for name, value in options.items() if value is not None and value is not False and value != ()}
    if asked:
        found["implementation"] = asked[0][1]
    if "checkpoint" in found:
        found["checkpoint"] = tuple(
            name.strip() for text in found["checkpoint"] for name in text.split(",") if name.strip()
        )
    return found


__all__ = ["ONE_STEP", "OPTIMIZERS", "of_a_step"]
