"""`sequen-dagster doctor`: what is wrong with a home and its surroundings, and what to do about it.

Looks at every stage in turn and changes nothing; the two repairs are separate functions.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Final, Literal

import duckdb
from packaging.requirements import Requirement

from sequen_dagster.errors import ExportsError, HomeError, LockTimeoutError
from sequen_dagster.exports.files import list_location
from sequen_dagster.exports.passed_over import passed_over_text
from sequen_dagster.home.locks import commit_lock
from sequen_dagster.lake.commits import Batch, commit_id_of, commit_names, current_batches
from sequen_dagster.lake.erasures import read_noted
from sequen_dagster.lake.ingest import contract_fingerprint
from sequen_dagster.lake.ledger import Ledger
from sequen_dagster.lake.ledger_file import connect as connect_ledger
from sequen_dagster.lake.ledger_file import ledger_path, set_aside
from sequen_dagster.lake.tidying import find_unreferenced_files, missing_rows
from sequen_dagster.marts.builds import why_stale
from sequen_dagster.marts.project import project_dir, tables_fingerprint
from sequen_dagster.marts.warehouse import connect, warehouse_path, writer_lock
from sequen_dagster.reports.publish import snapshot_path
from sequen_dagster.runtime.text import counted, quoted
from sequen_dagster.settings import SequenSettings

Level = Literal["ok", "warning", "error"]

_TOLD_VERSIONS: Final = ("dagster", "dagster-dbt", "dbt-core", "dbt-duckdb", "duckdb", "pandera")
_SHOWN: Final = 3


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        area: what it belongs to: versions, home, exports, lake, ledger, marts, reports, triggers.
        level: `error` where something does not work or was lost, `warning` where it soon may.
        message: what was found, and what to do where something is wrong.
    """

    area: str
    level: Level
    message: str


def examine(settings: SequenSettings) -> list[Finding]:
    """Look at everything; nothing is changed.

    Args:
        settings: those that the home is used with.

    Returns:
        Findings in the order of the stages.
    """
    home = settings.home
    findings = [*_versions(), *_home(settings), *_exports(settings)]
    if not home.is_dir():
        return findings
    return [*findings, *_lake(settings), *_ledger(settings), *_marts(settings), *_triggers()]


def rebuild_ledger(settings: SequenSettings) -> tuple[Path | None, int]:
    """Rebuild the ledger from the commits.

    What it knew of files that are not committed is forgotten: failed and dead-lettered files are
    tried again.

    Returns:
        The name that the old ledger has now, if there was one; and how many commits are indexed.
    """
    path = ledger_path(settings.make_home())
    kept = set_aside(path, "before-rebuild") if path.exists() else None
    return kept, Ledger(settings.home).sync()


def _versions() -> Iterator[Finding]:
    wrong = []
    for text in requires("sequen-dagster") or ():
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            installed = "none"
        if installed == "none" or not requirement.specifier.contains(installed, prereleases=True):
            wrong.append(f"{requirement} is needed, {installed} is installed")
    told = ", ".join(f"{name} {version(name)}" for name in _TOLD_VERSIONS)
    yield Finding("versions", "ok", f"sequen-dagster {version('sequen-dagster')}; {told}")
    if wrong:
        yield Finding("versions", "error", f"{'; '.join(wrong)}. Install the package again.")


def _home(settings: SequenSettings) -> Iterator[Finding]:
    home = settings.home
    if not home.is_dir():
        yield Finding("home", "ok", f"{str(home)!r} is not there yet; the first run makes it.")
        return
    if home.is_relative_to(project_dir()):
        message = f"{str(home)!r} lies within the dbt project, which an upgrade replaces. Move it."
        yield Finding("home", "error", message)
    try:
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        message = f"{str(home)!r} cannot be written: {error.strerror}. Give this user the right to."
        yield Finding("home", "error", message)
    if home.stat().st_mode & 0o077:
        message = f"{str(home)!r} is open to other users of this machine. Run `chmod go= {home}`."
        yield Finding("home", "warning", message)
    free = shutil.disk_usage(home).free
    held = sum(path.stat().st_size for path in (warehouse_path(settings),) if path.exists())
    # A build, a snapshot and a verify each need about as much again.
    level: Level = "ok" if free > max(2 * held, 1 << 30) else "warning"
    yield Finding("home", level, f"{free / 1e9:,.1f} GB free; the warehouse has {held / 1e9:,.1f}")
    yield from _holders(settings)


def _holders(settings: SequenSettings) -> Iterator[Finding]:
    """Who has the locks; nobody, most of the time."""
    impatient = settings.model_copy(update={"lock_timeout_seconds": 0})
    try:
        with writer_lock(impatient):
            yield Finding("home", "ok", "nobody writes the warehouse")
    except LockTimeoutError as error:
        yield Finding("home", "warning", str(error))
    try:
        with commit_lock(impatient):
            pass
    except LockTimeoutError:
        yield Finding("home", "warning", "a run is committing to the lake at this moment")


def _exports(settings: SequenSettings) -> Iterator[Finding]:
    for source in settings.sources:
        try:
            listing = list_location(source)
        except ExportsError as error:
            yield Finding("exports", "error", str(error))
            continue
        size = sum(file.size_bytes for file in listing.files)
        message = f"{source.name}: {counted(len(listing.files), 'file')}, {size / 1e9:,.2f} GB"
        if not listing.files:
            # An empty place waits for its first file; one where all is passed over is misread.
            yield Finding("exports", "warning" if listing.passed_over else "ok", str(listing))
            continue
        is_closed = any(one.reason == "unreadable" for one in listing.passed_over)
        found = ". ".join(filter(None, (message, passed_over_text(listing.passed_over))))
        yield Finding("exports", "warning" if is_closed else "ok", found)


def _lake(settings: SequenSettings) -> Iterator[Finding]:
    batches = current_batches(settings.home / "lake")
    commits = counted(len(commit_names(settings.home / "lake")), "commit")
    yield Finding("lake", "ok", f"{commits}, {counted(len(batches), 'current batch')}")
    lost = missing_rows(settings)
    if lost:
        message = (
            f"{counted(len(lost), 'row file')} that commits name are gone ({_few(lost)}). Restore "
            "the lake from a backup, or replay these batches from the export files."
        )
        yield Finding("lake", "error", message)
    unreferenced_files = find_unreferenced_files(settings)
    if unreferenced_files:
        size = sum(unreferenced.size_bytes for unreferenced in unreferenced_files)
        message = (
            f"{counted(len(unreferenced_files), 'unreferenced file')} left by killed runs, "
            f"{size / 1e6:,.1f} MB. "
            "`sequen-dagster doctor --clean` removes them."
        )
        yield Finding("lake", "warning", message)
    yield from _erasures(settings, batches)
    validate = contract_fingerprint(settings)
    stale = [batch.path for batch in batches if batch.contract_fingerprint != validate]
    if stale:
        message = (
            f"{counted(len(stale), 'batch')} judged by another contract ({_few(stale)}). "
            "`sequen-dagster replay --stale` judges them again."
        )
        yield Finding("lake", "warning", message)


def _erasures(settings: SequenSettings, batches: list[Batch]) -> Iterator[Finding]:
    try:
        noted = read_noted(settings.home / "lake")
    except HomeError as error:
        yield Finding("lake", "error", str(error))
        return
    if not noted.notes and any(batch.erasures for batch in batches):
        message = (
            "The list of erased people (`lake/erasures.json`) is gone, so new files bring them "
            "back. Restore it from a backup, or erase them again."
        )
        yield Finding("lake", "error", message)
    if noted.unfinished:
        count = counted(noted.unfinished, "erasure")
        message = f"{count} broke off. Run the same `sequen-dagster erase` again."
        yield Finding("lake", "error", message)


def _ledger(settings: SequenSettings) -> Iterator[Finding]:
    path = ledger_path(settings.home)
    if not path.exists():
        yield Finding("ledger", "ok", "not there; the next run makes it from the commits")
        return
    try:
        ledger = Ledger(settings.home)
        with connect_ledger(path) as connection:
            known = {row[0] for row in connection.execute("select commit_id from commits")}
            states = {
                state: [row[1] for row in rows]
                for state in ("failed", "dead_lettered")
                if (
                    rows := connection.execute(
                        "select state, path from files where state = ? order by path", (state,)
                    ).fetchall()
                )
            }
        waiting = len(set(commit_names(settings.home / "lake")) - known)
        ledger.check_lake()
        unread = ledger.unread_files()
    except HomeError as error:
        yield Finding("ledger", "error", str(error))
        return
    yield Finding("ledger", "ok", f"{counted(len(known), 'commit')} indexed, {waiting} to come")
    for state, paths in states.items():
        has_failed = state == "failed"
        then = "tried again" if has_failed else "tried again by `replay --dead-lettered`"
        what = "failed" if has_failed else "dead-lettered"
        message = f"{counted(len(paths), 'file')} {what} ({_few(paths)}); {then}"
        yield Finding("ledger", "warning", message)
    if unread:
        named = "; ".join(map(str, unread[:_SHOWN])) + ("; ..." if len(unread) > _SHOWN else "")
        message = f"{counted(len(unread), 'file')} could not be read as a whole. {named}"
        yield Finding("ledger", "warning", message)


def _marts(settings: SequenSettings) -> Iterator[Finding]:
    if not warehouse_path(settings).exists():
        yield Finding("marts", "ok", "no warehouse yet; the first run builds it")
        return
    impatient = settings.model_copy(update={"lock_timeout_seconds": 0})
    try:
        with writer_lock(impatient), connect(impatient) as warehouse:
            behind = why_stale(warehouse, tables_fingerprint(settings))
            rows = warehouse.execute("select name from raw.commits").fetchall()
    except (duckdb.CatalogException, duckdb.BinderException):
        message = "there are no tables of this release. The next run makes them."
        yield Finding("marts", "warning", message)
        return
    except LockTimeoutError as error:
        yield Finding("marts", "warning", f"not looked at: {error}")
        return
    except duckdb.Error as error:
        # Not its text, which may hold values; a newer format or a damaged file.
        message = (
            f"the warehouse cannot be opened ({type(error).__name__}). If a newer duckdb made it, "
            "install that one; else delete it, and the next run builds it from the lake."
        )
        yield Finding("marts", "error", message)
        return
    loaded = {name for (name,) in rows}
    present = set(commit_names(settings.home / "lake"))
    # By their ids: rows of a commit that is there may have been rewritten since it was loaded.
    lost = set(map(commit_id_of, loaded)) - set(map(commit_id_of, present))
    if lost:
        count = counted(len(lost), "commit")
        yield Finding("marts", "error", f"{count} that the warehouse holds are not in the lake")
    if behind or present - loaded:
        reason = behind or f"{counted(len(present - loaded), 'commit')} to load"
        yield Finding(
            "marts", "warning", f"the tables are behind: {reason}. The next run mends it."
        )
    else:
        yield Finding("marts", "ok", f"the tables are those of {counted(len(loaded), 'commit')}")
    snapshot = snapshot_path(settings)
    with suppress(FileNotFoundError):
        if snapshot.stat().st_mtime < warehouse_path(settings).stat().st_mtime - 24 * 3600:
            message = "the published snapshot is a day older than the tables"
            yield Finding("reports", "warning", message)


def _triggers() -> Iterator[Finding]:
    if not os.environ.get("DAGSTER_HOME"):
        yield Finding("triggers", "ok", "DAGSTER_HOME is not set, so no instance was looked at")
        return
    # Takes seconds to import, and many homes are run without an instance.
    from sequen_dagster.triggers.instance import warnings_of_this_instance

    warnings = warnings_of_this_instance()
    for warning in warnings:
        yield Finding("triggers", "warning", warning)
    if not warnings:
        yield Finding("triggers", "ok", "the instance's pool is limited and no sensor is stopped")


def _few(names: list[str]) -> str:
    return ", ".join(map(quoted, names[:_SHOWN])) + (", ..." if len(names) > _SHOWN else "")
