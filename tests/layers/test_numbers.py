"""Every rule gives the same on ints, on formulas, on sympy symbols and on numpy arrays."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from netcalc.arith import Condition, at, symbol
from tests.layers.table import all_rows, built

ROWS = all_rows()


def results(layer, inputs):
    """Everything that the rules say, as one flat list of numbers."""
    y = layer.shape(*inputs)
    shapes = list(y) if layer.parts(*inputs) is not None else [y]
    shapes += list(layer.params(*inputs).values()) + [shape for shape, _ in layer.buffers(*inputs).values()]
    shapes += [shape for shape, _ in layer.targets(*inputs)]
    work = layer.work(*inputs, y)
    return [size for shape in shapes for size in shape] + [work.macs, work.other]


def holds(layer, inputs) -> bool:
    return all(n.ok is True or (not isinstance(n.ok, bool) and bool(np.all(n.ok))) for n in layer.needs(*inputs))


@pytest.mark.parametrize("row", ROWS, ids=str)
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_kinds_of_number_agree(row, data):
    layer = built(row)
    values = sorted({size for shape in row.inputs for size in shape if size > 1 and size not in row.fixed})
    names = {value: f"D{value}" for value in values}
    scales = [{v: data.draw(st.integers(1, 3)) for v in values} for _ in range(3)]
    designs = []
    for scale in [dict.fromkeys(values, 1), *scales]:
        shapes = [tuple(scale.get(size, 1) * size for size in shape) for shape in row.inputs]
        try:
            if holds(layer, shapes) and all(size >= 0 for size in results(layer, shapes)):
                designs.append(({names[v]: scale[v] * v for v in values}, results(layer, shapes)))
        except (ZeroDivisionError, ArithmeticError):
            continue
    assume(designs)

    symbols = [tuple(symbol(names[s]) if s in names else s for s in shape) for shape in row.inputs]
    conditions = [n.ok for n in layer.needs(*symbols)]
    assert all(ok is not False for ok in conditions)
    formulas = results(layer, symbols)
    for binding, expected in designs:
        assert [at(f, binding) for f in formulas] == expected
        assert all(at(ok, binding) is True for ok in conditions if isinstance(ok, Condition))

    letters = {name: sympy.Symbol(name, integer=True, positive=True) for name in names.values()}
    symbols = [tuple(letters[names[s]] if s in names else s for s in shape) for shape in row.inputs]
    list(layer.needs(*symbols))
    for binding, expected in designs:
        numbers = {letters[name]: value for name, value in binding.items()}
        assert [sympy.sympify(f).subs(numbers) for f in results(layer, symbols)] == expected

    columns = {v: np.array([binding[names[v]] for binding, _ in designs]) for v in values}
    arrays = [tuple(columns.get(size, size) for size in shape) for shape in row.inputs]
    assert holds(layer, arrays)
    for column, *expected in zip(results(layer, arrays), *(e for _, e in designs), strict=True):
        assert np.broadcast_to(column, len(designs)).tolist() == expected
