"""Random bodies of layers that make it hard to look at one stretch without the others: references, ties, lines that come
and go, layers that overwrite, gradients that end. Many of them are wrong, which is meant."""

from __future__ import annotations

from hypothesis import strategies as st

LINES = (
    "Linear: ds[0]",
    "fc2: {Linear: {out_features: 'ds[0] + ds[-1]', bias}}\n    when: flag",
    "Linear: 4\n    repeat: ds[1]",
    "Linear: 4\n    repeat: n",
    "many: {Linear: 'ds[0] if i == 0 else 4'}\n    repeat: n - 1",
    "stage: {B: {d: 4, f: flag}}\n    repeat: n",
    "Residual: [Act, {Linear: 4}]\n    repeat: n",
    "Linear: ds[1] if i % 2 == 0 else 4\n    repeat: n",
    "pair: {Pair: {d: 4}}\n    repeat: n\n    from: {x: prev, y: fc}\n  - Linear: 4\n    from: pair.x",
    "skips: {Skip: {f: flag}}\n    repeat: n\n    from: {x: prev, s: fc}",
    "tail: {Linear: 4}\n    repeat: ds[2]",
    "Act",
    "Reuse: act",
    "Reuse: fc",
    "relu: {ReLU: {inplace: true}}",
    "ReLU: {inplace: flag}",
    "Residual: [{a: {Linear: 4}}, Act]",
    "Residual: [{a: {Linear: {out_features: in_features, bias: false}}}]",
    "Residual: [{Linear: 'ds[0]'}, {ReLU: {inplace: true}}]",
    "Residual: [{inner: {Linear: {out_features: in_features, bias}}}]\n    freeze: flag",
    "group: [{inside: {Linear: 'ds[1]'}}, Act]",
    "outer: [Act, {deep: [{Linear: 'ds[0]'}, {Residual: [PReLU]}, {Residual: [Act]}]}, {ReLU: {inplace: flag}}, {Linear: 4}]",
    "other: [{first: {Linear: 4}}, {Add: [first, prev]}, {Linear: 'ds[1]'}, {again: {Reuse: first}}]",
    "Linear: 4\n    from: outer.deep",
    "Parallel: [{Linear: 4}, {Linear: 'ds[0]'}]\n    merge: {Concat: {dim: -1}}",
    "Add: [fc, prev]",
    "Add: [prev, input]",
    "Mul: [prev, 'ds[1]']",
    "Concat: {dim: -1}\n    from: [prev, act]",
    "out: {Linear: {out_features: 4, bias: false}}\n    tie: {weight: fc.weight}",
    "Linear: 4\n    freeze: flag",
    "Linear: ds[3]",
    "flat: Flatten",
    "Reshape: [N, -1]",
    "Permute: [0, 1]",
    "{Argmax: {dim: -1, keepdim: true}}\n  - Embedding: {num_embeddings: 5, embedding_dim: 'ds[0]'}\n  - Flatten",
    "B: {d: 'ds[1]'}",
    "block: {B: {d: 'ds[0]', f: flag}}\n    repeat: ds[2]",
    "two: {Two: {d: 4}}\n  - Linear: 3\n    from: two.a",
    "name1: {Linear: 4}\n    when: flag\n  - name1: {Linear: 8}\n    when: not flag",
    "maybe: [{Linear: 4, when: flag}]",
    "Dropout: 0.5\n    shape: [N, 'ds[0]']",
    "Linear: 4\n    name: 'L{ds[0]}'",
    "Slice: {dim: 1, start: 1}",
)  # fmt: skip
BLOCKS = """
blocks:
  B:
    args: {d, f: false}
    input: [M, C]
    layers:
      - Residual: [{l: {Linear: C}}, {ReLU: {inplace: f}}]
      - Linear: d
  Pair:
    args: {d}
    inputs: {x: [M, C], y: [M, C]}
    layers:
      - a: {Linear: d}
        from: x
      - b: {Add: [a, y]}
    outputs: {x: b, y: a}
  Skip:
    args: {f}
    inputs: {x: [M, C], s: [M, C]}
    layers:
      - r: {ReLU: {inplace: f}}
        from: s
      - Add: [r, x]
  Two:
    args: {d}
    layers:
      - a: {Linear: d}
      - b: {Linear: d}
    outputs: {b: b, a: a}
"""
AXES = {
    "ds": [[1, 2, 1, 2], [4, 4, 2, 4], [4, 1, 1, 3], [2, 4], [4, 2, 0, 4], [4, 4, 1, 4]],
    "n": [1, 2, 3, 5],
    "flag": [True, False],
    "bias": [True, False],
    "Act": ["ReLU", "GELU", "{ReLU: {inplace: true}}", "B"],
}


@st.composite
def bodies(draw):
    """The text of a spec, and a few values for some of its arguments."""
    lines = draw(st.lists(st.sampled_from(LINES), min_size=1, max_size=6, unique=True))
    first = draw(st.sampled_from(["fc: {Linear: {out_features: 'ds[1]', bias}}", "fc: {Linear: 4}"]))
    text = "netcalc: 1\nargs: {ds: [4, 4, 1, 4], n: 2, flag: true, bias: true, Act: ReLU}\ninput: [N, 4]\nlayers:\n"
    text += "".join(f"  - {line}\n" for line in (first, "act: Act", *lines, "end: [Act, Act]")) + BLOCKS
    text += draw(
        st.sampled_from(
            [
                "",
                "outputs: [prev, fc]\n",
                "outputs: [end.0, end]\n",
                "loss: [Mean]\n",
                "loss: [{Linear: 'ds[0]'}, Mean]\n",
            ]
        )
    )
    names = draw(st.lists(st.sampled_from(sorted(AXES)), min_size=1, max_size=3, unique=True))
    return text, {name: AXES[name] for name in names} | draw(st.sampled_from([{}, {"N": [1, 3]}]))
