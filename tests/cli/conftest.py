"""Running the command line inside the test's process."""

from __future__ import annotations

import io
import sys
from typing import NamedTuple

import pytest

from netcalc.cli import main


class Answer(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """run("params", "alexnet", stdin=b"..."): exit code, standard output, standard error. In an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, stdin: bytes = b"") -> Answer:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main(list(arguments))
        return Answer(end.value.code, *capsys.readouterr())

    return run


SMALL = b"""\
netcalc: 1
name: Small
args: {width: 4, depths: [1, 2], Act: ReLU}
variants:
  wide: {args: {width: 8}, expect: {params: 1122}}
input: [N, 10]
layers:
  - a: {Linear: width}
    repeat: depths[0]
  - Act
  - b: {Linear: 100}
expect: {params: 544}
"""


@pytest.fixture
def small(tmp_path):
    """A small spec in the current folder: (10 + 1)*w + (w + 1)*100 parameters, 544 for w = 4 and 988 for w = 8."""
    path = tmp_path / "small.yaml"
    path.write_bytes(SMALL.replace(b"1122", b"988"))
    return path
