"""Specs made to use up memory or time: each ends in a message at once. Measured in a process of its own, with limits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS, MEGABYTES = 5, 300  # the goal is one second; the rest is for slow machines

CHILD = """
import json, resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, (2_000_000_000, 2_000_000_000))
resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
from pathlib import Path
import netcalc.layers
from netcalc.elaborate import elaborate
from netcalc.errors import SpecError
from netcalc.language.files import spec_of_file
start = time.process_time()
try:
    elaborate(spec_of_file(Path(sys.argv[1])))
    code, message = "", ""
except SpecError as problem:
    code, message = problem.diagnostics[0].code, str(problem)
seconds = time.process_time() - start
status = Path("/proc/self/status")  # ru_maxrss would count the parent, which has torch loaded
kilobytes = [line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")] if status.exists() else []
peak = int(kilobytes[0]) // 1024 if kilobytes else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(json.dumps({"code": code, "message": message[:3000], "length": len(message), "seconds": seconds, "megabytes": peak}))
"""


def outcome(path: Path) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    if report := os.environ.get("HOSTILE_REPORT"):
        with open(report, "a") as file:
            file.write(
                f"{found['seconds']:.2f} s {found['megabytes']} MB {found['code']} {os.environ.get('PYTEST_CURRENT_TEST')}\n"
            )
    assert found["seconds"] < SECONDS and found["megabytes"] < MEGABYTES and found["length"] < 100_000, found
    return found


def chain(first: str, rule: str, length: int) -> str:
    """Arguments a0, a1, ... each made of the one before (`{0}`)."""
    rules = [f"  a0: {first}"] + [f"  a{i}: {rule.format(f'a{i - 1}')}" for i in range(1, length + 1)]
    return "args:\n" + "\n".join(rules) + f"\ninput: [N, T, 4]\nlayers:\n  - Linear: a{length}\n"


def net(layers: str, input: str = "[N, 4]") -> str:
    return f"input: {input}\nlayers:\n{layers}\n"


def doubling(levels: int, leaf: str = "ReLU", when: str = "") -> str:
    """Blocks each made of two of the next."""
    keyword = f", when: {when}" if when else ""
    blocks = [f"  A{i}: {{layers: [{{A{i + 1}: {keyword}}}, {{A{i + 1}: {keyword}}}]}}" for i in range(levels)]
    return net("  - A0") + "blocks:\n" + "\n".join(blocks) + f"\n  A{levels}: {{layers: [{leaf}]}}\n"


TEXTS = {
    # expressions
    "tower": (net("  - Linear: 9**9**9"), "E305"),
    "powers through args": (chain("9", "{0} ** 64", 45), "E305"),
    "products through args": (chain("9", "{0} * {0}", 45), "E305"),
    "factors of a formula": (chain("N + T", "{0} * (N + {0})", 45), "E305"),
    "powers of a formula": (chain("N + T + 1", "{0} ** 8", 40), "E305"),
    "quotients of a formula": (chain("N", "{0} // 3 + {0} // 5", 45), "E305"),
    "maxima of a formula": (chain("N", "max({0} // 3, T - {0} // 5)", 45), "E305"),
    "lists of lists": (chain("[1, 2, 3]", '"[{0}, {0}]"', 45), "E305"),
    "kinds of kinds": ("args:\n  K0: ReLU\n" + "".join(f"  K{i}: {{Block: {{a: K{i - 1}, b: K{i - 1}}}}}\n" for i in range(1, 60))
                       + net("  - K59") + "blocks: {Block: {args: {a, b}, layers: [ReLU]}}\n", "E315"),
    "default by default": (chain("1", "{0} + 1", 5000), "E315"),
    "deep expression by default": (chain("1", "-(-(-(-(-(-(-(-({0}))))))))", 5000), "E315"),
    "many terms": (chain("+".join(["N", *(f"T//{i}" for i in range(2, 70))]), "{0} * 2", 1), "E305"),
    "a huge sum": (net("  - Linear: " + "1+" * 200_000 + "1"), "E301"),
    "a huge list": (chain("[" + "N, " * 20_000 + "N]", "max({0})", 1), "E305"),
    "long sums": ("args:\n" + "".join(f"  a{i}: {'1+' * 240}a{i + 1}\n" for i in range(1500)) + "  a1500: 1\n" + net("  - Linear: a0"), "E315"),
    "nested expression": (net("  - Linear: " + "(" * 240 + "1" + ")" * 240), "E301"),
    "a huge power of two": (net("  - Linear: " + "*".join(["2**64"] * 80)), "E305"),
    "a huge size": (net("  - Linear: 9**60"), "E419"),
    # YAML
    "billion laughs": ("about:\n  a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n"
                       + "".join(f"  a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)) + net("  - ReLU"), "E107"),
    "aliases of layers": ("about: &a {ReLU: }\n" + net("  - x: &b [" + "ReLU, " * 999 + "ReLU]\n" + "\n".join(f"  - y{i}: *b" for i in range(20))), "E107"),
    "aliases in depth": ("about:\n  a0: &a0 [x]\n" + "".join(f"  a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 200)) + net("  - ReLU"), "E106"),
    "65 levels": ("about: " + "[" * 64 + "]" * 64 + "\n" + net("  - ReLU"), "E106"),
    "brackets": ("about: " + "[" * 100_000, "E106"),
    "braces": ("about: " + "{a: " * 100_000, "E106"),
    "dashes": ("about:\n " + "- " * 100_000, "E106"),
    "levels of indentation": ("about:\n" + "\n".join(" " * i + "a:" for i in range(1, 1200)), "E106"),
    "question marks": ("? " * 100_000, "E106"),
    "many entries": ("about: [" + "a," * 450_000 + "a]\n" + net("  - ReLU"), "E109"),
    "many keys": ("about:\n" + "".join(f" {i}:\n" for i in range(90_000)) + net("  - ReLU"), "E109"),
    "many equal keys": ("about:\n" + " a:\n" * 200_000, "E103"),
    "many keys that differ": ("args:\n" + "".join(f" a{i}: 1\n" for i in range(40_000)) + net("  - Linear: {out: a}"), "E230"),
    "many anchors": ("about:\n" + "".join(f"- &a{i} x\n" for i in range(90_000)), "E109"),
    "one long line": ("about: " + "x" * 900_000 + "\n" + net("  - Relu"), "E220"),
    "one long name": (net("  - ? " + "x" * 900_000 + "\n    : ReLU"), "E221"),
    "long names alike": ("args:\n  ? " + "a" * 400_000 + "b\n  : 1\n" + net("  - Linear: " + "a" * 400 + "\n  - Linear:\n      ? " + "a" * 400_000 + "\n      : 1"), "E302"),
    "long reference": (net("  - Add: [" + "a." * 400_000 + "a, input]"), "E310"),
    "control characters": ("about: \"\\0\\e[2J\"\n" + net('  - "\\e]0;x\\a": ReLU'), "E221"),
    "many mistakes": (net("\n".join(f"  - relu{i}" for i in range(40_000))), "E220"),
    # sizes of the network
    "repeat": (net("  - ReLU:\n    repeat: 1000000000"), "E315"),
    "nested repeats": (net("  - a:\n      - b:\n          - ReLU\n        repeat: 10000\n    repeat: 10000"), "E315"),
    "nested repeats of nothing": (net("  - a:\n      - ReLU:\n        when: 1 < 0\n        repeat: 10000\n      - ReLU:\n        repeat: 0\n    repeat: 10000\n  - Relu"), "E315"),
    "repeats through blocks": (net("  - A:\n    repeat: 200") + "blocks:\n  A: {layers: [{B: , repeat: 200}]}\n  B: {layers: [{C: , repeat: 200}]}\n  C: {layers: [ReLU]}\n", "E315"),
    "blocks doubling": (doubling(60), "E315"),
    "blocks doubling with a condition": (doubling(60, when="1 < 2"), "E315"),
    "blocks doubling around nothing": (doubling(60, "{ReLU: , when: 1 < 0}"), "E315"),
    "blocks in blocks": (net("  - A0") + "blocks:\n" + "".join(f"  A{i}: {{layers: [{{Residual: [{{g: [A{i + 1}]}}]}}]}}\n" for i in range(500))
                         + "  A500: {layers: [ReLU]}\n", "E315"),
    "a kind in itself": ("args: {K: Block}\n" + net("  - Block: {K}") + "blocks: {Block: {args: {K}, layers: [{K: {K}}, {K: {K}}]}}\n", "E315"),
    "layers by the thousand": (net("  - a:\n      - Residual: [ReLU]\n      - Identity\n    repeat: 10000"), "E315"),
    "names without end": (net("  - " + "a" * 90 + ":\n" + "".join(" " * (4 + 2 * i) + "- " + "b" * 90 + ":\n" for i in range(20)) + " " * 44 + "- ReLU"), "E221"),
    "a name by an expression": (net("  - ReLU:\n    name: a{9**64}{9**64}"), "E221"),
    # shapes
    "sizes that multiply": (net("  - Flatten", "[N, 2**40, 2**40]"), "E419"),
    "formulas that double": (net("\n".join(f"  - c{i}: {{Concat: {{dim: 1}}}}\n    from: [m{i}, n{i}]" if j == 2 else f"  - {'mn'[j]}{i}: {{MaxPool1d: {{kernel_size: {3 + 2 * j}, stride: {2 + j}}}}}"
                                           + (f"\n    from: [c{i - 1}]" if i else "\n    from: [input]") for i in range(30) for j in range(3)), "[N, 4, T]").replace("dim: 1", "dim: 2"), "E419"),
    "many dimensions": (net("  - Reshape: [" + "1, " * 5_000 + "4]"), "E419"),
    "many dimensions of the input": (net("  - ReLU", "[" + "N, " * 50_000 + "4]"), "E419"),
    "many outputs": (net("  - Chunk: {chunks: 2**40, dim: 0}", "[2**41, 4]"), "E411"),
    "many pieces": (net("  - Split: {split_size_or_sections: 1, dim: 0}", "[2**40, 4]"), "E411"),
    "many slices": (net("  - Unbind: {dim: 0}", "[2**40, 4]"), "E411"),
    "many recurrent layers": (net("  - LSTM: {hidden_size: 4, num_layers: 2**40}", "[N, T, 4]"), "E411"),
    "divisors of a large number": (net("  - MultiheadAttention: {num_heads: 12}", "[N, T, 2**61 - 1]"), "E410"),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_text(tmp_path, name):
    text, code = TEXTS[name]
    path = tmp_path / "net.yaml"
    path.write_text("netcalc: 1\n" + text)
    found = outcome(path)
    assert found["code"] == code, found["message"][:500]


@pytest.mark.parametrize("data, code", [(os.urandom(500_000), "E110"), (bytes(range(256)) * 1000, "E110"), (b"\0" * 500_000, "E110"), (b"\xff\xfe" + "a: 1".encode("utf-16-le"), "E110"),
                                        (b"netcalc: 1\nname: \xc3\x28", "E110"), (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "E110"), (b"PK\x03\x04" + b"\0" * 1000, "E110"), (b"\r" * 900_000, "E200"), (b":" * 900_000, None),
                                        (b"'" * 900_001, None), (b"\"\\" * 400_000, "E100"), (b"&" * 900_000, None), (b"- " * 400_000, "E106"), (b"a: |\n" + b" x\n" * 300_000, "E202"), (b"#\n" * 450_000, "E200"), (b"%TAG ! a:\n" * 90_000, None)],
                         ids=["noise", "all bytes", "zeros", "utf-16", "bad utf-8", "png", "zip", "returns", "colons", "quotes", "escapes", "anchors", "dashes", "block", "comments", "directives"])  # fmt: skip
def test_bytes(tmp_path, data, code):
    path = tmp_path / "net.yaml"
    path.write_bytes(data)
    found = outcome(path)
    assert found["code"] == code if code else found["code"], found["message"][:500]


def test_large_file(tmp_path):
    path = tmp_path / "net.yaml"
    with open(path, "wb") as file:
        file.truncate(200_000_000)
    assert outcome(path)["code"] == "E109"


BLOCK = "netcalc: 1\nblocks:\n  B: {layers: [ReLU]}\n"


def importing(path: str) -> str:
    return f"netcalc: 1\nimports:\n  ? '{path}'\n  : [B]\n" + net("  - B")


@pytest.mark.parametrize("path", ["../out.yaml", "sub/../../out.yaml", "/etc/passwd", "~/x.yaml", "http://example.org/x.yaml", "file:///etc/passwd", "C:\\x.yaml", "..\\out.yaml", "a\\0b", "sub", ".",
                                  "loop.yaml", "turn.yaml", "link.yaml", "folder/out.yaml", "pipe", "x" * 5000, "a/" * 2000 + "b", "missing.yaml", "sub/\u202eevil.yaml"])  # fmt: skip
def test_import_of(tmp_path, path):
    """What leads out of the folder, nowhere, or to what is no file."""
    home, outside = tmp_path / "home", tmp_path / "out"
    (home / "sub").mkdir(parents=True)
    outside.mkdir()
    for file in (tmp_path / "out.yaml", outside / "out.yaml"):
        file.write_text(BLOCK)
    (home / "loop.yaml").symlink_to("loop.yaml")
    (home / "turn.yaml").symlink_to("back.yaml")
    (home / "back.yaml").symlink_to("turn.yaml")
    (home / "link.yaml").symlink_to(outside / "out.yaml")
    (home / "folder").symlink_to(outside)
    os.mkfifo(home / "pipe")
    (home / "net.yaml").write_text(importing(path).replace("'a\\0b'", '"a\\0b"'))
    found = outcome(home / "net.yaml")
    assert found["code"] == "E207" and "root:" not in found["message"]


def test_import_within_the_folder_through_links(tmp_path):
    """A link that stays inside is a file like others; the folder itself may be one."""
    (tmp_path / "home" / "sub").mkdir(parents=True)
    (tmp_path / "home" / "sub" / "b.yaml").write_text(BLOCK)
    (tmp_path / "home" / "b.yaml").symlink_to("sub/b.yaml")
    (tmp_path / "home" / "net.yaml").write_text(importing("b.yaml"))
    (tmp_path / "house").symlink_to("home")
    assert outcome(tmp_path / "house" / "net.yaml")["code"] == ""


def test_chain_of_imports(tmp_path):
    for i in range(2000):
        (tmp_path / f"f{i}.yaml").write_text(
            f"netcalc: 1\nimports: {{f{i + 1}.yaml: [B]}}\nblocks:\n  B{i}: {{layers: [ReLU]}}\n"
        )
    assert outcome(tmp_path / "f0.yaml")["code"] == "E207"


def test_tree_of_imports(tmp_path):
    """Each file imports all later ones: read once each, and not more than a hundred."""
    for i in range(150):
        later = ", ".join(f"f{j}.yaml: [B{j}]" for j in range(i + 1, 150))
        (tmp_path / f"f{i}.yaml").write_text(f"netcalc: 1\nimports: {{{later}}}\nblocks:\n  B{i}: {{layers: [ReLU]}}\n")
    assert outcome(tmp_path / "f0.yaml")["code"] == "E207"


def test_large_imports(tmp_path):
    for i in range(30):
        (tmp_path / f"f{i}.yaml").write_text(
            f"netcalc: 1\nabout: {'x' * 900_000}\nblocks:\n  B{i}: {{layers: [ReLU]}}\n"
        )
    (tmp_path / "net.yaml").write_text(
        "netcalc: 1\nimports: {" + ", ".join(f"f{i}.yaml: [B{i}]" for i in range(30)) + "}\n" + net("  - B0")
    )
    assert outcome(tmp_path / "net.yaml")["code"] == "E109"
