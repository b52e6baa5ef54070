"""What a layer is: a class whose declarations and rules say everything that netcalc knows about it.

A rule gets shapes (tuples of dimensions), uses `+ - * // %` and `arith`, never branches on a dimension and raises
nothing; so it runs on ints, on formulas and on arrays alike.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

from ..arith import prod
from .kinds import Kind

REQUIRED = object()

#: every layer by its name in the language, in order of definition
REGISTRY: dict[str, type[Layer]] = {}


class Arg:
    """A declared argument: its kind, PyTorch's default, and the dimension of the input it is inferred from."""

    __slots__ = ("attribute", "default", "doc", "infer", "kind", "main", "name")

    def __init__(self, kind: Kind, default, infer, main, doc, name):
        self.kind, self.default, self.infer, self.main, self.doc = kind, default, infer, main, doc
        self.name, self.attribute = name, ""

    @property
    def required(self) -> bool:
        return self.default is REQUIRED and self.infer is None


def arg(kind: Kind, default=REQUIRED, *, infer=None, main=False, doc: str = "", name: str = "") -> Arg:
    """Declare an argument.

    infer: the dimension of the input that gives the value (`infer=1` for channels, `-1` for features; a pair
        (input number, dimension) where there are several inputs). Such an argument may be written; it is then checked.
    main: a bare value in a spec stands for this argument.
    name: PyTorch's name of the argument where it is that of a rule (`shape`, `dtype`) and cannot be the attribute's.
    """
    return Arg(kind, default, infer, main, doc, name)


class Work(NamedTuple):
    """The work of one forward pass: multiply-accumulates, and other floating-point operations."""

    macs: object = 0
    other: object = 0
    unmodelled: str = ""  # what part of the cost is not known, in words; the figures are then a lower bound


class Reach(NamedTuple):
    """Which positions j of its input an output position i reads, along one side: those with
    down*i + first <= up*j <= down*i + last, of which every gap-th counted from the last."""

    up: object
    down: object
    first: object
    last: object
    gap: object = 1


class Need(NamedTuple):
    """A condition that must hold, and the error where it does not."""

    ok: object
    code: str
    text: object  # a message, or a function that makes it
    at: str | None = None  # the argument whose value is to blame
    help: str | None = None


class Layer:
    """Base of all layers. Instances hold the values of their arguments and are never changed.

    Class attributes that a layer may set:
        inputs      how many tensors it takes: 1, 2 ..., 0 for a source, or (least, most) with most None for any number
        accepts     the dtypes of its input (a tuple: those of each): "float", "integer" (int64 or int32), "number" (all but
                    bool), "bool" or "any"
        ndim        number of spatial dimensions, for arguments given per dimension
        elementwise True where the output is a function of the same element of the input
        spatial     True where height and width mean positions (convolutions and poolings)
        whole       True where every position of the output depends on all positions of its sequence, as in attention
        local       True where an output position depends on the same position of the inputs only
        operator    True where its main argument lists its operands (Add, Mul, ...)
        loss        True where it is a loss, fed with an implied target
        same_dtype  the number of the input from which on all have one dtype; None where they may differ
        by_data     True where what is alive at a time depends on the values of the tensors
        views       True where the output shares the storage of its input
        helper_source   the source of what torch lacks: the module class, or a function that `call` uses
    """

    type = "Layer"
    signature = "... -> ..."
    args: dict[str, Arg] = {}
    inferences: dict[str, object] = {}  # what the arguments that follow from the input are inferred from
    main: str | None = None
    inputs: object = 1
    accepts = "float"
    ndim = 1
    same_dtype: int | None = None
    elementwise = spatial = local = whole = operator = loss = views = by_data = False
    inplace = False
    helper_source: str | None = None

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        own = {name: value for name, value in vars(cls).items() if isinstance(value, Arg)}
        for attribute, declared in own.items():
            declared.attribute = attribute
            declared.name = declared.name or attribute
            delattr(cls, attribute)
            if declared.main:
                cls.main = declared.name
        if own:
            cls.args = {**cls.args, **{declared.name: declared for declared in own.values()}}
            cls.inferences = {name: declared.infer for name, declared in cls.args.items() if declared.infer is not None}

    def __init__(self, given: dict):
        """given: values by argument name. Raises ArgumentError with `.argument` set where a value is not of its kind."""
        self.given = given
        vars(self).update(_defaults(type(self)))
        for name, value in given.items():
            declared = self.args.get(name)
            if declared is None:
                continue
            try:
                setattr(self, declared.attribute, declared.kind.convert(value, self.ndim))
            except Exception as error:
                error.argument = name
                raise

    # -- rules: `x` (and `y`, ...) are the shapes of the inputs

    def needs(self, *inputs):
        """The conditions on arguments and input sizes, as `Need`s."""
        return ()

    def suits(self, *dtypes):
        """The conditions on arguments and the inputs' dtypes that `accepts` cannot say, as `Need`s."""
        return ()

    def shape(self, *inputs):
        """The output's shape; a list of shapes where the layer has several outputs (see `parts`)."""
        return inputs[0]

    def parts(self, *inputs):
        """The names of the outputs where there are several, else None."""
        return None

    def dtype(self, *dtypes):
        """The output's dtype, given the inputs' dtypes. A list where the layer has several outputs."""
        return dtypes[0]

    def params(self, *inputs) -> dict:
        """Learnable tensors: {name: shape}, in the order of the torch module."""
        return {}

    def idle_params(self, *inputs):
        """How many of its parameters play no part in the work of any one sample or token."""
        return 0

    def buffers(self, *inputs) -> dict:
        """Other tensors of the state_dict: {name: (shape, dtype)}."""
        return {}

    def work(self, *shapes) -> Work:
        """The work of a forward pass. `shapes`: the inputs' shapes, then the output's (a list where there are several).

        MACs are multiply-accumulates of convolutions, linear layers and matrix products; `other` counts each
        remaining addition, multiplication, division, comparison or function evaluation as one FLOP.
        """
        return Work()

    def backward_macs(self, needed: tuple, trains: bool, *shapes):
        """The MACs of the backward pass: for every input that needs a gradient, and for the weights if they train.

        Each such gradient is a product as large as the forward pass (true of convolutions and matrix products alike).
        """
        return self.work(*shapes).macs * (sum(needed) + (trains and bool(self.params(*shapes[:-1]))))

    def torch(self, *inputs) -> str:
        """The constructor of the torch module as source text; None for what torch has only as a function."""
        return f"{'' if self.helper_source else 'nn.'}{self.type}({self.torch_arguments(*inputs)})"

    @classmethod
    def has_source(cls) -> bool:
        """Whether the PyTorch source is known: of a class from elsewhere it must be said that torch has it."""
        own = cls.__module__.startswith(f"{__package__}.")
        return own or bool(cls.helper_source) or cls.torch is not Layer.torch or cls.call is not Layer.call

    def call(self, names: list, *inputs) -> str:
        """The layer as an expression in `forward`, applied to the given variable names (for functional layers)."""
        raise NotImplementedError(self.type)

    def apply(self, module: str, names: list) -> str:
        """The call of the torch module in `forward`: its name as source text, applied to the given variable names."""
        return f"{module}({', '.join(names)})"

    def targets(self, *inputs) -> list:
        """What a loss compares its inputs with: [(shape, dtype)], as its inputs imply it."""
        return []

    def eager(self, op, weights, *inputs):
        """What eager PyTorch does, in its operations (`netcalc.memory.ops`): the output tensor, or a list of them.

        op: the operations. weights: the layer's parameters and buffers by name (None for what it does not have).
        inputs: tensors without values; of a loss, its targets follow. Not defined: its memory is not modelled.
        """
        raise NotImplementedError(self.type)

    def windows(self):
        """What an output position sees of the input: (kernel, stride, padding before, dilation) of each spatial
        dimension; None where it is not a window."""
        return None

    def reaches(self, *inputs):
        """A `Reach` for each spatial dimension; None where an output position is not made of a stretch of the input."""
        windows = self.windows()
        return windows and [Reach(1, s, -p, d * (k - 1) - p, d) for k, s, p, d in windows]

    def is_local(self, *inputs) -> bool:
        """Whether an output position depends on the same position of the inputs only."""
        return self.local or self.elementwise or self.operator

    def conventions(self, *inputs):
        """Where other libraries or papers count this layer differently, as sentences."""
        return ()

    # -- for all layers

    def value(self, name: str):
        """The value of an argument by PyTorch's name."""
        return getattr(self, self.args[name].attribute)

    def inferred(self, *inputs) -> dict:
        """The arguments that follow from the input's shape."""
        found = {}
        for name, declared in self.args.items():
            if declared.infer is not None:
                found[name] = inferred_value(declared.infer, inputs)
        return found

    def torch_arguments(self, *inputs) -> str:
        """PyTorch's call arguments: inferred and required ones by position, others by keyword where not the default."""
        inferred, positional, keyword = self.inferred(*inputs), [], []
        for name, declared in self.args.items():
            value = inferred[name] if name in inferred else self.value(name)
            if declared.required or declared.infer is not None:
                (keyword if keyword else positional).append(
                    literal(value) if not keyword else f"{name}={literal(value)}"
                )
            elif name in self.given and not self._is_default(name):
                keyword.append(f"{name}={literal(value)}")
        return ", ".join(positional + keyword)

    def _is_default(self, name: str) -> bool:
        default = self.args[name].default
        if default is None:
            return self.value(name) is None
        return self.value(name) == self.args[name].kind.convert(default, self.ndim)


@functools.cache
def _defaults(cls) -> dict:
    """The values of a layer's attributes where nothing is given."""
    found = {}
    for declared in cls.args.values():
        known = declared.default is not REQUIRED and declared.default is not None
        found[declared.attribute] = declared.kind.convert(declared.default, cls.ndim) if known else None
    return found


def inferred_value(infer, inputs):
    which, index = infer if isinstance(infer, tuple) else (0, infer)
    return inputs[which][index]


def layer(signature: str):
    """Register a layer class. The signature names the dimensions of input and output: "N C H W -> N K P Q".

    "..." stands for any number of dimensions; " | " separates alternative inputs ("N C | N C L"); several inputs are
    separated by commas.
    """

    def register(cls):
        cls.type = cls.__name__
        cls.signature = signature
        REGISTRY[cls.__name__] = cls
        return cls

    return register


def literal(value) -> str:
    """A value as Python source. A tuple of equal values is written once, as PyTorch users do."""
    from fractions import Fraction

    if isinstance(value, tuple):
        if len(value) > 0 and value[0] is not None and all(item == value[0] for item in value):
            return literal(value[0])
        return "(" + ", ".join(map(literal, value)) + ("," if len(value) == 1 else "") + ")"
    if isinstance(value, Fraction):
        return repr(float(value))
    if isinstance(value, str) and type(value).__repr__ is str.__repr__:
        return f'"{value}"'
    return repr(value)


def ranks(signature: str) -> list:
    """For each input of a signature, the alternatives: a list of dimension names ("..." included)."""
    left = signature.split("->")[0]
    return [[alternative.split() for alternative in part.split("|")] for part in left.split(",")]


def elements(shape) -> object:
    """The number of elements of a shape."""
    return prod(shape)


need = Need
