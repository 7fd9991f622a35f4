"""The real daemon, on a home of its own: files are dropped, no person acts, tables change."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from support.builders import event

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_SECONDS = 420


@dataclass
class Deployment:
    """A daemon at work, and the places that it looks at."""

    home: Path
    exports: Path
    dagster_home: Path
    log: Path
    process: subprocess.Popen[bytes]

    def drop(self, name: str, *ids: str) -> None:
        """Put a whole export there, as an exporter does: under another name first."""
        unfinished = self.exports / f"{name}.tmp"
        unfinished.write_text("".join(f"{json.dumps(event(id=one))}\n" for one in ids))
        unfinished.rename(self.exports / name)

    def published(self) -> set[str]:
        """Ids of the events that an analyst sees."""
        snapshot = self.home / "serving" / "sequen.duckdb"
        if not snapshot.exists():
            return set()
        with duckdb.connect(str(snapshot), read_only=True) as connection:
            return {row[0] for row in connection.execute("select id from fct_events").fetchall()}

    def runs(self) -> list[dg.DagsterRun]:
        with dg.DagsterInstance.from_config(str(self.dagster_home)) as instance:
            return list(instance.get_runs())

    def wait_for(self, what: str, is_true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_true():
            if time.monotonic() > deadline or self.process.poll() is not None:
                states = [(run.job_name, run.status.value, run.tags) for run in self.runs()]
                tail = self.log.read_text(errors="replace")[-6_000:]
                pytest.fail(f"waited in vain for {what}; runs: {states}; log: {tail}")
            time.sleep(1)

    def is_idle(self) -> bool:
        return all(run.is_finished for run in self.runs())


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    home, exports, dagster_home = (tmp_path / name for name in ("home", "exports", "dagster"))
    exports.mkdir()
    dagster_home.mkdir()
    shutil.copy(ROOT / "deploy" / "dagster.yaml", dagster_home / "dagster.yaml")
    settings = {
        "SEQUEN_HOME": home,
        "SEQUEN_EXPORTS": exports,
        "SEQUEN_TICK_SECONDS": 5,
        "SEQUEN_SETTLE_SECONDS": 5,
        "SEQUEN_PUBLISH_MINUTES": 1,
        "SEQUEN_WORKERS": 1,
        "DAGSTER_HOME": dagster_home,
    }
    command = ["-m", "dagster._daemon", "run", "-f", str(ROOT / "definitions.py")]
    log = tmp_path / "daemon.log"
    with (
        log.open("wb") as out,
        subprocess.Popen(
            [sys.executable, *command],
            env={**os.environ, **{name: str(value) for name, value in settings.items()}},
            cwd=tmp_path,
            stdout=out,
            stderr=subprocess.STDOUT,
            # Runs and the code server are its children; all of them go at the end.
            start_new_session=True,
        ) as process,
    ):
        try:
            yield Deployment(home, exports, dagster_home, log, process)
        finally:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.fault(44)
def test_files_become_tables_and_a_burst_is_built_few_times(deployment: Deployment) -> None:
    deployment.drop("first.jsonl", "e1", "e2")
    deployment.wait_for("the first file", lambda: deployment.published() == {"e1", "e2"})
    deployment.wait_for("rest", deployment.is_idle)
    before = builds(deployment)

    ids = {f"burst {number}" for number in range(30)}
    for number, one in enumerate(sorted(ids)):
        deployment.drop(f"{number}.jsonl", one)
    deployment.wait_for("the burst", lambda: deployment.published() == {"e1", "e2", *ids})
    deployment.wait_for("rest", deployment.is_idle)

    assert 1 <= builds(deployment) - before <= 3
    assert {run.status for run in deployment.runs()} == {dg.DagsterRunStatus.SUCCESS}


def builds(deployment: Deployment) -> int:
    """How often the tables were built."""
    with duckdb.connect(str(deployment.home / "warehouse.duckdb"), read_only=True) as connection:
        row = connection.execute("select count(*) from raw.builds").fetchone()
    assert row is not None
    return int(row[0])
