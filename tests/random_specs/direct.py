"""A network run layer by layer along its graph, on the modules and parameters of the exported one.

It knows nothing of the exported forwards, so it says whether each of their calls reads what the spec says.
"""

from __future__ import annotations

import torch

from netcalc.export import examples, flow, live


def differing(net) -> list[str]:
    """The outputs of the exported model that do not have the values that the graph gives them, in evaluation mode."""
    sizes = examples.sizes(net.graph)
    made = net.exported()
    torch.manual_seed(0)
    model = live.namespace(made.text)[net.graph.spec.name]().eval()
    inputs = live.inputs(net.graph, sizes, "cpu")
    with torch.no_grad():
        given = model(*[tensor.clone() for tensor in inputs])
        fixed = net.at(**sizes) if sizes else net
        wanted = outputs(net, fixed, made, model, [tensor.clone() for tensor in inputs])
    found = list(given.values()) if isinstance(given, dict) else _flat(given)
    return [
        f"output {number} has other values than the graph gives it"
        for number, (a, b) in enumerate(zip(found, wanted, strict=True))
        if a.shape != b.shape or not torch.allclose(a.double(), b.double(), rtol=1e-4, atol=1e-5, equal_nan=True)
    ]


def outputs(net, fixed, made, model, inputs: list) -> list:
    """The model's outputs. fixed: the network with a value for every free size. made: the Export of `net`, which `model`
    was built from."""
    names = live.namespace(made.text)
    state = dict(model.named_parameters()) | dict(model.named_buffers())
    values = {flow.key(value): tensor for value, tensor in zip(fixed.graph.inputs.values(), inputs, strict=True)}
    for node, exported in zip(fixed.graph.nodes, net.graph.nodes, strict=True):
        found = _run(node, made.modules[id(exported)], [_read(value, values, state) for value in node.inputs],
                     model, names, inputs)  # fmt: skip
        values.update((flow.key(value), tensor) for value, tensor in zip(node.outputs, _flat(found), strict=False))
    return [_read(value, values, state) for _, value in fixed.graph.outputs]


def _read(value, values: dict, state: dict):
    """A tensor that was made before, or a parameter that is read by its name."""
    return state[value.label.split("`")[1]] if value.part < 0 else values[flow.key(value)]


def _run(node, path: str, tensors: list, model, names: dict, inputs: list):
    """What a layer gives."""
    variables = [f"value_{k}" for k in range(len(tensors))]
    known = {**names, **dict(zip(variables, tensors, strict=True)), "self": model}
    if node.layer.inputs == 0 and node.layer.torch() is not None:
        holder, _, name = path.rpartition(".")
        return getattr(model.get_submodule(holder), name)
    if node.layer.inputs == 0:
        return eval(node.layer.call(["device_of"]), {**names, "device_of": inputs[0]})
    if flow.has_module(node):
        return eval(node.layer.apply("module", variables), {**known, "module": model.get_submodule(path)})
    return eval(node.layer.call(variables, *node.shapes), known)


def _flat(found) -> list:
    """The tensors of an output, those of nested tuples in order."""
    if not isinstance(found, (tuple, list)):
        return [found]
    return [tensor for item in found for tensor in _flat(item)]
