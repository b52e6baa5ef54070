"""The options that commands share, reading a spec by them, and writing the answer."""

from __future__ import annotations

import os
import sys

import click

from .. import catalog
from ..errors import NetcalcError
from ..report.table import FORMATS
from .main import complain


class SpecArgument(click.ParamType):
    """A file, a shipped spec or variant, or -; completes both."""

    name = "SPEC"

    def shell_complete(self, context, parameter, incomplete):
        from click.shell_completion import CompletionItem

        names = [CompletionItem(name) for name in catalog.everything() if name.startswith(incomplete)]
        return [*names, CompletionItem(incomplete, type="file")]


def _names(context, parameter, value):
    return tuple(name.strip() for text in value for name in text.split(",") if name.strip())


def _settings(context, parameter, value):
    """--set a=1 b=2: NAME=VALUE pairs."""
    found = {}
    for text in value:
        name, equals, given = text.partition("=")
        if not equals or not name.strip():
            raise click.BadParameter(f"`{text}` is not NAME=VALUE, for example --set width=2")
        found[name.strip()] = given.strip()
    return found


class SetOption(click.Option):
    """`--set A=1 B=2`: takes every following NAME=VALUE, as well as being repeatable. Its long name comes first."""

    def add_to_parser(self, parser, context):
        super().add_to_parser(parser, context)
        option = parser._long_opt[self.opts[0]]
        process = option.process

        def more(value, state):
            process(value, state)
            while (
                state.rargs
                and "=" in state.rargs[0]
                and not state.rargs[0].startswith("-")
                and not os.path.exists(state.rargs[0])
            ):
                process(state.rargs.pop(0), state)

        option.process = more


no_color = click.option("--no-color", is_flag=True, expose_value=False, help="No colours, also on a terminal.")
_SPEC = [
    click.argument("spec", required=False, type=SpecArgument()),
    click.option("--set", "given", cls=SetOption, multiple=True, callback=_settings, metavar="NAME=VALUE",
                 help="Give an argument or a free dimension a value; may be repeated."),
    click.option("--variant", metavar="V", help="A variant of the spec."),
    click.option("--free", multiple=True, callback=_names, metavar="NAMES", help="Leave arguments open and print formulas; of a list all elements, or one: 'depths[0]'."),
]  # fmt: skip
_OUTPUT = [
    click.option("--format", type=click.Choice(FORMATS), default="table", show_default=True, help="How to print."),
    click.option("-o", "--output", "target", type=click.Path(dir_okay=False), metavar="FILE", help="Write to a file."),
    no_color,
]  # fmt: skip
_TABLE = [
    click.option(
        "--depth",
        type=click.IntRange(1),
        metavar="D",
        help="Sum up what is more than D levels deep (not in csv and json).",
    ),
    click.option("--expand", is_flag=True, help="Show equal blocks one by one instead of folded, as csv and json do."),
]
batch = click.option("--batch", type=click.IntRange(1), metavar="B", help="The size of the batch dimension.")
strict = click.option("--strict", is_flag=True, help="Treat warnings as errors.")


def all_of(options):
    """A decorator that adds all of these options to a command."""

    def decorate(function):
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


spec_options = all_of(_SPEC)
given_options = all_of(_SPEC[1:])
output_options = all_of(_OUTPUT)
table_options = all_of([*_SPEC, batch, *_TABLE, *_OUTPUT])


def network(spec: str | None, given: dict, variant: str | None, free: tuple = (), batch: int | None = None):
    """The network that the options describe, its warnings printed."""
    net = loaded(spec)
    if variant is not None:
        net = net.variant(variant)
    net = net.at(**given).free(*free) if given or free else net
    if batch is not None:
        net = _batched(net, batch)
    net.graph  # noqa: B018  (errors come before any output)
    for warning in net.warnings:
        complain(str(warning))
    return net


def loaded(spec: str | None):
    """The network of a SPEC argument."""
    from ..model import Net, load

    if spec == "-":
        from ..language.files import spec_of_bytes
        from ..language.reader import MAX_BYTES

        return Net(spec_of_bytes(sys.stdin.buffer.read(MAX_BYTES + 1), "<stdin>"))
    if spec is None:
        if not os.path.exists("spec.yaml"):
            raise NetcalcError("error: no SPEC is given, and there is no spec.yaml in this folder\n"
                               "  help: name a file or a shipped network, for example `netcalc params alexnet`")  # fmt: skip
        spec = "spec.yaml"
    return load(spec)


def loaded_with(text: str, name: str):
    """The network of a text; messages call it by that name."""
    from ..language.files import spec_of_text
    from ..model import Net

    return Net(spec_of_text(text, name))


def _batched(net, batch: int):
    from ..elaborate.root import batch_dimension

    name = batch_dimension(net.spec, {})
    if name is None:
        raise NetcalcError("error: --batch: the inputs of this spec have no common free dimension in first place\n"
                           "  help: use --set NAME=VALUE")  # fmt: skip
    if name in net.given:
        raise NetcalcError(f"error: --batch and --set {name} both give the batch dimension a value")
    return net.at(**{name: batch})


def write(text: str, target: str | None) -> None:
    """The answer to standard output, or whole to a file: never half of it."""
    if target is None:
        click.echo(text)
        return
    write_bytes((text + "\n").encode("utf-8"), target)


def write_bytes(content: bytes, target: str) -> None:
    """A file, whole or not at all."""
    from pathlib import Path

    path = Path(os.path.realpath(target))
    existed = path.exists()
    try:
        if existed and not path.is_file():  # /dev/null, a pipe: written to, not replaced
            path.write_bytes(content)
        else:
            _replace(str(path), content, path.stat().st_mode & 0o777 if existed else 0o666 & ~_umask())
    except OSError as problem:
        raise NetcalcError(f"error: cannot write {target}: {problem.strerror or problem}") from None
    complain(f"note: {'replaced' if existed and path.is_file() else 'wrote'} {target}")


def _replace(path: str, content: bytes, mode: int) -> None:
    """Write beside the file, then take its place in one step."""
    import tempfile  # takes as long as reading a spec, and few commands write

    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=f".{os.path.basename(path)}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def screen_width() -> int | None:
    """The columns of the terminal; None where the output goes elsewhere and nothing needs to be left out."""
    if "COLUMNS" in os.environ or sys.stdout.isatty():
        import shutil

        return shutil.get_terminal_size().columns
    return None


def show(result, format: str, depth, expand: bool, target: str | None) -> None:
    """Print a result in the wanted format."""
    width = screen_width() if target is None else None
    write(result.format(format, depth, expand, width), target)


def report_unmet(net) -> int:
    """Say which expected numbers the network misses; the exit code."""
    if net.changed and (net.spec.expect or net.spec.variants):
        names = ", ".join(net.changed)
        option = "--free" if set(net.changed) <= set(net.free_names) else "--set"
        complain(f"note: expect is not checked, because {option} changes {names}")
        return 0
    unmet = net.check()
    for diagnostic in unmet:
        complain(str(diagnostic))
    return 1 if unmet else 0
