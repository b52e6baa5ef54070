"""Modules for what torch has only as a function, where it stands inside an nn.Sequential."""

from __future__ import annotations

from ..layers.base import literal

_UNARY = '''\
class {name}(nn.Module):
    """{doc}"""

    def __init__(self, {arguments}):
        super().__init__()
{stored}

    def forward(self, x):
        return {expression}
'''

#: type: (arguments of the module, what it returns)
_MODULES = {
    "Permute": (("dims",), "x.permute(self.dims)"),
    "Transpose": (("dim0", "dim1"), "x.transpose(self.dim0, self.dim1)"),
    "Unsqueeze": (("dim",), "x.unsqueeze(self.dim)"),
    "Select": (("dim", "index"), "x.select(self.dim, self.index)"),
    "Cumsum": (("dim",), "x.cumsum(self.dim)"),
}

_NO_ARGUMENTS = '''\
class {name}(nn.Module):
    """{doc}"""

    def forward(self, x):
        return {expression}
'''

#: functions of one tensor without arguments
_FUNCTIONS = {
    "Abs": "x.abs()", "Exp": "x.exp()", "Log": "x.log()", "Sqrt": "x.sqrt()", "Rsqrt": "x.rsqrt()", "Sin": "x.sin()",
    "Cos": "x.cos()", "Neg": "-x", "Square": "x.square()", "Reciprocal": "x.reciprocal()", "Floor": "x.floor()",
    "Ceil": "x.ceil()", "Erf": "x.erf()", "Sign": "x.sign()", "Log1p": "x.log1p()", "Expm1": "x.expm1()",
}  # fmt: skip


def module(layer, emitter) -> str | None:
    """The constructor of a module that does what a functional layer does; None where there is none."""
    name = layer.type
    doc = f"torch.{name.lower()} as a module."
    if name in _FUNCTIONS:
        emitter.helper(name, _NO_ARGUMENTS.format(name=name, doc=doc, expression=_FUNCTIONS[name]))
        return f"{name}()"
    if name not in _MODULES:
        return None
    arguments, expression = _MODULES[name]
    stored = "\n".join(f"        self.{argument} = {argument}" for argument in arguments)
    emitter.helper(
        name, _UNARY.format(name=name, doc=doc, arguments=", ".join(arguments), stored=stored, expression=expression)
    )
    values = [layer.value(argument) for argument in arguments]
    return f"{name}({', '.join(_value(value) for value in values)})"


def of_graph(graph) -> list[str]:
    """The sources of all helpers that the layers of a graph may need."""
    layers = [node.layer for node in (*graph.nodes, *(graph.loss or ()))]
    wrapped = [
        f"class {layer.type}(nn.Module):" for layer in layers if layer.type in _FUNCTIONS or layer.type in _MODULES
    ]
    return [*wrapped, *(layer.helper_source for layer in layers if layer.helper_source)]


def _value(value) -> str:
    return "(" + ", ".join(map(literal, value)) + ")" if isinstance(value, (tuple, list)) else literal(value)
