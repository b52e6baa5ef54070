"""A body as the two halves of a class: what __init__ makes, and what forward does with it."""

from __future__ import annotations

import re

from ..graph import Node, Value
from ..language.names import is_name
from . import copies, naming, results, steps, wiring
from .classes import Entry, checked, sequential
from .code import MAGIC, spaced_slices, string
from .flow import EXPRESSIONS, Flow, NotParametric, has_module, inputs, is_empty
from .freezing import frozen_paths
from .lines import Line, call, first, has_state, kind_of, members, read_after, segment_of
from .tensors import Tensors


class Forward:
    """Writes one class. `init` and `lines` collect statements as (indent, text, comment)."""

    def __init__(self, plan, elements, emitter):
        self.plan, self.elements, self.emitter = plan, elements, emitter
        self.names = elements.names
        self.flow: Flow = emitter.flow
        self.init: list[tuple] = []
        self.lines: list[tuple] = []
        self.steps: list[steps.Step] = []  # what the lines do
        self.weights: dict[str, dict[int, str]] = {}  # attributes that are a parameter -> its path in each instance
        self.attributes: set[str] = set()
        self.sizes: dict[str, str] = {}  # free sizes that forward reads from its inputs
        kept = [values for _, values in plan.results]
        self.tensors = Tensors(self.flow, [scope for _, scope, _ in plan.scopes], kept, self.may_be)

    # -- bodies

    def body(self, items, places: list[Entry], prev: dict, later: frozenset = frozenset()) -> dict:
        """Write a list of items. prev: the value before it in each instance; returns the one after it.

        later: the names that are read after the list; a tensor that is read far below gets its own name as a variable.
        """
        for item, soon, far in read_after(items, later):
            prev = self.item(item, places, prev, far, naming.of(item) if naming.of(item) in far - soon else None)
        return prev

    def item(self, item, places: list[Entry], prev: dict, later: frozenset, name: str | None) -> dict:
        found = members(item, places)
        present = [entries for entries in found if entries]
        if not present:
            return prev
        condition = self.elements.condition(item, found) if "when" in item.keywords else None
        absent = {place.at: prev.get(place.at) for place, entries in zip(places, found, strict=True) if not entries}
        if condition and not absent and (None in prev.values() or self.alternatives(item)):
            condition = None  # the other lines of that name are never there
        counts = {len(entries) for entries in present}
        if len(counts) != 1:
            raise NotParametric("different numbers of copies")
        for k in range(counts.pop()):
            line = Line(item, [entries[k] for entries in present], absent, condition, name)
            self.one(line, later)
            prev = {**prev, **{e.at: first(e.member) for e in line.entries}}
        return prev

    def alternatives(self, item) -> bool:
        """Whether other lines have the same name, under conditions that exclude each other."""
        return naming.of(item) is not None and naming.count(naming.of(item), self.plan.items) > 1

    def one(self, line: Line, later: frozenset):
        member, item = line.member, line.item
        if all(is_empty(e.member) for e in line.entries):
            return
        if (
            not isinstance(member, Node)
            and member.kind == "copies"
            and (item.type != "Reuse" or member.name == item.name)
        ):
            copies.write(self, line)
        elif item.type == "Reuse":
            self.reused(line)
        elif isinstance(member, Node):
            self.leaf(line)
        elif member.kind in ("Residual", "Parallel") and member.name is None:
            wiring.write(self, line, later)
        else:
            self.module(line)

    # -- tensors

    def may_be(self, variable: str) -> bool:
        """Whether a name may be a variable for tensors: not one that the source uses, and not a size."""
        allowed = is_name(variable) and naming.variable(variable, self.names.used) == variable
        return allowed and variable not in self.names.sizes.values() and variable not in self.plan.free_sizes

    def read(self, values: dict[int, Value]) -> str:
        """The expression of a tensor."""
        return self.tensors.get(values) or self.parameter(values) or self.tensors.read(values)

    def parameter(self, values: dict[int, Value]) -> str | None:
        """A parameter of a layer in this class (wte.weight) as an attribute."""
        if any(value.part >= 0 for value in values.values()):
            return None
        paths = {self.inner(at, value.label.split("`")[1]) for at, value in values.items()}
        if len(paths) != 1:
            raise NotParametric("different parameters")
        path, _, name = paths.pop().rpartition(".")
        text = f"{self.reach(path)}.{name}"
        self.weights[text] = {at: value.label.split("`")[1] for at, value in values.items()}
        return text

    def arguments(self, entries: list[Entry]) -> list[str]:
        """The variables that a layer or block reads."""
        taken = [inputs(e.member) for e in entries]
        if len({len(values) for values in taken}) != 1:
            raise NotParametric("different numbers of inputs")
        return [
            self.read({e.at: values[k] for e, values in zip(entries, taken, strict=True)}) for k in range(len(taken[0]))
        ]

    # -- layers

    def leaf(self, line: Line):
        node, entries = line.member, line.entries
        if node.layer.inputs == 0:
            self.source(line)
            return
        variables = self.arguments(entries)
        text = None if node.type in EXPRESSIONS else self.elements.layer(line.item, entries)
        if text is None:
            line.flag = line.condition and self.flag(line)
            results.write(self, line, self.functional(line.item, entries, variables), variables)
            return
        attribute = self.attribute(line, text)
        self.freeze(line, attribute)
        results.write(self, line, self.applied(line, attribute, variables), variables)

    def applied(self, line: Line, module: str, variables: list[str]) -> str:
        """The call of a module, recomputed in the backward pass where the spec says so."""
        calls = {
            e.member.layer.apply(module, variables) if isinstance(e.member, Node) else call(module, variables)
            for e in line.entries
        }
        if len(calls) != 1:
            raise NotParametric("the calls differ")
        [text] = calls
        if not self.recomputed(line):
            return text
        if text != call(module, variables):
            variables = list(dict.fromkeys(variables))
            module = f"lambda {', '.join(variables)}: {text}"
        return self.checkpoint(module, variables)

    def recomputed(self, line: Line) -> bool:
        if "checkpoint" not in line.item.keywords:
            return False
        found = {segment_of(e.member) is not None for e in line.entries}
        if len(found) != 1:
            raise NotParametric("checkpoint differs")
        return found.pop()

    @staticmethod
    def checkpoint(function: str, variables: list[str]) -> str:
        return f"checkpoint({', '.join([function, *variables])}, use_reentrant=False)"

    def functional(self, item, entries: list[Entry], variables: list[str]) -> str:
        """A layer that is an expression."""
        node = entries[0].member
        shapes = self.elements.shapes(entries)
        text = self.marked(lambda: self.called(item, entries, shapes, variables))
        if node.layer.helper_source:
            self.emitter.helper(node.type, node.layer.helper_source)
        return checked(self.run_time(text))

    def called(self, item, entries, shapes, variables) -> str:
        layer = self.elements.written(entries[0].member, item, entries, shapes)
        return layer.call(variables, *(self.elements._code(shape) for shape in shapes))

    def marked(self, write) -> str:
        """What `write` gives, with marks on the names that forward calls otherwise than __init__."""
        self.names.marked = True
        try:
            return write()
        finally:
            self.names.marked = False

    def run_time(self, text: str) -> str:
        """Marked names as forward sees them: arguments are attributes, sizes are read off the inputs."""

        def seen(found) -> str:
            name = found[1]
            if name in self.names.args.values() or name == "i":
                return f"self.{self.plan.store(name, self.attributes)}"
            spec_name = next((size for size, called in self.names.sizes.items() if called == name), name)
            if spec_name in self.names.sizes or name in self.plan.free_sizes:
                self.sizes[spec_name] = name
            return name

        return spaced_slices(re.sub(rf"{naming.MARK}(\w+)", seen, text))

    def source(self, line: Line):
        """What has no input: a Parameter or a Buffer, or what forward makes anew, on the device of its input."""
        node, item = line.member, line.item
        if node.layer.torch() is None:
            line.flag = line.condition and self.flag(line)
            results.write(self, line, self.functional(item, line.entries, list(self.plan.inputs.values())[:1]), [])
            return
        text = self.elements.layer(item, line.entries)
        name = node.path.rpartition(".")[2]
        naming.refuse(name)
        plain = naming.plain(name)
        if node.type == "Buffer":
            kept = "" if node.layer.persistent else ", persistent=False"
            statement = f"self.register_buffer({string(name)}, {text}{kept})"
        else:
            statement = (
                f"self.{name} = {text}" if plain and item.name else f"self.register_parameter({string(name)}, {text})"
            )
        self.conditional(line, statement)
        expression = f"self.{name}" if plain else f"getattr(self, {string(name)})"
        if node.type == "Parameter":
            self.freeze(line, expression)
        self.tensors.ran([node])
        self.tensors.put(expression, {e.at: e.member.outputs[0] for e in line.entries})
        self.steps.append(steps.Step("source", (expression,), (), {e.at: e.member for e in line.entries}))

    # -- modules

    def module(self, line: Line):
        """A block or a group: an attribute that is called."""
        item, entries, member = line.item, line.entries, line.member
        parts = None if member.kind == "block" else self.elements.parts(item, entries)
        if member.kind == "block":
            text, variables = self.elements.constructor(item, entries), self.arguments(entries)
        elif parts is None:
            text = self.elements.wired(item, entries)
            variables = self.group_arguments(entries, self.emitter.group_plan(item, entries, self.names))
        elif not parts:
            return
        else:
            text = self.listed(parts) if any(part.condition for part in parts) else sequential(parts)
            variables = [self.read({e.at: e.member.start for e in entries})]
        attribute = self.attribute(line, text)
        self.freeze(line, attribute)
        results.write(self, line, self.applied(line, attribute, variables), variables)

    def group_arguments(self, entries: list[Entry], plan) -> list[str]:
        """What the class of a group is called with: tensors, and modules from outside that it uses."""
        tensors = [self.read({e.at: slot.values[id(e.member)] for e in entries}) for slot in plan.slots]
        return [*tensors, *map(self.reach, plan.borrowed)]

    def listed(self, parts) -> str:
        """A Sequential with elements that are there under a condition: built as a list first."""
        self.init.append((0, "layers = []", ""))
        plain: list[str] = []
        for part in [*parts, None]:
            if part is not None and part.condition is None:
                plain.append(f"*[{part.text} for {part.loop}]" if part.loop else part.text)
                continue
            if plain:
                one = len(plain) == 1 and not plain[0].startswith("*")
                self.init.append(
                    (0, f"layers.append({plain[0]})" if one else f"layers += [{', '.join(plain)}{MAGIC}]", "")
                )
                plain = []
            if part is not None:
                self.init.append((0, f"if {part.condition}:", ""))
                added = f"layers += [{part.text} for {part.loop}]" if part.loop else f"layers.append({part.text})"
                self.init.append((4, added, ""))
        return "nn.Sequential(*layers)"

    def reused(self, line: Line):
        """An earlier module once more."""
        entries, member = line.entries, line.member
        line.flag = line.condition and self.flag(line)
        if isinstance(member, Node) and not has_module(member):
            variables = self.arguments(entries)
            results.write(self, line, self.functional(member.item, entries, variables), variables)
            return
        paths = {self.inner(e.at, e.member.path) for e in entries}
        if len(paths) != 1:
            raise NotParametric("different modules are used again")
        attribute = self.reach(paths.pop())
        if not isinstance(member, Node) and member.kind == "copies" and copies.again(self, line, attribute):
            return
        if isinstance(member, Node) or member.kind == "block":
            variables = self.arguments(entries)
        else:
            plan = self.emitter.group_of(member)
            variables = (
                self.group_arguments(entries, plan) if plan else [self.read({e.at: e.member.start for e in entries})]
            )
        results.write(self, line, self.applied(line, attribute, variables), variables)

    def inner(self, at: int, path: str) -> str:
        """A path of the graph in this class; of what lies outside of a group, in the block."""
        frame, scope, _ = self.plan.scopes[at]
        base = scope.path if path.startswith(f"{scope.path}.") else frame.scope.path
        return path[len(base) + 1 :] if base else path

    def reach(self, path: str) -> str:
        """The attribute of a module below this one, or the variable of one that a group borrows."""
        if path in self.plan.borrowed:
            return self.plan.borrowed[path]
        if path in self.plan.generated:
            return self.plan.generated[path]
        return f"self.{path}" if naming.plain(path) else f"self.get_submodule({string(path)})"

    def attribute(self, line: Line, text: str) -> str:
        """Make a module in __init__; how forward calls it."""
        item, member = line.item, line.member
        name = member.path.rpartition(".")[2]
        if len({e.member.path.rpartition(".")[2] for e in line.entries}) != 1:
            raise NotParametric("different names")
        numbered = not item.name and "name" not in item.keywords
        again = name in self.attributes and not self.alternatives(item)  # in copies of wiring without a name
        if (numbered or again) and not has_state(member):
            name = self.invented(name if again else kind_of(member))
            if again:
                self.plan.renamed.update((id(e.member), name) for e in line.entries)
            else:
                self.plan.generated[member.path.rpartition(".")[2]] = f"self.{name}"
            numbered = False
        naming.refuse(name)
        self.attributes.add(name)
        plain = not numbered and naming.plain(name)
        statement = f"self.{name} = {text}" if plain else f"self.add_module({string(name)}, {text})"
        if line.condition and plain and not self.alternatives(item):
            self.init.append((0, f"self.{name} = None", ""))
        self.conditional(line, statement)
        attribute = f"self.{name}" if plain else f"self.get_submodule({string(name)})"
        if line.condition:
            line.flag = f"{attribute} is not None" if plain and not self.alternatives(item) else self.flag(line)
        return attribute

    def conditional(self, line: Line, statement: str):
        """A statement of __init__, under the condition of its line."""
        if line.condition:
            self.init.append((0, f"if {line.condition}:", ""))
        self.init.append((4 if line.condition else 0, statement, ""))

    def invented(self, kind: str) -> str:
        """A name for a module without state whose own is a number, or taken."""
        stem = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", kind).lower()
        taken = self.taken()
        name, number = stem, 1
        while name in taken or naming.attribute(name) != name:
            number += 1
            name = f"{stem}{number}"
        return name

    def taken(self) -> set[str]:
        """The attributes that there are, or will be."""
        return {*self.attributes, *naming.of_items(self.plan.items), *self.plan.stored.values()}

    def flag(self, line: Line) -> str:
        """An attribute that keeps a condition for forward."""
        name = naming.attribute(f"has_{naming.of(line.item) or (line.item.type or 'group').lower()}", self.taken())
        self.attributes.add(name)
        self.init.append((0, f"self.{name} = {line.condition}", ""))
        return f"self.{name}"

    def freeze(self, line: Line, attribute: str):
        """What a `freeze` on this line stops from training."""
        if "freeze" not in line.item.keywords:
            return
        for path in frozen_paths(line.entries):
            inner = f"{attribute}.{path}" if naming.plain(path) else f"{attribute}.get_submodule({string(path)})"
            self.conditional(line, f"{inner if path else attribute}.requires_grad_(False)")
