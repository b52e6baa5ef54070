"""A body as the two halves of a class: what __init__ makes, and what forward does with it."""

from __future__ import annotations

import re

from ..arith import Formula
from ..elaborate.environment import parsed
from ..elaborate.references import is_reference
from ..graph import Node
from ..language.names import is_name
from ..layers.base import REGISTRY
from . import naming
from .classes import Entry, NotParametric, checked
from .code import spaced_slices, string, tidy
from .sequences import _members, copies, sequence
from .symbols import unified

POOL = ("x", "out", "y", "z", "u", "v", "w")  # variables for what is read at once
#: written as expressions in forward although torch has a module
EXPRESSIONS = frozenset(("Flatten", "Unflatten"))
_UNPACKED = {"LSTM": "{0}, ({1}, {2})"}


class Forward:
    """Writes one class. `init` and `lines` collect statements as (indent, text, comment)."""

    def __init__(self, plan, elements, emitter):
        self.plan, self.elements, self.emitter = plan, elements, emitter
        self.names = elements.names
        self.init: list[tuple] = []
        self.lines: list[tuple] = []
        self.vars: dict[str, str] = {}  # what a name of the spec is called in forward
        self.holds: dict[str, set] = {}  # variable -> names whose tensor it holds
        self.prev_parts: dict[str, str] = {}  # "prev.hidden" -> its variable, where the last line gave several tensors
        self.attributes: set[str] = set()
        self.sizes: dict[str, str] = {}  # free sizes that forward reads from its inputs
        self.outside: dict[str, str] = {}  # names of enclosing bodies that a group reads
        self.pins = 0

    # -- bodies

    def body(self, items, scopes, prev, outer: frozenset):
        for position, item in enumerate(items):
            later = outer | references(items[position + 1 :])
            soon = references(items[position + 1 : position + 2])
            prev = self.item(item, scopes, prev, later, later - soon)
        return prev

    def item(self, item, scopes, prev, later: frozenset, distant: frozenset):
        found = _members(item, scopes)
        if not any(found):
            return prev
        condition = self.elements.condition(item, found) if "when" in item.keywords else None
        if condition and all(found) and (prev is None or self.alternatives(item)):
            condition = None  # the other lines of that name are never there
        if "repeat" in item.keywords and item.name is None:
            counts = {len(entries) for entries in found if entries}
            if len(counts) != 1:
                raise NotParametric("different numbers of copies")
            for k in range(counts.pop()):
                prev = self.one(item, [entries[k] for entries in found if entries], prev, later, distant, condition)
            return prev
        return self.one(item, [entries[0] for entries in found if entries], prev, later, distant, condition)

    def alternatives(self, item) -> bool:
        """Whether other lines have the same name, under conditions that exclude each other."""
        return naming.of(item) is not None and naming.count(naming.of(item), self.plan.items) > 1

    def one(self, item, entries: list[Entry], prev, later, distant, condition):
        member = entries[0].member
        if item.type == "Reuse":
            return self.reused(item, entries, prev, later, distant)
        if isinstance(member, Node):
            return self.leaf(item, entries, prev, later, distant, condition)
        if member.kind == "Residual" and member.name is None:
            return self.residual(item, entries, prev, later, condition)
        if member.kind == "Parallel" and member.name is None:
            return self.parallel(item, entries, prev, later, distant, condition)
        if member.kind == "copies":
            return self.copied(item, entries, prev, later, distant, condition)
        return self.module(item, entries, prev, later, distant, condition)

    # -- variables

    def busy(self, variable: str, later: frozenset) -> bool:
        return bool(self.holds.get(variable, set()) & later) or (
            variable in self.holds and any(h.startswith("#") for h in self.holds[variable])
        )

    def target(self, item, prev, later, distant) -> str:
        """The variable for a result: its own name where it is read much later, else one that is free."""
        if (
            item is not None
            and naming.of(item) in distant
            and self.own(naming.of(item))
            and not self.busy(naming.of(item), later)
        ):
            return naming.of(item)
        for variable in (prev, *POOL):
            if variable in POOL and self.own(variable) and not self.busy(variable, later):
                return variable
        number = 1
        while not self.own(f"x{number}") or self.busy(f"x{number}", later):
            number += 1
        return f"x{number}"

    def own(self, variable: str) -> bool:
        """Whether a name may be a variable for tensors: not one that the source uses, and not a size."""
        free = is_name(variable) and naming.variable(variable, self.names.used) == variable
        return free and variable not in self.names.sizes.values() and variable not in self.plan.free_sizes

    def assign(self, variable: str, expression: str, item, comment: str = "", names=()):
        self.lines.append((0, f"{variable} = {expression}", comment))
        self.prev_parts = {}
        self.holds[variable] = set(names)
        if item is not None and naming.of(item):
            self.vars[naming.of(item)] = variable
            self.holds[variable].add(naming.of(item))

    def pin(self, variable: str) -> str:
        self.pins += 1
        token = f"#{self.pins}"
        self.holds.setdefault(variable, set()).add(token)
        return token

    def unpin(self, variable: str, token: str):
        self.holds.get(variable, set()).discard(token)

    def read(self, text: str, prev) -> str:
        """The expression for a reference."""
        head, *parts = text.split(".")
        if head == "prev":
            if text in self.prev_parts:
                return self.prev_parts[text]
            base = prev
        elif text in self.vars:
            return self.vars[text]
        elif head in self.vars:
            base = self.vars[head]
        else:
            return self.from_outside(text, head)
        if not parts:
            return base
        if text in self.vars:
            return self.vars[text]
        return self.parameter(text) or self.fail(text)

    def from_outside(self, text: str, head: str) -> str:
        if text in self.outside:
            return self.outside[text]
        if self.plan.kind == "group":
            name = "context" if head == "input" else self.word(text)
            while not self.own(name) or name in ("x", *self.outside.values(), *self.holds):
                name += "_"
            self.outside[text] = name
            self.holds[name] = {"#outside"}
            return name
        return self.parameter(text) or self.fail(text)

    def word(self, text: str) -> str:
        """A variable's name made of any text."""
        plain = re.sub(r"[^a-z0-9_]", "_", text.lower()).strip("_")
        return naming.variable(plain if plain[:1].isalpha() else f"t{plain}", self.names.used)

    def parameter(self, text: str) -> str | None:
        """A parameter of an earlier layer (wte.weight) as an attribute."""
        path, _, name = text.rpartition(".")
        return f"{self.reach(path)}.{name}" if path and name in ("weight", "bias") else None

    def fail(self, text: str):
        from ..errors import NetcalcError

        raise NetcalcError(
            f"error: export cannot reach `{text}`: it lies inside a group; give the layers a body of their own"
        )

    def inputs(self, item, prev, entries) -> list[str]:
        """The variables that an item reads."""
        entry = item.keywords.get("from")
        if entry is None:
            return [prev]
        listed = entry.value if entry.kind == "list" else [entry]
        return [self.read(ref.value, prev) for ref in listed]

    # -- layers

    def leaf(self, item, entries, prev, later, distant, condition):
        node = entries[0].member
        layer = node.layer
        if layer.inputs == 0:
            return self.source(item, entries, later, distant)
        if type(layer).operator and item.main is not None:
            variables = self.operands(item, prev)
        else:
            variables = self.inputs(item, prev, entries)
        text = None if layer.type in EXPRESSIONS else self.elements.layer(item, entries)
        if text is None:
            expression, flag = self.functional(item, entries, variables), condition and self.flag(item, condition)
        else:
            attribute = self.attribute(item, node, text, condition)
            self.frozen(item, entries, attribute, condition)
            calls = {entry.member.layer.apply(attribute, variables) for entry in entries}
            if len(calls) != 1:
                raise NotParametric("the calls differ")
            expression = self.applied(item, calls.pop(), attribute, variables, entries)
            flag = condition and self.present(item, attribute, condition)
        return self.result(item, entries, expression, prev, later, distant, flag, variables)

    def applied(self, item, expression: str, attribute: str, variables, entries) -> str:
        if "checkpoint" in item.keywords and entries[0].member.segment is not None:
            self.emitter.imports.add("from torch.utils.checkpoint import checkpoint")
            return f"checkpoint({attribute}, {', '.join(variables)}, use_reentrant=False)"
        return expression

    def operands(self, item, prev) -> list[str]:
        """The tensor operands of Add, Mul ...: the numbers are the layer's own."""
        listed = item.main.value if item.main.kind == "list" else [item.main]
        tensors = [
            self.read(e.value, prev)
            for e in listed
            if e.kind == "text" and is_reference(e.value) and self.known(e.value)
        ]
        if not tensors or len(listed) == 1:
            tensors.insert(0, prev)
        return tensors

    def known(self, text: str) -> bool:
        """Whether a text refers to a tensor, not to an argument."""
        head = text.split(".")[0]
        if head == "prev" or head in self.vars or text in self.vars:
            return True
        env = self.plan.scopes[0][0].env
        return not env.has(head)

    def functional(self, item, entries, variables) -> str:
        node = entries[0].member
        shapes = self.elements.shapes(entries)
        text = self.marked(lambda: self.called(item, entries, shapes, variables))
        if node.layer.helper_source:
            self.emitter.helper(node.type, node.layer.helper_source)
        if "F." in text:
            self.emitter.imports.add("from torch.nn import functional as F")
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
            if name in self.names.args.values():
                return f"self.{self.plan.store(name, self.attributes)}"
            spec_name = next((size for size, called in self.names.sizes.items() if called == name), name)
            if spec_name in self.names.sizes or name in self.plan.free_sizes:
                self.sizes[spec_name] = name
            return name

        return spaced_slices(re.sub(rf"{naming.MARK}(\w+)", seen, text))

    def source(self, item, entries, later, distant):
        """What has no input: a Parameter or a Buffer, or what forward makes anew, on the device of its input."""
        node = entries[0].member
        if node.layer.torch() is None:
            variable = self.target(item, None, later, distant)
            text = self.functional(item, entries, [next(iter(self.plan.inputs.values()))])
            self.assign(variable, text, item, self.comment(entries))
            return variable
        text = self.elements.layer(item, entries)
        name = node.path.rpartition(".")[2]
        naming.refuse(name)
        plain = naming.plain(name)
        if node.type == "Buffer":
            kept = "" if node.layer.persistent else ", persistent=False"
            self.init.append((0, f"self.register_buffer({string(name)}, {text}{kept})", ""))
        elif plain and item.name:
            self.init.append((0, f"self.{name} = {text}", ""))
        else:
            self.init.append((0, f"self.register_parameter({string(name)}, {text})", ""))
        expression = f"self.{name}" if plain else f"getattr(self, {string(name)})"
        self.frozen(item, entries, expression)
        if naming.of(item):
            self.vars[naming.of(item)] = expression
        return expression

    # -- modules

    def module(self, item, entries, prev, later, distant, condition):
        """A block or a group: an attribute that is called."""
        member = entries[0].member
        variables = self.arguments(item, entries, prev)
        if member.kind != "block" and (member.outputs and member.outputs[0][1] in member.inputs.values()):
            pass
        parts = self.elements.parts(item, entries)
        if parts is not None and not parts:
            return (
                prev
                if "from" not in item.keywords
                else self.result(item, entries, variables[0], prev, later, distant, None, variables)
            )
        if parts is not None and any(part.condition for part in parts):
            text = self.listed(parts)
        elif member.kind != "block" and parts is None:
            text = self.elements.wired(item, entries)
            plan = self.emitter.group_plan(item, entries, self.names)
            variables = [*variables, *(self.read(name, prev) for name in plan.outside)]
        else:
            text = self.elements.constructor(item, entries)
        attribute = self.attribute(item, member, text, condition)
        self.frozen(item, entries, attribute, condition)
        expression = self.applied(item, f"{attribute}({', '.join(variables)})", attribute, variables, entries)
        flag = condition and self.present(item, attribute, condition)
        return self.result(item, entries, expression, prev, later, distant, flag, variables)

    def arguments(self, item, entries, prev) -> list[str]:
        entry = item.keywords.get("from")
        member = entries[0].member
        if entry is not None and entry.kind == "map":
            given = {key.value: ref for key, ref in entry.value}
            return [self.read(given[name].value, prev) for name in member.inputs]
        return self.inputs(item, prev, entries)

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
                    (0, f"layers.append({plain[0]})" if one else f"layers += [{', '.join(plain)}\x01]", "")
                )
                plain = []
            if part is not None:
                self.init.append((0, f"if {part.condition}:", ""))
                added = f"layers += [{part.text} for {part.loop}]" if part.loop else f"layers.append({part.text})"
                self.init.append((4, added, ""))
        return "nn.Sequential(*layers)"

    def copied(self, item, entries, prev, later, distant, condition):
        """Named copies: an nn.Sequential, or a list that forward goes through."""
        scopes = [(e.frame, e.member, e.index) for e in entries]
        first = next((m for _, scope, _ in scopes for m in scope.members), None)
        if first is None:
            return prev
        parts = copies(self.elements, item, scopes)
        checkpointed = "checkpoint" in item.keywords and first.segment is not None
        if parts is None:
            return self.loop(item, entries, prev, later, distant)
        from .classes import sequential

        attribute = self.attribute(item, entries[0].member, sequential(parts, self.emitter), condition)
        self.frozen(item, [Entry(entries[0].frame, first, 0)], attribute)
        variables = self.inputs(item, prev, entries)
        if not checkpointed:
            flag = condition and self.present(item, attribute, condition)
            return self.result(
                item, entries, f"{attribute}({', '.join(variables)})", prev, later, distant, flag, variables
            )
        self.emitter.imports.add("from torch.utils.checkpoint import checkpoint")
        variable = self.target(item, prev, later, distant)
        if variable != variables[0]:
            self.assign(variable, variables[0], None)
        self.lines.append((0, f"for block in {attribute}:", ""))
        self.lines.append(
            (4, f"{variable} = checkpoint(block, {variable}, use_reentrant=False)", self.comment(entries))
        )
        self.holds[variable] = {naming.of(item)} if naming.of(item) else set()
        self.vars[naming.of(item)] = variable
        return variable

    def loop(self, item, entries, prev, later, distant):
        """Copies of a block with several inputs."""
        found = [[Entry(e.frame, m, k) for k, m in enumerate(e.member.members)] for e in entries]
        members = [entry for listed in found for entry in listed]
        if members[0].member.kind != "block" if not isinstance(members[0].member, Node) else True:
            from ..errors import NetcalcError

            raise NetcalcError(f"error: export cannot write the copies of `{item.name}`; make a block of them")
        from .sequences import runs_of

        runs = runs_of(_Plain(self.elements), item, found)
        texts = [f"*[{run.text} for {run.loop}]" if run.loop else run.text for run in runs]
        listed = (
            f"[{runs[0].text} for {runs[0].loop}]" if len(runs) == 1 and runs[0].loop else f"[{', '.join(texts)}\x01]"
        )
        attribute = self.attribute(item, entries[0].member, f"nn.ModuleList({listed})", None)
        variables = self.arguments(item, [members[0]], prev)
        block, given = members[0].member, list(members[0].member.inputs)
        outputs = [name for name, _ in block.outputs]
        carried = [name for name in given if name in outputs] or [self._fed(item, given)]
        kept = {}
        for name in carried:
            position = given.index(name)
            variable = variables[position]
            if self.busy(variable, later) or not variable.isidentifier():
                fresh = self.target(item, None, later, frozenset())
                self.assign(fresh, variable, None)
                variable = variables[position] = fresh
            kept[name] = variable
            self.pin(variable)
        results = [kept.get(name or "", "_") for name in outputs] if len(outputs) > 1 else [kept[carried[0]]]
        call = (
            f"checkpoint(block, {', '.join(variables)}, use_reentrant=False)"
            if block.segment and "checkpoint" in item.keywords
            else f"block({', '.join(variables)})"
        )
        if call.startswith("checkpoint"):
            self.emitter.imports.add("from torch.utils.checkpoint import checkpoint")
        self.lines.append((0, f"for block in {attribute}:", ""))
        self.lines.append((4, f"{', '.join(results)} = {call}", self.comment([members[-1]])))
        for name, variable in kept.items():
            self.holds[variable] = {naming.of(item)} if naming.of(item) else set()
            self.vars[f"{naming.of(item)}.{name}"] = variable
        self.vars[naming.of(item)] = results[0]
        return results[0]

    @staticmethod
    def _fed(item, given: list) -> str:
        entry = item.keywords.get("from")
        if entry is not None and entry.kind == "map":
            return next((key.value for key, ref in entry.value if ref.value == "prev"), given[0])
        return given[0]

    def reused(self, item, entries, prev, later, distant):
        """An earlier module once more."""
        member = entries[0].member
        target = member.path if not isinstance(member, Node) else (member.original or member).path
        variables = self.inputs(item, prev, entries)
        base = entries[0].frame.scope.path if self.plan.kind != "group" else self.plan.scopes[0][1].path
        inner = target[len(base) + 1 :] if base and target.startswith(base + ".") else target
        attribute = self.reach(inner)
        if (
            isinstance(member, Node)
            and member.layer.torch(*member.shapes) is not None
            and member.type not in EXPRESSIONS
        ):
            expression = member.layer.apply(attribute, variables)
        elif isinstance(member, Node):
            expression = self.functional(member.item, entries, variables)
        else:
            expression = f"{attribute}({', '.join(variables)})"
        return self.result(item, entries, expression, prev, later, distant, None, variables)

    def reach(self, path: str) -> str:
        """The attribute of a module below this one."""
        if path in self.plan.generated:
            return self.plan.generated[path]
        return f"self.{path}" if naming.plain(path) else f"self.get_submodule({string(path)})"

    def attribute(self, item, member, text: str, condition) -> str:
        """Make a module in __init__; how forward calls it."""
        name = member.path.rpartition(".")[2]
        numbered = not item.name and "name" not in item.keywords
        if numbered and not _has_state(member):
            name = self.invented(member, item)
            self.plan.generated[member.path.rpartition(".")[2]] = f"self.{name}"
            numbered = False
        naming.refuse(name)
        self.attributes.add(name)
        plain = not numbered and naming.plain(name)
        statement = f"self.{name} = {text}" if plain else f"self.add_module({string(name)}, {text})"
        if condition:
            if plain and not self.alternatives(item):
                self.init.append((0, f"self.{name} = None", ""))
            self.init.append((0, f"if {condition}:", ""))
        self.init.append((4 if condition else 0, statement, ""))
        return f"self.{name}" if plain else f"self.get_submodule({string(name)})"

    def invented(self, member, item) -> str:
        """A name for a module without a name and without state: its own would be a number."""
        kind = member.type if isinstance(member, Node) else (member.block.name if member.block else member.kind)
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

    def present(self, item, attribute: str, condition: str) -> str:
        if "(" in attribute or self.alternatives(item):
            return self.flag(item, condition)
        return f"{attribute} is not None"

    def flag(self, item, condition: str) -> str:
        """An attribute that keeps a condition for forward."""
        name = naming.attribute(f"has_{naming.of(item) or (item.type or 'group').lower()}", self.taken())
        self.attributes.add(name)
        self.init.append((0, f"self.{name} = {condition}", ""))
        return f"self.{name}"

    def frozen(self, item, entries, attribute: str, condition: str | None = None):
        if "freeze" in item.keywords and entries[0].member.frozen:
            self.init.append((4 if condition else 0, f"{attribute}.requires_grad_(False)", ""))

    # -- results

    def result(self, item, entries, expression, prev, later, distant, flag, variables):
        """Assign a result; under a flag the variable keeps the tensor before where the flag is false."""
        member = entries[0].member
        outputs = (
            member.outputs
            if not isinstance(member, Node)
            else [(p, v) for p, v in zip(member.parts or (None,), member.outputs, strict=True)]
        )
        if len(outputs) > 1 or (isinstance(member, Node) and member.parts is not None):
            return self.unpacked(item, member, [name for name, _ in outputs], expression, later, distant)
        if flag is None:
            variable = self.target(item, self.mine(prev, variables), later, distant)
            self.assign(variable, expression, item, self.comment(entries))
            return variable
        variable = prev
        if prev is None or self.busy(prev, later) or not prev.isidentifier():
            variable = self.target(item, None, later, distant)
            if prev is not None:
                self.assign(variable, prev, None)
        self.lines.append((0, f"if {flag}:", ""))
        self.lines.append((4, f"{variable} = {expression}", self.comment(entries)))
        self.holds.setdefault(variable, set())
        if naming.of(item):
            self.vars[naming.of(item)] = variable
            self.holds[variable].add(naming.of(item))
        return variable

    @staticmethod
    def mine(prev, variables):
        return prev if prev in variables or not variables else next((v for v in variables if v.isidentifier()), prev)

    def unpacked(self, item, member, parts, expression, later, distant) -> str:
        """Several outputs: a variable for each that is read."""
        name = naming.of(item)
        variables = self.part_variables(name, member, parts, later, later | distant)
        pattern = _UNPACKED.get(
            member.type if isinstance(member, Node) else "", ", ".join(f"{{{k}}}" for k in range(len(parts)))
        )
        if pattern.startswith("{0}, (") and variables[1:] == ["_"] * (len(parts) - 1):
            pattern = "{0}, _"
        left = pattern.format(*variables)
        self.lines.append((0, f"{left}{',' if len(parts) == 1 else ''} = {expression}", ""))
        self.prev_parts = {}
        for k, (variable, part) in enumerate(zip(variables, parts, strict=True)):
            self.prev_parts |= {f"prev.{part}": variable, f"prev.{k}": variable}
            self.holds[variable] = {f"{name or 'prev'}.{part}", f"{name or 'prev'}.{k}"}
            if name:
                self.vars |= {f"{name}.{part}": variable, f"{name}.{k}": variable}
        if name:
            self.vars[name] = variables[0]
            self.holds[variables[0]].add(name)
        return variables[0]

    def part_variables(self, name: str | None, member, parts, later: frozenset, read: frozenset) -> list[str]:
        """`q`, `k` and `v` for a layer called qkv; else what is free for the first, and the name with the part's."""
        if (
            name
            and len(name) == len(parts) == len({*name})
            and all(self.own(c) and not self.busy(c, later) for c in name)
        ):
            found = list(name)
        else:
            stem = self.word(name or (member.type if isinstance(member, Node) else "out"))
            found = [self.target(None, None, later, frozenset())]
            for k, part in enumerate(parts[1:], 1):
                own = f"{stem}_{part if part is not None else k}"
                while not self.own(own) or self.busy(own, later) or own in found:
                    own += "_"
                found.append(own)
        wanted = [
            k == 0 or any(f"{head}.{key}" in read for head in (name, "prev") for key in (part, k))
            for k, part in enumerate(parts)
        ]
        return [variable if used else "_" for variable, used in zip(found, wanted, strict=True)]

    def comment(self, entries) -> str:
        """The output's shape in the words of the block."""
        found = []
        for entry in entries:
            value = (
                entry.member.outputs[0]
                if isinstance(entry.member, Node)
                else entry.member.outputs[0][1]
                if entry.member.outputs
                else None
            )
            if value is None:
                return ""
            found.append((entry.frame, entry.frame.shape(value), value.shape, entry.index))
        shape = unified(found)
        text = f"[{', '.join(map(str, shape))}]"
        return "" if "UNRESOLVED" in text or len(text) > 48 else text

    # -- wiring

    def start(self, item, prev, entries):
        """What a Residual or Parallel reads; in a class of its own that is what the class is called with."""
        return self.inputs(item, prev, entries)[0] if "from" in item.keywords and item is not self.plan.wiring else prev

    def residual(self, item, entries, prev, later, condition):
        if condition:
            raise NotParametric("a conditional Residual")
        start = first = self.start(item, prev, entries)
        token = self.pin(start)
        scopes = [(e.frame, e.member, e.index) for e in entries]
        main = self.body(item.body, scopes, start, later)
        side, side_token = start, None
        if item.shortcut is not None and any(m.by in item.shortcut for _, s, _ in scopes for m in s.members):
            side_token = self.pin(main)
            if self.busy(start, later) and not self.busy("identity", later):
                self.assign("identity", start, None)
                start = "identity"
            side = self.body(item.shortcut, scopes, start, later)
            self.unpin(main, side_token)
        self.unpin(first, token)
        variable = self.target(item, first, later, frozenset())
        adds = [Entry(e.frame, e.member.members[-1], e.index) for e in entries]
        self.assign(variable, f"{main} + {side}", item, self.comment(adds))
        return variable

    def wiring(self, item, scopes) -> str:
        """The body of a class for a named Residual or Parallel."""
        entries = [Entry(frame, scope, index) for frame, scope, index in scopes]
        if item.type == "Residual":
            return self.residual(item, entries, "x", frozenset(), None)
        return self.parallel(item, entries, "x", frozenset(), frozenset(), None)

    def parallel(self, item, entries, prev, later, distant, condition):
        if condition:
            raise NotParametric("a conditional Parallel")
        start = self.start(item, prev, entries)
        token = self.pin(start)
        scopes = [(e.frame, e.member, e.index) for e in entries]
        results, tokens = [], []
        for branch in item.body:
            result = self.item(branch, scopes, start, later, frozenset({branch.name} if branch.name else ()))
            results.append(result)
            tokens.append(self.pin(result))
        self.unpin(start, token)
        for result, pinned in zip(results, tokens, strict=True):
            self.unpin(result, pinned)
        if item.merge is None:
            for k, (branch, result) in enumerate(zip(item.body, results, strict=True)):
                self.vars[f"{naming.of(item)}.{k}"] = result
                if branch.name:
                    self.vars[f"{naming.of(item)}.{naming.of(branch)}"] = result
            return results[0]
        merged = [Entry(e.frame, e.member.members[-1], e.index) for e in entries]
        layer = merged[0].member
        if layer.layer.torch(*layer.shapes) is None:
            expression = self.functional(item.merge, merged, results)
        else:
            attribute = self.attribute(item.merge, layer, self.elements.layer(item.merge, merged), None)
            expression = layer.layer.apply(attribute, results)
        variable = self.target(item, start, later, distant)
        self.assign(variable, expression, item, self.comment(merged))
        return variable


class _Plain:
    """Elements for copies with several inputs: their constructor alone counts."""

    several = True

    def __init__(self, elements):
        self.names, self.emitter, self._elements = elements.names, elements.emitter, elements

    def constructor(self, item, entries):
        return self._elements.block(item, entries)


def references(items) -> frozenset:
    """The names that items read, with their parts."""
    found: set[str] = set()
    for item in items:
        entry = item.keywords.get("from")
        if entry is not None:
            refs = (
                [v for _, v in entry.value] if entry.kind == "map" else entry.value if entry.kind == "list" else [entry]
            )
            found.update(str(ref.value) for ref in refs)
        if item.main is not None and item.type in REGISTRY and REGISTRY[item.type].operator:
            for ref in item.main.value if item.main.kind == "list" else [item.main]:
                if ref.kind == "text" and is_reference(ref.value):
                    found.add(ref.value)
        for inner in (item.body, item.shortcut, [item.merge] if item.merge else None):
            found |= references(inner or ())
    return frozenset(found | {text.split(".")[0] for text in found})


def _has_state(member) -> bool:
    if isinstance(member, Node):
        return bool(member.params or member.buffers)
    return any(map(_has_state, member.members))


__all__ = ["EXPRESSIONS", "Formula", "Forward", "parsed", "references", "sequence", "tidy"]
