"""A run of the main job as a user starts it: `sequen-dagster run` in a process of its own.

In: a folder of exports and a home. Out: what it took, by stage and by node of dbt.
"""

import json
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.cases import Case, medians_by_name
from benchmarks.processes import Usage, measure
from sequen_dagster.home.layout import Home

_MIB: Final = 1024**2
_MOST_NODES: Final = 10
_STAGE: Final = re.compile(r"(\w+) ([\d,]+\.\d) s")


@dataclass(frozen=True)
class RunMeasured:
    """What one run took.

    Attributes:
        usage: of all its processes.
        seconds_by_stage: as the run reports them.
        seconds_by_node: of dbt's models, seeds and tests; empty where dbt was not started.
    """

    usage: Usage
    seconds_by_stage: dict[str, float]
    seconds_by_node: dict[str, float]


def measure_run(
    exports: Path, home: Path, *arguments: str, python: Path = Path(sys.executable)
) -> RunMeasured:
    """Run the main job once.

    Args:
        exports: the folder that it takes files from.
        home: where it writes.
        arguments: further options of `sequen-dagster run`.
        python: the interpreter of the environment that the package is installed in.
    """
    home.mkdir(parents=True, exist_ok=True)
    output = home.with_name(f"{home.name}.log")
    started = time.time()
    command = [python, "-m", "sequen_dagster.cli.main", "run"]
    paths = ["--exports", exports, "--home", home]
    # Wide, so that no line of the summary is broken.
    usage = measure([*command, *paths, *arguments], output=output, environment={"COLUMNS": "1000"})
    return RunMeasured(
        usage, read_stages(output.read_text(encoding="utf-8")), read_nodes(home, started)
    )


def case_of_runs(
    name: str, events: int, runs: Sequence[RunMeasured], *, disk_mib: dict[str, float] | None = None
) -> Case:
    """The runs of all rounds as a case."""
    nodes = medians_by_name([run.seconds_by_node for run in runs])
    longest = sorted(nodes.items(), key=lambda item: -item[1])[:_MOST_NODES]
    return Case(
        name,
        events,
        tuple(run.usage for run in runs),
        medians_by_name([run.seconds_by_stage for run in runs]),
        dict(longest),
        disk_mib or {},
    )


def read_stages(printed: str) -> dict[str, float]:
    """The wall time of each stage, from the last line of a run's summary.

    Raises:
        ValueError: there is no such line.

    Example:
        >>> read_stages("time by stage: lake 1.2 s, marts 1,013.4 s")
        {'lake': 1.2, 'marts': 1013.4}
    """
    _, found, times = printed.rpartition("time by stage: ")
    if not found:
        message = f"The run printed no times: {printed[-500:]!r}"
        raise ValueError(message)
    return {stage: float(text.replace(",", "")) for stage, text in _STAGE.findall(times)}


def read_nodes(home: Path, since: float) -> dict[str, float]:
    """How long dbt took for each node, in its last command if that came after a moment.

    Args:
        home: the home.
        since: seconds since the epoch.
    """
    results = Home(home).dbt.run_results
    if not results.exists() or results.stat().st_mtime < since:
        return {}
    return {
        one["unique_id"].split(".", 1)[1].partition(".")[2]: one["execution_time"]
        for one in json.loads(results.read_text(encoding="utf-8"))["results"]
    }


def measure_disk(exports: Path, home: Path) -> dict[str, float]:
    """MiB on disk: the exports, and each part of the home that grows with them."""
    layout = Home(home)
    places = {
        "exports": exports,
        "lake": layout.lake.root,
        "warehouse": layout.warehouse,
        "published": layout.serving.root,
        "home": layout.root,
    }
    return {name: _size_of(place) / _MIB for name, place in places.items()}


def _size_of(place: Path) -> int:
    files = place.rglob("*") if place.is_dir() else [place]
    return sum(file.stat().st_size for file in files if file.is_file())
