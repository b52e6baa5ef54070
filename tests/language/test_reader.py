"""The YAML that is read: section 2.15 of the language, and places in the text."""

from __future__ import annotations

from fractions import Fraction

import pytest

from netcalc.errors import SpecError
from netcalc.language.files import spec_of_bytes, spec_of_text
from netcalc.language.reader import Entry, read, read_text

from .specs import error, graph, net, net_error, output

SPEC = "netcalc: 1\ninput: [N, 4]\nlayers:\n  - Linear: 10\n"


def tree(text: str) -> Entry:
    return read(read_text(text.encode(), "net.yaml"))


def plain(entry: Entry):
    """An entry as Python data."""
    if entry.kind == "list":
        return [plain(item) for item in entry.value]
    if entry.kind == "map":
        return {key.value: plain(value) for key, value in entry.value}
    return entry.value


def problem(text: str | bytes):
    with pytest.raises(SpecError) as caught:
        read(read_text(text.encode() if isinstance(text, str) else text, "net.yaml"))
    [diagnostic] = caught.value.diagnostics
    return diagnostic


# -- what is accepted


@pytest.mark.parametrize("text, expected", [
    ("a: 1", {"a": "1"}), ("{a: 1, b: [x, y]}", {"a": "1", "b": ["x", "y"]}), ("a:\n- x\n- y", {"a": ["x", "y"]}),
    ("a:\nb: ~\nc: null\nd: ''", {"a": None, "b": None, "c": None, "d": None}), ("{a, b: 1}", {"a": None, "b": "1"}),
    ("a: true\nb: yes\nc: 010\nd: 1e5", {"a": "true", "b": "yes", "c": "010", "d": "1e5"}),
    ("a: 'x: y # z'\nb: \"\\u00e4\"", {"a": "x: y # z", "b": "\u00e4"}),
    ("a: 1 # note\n# all\nb: 2", {"a": "1", "b": "2"}),
    ("a: &x [1, 2]\nb: *x", {"a": ["1", "2"], "b": ["1", "2"]}), ("---\na: 1\n...\n", {"a": "1"}),
    ("%YAML 1.1\n---\na: 1\n", {"a": "1"}),
    ("a: |\n  one\n  two\n", {"a": "one\ntwo\n"}), ("a: one\n  two", {"a": "one two"}), ("? a\n: 1", {"a": "1"}),
])  # fmt: skip
def test_tree(text, expected):
    """Everything stays text: what a number or a truth value is, expressions say."""
    assert plain(tree(text)) == expected


def test_byte_order_mark_and_windows_line_endings():
    for data in (
        SPEC.encode("utf-8-sig"),
        SPEC.replace("\n", "\r\n").encode(),
        ("\ufeff" + SPEC.replace("\n", "\r\n")).encode(),
    ):
        spec = spec_of_bytes(data, "net.yaml")
        assert spec.body[0].type == "Linear" and str(spec.body[0].type_entry.where) == "net.yaml:4:5"


def test_windows_line_endings_in_messages():
    with pytest.raises(SpecError) as caught:
        spec_of_bytes(SPEC.replace("layers", "layer").replace("\n", "\r\n").encode(), "net.yaml")
    assert "  3 | layer:\n    | ^^^^^\n" in str(caught.value)


def test_quotes_never_change_the_meaning():
    plain_text = """
        args: {width: 4, Act: ReLU, on: true, mode: nearest}
        input: [N, 3, 2*H, W]
        layers:
          - conv: {Conv2d: {out_channels: 2 * width, kernel_size: 3, padding: same, bias: on}}
            repeat: 1
          - Act
          - Upsample: {scale_factor: 2, mode}
          - Add: [prev, 1]
    """
    quoted = """
        "args": {"width": "4", 'Act': "ReLU", "on": "true", "mode": "nearest"}
        "input": ["N", "3", "2*H", 'W']
        "layers":
          - "conv": {'Conv2d': {"out_channels": "2 * width", "kernel_size": '3', "padding": "same", "bias": 'on'}}
            "repeat": "1"
          - "Act"
          - "Upsample": {"scale_factor": "2", "mode": ""}
          - "Add": ["prev", "1"]
    """
    first, second = graph(plain_text), graph(quoted)
    assert [(n.path, n.type, str(n.outputs[0].shape), n.layer.given) for n in first.nodes] == [
        (n.path, n.type, str(n.outputs[0].shape), n.layer.given) for n in second.nodes
    ]
    assert output(first) == "[N, 8, 4*H, 2*W]"


@pytest.mark.parametrize("written, expected", [("1_000", 1000), ("1e3", 1000), ("2.", 2), ("'7'", 7), ("[1_0, 2_0]", [10, 20]), ("1e-5", Fraction(1, 100_000)),
                                               (".5", Fraction(1, 2)), ("-3", -3), ("true", True), ("false", False)])  # fmt: skip
def test_numbers_and_truth_values(written, expected):
    assert graph(f"args: {{a: {written}}}\ninput: [N]\nlayers: [ReLU]").args["a"] == expected


@pytest.mark.parametrize("written, code", [("010", "E301"), ("0x10", "E301"), ("0o17", "E301"), ("1:30", "E301")])
def test_numbers_of_other_readers(written, code):
    """YAML 1.1 reads these as 8, 16, 15 and 90."""
    assert net_error(f"- Linear: {written}", "[N, 4]").code == code


@pytest.mark.parametrize("written", ["yes", "no", "on", "off", "True", "False", "TRUE", "No", "y"])
def test_only_true_and_false_are_truth_values(written):
    assert net_error(f"- Linear: {{out_features: 4, bias: {written}}}", "[N, 4]").code == "E304"


def test_n_is_a_word():
    """A strictly literal YAML 1.1 reader would call N false."""
    assert output(net("- ReLU", "[N, Y, 8]")) == "[N, Y, 8]"


# -- what is refused


@pytest.mark.parametrize("text, code, place, part", [
    ("a: 1\nb: 2\na: 3", "E103", "3:1", "`a` is written twice"),
    ("{a: 1, 'a': 2}", "E103", "1:8", "`a` is written twice"),
    ("a: {b: 1, b: 2}", "E103", "1:11", "`b` is written twice"),
    ("a: &x {b: 1}\nc: {<<: *x}", "E105", "2:5", "merge keys"), ("a: {'<<': {b: 1}}", "E105", "1:5", "merge keys"),
    ("a: {<<: [1]}", "E105", "1:5", "merge keys"),
    ("a: !!int 1", "E108", "1:4", "the tag !!int"), ("a: !x 1", "E108", "1:4", "the tag !x"),
    ("a: !!python/object/apply:os.system [id]", "E108", "1:4", "the tag !!python/object"),
    ("a: ! 1", "E108", "1:4", "the tag !"), ("a: !<tag:yaml.org,2002:str> 1", "E108", "1:4", "the tag !!str"),
    ("%TAG ! tag:x.org,2000:\n---\na: !y 1", "E108", "3:4", "the tag"), ("!x\na: 1", "E108", "1:1", "the tag !x"),
    ("a: 1\n---\nb: 2", "E102", "2:1", "one YAML document"), ("[1]: 2", "E104", "1:1", "a key must be a word"),
    ("{{a: 1}: 2}", "E104", "1:2", "a key must be a word"), ("~: 1", "E104", "1:1", "a key must be a word"),
    ("a:\n\tb: 1", "E101", "2:1", "a tab"), ("a:\n  - b\n\t- c", "E101", "3:1", "a tab"),
    ("a:\n  - b:\n  \t c: 1", "E101", "3:3", "a tab"),
    ("a: [1", "E100", None, "expected ',' or ']'"), ("a: 'x", "E100", None, "unexpected end"),
    ("a: {b: 1", "E100", None, "expected ',' or '}'"), ("a: b: c", "E100", "1:5", "mapping values"),
    ("- a\nb: 1", "E100", None, "not valid YAML"), ("a: @x", "E100", "1:4", "not valid YAML"),
    ("a: %x", "E100", "1:4", "not valid YAML"),
    ("a: *x", "E107", "1:4", "the anchor `x` is not defined"),
    ("a: &x [*x]", "E107", "1:8", "the anchor `x` contains itself"),
    ("a: &x {b: {c: *x}}", "E107", "1:15", "contains itself"),
    ("", "E200", "1:1", "the file is empty"), ("\n\n# only a comment\n", "E200", "1:1", "the file is empty"),
    ("---\n...\n# x\n...", None, None, None), ("\ufeff", "E200", "1:1", "the file is empty"),
])  # fmt: skip
def test_refused(text, code, place, part):
    if code is None:  # an explicit document without content is an empty value, and so no mapping
        with pytest.raises(SpecError, match="E200"):
            spec_of_text(text)
        return
    found = problem(text)
    assert found.code == code and part in found.text
    if place:
        assert str(found.where) == f"net.yaml:{place}"


@pytest.mark.parametrize("text", ["[1, 2]", "just text", "1", "null", "- a\n- b", "''"])
def test_root_that_is_no_mapping(text):
    with pytest.raises(SpecError) as caught:
        spec_of_text(text, "net.yaml")
    [found] = caught.value.diagnostics
    assert (found.code, str(found.where)) == ("E200", "net.yaml:1:1") and "a spec is a mapping" in found.text


@pytest.mark.parametrize("data, code, part", [
    (b"a: \xff\xfe", "E110", "is not UTF-8 text (line 1)"), (b"a: 1\nb: \xe4", "E110", "(line 2)"),
    ("a: 1".encode("utf-16"), "E110", "is not UTF-8"), ("a: 1".encode("utf-16-le"), "E110", "control characters"),
    (b"a: \x00", "E110", "control characters"), (b"\x00" * 100, "E110", "control characters"),
    (b"a: \x1b[31m", "E110", "control characters"), (b"\x7fELF\x02\x01\x01", "E110", "control characters"),
    (b"a: \xed\xa0\x80", "E110", "not UTF-8"),
    (b"#" * 1_000_001, "E109", "is larger than 1 MB"),
])  # fmt: skip
def test_bytes_that_are_no_spec(data, code, part):
    found = problem(data)
    assert found.code == code and part in found.text and "net.yaml" in found.text


def test_a_file_of_one_megabyte_is_read():
    assert plain(tree("a: 1\n" + "#" * (1_000_000 - 5))) == {"a": "1"}


def test_depth():
    assert tree("[" * 64 + "]" * 64).height == 64
    found = problem("[" * 65 + "]" * 65)
    assert (found.code, str(found.where)) == ("E106", "net.yaml:1:65")


def test_depth_through_aliases():
    text = "a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 30 + "*a" + "]" * 30
    assert problem(text).code == "E106"


def test_number_of_entries():
    assert problem("[" + "a, " * 150_000 + "]").code == "E109"


def test_aliases_within_the_limit():
    text = "a: &a [" + "x, " * 999 + "x]\nb: [" + "*a, " * 9 + "]"  # 9 * 1001 entries
    assert len(tree(text).get("b").value) == 9
    assert problem(text.replace("]\nb: [", "]\nb: [*a, ")).code == "E107"  # 10 * 1001


# -- places


def test_places():
    root = tree('first: [one, "two" ]\nlong name: {a: b}\n')
    assert [str(key.where) for key, _ in root.value] == ["net.yaml:1:1", "net.yaml:2:1"]
    one, two = root.get("first").value
    assert (str(one.where), one.width, str(two.where), two.width) == ("net.yaml:1:9", 3, "net.yaml:1:14", 5)
    assert (root.get("first").where.column, root.get("first").width) == (8, 13)
    assert two.inside(1, 2).column == 16  # the second sign inside the quotes


def test_a_place_after_wide_characters():
    assert tree("\u00e4\u00f6\U0001f600: [x]").get("\u00e4\u00f6\U0001f600").value[0].where.column == 7


# -- keys of the spec


@pytest.mark.parametrize("text, code, part", [
    ("layers: [ReLU]", "E203", "no `input`"), ("input: [N]", "E203", "no `layers`"),
    ("input: [N]\ninputs: {x: [N]}\nlayers: [ReLU]", "E203", "not both"),
    ("input: [N]\nlayers: []", "E210", "at least one layer"),
    ("input: [N]\nlayers: ReLU", "E210", "`layers` needs a list"),
    ("input: [N]\nlayers: {ReLU: }", "E210", "`layers` needs a list"),
    ("input: N\nlayers: [ReLU]", "E210", "needs a shape"),
    ("input: {shape: [N], size: 3}\nlayers: [ReLU]", "E201", "`size` is not a key of an input"),
    ("input: {shape: [N], dtype: float}\nlayers: [ReLU]", "E211", "no dtype `float`"),
    ("x-note: 1\ninput: [N]\nlayers: [ReLU]", "E201", "`x-note`"),
    ("name: tiny\ninput: [N]\nlayers: [ReLU]", "E220", "capital letter"),
    ("args: [a]\ninput: [N]\nlayers: [ReLU]", "E210", "`args` needs a mapping"),
    ("args: {i: 1}\ninput: [N]\nlayers: [ReLU]", "E221", "`i` cannot be"),
    ("args: {a-b: 1}\ninput: [N]\nlayers: [ReLU]", "E221", "`a-b`"),
    ("input: [N]\nlayers: [ReLU]\nblocks: {a: {layers: [ReLU]}}", "E220", "`a` cannot be the name of a block"),
    ("input: [N]\nlayers: [ReLU]\nblocks: {A: {}}", "E203", "no `layers`"),
    ("input: [N]\nlayers: [ReLU]\nblocks: {A: {layers: [ReLU], loss: x}}", "E201", "`loss` is not a key of a block"),
    ("input: [N]\nlayers: [ReLU]\nblocks: {A: [ReLU]}", "E210", "needs a mapping"),
    ("input: [N]\nlayers: [ReLU]\nblocks: {Residual: {layers: [ReLU]}}", "E221", "word of the language"),
    ("input: [N]\nlayers: [ReLU]\nexpect: {param: 3}", "E201", "`param` is not a key"),
    ("input: [N]\nlayers: [ReLU]\nvariants: {a: {args: {b: 1}}}", "E303", "no argument `b`"),
    ("input: [N]\nlayers: [ReLU]\nvariants: {a: {layers: [ReLU]}}", "E201", "a variant"),
    ("input: [N]\nlayers: [[ReLU]]", "E212", "not a list"), ("input: [N]\nlayers: [~]", "E212", "not an empty line"),
    ("input: [N]\nlayers: [{from: a}]", "E212", "only keywords"),
    ("input: [N]\nlayers: [{a: }]", "E212", "`a` has no layer"),
    ("input: [N]\nlayers: [{a: {from: b}}]", "E212", "`a` needs a layer"),
    ("input: [N]\nlayers: [{input: ReLU}]", "E221", "word of the language"),
    ("input: [N]\nlayers: [{class: ReLU}]", "E222", "word of Python"),
    ("input: [N]\nlayers: [{forward: ReLU}]", "E222", "torch.nn.Module"),
    ("input: [N]\nlayers: [ReLU]\noutputs: {a.b: prev}", "E221", "`a.b`"),
    ("inputs: {on: [N]}\nlayers: [ReLU]", "E221", "`on`"),
    (f"input: [N]\nlayers: [{{{'a' * 101}: ReLU}}]", "E221", "at most 100 characters"),
    ("input: [N]\nlayers: [{ReLU: , wehn: true}]", "E215", "`wehn` is not a keyword"),
    ("input: [N]\nlayers: [{ReLU: , inplace: true}]", "E214", "an argument of ReLU"),
    ("input: [N]\nlayers: [{ReLU: , merge: Add}]", "E217", "`merge` belongs to Parallel"),
    ("input: [N]\nlayers: [{ReLU: , shortcut: [ReLU]}]", "E217", "`shortcut` belongs to Residual"),
    ("input: [N]\nlayers: [{Parallel: [ReLU], merge: {a: Add}}]", "E217", "without a name"),
    ("input: [N]\nlayers: [{Parallel: [ReLU], merge: {Add: , from: x}}]", "E217", "without a name"),
    ("input: [N]\nlayers: [{Sequential: [ReLU], tie: {a: b}}]", "E217", "`tie` belongs to a layer"),
    ("input: [N]\nlayers: [{a: ReLU, name: B}]", "E217", "two names"),
    ("input: [N]\nlayers: [Residual]", "E210", "Residual needs a list"), ("netcalc: 2", "E103", "written twice"),
])  # fmt: skip
def test_structure(text, code, part):
    found = error(text)
    assert found.code == code and part in found.text


@pytest.mark.parametrize("version", ["0", "1.0", "one", "[1]", "-1", "01", ""])
def test_other_versions(version):
    with pytest.raises(SpecError) as caught:
        spec_of_text(f"netcalc: {version}\ninput: [N]\nlayers: [ReLU]")
    assert caught.value.diagnostics[0].code == "E202"


def test_about_is_never_looked_at():
    text = "about: {x-1: [{on: 1}], deep: {Conv2D: kernal}}\ninput: [N]\nlayers: [ReLU]\n"
    assert graph(text).spec.about.get("deep") is not None
