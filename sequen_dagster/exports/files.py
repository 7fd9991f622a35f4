"""Exports: find the files of a source, and open one safely.

In: a source (a folder with include and exclude patterns). Out: `ExportFile`s, in path order.
"""

import logging
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO

from sequen_dagster.errors import ExportsError, VanishedFileError
from sequen_dagster.settings import Source

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, order=True)
class ExportFile:
    """One file in the exports place, as its store reports it.

    Attributes:
        source: name of the source.
        path: path under the exports place, with forward slashes.
        location: where to open it.
        size_bytes: its size when it was listed.
        modified_at: its modified time, UTC without zone.
    """

    source: str
    path: str
    location: Path
    size_bytes: int
    modified_at: datetime


def list_files(source: Source) -> list[ExportFile]:
    """List the regular files of a source, recursively, in path order.

    Symlinks, directories, pipes and devices are passed over: following a link would let whoever
    writes the exports read any file of this machine.

    Args:
        source: the source to list.

    Returns:
        The files that match `include` and not `exclude`.

    Raises:
        ExportsError: the exports place does not exist or is no folder.
    """
    root = source.exports
    if root.is_file():
        return [_export_file(source, root.name, root, root.stat())]
    if not root.is_dir():
        message = (
            f"Exports place {str(root)!r} of source {source.name!r} is no folder. "
            "Create it, or point `exports` at the folder that holds the export files."
        )
        raise ExportsError(message)
    found: list[ExportFile] = []
    for relative, entry in _walk(root, ""):
        if _is_wanted(relative, source):
            # A file that vanishes while we list is no file any more.
            with suppress(FileNotFoundError):
                status = entry.stat(follow_symlinks=False)
                found.append(_export_file(source, relative, Path(entry.path), status))
    return sorted(found)


def open_file(file: ExportFile) -> BinaryIO:
    """Open an export for reading, refusing links and everything that is no regular file.

    Args:
        file: the file as listed.

    Returns:
        An unbuffered binary handle; the caller closes it.

    Raises:
        VanishedFileError: it is gone, or has become something else than a regular file.
        PermissionError: this process may not read it.
    """
    try:
        descriptor = os.open(file.location, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except PermissionError:
        raise
    except OSError as error:
        message = f"File {file.path!r} vanished before it was read. It is retried when it is back."
        raise VanishedFileError(message) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        message = f"File {file.path!r} is no regular file. Put the export itself there."
        raise VanishedFileError(message)
    return os.fdopen(descriptor, "rb", buffering=0)


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    except PermissionError:
        # One closed folder must not hold back the others.
        _logger.warning("folder %r in the exports place may not be read; passed over", prefix)
        return
    for entry in entries:
        relative = f"{prefix}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), f"{relative}/")
        elif entry.is_file(follow_symlinks=False):
            yield relative, entry


def _is_wanted(relative: str, source: Source) -> bool:
    parts = relative.split("/")

    def matches(texts: list[str], patterns: tuple[str, ...]) -> bool:
        return any(fnmatchcase(text, pattern) for text in texts for pattern in patterns)

    # A folder that is excluded, such as Spark's _temporary, excludes all below it.
    is_included = matches([parts[-1], relative], source.include)
    return is_included and not matches([*parts, relative], source.exclude)


def _export_file(
    source: Source, relative: str, location: Path, status: os.stat_result
) -> ExportFile:
    # Whole microseconds from the integer nanoseconds: the float st_mtime rounds differently.
    micros = status.st_mtime_ns // 1000
    modified_at = datetime.fromtimestamp(micros // 1_000_000, UTC).replace(
        microsecond=micros % 1_000_000, tzinfo=None
    )
    # A name may hold any bytes; a path is text that can be stored.
    path = os.fsencode(relative).decode("utf-8", "backslashreplace")
    return ExportFile(source.name, path, location, status.st_size, modified_at)
