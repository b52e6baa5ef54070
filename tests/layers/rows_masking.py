"""Comparisons, truth, choices by a mask, dtypes."""

import torch

from tests.layers.table import Row

BOOLS, MASKED, TOKENS = ("bool", "bool"), ("bool", "float32", "float32"), ("int64",)

ROWS = [
    Row("Equal", {}, [(2, 3, 5), (3, 1)], lambda: torch.eq),
    Row("Equal", {"operands": [None, 0]}, [(2, 7)], lambda: lambda x: torch.eq(x, 0), TOKENS),
    Row("NotEqual", {"operands": [None, 1.5]}, [(2, 7)], lambda: lambda x: torch.ne(x, 1.5)),
    Row("NotEqual", {}, [(2, 7, 1), (2, 1, 7)], lambda: torch.ne, ("int64", "int64")),
    Row("Less", {}, [(5, 1), (1, 7)], lambda: torch.lt, ("int64", "int64")),
    Row("Less", {"operands": [3, None]}, [(5, 2)], lambda: lambda x: torch.lt(torch.tensor(3.0), x)),
    Row("LessEqual", {}, [(2, 3), (2, 3)], lambda: torch.le),
    Row("LessEqual", {"operands": [None, -0.25]}, [(2, 3)], lambda: lambda x: torch.le(x, -0.25)),
    Row("Greater", {}, [(4, 2, 3), (3,)], lambda: torch.gt),
    Row("Greater", {"operands": [None, 4]}, [(5,)], lambda: lambda x: torch.gt(x, 4), TOKENS),
    Row("GreaterEqual", {}, [(2, 3), ()], lambda: torch.ge),
    Row("GreaterEqual", {"operands": [None, 2]}, [(7, 2)], lambda: lambda x: torch.ge(x, 2)),
    Row("LogicalAnd", {}, [(2, 1, 3), (5, 3)], lambda: torch.logical_and, BOOLS),
    Row("LogicalAnd", {}, [(2, 3)] * 3, lambda: lambda a, b, c: torch.logical_and(torch.logical_and(a, b), c), ("bool",) * 3),
    Row("LogicalOr", {}, [(2, 3), (1, 3)], lambda: torch.logical_or, BOOLS),
    Row("LogicalNot", {}, [(2, 3, 5)], lambda: torch.logical_not, ("bool",)),
    Row("Where", {}, [(7, 7), (2, 3, 7, 7), (2, 3, 7, 7)], lambda: torch.where, MASKED),
    Row("Where", {}, [(2, 1, 5), (3, 1), (2, 3, 5)], lambda: torch.where, MASKED),
    Row("Where", {"operands": [None, None, 0]}, [(2, 7, 1), (2, 7, 3)], lambda: lambda m, x: torch.where(m, x, 0), ("bool", "float32")),
    Row("Where", {"operands": [None, -1.5, None]}, [(2, 3), (2, 3)], lambda: lambda m, x: torch.where(m, -1.5, x), ("bool", "float32")),
    Row("Where", {"operands": [None, 0.5, None]}, [(2, 3), (2, 3)], lambda: lambda m, x: torch.where(m, 0.5, x), ("bool", "int64")),
    Row("Where", {"operands": [None, 1, 0]}, [(2, 3)], lambda: lambda m: torch.where(m, 1, 0), ("bool",)),
    Row("Where", {"operands": [None, 0.5, 1]}, [(5, 3)], lambda: lambda m: torch.where(m, 0.5, 1.0), ("bool",)),
    Row("MaskedFill", {"value": "-inf"}, [(2, 3, 7, 9), (7, 9)], lambda: lambda x, m: torch.masked_fill(x, m, float("-inf")), ("float32", "bool")),
    Row("MaskedFill", {"value": 0}, [(2, 7), (2, 7)], lambda: lambda x, m: torch.masked_fill(x, m, 0), ("int64", "bool")),
    Row("MaskedFill", {"value": -1e9}, [(2, 1, 7), (2, 5, 1)], lambda: lambda x, m: torch.masked_fill(x, m, -1e9), ("float32", "bool")),
    Row("CausalMask", {"size": 7}, [], lambda: lambda: torch.ones(7, 7, dtype=torch.bool).tril()),
    Row("CausalMask", {"size": 1}, [], lambda: lambda: torch.ones(1, 1, dtype=torch.bool).tril()),
    Row("To", {"dtype": "float32"}, [(2, 7)], lambda: lambda x: x.to(torch.float32), TOKENS),
    Row("To", {"dtype": "bool"}, [(2, 7)], lambda: lambda x: x.to(torch.bool)),
    Row("To", {"dtype": "bfloat16"}, [(2, 3, 5)], lambda: lambda x: x.bfloat16()),
    Row("To", {"dtype": "int64"}, [()], lambda: lambda x: x.long()),
]  # fmt: skip
