"""The `netcalc` command: what it does around every command, and how wrong input ends."""

from __future__ import annotations

import os
import re
import sys

import click

from .. import __version__
from ..errors import NetcalcError

_HELP = """Shapes, parameters and MACs of a neural network, worked out without running it.

SPEC is a file, the name of a shipped network or one of its variants (`netcalc models`), or - for standard input.
Without SPEC, spec.yaml in the current folder is read.

\b
    netcalc params alexnet                  parameters of every layer
    netcalc shapes resnet50                 output shapes
    netcalc flops vgg16 --batch 8           MACs and FLOPs, forward and backward
    netcalc memory resnet50 --batch 64      memory of a training step, and its peak
    netcalc explain alexnet conv1           how a layer's numbers come about
    netcalc formula gpt2 params --free n_layer,n_embd   a closed form
    netcalc params spec.yaml --set width=2  the same network, wider
    netcalc sweep spec.yaml --set width=1,2,4 --set depth=2..8
                                            many designs: filters, sorting, a Pareto front
    netcalc diff resnet50 resnet101         two networks side by side
    netcalc check spec.yaml                 against its published numbers
    netcalc export resnet50 -o resnet50.py  the network as a PyTorch module
    netcalc verify resnet50                 what PyTorch measures beside the prediction
"""


_colours = True  # what --no-color turns off, for messages outside of a command too


class _ReaderGone(Exception):
    """Nobody reads what is written. click would end with 1, which here means a failed check."""


class _Commands(click.Group):
    """The commands in the order of their usefulness, each loaded when it is used."""

    names = (
        "shapes", "params", "flops", "memory", "explain", "formula", "solve", "sweep", "diff", "check", "export", "verify",
        "models", "layers", "schema", "completion",
    )  # fmt: skip

    def list_commands(self, context):
        return list(self.names)

    def get_command(self, context, name):
        if name not in self.names:
            return None
        if name in ("export", "verify"):
            from . import torch_commands as commands
        elif name == "memory":
            from . import memory_commands as commands
        elif name in ("explain", "formula", "solve"):
            from . import formula_commands as commands
        elif name in ("sweep", "diff"):
            from . import sweep_commands as commands
        else:
            from . import commands

        return getattr(commands, name)

    def invoke(self, context):
        try:
            code = super().invoke(context)
            sys.stdout.flush()
            return code
        except BrokenPipeError:
            raise _ReaderGone from None

    def resolve_command(self, context, args):
        try:
            return super().resolve_command(context, args)
        except click.UsageError as problem:
            from ..errors import closest

            near = closest(args[0], self.names)
            help = f"did you mean `{near}`?" if near else f"the commands are {', '.join(self.names)}"
            raise click.UsageError(f"there is no command `{args[0]}`; {help}", context) from problem


@click.group(
    cls=_Commands, help=_HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, "-V", "--version", message="netcalc %(version)s")
def cli():
    pass


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit: 0 fine, 1 a check failed, 2 the spec or the command line is wrong."""
    global _colours
    _colours = "--no-color" not in (sys.argv if arguments is None else arguments)
    try:
        code = cli.main(args=arguments, prog_name="netcalc", standalone_mode=False)
    except click.exceptions.Abort:
        code = 130
    except click.ClickException as problem:
        problem.show(sys.stderr)
        code = 2
    except NetcalcError as problem:
        complain(str(problem))
        code = 2
    except KeyboardInterrupt:
        code = 130
    except _ReaderGone:  # the reader has enough: say nothing more, also at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as problem:
        complain(f"error: {problem.filename + ': ' if problem.filename else ''}{problem.strerror or problem}")
        code = 2
    sys.exit(code if isinstance(code, int) else 0)


def complain(text: str) -> None:
    """A message on standard error, its severity coloured on a terminal."""
    for word, colour in (("error", "red"), ("warning", "yellow"), ("note", "cyan")):
        at = re.search(rf"(?:^|: ){word}(?=\[|:)", text.split("\n", 1)[0])
        if at:
            end = at.end()
            text = text[: end - len(word)] + click.style(word, fg=colour, bold=True) + text[end:]
            break
    click.echo(text, err=True, color=use_colour())


def use_colour() -> bool:
    return _colours and sys.stderr.isatty() and not os.environ.get("NO_COLOR")
