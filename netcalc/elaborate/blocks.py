"""A block called like a layer: its arguments, its inputs, its body, its outputs."""

from __future__ import annotations

from ..errors import SpecError, closest, fail
from ..graph import Scope, Value
from ..language import names
from ..language.reader import Entry
from ..language.spec import Block
from .binding import shape_text
from .environment import Env, bind_sizes, env_value, evaluate
from .reading import Spot, is_prev, read
from .references import find, outputs_of, resolve, value_of


def block(walk, spot: Spot, called: Block, given: dict) -> Scope:
    """Run a block. given: arguments that come with a kind of layer."""
    item = spot.item
    if called in walk.blocks and not (item.type and spot.env.has(item.type)):
        raise fail("E226", f"block `{called.name}` contains itself", called.entry.where)
    if "tie" in item.keywords:
        raise fail("E227", "`tie` belongs to a layer that has parameters of its own", item.keywords["tie"].where)
    return _run(walk, spot, called, given, _inputs(spot, called))


def _run(walk, spot: Spot, called: Block, given: dict, inputs: dict) -> Scope:
    """Run a block on given inputs: {name: Value}."""
    env = Env(called.file, f"in block {called.name}" if called is not called.file else "in this file")
    inner = Scope("block", spot.path, env, None, spot.item)
    inner.name, inner.block, inner.inputs = spot.name, called, inputs
    inner.frozen, inner.segment, inner.times = spot.scope.frozen, spot.here.segment, spot.here.times
    walk.switches(spot, inner)
    _arguments(spot, called, given, env)
    _check_inputs(spot.item, called, inner)
    walk.blocks.append(called)
    try:
        first = next(iter(inputs.values())) if len(inputs) == 1 else None
        set_outputs(called, inner, walk.body(called.body, inner, first))
        inner.args = dict(env.values)
    except SpecError as problem:
        raise _inside(problem, called, spot.item) from None
    finally:
        walk.blocks.pop()
    inner.rebuild = lambda other, here: _run(walk, spot.moved(here), called, given, _again(other, called, spot))
    return inner


def _inside(problem: SpecError, called: Block, item) -> SpecError:
    """The error with a note that says which use of the block it is in."""

    def noted(diagnostic):
        if diagnostic.code == "E226" or (diagnostic.where is not None and diagnostic.where == item.head.where):
            return diagnostic
        note = (f"inside block {called.name}, used here", item.head.where)
        return diagnostic._replace(notes=(*diagnostic.notes, note))

    return SpecError(*map(noted, problem.diagnostics))


# -- arguments


def _arguments(spot: Spot, called: Block, given: dict, inner: Env):
    item, values = spot.item, dict(given)
    if item.main is not None:
        pattern = ", ".join(f"{name}: ..." for name in called.args)
        raise fail(
            "E234",
            f"block {called.name} has no single main argument; name them: {called.name}: {{{pattern}}}",
            item.main.where,
        )
    for key, value in item.arguments:
        if key.value not in called.args:
            raise _unknown_argument(key, called)
        values[key.value] = (
            env_value(key, spot.env) if value.kind == "null" else evaluate(value, spot.env, as_word=True)
        )
    for name, (key, default) in called.args.items():
        inner.declared[name] = key
        if name in values:
            inner.values[name] = values.pop(name)
        elif default.kind == "null":
            raise fail("E235", f"block {called.name} needs `{name}`", item.head.where, f"- {called.name}: {{{name}: ...}}",
                       [("declared here", key.where)])  # fmt: skip
        else:
            inner.pending[name] = default
    for name in values:
        raise fail("E230", f"block {called.name} has no argument `{name}`", item.head.where, _takes(called, name))


def _unknown_argument(key: Entry, called: Block) -> SpecError:
    name = key.value
    if name in names.KEYWORDS:
        return fail("E216", f"`{name}` goes beside {called.name}, not inside its braces", key.where,
                    f"- {called.name}: {{...}}\n  {name}: ...")  # fmt: skip
    return fail("E230", f"block {called.name} has no argument `{name}`", key.where, _takes(called, name))


def _takes(called: Block, name: str) -> str:
    near = closest(name, called.args)
    help = f"did you mean `{near}`? " if near else ""
    return f"{help}{called.name} takes {', '.join(called.args) or 'no arguments'}"


# -- inputs


def _inputs(spot: Spot, called: Block) -> dict[str, Value]:
    entry = spot.item.keywords.get("from")
    mapped = entry is not None and entry.kind == "map"
    if called.inputs is None or ((called.single or len(called.inputs) == 1) and not mapped):
        values = read(spot)
        if len(values) != 1:
            raise fail("E313", f"block {called.name} takes one input, not {len(values)}", entry.where)
        return {_only_input(called): values[0]}
    given = _mapping(spot.item, called)
    fed = carried(spot, called, given) if spot.copied else {}
    before = spot.before if spot.copied else spot.prev
    return {name: fed[name] if name in fed else value_of(resolve(given[name], spot.scope, before), given[name].where)
            for name in called.inputs}  # fmt: skip


def _only_input(called: Block) -> str:
    return next(iter(called.inputs)) if called.inputs else "input"


def _mapping(item, called: Block) -> dict[str, Entry]:
    """The references of a `from` that names the inputs of a block."""
    entry = item.keywords.get("from")
    wanted = ", ".join(f"{name}: ..." for name in called.inputs)
    if entry is None or entry.kind != "map":
        raise fail(
            "E313",
            f"block {called.name} has several inputs: name them",
            (entry or item.head).where,
            f"from: {{{wanted}}}",
        )
    for key, _ in entry.value:
        if key.value not in called.inputs:
            near = closest(key.value, called.inputs)
            raise fail("E313", f"block {called.name} has no input `{key.value}`", key.where,
                       f"did you mean `{near}`?" if near else f"from: {{{wanted}}}")  # fmt: skip
    given = {key.value: ref for key, ref in entry.value}
    missing = [name for name in called.inputs if name not in given]
    if missing:
        raise fail("E313", f"block {called.name} needs its input `{missing[0]}`", entry.where, f"from: {{{wanted}}}")
    return given


def carried(spot: Spot, called: Block, given: dict[str, Entry]) -> dict[str, Value]:
    """What the copy before gives to a further copy: the inputs named like its outputs, else the one that is given `prev`,
    else the first."""
    outputs = dict(spot.prev.outputs) if isinstance(spot.prev, Scope) else {}
    same = {name: outputs[name] for name in called.inputs if name in outputs}
    if same:
        return same
    fed = [name for name in called.inputs if is_prev(given[name])]
    if not fed:
        return {next(iter(called.inputs)): value_of(spot.prev, spot.item.head.where)}
    return {name: value_of(resolve(given[name], spot.scope, spot.prev), given[name].where) for name in fed}


def _again(other, called: Block, spot: Spot) -> dict[str, Value]:
    """The inputs for a `Reuse`: one thing, or a mapping's references already resolved."""
    if isinstance(other, dict):
        return other
    if called.inputs is not None and len(called.inputs) > 1:
        wanted = ", ".join(f"{name}: ..." for name in called.inputs)
        raise fail(
            "E313", f"block {called.name} has several inputs: name them", spot.item.head.where, f"from: {{{wanted}}}"
        )
    return {_only_input(called): value_of(other, spot.item.head.where)}


def resolved_mapping(spot: Spot, called: Block) -> dict[str, Value]:
    """The inputs that a `Reuse` of a block with several inputs names."""
    given = _mapping(spot.item, called)
    return {name: value_of(resolve(given[name], spot.scope, spot.prev), given[name].where) for name in called.inputs}


def _check_inputs(item, called: Block, inner: Scope):
    """Bind the sizes that the patterns name, and check the rest."""
    if called.inputs is None:
        return

    def mismatch(pattern, shape):
        expects = f"[{', '.join(str(size.value) for size in pattern.shape)}]"
        text = f"block {called.name} expects `{pattern.name}` of shape {expects}, but gets {shape_text(shape)} from {inner.inputs[pattern.name]}"
        return fail("E415", text, item.head.where, notes=[("declared here", pattern.entry.where)])

    for pattern in called.inputs.values():
        arrived = inner.inputs[pattern.name]
        if pattern.dtype not in (arrived.dtype, "float32"):
            raise fail("E417", f"block {called.name} expects `{pattern.name}` of dtype {pattern.dtype}, but gets {arrived.dtype} "
                       f"from {arrived}", item.head.where)  # fmt: skip
    bind_sizes(called.inputs.values(), [inner.inputs[name].shape for name in called.inputs], inner.env, mismatch)


# -- outputs


def set_outputs(called: Block, inner: Scope, last):
    """Give a block, or the model, its outputs: (name or None, Value) pairs. What `when` deleted is left out."""
    if called.outputs is None:
        inner.outputs = outputs_of(last, called.entry.where)
    else:
        found = {}
        for name, ref in called.outputs:
            head = str(ref.value).split(".")[0]
            if head not in inner.missing or find(head, inner) is not None:
                found[name or str(ref.value).replace(".", "_")] = value_of(resolve(ref, inner, last), ref.where)
        inner.outputs = list(found.items())
    if not inner.outputs:
        where = called.outputs[0][1].where if called.outputs else called.entry.where
        raise fail("E312", "nothing is left to return: `when` or `repeat: 0` took every output away", where)
