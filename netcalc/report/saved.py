"""What an explanation says about memory: which tensors of a layer are kept for the backward pass, by which operation and
why; and when the memory of a network is at its peak, and what is alive then. All figures are those of `net.memory`."""

from __future__ import annotations

from ..arith import Formula, plain, prod
from ..errors import NetcalcError
from ..graph import Graph, Node
from ..language.names import DTYPE_BYTES
from .derivation import Derivation, Step, named_output
from .memory import Memory, SavedTensor
from .memory_table import exactly, holds, label, peak_lines
from .table import mebibytes, percent

SHOWN = 6  # of the largest tensors that are alive at the peak
INNER = {"output": "inner result"}  # of an operation that the layer is made of
#: why an operation keeps a tensor: by (operation, what), then by operation
WHY = {
    ("max_pool", "indices"): "where each maximum was",
    ("max_pool", ""): "its backward function takes the shape from it",
    ("avg_pool", ""): "only its shape is needed, but all of it is held",
    ("mul", "mask"): "what was dropped",
    ("dropout", "mask"): "what was dropped",
    ("batch_norm", "mean"): "the statistics are not worked out twice",
    ("batch_norm", "invstd"): "the statistics are not worked out twice",
    ("layer_norm", "mean"): "the statistics are not worked out twice",
    ("layer_norm", "rstd"): "the statistics are not worked out twice",
    ("attention", "log-sum-exp"): "the softmax is worked out again with it",
    ("attention", "random state"): "the same elements are dropped again",
    **{(name, ""): "the gradient of the weight is made of it" for name in ("convolution", "addmm")},
    **{(name, ""): "the gradient of the other factor is made of it" for name in ("bmm", "trilinear", "mul", "div")},
    **{(name, ""): "its derivative is worked out from the result" for name in ("softmax", "log_softmax")},
    **{(name, ""): "it is normalised again" for name in ("batch_norm", "layer_norm", "group_norm", "rms_norm")},
    ("attention", ""): "the scores are worked out again from it",
    ("embedding", ""): "which rows the gradients belong to",
    ("nll_loss", ""): "which classes the gradients belong to",
}


def sections(memory, node: Node, found: Derivation) -> list:
    """Sections for one layer: the bytes that it keeps for the backward pass, which operation keeps them and why, and who
    shares them. memory: gives the `Memory` of the network. found: the derivation of the layer's figures."""
    from .explain import Section

    title = "Kept for the backward pass, in bytes"
    try:
        known: Memory = memory()
    except NetcalcError as problem:
        return [Section(title, (), (f"Not known: {_first_line(problem)}",))]
    calls = [known.by_row[id(row)] for row in known.facts if row.path == node.path and id(row) in known.by_row]
    if not calls:
        return []
    saved = [tensor for call in calls for tensor in call.saved]
    own = [tensor for tensor in saved if not tensor.shared_with]
    steps = [_step(tensor, node, found) for tensor in own]
    if len(steps) > 1:
        together = sum(call.saved_bytes for call in calls)
        steps.append(Step("together", "", together, together))
    texts = [_shared(tensor) for tensor in saved if tensor.shared_with]
    texts += [_others(tensor) for tensor in own if tensor.others]
    if not saved:
        texts = ["Nothing: no gradient needs a tensor of it."]
    return [Section(title + _sizes(known.graph, known), tuple(steps), tuple(texts))]


def _sizes(graph: Graph, memory: Memory) -> str:
    batch = memory.simulated.batch
    return f", for {graph.batch} = {batch}" if graph.batch in graph.free and not isinstance(batch, Formula) else ""


def _first_line(problem: NetcalcError) -> str:
    return str(problem).split("\n", 1)[0].removeprefix("error: ")


def _step(tensor: SavedTensor, node: Node, found: Derivation) -> Step:
    """A tensor with the derivation of its bytes, where its shape is that of an input or of the output."""
    tree: object = tensor.bytes
    for shape in (*found.inputs, named_output(node.layer, found.shape, found.inputs)):
        if tuple(map(plain, shape)) == tensor.shape:
            derived = prod(shape) * DTYPE_BYTES[tensor.dtype]
            if plain(derived) == tensor.bytes:
                tree = derived
                break
    return Step(INNER.get(tensor.what, tensor.what), "", tree, tensor.bytes, f"{tensor.dtype}; {_by(tensor)}")


def _by(tensor: SavedTensor) -> str:
    """The operation that keeps a tensor, and why."""
    return f"kept by {tensor.operation.replace('_', ' ')}: {_why(tensor)}"


def _why(tensor: SavedTensor) -> str:
    for key in ((tensor.operation, tensor.what), (tensor.operation, "")):
        if key in WHY:
            return WHY[key]
    if tensor.what in ("result", "input"):
        return f"its derivative is worked out from the {'result' if tensor.what == 'result' else 'input'}"
    return "its backward function takes it"


def _shared(tensor: SavedTensor) -> str:
    """A tensor that counts elsewhere."""
    where = "with the batch" if tensor.shared_with == "input" else f"at {tensor.shared_with}, which keeps it too"
    return f"{tensor.what}: {mebibytes(tensor.bytes)}, counted {where}; {_by(tensor)}"


def _others(tensor: SavedTensor) -> str:
    return f"The same {tensor.what} is kept by {', '.join(tensor.others)} too: it is counted once."


# -- a whole network


def peak(memory) -> list:
    """Sections for a network: when its memory is at its peak, which layer makes it, and what is alive then."""
    from .explain import Section

    try:
        known: Memory = memory()
    except NetcalcError as problem:
        return [Section("Memory of a training step", (), (f"Not known: {_first_line(problem)}",))]
    at = known.peak
    title = f"Memory of a training step{_sizes(known.graph, known)}"
    if isinstance(at.bytes, Formula):
        return [Section(title, (), tuple(line.strip() for line in (*peak_lines(known), *holds(known))))]
    live = sorted(at.live.items(), key=lambda pair: -pair[1])
    width = len(f"{at.bytes:,}")
    texts = [
        *peak_lines(known),
        *(f"{percent(size, at.bytes):>6}  {size:>{width},}  {label(kind)}" for kind, size in live),
    ]
    largest = known.timeline.largest(known.timeline.peak().event, SHOWN)
    texts.append(f"The largest: {', '.join(map(_named, largest))}")
    sums = known.bytes["parameters"] + known.bytes["gradients"] + known.bytes["saved_activations"]
    if sums > at.bytes:
        texts.append(
            f"Parameters, gradients and saved activations are {exactly(sums)}; they are not all alive at once."
        )
    return [Section(f"{title}: {at.bytes:,} bytes", (), tuple(texts))]


def _named(storage) -> str:
    where = f" of {storage.layer}" if storage.layer and storage.layer not in storage.what else ""
    return f"{storage.what}{where} ({mebibytes(storage.bytes)})"


__all__ = ["peak", "sections"]
