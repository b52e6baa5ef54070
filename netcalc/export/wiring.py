"""Residual and Parallel: additions and branches in forward, without a module of their own unless they have a name."""

from __future__ import annotations

import ast

from . import naming, results
from .classes import Entry
from .flow import NotParametric, has_module
from .freezing import frozen_paths


def write(forward, line, later: frozenset):
    """A Residual or Parallel without a name."""
    if line.condition:
        raise NotParametric("wiring under a condition")
    if forward.recomputed(line):
        _segment(forward, line, later)
    else:
        inside(forward, line, later)
    if "freeze" in line.item.keywords:
        _freeze(forward, line)


def inside(forward, line, later: frozenset = frozenset()):
    """The lines of a Residual or Parallel."""
    start = {e.at: e.member.start for e in line.entries}
    if line.item.type == "Residual":
        _residual(forward, line, start, later)
    else:
        _parallel(forward, line, start, later)


def _residual(forward, line, start: dict, later: frozenset):
    forward.body(line.item.body, line.entries, start, later)
    if line.item.shortcut is not None:
        if any("when" in item.keywords for item in line.item.shortcut) and not forward.elements.settled():
            _identity(forward, start)
        forward.body(line.item.shortcut, line.entries, start, later)
    adds = _last(line)
    main, side = forward.arguments(adds.entries)
    results.write(forward, adds, f"{main} + {side}", [side], [main, side])


def _identity(forward, start: dict):
    """A variable for the input where a shortcut is there under a condition, as torchvision has it."""
    if forward.tensors.free("identity"):
        results.copied(forward, "identity", forward.read(start))
        forward.tensors.put("identity", start)


def _parallel(forward, line, start: dict, later: frozenset):
    item = line.item
    for branch in item.body:
        forward.item(branch, line.entries, start, later, naming.of(branch))
    if item.merge is None:
        return
    merged = _last(line)
    merged.item = item.merge
    variables = forward.arguments(merged.entries)
    if not has_module(merged.member):
        expression = forward.functional(item.merge, merged.entries, variables)
    else:
        attribute = forward.attribute(merged, forward.elements.layer(item.merge, merged.entries))
        expression = forward.applied(merged, attribute, variables)
    start_variable = forward.tensors.get(start)
    results.write(forward, merged, expression, [start_variable] if start_variable else variables, variables)


def _last(line):
    """The sum or the merge at the end of wiring."""
    last = line.of([Entry(e.frame, e.member.members[-1], e.index, e.at) for e in line.entries])
    last.condition = None
    return last


def _freeze(forward, line):
    """`freeze` on wiring without a name holds for the modules in it."""
    for path in frozen_paths(line.entries, whole=False):
        forward.init.append((0, f"{forward.reach(path)}.requires_grad_(False)", ""))


def _segment(forward, line, later: frozenset):
    """Wiring that is recomputed in the backward pass: a function in forward."""
    tensors, before, steps_before = forward.tensors, forward.lines, forward.steps
    held = dict(tensors.holds)
    forward.lines, forward.steps = [], []
    inside(forward, line, later)
    body, forward.lines = forward.lines, before
    done, forward.steps = forward.steps, steps_before
    returned = [forward.read(values) for _, values in results.given(forward, line)]
    tensors.holds = held
    taken = [name for name in held if name in _read([*body, (0, ", ".join(returned), "")])]
    name = "segment"
    while name in held or not forward.may_be(name):
        name += "_"
    forward.lines += [(0, "", ""), (0, f"def {name}({', '.join(taken)}):", "")]
    forward.lines += [(indent + 4, text, comment) for indent, text, comment in body]
    forward.lines += [(4, f"return {', '.join(returned)}", ""), (0, "", "")]
    results.write(forward, line, forward.checkpoint(name, taken), taken)
    forward.steps[-1] = forward.steps[-1]._replace(kind="segment", body=tuple(done), results=tuple(returned))


def _read(lines: list) -> set[str]:
    """The names that some statements read."""
    found: set[str] = set()
    for _, text, _ in lines:
        tree = ast.parse(f"{text} pass" if text.endswith(":") else text)
        found |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return found
