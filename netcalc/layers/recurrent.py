"""Recurrent layers and cells: RNN, GRU and LSTM.

The state starts at zero, or from further inputs: h_0 (and c_0 of an LSTM), as in PyTorch.

MACs are the gate matrix products of every step (and LSTM's projection); the first step's product with the zero state is
counted like every other. Other FLOPs follow the documented equations, per step and hidden unit, without biases:
    RNN   2 = 1 sum of the two products, 1 tanh or ReLU
    GRU  17 = 3 sums, 2 sigmoids of 4, 1 tanh, 1 product r*(...), 4 for (1 - z)*n + z*h
    LSTM 22 = 4 sums, 3 sigmoids of 4, 2 tanh, 3 for f*c + i*g, 1 for o*tanh(c)
Each bias vector adds 1 per gate. Dropout costs nothing in evaluation mode.
"""

from __future__ import annotations

from ..arith import equal, less, prod
from .base import Layer, Work, arg, layer, need
from .kinds import count, dim, flag, probability, word
from .shape import described


class Gated(Layer):
    """What layers and cells share: the weights and the work of one step."""

    gates = 1  # matrices stacked in each weight
    pointwise = 2  # element-wise FLOPs per step and hidden unit, biases aside
    proj_size = 0

    inputs = (1, 2)
    same_dtype = 0

    input_size = arg(dim, infer=-1)
    hidden_size = arg(dim)

    def states(self, x) -> dict:
        """The initial state that may be given: {name: shape}."""
        return {"h_0": (x[0], self.hidden_size)}

    def needs(self, x, *given):
        states = self.states(x)
        yield need(len(given) in (0, len(states)), "E411", "the initial state of an LSTM is two tensors, h_0 and c_0", None,
                   "for example from: [x, encoder.h_n, encoder.c_n]")  # fmt: skip
        for (name, expected), shape in zip(states.items(), given, strict=False):
            for size, wanted in zip(shape, expected, strict=True):
                yield need(equal(size, wanted), "E402", self._misfit(name, shape, expected))

    def _misfit(self, name, shape, expected):
        return lambda: f"{name} is {described(shape)}, but {self.type} starts from {described(expected)}"

    def apply(self, module: str, names: list) -> str:
        state = names[1:]
        if len(state) == 2:
            return f"{module}({names[0]}, ({', '.join(state)}))"
        return f"{module}({', '.join(names)})"

    def conventions(self, *inputs):
        if self.bias and self.gates != 3:
            biases = sum(prod(size) for name, size in self.params(*inputs).items() if name.startswith("bias_hh"))
            yield (
                f"PyTorch adds two bias vectors to the gates, bias_ih and bias_hh, as cuDNN does; papers and Keras have "
                f"one, so {biases} parameters fewer."
            )
        elif self.bias:
            yield (
                "PyTorch adds two bias vectors to the gates, bias_ih and bias_hh; so does Keras with reset_after=True, its "
                "default. The paper has one."
            )

    def kind(self) -> str:
        """How a step is computed: "tanh", "relu", "gru" or "lstm"."""
        return {3: "gru", 4: "lstm"}.get(self.gates) or self.nonlinearity

    def projected(self) -> bool:
        return not (type(self.proj_size) is int and self.proj_size == 0)

    def state_size(self):
        """The features of the hidden state h."""
        return self.proj_size if self.projected() else self.hidden_size

    def step_params(self, features, suffix: str) -> dict:
        """The parameters of one layer in one direction."""
        rows = self.gates * self.hidden_size
        found = {f"weight_ih{suffix}": (rows, features), f"weight_hh{suffix}": (rows, self.state_size())}
        if self.bias:
            found |= {f"bias_ih{suffix}": (rows,), f"bias_hh{suffix}": (rows,)}
        if self.projected():
            found[f"weight_hr{suffix}"] = (self.proj_size, self.hidden_size)
        return found

    def step_macs(self, features):
        """The MACs of one step of one sample in one direction."""
        macs = self.gates * self.hidden_size * (features + self.state_size())
        return macs + self.hidden_size * self.proj_size if self.projected() else macs

    def step_other(self):
        return self.hidden_size * (self.pointwise + (2 * self.gates if self.bias else 0))


class Recurrent(Gated):
    """What RNN, GRU and LSTM share: the steps, stacked layers and directions. Input is batched."""

    num_layers = arg(dim, 1)
    bias = arg(flag, True)
    batch_first = arg(flag, False, doc="input is [batch, time, features], not [time, batch, features]")
    dropout = arg(probability, 0.0, doc="between stacked layers, in training")
    bidirectional = arg(flag, False)

    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    def batch(self, x):
        return x[0] if self.batch_first else x[1]

    def features_of(self, x) -> list:
        """The input features of each stacked layer."""
        return [x[2]] + [self.directions() * self.state_size()] * (self.num_layers - 1)

    def states(self, x):
        return {"h_0": (self.num_layers * self.directions(), self.batch(x), self.state_size())}

    def needs(self, x, *given):
        fixed = type(self.num_layers) is int
        yield need(fixed, "E405", lambda: f"num_layers must be fixed, but is {self.num_layers}", "num_layers")
        if fixed:
            yield need(
                self.num_layers <= 1_000,
                "E411",
                lambda: f"num_layers is {self.num_layers:,}; at most 1,000 are possible",
                "num_layers",
            )
        yield from super().needs(x, *given)

    def shape(self, x, *given):
        return [(x[0], x[1], self.directions() * self.state_size()), *self.states(x).values()]

    def parts(self, x, *given):
        return ["output", "h_n"]

    def dtype(self, *dtypes):
        return [dtypes[0]] * len(self.parts(None))

    def params(self, x, *given):
        found = {}
        for number, features in enumerate(self.features_of(x)):
            for direction in ("", "_reverse")[: self.directions()]:
                found |= self.step_params(features, f"_l{number}{direction}")
        return found

    def eager(self, op, weights, x, *given):
        stack = {
            "kind": self.kind(),
            "layers": self.num_layers,
            "directions": self.directions(),
            "hidden": self.hidden_size,
            "state": self.state_size(),
            "projected": self.projected(),
            "batch_first": self.batch_first,
            "dropout": self.dropout,
        }
        return op.recurrent(stack, weights, x, *given)

    def work(self, x, *rest):
        steps = x[0] * x[1] * self.directions()
        macs = sum(self.step_macs(features) for features in self.features_of(x))
        return Work(macs=steps * macs, other=steps * self.num_layers * self.step_other())

    def backward_macs(self, needed, trains, *shapes):
        """Through time everything flows; what can be spared is the gradient of the first layer's input, and that of
        the state that every layer and direction starts from."""
        if not trains and not any(needed):
            return 0
        x, rows = shapes[0], self.directions() * self.gates * self.hidden_size
        start = 0 if any(needed[1:2]) else self.batch(x) * self.num_layers * rows * self.state_size()
        spared = 0 if needed[0] else x[0] * x[1] * rows * x[2]
        return self.work(*shapes).macs * (1 + trains) - start - spared


def reordered(cls, *names: str):
    """Give the arguments PyTorch's order, where a subclass adds one in the middle."""
    cls.args = {name: cls.args[name] for name in names} | cls.args
    return cls


@layer("A B I, S B H -> A B O, S B H")
class RNN(Recurrent):
    """Elman network, h' = tanh(W_ih x + b_ih + W_hh h + b_hh). Agrees with torch.nn.RNN.

    Other FLOPs: 2 per step and hidden unit, and the biases.
    """

    nonlinearity = arg(word("tanh", "relu"), "tanh")


reordered(RNN, "input_size", "hidden_size", "num_layers", "nonlinearity")


@layer("A B I, S B H -> A B O, S B H")
class GRU(Recurrent):
    """Gated recurrent units. Agrees with torch.nn.GRU.

    Other FLOPs: 17 per step and hidden unit, and the biases.
    """

    gates, pointwise = 3, 17


@layer("A B I, S B H, S B C -> A B O, S B H, S B C")
class LSTM(Recurrent):
    """Long short-term memory, with an optional projection of h. Agrees with torch.nn.LSTM.

    Other FLOPs: 22 per step and hidden unit, and the biases.
    """

    inputs = (1, 3)
    gates, pointwise = 4, 22

    proj_size = arg(count, 0, doc="features of h after a projection; 0 for none")

    def states(self, x):
        h = super().states(x)["h_0"]
        return {"h_0": h, "c_0": (h[0], h[1], self.hidden_size)}

    def needs(self, x, *given):
        yield from super().needs(x, *given)
        yield need(less(self.proj_size, self.hidden_size), "E411",
                   lambda: f"proj_size = {self.proj_size} must be smaller than hidden_size = {self.hidden_size}", "proj_size")  # fmt: skip

    def parts(self, x, *given):
        return ["output", "h_n", "c_n"]


class Cell(Gated):
    """What the cells share: one step."""

    bias = arg(flag, True)

    def shape(self, x, *given):
        return (x[0], self.hidden_size)

    def params(self, x, *given):
        return self.step_params(x[1], "")

    def eager(self, op, weights, x, *given):
        return op.recurrent_cell(self.kind(), weights, x, *given)

    def work(self, x, *rest):
        return Work(macs=x[0] * self.step_macs(x[1]), other=x[0] * self.step_other())

    def backward_macs(self, needed, trains, x, *rest):
        """The input's gradient and that of the state are each as large as their own product."""
        rows = self.gates * self.hidden_size
        of_state = rows * self.hidden_size * any(needed[1:2])
        return x[0] * (rows * x[1] * needed[0] + of_state + self.step_macs(x[1]) * trains)


@layer("N I, N H -> N H")
class RNNCell(Cell):
    """One step of an RNN. Agrees with torch.nn.RNNCell.

    Other FLOPs: 2 per hidden unit, and the biases.
    """

    nonlinearity = arg(word("tanh", "relu"), "tanh")


@layer("N I, N H -> N H")
class GRUCell(Cell):
    """One step of a GRU. Agrees with torch.nn.GRUCell.

    Other FLOPs: 17 per hidden unit, and the biases.
    """

    gates, pointwise = 3, 17


@layer("N I, N H, N C -> N H, N C")
class LSTMCell(Cell):
    """One step of an LSTM: h and c. Agrees with torch.nn.LSTMCell.

    Other FLOPs: 22 per hidden unit, and the biases.
    """

    inputs = (1, 3)
    gates, pointwise = 4, 22

    def states(self, x):
        return {"h_0": (x[0], self.hidden_size), "c_0": (x[0], self.hidden_size)}

    def shape(self, x, *given):
        return [(x[0], self.hidden_size)] * 2

    def parts(self, x, *given):
        return ["h", "c"]

    def dtype(self, *dtypes):
        return [dtypes[0]] * 2
