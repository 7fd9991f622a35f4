"""Exports: find the files of a source, and open one safely.

In: a source (a folder or an address, with include and exclude patterns). Out: `ExportFile`s, in
path order.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import starmap
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from upath import UPath

from sequen_dagster.errors import ExportsError, VanishedFileError
from sequen_dagster.exports.folders import FileChoice, FolderWalk, path_text
from sequen_dagster.exports.passed_over import PassedOver, passed_over_text
from sequen_dagster.exports.stores import (
    etag_of,
    info_of,
    list_objects,
    modified_at,
    open_object,
    size_of,
)
from sequen_dagster.runtime.text import counted, quoted
from sequen_dagster.settings import Source

# Names of the files that announce others, by how a source says that files are whole.
MARKERS: Final = {"success_marker": "_SUCCESS", "manifest": "_manifest.json"}
_EPOCH: Final = datetime(1970, 1, 1)
_path_of: Final = attrgetter("path")


# A struct, since a tick makes one of every file there is: a frozen dataclass takes 15 times as
# long, and the garbage collector would look through them.
class ExportFile(msgspec.Struct, frozen=True, order=True, gc=False):
    """One file at the location of a source, as its store reports it.

    Attributes:
        source: name of the source.
        path: path under the location, exactly as the store or file system has it; no two files
            of a source have the same.
        location: the path on this machine, or the address in a store, at which it is opened.
        size_bytes: its size when it was listed.
        modified_at: its modified time, UTC without zone.
        etag: what else distinguishes two versions: the store's own tag, or the time of the last
            change of the file's record, which cannot be set back as the modified time can.
    """

    source: str
    path: str
    location: str
    size_bytes: int
    modified_at: datetime
    etag: str = ""


@dataclass(frozen=True)
class Listing:
    """The files found at the location of a source.

    Attributes:
        source: the source.
        files: the export files, in path order.
        markers: files that announce others as whole, where `complete_when` asks for that.
        passed_over: the other files, counted by the reason for which they are not read.
    """

    source: Source
    files: list[ExportFile]
    markers: list[ExportFile]
    passed_over: tuple[PassedOver, ...] = ()

    def __str__(self) -> str:
        """Say how many files were found, and which were passed over."""
        source = self.source
        if self.files:
            found = f"{source.name}: {counted(len(self.files), 'file')}."
        else:
            found = (
                f"{source.name}: no export file was found in {str(source.exports)!r}. "
                f"Looked for {', '.join(source.include)} (`include`), but not for "
                f"{', '.join(source.exclude) or 'nothing'} (`exclude`)."
            )
        return " ".join(filter(None, (found, passed_over_text(self.passed_over))))

    @property
    def closed(self) -> PassedOver | None:
        """The files and folders that this process may not read, if there are any."""
        return next((one for one in self.passed_over if one.reason == "unreadable"), None)

    @property
    def is_reportable(self) -> bool:
        """Whether a user should know of it: no file was found, or some were passed over."""
        return not self.files or bool(self.passed_over)


def list_files(source: Source) -> list[ExportFile]:
    """List the export files of a source, in path order."""
    return list_location(source).files


def list_locations(sources: Iterable[Source]) -> list[Listing]:
    """List the locations of several sources, one after the other."""
    return [list_location(source) for source in sources]


def list_sources(sources: Iterable[Source]) -> list[ExportFile]:
    """List the export files of several sources, one after the other."""
    return [file for listing in list_locations(sources) for file in listing.files]


def list_location(source: Source) -> Listing:
    """List the regular files of a source, recursively, in path order.

    Links, pipes and devices are passed over and counted. `follow_links` has links followed, each
    real file once; without it, anyone who writes exports could have any file of this machine read.
    The location itself may be a link.

    Args:
        source: the source to list.

    Returns:
        The files that match `include` and not `exclude`, the markers, and what was passed over.

    Raises:
        ExportsError: the location does not exist, is not a folder, or cannot be listed.
    """
    root = source.exports
    marker = MARKERS.get(source.complete_when, "")
    choice = FileChoice(source, marker)
    if not isinstance(root, Path):
        found = _list_store(source, root, choice)
    else:
        check_location(source)
        if root.is_file():
            real = root.resolve()
            return Listing(source, [_export_file(source, root.name, str(real), real.stat())], [])
        walk = FolderWalk(source, root, choice)
        found = starmap(partial(_export_file, source), walk.files())
    files = sorted(found, key=_path_of)
    markers: list[ExportFile] = []
    if marker:
        markers = [file for file in files if _name_of(file) == marker]
        files = [file for file in files if _name_of(file) != marker]
    return Listing(source, files, markers, choice.passed_over.in_order())


def check_location(source: Source) -> None:
    """See whether the location of a source can be listed; that of a store is not asked.

    Raises:
        ExportsError: it does not exist, is not a folder, or this process may not read it.
    """
    root = source.exports
    if not isinstance(root, Path):
        return
    try:
        mode = root.stat().st_mode
        if stat.S_ISDIR(mode):
            os.scandir(root).close()
            # Names may be readable, and what they name out of reach.
            os.stat(f"{root}/.")  # noqa: PTH116  # a Path drops the dot
    except (FileNotFoundError, NotADirectoryError):
        mode = 0
    except OSError as error:
        message = (
            f"Location {str(root)!r} of source {source.name!r} cannot be listed: "
            f"{error.strerror}. Give this user the right to read it, and to enter it and the "
            "folders above."
        )
        raise ExportsError(message) from None
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        message = (
            f"Location {str(root)!r} of source {source.name!r} is not a folder. "
            "Create it, or point `exports` at the folder that holds the export files."
        )
        raise ExportsError(message)


def may_read(file: ExportFile) -> bool:
    """Whether the permission bits let this process read a file; of a store that is not known."""
    if _is_in_store(file):
        return True
    is_effective = os.access in os.supports_effective_ids
    return os.access(file.location, os.R_OK, effective_ids=is_effective)


def open_file(file: ExportFile) -> BinaryIO:
    """Open an export for reading, refusing links and everything that is not a regular file.

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
        message = f"File {quoted(file.path)} is not a regular file. Put the export itself there."
        raise VanishedFileError(message)
    return os.fdopen(descriptor, "rb", buffering=0)


def check_unchanged(file: ExportFile, handle: BinaryIO, size_bytes: int) -> None:
    """Refuse a file that was written to while it was read: the listing no longer describes it.

    A file that was replaced by another is fine: the bytes read are those of the listed one, whole.

    Args:
        file: the file as listed.
        handle: the handle it was read by, still open.
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
            f"File {quoted(file.path)} changed while it was read. "
            "It is read again once it is stable."
        )
        raise VanishedFileError(message)


def _is_in_store(file: ExportFile) -> bool:
    return "://" in file.location


def _list_store(source: Source, location: UPath, choice: FileChoice) -> Iterator[ExportFile]:
    for one in list_objects(location):
        name = one.path.rpartition("/")[2]
        if not name:
            choice.passed_over.add("folder_key", one.path)
        elif one.is_location or choice.takes(name, one.path, choice.exclusion.of_path(one.path)):
            yield ExportFile(
                source.name,
                one.path,
                one.address,
                size_of(one.info),
                modified_at(one.info),
                etag_of(one.info),
            )


def _name_of(file: ExportFile) -> str:
    return file.path.rpartition("/")[2]


def _export_file(
    source: Source, relative: str, location: str, status: os.stat_result
) -> ExportFile:
    return ExportFile(
        source.name,
        path_text(relative),
        location,
        status.st_size,
        _modified_at(status),
        str(status.st_ctime_ns),
    )


def _modified_at(status: os.stat_result) -> datetime:
    # Whole microseconds from the integer nanoseconds: the float st_mtime rounds differently.
    return _EPOCH + timedelta(microseconds=status.st_mtime_ns // 1000)
