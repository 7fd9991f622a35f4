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

from sequen_dagster.errors import ExportsError, HomeError, LockTimeoutError, StorageError
from sequen_dagster.exports.files import list_location, may_read
from sequen_dagster.exports.passed_over import passed_over_text
from sequen_dagster.home.layout import Home, Lake
from sequen_dagster.home.locks import LOCKS, WRITER, hold_lock, writer_lock
from sequen_dagster.lake.commits import Batch, commit_id_of, current_batches, list_commit_names
from sequen_dagster.lake.erasures import read_erasure_list
from sequen_dagster.lake.ledger import Ledger
from sequen_dagster.lake.ledger_file import set_ledger_aside
from sequen_dagster.lake.ledger_rows import FileState
from sequen_dagster.lake.tidying import find_missing_rows, find_unreferenced_files
from sequen_dagster.lake.validation_rules import ValidationRules
from sequen_dagster.marts.builds import why_stale
from sequen_dagster.marts.project import project_dir, tables_fingerprint
from sequen_dagster.marts.warehouse import connect
from sequen_dagster.names import NAMES, Names
from sequen_dagster.runtime.text import bulleted, counted, quoted, sized
from sequen_dagster.settings import SequenSettings

Level = Literal["ok", "warning", "error"]

_SHOWN_VERSIONS: Final = ("dagster", "dagster-dbt", "dbt-core", "dbt-duckdb", "duckdb", "pandera")
_SHOWN: Final = 3
# How files of these states are named, and what becomes of them.
_FAILED_STATES: Final[dict[FileState, tuple[str, str]]] = {
    "failed": ("failed", "tried again"),
    "dead_lettered": ("dead-lettered", "tried again by `replay --dead-lettered`"),
}


@dataclass(frozen=True)
class Diagnosis:
    """One thing that was examined.

    Attributes:
        area: what it belongs to: versions, home, exports, lake, ledger, marts, reports, triggers.
        level: `error` where something does not work or was lost, `warning` where it soon may.
        message: what was found, and what to do where something is wrong.
    """

    area: str
    level: Level
    message: str


def examine_home(settings: SequenSettings, names: Names = NAMES) -> list[Diagnosis]:
    """Look at everything; nothing is changed.

    Args:
        settings: those that the home is used with.
        names: of the pipeline in Dagster.

    Returns:
        Diagnoses in the order of the stages.
    """
    home = Home(settings.home)
    found = [*_examine_versions()]
    at_home = list(_noting_errors("home", _examine_root(home)))
    found += [*at_home, *_noting_errors("exports", _examine_exports(settings))]
    # What cannot be written is not looked into: locks and the ledger are opened for writing.
    if not os.path.isdir(home.root) or not _can_write(home.root):  # noqa: PTH112  # a Path may raise
        return found
    return [
        *found,
        *_noting_errors("lake", _examine_lake(settings, home)),
        *_noting_errors("ledger", _examine_ledger(home)),
        *_noting_errors("marts", _examine_marts(settings, home)),
        *_examine_instance(names),
    ]


def _noting_errors(area: str, diagnoses: Iterator[Diagnosis]) -> Iterator[Diagnosis]:
    """Diagnoses up to a place that cannot be read or written, and that one as the last."""
    try:
        yield from diagnoses
    except StorageError as error:
        yield Diagnosis(area, "error", str(error))
    except OSError as error:
        place = repr(os.fsdecode(error.filename)) if error.filename else "a file"
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        message = f"{place} cannot be read or written: {reason}. Give this user the right to."
        yield Diagnosis(area, "error", message)


def _can_write(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def rebuild_ledger(home: Home) -> tuple[Path | None, int]:
    """Rebuild the ledger from the commits.

    What it knew of files that are not committed is forgotten: failed and dead-lettered files are
    tried again.

    Returns:
        The name that the old ledger has now, if there was one; and how many commits are indexed.
    """
    kept = set_ledger_aside(home.ledger, "before-rebuild") if home.ledger.exists() else None
    return kept, Ledger(home).sync()


def _examine_versions() -> Iterator[Diagnosis]:
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
    installed_versions = ", ".join(f"{name} {version(name)}" for name in _SHOWN_VERSIONS)
    yield Diagnosis(
        "versions", "ok", f"sequen-dagster {version('sequen-dagster')}; {installed_versions}"
    )
    if wrong:
        yield Diagnosis("versions", "error", f"{'; '.join(wrong)}. Install the package again.")


def _examine_root(home: Home) -> Iterator[Diagnosis]:
    root = home.root
    # Raises where a folder above is closed.
    if not root.exists():
        yield Diagnosis("home", "ok", f"{str(root)!r} is not there yet; the first run makes it.")
        return
    if root.is_relative_to(project_dir()):
        message = f"{str(root)!r} lies within the dbt project, which an upgrade replaces. Move it."
        yield Diagnosis("home", "error", message)
    # Raises where it is not a folder, or may not be written.
    home.make()
    is_effective = os.access in os.supports_effective_ids
    refused = [
        path.name
        for path in sorted(root.iterdir())
        if not os.access(path, os.W_OK, effective_ids=is_effective)
    ]
    if refused:
        message = (
            f"{str(root)!r} holds what may not be written ({_few(refused)}), of another user most "
            "likely. Give this user the right to."
        )
        yield Diagnosis("home", "error", message)
    if root.stat().st_mode & 0o077:
        message = f"{str(root)!r} is open to other users of this machine. Run `chmod go= {root}`."
        yield Diagnosis("home", "warning", message)
    free = shutil.disk_usage(root).free
    held = home.warehouse.stat().st_size if home.warehouse.exists() else 0
    # A build, a snapshot and a verify each need about as much again.
    level: Level = "ok" if free > max(2 * held, 1 << 30) else "warning"
    yield Diagnosis("home", level, f"{sized(free)} free; the warehouse has {sized(held)}")
    yield from _examine_locks(home)


def _examine_locks(home: Home) -> Iterator[Diagnosis]:
    """Which processes hold the locks; none, most of the time."""
    for lock in LOCKS:
        try:
            with hold_lock(home, lock, timeout_seconds=0):
                pass
        except LockTimeoutError as error:
            yield Diagnosis("home", "warning", str(error))
        else:
            if lock == WRITER:
                yield Diagnosis("home", "ok", "no process writes the warehouse")


def _examine_exports(settings: SequenSettings) -> Iterator[Diagnosis]:
    for source in settings.sources:
        try:
            listing = list_location(source)
        except ExportsError as error:
            yield Diagnosis("exports", "error", str(error))
            continue
        size = sum(file.size_bytes for file in listing.files)
        message = f"{source.name}: {counted(len(listing.files), 'file')}, {sized(size)}"
        closed = [file.path for file in listing.files if not may_read(file)]
        if closed:
            count = counted(len(closed), "file")
            hint = f"{source.name}: {count} may not be read ({_few(closed)}). Give this user the "
            yield Diagnosis("exports", "error", f"{hint}right to.")
        not_seen: Level = "error" if listing.closed else "warning"
        if not listing.files:
            # An empty location waits for its first file; one where all is passed over is misread.
            level: Level = not_seen if listing.passed_over else "ok"
            yield Diagnosis("exports", level, str(listing))
            continue
        found = ". ".join(filter(None, (message, passed_over_text(listing.passed_over))))
        yield Diagnosis("exports", "error" if listing.closed else "ok", found)


def _examine_lake(settings: SequenSettings, home: Home) -> Iterator[Diagnosis]:
    batches = current_batches(home.lake)
    commits = counted(len(list_commit_names(home.lake)), "commit")
    yield Diagnosis("lake", "ok", f"{commits}, {counted(len(batches), 'current batch')}")
    lost = find_missing_rows(home.lake)
    if lost:
        message = (
            f"{counted(len(lost), 'row file')} that commits name are gone ({_few(lost)}). Restore "
            "the lake from a backup, or replay these batches from the export files."
        )
        yield Diagnosis("lake", "error", message)
    unreferenced_files = find_unreferenced_files(home)
    if unreferenced_files:
        size = sum(unreferenced.size_bytes for unreferenced in unreferenced_files)
        message = (
            f"{counted(len(unreferenced_files), 'unreferenced file')} left by killed runs, "
            f"{sized(size)}. "
            "`sequen-dagster doctor --clean` removes them."
        )
        yield Diagnosis("lake", "warning", message)
    yield from _examine_erasures(home.lake, batches)
    fingerprint = ValidationRules.of(settings).fingerprint
    stale = [batch.path for batch in batches if batch.contract_fingerprint != fingerprint]
    if stale:
        message = (
            f"{counted(len(stale), 'batch')} validated by another contract ({_few(stale)}). "
            "`sequen-dagster replay --stale` validates them again."
        )
        yield Diagnosis("lake", "warning", message)


def _examine_erasures(lake: Lake, batches: list[Batch]) -> Iterator[Diagnosis]:
    try:
        erased = read_erasure_list(lake)
    except HomeError as error:
        yield Diagnosis("lake", "error", str(error))
        return
    if not erased.notes and any(batch.erasures for batch in batches):
        message = (
            "The list of erased people (`lake/erasures.json`) is gone, so new files bring them "
            "back. Restore it from a backup, or erase them again."
        )
        yield Diagnosis("lake", "error", message)
    if erased.unfinished_count:
        count = counted(erased.unfinished_count, "erasure")
        message = f"{count} broke off. Run the same `sequen-dagster erase` again."
        yield Diagnosis("lake", "error", message)


def _examine_ledger(home: Home) -> Iterator[Diagnosis]:
    if not home.ledger.exists():
        yield Diagnosis("ledger", "ok", "not there; the next run makes it from the commits")
        return
    try:
        ledger = Ledger(home)
        known = ledger.commit_names()
        paths = {state: ledger.paths_in_state(state) for state in _FAILED_STATES}
        waiting = len(set(list_commit_names(home.lake)) - known)
        ledger.check_lake()
        unread = ledger.unread_files()
    except HomeError as error:
        yield Diagnosis("ledger", "error", str(error))
        return
    yield Diagnosis("ledger", "ok", f"{counted(len(known), 'commit')} indexed, {waiting} to come")
    for state, (what, then) in _FAILED_STATES.items():
        if paths[state]:
            message = f"{counted(len(paths[state]), 'file')} {what} ({_few(paths[state])}); {then}"
            yield Diagnosis("ledger", "warning", message)
    if unread:
        it = "it" if len(unread) == 1 else "them"
        message = (
            f"{counted(len(unread), 'file')} could not be read as a whole. Send {it} again under "
            f"the same path, in a form that is read:\n{bulleted(list(map(str, unread)))}"
        )
        yield Diagnosis("ledger", "warning", message)


def _examine_marts(settings: SequenSettings, home: Home) -> Iterator[Diagnosis]:
    if not home.warehouse.exists():
        yield Diagnosis("marts", "ok", "no warehouse yet; the first run builds it")
        return
    impatient = settings.model_copy(update={"lock_timeout_seconds": 0})
    try:
        with writer_lock(home, timeout_seconds=0), connect(impatient) as warehouse:
            reason = why_stale(warehouse, tables_fingerprint(settings))
            rows = warehouse.execute("select name from raw.commits").fetchall()
    except (duckdb.CatalogException, duckdb.BinderException):
        message = "there are no tables of this release. The next run makes them."
        yield Diagnosis("marts", "warning", message)
        return
    except LockTimeoutError as error:
        yield Diagnosis("marts", "warning", f"not looked at: {error}")
        return
    except duckdb.Error as error:
        # Not its text, which may hold values; a newer format or a damaged file.
        message = (
            f"the warehouse cannot be opened ({type(error).__name__}). If a newer duckdb made it, "
            "install that one; else delete it, and the next run builds it from the lake."
        )
        yield Diagnosis("marts", "error", message)
        return
    loaded = {name for (name,) in rows}
    present = set(list_commit_names(home.lake))
    # By their ids: rows of a commit that is there may have been rewritten since it was loaded.
    lost = set(map(commit_id_of, loaded)) - set(map(commit_id_of, present))
    if lost:
        count = counted(len(lost), "commit")
        yield Diagnosis("marts", "error", f"{count} that the warehouse holds are not in the lake")
    if present - loaded:
        reason = reason or f"{counted(len(present - loaded), 'commit')} to load"
    if reason:
        yield Diagnosis(
            "marts", "warning", f"the tables are stale: {reason}. The next run rebuilds them."
        )
    else:
        yield Diagnosis("marts", "ok", f"the tables are those of {counted(len(loaded), 'commit')}")
    snapshot = home.serving.snapshot
    with suppress(FileNotFoundError):
        if snapshot.stat().st_mtime < home.warehouse.stat().st_mtime - 24 * 3600:
            message = "the published snapshot is a day older than the tables"
            yield Diagnosis("reports", "warning", message)


def _examine_instance(names: Names) -> Iterator[Diagnosis]:
    if not os.environ.get("DAGSTER_HOME"):
        yield Diagnosis("triggers", "ok", "DAGSTER_HOME is not set, so no instance was looked at")
        return
    # Takes seconds to import, and many homes are run without an instance.
    from sequen_dagster.triggers.instance import warnings_of_this_instance

    warnings = warnings_of_this_instance(names)
    for warning in warnings:
        yield Diagnosis("triggers", "warning", warning)
    if not warnings:
        yield Diagnosis("triggers", "ok", "the instance's pool is limited, and the sensors run")


def _few(names: list[str]) -> str:
    return ", ".join(map(quoted, names[:_SHOWN])) + (", ..." if len(names) > _SHOWN else "")
