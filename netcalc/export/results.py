"""What a line of forward gives: the variables that it is assigned to."""

from __future__ import annotations

from ..graph import Node, Value
from . import naming, steps
from .classes import Entry
from .flow import NotParametric, outputs
from .lines import Line, first
from .symbols import unified


def write(forward, line: Line, expression: str, variables: list[str], reads: list[str] | None = None):
    """Assign what a line gives; under a flag the variable keeps the tensor before where the flag is false.

    variables: one of them may be written again. reads: what it is called with, where that is not the same.
    """
    reads = variables if reads is None else reads
    forward.tensors.ran(e.member for e in line.entries)
    outlets = given(forward, line)
    if len(outlets) != 1 or (isinstance(line.member, Node) and line.member.parts is not None):
        _unpacked(forward, line, outlets, expression, reads)
        return
    [(_, values)] = outlets
    shape = comment(line.entries)
    if line.flag is None:
        before = next((variable for variable in variables if variable.isidentifier()), None)
        variable = forward.tensors.target(line.name, before)
        forward.lines.append((0, f"{variable} = {expression}", shape))
        _called(forward, [variable], line, expression, reads)
        forward.tensors.put(variable, values)
        return
    variable = _kept(forward, line, variables)
    _called(forward, [variable], line, expression, reads)
    forward.lines.append((0, f"if {line.flag}:", ""))
    forward.lines.append((4, f"{variable} = {expression}", shape))
    forward.tensors.put(variable, values, keep=True)


def _called(forward, targets, line: Line, expression: str, reads):
    """Note the step of a call."""
    forward.steps.append(steps.call(line, targets, reads, expression.startswith("checkpoint(")))


def given(forward, line: Line) -> list[tuple[str | None, dict[int, Value]]]:
    """The outputs of a line: (name, its value in each instance)."""
    member = line.member
    plan = None if isinstance(member, Node) or member.kind == "block" else forward.emitter.group_of(member)
    found = [(e.at, forward.flow.given(e.member, plan.outlets) if plan else outputs(e.member)) for e in line.entries]
    if len({len(listed) for _, listed in found}) != 1:
        raise NotParametric("different numbers of outputs")
    return [(name, {at: listed[k][1] for at, listed in found}) for k, (name, _) in enumerate(found[0][1])]


def _kept(forward, line: Line, variables: list[str]) -> str:
    """The variable for a result under a flag: it holds what goes on where the flag is false."""
    nothing = None in line.absent.values()
    before = variables[0] if variables and not line.absent else None
    if line.absent and not nothing:
        before = forward.tensors.read(line.absent)
    here = {e.at for e in line.entries}
    named = before is not None and before.isidentifier() and forward.may_be(before)
    if named and not forward.tensors.busy(before, here):
        return before
    variable = forward.tensors.target(line.name, avoid=() if before is None else variables)
    if before is not None:
        copied(forward, variable, before)
        forward.tensors.put(variable, line.absent)
    return variable


def copied(forward, target: str, source: str):
    """One variable for what another one holds."""
    forward.lines.append((0, f"{target} = {source}", ""))
    forward.steps.append(steps.copy(target, source))


def _unpacked(forward, line: Line, outlets: list, expression: str, reads: list[str]):
    """Several outputs: a variable for each that is read."""
    if line.flag is not None:
        raise NotParametric("several outputs under a condition")
    variables = []
    for name, (_, values) in zip(_names(forward, line, outlets), outlets, strict=True):
        used = forward.tensors.wanted(values)
        variables.append(forward.tensors.target(name) if used else "_")
        if used:
            forward.tensors.put(variables[-1], values)
    forward.lines.append((0, f"{left(line.member, variables)} = {expression}", ""))
    _called(forward, variables, line, expression, reads)


def left(member, variables: list[str]) -> str:
    """The left side of an assignment of all outputs."""
    if not isinstance(member, Node) or member.parts is None:
        return ", ".join(variables)
    if member.type == "LSTM":
        hidden = steps.states_hidden(member, variables)
        return f"{variables[0]}, _" if hidden else "{}, ({}, {})".format(*variables)
    return ", ".join(variables) + ("," if len(variables) == 1 else "")


def _names(forward, line: Line, outlets: list) -> list[str | None]:
    """The variables that several outputs would like: q, k, v for a layer called qkv, else its name with theirs."""
    member, name = line.member, naming.of(line.item)
    stem = name or (member.type.lower() if isinstance(member, Node) else "out")
    if len(stem) == len(outlets) == len({*stem}) and stem.isalpha() and all(map(forward.tensors.free, stem)):
        return list(stem)
    own = [part if part is not None else str(k) for k, (part, _) in enumerate(outlets)]
    return [
        line.name if isinstance(member, Node) else None,
        *(naming.word(f"{stem}_{part}") for part in own[1:]),
    ]


def comment(entries: list[Entry]) -> str:
    """The output's shape in the words of the block."""
    found = []
    for entry in entries:
        value = first(entry.member)
        if value is None:
            return ""
        found.append((entry.frame, entry.frame.shape(value), value.shape, entry.index))
    text = f"[{', '.join(map(str, unified(found)))}]"
    return "" if "UNRESOLVED" in text or len(text) > 48 else text
