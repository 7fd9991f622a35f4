"""The main job beside the script that people write with pandas and Pandera, on the same files."""

import shutil
import sys
from pathlib import Path
from typing import Final

from benchmarks.cases import Case, sized
from benchmarks.processes import Usage, measure
from benchmarks.runs import RunMeasured, case_of_runs, measure_run
from sequen_dagster.simulate import Simulation, simulate

SCRIPT: Final = "pandas script"
BESIDE_SCRIPT: Final = "new home, beside the script"

_DAYS: Final = 10


def bench_script(folder: Path, events: int, rounds: int) -> list[Case]:
    """Measure both on clean events, since the script stumbles over others.

    Args:
        folder: gets the exports and what is made of them; nothing is left there.
        events: how many.
        rounds: how often each is measured.
    """
    clean = Simulation(events=events, days=_DAYS, broken_rate=0.0, warning_rate=0.0)
    simulate(clean, folder)
    exports, home = folder / "exports", folder / "home"
    scripts: list[Usage] = []
    runs: list[RunMeasured] = []
    for _ in range(rounds):
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.pandas_script"]
        scripts.append(measure([*command, exports, folder / "tables"], output=folder / "log"))
        runs.append(measure_run(exports, home))
        shutil.rmtree(home)
    shutil.rmtree(folder)
    return [
        Case(sized(SCRIPT, events), events, tuple(scripts)),
        case_of_runs(sized(BESIDE_SCRIPT, events), events, runs),
    ]
