"""The names of a file: its arguments by precedence (default < variant < --set) and its free dimensions."""

from __future__ import annotations

from fractions import Fraction

from ..arith import Formula, names_of, symbol
from ..errors import closest, fail
from ..graph import Value
from ..language import names
from ..language.reader import Entry
from ..language.spec import Spec
from .environment import Env, is_size, parsed, shape_of, shown_value


def root_environment(spec: Spec, given: dict, variant: str | None, free) -> tuple[Env, dict, frozenset]:
    """The environment, the inputs as values, and the free dimensions."""
    env = Env(spec, "in this file")
    if not spec.body or spec.inputs is None:
        raise fail("E203", "this file has only blocks: there is no network in it", spec.entry.where,
                   "import its blocks from another file")  # fmt: skip
    dimensions = dimensions_of(spec)
    _check_given(given, spec, dimensions, "--set")
    _check_given(dict.fromkeys(free), spec, dimensions, "--free")
    chosen = _variant(spec, variant)
    for name, (key, default) in spec.args.items():
        env.declared[name] = key
        if name in free and not _is_list(default, name, chosen, given):
            env.values[name] = symbol(name)
        elif name in given:
            env.values[name] = given[name]
        elif chosen is not None and name in chosen.args:
            env.pending[name] = chosen.args[name]
        elif default.kind == "null":
            raise fail("E236", f"this spec needs a value for `{name}`", key.where, f"--set {name}=...")
        else:
            env.pending[name] = default
    for name in dimensions:
        value = given.get(name, symbol(name))
        if not is_size(value) or (type(value) is int and value < 1):
            raise fail("E308", f"--set {name}={value}: a dimension is a whole number >= 1", None)
        env.values[name] = value
    _set_elements(spec, env, given, free)
    inputs = {
        i.name: Value(_checked_shape(i, env), i.dtype, label=f"the input `{i.name}`") for i in spec.inputs.values()
    }
    still_free = frozenset(n for n in dimensions if isinstance(env.values[n], Formula) and n not in given)
    return env, inputs, still_free


def _is_list(default: Entry, name: str, chosen, given: dict) -> bool:
    """Whether the argument is a list, of which --free leaves the elements open."""
    if name in given:
        return isinstance(given[name], list)
    entry = chosen.args[name] if chosen is not None and name in chosen.args else default
    return entry.kind == "list" or (entry.kind == "text" and entry.value.lstrip().startswith("["))


def _set_elements(spec: Spec, env: Env, given: dict, free):
    """Give elements of lists their values or symbols: those named like depths[0], and all of a list that is free."""
    elements = {name: value for name, value in given.items() if names.element(name)[1] is not None}
    for name in free:
        base, place = names.element(name)
        if place is None and isinstance(value := env.values.get(base, env.pending.get(base)), (list, Entry)):
            value = env.lookup(base)
            places = range(len(value)) if isinstance(value, list) else ()
            elements = {f"{base}[{i}]": symbol(f"{base}[{i}]") for i in places if _is_number(value[i])} | elements
        elif place is not None:
            elements.setdefault(name, symbol(name))
    for name, value in elements.items():
        base, place = names.element(name)
        whole = env.lookup(base)
        if not isinstance(whole, list) or place >= len(whole):
            what = (
                f"a list of {len(whole)}, counted from 0"
                if isinstance(whole, list)
                else f"{shown_value(whole)}, not a list"
            )
            raise fail("E303", f"--set {name}: `{base}` is {what}", spec.args[base][0].where)
        env.values[base] = [*whole[:place], value, *whole[place + 1 :]]


def _is_number(value) -> bool:
    return isinstance(value, (int, Fraction, Formula)) and not isinstance(value, bool)


def _checked_shape(declared, env: Env) -> tuple:
    shape = shape_of(declared.shape, env, declaring=True)
    for entry, size in zip(declared.shape, shape, strict=True):
        if type(size) is int and size < 1:
            raise fail("E411", f"a dimension is at least 1, not {size}", entry.where)
    return shape


def dimensions_of(spec: Spec) -> list[str]:
    """The free dimensions: words with a capital letter in the inputs' shapes that are not arguments."""
    found: dict[str, None] = {}
    for declared in spec.inputs.values():
        for entry in declared.shape:
            if entry.kind == "text":
                found.update((n, None) for n in sorted(parsed(entry).names) if names.is_type(n) and n not in spec.args)
    return list(found)


def check_given(given: dict, spec: Spec, option: str):
    """Raises SpecError where a name is neither an argument nor a free dimension of a spec."""
    _check_given(given, spec, dimensions_of(spec), option)


def _check_given(given: dict, spec: Spec, dimensions: list[str], option: str):
    for name in given:
        if names.element(name)[0] in spec.args or name in dimensions:
            continue
        known = [*spec.args, *dimensions]
        near = closest(name, known)
        help = f"did you mean `{near}`? " if near else ""
        listed = f"The arguments are {', '.join(spec.args)}" if spec.args else "It has no arguments"
        if dimensions:
            listed += f"; the free dimensions are {', '.join(dimensions)}"
        raise fail("E303", f"{option} {name}: this spec has no argument `{name}`", None, help + listed)


def _variant(spec: Spec, variant: str | None):
    if variant is None:
        return None
    if variant not in spec.variants:
        near = closest(variant, spec.variants)
        help = f"did you mean `{near}`? " if near else ""
        first = next(iter(spec.variants.values()), None)
        where = first.entry.where if first else None
        listed = f"The variants are {', '.join(spec.variants)}" if spec.variants else "This spec has no variants"
        raise fail("E307", f"there is no variant `{variant}`", where, help + listed)
    return spec.variants[variant]


def batch_dimension(spec: Spec, inputs: dict) -> str | None:
    """The free dimension that comes first in every input, or None."""
    firsts = {i.shape[0].value if i.shape and i.shape[0].kind == "text" else None for i in spec.inputs.values()}
    name = firsts.pop() if len(firsts) == 1 else None
    return name if names.is_type(name) and name not in spec.args else None


def free_names(inputs: dict, args: dict) -> tuple[str, ...]:
    """All names that are still free."""
    shapes = [value.shape for value in inputs.values()]
    return tuple(sorted(names_of(shapes) | names_of(list(args.values()))))
