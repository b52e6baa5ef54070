"""Which classes the source needs: one for a block, one for a group with wiring of its own."""

from __future__ import annotations

import copy
import re

from ..arith import Formula
from ..elaborate.environment import KindValue, parsed
from ..errors import NetcalcError
from ..graph import Node
from ..layers.kinds import Word
from ..layers.source import Init
from . import naming
from .code import MAGIC, Code, number, python, string, tidy
from .flow import NotParametric
from .lines import Entry
from .naming import Names
from .symbols import UNRESOLVED, unified


class Elements:
    """Writes the constructors of layers, blocks and groups in terms of one block's names."""

    def __init__(self, emitter, names: Names):
        self.emitter, self.names = emitter, names

    # -- any line

    def constructor(self, item, entries: list[Entry]) -> str | None:
        """What makes the module of a line; None where it is only an expression in forward."""
        member = entries[0].member
        if isinstance(member, Node):
            return self.layer(item, entries)
        if member.kind == "block":
            return self.block(item, entries)
        parts = self.parts(item, entries)
        if parts is not None and not any(part.condition for part in parts):
            return sequential(parts)
        return None if member.kind == "copies" else self.wired(item, entries)

    # -- layers

    def layer(self, item, entries: list[Entry]) -> str | None:
        node = entries[0].member
        if any(type(e.member.layer) is not type(node.layer) for e in entries):
            raise NotParametric(f"different kinds of layer at {node.path}")
        shapes = self.shapes(entries)
        layer = self.written(node, item, entries, shapes)
        text = layer.torch(*(self._code(shape) for shape in shapes))
        if text is not None and node.layer.helper_source:
            self.emitter.helper(node.type, node.layer.helper_source)
        return checked(text)

    def shapes(self, entries: list[Entry]) -> list[tuple]:
        """The shapes of a layer's inputs in the block's names."""
        return [
            self.shape(entries, [e.member.inputs[k] for e in entries]) for k in range(len(entries[0].member.inputs))
        ]

    def shape(self, entries: list[Entry], values: list) -> tuple:
        """The shape of a tensor in the block's names; in numbers where the class is for these instances alone."""
        found = unified([(e.frame, e.frame.shape(v), v.shape, e.index) for e, v in zip(entries, values, strict=True)])
        if not self.names.concrete:
            return found
        return tuple(
            size if isinstance(actual, Formula) else actual for size, actual in zip(found, values[0].shape, strict=True)
        )

    def _code(self, shape) -> tuple:
        return tuple(size if type(size) is int else _Size(self.names.number(size)) for size in shape)

    def written(self, node: Node, item, entries: list[Entry], shapes):
        """The layer with the texts of its arguments in the place of their values."""
        layer = copy.copy(node.layer)
        cls = type(layer)
        places = [(key.value, key, value) for key, value in item.arguments]
        if (
            item.main is not None
            and cls.main
            and not cls.operator
            and item.type
            and isinstance(entries[0].member, Node)
        ):
            places.append((cls.main, None, item.main))
        inferred = {}
        if shapes or not cls.inputs:
            try:
                inferred = node.layer.inferred(*shapes)
            except (IndexError, TypeError):
                inferred = {}
        for name, key, value in places:
            if name not in cls.args:
                continue
            attribute = cls.args[name].attribute
            current = [e.member.layer.value(name) for e in entries]
            text = self.argument(key, value, current, entries, inferred)
            if text is not None:
                setattr(layer, attribute, self._shaped(text, getattr(layer, attribute)))
        known = {name for name, *_ in places}
        if cls.operator and layer.operands and item.main is not None and item.type:
            layer.operands = self._operands(layer.operands, item.main, entries)
            known.add("operands")
        self._same(layer, entries, known)
        for declared in cls.args.values():
            setattr(layer, declared.attribute, self._open(getattr(layer, declared.attribute)))
        return layer

    def _operands(self, numbers: list, main, entries: list[Entry]) -> list:
        """What an operator computes with, in order: None for a tensor, the text of a number."""
        listed = main.value if main.kind == "list" else [main]
        found = list(numbers)
        for k, entry in enumerate(listed, len(numbers) - len(listed)):  # a first tensor may be implied
            if numbers[k] is not None:
                text = self.argument(None, entry, [e.member.layer.operands[k] for e in entries], entries, {})
                if text is not None:
                    found[k] = Code(text if _SINGLE.fullmatch(text) else f"({text})")
        return found

    def _open(self, value):
        """A value with its free sizes as source."""
        if isinstance(value, Formula):
            return Code(self.names.number(value))
        return (
            type(value)(map(self._open, value))
            if type(value) in (list, tuple) and any(isinstance(v, Formula) for v in value)
            else value
        )

    def _same(self, layer, entries, written: set):
        """Arguments that come with a kind of layer must agree, for nothing in the source tells them apart."""
        for name in layer.given:
            values = [e.member.layer.value(name) for e in entries]
            if name not in written and any(value != values[0] for value in values):
                raise NotParametric(f"{name} differs")

    @staticmethod
    def _shaped(text, current):
        """A text in the form of the value that it stands for: as often as the value has equal entries."""
        if isinstance(text, list):
            return type(current)(text) if isinstance(current, (list, tuple)) else text
        if isinstance(current, tuple) and current:
            return (Code(text),) * len(current)
        return Code(text)

    def argument(self, key, entry, current: list, entries: list[Entry], inferred: dict):
        """The source of an argument; None where its value is a literal, the same for all."""
        if entry.kind == "null":
            return self._expression(parsed_name(key), current, entries, inferred)
        if entry.kind == "list":
            texts = []
            for k, item in enumerate(entry.value):
                values = [c[k] if isinstance(c, (list, tuple)) and k < len(c) else None for c in current]
                text = self.argument(None, item, values, entries, inferred)
                texts.append(values[0] if text is None else Code(text) if isinstance(text, str) else text)
            return texts if any(isinstance(text, Code) for text in texts) else self._literal(current)
        if (
            entry.kind != "text"
            or _is_nothing(current[0])
            or isinstance(current[0], Init)
            or (isinstance(current[0], (Word, str)) and not entries[0].frame.env.has(entry.value))
        ):
            return self._literal(current)
        try:
            expression = parsed(entry)
        except NetcalcError:
            return self._literal(current)
        return self._expression(expression, current, entries, inferred)

    def _literal(self, current: list):
        if any(value != current[0] for value in current):
            raise NotParametric("a value differs")
        return None

    def _expression(self, expression, current: list, entries: list[Entry], inferred: dict):
        names = expression.names
        if self.names.concrete or not names or isinstance(current[0], KindValue):
            return self._literal(current)
        if names == {"i"} and all(_plain(value) == _plain(current[0]) for value in current):
            return None
        env = entries[0].frame.env

        def rename(name):
            if name in inferred and not env.has(name):
                return self.names.number(inferred[name])
            if isinstance(env.lookup(name) if env.has(name) else 0, KindValue):
                raise NotParametric("a kind in an expression")
            if entries[0].frame.is_side(name):
                return str(env.lookup(name))
            return self._number_of(entries) if name == "i" else self.names.rename(name)

        text = python(expression, rename)
        self.emitter.uses(text)
        if all(_needs_rounding(expression, value) for value in current):
            text = f"round({text})"
        return text

    def _number_of(self, entries: list[Entry]) -> str:
        """The number of a copy: `i`, or what it is where it is known."""
        numbers = {entry.index for entry in entries}
        if len(numbers) == 1:
            return str(numbers.pop())
        return naming.MARK + "i" if self.names.marked else "i"

    # -- blocks

    def block(self, item, entries: list[Entry]) -> str:
        plans = {id(plan): plan for plan in (self.emitter.plan(e.member) for e in entries)}
        if len(plans) != 1:
            raise NotParametric("different classes")
        [plan] = plans.values()
        positional, keywords = [], []
        for name, default, source in plan.parameters:
            text = self._block_argument(plan, name, source, item, entries)
            if text is None:
                continue
            if default is None and not keywords:
                positional.append(text)
            else:
                keywords.append(f"{name}={text}")
        return checked(f"{plan.name}({', '.join([*positional, *keywords])})")

    def _block_argument(self, plan, name: str, source: tuple, item, entries: list[Entry]) -> str | None:
        kind, where = source
        if kind == "size":
            input_name, dimension = where
            return self.names.number(self.shape(entries, [e.member.inputs[input_name] for e in entries])[dimension])
        for key, value in item.arguments:
            if key.value == where:
                current = [e.member.env.lookup(where) for e in entries]
                text = self.argument(key, value, current, entries, {})
                return value_text(current[0]) if text is None else text if isinstance(text, str) else value_text(text)
        if any(where in self._kind_given(e) for e in entries):
            values = [e.member.env.lookup(where) for e in entries]
            self._literal(values)
            return value_text(values[0])
        return None

    @staticmethod
    def _kind_given(entry: Entry) -> dict:
        item, env = entry.member.item, entry.frame.env
        if item.type and env.has(item.type):
            value = env.lookup(item.type)
            return value.given if isinstance(value, KindValue) else {}
        return {}

    def condition(self, item, found: list) -> str | None:
        """The source of a `when`; None where it is settled for good."""
        expression = parsed(item.keywords["when"])
        env = found[0][0].frame.env if found[0] else next(e for e in found if e)[0].frame.env
        kinds = any(env.has(n) and isinstance(env.lookup(n), KindValue) for n in expression.names)
        if self.settled() or not expression.names or kinds:
            if len({bool(entries) for entries in found}) != 1:
                raise NotParametric("a condition differs")
            return None
        self.emitter.uses(expression.text)
        return tidy(python(expression, self.names.rename))

    def settled(self) -> bool:
        """Whether all conditions are: in the model itself, and where a class is for instances that are alike."""
        return self.names.concrete or self.emitter.settled(self.names.block)

    # -- groups

    def parts(self, item, entries: list[Entry]):
        """The elements of an nn.Sequential for a group or for copies, or None where it has wiring of its own."""
        kind = entries[0].member.kind
        if kind == "copies":
            return self._copies(item, entries)
        if kind not in ("group", "Sequential") or any(self.emitter.flow.outlets([e.member]) for e in entries):
            return None
        return self.sequence(item.body, [(e.frame, e.member, e.index) for e in entries])

    def sequence(self, items, scopes: list) -> list | None:
        """The elements for a body, or None where it does more than pass a tensor on."""
        from .sequences import sequence

        return sequence(self, items, scopes)

    def _copies(self, item, entries: list[Entry]):
        from .sequences import copies

        return copies(self, item, [(e.frame, e.member, e.index) for e in entries])

    def wired(self, item, entries: list[Entry]) -> str:
        """A group with wiring: a class of its own, which takes the names that it uses."""
        plan = self.emitter.group_plan(item, entries, self.names)
        arguments = [f"{name}" for name, _, _ in plan.parameters]
        return f"{plan.name}({', '.join(arguments)})"


#: a name, a number or a call: no parentheses around it
_SINGLE = re.compile(rf"[\w.{naming.MARK}]+(\([\w.{naming.MARK}]*\))?")


class _Size(int):
    """A size in source: prints its text. Its value is never used."""

    def __new__(cls, text: str):
        made = super().__new__(cls, -1)
        made.text = text
        return made

    def __repr__(self):
        return self.text

    __str__ = __repr__

    def __eq__(self, other):
        return other == self.text if isinstance(other, str) else isinstance(other, _Size) and other.text == self.text

    def __hash__(self):
        return hash(self.text)


def _plain(value):
    return tuple(value) if isinstance(value, list) else value


def _is_nothing(value) -> bool:
    """Whether a value is `none`, for all dimensions."""
    return value is None or (isinstance(value, tuple) and value != () and all(item is None for item in value))


def parsed_name(key):
    from ..language.expressions import parse

    return parse(key.value)


def _needs_rounding(expression, value) -> bool:
    """Whether Python's floats could make a whole number of the spec look like 64.0."""
    value = value[0] if isinstance(value, (tuple, list)) and value else value
    if type(value) is not int:
        return False
    if expression.root[0] == "call" and expression.root[1] in ("make_divisible", "round", "len", "ceil", "floor"):
        return False
    return bool(re.search(r"(?<!/)/(?!/)|\d\.\d|\bsqrt\b", expression.text))


def value_text(value) -> str:
    """A value of the language as source."""
    if isinstance(value, Word):
        return string(str(value))
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(value_text, value))}]"
    if isinstance(value, KindValue):
        raise NotParametric("a kind as a value")
    return number(value) if not isinstance(value, Code) else str(value)


def checked(text: str | None) -> str | None:
    """A finished text; sizes that have no expression must not be in it."""
    if text is not None and str(UNRESOLVED) in text:
        raise NotParametric("a size has no expression")
    return text if text is None else tidy(text) if MAGIC not in text else text


def sequential(parts: list) -> str:
    """nn.Sequential of finished parts."""
    if any(part.name is not None for part in parts):
        if len(parts) == 1 and parts[0].loop:
            part = parts[0]
            return f"nn.Sequential(OrderedDict(({part.name}, {part.text}) for {part.loop}))"
        pairs = [f"*(({p.name}, {p.text}) for {p.loop})" if p.loop else f"({p.name}, {p.text})" for p in parts]
        return f"nn.Sequential(OrderedDict([{', '.join(pairs)}{MAGIC}]))"
    if len(parts) == 1 and parts[0].loop:
        return f"nn.Sequential(*[{parts[0].text} for {parts[0].loop}])"
    texts = [f"*[{p.text} for {p.loop}]" if p.loop else p.text for p in parts]
    magic = MAGIC if len(texts) > 1 else ""
    return f"nn.Sequential({', '.join(texts)}{magic})"


__all__ = ["Elements", "Entry", "Names", "NotParametric", "checked", "sequential"]
