"""What no one can say beforehand: which figures of a device a network runs into, and what a guess at them would make.

cuDNN chooses its algorithms by heuristics, and only the chosen plan knows its workspace. The guess for a convolution is
that its workspace stays within the bytes of its input, output and weight (a copy of each in another layout). It has not
been checked on a GPU.
"""

from __future__ import annotations

from ..arith import prod
from ..facts import Row
from ..language.names import DTYPE_BYTES
from .ops.cudnn import FLATTENED
from .profiles import Profile
from .timeline import Timeline

#: the beginning of a layer's type, and the figures of the device that it runs into
_RUNS_INTO = {
    "Conv": ("conv_workspace",), "BatchNorm": ("batch_norm_reserve",),
    "ScaledDotProductAttention": ("cudnn_sdpa_workspace",), "MultiheadAttention": ("cudnn_sdpa_workspace",),
    **dict.fromkeys(FLATTENED, ("rnn_reserve", "rnn_workspace")),
}  # fmt: skip


def figures(rows: list[Row], profile: Profile, dtype: str, inference: bool = False) -> tuple[str, ...]:
    """The names of those figures of the device that are not known exactly and that these layers run into.

    dtype: that of the products (under autocast, the autocast's): cuDNN's attention takes 16-bit types only.
    """
    whole = [row for row in rows if not row.type.endswith("Cell")]  # which a kernel of PyTorch's own runs
    found = {one for row in whole for start, ones in _RUNS_INTO.items() if row.type.startswith(start) for one in ones}
    if any(row.type in FLATTENED and row.node.layer.num_layers != 1 and row.node.layer.dropout != 0 for row in whole):
        found.add("rnn_dropout_state")
    if inference:
        found -= {"batch_norm_reserve", "rnn_reserve", "rnn_dropout_state"}
    if dtype == "float32" or (profile.value("sdpa_order") or ("",))[0] != "cudnn":
        found.discard("cudnn_sdpa_workspace")
    if any(row.macs != 0 for row in rows if isinstance(row.macs, int)):
        found.add("cublaslt_workspace")
    return tuple(figure.name for figure in profile.intervals if figure.name in found)


def estimated(rows: list[Row], profile: Profile, dtype: str, inference: bool = False) -> tuple[str, ...]:
    """What of the numbers is an estimate or rests on an assumption, and why. dtype: as in `figures`."""
    found = []
    routed = [row.path for row in rows if row.type == "MixtureOfExperts"]
    if routed:
        found.append(f"An estimate: which tokens go to which expert is in the data; equal shares are assumed ({_few(routed)}).")  # fmt: skip
    runs = profile.figures.get("onednn")
    asked = [row.path for row in rows if _asks_onednn(row, dtype, inference)]
    if asked and runs and runs.provenance == "assumed":
        found.append(f"Assumed: oneDNN works in {dtype} on this CPU ({_few(asked)}); else a device file says `onednn`.")
    return tuple(found)


def _asks_onednn(row: Row, dtype: str, inference: bool) -> bool:
    """Whether the memory of a layer depends on the 16-bit types of the CPU's oneDNN."""
    if row.type == "LSTM":
        return not row.node.layer.projected() and (dtype == "bfloat16" or (dtype == "float16" and inference))
    return row.type == "ConvTranspose3d" and dtype != "float32" and row.node.layer.chooses_room(row.shapes[0])


def _few(paths: list[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"


def guessed_workspaces(rows: list[Row], dtype: str) -> dict[str, object]:
    """For each convolution, by its path, the bytes within which its workspace is guessed to stay."""
    size = DTYPE_BYTES[dtype]
    found = {}
    for row in rows:
        if row.type.startswith("Conv"):
            *inputs, output = row.shapes
            weight = sum(prod(shape) for shape in row.node.params.values())
            found[row.path] = size * (sum(prod(shape) for shape in inputs) + prod(output) + weight)
    return found


def peak_with(timeline: Timeline, extra: dict[str, int]) -> int:
    """The peak, in bytes, if each layer had that much more while it is at work. Sizes are whole numbers."""
    trace, level, highest = timeline.trace, 0, 0
    changes = dict(trace.layers)  # the last of several at one position counts
    now = 0
    for position, (index, change) in enumerate(trace.events):
        if position in changes:
            now = extra.get(changes[position], 0)
        level += change * trace.storages[index].bytes
        highest = max(highest, level + now)
    return highest
