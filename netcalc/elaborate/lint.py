"""What can be said about a finished graph: warnings, and in-place layers that would destroy what is still needed."""

from __future__ import annotations

import re

from ..arith import equal, names_of
from ..errors import Diagnostic, SpecError, fail
from ..graph import Graph, Node, Scope, Value
from ..language.reader import Entry
from ..language.spec import Block, Item, Spec
from ..layers.base import REGISTRY
from .binding import shape_text
from .environment import parsed


def lint(graph: Graph, warnings: list[Diagnostic]) -> None:
    """Give the graph its warnings: those of the walk and what is found here. Raises SpecError E416 for an in-place layer
    whose input is needed later."""
    uses = _uses(graph)
    _check_inplace(graph, uses)
    found = list(warnings)
    found += _unused_outputs(graph, uses)
    for node in graph.nodes:
        if type(node.layer).type == "Linear":
            found += _missing_flatten(node)
        elif getattr(node.layer, "batch_first", None) is False:
            found += [Diagnostic("W402", text, node.item.head.where) for text in _time_first(node, graph)]
    found += _dropped_outputs(graph)
    found += _unnamed_parameters(graph.root)
    found += _halved_sizes(graph)
    found += _unused_names(graph.spec)
    found += _own_blocks(graph.spec)
    graph.warnings = _once(found)


def _once(diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    """Each place once, in the order of the file."""
    kept = {(d.code, d.where and d.where[1:3], d.where and d.where.source.name): d for d in reversed(diagnostics)}
    return sorted(kept.values(), key=lambda d: (d.where.line, d.where.column) if d.where else (0, 0))


def _uses(graph: Graph) -> dict[int, list[Node]]:
    """Who reads each value, by the value's id."""
    uses: dict[int, list[Node]] = {}
    for node in (*graph.nodes, *graph.loss):
        for value in node.inputs:
            uses.setdefault(id(value), []).append(node)
    return uses


# -- E416


def _check_inplace(graph: Graph, uses):
    order = {id(node): index for index, node in enumerate(graph.nodes)}
    for index, node in enumerate(graph.nodes):
        if not node.layer.inplace or not node.inputs:
            continue
        value = node.inputs[0]
        later = [n for n in _sharing(value, uses, node) if order.get(id(n), len(order)) > index]
        if later:
            by = later[0]
            who = (
                "Residual"
                if by.item is not node.item and by.scope.kind == "Residual" and by.item is by.scope.item
                else f"`{by.path}`"
            )
            text = f"{node.type} with inplace: true overwrites the output of {_maker(value)}, which {who} still has to {_verb(by)}"
            raise fail("E416", text, node.item.head.where, "leave inplace out here")


def _maker(value: Value) -> str:
    return value.node.path if value.node else value.label


def _verb(node: Node) -> str:
    return {"Add": "add", "Concat": "join"}.get(node.type, "read")


def _sharing(value: Value, uses, inplace: Node):
    """Everyone but the in-place layer who reads a tensor or a view of it, not by way of that layer."""
    for alias in _aliases(value, uses, inplace):
        yield from (node for node in uses.get(id(alias), ()) if node is not inplace)


def _aliases(value: Value, uses, inplace: Node):
    """A tensor and the views of it that are not made by way of the in-place layer."""
    todo = [value]
    while todo:
        alias = todo.pop()
        yield alias
        for node in uses.get(id(alias), ()):
            if node is not inplace and node.layer.views:
                todo += node.outputs


def overwrites(graph: Graph, value: Value | None) -> bool:
    """Whether an in-place layer overwrites a tensor, or what it is a view of. Raises SpecError E416 where it overwrites
    what another layer of the graph still has to read."""
    uses = _uses(graph)
    _check_inplace(graph, uses)
    inplace = [node for node in graph.nodes if node.layer.inplace and node.inputs]
    return any(alias is value for node in inplace for alias in _aliases(node.inputs[0], uses, node))


# -- warnings about the graph


def _unused_outputs(graph: Graph, uses):
    returned = {id(value) for _, value in graph.outputs}
    referred = {id(other) for node in graph.nodes for other, _ in node.tied.values()}
    for node in graph.nodes:
        if any(id(value) in uses or id(value) in returned for value in node.outputs) or id(node) in referred:
            continue
        item, scope, path = node.item, node.scope, node.path
        while (
            scope.outer is not None
            and scope.kind not in ("block", "model")
            and any(v.node is node for _, v in scope.outputs)
        ):
            item, path, scope = scope.item or item, scope.path, scope.outer
        name = item.name or path
        kind = item.type or "group"
        yield Diagnostic("W403", f"the output of `{name}` ({kind}) is never used; name it in `outputs` or in a `from`, or remove the layer",
                         item.head.where)  # fmt: skip


def _missing_flatten(node: Node):
    shape = node.inputs[0].shape
    if len(shape) != 4 or not _comes_from_images(node.inputs[0]):
        return
    yield Diagnostic("W401", f"Linear acts on the last dimension of a 4-D input {shape_text(shape)}; is a Flatten missing? (layer {node.path})",
                     node.item.head.where)  # fmt: skip


def _comes_from_images(value: Value) -> bool:
    """Whether the last dimension is still the width of an image."""
    while value.node is not None:
        layer = value.node.layer
        if layer.spatial:
            return True
        if not layer.elementwise and not value.node.type.startswith(
            ("BatchNorm", "Dropout", "InstanceNorm", "GroupNorm")
        ):
            return False
        value = value.node.inputs[0]
    return False


def _time_first(node: Node, graph: Graph):
    if graph.batch is None or not node.inputs:
        return
    shape = node.inputs[0].shape
    if len(shape) == 3 and str(shape[0]) == graph.batch:
        yield (f"{node.type} reads dimension 0 as time, but dimension 0 of {shape_text(shape)} is the batch; "
               f"add batch_first: true (layer {node.path})")  # fmt: skip


def _dropped_outputs(graph: Graph):
    if graph.spec.outputs is not None or len(graph.outputs) != 1:
        return
    node = graph.outputs[0][1].node
    if node is None or node.parts is None or node.parts[0] == "0" or len(node.parts) < 2:
        return
    kept, *dropped = node.parts
    verb = "is" if len(dropped) == 1 else "are"
    if node.item.name and _is_visible(node, graph):
        text = f"the model returns {node.path}.{kept} only; {' and '.join(dropped)} {verb} dropped"
        help = f"outputs: [{node.path}.{kept}, {node.path}.{dropped[0]}]"
    else:
        text = f"the model returns the {kept} of {node.type} only; {' and '.join(dropped)} {verb} dropped"
        help = "give the layer a name, so that `outputs` can say what is returned"
    yield Diagnostic("W405", text, node.item.head.where, help=help)


def _is_visible(node: Node, graph: Graph) -> bool:
    """Whether `outputs` of the file can name the layer: it stands in named groups only."""
    scope = node.scope
    while scope.outer is not None and scope.kind in ("group", "Sequential"):
        scope = scope.outer
    return scope is graph.root


def _unnamed_parameters(scope: Scope):
    """Layers with parameters but no name, in a list where others are named."""
    named = any(m.item.name for m in scope.members if m.item is not None and isinstance(m, (Node, Scope)))
    for member in scope.members:
        if isinstance(member, Scope):
            yield from _unnamed_parameters(member)
        elif (
            named
            and member.params
            and not member.item.name
            and "name" not in member.item.keywords
            and not member.original
        ):
            key = member.path + "." + next(iter(member.params))
            if scope.kind != "copies":
                yield Diagnostic("W404", f'{member.type} has parameters but no name; its state_dict key would be "{key}"',
                                 member.item.head.where, help=_named(member))  # fmt: skip


def _named(node: Node) -> str:
    """How the layer would be written with a name."""
    item = node.item
    written = (
        item.main.value if item.main is not None and item.main.kind == "text" else "{...}" if item.arguments else None
    )
    name = "fc" if node.type == "Linear" else node.type.lower()
    return f"- {name}: {node.type}" if written is None else f"- {name}: {{{node.type}: {written}}}"


def _halved_sizes(graph: Graph):
    """W406: a free size that a pooling rounds down and an upsampling does not bring back."""
    halved: dict = {}
    for node in graph.nodes:
        if len(node.inputs) != 1 or node.parts is not None:
            continue
        before, after = node.inputs[0].shape, node.outputs[0].shape
        if before is after or len(before) != len(after) or len(before) < 3:
            continue
        for axis, (old, new) in enumerate(zip(before, after, strict=True)):
            if axis < 2 or type(old) is int or old is new or equal(old, new) is True:
                continue
            if (
                node.layer.spatial
                and "stride" in node.layer.args
                and not node.type.startswith("ConvTranspose")
                and _rounded(new)
            ):
                halved.setdefault((axis, new), (node, old))
            elif (axis, old) in halved:
                pool, original = halved[axis, old]
                if equal(original, new) is not True and names_of(original) == names_of(new):
                    factor = max(
                        2, getattr(pool.layer, "stride", (2,))[0] if isinstance(pool.layer.stride, tuple) else 2
                    )
                    must = "even" if factor == 2 else f"a multiple of {factor}"
                    text = f"{original} must be {must}: {pool.type} divides {original} to {old} and {node.type} brings it back to {new}"
                    yield Diagnostic(
                        "W406",
                        text,
                        node.item.head.where,
                        help=f"write the input as a multiple, for example {factor}*H",
                    )


def _rounded(size) -> bool:
    """Whether a size is rounded for some values of what is free in it."""
    return any(not isinstance(atom, str) for mono in getattr(size, "terms", ()) for atom, _ in mono)


# -- warnings about the text


def _own_blocks(spec: Spec):
    """Not a warning: a file's own block goes before a layer of that name, so that new layers never break old files."""
    for name, block in spec.blocks.items():
        if name in REGISTRY:
            yield Diagnostic(
                "", f"{name} is the block of this file here, not the layer of that name", block.entry.where
            )


def _unused_names(spec: Spec):
    for block in (spec, *spec.blocks.values()):
        used = _names_in(block)
        for name, (key, _) in block.args.items():
            if name not in used:
                yield Diagnostic("W301", f"the argument `{name}` is never used", key.where)
    if not spec.body:
        return
    reached: set[str] = set()
    todo = [spec]
    while todo:
        block = todo.pop()
        for name in _names_in(block):
            if name in spec.blocks and name not in reached:
                reached.add(name)
                todo.append(spec.blocks[name])
    for name, block in spec.blocks.items():
        if name not in reached:
            yield Diagnostic("W302", f"block {name} is never used", block.entry.where)


def _names_in(block: Block) -> set[str]:
    """Every word that a block's text refers to."""
    found: set[str] = set()
    for _, default in block.args.values():
        _collect(default, found)
    for declared in (block.inputs or {}).values():
        for entry in declared.shape:
            _collect(entry, found)
    if isinstance(block, Spec):
        for variant in block.variants.values():
            for value in variant.args.values():
                _collect(value, found)
        for item in block.loss or ():
            _item_names(item, found)
    for item in block.body:
        _item_names(item, found)
    return found


def _item_names(item: Item, found: set[str]):
    if item.type:
        found.add(item.type)
    for key, value in item.arguments:
        if value.kind == "null":
            found.add(key.value)
        else:
            _collect(value, found)
    if item.main is not None:
        _collect(item.main, found)
    for word, entry in item.keywords.items():
        if word in ("when", "repeat", "shape", "freeze", "checkpoint"):
            _collect(entry, found)
        elif word == "name" and entry.kind == "text":
            found.update(_template_names(entry.value))
    for inner in (item.body, item.shortcut, [item.merge] if item.merge else None):
        for child in inner or ():
            _item_names(child, found)


def _template_names(text: str) -> set[str]:
    return {word for part in re.findall(r"\{([^{}]*)\}", text) for word in re.findall(r"[A-Za-z_]\w*", part)}


def _collect(entry: Entry, found: set[str]):
    if entry.kind == "text":
        if entry.cache is not None:
            found |= entry.cache.names
        elif not entry.value.isdigit():
            try:
                found |= parsed(entry).names
            except SpecError:  # not an expression: text that some argument takes literally, such as normal(std)
                found.update(re.findall(r"[A-Za-z_]\w*", entry.value))
    elif entry.kind == "list":
        for item in entry.value:
            _collect(item, found)
    elif entry.kind == "map":
        for key, value in entry.value:
            found.add(key.value)
            _collect(value, found)
