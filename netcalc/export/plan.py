"""One class of the source: its parameters, __init__ and forward."""

from __future__ import annotations

import ast
import re

from ..elaborate.environment import KindValue, parsed
from ..errors import SpecError
from ..graph import Node
from . import naming
from .classes import Elements, Names, NotParametric, value_text
from .code import MAGIC, number, python, string, tidy, wrapped
from .forward import Forward


class Plan:
    """A class for a block (or the model, or a group), with the instances (frame, scope, index) that it must suit.

    parameters: (name, default or None, where its value comes from), in the order of __init__.
    """

    def __init__(self, emitter, name: str, kind: str, block, items, scopes: list, names: Names, wiring=None):
        self.emitter, self.name, self.kind, self.block = emitter, name, kind, block
        self.items, self.scopes, self.names = items, scopes, names
        self.wiring = wiring  # the item, where the group is a Residual or Parallel
        self.parameters: list[tuple] = []
        self.outside: dict[str, str] = {}  # what a group's forward reads from around it
        self.stored: dict[str, str] = {}  # arguments that forward needs -> their attribute
        self.generated: dict[str, str] = {}  # numbers of unnamed modules -> their attribute
        self.free_sizes: tuple = self._free()
        self.inputs = self._inputs()
        self.text: list[str] = []
        self._write()

    def _free(self) -> tuple:
        """The free sizes that the class may have to read off its inputs under their own names."""
        scope = self.scopes[0][1]
        if self.kind == "model":
            return tuple(scope.env.known())
        return tuple(self.emitter.graph.free) if self.names.concrete else ()

    def _inputs(self) -> dict[str, str]:
        """The names of the inputs in the spec and in forward."""
        return {"": "x"} if self.kind == "group" else dict(self.names.inputs)

    # -- writing

    def _write(self):
        elements = Elements(self.emitter, self.names)
        parts = self._as_sequential(elements)
        if parts is not None:
            self._write_sequential(parts)
            return
        forward = Forward(self, elements, self.emitter)
        for spec_name, variable in self.inputs.items():
            forward.holds[variable] = {spec_name, "input"} if len(self.inputs) == 1 else {spec_name}
            forward.vars[spec_name] = variable
        if len(self.inputs) == 1:
            forward.vars["input"] = next(iter(self.inputs.values()))
        if self.kind == "group":
            del forward.vars["input"]
            forward.holds["x"] = set()
        start = next(iter(self.inputs.values())) if len(self.inputs) == 1 else None
        if self.wiring is None:
            last = forward.body(self.items, self.scopes, start, self._returned())
        else:
            last = forward.wiring(self.wiring, self.scopes)
        self._assemble(forward, last)

    def _returned(self) -> frozenset:
        if self.block.outputs is None or self.kind == "group":
            return frozenset()
        texts = {str(ref.value) for _, ref in self.block.outputs}
        return frozenset(texts | {text.split(".")[0] for text in texts})

    def _as_sequential(self, elements):
        """The parts where the whole class is an nn.Sequential with numbered children."""
        scope = self.scopes[0][1]
        named = any(item.name or "name" in item.keywords for item in self.items)
        if named or self.kind == "group" or len(scope.inputs) != 1 or self.block.outputs is not None:
            return None
        return elements.sequence(self.items, self.scopes)

    def _write_sequential(self, parts: list):
        lines = []
        if any(part.condition for part in parts):
            forward = Forward(self, Elements(self.emitter, self.names), self.emitter)
            text = forward.listed(parts)
            lines = forward.init
            arguments = text[len("nn.Sequential(") : -1]
        else:
            texts = [f"*[{part.text} for {part.loop}]" if part.loop else part.text for part in parts]
            arguments = ", ".join(texts) + (MAGIC if len(texts) > 1 else "")
        init = [*lines, (0, f"super().__init__({arguments})", "")]
        self._parameters(init, [])
        self._class("nn.Sequential", [*self._locals(init), *init], None, super_first=False)

    def _assemble(self, forward: Forward, last: str):
        self.outside = forward.outside
        lines = self._with_sizes(forward)
        lines.append((0, f"return {self._return(forward, last)}", ""))
        init = forward.init
        self._parameters(init, lines)
        stored = [(0, f"self.{self.stored[name]} = {name}", "") for name in self._ordered(self.stored)]
        init = [*self._locals([*init, *stored]), *stored, *init]
        self._class("nn.Module", init, lines)

    def _ordered(self, names) -> list:
        return [name for name in self.names.args.values() if name in names]

    def store(self, name: str, others: set[str]) -> str:
        """The attribute that keeps an argument for forward; it must not be one of the others."""
        if name not in self.stored:
            self.stored[name] = naming.attribute(name, {*naming.of_items(self.items), *others, *self.stored.values()})
        return self.stored[name]

    def _return(self, forward: Forward, last: str) -> str:
        if self.block.outputs is None or self.kind == "group":
            return last or "x"
        scope = self.scopes[0][1]
        wanted = [(name, ref) for name, ref in self.block.outputs]
        texts = [forward.read(str(ref.value), last) for _, ref in wanted if self._there(ref, scope)]
        if self.kind == "model" and any(name for name, _ in wanted):
            return (
                "{" + ", ".join(f"{string(name)}: {text}" for (name, _), text in zip(wanted, texts, strict=True)) + "}"
            )
        return ", ".join(texts)

    @staticmethod
    def _there(ref, scope) -> bool:
        return str(ref.value).split(".")[0] not in scope.missing

    def _with_sizes(self, forward: Forward) -> list:
        """The lines of forward, with the sizes that they name read off the inputs first."""
        read = []
        for spec_name, name in forward.sizes.items():
            read.append((0, f"{name} = {self._size_source(spec_name)}", ""))
        return [*read, *forward.lines]

    def _size_source(self, name: str) -> str:
        from ..language.reader import Entry

        if self.kind == "group":
            return self._size_of_group(name)
        for declared in (self.block.inputs or {}).values():
            for k, entry in enumerate(declared.shape):
                if isinstance(entry, Entry) and entry.value == name:
                    return f"{self.inputs[declared.name]}.shape[{k}]"
        for declared in (self.block.inputs or {}).values():
            for k, entry in enumerate(declared.shape):
                multiple = re.fullmatch(rf"\s*(\d+)\s*\*\s*{name}\s*", str(entry.value))
                if multiple:
                    return f"{self.inputs[declared.name]}.shape[{k}] // {multiple[1]}"
        return self._size_of_input(name)

    def _size_of_input(self, name: str) -> str:
        """A free size where the block's own patterns do not name it."""
        for spec_name, value in self.scopes[0][1].inputs.items():
            for k, size in enumerate(value.shape):
                multiple = re.fullmatch(rf"(?:(\d+)\*)?{name}", str(size))
                if multiple:
                    return f"{self.inputs[spec_name]}.shape[{k}]" + (f" // {multiple[1]}" if multiple[1] else "")
        raise NotParametric(f"no input has the size {name}")

    def _size_of_group(self, name: str) -> str:
        """A size read off the tensor that comes into a group."""
        frame, scope, _ = self.scopes[0]
        nodes = list(_nodes(scope))
        inside = {id(node) for node in nodes}
        value = next(v for node in nodes for v in node.inputs if id(v.node) not in inside)
        for k, size in enumerate(frame.shape(value)):
            if str(size) == name:
                return f"x.shape[{k}]"
        raise NotParametric(f"the input of the group has no size {name}")

    # -- parameters

    def _parameters(self, init: list, lines: list):
        """Find which names the class takes: those that its text uses."""
        used = _names_in(init) | self.stored.keys()
        computed = self._computed()
        grown = True
        while grown:
            more = set().union(*(_free_names(computed[name]) for name in used if name in computed)) if used else set()
            grown = not more <= used
            used |= more
        sizes, required, optional = [], [], []
        for spec_name, name in self.names.sizes.items():
            if name in used:
                sizes.append((name, None, ("size", self._size_place(spec_name))))
        for spec_name, (_, default) in self.block.args.items():
            name = self.names.rename(spec_name)
            if name not in used or (name in computed and not self._passed(spec_name)):
                continue
            source = ("argument", spec_name)
            if name in computed:
                optional.append((name, "None", source))
            else:
                text = self._default(spec_name, default)
                (required if text is None else optional).append((name, text, source))
        if self.kind == "group":
            optional = [(name, None, source) for name, _, source in optional]
            known = {name for name, *_ in [*sizes, *required, *optional]}
            optional += [
                (name, None, ("argument", name)) for name in sorted(computed) if name in used and name not in known
            ]
        self.parameters = [*sizes, *required, *optional]
        self.computed = {} if self.kind == "group" else computed

    def _size_place(self, spec_name: str):
        for declared in self.block.inputs.values():
            for k, entry in enumerate(declared.shape):
                if entry.value == spec_name:
                    return declared.name, k
        raise NotParametric(f"the size {spec_name} is only part of an expression")

    def _default(self, spec_name: str, default) -> str | None:
        """The default of a parameter as source: the file's own arguments have this variant's values."""
        scope = self.scopes[0][1]
        if self.kind == "model":
            value = scope.env.lookup(spec_name)
            return _decimal(default, _frozen(value_text(value)))
        if default.kind == "null":
            return None
        try:
            value = scope.env.lookup(spec_name)
            expression = parsed(default) if default.kind == "text" else None
        except SpecError:
            return None
        if expression is not None and expression.constant is not None:
            return _decimal(default, number(expression.constant))
        if expression is not None and expression.root[0] == "bool":
            return "True" if expression.root[1] else "False"
        if default.kind == "list" or (expression is not None and not expression.names & set(self.block.args)):
            from ..elaborate.environment import evaluate

            return _frozen(value_text(evaluate(default, scope.env, as_word=True)))
        return value_text(value)

    def _computed(self) -> dict[str, str]:
        """The arguments whose default is an expression of other names: name -> source."""
        found = {}
        if self.names.concrete:
            return found
        for spec_name, (_, default) in self.block.args.items():
            if self.kind == "model" and (spec_name in self.emitter.net_given or self._from_variant(spec_name)):
                continue
            if default.kind != "text":
                continue
            try:
                expression = parsed(default)
            except SpecError:
                continue
            env = self.scopes[0][1].env
            if (
                expression.names
                and all(env.has(n) for n in expression.names)
                and not isinstance(env.lookup(spec_name), KindValue)
            ):
                self.emitter.uses(default.value)
                found[self.names.rename(spec_name)] = tidy(python(expression, self.names.rename))
        return found

    def _from_variant(self, spec_name: str) -> bool:
        variant = self.emitter.graph.variant
        return variant is not None and spec_name in self.emitter.graph.spec.variants[variant].args

    def _passed(self, spec_name: str) -> bool:
        """Whether some call gives an argument that could be worked out."""
        if self.kind != "block":
            return self.kind == "group"
        for _, scope, _ in self.scopes:
            item = scope.item
            if any(key.value == spec_name for key, _ in item.arguments):
                return True
        return False

    def _locals(self, init: list) -> list:
        """Statements that work out what is not passed, before its first use."""
        used = _names_in(init)
        taken = {name: default for name, default, _ in self.parameters}
        lines, done = [], set()

        def add(name):
            if name in done or name not in self.computed:
                return
            done.add(name)
            for other in sorted(_free_names(self.computed[name])):
                add(other)
            if name in taken:
                lines.append((0, f"if {name} is None:", ""))
                lines.append((4, f"{name} = {self.computed[name]}", ""))
            else:
                lines.append((0, f"{name} = {self.computed[name]}", ""))

        for name in self.computed:
            if name in used:
                add(name)
        return lines

    # -- text

    def _class(self, base: str, init: list, lines: list | None, super_first=True):
        parameters = [name if default is None else f"{name}={default}" for name, default, _ in self.parameters]
        out = [f"class {self.name}({base}):", *self.emitter.docstring(self)]
        if init or self.kind == "model" or not super_first:
            out += wrapped(f"def __init__({', '.join(['self', *parameters])}):", 4)
            if super_first:
                out.append("        super().__init__()")
            out += _statements(init)
        if lines is not None:
            if init or self.kind == "model" or len(out) > 1:
                out.append("")
            given = [*self.inputs.values(), *self.outside.values()]
            out += wrapped(f"def forward({', '.join(['self', *given])}):", 4)
            out += _statements(lines)
        self.text = out


def _nodes(scope):
    for member in scope.members:
        if isinstance(member, Node):
            yield member
        else:
            yield from _nodes(member)


def _statements(lines: list) -> list[str]:
    out = []
    for indent, text, comment in lines:
        written = wrapped(text, 8 + indent)
        if comment and len(written) == 1 and len(written[0]) + 4 + len(comment) <= 88:
            written[0] += f"  # {comment}"
        out += written
    return out


def _names_in(lines: list) -> set[str]:
    return set().union(set(), *(_free_names(text) for _, text, _ in lines))


def _free_names(text: str) -> set[str]:
    """The names that a statement reads."""
    text = text.replace(MAGIC, "")
    if text.startswith(("if ", "for ")) and text.endswith(":"):
        text += " pass"
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return set()
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - bound


def _frozen(text: str) -> str:
    """A list as a tuple: a default must not be mutable."""
    if not text.startswith("["):
        return text
    return f"({text[1:-1]}{',' if ',' not in text else ''})"


def _decimal(default, text: str) -> str:
    """A number as the spec writes it: 1.0 stays 1.0."""
    written = str(default.value) if default.kind == "text" else ""
    return f"{text}.0" if re.fullmatch(r"\d+\.0+", written) and text.isdigit() else text
