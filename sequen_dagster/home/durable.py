"""Home: files that are replaced as a whole, and the error for a disk that cannot be written.

A `StorageError` says why not, and how much room there is. The disk is at fault, not a file of the
exports: none is counted as failed for it.
"""

import errno
import os
import shutil
import tempfile
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
_NO_RIGHT: Final = tuple(os.strerror(number) for number in (errno.EACCES, errno.EPERM))

# The files that `replace_file` has not finished, as a pattern.
UNFINISHED: Final = ".*.tmp"
# Names of fail points: just before a file takes its name, and just after.
FailPoints = tuple[str, str]
NO_FAIL_POINTS: Final[FailPoints] = ("", "")


@contextmanager
def writing(what: str, folder: Path, *, about_bytes: int = 0) -> Iterator[None]:
    """Turn every failure to write within the block into a `StorageError`.

    Keep what is read out of the block: a file that cannot be read raises an `OSError`, too.

    Args:
        what: what is written, in words.
        folder: where; it, or a folder above it, is there.
        about_bytes: about how much room that takes; 0 where it is not known.

    Raises:
        StorageError: it could not be written.
    """
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        # The original names paths of this machine, and would be shown as the cause.
        raise storage_error(what, folder, reason, about_bytes=about_bytes) from None


def storage_error(what: str, folder: Path, reason: str, *, about_bytes: int = 0) -> StorageError:
    """The error that says what could not be written, why, and what to do."""
    # Not `Path.exists`, which raises where a folder above is closed.
    existing = next(path for path in (folder, *folder.parents) if os.path.exists(path))  # noqa: PTH110
    if reason in _NO_RIGHT:
        return StorageError(
            f"Cannot write {what}: {reason}. Nothing half done was committed. Give this user the "
            f"right to write {str(existing)!r} and what lies in it, or choose another `home`."
        )
    room = f"{shutil.disk_usage(existing).free:,} bytes are free"
    if about_bytes:
        room = f"{room}, about {about_bytes:,} are needed"
    return StorageError(
        f"Cannot write {what}: {reason}; {room}. Nothing half done was committed. "
        "Make room, or fix the disk, and run again."
    )


def storage_reason(text: str) -> str:
    """The reason in an engine's message, if it is one of a disk; else nothing."""
    return next((reason for reason in (*_REASONS, *_NO_RIGHT) if reason in text), "")


def make_home_folder(folder: Path) -> None:
    """Make the folder of a home, for its owner only, and see that it can be written.

    In a new one, git is asked to leave it alone: it may lie in a project.

    Raises:
        StorageError: it cannot.
    """
    with writing(f"the home {str(folder)!r}", folder):
        is_new = not folder.exists()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            message = f"The home {str(folder)!r} is not a folder. Choose another `home`."
            raise StorageError(message) from None
        with tempfile.TemporaryFile(dir=folder):
            pass
        if is_new:
            (folder / ".gitignore").write_text("*\n", encoding="utf-8")


@contextmanager
def replace_file(
    target: Path,
    what: str,
    *,
    folder: Path | None = None,
    about_bytes: int = 0,
    fail_points: FailPoints = NO_FAIL_POINTS,
) -> Iterator[Path]:
    """Give a path to write to, and put that file in the place of `target` at the end of the block.

    Readers see the old file or the new one, never a part, and the new one survives a power loss.
    A block that raises leaves the old file as it was. One process at a time writes a target.

    Args:
        target: the file to replace; its folder is made.
        what: what is written, in words.
        folder: where the new file is written, on the same disk; by default beside the target.
        about_bytes: about how much room that takes; 0 where it is not known.
        fail_points: passed before and after the file takes its name.

    Yields:
        The path to write to. A killed process may leave it; the next block removes it.

    Raises:
        StorageError: it cannot be written; the old file is still in place.
    """
    before, after = fail_points
    unfinished = (folder or target.parent) / unfinished_name(target)
    with writing(what, target.parent, about_bytes=about_bytes):
        make_folder(target.parent)
        unfinished.unlink(missing_ok=True)
    try:
        yield unfinished
        with writing(what, target.parent, about_bytes=about_bytes):
            fsync_file(unfinished)
            fail_point(before, target.name)
            rename_file(unfinished, target)
        fail_point(after, target.name)
    finally:
        unfinished.unlink(missing_ok=True)


def write_file(
    target: Path,
    content: str | bytes,
    *,
    what: str = "",
    fail_points: FailPoints = NO_FAIL_POINTS,
) -> None:
    """Replace a file by this content, in one step, as `replace_file` does.

    Args:
        target: the file to replace; its folder is made.
        content: the bytes, or text that is written as UTF-8.
        what: what is written, in words; by default the file by its name.
        fail_points: passed before and after the file takes its name.

    Raises:
        StorageError: it cannot be written; the old file is still in place.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     target = Path(folder) / "report.md"
        ...     write_file(target, "# Report")
        ...     target.read_text(), len(list(target.parent.iterdir()))
        ('# Report', 1)
    """
    what = what or f"the file {target.name}"
    size = len(content)
    with (
        replace_file(target, what, about_bytes=size, fail_points=fail_points) as unfinished,
        writing(what, target.parent, about_bytes=size),
    ):
        unfinished.write_bytes(content.encode() if isinstance(content, str) else content)


def unfinished_name(target: Path) -> str:
    """The name of a file that is going to replace `target`.

    Example:
        >>> unfinished_name(Path("serving/report.md"))
        '.report.md.tmp'
    """
    return f".{target.name}.tmp"


def rename_file(source: Path, target: Path) -> None:
    """Rename a file whose content is on the disk, so that its new name survives a power loss."""
    make_folder(target.parent)
    source.replace(target)
    fsync_folder(target.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, so that they survive a power loss."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        fsync_folder(folder.parent)


def fsync_file(path: Path) -> None:
    """Make the content of a file survive a power loss."""
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


def fsync_folder(folder: Path) -> None:
    """Make renames in `folder` survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
