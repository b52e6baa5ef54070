"""An LSTM as oneDNN runs it on a CPU (ATen/native/mkldnn/RNN.cpp), layer by layer."""

from __future__ import annotations

from typing import NamedTuple

from ...arith import divides, holds, maximum
from ...errors import NetcalcError
from ...language.names import DTYPE_BYTES
from ..tensors import Tensor
from .autocast import autocast
from .heads import Heads


class Stack(NamedTuple):
    """What an RNN, GRU or LSTM is made of. kind: "tanh", "relu", "gru" or "lstm"."""

    kind: str
    layers: int
    directions: int
    hidden: object
    state: object  # features of h: fewer than hidden with a projection
    projected: bool
    batch_first: bool
    dropout: object


class Gates(NamedTuple):
    """The parameters of one direction of one layer."""

    w_ih: Tensor
    w_hh: Tensor
    b_ih: Tensor | None
    b_hh: Tensor | None
    w_hr: Tensor | None


def gates(weights, suffix: str = "") -> Gates:
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
    return Gates(*(weights[name + suffix] for name in names))


def onednn_workspace(steps, n, features, hidden, size: int = 4):
    """What oneDNN keeps of an LSTM of one layer, in bytes; size: that of an element. Gates, states, cell states, then the
    gradients of all three, which are float32, and the outputs of all steps, each on pages of its own (oneDNN:
    src/cpu/rnn/rnn_utils.cpp, set_offsets; sizes on x86-64 with PyTorch 2.13, other machines may differ)."""
    wide, rows = maximum(features, hidden), 2 * (steps + 1) * n
    spaces = [
        size * steps * n * _leading(4 * hidden, size), size * rows * _leading(wide, size), size * rows * hidden,
        *[4 * rows * _leading(wide, 4)] * 2, 4 * rows * hidden, size * steps * n * _leading(hidden, size),
    ]  # fmt: skip
    return sum((space + 4095) // 4096 * 4096 for space in spaces)


def _leading(count, size: int):
    """oneDNN's leading dimension (get_good_ld): whole cache lines of 64 bytes, one more where it is a multiple of 256."""
    line = 64 // size
    count = (count + line - 1) // line * line
    return count + line if holds(divides(256, count)) else count


class OneDNN(Heads):
    def onednn(self, stack: Stack, params: list, x: Tensor, states: tuple) -> list[Tensor]:
        """mkldnn_rnn: each direction of each layer in one call. Variables hold what they hold there: the input, and the
        last output of each direction until the next layer's takes its place."""
        source = self.contiguous(self.transpose(x, 0, 1)) if stack.batch_first else self.contiguous(x)
        x, last, outputs = source, [], [None] * stack.directions
        for number in range(stack.layers):
            for side in range(stack.directions):
                given = self._with_biases(params[number * stack.directions + side])
                made = self._onednn_layer(x, *given, *(self.select(state, 0) for state in states))
                del given
                outputs[side] = made[0]
                last.append(made[1:])
                del made
            x = outputs[0] if stack.directions == 1 else self.cat(outputs, -1)
            if number < stack.layers - 1:
                x = self.dropout(x, stack.dropout)
        found = [self.stack([state[k] for state in last], 0) for k in range(2)]
        return [self.transpose(x, 0, 1) if stack.batch_first else x, *found]

    def _with_biases(self, params: Gates) -> tuple:
        """Weights and biases; where there are none, zeros as large as the weights."""
        w_ih, w_hh, b_ih, b_hh, _ = params
        return w_ih, w_hh, *(self.made(w.shape, w.dtype) if b is None else b for w, b in ((w_ih, b_ih), (w_hh, b_hh)))

    @autocast("mkldnn_rnn_layer")
    def _onednn_layer(self, x, w_ih, w_hh, b_ih, b_hh, h: Tensor, c: Tensor) -> list[Tensor]:
        """mkldnn_rnn_layer: all it reads and makes is saved, and a workspace. Its gradients are float32 before they are
        cast (mkldnn/RNN.cpp)."""
        self._onednn_runs(x.dtype)
        outputs = [self.make((*x.shape[:2], h.shape[1]), x.dtype, what="output")]
        outputs += [self.make(h.shape, x.dtype, what="last state") for _ in range(2)]
        inputs = [x, w_ih, w_hh, b_ih, b_hh, h, c]
        shapes = [t.shape for t in inputs]
        shapes[3:5] = [w_ih.shape[:1]] * 2
        needs = [t.needs_grad for t in inputs]

        def back(*grads):
            made = [self.make(shape, "float32", what="gradient") for shape in shapes]
            return [m if need else None for m, need in zip(made, needs, strict=True)]

        if not self.grad_mode:
            return outputs
        room = onednn_workspace(*x.shape, h.shape[1], DTYPE_BYTES[x.dtype])
        work = self.make((room,), "uint8", what="workspace")
        return self.record("mkldnn_rnn_layer", outputs, inputs, back, [*inputs, *outputs, work])

    def in_onednn(self, stack: Stack, x: Tensor) -> bool:
        """use_mkldnn of ATen/native/RNN.cpp, by the input's own dtype."""
        known = stack.kind == "lstm" and not stack.projected and x.dtype in self.rules.onednn
        return known and not (x.dtype == "float16" and self.grad_mode)

    def _onednn_runs(self, dtype: str):
        """oneDNN refuses what autocast may ask of it."""
        if dtype not in self.rules.onednn or (dtype == "float16" and self.grad_mode):
            verb = "train" if self.grad_mode else "run"
            raise NetcalcError(f"error: oneDNN cannot {verb} the LSTM {self.layer} in {dtype} on this CPU, as autocast asks of it\n"
                               "  help: leave out --amp, or use --dtype")  # fmt: skip
