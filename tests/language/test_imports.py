"""Imports of blocks and of whole models, and files that are libraries (section 2.10)."""

from __future__ import annotations

from pathlib import Path

import pytest

from netcalc.elaborate import elaborate
from netcalc.errors import SpecError
from netcalc.language.files import spec_of_file, spec_of_text

from .specs import output, types


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("netcalc: 1\n" + text)
    return folder / "net.yaml"


LIBRARY = "blocks:\n  Wide: {args: {f: 2}, input: [N, C], layers: [{Inner: {out: f * C}}]}\n  Inner: {args: {out}, layers: [{Linear: out}]}\n"


def test_import_of_blocks(tmp_path):
    """Imported blocks use the blocks of their own file."""
    path = written(
        tmp_path,
        sub__lib=LIBRARY,
        net="imports: {sub/lib.yaml: [Wide]}\ninput: [N, 3]\nlayers: [Wide, {Wide: {f: 3}}, Inner]\nblocks: {Inner: {layers: [ReLU]}}",
    )
    assert output(elaborate(spec_of_file(path))) == "[N, 18]"


def test_import_of_a_whole_model(tmp_path):
    backbone = "name: Backbone\nargs: {width: 4}\nvariants: {big: {args: {width: 9}}}\ninput: [B, 3, 8*H, 8*W]\nlayers: [{conv: {Conv2d: {out_channels: width, kernel_size: 8, stride: 8}}}]\nexpect: {params: 1}\nloss: MSELoss\n"
    path = written(
        tmp_path,
        backbone=backbone,
        net="imports: {backbone.yaml: [Backbone]}\ninput: [N, 3, 16, 16]\nlayers: [{body: {Backbone: {width: 5}}}, Flatten]",
    )
    g = elaborate(spec_of_file(path))
    assert (
        output(g) == "[N, 20]"
        and [key for key, *_ in g.tensors()] == ["body.conv.weight", "body.conv.bias"]
        and not g.loss
    )
    (tmp_path / "net.yaml").write_text(path.read_text().replace("16, 16", "16, 12"))
    with pytest.raises(SpecError, match="E415"):
        elaborate(spec_of_file(path))


def test_imports_of_imports(tmp_path):
    """Paths are relative to the file that names them, a file is read once, and names are not passed on."""
    path = written(tmp_path, a__one="imports: {two.yaml: [Two], ../b/three.yaml: [Three]}\nblocks: {One: {layers: [Two, Three]}}", a__two="imports: {../b/three.yaml: [Three]}\nblocks: {Two: {layers: [Three]}}",
                   b__three="blocks: {Three: {layers: [{Linear: 2}]}}", net="imports: {a/one.yaml: [One]}\ninput: [N, 3]\nlayers: [One]")  # fmt: skip
    assert types(elaborate(spec_of_file(path))) == ["Linear", "Linear"]
    path.write_text(path.read_text().replace("[One]}", "[One, Two]}"))
    with pytest.raises(SpecError, match=r"E208.*a/one\.yaml has no block `Two`"):
        spec_of_file(path)


@pytest.mark.parametrize(
    "imports, code",
    [
        ("{lib.yaml: [Wid]}", "E208"),
        ("{lib.yaml: [wide]}", "E220"),
        ("{lib.yaml: Wide}", None),
        ("{lib.yaml: [Wide, Wide]}", "E206"),
        ("{lib.yaml: [Wide], ./lib.yaml: [Wide]}", "E206"),
        ("[lib.yaml]", "E210"),
        ("{lib.yml: [Wide]}", "E207"),
    ],
)
def test_imports_that_are_wrong(tmp_path, imports, code):
    path = written(tmp_path, lib=LIBRARY, net=f"imports: {imports}\ninput: [N, 3]\nlayers: [Wide]")
    if code is None:
        assert output(elaborate(spec_of_file(path))) == "[N, 6]"
        return
    with pytest.raises(SpecError, match=code):
        spec_of_file(path)


def test_a_file_with_a_similar_name_is_proposed(tmp_path):
    path = written(
        tmp_path, sub__resnet=LIBRARY, net="imports: {sub/resnt.yaml: [Wide]}\ninput: [N, 3]\nlayers: [Wide]"
    )
    with pytest.raises(SpecError, match=r"did you mean `sub/resnet\.yaml`\?"):
        spec_of_file(path)


def test_errors_in_imported_files_say_where(tmp_path):
    path = written(
        tmp_path,
        sub__lib=LIBRARY.replace("out: f * C", "uot: f * C"),
        net="imports: {sub/lib.yaml: [Wide]}\ninput: [N, 3]\nlayers: [Wide]",
    )
    with pytest.raises(SpecError) as caught:
        elaborate(spec_of_file(path, "net.yaml"))
    [problem] = caught.value.diagnostics
    assert problem.code == "E230" and str(problem.where).endswith("sub/lib.yaml:3:57")
    assert [(text, str(where)) for text, where in problem.notes] == [("inside block Wide, used here", "net.yaml:4:10")]


def test_a_library_file_has_no_network():
    spec = spec_of_text("netcalc: 1\n" + LIBRARY)
    assert set(spec.blocks) == {"Wide", "Inner"}
    with pytest.raises(SpecError, match="this file has only blocks"):
        elaborate(spec)
