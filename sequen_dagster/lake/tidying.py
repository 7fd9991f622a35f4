"""Lake: files that nothing refers to, left by processes that were killed, and their removal.

A run that dies leaves what it had written. No table sees it, and it does not disturb the next run;
it only takes up room.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import filelock

from sequen_dagster.contract.scalars import utc_now
from sequen_dagster.home.durable import UNFINISHED
from sequen_dagster.home.layout import Home, Lake
from sequen_dagster.lake.commits import Batch, latest_manifests, named_rows, read_commits

# A run that is still at work may be about to name what it has written.
UNREFERENCED_AGE_SECONDS: Final = 24 * 60 * 60


@dataclass(frozen=True)
class UnreferencedFile:
    """A file or folder that nothing refers to.

    Attributes:
        path: where it is.
        size_bytes: what it takes up.
    """

    path: Path
    size_bytes: int


def find_unreferenced_files(
    home: Home, *, older_than_seconds: float = UNREFERENCED_AGE_SECONDS
) -> list[UnreferencedFile]:
    """Find what killed processes have left in a home; nothing is changed.

    Args:
        home: the home.
        older_than_seconds: what was written to since is passed over.
    """
    oldest = time.time() - older_than_seconds
    return [
        UnreferencedFile(path, _size_of(path))
        for path in sorted({*_find_unnamed_rows(home.lake), *_find_unfinished(home)})
        if _newest_write(path) <= oldest
    ]


def remove_unreferenced_files(unreferenced_files: list[UnreferencedFile]) -> None:
    """Remove what `find_unreferenced_files` has found."""
    for unreferenced in unreferenced_files:
        if unreferenced.path.is_dir():
            shutil.rmtree(unreferenced.path, ignore_errors=True)
        else:
            unreferenced.path.unlink(missing_ok=True)
            folder = unreferenced.path.parent
            if folder.name.startswith("batch_id=") and not any(folder.iterdir()):
                folder.rmdir()


def find_missing_rows(lake: Lake) -> list[str]:
    """The names of row files that a commit names and that are not there."""
    return sorted(name for name in named_rows(lake) if not lake.rows(name).exists())


def _find_unnamed_rows(lake: Lake) -> Iterator[Path]:
    named = named_rows(lake)
    yield from (path for path in lake.list_rows() if lake.name_of(path) not in named)


def _find_unfinished(home: Home) -> Iterator[Path]:
    yield from home.lake.incoming.glob("*")
    for folder in (home.lake.root, home.lake.commits):
        yield from folder.glob(UNFINISHED)
    # Files of earlier releases and those of the engine are named otherwise.
    for pattern in ("*.tmp*", "*/*.tmp*"):
        yield from home.serving.root.glob(pattern)
    yield from (path for path in (home.scratch.root, home.compaction) if path.exists())


def _size_of(path: Path) -> int:
    parts = [path, *path.rglob("*")] if path.is_dir() else [path]
    return sum(part.stat().st_size for part in parts if part.is_file())


def _newest_write(path: Path) -> float:
    parts = [path, *path.rglob("*")] if path.is_dir() else [path]
    return max(part.stat().st_mtime for part in parts)


def is_rewriting_due(lake: Lake, *, days: int | None, now: datetime | None = None) -> bool:
    """Whether `drop_old_raw_text` has anything to do; it costs imports, this a look at commits.

    Args:
        lake: the lake.
        days: how long text of quarantined records is kept; None keeps all.
        now: this moment, UTC without zone.
    """
    is_due = find_old_raw_text(days=days, now=now)
    return bool(outdated_manifests(lake)) or (
        days is not None
        and any(is_due(batch) for commit in read_commits(lake) for batch in commit.batches)
    )


def find_old_raw_text(*, days: int | None, now: datetime | None = None) -> Callable[[Batch], bool]:
    """A test for batches whose quarantined records keep their text for longer than `days`."""
    oldest_kept = datetime.min if days is None else (now or utc_now()) - timedelta(days=days)
    return lambda batch: (
        batch.registered_at < oldest_kept and bool(batch.quarantine) and not batch.is_raw_dropped
    )


def remove_abandoned_rows(lake: Lake) -> None:
    """Remove what killed runs have written and not moved to its place."""
    for folder in lake.incoming.glob("*/"):
        lock = filelock.FileLock(folder.with_suffix(".lock"))
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            continue
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)


def remove_uncommitted(lake: Lake, batches: Iterable[Batch]) -> None:
    """Remove the rows of batches that will not be committed; hold `commit_lock`.

    Files that a commit names stay: the same batch may have been committed before.
    """
    doomed = {name for batch in batches for name in (*batch.events, *batch.quarantine)}
    for name in doomed - named_rows(lake) if doomed else ():
        lake.rows(name).unlink(missing_ok=True)


def outdated_manifests(lake: Lake) -> set[Path]:
    """Manifests that a later revision has replaced; one that is left shows that it broke off."""
    return set(lake.commits.glob("*.json")) - set(latest_manifests(lake).values())
