"""The commands that write or run PyTorch."""

from __future__ import annotations

import click

from ..errors import NetcalcError
from ..memory.conflicts import refuse
from .options import batch, network, output_options, show, spec_options, table_options, write
from .step_options import OPTIMIZERS


@click.command(short_help="The network as a runnable PyTorch module.")
@spec_options
@click.option("--torch", "torch", is_flag=True, help="Write PyTorch (the default, and the only target so far).")
@click.option("-o", "--output", "target", type=click.Path(dir_okay=False), metavar="FILE", help="Write to a file.")
def export(spec, given, variant, free, torch, target):
    """Write the network as a PyTorch module: readable, runnable, with the spec's state_dict.

    \b
        netcalc export resnet50 --torch -o resnet50.py
        python resnet50.py            parameters, and one forward pass
        python resnet50.py --train    one training step
    """
    net = network(spec, given, variant, free)
    write(net.export_torch().rstrip("\n"), target)


@click.command(short_help="Run the exported module and compare it with the prediction.")
@table_options
@click.option(
    "--device",
    type=click.Choice(("cpu", "cuda", "meta")),
    default="cpu",
    show_default=True,
    help="Where to run it; meta allocates nothing.",
)
@click.option("--train", is_flag=True, help="Run the backward pass too, and compare the memory of training steps.")
@click.option(
    "--optimizer", type=click.Choice(OPTIMIZERS), help="With --train: whose step is followed.  [default: adamw]"
)
def verify(spec, given, variant, free, batch, depth, expand, format, target, device, train, optimizer):
    """Build the exported PyTorch module, run it, and compare every layer with the prediction.

    Exit code 0 where all is equal, 1 where anything differs. Needs torch.

    \b
        netcalc verify alexnet
        netcalc verify resnet50 --train --batch 4
        netcalc verify llama3_70b --device meta
    """
    net = network(spec, given, variant, free)
    if free:
        raise NetcalcError("error: --free leaves sizes open; verify needs numbers\n  help: use --set")
    if optimizer and not (train and device != "meta"):
        refuse(
            "--optimizer is for training steps",
            "add --train" if not train else "--device cpu: meta has no memory to follow",
        )
    result = net.verify(device, batch or 2, train, optimizer=optimizer or "adamw")
    show(result, format, depth, expand, target)
    return 0 if result.ok else 1


__all__ = ["batch", "export", "output_options", "verify"]
