"""Lake: files that nothing refers to, left by processes that were killed, and their removal.

A run that dies leaves what it had written; no table sees it, and the next run does not mind. It
only takes up room.
"""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sequen_dagster.lake.commits import named_rows
from sequen_dagster.settings import SequenSettings

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
    settings: SequenSettings, *, older_than_seconds: float = UNREFERENCED_AGE_SECONDS
) -> list[UnreferencedFile]:
    """Find what killed processes have left in a home; nothing is changed.

    Args:
        settings: the home.
        older_than_seconds: what was written to since is passed over.
    """
    oldest = time.time() - older_than_seconds
    return [
        UnreferencedFile(path, _size_of(path))
        for path in sorted({*_unnamed_rows(settings), *_unfinished(settings)})
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


def missing_rows(settings: SequenSettings) -> list[str]:
    """Row files that a commit names and that are not there; paths relative to the lake."""
    lake = settings.home / "lake"
    return sorted(name for name in named_rows(lake) if not (lake / name).exists())


def _unnamed_rows(settings: SequenSettings) -> Iterator[Path]:
    lake = settings.home / "lake"
    named = named_rows(lake)
    for kind in ("events", "quarantine"):
        for path in (lake / kind).glob("batch_id=*/*"):
            if path.relative_to(lake).as_posix() not in named:
                yield path


def _unfinished(settings: SequenSettings) -> Iterator[Path]:
    home = settings.home
    yield from (home / "lake" / ".incoming").glob("*")
    yield from (home / "lake" / "commits").glob(".*.tmp")
    for pattern in ("*.tmp*", "*/*.tmp*"):
        yield from (home / "serving").glob(pattern)
    yield from (path for path in [home / "verify"] if path.exists())


def _size_of(path: Path) -> int:
    parts = [path, *path.rglob("*")] if path.is_dir() else [path]
    return sum(part.stat().st_size for part in parts if part.is_file())


def _newest_write(path: Path) -> float:
    parts = [path, *path.rglob("*")] if path.is_dir() else [path]
    return max(part.stat().st_mtime for part in parts)
