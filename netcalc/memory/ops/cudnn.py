"""Recurrent layers as cuDNN runs them (ATen/native/cudnn/RNN.cpp, ATen/cudnn/AutocastRNN.cpp).

All weights of a layer lie in one buffer, and so do their gradients. What only cuDNN knows is taken as 0 bytes: its reserve, its
workspaces and the state of its dropout (`netcalc.memory.unknown` names them).
"""

from __future__ import annotations

from ...arith import prod
from ...errors import NetcalcError
from ..tensors import Tensor, normal, strides_of
from .onednn import OneDNN, Stack

FLATTENED = ("RNN", "GRU", "LSTM")


def weight_space(shapes: dict) -> object:
    """The elements of the buffer for weights of these shapes, by name: two biases for each layer and direction, also where
    it has none. cuDNN is taken to leave no gaps."""
    found = sum(prod(shape) for shape in shapes.values())
    bare = [
        shape for name, shape in shapes.items() if name.startswith("weight_ih") and f"bias_ih{name[9:]}" not in shapes
    ]
    return found + sum(2 * shape[0] for shape in bare)


class CuDNN(OneDNN):
    def cudnn(self, stack: Stack, weights: dict, x: Tensor, states: tuple) -> list[Tensor]:
        """_cudnn_impl. weights: by name, in PyTorch's order. Autocast makes all float16, whatever it is asked for."""
        if any(state.strides is not None for state in states):
            raise NetcalcError(f"error: {self.layer} starts from a state that is transposed in memory, which PyTorch refuses on CUDA\n"
                               "  help: give it a state that an operation made anew, for example behind a Linear")  # fmt: skip
        flat, space = list(weights.values()), weight_space({name: weight.shape for name, weight in weights.items()})
        if self.autocast is None:
            return self._cudnn_rnn(stack, flat, self._buffer(flat, space), x, states)
        if flat[0].dtype != "float16":
            buffer, flat = self._reflattened(flat, space)
        else:
            buffer = self._buffer(flat, space)
        states = [self.cast(state, "float16") for state in reversed(states)][::-1]
        x = self.cast(x, "float16")
        with self.without_autocast():
            return self._cudnn_rnn(stack, flat, buffer, x, states)

    def _buffer(self, flat: list[Tensor], space) -> Tensor:
        """The buffer of which the weights are parts; where they are not, they are copied into a new one at every call."""
        storages = {id(weight.storage) for weight in flat}
        if len(storages) == 1 and len(flat) > 1:
            return Tensor(flat[0].storage, (space,), flat[0].dtype)
        return self.make((space,), flat[0].dtype, what="weights together")

    def _reflattened(self, flat: list[Tensor], space) -> tuple[Tensor, list[Tensor]]:
        """A float16 buffer with copies of the weights."""
        buffer, parts = self.make((space,), "float16", what="cast of the weights"), []
        for weight in flat:
            seen = self.view(weight, (prod(weight.shape), 1))
            part = Tensor(buffer.storage, seen.shape, "float16")
            back = lambda g, to=weight.dtype: self.make(g.shape, to, what="cast of the gradient")  # noqa: E731
            parts.append(self.record("copy_", part, [seen], back))
        return buffer, parts

    def _cudnn_rnn(self, stack: Stack, flat: list, buffer: Tensor, x: Tensor, states) -> list[Tensor]:
        """Input, states, weights, their buffer and the output are saved, and the reserve."""
        source = _turned(x) if stack.batch_first else x
        copy = self._contiguous(source)
        out = self.make((*source.shape[:2], stack.directions * stack.state), x.dtype, what="output")
        last = [self.make(state.shape, x.dtype, what="last state") for state in states]
        back = self._cudnn_backward(stack, [x, *states, *flat], buffer.shape, source)
        out = _turned(out) if stack.batch_first else out
        del copy, source
        return self.record("cudnn_rnn", [out, *last], [x, *states, *flat], back, [x, *states, *flat, out, buffer])

    def _contiguous(self, x: Tensor) -> Tensor | None:
        """The copy that contiguous() makes, if any."""
        return None if x.strides is None else self.make(x.shape, x.dtype, what="copy")

    def _cudnn_backward(self, stack: Stack, inputs: list, room: tuple, source: Tensor):
        """_cudnn_rnn_backward: the gradients of input and states are made in any case."""
        shape, strided, dtype = source.shape, source.strides is not None, source.dtype
        count = 1 + (stack.kind == "lstm")
        of_states, of_weights = [t.shape for t in inputs[1 : 1 + count]], [t.shape for t in inputs[1 + count :]]
        needs = [t.needs_grad for t in inputs]
        biases = len(of_weights) // (stack.layers * stack.directions) > 3
        kind = "gradients" if any(t.leaf for t in inputs[1 + count :]) else None
        out = (*shape[:2], stack.directions * stack.state)

        def of_input(grad: Tensor, *last: Tensor) -> list[Tensor]:
            """_cudnn_rnn_backward_input."""
            copies = [self.make(shape, dtype, what="copy") if strided else None]
            copies.append(self._contiguous(_turned(grad) if stack.batch_first else grad))
            made = [self.make(shape, dtype, what="gradient")]
            copies += [self._contiguous(state) for state in last]
            made += [self.make(size, dtype, what="gradient") for size in of_states]
            del copies
            return [_turned(made[0]) if stack.batch_first else made[0], *made[1:]]

        def of_parameters() -> list[Tensor]:
            """_cudnn_rnn_backward_weight: parts of one buffer; without biases the weights' are copied out of it."""
            copy = self.make(shape, dtype, what="copy") if strided else None
            whole = self.make(room, dtype, what=f"gradients of {self.layer}", kind=kind if biases else None)
            del copy
            if biases:
                return [Tensor(whole.storage, size, dtype) for size in of_weights]
            return [self.make(size, dtype, what="gradient") for size in of_weights]

        def back(*grads):
            shapes = [_swapped(out) if stack.batch_first else out, *of_states]
            grads = [
                self.make(size, dtype, what="gradient") if g is None else g
                for g, size in zip(grads, shapes, strict=True)
            ]
            made = of_input(*grads)
            made += of_parameters() if any(needs[1 + count :]) else [None] * len(of_weights)
            return [m if need else None for m, need in zip(made, needs, strict=True)]

        return back


def _swapped(shape: tuple) -> tuple:
    return (shape[1], shape[0], *shape[2:])


def _turned(x: Tensor) -> Tensor:
    """x.transpose_(0, 1): no view, the same storage read in another order."""
    shape = _swapped(x.shape)
    return Tensor(x.storage, shape, x.dtype, normal(shape, _swapped(strides_of(x))))
