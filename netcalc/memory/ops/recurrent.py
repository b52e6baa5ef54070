"""RNN, GRU and LSTM, and their cells.

On a CPU PyTorch runs them step by step out of common operations (ATen/native/RNN.cpp), except the LSTM without a
projection, which oneDNN runs layer by layer where it can. On CUDA cuDNN runs all of them at once; how many bytes it keeps for the
backward pass, its reserve, only cuDNN knows.
"""

from __future__ import annotations

from ...errors import NetcalcError
from ..tensors import Tensor
from .autocast import autocast
from .cudnn import CuDNN
from .onednn import Gates, Stack, gates

GATES = {"lstm": 4, "gru": 3}


class Recurrent(CuDNN):
    def recurrent(self, options: dict, weights, x: Tensor, *given: Tensor) -> list[Tensor]:
        """The output and the last states: h_n, and c_n of an LSTM. options: those of a `Stack`."""
        stack = Stack(**options)
        states = given or self._zeros(stack, x)
        sides = ["", "_reverse"][: stack.directions]
        if self.rules.cuda:
            return self.cudnn(stack, weights.found, x, states)
        params = [gates(weights, f"_l{number}{side}") for number in range(stack.layers) for side in sides]
        if self.in_onednn(stack, x):
            return self.onednn(stack, params, x, states)
        x = self.transpose(x, 0, 1) if stack.batch_first else x
        hidden = list(zip(*(self.unbind(state, 0) for state in states), strict=True))
        out, last = self._layers(stack, params, x, hidden)
        found = [self.stack([state[k] for state in last], 0) for k in range(len(states))]
        return [self.transpose(out, 0, 1) if stack.batch_first else out, *found]

    def _zeros(self, stack: Stack, x: Tensor) -> tuple:
        n, rows = x.shape[0 if stack.batch_first else 1], stack.layers * stack.directions
        sizes = [stack.state, stack.hidden] if stack.kind == "lstm" else [stack.state]
        return tuple(self.make((rows, n, size), x.dtype, what="first state") for size in sizes)

    # -- step by step

    def _layers(self, stack: Stack, params: list, x: Tensor, hidden: list) -> tuple:
        """apply_layer_stack: the output of the last layer, and the last states of all."""
        last, both = [], stack.directions == 2
        for number in range(stack.layers):
            at = number * stack.directions
            layer = self._two_ways if both else self._one_way
            x, states = layer(stack, params[at : at + stack.directions], x, hidden[at : at + stack.directions])
            last += states
            if number < stack.layers - 1:
                x = self.dropout(x, stack.dropout)
        return x, last

    def _one_way(self, stack: Stack, params: list, x: Tensor, hidden: list) -> tuple:
        """FullLayer: the products with the inputs of all steps at once, then the steps."""
        gated = self.linear(x, params[0].w_ih, params[0].b_ih)
        outputs, state = self._steps(stack, self.unbind(gated, 0), hidden[0], params[0])
        return self.stack(outputs, 0), [state]

    def _two_ways(self, stack: Stack, params: list, x: Tensor, hidden: list) -> tuple:
        """FullBidirectionalLayer: forwards, then backwards."""
        gated = self.linear(x, params[0].w_ih, params[0].b_ih)
        steps = self.unbind(gated, 0)
        outputs, state = self._steps(stack, steps, hidden[0], params[0])
        forwards = self.stack(outputs, 0)
        gated = self.linear(x, params[1].w_ih, params[1].b_ih)
        steps = self.unbind(gated, 0)[::-1]
        reverse, other = self._steps(stack, steps, hidden[1], params[1])
        backwards = self.stack(reverse[::-1], 0)
        return self.cat([forwards, backwards], -1), [state, other]

    def unbind(self, x: Tensor, dim: int) -> list[Tensor]:
        if type(x.shape[dim]) is not int:
            raise NetcalcError(f"error: the steps of a recurrent layer are counted one by one, and {x.shape[dim]} is not a number\n"
                               f"  help: give it a value, as in {x.shape[dim]}=100")  # fmt: skip
        return super().unbind(x, dim)

    def _steps(self, stack: Stack, inputs: list, state: tuple, params: Gates) -> tuple:
        outputs = []
        for gated in inputs:
            state = self.cell(stack.kind, lambda gated=gated: gated, state, params)
            outputs.append(state[0])
        return outputs, state

    # -- cells

    def cell(self, kind: str, gated, state: tuple, params: Gates) -> tuple:
        """One step. gated: gives the product of the input with its weights. The new state."""
        return {"lstm": self._lstm_cell, "gru": self._gru_cell}.get(kind, self._simple_cell)(kind, gated, state, params)

    def _simple_cell(self, kind: str, gated, state: tuple, params: Gates) -> tuple:
        total = self.linear(state[0], params.w_hh, params.b_hh)
        of_input = gated()  # lives to the end of the expression
        return (self.unary(self.add_(total, of_input), kind, "output"),)

    def _gru_cell(self, kind: str, gated, state: tuple, params: Gates) -> tuple:
        ih = self._chunks(gated(), 3)
        hh = self._chunks(self.linear(state[0], params.w_hh, params.b_hh), 3)
        reset = self.unary(self.add_(hh[0], ih[0]), "sigmoid", "output", inplace=True)
        update = self.unary(self.add_(hh[1], ih[1]), "sigmoid", "output", inplace=True)
        new = self.unary(self.add(ih[2], self.mul_(hh[2], reset)), "tanh", "output", inplace=True)
        return (self.add_(self.mul_(self.add(state[0], new, negative=True), update), new),)

    def _lstm_cell(self, kind: str, gated, state: tuple, params: Gates) -> tuple:
        total = self.linear(state[0], params.w_hh, params.b_hh)
        parts = self._chunks(self.add_(total, gated()), 4)
        i, f, c, o = (
            self.unary(part, name, "output", inplace=True)
            for part, name in zip(parts, ("sigmoid", "sigmoid", "tanh", "sigmoid"), strict=True)
        )
        cy = self.add_(self.mul(f, state[1]), self.mul(i, c))
        hy = self.mul(o, self.unary(cy, "tanh", "output"))
        return (hy if params.w_hr is None else self.matmul(hy, self.transpose(params.w_hr, 0, 1)), cy)

    def _chunks(self, x: Tensor, count: int) -> list[Tensor]:
        return self.split(x, [x.shape[1] // count] * count, 1)

    def mul_(self, a: Tensor, b: Tensor) -> Tensor:
        """a *= b: a copy of the old a is saved."""
        y, copy = self._overwritten(a, "mul_", clone=b.needs_grad)
        needs = a.needs_grad, b.needs_grad
        return self.record(
            "mul_", y, [a, b], lambda g: [self.as_gradient(g) if need else None for need in needs], [copy, b]
        )

    # -- one cell as a layer

    def recurrent_cell(self, kind: str, weights, x: Tensor, *given: Tensor) -> list[Tensor]:
        params = gates(weights)
        state = given or (self.make((x.shape[0], params.w_hh.shape[1]), x.dtype, what="first state"),) * 2
        return self._cell_layer(kind, len(state), x, *state, *params)

    @autocast("recurrent_cell")
    def _cell_layer(self, kind: str, states: int, x: Tensor, *given: Tensor | None) -> list[Tensor]:
        """given: the states, then the parameters."""
        state, params = given[:states], Gates(*given[states:])
        if self.rules.cuda and kind in GATES:
            return self._fused_cell(kind, params, x, state)
        return list(self.cell(kind, lambda: self.linear(x, params.w_ih, params.b_ih), state, params))

    def _fused_cell(self, kind: str, params: Gates, x: Tensor, state: tuple) -> list[Tensor]:
        """_thnn_fused_lstm_cell, _thnn_fused_gru_cell: both products are saved, and a workspace."""
        ih, hh = self.addmm(x, params.w_ih, None), self.addmm(state[0], params.w_hh, None)
        shape, lstm = state[0].shape, kind == "lstm"
        outputs = [self.make(shape, ih.dtype, what="output") for _ in range(1 + lstm)]
        work = self.make((shape[0], (4 if lstm else 5) * shape[1]), ih.dtype, what="workspace")
        old = state[1] if lstm else state[0]
        inputs = [ih, hh, old, params.b_ih, params.b_hh]

        def back(*grads):
            g_ih = self.make(ih_shape, work_dtype, what="gradient of the gates")
            g_hh = g_ih.alias() if lstm else self.make(ih_shape, work_dtype, what="gradient of the gates")
            g_old = self.make(shape, work_dtype, what="gradient of the state")
            if not has_bias:
                return [g_ih, g_hh, g_old, None, None]
            b_ih = self.make(ih_shape[1:], work_dtype, what="gradient of the bias")
            b_hh = b_ih.alias() if lstm else self.make(ih_shape[1:], work_dtype, what="gradient of the bias")
            return [g_ih, g_hh, g_old, b_ih, b_hh]

        ih_shape, work_dtype, has_bias = ih.shape, ih.dtype, params.b_ih is not None
        return self.record("fused_cell", outputs, inputs, back, [*inputs, *outputs[1:], work])
