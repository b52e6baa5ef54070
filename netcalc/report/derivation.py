"""A layer's own rules run on numbers that remember: the formula, the substitution and the result of each figure.

Nothing here knows what a layer computes. Its arguments and the sizes of its input get names, its rules run on them, and
what comes out has recorded how it was made. Every value is compared with what the rule says of plain numbers.
"""

from __future__ import annotations

import copy
from fractions import Fraction
from typing import NamedTuple

from ..arith import Formula, Traced, at, named, plain, prod, symbol
from ..layers.base import Layer, ranks

_USUAL = {2: "ND", 4: "NCHW", 5: "NCDHW"}  # what the sizes of a tensor are called where any shape will do
_SIDES = {"L": "length", "D": "depth", "H": "height", "W": "width", "T": "length"}


class Step(NamedTuple):
    """One figure: what it is called, its sign ("H_out", or empty), its derivation and its value."""

    label: str
    sign: str
    tree: object  # a Traced, or a plain number where the rule leaves nothing to derive
    value: object
    note: str = ""


class Derivation(NamedTuple):
    """What the rules of a layer gave on named numbers."""

    outputs: list  # of Step: one for each size of the output that is derived
    params: list  # one for each tensor of parameters, in elements
    buffers: list
    macs: Step
    other: Step
    backward: Step | None  # the MACs of the gradients; None where it has none
    inputs: list  # the shapes of the inputs, of named numbers
    shape: tuple  # of the first output, of named numbers


def derive(layer: Layer, shapes: tuple, sizes: dict, gradients: tuple | None = None) -> Derivation:
    """The derivations for inputs of these shapes, with values for some of their free sizes.

    gradients: for each input whether it needs one, and whether the weights train; None for no backward pass. A rule may look
    at an argument in a way that a remembering number does not survive; such an argument stays a number.
    """
    numbers = [[at(size, sizes) for size in shape] for shape in shapes]
    truth = _figures(layer, numbers, gradients)
    candidates = [name for name in layer.args if _numeric(layer.value(name)) and layer.args[name].infer is None]
    attempts = [candidates, *([n for n in candidates if n != left] for left in candidates)]
    attempts += [[n for n in candidates if _nonzero(layer.value(n))], []]
    for chosen in attempts:
        try:
            inputs = named_shapes(layer, shapes, sizes)
            twin = _with_names(layer, chosen)
            found = _figures(twin, inputs, gradients)
            if _values(found) == _values(truth):
                short = _figures(twin, inputs, gradients, shortened=True)
                return _derivation(layer, found._replace(work=short.work, backward=short.backward), inputs)
        except (TypeError, ValueError, AttributeError, IndexError, KeyError):
            continue
    return _derivation(layer, truth, numbers)


class _Figures(NamedTuple):
    outputs: list
    params: dict
    buffers: dict
    work: object
    backward: object
    several: bool


def _figures(layer, inputs: list, gradients, shortened: bool = False) -> _Figures:
    """What the rules say. Work is derived from names for the output's sizes, not from all that they are made of.

    shortened: sizes of the output that are formulas are no more than their names in it.
    """
    inputs = [tuple(shape) for shape in inputs]
    shape, parts = layer.shape(*inputs), layer.parts(*inputs)
    outputs = [tuple(part) for part in shape] if parts is not None else [tuple(shape)]
    named_outputs = [named_output(layer, part, inputs, shortened) for part in outputs]
    given = named_outputs if parts is not None else named_outputs[0]
    params = {name: prod(size) for name, size in layer.params(*inputs).items()}
    buffers = {name: prod(size) for name, (size, _) in layer.buffers(*inputs).items()}
    backward = None
    if gradients is not None and (gradients[1] or any(gradients[0])):
        backward = layer.backward_macs(*gradients, *inputs, given)
    return _Figures(outputs, params, buffers, layer.work(*inputs, given), backward, parts is not None)


def _values(figures: _Figures):
    """All numbers without their derivations."""
    work = (plain(figures.work.macs), plain(figures.work.other), plain(figures.backward))
    tensors = [{name: plain(size) for name, size in found.items()} for found in (figures.params, figures.buffers)]
    return [plain(shape) for shape in figures.outputs], tensors, work


def _derivation(layer, figures: _Figures, inputs: list) -> Derivation:
    def step(label, sign, tree):
        return Step(label, sign, tree, plain(tree))

    first = figures.outputs[0] if figures.outputs else ()
    outputs = [
        step(*_label(layer, size, place, first, inputs), size)
        for place, size in enumerate(first)
        if _is_derived(size, inputs)
    ]
    return Derivation(
        outputs,
        _alike([step(name, "", tree) for name, tree in figures.params.items()]),
        _alike([step(name, "", tree) for name, tree in figures.buffers.items()]),
        step("MACs", "", figures.work.macs),
        step("other FLOPs", "", figures.work.other),
        step("backward MACs", "", figures.backward) if figures.backward is not None else None,
        inputs,
        first,
    )


def _alike(steps: list[Step]) -> list[Step]:
    """Tensors with one derivation together: `weight_ih_l1-3`; the value is that of each."""
    from .notation import Text

    groups: dict = {}
    for step in steps:
        kind = "".join("#" if char.isdigit() else char for char in step.label)
        groups.setdefault((kind, Text()(step.tree), str(step.value)), []).append(step)
    found = []
    for same in groups.values():
        if len(same) < 3:
            found += same
        else:
            found.append(same[0]._replace(label=f"{same[0].label} ...", note=f"each of {len(same)}"))
    return found


# -- names


def named_shapes(layer, shapes: tuple, sizes: dict) -> list:
    """The shapes of the inputs as named numbers: the argument that follows from a size, the name of a size that is free,
    the letter of the signature; with the number of the input where two inputs differ in it."""
    letters = [_input_letters(layer, which, len(shape)) for which, shape in enumerate(shapes)]
    seen: dict[str, set] = {}
    for names, shape in zip(letters, shapes, strict=True):
        for name, size in zip(names, shape, strict=True):
            seen.setdefault(name, set()).add(str(size))
    found = []
    for which, (names, shape) in enumerate(zip(letters, shapes, strict=True)):
        inferred = _inferred_names(layer, which, len(shape))
        found.append([])
        for place, (name, size) in enumerate(zip(names, shape, strict=True)):
            free = str(size) if isinstance(size, Formula) and str(size).isidentifier() else None
            own = f"{name}_{which + 1}" if len(seen[name]) > 1 else name
            found[-1].append(named(free or inferred.get(place) or own, at(size, sizes)))
    return found


def _inferred_names(layer, which: int, rank: int) -> dict[int, str]:
    """The arguments that follow from an input, by the dimension that they follow from."""
    found = {}
    for name, infer in layer.inferences.items():
        number, place = infer if isinstance(infer, tuple) else (0, infer)
        if number == which and -rank <= place < rank:
            found[place % rank] = name
    return found


def _input_letters(layer, which: int, rank: int) -> list[str]:
    patterns = ranks(layer.signature)
    letters = _letters(patterns[min(which, len(patterns) - 1)], rank)
    return [letter or f"D{place}" for place, letter in enumerate(letters)]


def _letters(alternatives: list, rank: int) -> list:
    """The signature's letter for each of `rank` dimensions, None for those under its dots."""
    spread = any(pattern == ["..."] or (pattern[:2] == ["N", "C"] and pattern[-1] == "...") for pattern in alternatives)
    if spread and rank in _USUAL:
        return list(_USUAL[rank])
    for pattern in alternatives:
        if "..." not in pattern and len(pattern) == rank:
            return list(pattern)
    for pattern in alternatives:
        if "..." in pattern and len(pattern) - 1 <= rank:
            at = pattern.index("...")
            dots = [None] * (rank - len(pattern) + 1)
            if dots and at == 0 and rank > 1:
                dots[0] = "N"
            return [*pattern[:at], *dots, *pattern[at + 1 :]]
    return [None] * rank


def _with_names(layer: Layer, chosen: list) -> Layer:
    """The layer with some of its arguments as named numbers."""
    twin = copy.copy(layer)
    for name in chosen:
        setattr(twin, layer.args[name].attribute, _named_value(name, layer.value(name)))
    return twin


def _named_value(name: str, value):
    """A number with the argument's name; a list of equal ones with one name, of different ones with a place each."""
    if not isinstance(value, (tuple, list)):
        return named(name, value)
    same = all(item == value[0] for item in value)
    return type(value)([named(name if same else f"{name}[{i}]", item) for i, item in enumerate(value)])


def _numeric(value) -> bool:
    if isinstance(value, (tuple, list)):
        return bool(value) and all(map(_numeric, value))
    return isinstance(value, (int, Fraction, Formula)) and not isinstance(value, bool)


def _nonzero(value) -> bool:
    return not (type(value) is int and value == 0)


def named_output(layer, shape: tuple, inputs: list, shortened: bool = True) -> tuple:
    """The output's sizes with names of their own where they are computed; shortened: formulas are no more than names."""
    signs = _output_signs(layer, shape, inputs)
    return tuple(
        size
        if not isinstance(size, Traced) or size.op == "name"
        else _own(sign or f"out[{place}]", size.value, shortened)
        for place, (size, sign) in enumerate(zip(shape, signs, strict=True))
    )


def _own(sign: str, value, shortened: bool) -> Traced:
    short = shortened and isinstance(value, Formula) and not str(value).isidentifier()
    return named(sign, symbol(sign) if short else value)


def _output_signs(layer, shape: tuple, inputs: list) -> list[str]:
    """`H_out` for a size that stands where H stood in the input; empty where the ranks differ."""
    if not inputs or len(inputs[0]) != len(shape):
        return [""] * len(shape)
    return [f"{letter}_out" for letter in _input_letters(layer, 0, len(shape))]


def _is_derived(size, inputs: list) -> bool:
    """Whether a size of the output is more than a size of the input."""
    taken = {id(other) for shape in inputs for other in shape}
    return isinstance(size, Traced) and id(size) not in taken


def _label(layer, size, place: int, shape: tuple, inputs: list) -> tuple[str, str]:
    """What a size of the output is called in words, and its sign."""
    sign = _output_signs(layer, shape, inputs)[place]
    letter = sign.removesuffix("_out")
    if letter in _SIDES and layer.spatial:
        return _SIDES[letter], sign
    if place == 1 and (len(shape) > 3 or layer.spatial):
        return "channels", sign
    if place == len(shape) - 1 and place:
        return "features", "" if size.op == "name" else sign
    return f"dimension {place}", sign
