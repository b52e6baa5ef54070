"""Live storages under FakeTensors, as plain eager mode would have them.

Any dispatch mode makes libtorch avoid in-place work. With `redo`, the tracker does in place again what plain eager mode
does so; without, it shows what a naive tracker sees.
"""

from __future__ import annotations

import torch
from torch.overrides import TorchFunctionMode

from netcalc.oracle.storages import Storages, dispatch_mode

from . import cudnn

aten = torch.ops.aten
#: losses whose scalar lives in a block of the size of what was reduced
FULL_SIZE = {aten.mse_loss.default, aten.smooth_l1_loss.default, aten.soft_margin_loss.default,
             aten.binary_cross_entropy.default}  # fmt: skip
#: kernels that copy operands which do not lie in memory as they want them: places in the arguments, in the order of copying
COPIED = {aten.native_layer_norm.default: (0,), aten.native_layer_norm_backward.default: (0, 1),
          aten.convolution.default: (0,), aten.convolution_backward.default: (1, 0)}  # fmt: skip
#: the same of kernels that copy after they have made their output; the first does so on the CPU only
COPIED_LATE = {aten.embedding_dense_backward.default: (0,), aten._softmax.default: (0,), aten._log_softmax.default: (0,),
               aten._softmax_backward_data.default: (0, 1), aten._log_softmax_backward_data.default: (0, 1)}  # fmt: skip
#: losses of elements that lie beside what they become, and those that have buffers of their own before it: the place of the
#: reduction in the arguments, how many buffers of the input's size there are where it is one, and where it is none
BESIDE = {aten.mse_loss.default: (2, 1, 0), aten.smooth_l1_loss.default: (2, 1, 0)}
BEFORE = {aten.huber_loss.default: (2, 1, 0), aten.binary_cross_entropy_with_logits.default: (4, 2, 1)}
#: functions inside which the sum of two tensors is made in place
ADDS = {torch.nn.functional.linear, torch.nn.functional.scaled_dot_product_attention,
        torch.nn.functional.multi_head_attention_forward}  # fmt: skip
#: functions inside which a bias is added in place, and nothing else
BIASES = {torch._VF.gru, torch._VF.lstm, torch._VF.rnn_tanh, torch._VF.rnn_relu}
#: steps of the backward pass of binary_cross_entropy_with_logits
OF_LOGITS = {aten.sub.Tensor: aten.sub_.Tensor, aten.mul.Tensor: aten.mul_.Tensor}
#: what backward passes write into zeros
INTO_ZEROS = {aten.scatter_add.default: aten.scatter_add_.default, aten.scatter.src: aten.scatter_.src,
              aten.index_add.default: aten.index_add_.default, aten.index_put.default: aten.index_put_.default}  # fmt: skip


class Functions(TorchFunctionMode):
    """Which function of torch is being called."""

    def __init__(self):
        super().__init__()
        self.inside: list = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.inside.append(function)
        try:
            return function(*args, **(kwargs or {}))
        finally:
            self.inside.pop()


class Tracker(dispatch_mode()):
    """Shows what operations make to storages. backward: whether a backward pass is running."""

    def __init__(self, storages: Storages, redo: bool, functions: Functions):
        super().__init__(storages)
        self.redo, self.functions = redo, functions
        self.backward = False
        self.copies: list[tuple[int, int]] = []  # of operands, while their operation runs

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        late = COPIED_LATE.get(function, ()) if self.redo else ()
        early = function is aten.embedding_dense_backward.default and self.storages.device == "cuda"
        if early:
            self._copy(late, args)
        self._losses(BEFORE, function, args)
        if self.redo and self.storages.device == "cuda":
            self._of_places(function, args)
        made = super().__torch_dispatch__(function, types, args, kwargs)
        if not early:
            self._copy(late, args)
        self._losses(BESIDE, function, args)
        if self.redo:
            self._of_attention(function, args)
        while self.copies:
            self.storages.go(*self.copies.pop(0))
        return made

    def run(self, function, args, kwargs):
        if function in cudnn.KERNELS:
            with self:
                return cudnn.KERNELS[function](*args)
        result = self._in_place(function, args) if self.redo else NotImplemented
        if result is NotImplemented:
            result = function(*args, **kwargs)
        if self.redo:
            wanted = torch.contiguous_format
            if function in (aten.convolution.default, aten.convolution_backward.default):
                wanted = torch._prims_common.suggest_memory_format(args[function is aten.convolution_backward.default])
            self._copy(COPIED.get(function, ()), args, wanted)
        return result

    def _copy(self, places: tuple, args, wanted=torch.contiguous_format):
        """Note the copies that a kernel makes of its operands."""
        for at in places:
            if not args[at].is_contiguous(memory_format=wanted):
                size = args[at].numel() * args[at].element_size()
                self.copies.append((self.storages.come(size, "copy"), size))

    def _of_places(self, function, args):
        """Note what CUDA has besides: the number of places that are found; places in four arrays to be sorted, where values
        are added (Nonzero.cu, Indexing.cu). What cub takes for itself is not known."""
        sizes = []
        if function is aten.nonzero.default:
            sizes = [4]
        elif function is aten.index_put.default and args[3:4] == (True,):
            sizes = [8 * args[1][0].numel()] * 4
        self.copies += [(self.storages.come(size, "of places"), size) for size in sizes][::-1]

    def _of_attention(self, function, args):
        """Note the buffers of flash attention's backward kernel (mha_bwd in flash_api.cpp)."""
        if function is not aten._scaled_dot_product_flash_attention_backward.default:
            return
        (batch, heads, length, size), (_, key_heads, key_length, _) = args[1].shape, args[2].shape
        rows, tile = -(-length // 128) * 128, 32 if size <= 128 else 64
        sizes = [4 * batch * heads * rows, 4 * batch * heads * rows * (-(-size // tile) * tile)]
        if key_heads != heads:
            sizes += [batch * key_length * heads * size * args[1].element_size()] * 2
        self.copies += [(self.storages.come(size, "of attention"), size) for size in sizes][::-1]

    def _losses(self, kernels: dict, function, args):
        """Note buffers of the input's size."""
        if not self.redo or function not in kernels:
            return
        at, reduced, unreduced = kernels[function]
        for _ in range(unreduced if args[at : at + 1] == (0,) else reduced):
            size = args[0].numel() * args[0].element_size()
            self.copies.append((self.storages.come(size, "losses"), size))

    def size(self, function, args) -> int | None:
        return args[0].numel() if self.redo and function in FULL_SIZE and args[2:3] != (0,) else None

    def _in_place(self, function, args):
        """What eager mode would do in place here, done so; NotImplemented for all else."""
        inside = self.functions.inside
        if function is aten.add.Tensor and self._fits(args):
            if self.backward and _sole(args[0]):
                return aten.add_.Tensor(*args)
            bias = args[1].dim() == 1 and BIASES.intersection(inside)
            if not self.backward and (bias or ADDS.intersection(inside)):
                return aten.alias.default(aten.add_.Tensor(*args))
        if self.backward and function in OF_LOGITS and self._fits(args):
            node = torch._C._current_autograd_node()
            if node is not None and node.name().startswith("BinaryCrossEntropyWithLogits"):
                return aten.alias.default(OF_LOGITS[function](*args))
        if self.backward and function in INTO_ZEROS:
            return aten.alias.default(INTO_ZEROS[function](*args))
        return NotImplemented

    @staticmethod
    def _fits(args) -> bool:
        a, b = args[:2]
        tensors = isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor)
        return tensors and torch.broadcast_shapes(a.shape, b.shape) == a.shape and _promoted(a, b) == a.dtype


def _promoted(a, b) -> torch.dtype:
    return torch.promote_types(a.dtype, b.dtype)


def _sole(tensor: torch.Tensor) -> bool:
    """Whether a gradient that waits has no other holder, and is dense: a later one is then added to it in place.

    The counts are those of a tensor that only the engine holds, seen from within a dispatch mode.
    """
    if not torch._prims_common.is_non_overlapping_and_dense_or_false(tensor):
        return False
    return tensor._use_count() == 4 and torch._C._storage_Use_Count(tensor.untyped_storage()._cdata) == 2
