"""Marts: the proof that the tables equal a full refresh, on the data of a home.

In: the lake and the warehouse, which stay as they are. Out: what differs, table by table.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sequen_dagster.errors import BuildError, SettingsError
from sequen_dagster.home.layout import Home, Lake
from sequen_dagster.home.locks import VERIFY, hold_lock, writer_lock
from sequen_dagster.lake.commits import latest_manifests
from sequen_dagster.marts.builds import why_stale
from sequen_dagster.marts.catalog import TableCatalog
from sequen_dagster.marts.compare import Difference, compare
from sequen_dagster.marts.copies import attach_copy, copy_tables
from sequen_dagster.marts.dbt import stream_dbt
from sequen_dagster.marts.project import (
    load_manifest,
    tables_fingerprint,
    write_profile,
)
from sequen_dagster.marts.warehouse import (
    connect,
    create_raw_tables,
    load_commits,
)
from sequen_dagster.runtime.progress import emit
from sequen_dagster.runtime.text import counted
from sequen_dagster.settings import SequenSettings


@dataclass(frozen=True)
class Verification:
    """What a comparison with a full refresh has found.

    Attributes:
        tables: how many tables were compared.
        commits: how many commits the warehouse holds.
        lost_commits: how many of these the lake holds no more.
        differences: the tables that differ.
    """

    tables: int
    commits: int
    lost_commits: int = 0
    differences: tuple[Difference, ...] = ()

    @property
    def is_equal(self) -> bool:
        """Whether the tables are what the commits in the lake make of them."""
        return not self.differences and not self.lost_commits


def verify(settings: SequenSettings) -> Verification:
    """Build all tables from nothing, elsewhere, and compare them with those that stand.

    The rebuild is made of the very commits that the warehouse holds, so files that have arrived
    since do not matter. The warehouse is locked only while its tables are copied; the copy, a
    second warehouse and dbt's files lie in `verify/` in the home and are removed at the end. That
    takes about the time of a full refresh and twice the space of the warehouse.

    All columns of all public tables and of `quarantined_events` have to be equal, row for row;
    `compare` says how, and what is left out.

    Args:
        settings: those that the tables were built by.

    Returns:
        What differs, if anything does.

    Raises:
        SettingsError: the home has no warehouse.
        LockTimeoutError: a writer, or another verify, was in the way for too long.
        BuildError: the tables are older than what is loaded, or dbt cannot build them from nothing.
    """
    home = Home(settings.home)
    if not home.warehouse.exists():
        message = f"Home {str(settings.home)!r} has no warehouse. Run `sequen-dagster run` first."
        raise SettingsError(message)
    with _scratch(settings) as scratch:
        copy = home.scratch.actual_tables
        emit("verify", "copying the tables that stand")
        catalog = TableCatalog.read(load_manifest(settings))
        commits = _copy_actual(settings, copy, catalog)
        emit("verify", f"loading {counted(len(commits), 'commit')}")
        loaded = load_commits(scratch, lake=home.lake, only=commits)
        _rebuild(scratch)
        differences = _compare_all(scratch, copy, catalog)
    return Verification(
        len(catalog.compared), len(commits), len(commits) - loaded.commits, differences
    )


@contextmanager
def _scratch(settings: SequenSettings) -> Iterator[SequenSettings]:
    """A home of its own, by the same settings, that is gone afterwards."""
    home = Home(settings.home)
    folder = home.scratch.root
    with hold_lock(home, VERIFY, timeout_seconds=settings.lock_timeout_seconds):
        try:
            # What one that was killed has left.
            shutil.rmtree(folder, ignore_errors=True)
            home.scratch.make()
            yield settings.model_copy(update={"home": folder})
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _copy_actual(settings: SequenSettings, copy: Path, catalog: TableCatalog) -> set[str]:
    """Copy the tables to compare; return the names of the commits that they are made of."""
    home = Home(settings.home)
    with (
        writer_lock(home, timeout_seconds=settings.lock_timeout_seconds),
        connect(settings, folders=[copy.parent]) as warehouse,
    ):
        create_raw_tables(warehouse)
        names = dict(warehouse.execute("select commit_id, name from raw.commits").fetchall())
        reason = why_stale(warehouse, tables_fingerprint(settings))
        reason = reason or _why_outdated(home.lake, names)
        if reason:
            message = f"The tables cannot be verified: {reason}. Run `sequen-dagster run` first."
            raise BuildError(message)
        copy_tables(warehouse, copy, names=catalog.compared)
        return set(names.values())


def _why_outdated(lake: Lake, names: dict[str, str]) -> str:
    """Rows that were rewritten since they were loaded are nothing to compare with."""
    latest = latest_manifests(lake)
    outdated = [one for one, name in names.items() if one in latest and latest[one].stem != name]
    return "rows in the lake were rewritten since the last build" if outdated else ""


def _rebuild(scratch: SequenSettings) -> None:
    emit("verify", "rebuilding all tables")
    write_profile(scratch)
    no_tests = ("--full-refresh", "--exclude-resource-type", "test", "unit_test")
    for event in stream_dbt(scratch, ["build", *no_tests]):
        place = re.search(r"(\d+ of \d+) (OK|ERROR)", event["info"]["msg"])
        if place:
            emit("verify", f"building {place[1]}")


def _compare_all(
    scratch: SequenSettings, copy: Path, catalog: TableCatalog
) -> tuple[Difference, ...]:
    with connect(scratch, folders=[copy.parent]) as rebuilt:
        attach_copy(rebuilt, copy, "actual")
        differences = []
        for number, table in enumerate(catalog.compared, start=1):
            emit("verify", f"comparing {number} of {len(catalog.compared)} {table}")
            found = compare(rebuilt, table, catalog.keys.get(table, ()))
            differences += [found] if found else []
    return tuple(differences)
