"""Home: files that are replaced as a whole, and the error for a disk that cannot be written.

A `StorageError` says why not, and how much room there is. The disk is at fault, not a file of the
exports: none is counted as failed for it.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sequen_dagster.errors import StorageError
from sequen_dagster.runtime.fail_points import fail_point

# What an engine says in words where it has no error number to give.
_REASONS: Final = tuple(
    os.strerror(number)
    for number in (errno.ENOSPC, errno.EFBIG, errno.EROFS, errno.EDQUOT, errno.EIO)
)


@contextmanager
def writing(what: str, folder: Path, *, about_bytes: int = 0) -> Iterator[None]:
    """Turn every failure to write within the block into a `StorageError`.

    Keep what is read out of the block: a file that cannot be read raises an `OSError`, too.

    Args:
        what: what is written, in words.
        folder: where; it, or a folder above it, is there.
        about_bytes: about how much room that takes; 0 where nobody knows.

    Raises:
        StorageError: it could not be written.
    """
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        # The original names places of this machine, and would be shown as what it began with.
        raise storage_error(what, folder, reason, about_bytes=about_bytes) from None


def storage_error(what: str, folder: Path, reason: str, *, about_bytes: int = 0) -> StorageError:
    """The error that says what could not be written, why, and how much room there is."""
    place = next(one for one in (folder, *folder.parents) if one.exists())
    room = f"{shutil.disk_usage(place).free:,} bytes are free"
    if about_bytes:
        room = f"{room}, about {about_bytes:,} are needed"
    return StorageError(
        f"Cannot write {what}: {reason}; {room}. Nothing half done was committed. "
        "Make room, or fix the disk, and run again."
    )


def storage_reason(text: str) -> str:
    """The reason in an engine's message, if it is one of a disk; else nothing."""
    return next((reason for reason in _REASONS if reason in text), "")


@contextmanager
def replace_file(
    target: Path,
    what: str,
    *,
    about_bytes: int = 0,
    is_shared: bool = False,
    fail_points: tuple[str, str] | None = None,
) -> Iterator[Path]:
    """Give a path to write to, and put that file in the place of `target` at the end of the block.

    Readers see the old file or the new one, never a part, and the new one survives a power loss.
    A block that raises leaves the old file as it was.

    Args:
        target: the file to replace; its folder is made.
        what: what is written, in words.
        about_bytes: about how much room that takes; 0 where nothing is known.
        is_shared: whether several processes may write it at once. Each then gets a path of its
            own; otherwise what a killed process left is removed first.
        fail_points: passed before and after the file takes its name.

    Raises:
        StorageError: it cannot be written; the old file is still in place.
    """
    before, after = fail_points or ("", "")
    process = f".{os.getpid()}" if is_shared else ""
    unfinished = target.with_name(f".{target.name}{process}.tmp")
    with writing(what, target.parent, about_bytes=about_bytes):
        make_folder(target.parent)
        unfinished.unlink(missing_ok=True)
    try:
        yield unfinished
        with writing(what, target.parent, about_bytes=about_bytes):
            with unfinished.open("rb") as handle:
                os.fsync(handle.fileno())
            fail_point(before, target.name)
            unfinished.replace(target)
            fsync_folder(target.parent)
        fail_point(after, target.name)
    finally:
        unfinished.unlink(missing_ok=True)


def write_file(
    target: Path, content: str | bytes, *, fail_points: tuple[str, str] | None = None
) -> None:
    """Replace a file by this content, in one step, as `replace_file` does.

    Args:
        target: the file to replace; its folder is made.
        content: the bytes, or text that is written as UTF-8.
        fail_points: passed before and after the file takes its name.

    Raises:
        StorageError: it cannot be written; the old file is still in place.
    """
    what = f"the file {target.name}"
    size = len(content)
    with (
        replace_file(target, what, about_bytes=size, fail_points=fail_points) as unfinished,
        writing(what, target.parent, about_bytes=size),
    ):
        unfinished.write_bytes(content.encode() if isinstance(content, str) else content)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, so that they survive a power loss."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        fsync_folder(folder.parent)


def fsync_folder(folder: Path) -> None:
    """Make renames in `folder` survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
