"""Lake: a home that cannot be written, told apart from a file that cannot be read.

In: what is being written and where. Out: a `StorageError` that says why not, and how much room
there is. It is nobody's failure but the disk's: no file is counted as failed for it.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sequen_dagster.errors import StorageError

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
        "Make room, or mend the disk, and run again."
    )


def storage_reason(text: str) -> str:
    """The reason in an engine's message, if it is one of a disk; else nothing."""
    return next((reason for reason in _REASONS if reason in text), "")
