"""Recurrent layers and cells.

On the meta device torch's flop counter sees every matrix product of a recurrent layer; the rows with `macs` say what
they are by hand: samples * steps * directions * rows of the weights * (input features + state features).
"""

from torch import nn

from tests.layers.table import Row


def lstm(module, x, h, c):
    return module(x, (h, c))


ROWS = [
    Row("RNN", {"hidden_size": 20}, [(5, 3, 10)], lambda: nn.RNN(10, 20), macs=3 * 5 * 20 * (10 + 20)),
    Row("RNN", {"hidden_size": 6, "num_layers": 3, "nonlinearity": "relu", "bias": False, "batch_first": True}, [(4, 7, 5)], lambda: nn.RNN(5, 6, 3, "relu", False, True)),
    Row("RNN", {"hidden_size": 6, "num_layers": 2, "bidirectional": True, "dropout": 0.25}, [(4, 7, 5)], lambda: nn.RNN(5, 6, num_layers=2, dropout=0.25, bidirectional=True), macs=4 * 7 * 2 * 6 * ((5 + 6) + (12 + 6))),
    Row("RNN", {"hidden_size": 1, "batch_first": True}, [(2, 9, 1)], lambda: nn.RNN(1, 1, batch_first=True)),
    Row("RNN", {"hidden_size": 9, "bidirectional": True, "nonlinearity": "relu"}, [(1, 2, 5)], lambda: nn.RNN(5, 9, bidirectional=True, nonlinearity="relu")),
    Row("GRU", {"hidden_size": 20}, [(5, 3, 10)], lambda: nn.GRU(10, 20), macs=3 * 5 * 60 * (10 + 20)),
    Row("GRU", {"hidden_size": 6, "num_layers": 3, "bias": False, "batch_first": True}, [(4, 7, 5)], lambda: nn.GRU(5, 6, 3, False, True)),
    Row("GRU", {"hidden_size": 6, "num_layers": 2, "bidirectional": True, "dropout": 0.5}, [(4, 7, 5)], lambda: nn.GRU(5, 6, 2, dropout=0.5, bidirectional=True), macs=4 * 7 * 2 * 18 * ((5 + 6) + (12 + 6))),
    Row("GRU", {"hidden_size": 8, "bidirectional": True, "batch_first": True, "bias": False}, [(3, 1, 13)], lambda: nn.GRU(13, 8, 1, False, True, 0, True)),
    Row("LSTM", {"hidden_size": 20}, [(5, 3, 10)], lambda: nn.LSTM(10, 20), macs=3 * 5 * 80 * (10 + 20)),
    Row("LSTM", {"hidden_size": 6, "num_layers": 3, "bias": False, "batch_first": True}, [(4, 7, 5)], lambda: nn.LSTM(5, 6, 3, False, True)),
    Row("LSTM", {"hidden_size": 6, "num_layers": 2, "bidirectional": True, "dropout": 0.5}, [(4, 7, 5)], lambda: nn.LSTM(5, 6, 2, dropout=0.5, bidirectional=True), macs=4 * 7 * 2 * 24 * ((5 + 6) + (12 + 6))),
    Row("LSTM", {"hidden_size": 6, "proj_size": 4}, [(9, 7, 5)], lambda: nn.LSTM(5, 6, proj_size=4), macs=9 * 7 * (24 * (5 + 4) + 6 * 4)),
    Row("LSTM", {"hidden_size": 6, "num_layers": 2, "proj_size": 3, "bidirectional": True}, [(8, 2, 5)], lambda: nn.LSTM(5, 6, 2, bidirectional=True, proj_size=3), macs=8 * 2 * 2 * ((24 * (5 + 3) + 18) + (24 * (6 + 3) + 18))),
    Row("LSTM", {"hidden_size": 6, "num_layers": 2, "proj_size": 5, "batch_first": True, "bias": False}, [(8, 2, 7)], lambda: nn.LSTM(7, 6, 2, bias=False, batch_first=True, proj_size=5)),
    Row("LSTM", {"hidden_size": 650, "num_layers": 2, "dropout": 0.5}, [(35, 20, 200)], lambda: nn.LSTM(200, 650, 2, dropout=0.5)),
    Row("RNNCell", {"hidden_size": 20}, [(3, 10)], lambda: nn.RNNCell(10, 20), macs=3 * 20 * (10 + 20)),
    Row("RNNCell", {"hidden_size": 7, "bias": False, "nonlinearity": "relu"}, [(3, 5)], lambda: nn.RNNCell(5, 7, False, "relu")),
    Row("GRUCell", {"hidden_size": 20}, [(3, 10)], lambda: nn.GRUCell(10, 20), macs=3 * 60 * (10 + 20)),
    Row("GRUCell", {"hidden_size": 7, "bias": False}, [(1, 5)], lambda: nn.GRUCell(5, 7, bias=False)),
    Row("LSTMCell", {"hidden_size": 20}, [(3, 10)], lambda: nn.LSTMCell(10, 20), macs=3 * 80 * (10 + 20)),
    Row("LSTMCell", {"hidden_size": 7, "bias": False}, [(2, 5)], lambda: nn.LSTMCell(5, 7, bias=False)),
    Row("GRU", {"hidden_size": 1024, "num_layers": 4, "batch_first": True, "dropout": 0.3}, [(3, 11, 80)], lambda: nn.GRU(80, 1024, 4, batch_first=True, dropout=0.3)),
    Row("LSTMCell", {"hidden_size": 1}, [(1, 1)], lambda: nn.LSTMCell(1, 1)),
    Row("RNN", {"hidden_size": 6, "num_layers": 2}, [(4, 7, 5), (2, 7, 6)], lambda: nn.RNN(5, 6, 2)),
    Row("GRU", {"hidden_size": 6, "num_layers": 2, "bidirectional": True, "batch_first": True}, [(3, 7, 5), (4, 3, 6)], lambda: nn.GRU(5, 6, 2, batch_first=True, bidirectional=True), macs=3 * 7 * 2 * 18 * ((5 + 6) + (12 + 6))),
    Row("LSTM", {"hidden_size": 6, "num_layers": 3, "batch_first": True}, [(4, 7, 5), (3, 4, 6), (3, 4, 6)], lambda: nn.LSTM(5, 6, 3, batch_first=True), call=lstm),
    Row("LSTM", {"hidden_size": 6, "proj_size": 4, "bidirectional": True}, [(9, 7, 5), (2, 7, 4), (2, 7, 6)], lambda: nn.LSTM(5, 6, proj_size=4, bidirectional=True), call=lstm, macs=9 * 7 * 2 * (24 * (5 + 4) + 6 * 4)),
    Row("RNNCell", {"hidden_size": 7}, [(3, 5), (3, 7)], lambda: nn.RNNCell(5, 7)),
    Row("GRUCell", {"hidden_size": 7, "bias": False}, [(3, 5), (3, 7)], lambda: nn.GRUCell(5, 7, bias=False), macs=3 * 21 * (5 + 7)),
    Row("LSTMCell", {"hidden_size": 20}, [(3, 10), (3, 20), (3, 20)], lambda: nn.LSTMCell(10, 20), call=lstm),
]  # fmt: skip
