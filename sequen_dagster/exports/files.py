"""Exports: find the files of a source, and open one safely.

In: a source (a folder or an address, with include and exclude patterns). Out: `ExportFile`s, in
path order.
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

from upath import UPath

from sequen_dagster.errors import ExportsError, VanishedFileError
from sequen_dagster.exports.stores import (
    etag_of,
    info_of,
    list_objects,
    modified_at,
    open_object,
    size_of,
)
from sequen_dagster.settings import Source
from sequen_dagster.wording import quoted

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, order=True)
class ExportFile:
    """One file in the exports place, as its store reports it.

    Attributes:
        source: name of the source.
        path: path under the exports place, with forward slashes.
        location: where to open it: a path of this machine, or an address in a store.
        size_bytes: its size when it was listed.
        modified_at: its modified time, UTC without zone.
        etag: what else tells two versions apart: the store's own tag, or the time of the last
            change of the file's record, which nobody can set back as they can the modified time.
    """

    source: str
    path: str
    location: str
    size_bytes: int
    modified_at: datetime
    etag: str = ""


def list_files(source: Source) -> list[ExportFile]:
    """List the regular files of a source, recursively, in path order.

    Symlinks, directories, pipes and devices are passed over: following a link would let whoever
    writes the exports read any file of this machine.

    Args:
        source: the source to list.

    Returns:
        The files that match `include` and not `exclude`.

    Raises:
        ExportsError: the exports place does not exist, is no folder, or cannot be reached.
    """
    root = source.exports
    if not isinstance(root, Path):
        return _list_store(source, root)
    if root.is_file():
        return [_export_file(source, root.name, str(root), root.stat())]
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
                found.append(_export_file(source, relative, entry.path, status))
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
    if _is_in_store(file):
        return open_object(file.location, file.path)
    try:
        descriptor = os.open(file.location, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except PermissionError:
        raise
    except OSError as error:
        message = (
            f"File {quoted(file.path)} vanished before it was read. It is retried when it is back."
        )
        raise VanishedFileError(message) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        message = f"File {quoted(file.path)} is no regular file. Put the export itself there."
        raise VanishedFileError(message)
    return os.fdopen(descriptor, "rb", buffering=0)


def check_unchanged(file: ExportFile, handle: BinaryIO, size_bytes: int) -> None:
    """Refuse a file that was written to while it was read: the listing no longer describes it.

    A file that another has taken the place of is fine: what was read is the listed one, whole.

    Args:
        file: the file as listed.
        handle: what it was read through, still open.
        size_bytes: how many bytes were read.

    Raises:
        VanishedFileError: it differs from the listing.
    """
    if _is_in_store(file):
        # Objects are replaced whole, but a long read may see two of them.
        info = info_of(file.location)
        is_same = bool(info) and (size_of(info), etag_of(info)) == (file.size_bytes, file.etag)
    else:
        status = os.fstat(handle.fileno())
        is_same = (status.st_size, _modified_at(status)) == (file.size_bytes, file.modified_at)
    if not is_same or size_bytes != file.size_bytes:
        message = (
            f"File {quoted(file.path)} changed while it was read. It is read again when it rests."
        )
        raise VanishedFileError(message)


def _is_in_store(file: ExportFile) -> bool:
    return "://" in file.location


def _list_store(source: Source, place: UPath) -> list[ExportFile]:
    return sorted(
        ExportFile(source.name, relative, address, size_of(info), modified_at(info), etag_of(info))
        for relative, address, info in list_objects(place)
        if _is_wanted(relative, source)
    )


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    except PermissionError:
        # One closed folder must not hold back the others.
        _logger.warning(
            "folder %s in the exports place may not be read; passed over", quoted(prefix)
        )
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
    source: Source, relative: str, location: str, status: os.stat_result
) -> ExportFile:
    # A name may hold any bytes; a path is text that can be stored.
    path = os.fsencode(relative).decode("utf-8", "backslashreplace")
    etag = str(status.st_ctime_ns)
    return ExportFile(source.name, path, location, status.st_size, _modified_at(status), etag)


def _modified_at(status: os.stat_result) -> datetime:
    # Whole microseconds from the integer nanoseconds: the float st_mtime rounds differently.
    micros = status.st_mtime_ns // 1000
    return datetime.fromtimestamp(micros // 1_000_000, UTC).replace(
        microsecond=micros % 1_000_000, tzinfo=None
    )
