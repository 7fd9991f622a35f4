"""Processes that die: started for a home, killed at a named place or at any time, and looked at.

A server forks them with everything imported, so that one costs a tenth of a second, not five.
"""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.parquet as pq

from sequen_dagster.home.layout import Lake
from sequen_dagster.lake import workers
from sequen_dagster.lake.commits import Batch, current_batches, read_commits
from sequen_dagster.marts.catalog import TableCatalog
from sequen_dagster.marts.compare import compare
from sequen_dagster.marts.copies import attach_copy
from sequen_dagster.marts.project import load_manifest
from sequen_dagster.settings import SequenSettings
from support.builders import event
from support.homes import write_events
from support.lake import drain, home_of, lake_of

FORKSERVER = multiprocessing.get_context("forkserver")
FORKSERVER.set_forkserver_preload(["support.crashes", "sequen_dagster.operations.run"])
COMMAND = Path(sys.executable).with_name("sequen-dagster")

Child = multiprocessing.process.BaseProcess


def drained(settings: SequenSettings) -> None:
    drain(settings)


def drained_by_workers(settings: SequenSettings) -> None:
    # In a process of its own: however little there is, worker processes do it.
    workers._MIN_POOL_BYTES = 0
    drain(settings)


def run_through(settings: SequenSettings) -> None:
    # Dagster is imported by those that need it.
    from sequen_dagster.operations.run import run_pipeline

    outcome = run_pipeline(settings)
    sys.exit(0 if outcome.is_success else 1)


def start(
    work: Callable[[SequenSettings], None], settings: SequenSettings, **environment: str
) -> Child:
    """Start a process that does the work on a home."""
    child = FORKSERVER.Process(target=_begin, args=(work, settings, environment))
    child.start()
    return child


def _begin(
    work: Callable[[SequenSettings], None], settings: SequenSettings, environment: dict[str, str]
) -> None:
    os.environ.update(environment)
    work(settings)


def start_command(settings: SequenSettings, *, exports: Path) -> subprocess.Popen[bytes]:
    """Start `sequen-dagster run` as a person would."""
    arguments = ["run", "--exports", str(exports), "--home", str(settings.home)]
    return subprocess.Popen(
        [str(COMMAND), *arguments, "--set", f"workers={settings.workers}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def is_open_in(process: int, path: Path) -> bool:
    """Whether a process has a file open. To try to open it would be in its way."""
    try:
        return any(link.readlink() == path for link in Path(f"/proc/{process}/fd").iterdir())
    except OSError:
        return False


def wait_until(is_so: Callable[[], bool], *, seconds: float) -> float:
    """Wait for something; how long it took."""
    started = time.monotonic()
    while not is_so():
        assert time.monotonic() - started < seconds, "waited in vain"
        time.sleep(0.05)
    return time.monotonic() - started


def is_free(settings: SequenSettings) -> bool:
    """Whether no process has the warehouse open."""
    try:
        duckdb.connect(home_of(settings).warehouse).close()
    except duckdb.IOException:
        return False
    return True


def check_lake(settings: SequenSettings, *, known: Iterable[str] = ()) -> list[str]:
    """Every commit but the known ones is whole: counts reconcile, rows fit; their ids."""
    lake = lake_of(settings)
    commits = list(read_commits(lake, known=known))
    for commit in commits:
        for batch in commit.batches:
            assert batch.record_counts.is_reconciled
            assert rows_on_disk(lake, batch.events) == batch.record_counts.accepted
            assert rows_on_disk(lake, batch.quarantine) == batch.record_counts.quarantined
    return [commit.commit_id for commit in commits]


def rows_on_disk(lake: Lake, files: tuple[str, ...]) -> int:
    return sum(pq.read_metadata(lake.rows(name)).num_rows for name in files)


def contents_of(settings: SequenSettings) -> dict[str, Any]:
    """What the lake holds of the current version of every file: ids, counts, and all rows."""
    lake = lake_of(settings)
    return {batch.path: _contents(lake, batch) for batch in current_batches(lake)}


def _contents(lake: Lake, batch: Batch) -> dict[str, Any]:
    rows = [
        pl.read_parquet(lake.rows(name), hive_partitioning=False).to_dicts()
        for name in (*batch.events, *batch.quarantine)
    ]
    return {
        "batch_id": batch.batch_id,
        "record_counts": batch.record_counts,
        "rules": batch.rule_counts,
        "received_at": batch.received_at,
        "rows": rows,
    }


def differing_tables(settings: SequenSettings, undisturbed: SequenSettings) -> list[str]:
    """Tables that differ between two homes, in the warehouse or in what was published."""
    catalog = TableCatalog.read(load_manifest(undisturbed))
    actual, expected = home_of(settings), home_of(undisturbed)
    pairs = {
        "warehouse": (actual.warehouse, expected.warehouse),
        "snapshot": (actual.serving.snapshot, expected.serving.snapshot),
    }
    return [
        f"{kind}: {difference}"
        for kind, paths in pairs.items()
        for difference in _differences(*paths, catalog)
    ]


def _differences(path: Path, undisturbed: Path, catalog: TableCatalog) -> Iterator[object]:
    with duckdb.connect(undisturbed) as wanted:
        attach_copy(wanted, path, "actual")
        names = {name for (name,) in wanted.execute("show tables").fetchall()}
        tables = [name for name in catalog.compared if name in names]
        assert len(tables) > 20
        for table in tables:
            found = compare(wanted, table, catalog.keys.get(table, ()))
            if found:
                yield found


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Set variables of this process, and those of its children, for a while."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def write_many(settings: SequenSettings, path: str, *, events: int, version: int = 0) -> None:
    """An export of so many events, one in ten of them broken, other events for every version."""
    rows = [
        event(
            id=f"{path}-{version}-{number}",
            uid=None if number % 10 == 0 else f"u{number % 7}",
            note="x" * (number % 40),
        )
        for number in range(events)
    ]
    write_events(settings, path, *rows)


def record_counts_of(settings: SequenSettings) -> dict[str, int]:
    """The record counts of the report that was published."""
    report = json.loads((settings.home / "serving" / "report.json").read_text())
    counts: dict[str, int] = report["record_counts"]
    return counts


def kill(child: Child) -> None:
    """Kill a process at once, as the kernel does, and wait until it is gone."""
    if child.pid is not None and child.is_alive():
        os.kill(child.pid, signal.SIGKILL)
    child.join(30)
