"""The `netcalc` command: what it does around every command, and how wrong input ends."""

from __future__ import annotations

import os
import sys

import click

from .. import __version__
from ..errors import NetcalcError

_HELP = """Shapes, parameters, MACs and memory of a neural network, worked out without running it.

SPEC is a file, the name of a shipped network or one of its variants (`netcalc models`), or - for standard input.
Without SPEC, spec.yaml in the current folder is read.

\b
    netcalc params alexnet                  parameters of every layer
    netcalc shapes resnet50                 output shapes
    netcalc flops vgg16 --batch 8           MACs and FLOPs, forward and backward
    netcalc params spec.yaml --set width=2  the same network, wider
    netcalc check spec.yaml                 against its published numbers
"""


class _Commands(click.Group):
    """The commands in the order of their usefulness, each loaded when it is used."""

    names = ("shapes", "params", "flops", "check", "models", "layers", "schema", "completion")

    def list_commands(self, context):
        return list(self.names)

    def get_command(self, context, name):
        if name not in self.names:
            return None
        from . import commands

        return getattr(commands, name)

    def resolve_command(self, context, args):
        try:
            return super().resolve_command(context, args)
        except click.UsageError as problem:
            from ..errors import closest

            near = closest(args[0], self.names)
            help = f"did you mean `{near}`?" if near else f"The commands are {', '.join(self.names)}"
            raise click.UsageError(f"there is no command `{args[0]}`. {help}", context) from problem


@click.group(cls=_Commands, help=_HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", message="netcalc %(version)s")
def cli():
    pass


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit: 0 fine, 1 a check failed, 2 the spec or the command line is wrong."""
    try:
        code = cli.main(args=arguments, prog_name="netcalc", standalone_mode=False)
        sys.stdout.flush()
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
    except BrokenPipeError:  # the reader has enough: say nothing more, also at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as problem:
        complain(f"error: {problem.filename + ': ' if problem.filename else ''}{problem.strerror or problem}")
        code = 2
    sys.exit(code if isinstance(code, int) else 0)


def complain(text: str) -> None:
    """A message on standard error, its severity coloured on a terminal."""
    for word, colour in (("error", "red"), ("warning", "yellow"), ("note", "cyan")):
        if use_colour() and f"{word}[" in text.split("\n", 1)[0] or text.startswith(f"{word}:") and use_colour():
            text = text.replace(word, click.style(word, fg=colour, bold=True), 1)
            break
    click.echo(text, err=True, color=use_colour())


def use_colour() -> bool:
    context = click.get_current_context(silent=True)
    wanted = not (context and context.find_root().meta.get("netcalc.no_color"))
    return wanted and sys.stderr.isatty() and not os.environ.get("NO_COLOR")
