"""What the names of a spec are called in Python: nothing that the source itself needs is ever covered by one of them."""

from __future__ import annotations

import keyword
import re

from ..arith import Formula, symbol
from ..errors import NetcalcError
from ..language.names import MODULE_ATTRIBUTES, is_name, is_type
from ..layers.base import REGISTRY
from .code import number
from .symbols import UNRESOLVED

#: names that the source uses; as a variable or a parameter one of them would hide what it means
USED = frozenset(
    """self torch nn F math checkpoint OrderedDict make_divisible relative_position_index causal_attention super range
    len sum min max abs round getattr list i _""".split()  # noqa: SIM905
).union(keyword.kwlist)

#: private attributes of torch.nn.Module and nn.Sequential (torch 2.13): a layer of that name would break the module
_PRIVATE = frozenset(
    """apply backward_hooks backward_pre_hooks buffers call_impl compiled_call_impl forward_hooks
    forward_hooks_always_called forward_hooks_with_kwargs forward_pre_hooks forward_pre_hooks_with_kwargs
    get_backward_hooks get_backward_pre_hooks get_item_by_idx get_name is_full_backward_hook load_from_state_dict
    load_state_dict_post_hooks load_state_dict_pre_hooks maybe_warn_non_full_backward_hook modules named_members
    non_persistent_buffers_set parameters register_load_state_dict_pre_hook register_state_dict_hook
    replicate_for_data_parallel save_to_state_dict slow_forward state_dict_hooks state_dict_pre_hooks version
    wrapped_call_impl""".split()  # noqa: SIM905
)
#: what nn.Sequential and nn.ModuleList have beside that: no name for an element of theirs
OF_SEQUENTIAL = frozenset(("append", "extend", "insert", "pop"))
MARK = "ª"  # before a name in an expression that forward is going to rename; no name of a spec contains it


def mangled(name: str) -> bool:
    """Whether Python would rename an attribute of that name inside a class."""
    return name.startswith("__") and not name.endswith("__")


def used(block) -> frozenset[str]:
    """The names that the class of a block needs."""
    return USED.union(_used(block.body, block.args))


def _used(items, kinds) -> set[str]:
    """Functions that layers bring with them, and the variables of what is written as a loop or as a growing list."""
    found = set()
    for item in items or ():
        found.update(("block",) if "repeat" in item.keywords else (), ("layers",) if "when" in item.keywords else ())
        if item.type in kinds:
            found |= _functions(REGISTRY)
        elif item.type in REGISTRY:
            found |= _functions((item.type,))
        for inner in (item.body, item.shortcut, [item.merge] if item.merge else ()):
            found |= _used(inner, kinds)
    return found


def _functions(types) -> set[str]:
    sources = (REGISTRY[name].helper_source for name in types)
    return defined(source for source in sources if isinstance(source, str))


def variable(wanted: str, used, taken=()) -> str:
    """A variable or parameter for a name of the spec: the name itself where that hides nothing that is used."""
    name = wanted.lower() if is_type(wanted) else wanted
    name = f"arg{name}" if name.startswith("__") else name
    while name in used or (name != wanted and name in taken):
        name += "_"
    return name


def word(text: str) -> str:
    """A name made of any text."""
    plain = re.sub(r"[^a-z0-9_]", "_", text.lower()).strip("_")
    return plain if plain[:1].isalpha() else f"t{plain}"


def attribute(wanted: str, taken=()) -> str:
    """An attribute that the source adds on its own account: not a module of the spec, nothing of nn.Module."""
    name = f"arg{wanted}" if wanted.startswith("__") else wanted
    while (
        name in taken
        or keyword.iskeyword(name)
        or name in MODULE_ATTRIBUTES
        or (name[1:] in _PRIVATE and name[0] == "_")
    ):
        name += "_"
    return name


def plain(path: str) -> bool:
    """Whether a module of that path can be written as `self.path`."""
    return all(is_name(part) and not mangled(part) and not keyword.iskeyword(part) for part in path.split("."))


def refuse(name: str) -> None:
    """Refuse the name of a layer that would replace a part of nn.Module."""
    if (name[:1] == "_" and name[1:] in _PRIVATE) or (name.startswith("__") and name.endswith("__") and len(name) > 4):
        raise NetcalcError(
            f"error: export cannot write a layer called `{name}`: torch.nn.Module has it already\n  help: call it {name.strip('_')}"
        )


def of(item) -> str | None:
    """The name of a line, also where it is given by `name:` beside it."""
    given = item.keywords.get("name")
    if item.name is not None or given is None or "repeat" in item.keywords or "{" in str(given.value):
        return item.name
    return given.value


def of_items(items) -> set[str]:
    """The names of the layers in a body, with those inside unnamed wiring, which belong to the same module."""
    found = set()
    for item in items or ():
        if of(item) is not None:
            found.add(of(item))
        elif item.type in ("Residual", "Parallel"):
            found |= of_items(inner(item))
    return found


def inner(item) -> list:
    """The items inside a Residual or Parallel."""
    return [*item.body, *(item.shortcut or ())]


def count(name: str, items) -> int:
    """How many lines of a body have a name."""
    return sum(
        1 if item.name else count(name, inner(item)) if item.type in ("Residual", "Parallel") else 0
        for item in items
        if item.name in (None, name)
    )


def defined(sources) -> set[str]:
    """The names that pieces of source define at the top."""
    return {name for source in sources for name in re.findall(r"^(?:class|def) (\w+)", source, re.MULTILINE)}


SIZE_NAMES = {"C": "in_channels", "D": "dim", "H": "height", "W": "width", "T": "length", "S": "length"}


class Names:
    """What the names of a block are called in Python."""

    def __init__(self, block, concrete: bool):
        self.block, self.concrete = block, concrete
        self.marked = False  # whether names are written with a mark, for forward to find them
        self.used = used(block)  # what no variable may be called
        self.args = {name: variable(name, self.used, block.args) for name in block.args}
        self.inputs = self._input_variables()
        self.sizes: dict[str, str] = {}  # capital names bound by the input patterns
        for index, declared in enumerate((block.inputs or {}).values()):
            for position, entry in enumerate(declared.shape):
                if entry.kind == "text" and is_type(entry.value) and entry.value not in block.args:
                    channels = position == 1 and len(declared.shape) > 3 and index
                    self._add_size(entry.value, f"{declared.name}_channels" if channels else None)

    def _input_variables(self) -> dict[str, str]:
        """The parameters of forward: `x` for a single input without a name."""
        names = list(self.block.inputs or ("input",))
        if names == ["input"] or (len(names) == 1 and self.block.single):
            return {names[0]: "x"}
        return {name: variable(name, self.used, names) for name in names}

    def _add_size(self, name: str, wanted: str | None):
        taken = {*self.args.values(), *self.sizes.values(), *self.inputs.values(), "x"}
        wanted = wanted or SIZE_NAMES.get(name, name.lower())
        while wanted in taken or wanted in self.used:
            wanted += "_in"
        self.sizes.setdefault(name, wanted)

    def rename(self, name: str) -> str:
        found = self.sizes.get(name) or self.args.get(name) or name
        return MARK + found if self.marked else found

    def number(self, size) -> str:
        """A symbolic size as source."""
        if not isinstance(size, Formula):
            return number(size)
        return number(size.at({name: symbol(self._renamed(name)) for name in size.names()}))

    def _renamed(self, text: str) -> str:
        """The text of a symbol: a name, or an expression that has no formula."""
        if text == str(UNRESOLVED):
            return text
        return re.sub(
            r"(?<![\w.])[A-Za-z_]\w*\b(?![(.])",
            lambda found: found[0] if found[0] in _WORDS else self.rename(found[0]),
            text,
        )


_WORDS = frozenset(("if", "else", "and", "or", "not", "True", "False", "i"))
