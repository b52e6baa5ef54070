"""One class of the source: its parameters, __init__ and forward."""

from __future__ import annotations

import ast
import re
from functools import lru_cache

from ..elaborate.environment import KindValue, parsed
from ..elaborate.references import only_value
from ..errors import SpecError
from . import naming, wiring
from .classes import Elements, Entry, Names, value_text
from .code import MAGIC, number, python, string, tidy, wrapped
from .flow import NotParametric, block_of, modules
from .forward import Forward
from .lines import Line


class Plan:
    """A class for a block (or the model, or a group), with the instances (frame, scope, index) that it must suit.

    parameters: (name, default or None, where its value comes from), in the order of __init__.
    """

    def __init__(self, emitter, name: str, kind: str, block, items, scopes: list, names: Names):
        self.emitter, self.name, self.kind, self.block = emitter, name, kind, block
        self.items, self.scopes, self.names = items, scopes, names
        self.parameters: list[tuple] = []
        self.stored: dict[str, str] = {}  # arguments that forward needs -> their attribute
        self.generated: dict[str, str] = {}  # numbers of unnamed modules -> their attribute
        self.renamed: dict[int, str] = {}  # layers whose name another has -> their attribute
        self.free_sizes: tuple = self._free()
        self.slots: list = []  # of a group: what its forward takes
        self.outlets: list = []  # of a group: what it gives beside its own outputs
        self.borrowed: dict[str, str] = {}  # of a group: modules of the block that it uses again -> their variable
        self.inputs = self._group_inputs() if kind == "group" else dict(names.inputs)
        self.results = self._results()
        self.text: list[str] = []
        self.forward: Forward | None = None  # None where the class is an nn.Sequential
        self.returned: list[str] = []  # what forward returns
        self._write()

    def _free(self) -> tuple:
        """The free sizes that the class may have to read off its inputs under their own names."""
        block = block_of(self.scopes[0][1])
        if block.kind == "model":
            return tuple(block.env.known())
        return tuple(self.emitter.graph.free) if self.names.concrete else ()

    def _group_inputs(self) -> dict[str, str]:
        """What the forward of a group takes, with its variables."""
        scopes = [scope for _, scope, _ in self.scopes]
        self.slots, self.outlets = self.emitter.flow.slots(scopes), self.emitter.flow.outlets(scopes)
        found: dict[str, str] = {}
        for k, slot in enumerate(self.slots):
            wanted = "x" if slot.start else self._called(slot.values[id(scopes[0])])
            found[str(k)] = self._fresh(wanted, found.values())
        paths = [modules(scope) for scope in scopes]
        if any(listed != paths[0] for listed in paths):
            raise NotParametric("different modules are used again")
        for path in paths[0]:
            found[path] = self.borrowed[path] = self._fresh(path.rpartition(".")[2], found.values())
        return found

    def _called(self, value) -> str:
        """A variable for a tensor from around a group: what it is called there."""
        scope = self.scopes[0][1].outer
        while scope is not None:
            for name, thing in (*scope.named.items(), *scope.inputs.items()):
                if only_value(thing) is value and name != "input":
                    return name
            scope = scope.outer
        return "context"

    def _fresh(self, wanted: str, taken) -> str:
        name = naming.word(wanted)
        while naming.variable(name, self.names.used) != name or name in (
            *taken,
            *self.names.sizes.values(),
            *self.free_sizes,
        ):
            name += "_"
        return name

    def _results(self) -> list[tuple]:
        """What forward returns: (name, its value in each instance)."""
        given = [self.emitter.flow.given(scope, self.outlets) for _, scope, _ in self.scopes]
        if len({len(listed) for listed in given}) != 1:
            raise NotParametric("different numbers of outputs")
        return [(name, {at: listed[k][1] for at, listed in enumerate(given)}) for k, (name, _) in enumerate(given[0])]

    # -- writing

    def _write(self):
        elements = Elements(self.emitter, self.names)
        parts = self._as_sequential(elements)
        if parts is not None:
            self._write_sequential(parts)
            return
        forward = self.forward = Forward(self, elements, self.emitter)
        places = [Entry(frame, scope, index, at) for at, (frame, scope, index) in enumerate(self.scopes)]
        self._put_inputs(forward, places)
        if places[0].member.kind in ("Residual", "Parallel"):
            wiring.inside(forward, Line(places[0].member.item, places, {}))
        else:
            forward.body(
                self.items, places, {place.at: self._start(place.member) for place in places}, self._named_outputs()
            )
        self._assemble(forward)

    def _put_inputs(self, forward: Forward, places: list):
        for k, slot in enumerate(self.slots):
            forward.tensors.put(self.inputs[str(k)], {place.at: slot.values[id(place.member)] for place in places})
        if self.kind != "group":
            for name, variable in self.inputs.items():
                forward.tensors.put(variable, {place.at: place.member.inputs[name] for place in places})

    @staticmethod
    def _start(scope):
        """What the first line of a body reads."""
        if scope.kind not in ("block", "model"):
            return scope.start
        return next(iter(scope.inputs.values())) if len(scope.inputs) == 1 else None

    def _named_outputs(self) -> frozenset:
        """The names that `outputs` returns: a tensor that is read so late may have its name as its variable."""
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

    def _assemble(self, forward: Forward):
        returned = self._return(forward)
        sizes = [(0, f"{name} = {self._size_source(spec_name)}", "") for spec_name, name in forward.sizes.items()]
        lines = [*sizes, *forward.lines, (0, f"return {returned}", "")]
        init = forward.init
        self._parameters(init, lines)
        stored = [(0, f"self.{self.stored[name]} = {name}", "") for name in self._ordered(self.stored)]
        init = [*self._locals([*init, *stored]), *stored, *init]
        self._class("nn.Module", init, lines)

    def _ordered(self, names) -> list:
        return [name for name in (*self.names.args.values(), "i") if name in names]

    def store(self, name: str, others: set[str]) -> str:
        """The attribute that keeps an argument for forward; it must not be one of the others."""
        if name not in self.stored:
            self.stored[name] = naming.attribute(name, {*naming.of_items(self.items), *others, *self.stored.values()})
        return self.stored[name]

    def _return(self, forward: Forward) -> str:
        texts = [(name, forward.read(values)) for name, values in self.results]
        self.returned = [text for _, text in texts]
        if self.kind == "model" and any(name for name, _ in self.block.outputs or ()):
            return "{" + ", ".join(f"{string(name)}: {text}" for name, text in texts) + "}"
        return ", ".join(text for _, text in texts)

    def _size_source(self, name: str) -> str:
        """A size read off an input: as its pattern names it, or as its shape has it, or as a multiple there."""
        shapes = list(self._shapes())
        for pattern in (rf"(){name}", rf"\s*(\d+)\s*\*\s*{name}\s*"):
            for variable, shape in shapes:
                for k, size in enumerate(shape):
                    found = re.fullmatch(pattern, str(size))
                    if found:
                        return f"{variable}.shape[{k}]" + (f" // {found[1]}" if found[1] else "")
        raise NotParametric(f"no input has the size {name}")

    def _shapes(self):
        """The variables of the inputs with their shapes, in the block's words and in the graph's."""
        frame, scope, _ = self.scopes[0]
        if self.kind == "group":
            given = [(self.inputs[str(k)], slot.values[id(scope)]) for k, slot in enumerate(self.slots)]
        else:
            given = [(variable, scope.inputs[name]) for name, variable in self.inputs.items()]
            for declared in (self.block.inputs or {}).values():
                yield self.inputs[declared.name], [entry.value for entry in declared.shape]
        for variable, value in given:
            yield variable, frame.shape(value)
            yield variable, value.shape

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
                (name, None, ("argument", name))
                for name in (*sorted(computed), "i")
                if name in used and name not in known
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
            given = list(self.inputs.values())
            out += wrapped(f"def forward({', '.join(['self', *given])}):", 4)
            out += _statements(lines)
        self.text = out


def _statements(lines: list) -> list[str]:
    out = []
    for indent, text, comment in lines:
        written = wrapped(text, 8 + indent) if text else [""]
        if comment and len(written) == 1 and len(written[0]) + 4 + len(comment) <= 88:
            written[0] += f"  # {comment}"
        out += written
    return out


def _names_in(lines: list) -> set[str]:
    return set().union(set(), *(_free_names(text) for _, text, _ in lines))


@lru_cache(4096)
def _free_names(text: str) -> frozenset[str]:
    """The names that a statement reads."""
    text = text.replace(MAGIC, "")
    if text.startswith(("if ", "for ")) and text.endswith(":"):
        text += " pass"
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return frozenset()
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name)) - bound


def _frozen(text: str) -> str:
    """A list as a tuple: a default must not be mutable."""
    if not text.startswith("["):
        return text
    return f"({text[1:-1]}{',' if ',' not in text else ''})"


def _decimal(default, text: str) -> str:
    """A number as the spec writes it: 1.0 stays 1.0."""
    written = str(default.value) if default.kind == "text" else ""
    return f"{text}.0" if re.fullmatch(r"\d+\.0+", written) and text.isdigit() else text
