"""Named copies: an nn.Sequential where they only chain, else a list of modules that forward goes through."""

from __future__ import annotations

from ..graph import Node
from . import results, sequences, steps
from .classes import Entry, sequential
from .code import MAGIC, string
from .flow import NotParametric, has_module, inputs, key


def write(forward, line):
    """`name:` with `repeat`."""
    if not any(e.member.members for e in line.entries):
        return
    if any(not e.member.members for e in line.entries):
        raise NotParametric("no copies")
    parts = sequences.copies(forward.elements, line.item, line.scopes)
    if parts is not None:
        _chained(forward, line, parts)
        return
    if line.condition:
        raise NotParametric("copies under a condition")
    rows = _rows(line)
    kind = rows[0][0].member
    if line.item.type == "Reuse":
        for entries in rows:
            forward.reused(line.of(entries))
    elif isinstance(kind, Node) and not has_module(kind):
        for entries in rows:
            forward.leaf(line.of(entries))
    else:
        attribute = forward.attribute(line, _list(forward, line))
        forward.freeze(line, attribute)
        _calls(forward, line, attribute, rows)


def again(forward, line, attribute: str) -> bool:
    """Copies that a Reuse runs once more; False where they are one module."""
    rows = _rows(line)
    kind = rows[0][0].member
    if isinstance(kind, Node) and not has_module(kind):
        for entries in rows:
            copy = line.of(entries)
            variables = forward.arguments(entries)
            results.write(forward, copy, forward.functional(kind.item, entries, variables), variables)
    elif line.member.path in forward.emitter.written.lists:
        _calls(forward, line, attribute, rows)
    else:
        return False
    return True


def _rows(line) -> list[list[Entry]]:
    """The copies: for each number its entries in all instances."""
    found = [[Entry(e.frame, member, k, e.at) for k, member in enumerate(e.member.members)] for e in line.entries]
    if len({len(listed) for listed in found}) != 1:
        raise NotParametric("different numbers of copies")
    return [list(entries) for entries in zip(*found, strict=True)]


def _chained(forward, line, parts: list):
    attribute = forward.attribute(line, sequential(parts))
    forward.freeze(line, attribute)
    variables = [forward.read({e.at: _fed(e.member.members[0]) for e in line.entries})]
    if not forward.recomputed(line):
        results.write(forward, line, f"{attribute}({variables[0]})", variables)
        return
    if line.condition:
        raise NotParametric("recomputed copies under a condition")
    tensors = forward.tensors
    tensors.ran(e.member for e in line.entries)
    variable = tensors.target(line.name, variables[0])
    if variable != variables[0]:
        results.copied(forward, variable, variables[0])
    forward.lines.append((0, f"for block in {attribute}:", ""))
    forward.steps += [steps.call(line.of(entries), [variable], [variable], True) for entries in _rows(line)]
    forward.lines.append((4, f"{variable} = {forward.checkpoint('block', [variable])}", results.comment(line.entries)))
    tensors.put(variable, {e.at: e.member.outputs[0][1] for e in line.entries})


def _fed(member):
    """What a copy that only chains reads."""
    return inputs(member)[0] if isinstance(member, Node) or member.kind == "block" else member.start


# -- lists


def _list(forward, line) -> str:
    """The constructor of the list: an nn.ModuleDict where the copies have names."""
    found = [[Entry(e.frame, member, k, e.at) for k, member in enumerate(e.member.members)] for e in line.entries]
    runs = sequences.runs_of(
        forward.elements, line.item, found, lambda elements, item, entries: elements.constructor(item, entries)
    )
    for entry in line.entries:
        forward.emitter.written.add("lists", entry.member.path)
    if "name" in line.item.keywords:
        template, rename = line.item.keywords["name"].value, forward.names.rename
        pairs = [(sequences.template_text(template, rename, run), run) for run in runs]
        if len(pairs) == 1 and runs[0].loop:
            return f"nn.ModuleDict({{{pairs[0][0]}: {runs[0].text} for {runs[0].loop}}})"
        texts = [
            f"**{{{name}: {run.text} for {run.loop}}}" if run.loop else f"{name}: {run.text}" for name, run in pairs
        ]
        return f"nn.ModuleDict({{{', '.join(texts)}{MAGIC}}})"
    if len(runs) == 1 and runs[0].loop:
        return f"nn.ModuleList([{runs[0].text} for {runs[0].loop}])"
    return f"nn.ModuleList([{', '.join(f'*[{run.text} for {run.loop}]' if run.loop else run.text for run in runs)}{MAGIC}])"


def _calls(forward, line, attribute: str, rows: list):
    """The copies in forward: as a loop where each is called alike, else one by one."""
    named = "name" in forward.emitter.originals[line.member.path].item.keywords
    wired = [_taken(forward, entries) for entries in rows]
    carried = _carried(forward, line, rows, wired)
    if carried is not None:
        _loop(forward, line, f"{attribute}.values()" if named else attribute, rows, wired[0], carried)
        return
    for entries, (values, borrowed) in zip(rows, wired, strict=True):
        name = entries[0].member.path.rpartition(".")[2]
        variables = [*map(forward.read, values), *borrowed]
        copy = line.of(entries)
        module = f"{attribute}[{string(name) if named else name}]"
        results.write(forward, copy, forward.applied(copy, module, variables), variables)


def _taken(forward, entries: list[Entry]) -> tuple[list[dict], list[str]]:
    """What a copy is called with: the values of each parameter in all instances, and borrowed modules."""
    member = entries[0].member
    if isinstance(member, Node) or member.kind == "block":
        listed = [inputs(e.member) for e in entries]
        return [{e.at: values[k] for e, values in zip(entries, listed, strict=True)} for k in range(len(listed[0]))], []
    plan = forward.emitter.group_of(member)
    if plan is None:
        return [{e.at: e.member.start for e in entries}], []
    return [{e.at: slot.values[id(e.member)] for e in entries} for slot in plan.slots], [
        *map(forward.reach, plan.borrowed)
    ]


def _carried(forward, line, rows: list, wired: list) -> dict[int, int] | None:
    """Which parameter takes which output of the copy before; the others are the same for all. None where it is not so."""
    given = [[values for _, values in results.given(forward, line.of(entries))] for entries in rows]
    alike = (
        len({(len(values), *borrowed) for values, borrowed in wired}) == 1
        and len({len(listed) for listed in given}) == 1
    )
    if len(rows) < 2 or not alike:
        return None
    found: dict[int, int] = {}
    for position in range(len(wired[0][0])):
        taken = [_keys(values[position]) for values, _ in wired]
        if all(keys == taken[0] for keys in taken):
            continue
        before = [
            j for j in range(len(given[0])) if all(_keys(given[k][j]) == taken[k + 1] for k in range(len(rows) - 1))
        ]
        if not before or before[0] in found.values():
            return None
        found[position] = before[0]
    return None if not found or _seen(forward, rows, given) else found


def _keys(values: dict) -> dict:
    return {at: key(value) for at, value in values.items()}


def _seen(forward, rows: list, given: list) -> bool:
    """Whether something else than the next copy reads a copy that is not the last one."""
    tensors = forward.tensors
    before = set(tensors.done)
    tensors.ran(e.member for entries in rows for e in entries)
    found = any(tensors.wanted(values) for outputs in given[:-1] for values in outputs)
    tensors.done = before
    return found


def _loop(forward, line, attribute: str, rows: list, wired: tuple, carried: dict[int, int]):
    tensors, (values, borrowed) = forward.tensors, wired
    variables = [forward.read(value) for value in values]
    last = line.of(rows[-1])
    given = [outputs for _, outputs in results.given(forward, last)]
    tensors.ran(e.member for entries in rows for e in entries)
    for position, number in carried.items():
        others = {variable for k, variable in enumerate(variables) if k != position}
        variable = variables[position]
        if not variable.isidentifier() or variable in others or tensors.busy(variable):
            variables[position] = tensors.target(line.name if number == 0 else None, avoid=others)
            results.copied(forward, variables[position], variable)
    assigned = {number: variables[position] for position, number in carried.items()}
    for number, outputs in enumerate(given):
        if number not in assigned and tensors.wanted(outputs):
            assigned[number] = tensors.target(avoid={*variables, *assigned.values()})
    targets = [assigned.get(number, steps.HIDDEN) for number in range(len(given))]
    left = results.left(last.member, targets)
    call = forward.applied(line.of(rows[0]), "block", [*variables, *borrowed])
    recompute = call.startswith("checkpoint(")
    forward.steps += [steps.call(line.of(entries), targets, variables, recompute) for entries in rows]
    forward.lines.append((0, f"for block in {attribute}:", ""))
    forward.lines.append((4, f"{left} = {call}", results.comment(last.entries) if len(given) == 1 else ""))
    for number, variable in assigned.items():
        tensors.put(variable, given[number])
