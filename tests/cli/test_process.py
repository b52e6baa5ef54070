"""How the command ends when the world outside is not what it hoped: files, pipes, signals, terminals."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time

import pytest

NETCALC = [sys.executable, "-m", "netcalc"]
BROKEN = "netcalc: 1\ninput: [N, 10]\nlayers:\n  - Lineer: 3\n"


def files(folder) -> set[str]:
    return {path.name for path in folder.iterdir()}


# -- the -o file


@pytest.mark.parametrize("format", ["table", "csv", "json", "markdown", "latex", "html"])
def test_a_file_holds_what_would_be_printed(run, tmp_path, format):
    answer = run("params", "mlp", "--format", format, "-o", "out.txt")
    assert answer == (0, "", "note: wrote out.txt\n")
    assert (tmp_path / "out.txt").read_bytes().decode() == run("params", "mlp", "--format", format).out
    assert files(tmp_path) == {"out.txt"}


def test_a_file_is_never_replaced_silently(run, tmp_path):
    out = tmp_path / "out.txt"
    out.write_text("old")
    out.chmod(0o640)
    assert run("params", "mlp", "--output", "out.txt").err == "note: replaced out.txt\n"
    assert out.read_text().startswith("MLP") and out.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_a_link(run, tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    assert run("params", "mlp", "-o", "link.txt").code == 0
    assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "real.txt").read_text().startswith("MLP")


def test_a_device_is_written_to(run):
    assert run("params", "mlp", "-o", "/dev/null").code == 0
    assert not os.path.isfile("/dev/null")


def test_an_error_leaves_the_old_file(run, tmp_path):
    (tmp_path / "net.yaml").write_text(BROKEN)
    (tmp_path / "out.txt").write_text("old")
    answer = run("params", "net.yaml", "-o", "out.txt")
    assert answer.code == 2 and (tmp_path / "out.txt").read_text() == "old"
    assert files(tmp_path) == {"net.yaml", "out.txt"}


def test_a_failed_write_leaves_nothing(run, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    answer = run("params", "mlp", "-o", "out.txt")
    assert answer == (2, "", "error: cannot write out.txt: No space left on device\n")
    assert files(tmp_path) == set()


def test_an_unwritable_place(run):
    assert run("params", "mlp", "-o", "none/out.txt") == (
        2,
        "",
        "error: cannot write none/out.txt: No such file or directory\n",
    )
    answer = run("params", "mlp", "-o", ".")
    assert (answer.code, answer.out) == (2, "") and "is a directory" in answer.err


# -- pipes and signals


def test_a_closed_pipe_is_no_error():
    """`netcalc ... | head -1`, with an answer much longer than a pipe holds."""
    process = subprocess.Popen(
        [*NETCALC, "params", "densenet201", "--expand", "--format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"{\n"
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 0


def test_a_pipe_closed_from_the_start():
    read, write = os.pipe()
    os.close(read)
    process = subprocess.run([*NETCALC, "params", "mlp"], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (process.returncode, process.stderr) == (0, b"")


def test_ctrl_c():
    process = subprocess.Popen(
        [*NETCALC, "params", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    time.sleep(1)  # it waits for its input
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, out) == (130, b"") and b"Traceback" not in err


# -- colours


def on_a_terminal(*arguments, **environment) -> str:
    """What appears on a terminal (standard error only; colours are used nowhere else)."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*NETCALC, *arguments], stdout=subprocess.DEVNULL, stderr=theirs, env={**os.environ, **environment}
    )
    os.close(theirs)
    text = b""
    try:
        while part := os.read(ours, 4096):
            text += part
    except OSError:  # Linux says so at the end of a terminal
        pass
    process.wait()
    os.close(ours)
    return text.decode()


@pytest.fixture
def broken(tmp_path):
    path = tmp_path / "error_net.yaml"
    path.write_text(BROKEN)
    return str(path)


def test_severity_is_coloured_on_a_terminal(broken):
    text = on_a_terminal("params", broken)
    assert "\x1b[31m\x1b[1merror\x1b[0m[E220]" in text and "/error_net.yaml:4:5: " in text
    assert "\x1b[33m\x1b[1mwarning\x1b[0m[W404]" in on_a_terminal("params", "tiny")


def test_no_colours_where_they_are_not_wanted(broken):
    assert "\x1b" not in on_a_terminal("params", "--no-color", broken)
    assert "\x1b" not in on_a_terminal("params", broken, NO_COLOR="1")
    assert b"\x1b" not in subprocess.run([*NETCALC, "params", broken], capture_output=True).stderr


# -- the terminal's width, and completion


def test_the_width_of_the_terminal_is_kept(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert max(map(len, run("params", "alexnet").out.split("\n"))) <= 60
    monkeypatch.setenv("COLUMNS", "200")
    assert "Left out" not in run("params", "gpt2").out


def test_a_file_has_all_columns_whatever_the_terminal(run, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    run("params", "alexnet", "-o", "out.txt")
    assert "Bias" in (tmp_path / "out.txt").read_text()


def completed(*words: str) -> list[str]:
    environment = {
        **os.environ,
        "_NETCALC_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["netcalc", *words]),
        "COMP_CWORD": str(len(words)),
    }
    command = [sys.executable, "-c", "import sys; sys.argv[0] = 'netcalc'; from netcalc.cli import main; main()"]
    out = subprocess.run(command, env=environment, capture_output=True, text=True).stdout
    return [line.split(",", 1)[1] for line in out.split()]


def test_completion():
    assert completed("par") == ["params"]
    assert {"resnet50", "resnet", "resnext"} <= set(completed("params", "res"))
    assert completed("params", "--for") == ["--format"]
    assert completed("params", "--format", "ma") == ["markdown"]
