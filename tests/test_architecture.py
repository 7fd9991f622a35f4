"""The layout that docs/architecture.md promises: one direction, and Dagster only in thin shells."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sequen_dagster

PACKAGE = Path(sequen_dagster.__file__).parent
STAGES = ["exports", "contract", "lake", "marts", "reports", "triggers"]
# Floors, lowest first: a room imports from the rooms before it. `definitions` alone knows every
# stage; what crosses stages, and the command line on top of it, come after.
ROOMS = [
    ["errors", "fields"],
    ["names"],
    ["settings"],
    ["runtime"],
    ["home"],
    ["compat"],
    ["graph"],
    *([stage] for stage in STAGES),
    ["definitions"],
    ["component"],
    ["simulate"],
    ["operations"],
    ["cli"],
]
# The thin shell: these may import Dagster.
SHELL = {"compat", "component", "definitions", "graph", "triggers"}
MODULES = sorted(path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py"))


def imports_of(module: Path) -> set[str]:
    tree = ast.parse((PACKAGE / module).with_suffix(".py").read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def own_parts(module: Path) -> set[str]:
    names = (name for name in imports_of(module) if name.startswith("sequen_dagster."))
    return {name.split(".")[1] for name in names}


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_imports_point_to_lower_floors(module: Path) -> None:
    room = module.parts[0]
    if room == "__init__":
        return
    floor = next(number for number, rooms in enumerate(ROOMS) if room in rooms)
    lower = {name for rooms in ROOMS[:floor] for name in rooms}

    assert own_parts(module) <= lower | {room}


def test_simulated_exports_stand_alone() -> None:
    rooms = {
        room for module in MODULES if module.parts[0] == "simulate" for room in own_parts(module)
    }

    assert rooms <= {"simulate"}


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_dagster_stays_in_the_shell(module: Path) -> None:
    uses_dagster = any(name.split(".")[0].startswith("dagster") for name in imports_of(module))

    if uses_dagster:
        is_operation = module == Path("operations/run")
        assert (
            is_operation
            or module.parts[0] in SHELL
            or module.name
            in (
                "assets",
                "checks",
                "conditions",
                "config",
                "dbt",
                "translator",
            )
        )


def test_importing_the_package_does_not_import_dagster() -> None:
    code = "import sequen_dagster, sequen_dagster.lake.ingest, sys; print('dagster' in sys.modules)"
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert finished.stdout.strip() == "False"
