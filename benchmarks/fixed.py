"""What does not depend on the number of events: starts, and runs on a thousand of them or none.

The package is built as a wheel and installed into an environment of its own, as a user has it; the
references run in that environment, too.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.cases import Case
from benchmarks.processes import Usage, measure
from benchmarks.runs import RunMeasured, case_of_runs, measure_run
from sequen_dagster.simulate import Simulation, simulate

IMPORTS: Final = "import of dagster and dagster_dbt"
DBT_VERSION: Final = "dbt --version"
FIRST_RUN: Final = "first run on a new home, 1,000 events"
SMALL_BATCH: Final = "run, 1,000 new events"
NOTHING_NEW: Final = "run, nothing new"
COLD_DEFINITIONS: Final = "definitions in a host, new home"
WARM_DEFINITIONS: Final = "definitions in a host, existing home"

_ROOT: Final = Path(__file__).resolve().parent.parent
_DEFINITIONS: Final = """
import sys
from pathlib import Path
from sequen_dagster import build_definitions, load_settings
build_definitions(load_settings(Path.cwd(), home=sys.argv[1], exports=sys.argv[2]))
"""


def bench_fixed(folder: Path, rounds: int) -> list[Case]:
    """Measure starts and small runs, and their references in turn.

    Args:
        folder: gets an environment of some 1.5 GB, and small homes.
        rounds: how often each is measured, each time on a new home.
    """
    python = install_wheel(folder)
    simulate(Simulation(events=2_000, days=2, broken_rate=0.0), folder / "simulated")
    first, second = sorted((folder / "simulated" / "exports").iterdir())
    usages: dict[str, list[Usage]] = {}
    runs: dict[str, list[RunMeasured]] = {}

    def note(name: str, usage: Usage) -> None:
        usages.setdefault(name, []).append(usage)

    def note_run(name: str) -> None:
        runs.setdefault(name, []).append(measure_run(exports, home, python=python))

    # The first process of each kind reads its files from the disk, and is not counted.
    measure([python, "-c", "import dagster, dagster_dbt, sequen_dagster"])
    measure([python.with_name("dbt"), "--version"])
    for number in range(rounds):
        home, exports = folder / f"home-{number}", folder / f"exports-{number}"
        exports.mkdir()
        note(IMPORTS, measure([python, "-c", "import dagster, dagster_dbt"]))
        note(DBT_VERSION, measure([python.with_name("dbt"), "--version"]))
        definitions = [python, "-c", _DEFINITIONS]
        note(COLD_DEFINITIONS, measure([*definitions, folder / f"cold-{number}", exports]))
        shutil.copytree(first, exports / first.name)
        note_run(FIRST_RUN)
        shutil.copytree(second, exports / second.name)
        note_run(SMALL_BATCH)
        note_run(NOTHING_NEW)
        note(WARM_DEFINITIONS, measure([*definitions, home, exports]))
    return [
        *(Case(name, 0, tuple(taken)) for name, taken in usages.items()),
        *(case_of_runs(name, 0, taken) for name, taken in runs.items()),
    ]


def install_wheel(folder: Path) -> Path:
    """Build the wheel and install it with what the lock names; return the interpreter."""
    environment = folder / "environment"
    uv = [sys.executable, "-m", "uv"]
    python = environment / "bin" / "python"
    install = [*uv, "pip", "install", "--quiet", "--python", str(python), "--compile-bytecode"]
    built = folder / "wheel"
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "-d", str(built)]
    _run(*build)
    _run(*uv, "venv", "--quiet", "--python", sys.executable, str(environment))
    lock = str(_ROOT / "requirements.lock")
    _run(*install, "--no-deps", "--require-hashes", "-r", lock)
    _run(*install, "--no-deps", *map(str, built.glob("*.whl")))
    return python


def _run(*command: str) -> None:
    # The checkout, with its editable install, stays out of the new environment.
    environment = {name: text for name, text in os.environ.items() if name != "VIRTUAL_ENV"}
    finished = subprocess.run(
        command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if finished.returncode != 0:
        message = f"{command[:4]} ended with {finished.returncode}: {finished.stderr[-2000:]}"
        raise RuntimeError(message)
