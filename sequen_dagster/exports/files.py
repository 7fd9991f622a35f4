"""Exports: find the files of a source, and open one safely.

In: a source (a folder or an address, with include and exclude patterns). Out: `ExportFile`s, in
path order.
"""

import logging
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import translate
from functools import cache
from pathlib import Path
from typing import BinaryIO, Final

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

# Names of the files that announce others, by how a source says that files are whole.
MARKERS: Final = {"success_marker": "_SUCCESS", "manifest": "_manifest.json"}
_EPOCH: Final = datetime(1970, 1, 1)

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


@dataclass(frozen=True)
class Listing:
    """What an exports place holds.

    Attributes:
        files: the export files, in path order.
        markers: files that say of others that they are whole, where the source works so.
    """

    files: list[ExportFile]
    markers: list[ExportFile]


def list_files(source: Source) -> list[ExportFile]:
    """List the export files of a source, in path order: the files of `list_place`."""
    return list_place(source).files


def list_sources(sources: Iterable[Source]) -> list[ExportFile]:
    """List the export files of several sources, one after the other."""
    return [file for source in sources for file in list_files(source)]


def list_place(source: Source) -> Listing:
    """List the regular files of a source, recursively, in path order.

    Symlinks, directories, pipes and devices are passed over: following a link would let whoever
    writes the exports read any file of this machine.

    Args:
        source: the source to list.

    Returns:
        The files that match `include` and not `exclude`, and the markers.

    Raises:
        ExportsError: the exports place does not exist, is no folder, or cannot be reached.
    """
    root = source.exports
    if not isinstance(root, Path):
        found = _list_store(source, root)
    elif root.is_file():
        return Listing([_export_file(source, root.name, str(root), root.stat())], [])
    elif root.is_dir():
        found = _list_folder(source, root)
    else:
        message = (
            f"Exports place {str(root)!r} of source {source.name!r} is no folder. "
            "Create it, or point `exports` at the folder that holds the export files."
        )
        raise ExportsError(message)
    files: list[ExportFile] = []
    markers: list[ExportFile] = []
    for file in found:
        (markers if _is_marker(file.path, source) else files).append(file)
    return Listing(sorted(files, key=_path_of), sorted(markers, key=_path_of))


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


def _list_store(source: Source, place: UPath) -> Iterator[ExportFile]:
    for relative, address, info in list_objects(place):
        if _is_marker(relative, source) or _is_wanted(relative, source):
            yield ExportFile(
                source.name, relative, address, size_of(info), modified_at(info), etag_of(info)
            )


def _list_folder(source: Source, root: Path) -> Iterator[ExportFile]:
    for relative, entry in _walk(root, "", _matching(source.exclude)):
        if _is_marker(relative, source) or _is_wanted(relative, source):
            # A file that vanishes while we list is no file any more.
            with suppress(FileNotFoundError):
                yield _export_file(source, relative, entry.path, entry.stat(follow_symlinks=False))


def _walk(
    folder: Path, prefix: str, is_excluded: Callable[[str], object]
) -> Iterator[tuple[str, os.DirEntry[str]]]:
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
            # A folder that is excluded, such as Spark's _temporary, excludes all below it.
            if not is_excluded(entry.name):
                yield from _walk(Path(entry.path), f"{relative}/", is_excluded)
        elif entry.is_file(follow_symlinks=False):
            yield relative, entry


def _is_marker(relative: str, source: Source) -> bool:
    return relative.rpartition("/")[2] == MARKERS.get(source.complete_when)


def _is_wanted(relative: str, source: Source) -> bool:
    name = relative.rpartition("/")[2]
    is_included, is_excluded = _matching(source.include), _matching(source.exclude)
    if not (is_included(name) or is_included(relative)):
        return False
    # In a store nobody has looked at the folders before.
    folders = relative.split("/")[:-1] if isinstance(source.exports, UPath) else ()
    return not (is_excluded(name) or is_excluded(relative) or any(map(is_excluded, folders)))


@cache
def _matching(patterns: tuple[str, ...]) -> Callable[[str], object]:
    """Says whether a name matches one of the patterns, whatever its case on this machine."""
    alternatives = "|".join(translate(pattern) for pattern in patterns)
    return re.compile(alternatives or "(?!)").match


def _path_of(file: ExportFile) -> str:
    return file.path


def _export_file(
    source: Source, relative: str, location: str, status: os.stat_result
) -> ExportFile:
    path = relative
    if not relative.isascii():
        # A name may hold any bytes; a path is text that can be stored.
        path = os.fsencode(relative).decode("utf-8", "backslashreplace")
    etag = str(status.st_ctime_ns)
    return ExportFile(source.name, path, location, status.st_size, _modified_at(status), etag)


def _modified_at(status: os.stat_result) -> datetime:
    # Whole microseconds from the integer nanoseconds: the float st_mtime rounds differently.
    return _EPOCH + timedelta(microseconds=status.st_mtime_ns // 1000)
