"""The record of what was measured: `benchmarks/measured.jsonl`, a line a run of `make bench`.

In: cases. Out: a line with the day, the commit, the machine and all figures; and, of all lines, the
newest figures of each case.
"""

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Self

import psutil

from benchmarks.cases import Case

RECORD: Final = Path(__file__).with_name("measured.jsonl")
_PACKAGES: Final = ("duckdb", "dagster", "dbt-core", "polars", "pandera")


@dataclass(frozen=True)
class Measurement:
    """One run of the benches.

    Attributes:
        measured_at: when it ended, UTC to the second.
        commit: the git commit, with `+` where files differed from it.
        machine: facts of the machine and the releases.
        cases: what was measured.
    """

    measured_at: str
    commit: str
    machine: dict[str, Any]  # Any: texts and numbers
    cases: tuple[Case, ...]

    @classmethod
    def of(cls, cases: Iterable[Case]) -> Self:
        """What has just been measured here."""
        now = datetime.now(UTC).isoformat(timespec="seconds").removesuffix("+00:00")
        return cls(now, _commit(), machine_facts(), tuple(cases))

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read what `to_line` wrote."""
        given = json.loads(line)
        cases = tuple(Case.from_json(one) for one in given.pop("cases"))
        return cls(**given, cases=cases)

    def to_line(self) -> str:
        """This run as a line of JSON."""
        return json.dumps(
            {
                "measured_at": self.measured_at,
                "commit": self.commit,
                "machine": self.machine,
                "cases": [case.to_json() for case in self.cases],
            }
        )


def append_measurement(measurement: Measurement, record: Path = RECORD) -> None:
    """Add a run to the record."""
    with record.open("a", encoding="utf-8") as lines:
        lines.write(measurement.to_line() + "\n")


def read_measurements(record: Path = RECORD) -> list[Measurement]:
    """All runs on record, in the order in which they were made."""
    if not record.exists():
        return []
    return [Measurement.parse(line) for line in record.read_text(encoding="utf-8").splitlines()]


def newest_cases(measurements: Sequence[Measurement]) -> dict[str, tuple[Measurement, Case]]:
    """Each case as it was measured last, with the run that did so."""
    return {case.name: (one, case) for one in measurements for case in one.cases}


def machine_facts() -> dict[str, Any]:  # Any: texts and numbers
    """What decides how fast this machine is, and how busy it was in the last quarter of an hour."""
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 1024**3),
        "load": round(os.getloadavg()[2], 1),
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
    }


def _commit() -> str:
    folder = Path(__file__).parent
    described = subprocess.run(
        ["git", "describe", "--always", "--exclude=*", "--dirty=+"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "unknown"
