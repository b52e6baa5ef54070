"""Imports go one way, and light commands load nothing heavy.

The floors are those of docs/architecture.md. A module imports from its own floor or from lower ones.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import netcalc

ROOT = Path(netcalc.__file__).parent
MODULES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in ROOT.rglob("*.py")
}
#: the longest name that a module begins with decides
FLOORS = {
    "netcalc.errors": 0, "netcalc.arith": 0, "netcalc.catalog": 0, "netcalc.collector": 0,
    "netcalc.layers": 1, "netcalc.language": 1,
    "netcalc.graph": 2, "netcalc.elaborate": 2,
    "netcalc.facts": 3, "netcalc.check": 3, "netcalc.memory": 3,
    "netcalc.memory.answer": 5, "netcalc.memory.program": 5, "netcalc.memory.simulate": 5,
    "netcalc.report": 4, "netcalc.export": 4, "netcalc.designs": 4,
    "netcalc.model": 5, "netcalc.verify": 5, "netcalc.verify_memory": 5, "netcalc.oracle": 5, "netcalc.cli": 5, "netcalc.__main__": 5, "netcalc": 5,
}  # fmt: skip
HEAVY = ("numpy", "sympy", "torch", "matplotlib", "pandas")
#: what may be imported only inside a function
LAZY = (*HEAVY, "tabulate")


def floor(module: str) -> int:
    names = module.split(".")
    known = [".".join(names[:end]) for end in range(len(names), 0, -1)]
    found = next(name for name in known if name in FLOORS)
    assert found != "netcalc" or module == "netcalc", (
        f"{module} has no floor yet: give it one here and in docs/architecture.md"
    )
    return FLOORS[found]


def imports(module: str, top_only: bool = False):
    """The modules of netcalc, and others, that a module names; also inside functions unless top_only."""
    path = MODULES[module]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in tree.body if top_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            target = f"{base}.{node.module}".strip(".") if node.module else base
            for alias in node.names:
                yield f"{target}.{alias.name}" if f"{target}.{alias.name}" in MODULES else target


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_go_down(module):
    above = [
        name
        for name in imports(module)
        if name.split(".")[0] == "netcalc" and name in MODULES and floor(name) > floor(module)
    ]
    assert above == []


def test_the_reader_of_imports_sees_them():
    assert {"netcalc.facts", "netcalc.arith", "netcalc.elaborate.environment"} <= set(imports("netcalc.check"))
    assert "netcalc.report.reference" in set(imports("netcalc.cli.commands")) - set(
        imports("netcalc.cli.commands", top_only=True)
    )


@pytest.mark.parametrize("module", sorted(MODULES))
def test_heavy_imports_are_inside_functions(module):
    assert not {name.split(".")[0] for name in imports(module, top_only=True)} & set(LAZY)


@pytest.mark.parametrize("module", sorted(name for name in MODULES if floor(name) < 2))
def test_the_ground_floors_know_no_terminal(module):
    assert "click" not in {name.split(".")[0] for name in imports(module)}


def loaded_by(code: str) -> set[str]:
    """The packages that a fresh interpreter has loaded after some code."""
    script = f"import sys\n{code}\nprint('loaded:', *sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("loaded:")[2].split())


def test_the_probe_sees_what_is_loaded():
    assert {"json", "sympy"} <= loaded_by("import json, sympy")


def test_import_is_light():
    loaded = loaded_by("import netcalc")
    assert "netcalc" in loaded and not loaded & {*HEAVY, "click", "yaml", "tabulate"}


@pytest.mark.parametrize("arguments", [
    ["params", "alexnet"], ["shapes", "unet"], ["flops", "resnet50"], ["params", "gpt2", "--free", "n_layer"],
    ["explain", "alexnet", "conv1"], ["formula", "gpt2", "params", "--free", "n_layer"],
    ["solve", "gpt2", "params <= 1G", "--for", "n_layer"], ["explain", "E402"],
    ["check", "mlp"], ["shapes", "mlp", "--format", "json"], ["shapes", "mlp", "--format", "csv"],
])  # fmt: skip
def test_commands_are_light(arguments):
    code = f"from netcalc.cli import main\ntry:\n    main({arguments})\nexcept SystemExit as end:\n    assert end.code == 0"
    loaded = loaded_by(code)
    assert "click" in loaded and not loaded & set(HEAVY)


def test_the_library_is_light():
    loaded = loaded_by("import netcalc\nprint(netcalc.load('resnet50').params())")
    assert "yaml" in loaded and not loaded & {*HEAVY, "click"}


def test_all_names_exist():
    for name in netcalc.__all__:
        assert getattr(netcalc, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        netcalc.lode  # noqa: B018
