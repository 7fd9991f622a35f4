"""Exports: object stores, listed and opened through fsspec.

In: a source whose exports are an address such as `s3://bucket/prefix`. Out: the same `ExportFile`s
as of a folder. Credentials and endpoints come from the store's own environment variables.
"""

import errno
import importlib
import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

import fsspec
from upath import UPath

from sequen_dagster.compat.fsspec_thread import end_io_thread_at_exit
from sequen_dagster.compat.s3fs_keys import exact_s3, list_keys
from sequen_dagster.errors import ExportsError, VanishedFileError
from sequen_dagster.runtime.text import quoted

if TYPE_CHECKING:
    from typing_extensions import Buffer  # in collections.abc from Python 3.12 on

# Errors that the clients raise in addition to OSError, by scheme; their libraries are extras.
_CLIENT_ERRORS: Final = {
    "s3": ("botocore.exceptions.BotoCoreError", "botocore.exceptions.ClientError"),
    "gs": ("aiohttp.ClientError", "google.auth.exceptions.GoogleAuthError"),
    "abfs": ("azure.core.exceptions.AzureError",),
}
# The names that stores have for each fact.
_MODIFIED: Final = ("LastModified", "last_modified", "updated", "mtime", "created")
_ETAG: Final = ("ETag", "etag", "generation")
_BLOCK_BYTES: Final = 8 * 1024 * 1024

# Any: the description of an object, different for each store.
Info = dict[str, Any]


@dataclass(frozen=True)
class StoredObject:
    """An object as its store lists it.

    Attributes:
        path: its key without the location's prefix and the `/` after it, empty names included.
        address: scheme, bucket and key, unchanged.
        info: the store's description of it.
        is_location: whether the location is the address of this object.
    """

    path: str
    address: str
    info: Info
    is_location: bool = False


def list_objects(location: UPath) -> Iterator[StoredObject]:
    """List every object under an address.

    Args:
        location: an address, or that of a single object.

    Yields:
        The objects; but for the empty ones that consoles make for folders.

    Raises:
        ExportsError: the store cannot be reached, or refuses.
    """
    end_io_thread_at_exit()
    root = location.path.rstrip("/")
    try:
        found = _find_objects(location, root)
    except _client_errors(location.protocol) as error:
        message = (
            f"Location {str(location)!r} cannot be listed: {type(error).__name__}. Check that "
            "the bucket exists and that this process has the store's credentials and endpoint."
        )
        raise ExportsError(message) from error
    for name, info in found.items():
        is_location = name == root
        is_folder = name.endswith("/") and not size_of(info)
        if info.get("type") == "file" and not is_folder:
            # Cut at exactly one slash: the key may go on with more, and two keys must not become
            # one path.
            path = name.rpartition("/")[2] if is_location else name[len(root) + 1 :]
            yield StoredObject(path, f"{location.protocol}://{name}", info, is_location)


def _find_objects(location: UPath, root: str) -> dict[str, Info]:
    if location.protocol == "s3":
        return list_keys(root)
    store = location.fs
    # The clients remember listings; a file that came later would be missed.
    store.invalidate_cache()
    return cast("dict[str, Info]", store.find(root, detail=True))


def _store_of(address: str) -> tuple[Any, str]:  # Any: the clients ship no types
    """The client of an address, and what names the object in it."""
    scheme, _, name = address.partition("://")
    if scheme == "s3":
        return exact_s3(), name
    store, key = fsspec.url_to_fs(address)
    store.invalidate_cache()
    return store, str(key)


def size_of(info: Info) -> int:
    """Size of an object in bytes."""
    return int(info["size"])


def modified_at(info: Info) -> datetime:
    """Modified time of an object as the store reports it, UTC without zone."""
    given = next(info[name] for name in _MODIFIED if info.get(name) is not None)
    if isinstance(given, str):
        given = datetime.fromisoformat(given)
    if isinstance(given, int | float):
        given = datetime.fromtimestamp(given, UTC)
    moment = cast("datetime", given)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def etag_of(info: Info) -> str:
    """The store's own tag of an object's content; empty where it gives none."""
    return str(next((info[name] for name in _ETAG if info.get(name)), "")).strip('"')


def open_object(address: str, path: str) -> BinaryIO:
    """Open an object for reading; the caller closes it.

    Raises:
        VanishedFileError: it is gone; reading may raise this, too.
        OSError: it cannot be read; reading may raise this, too.
    """
    return cast("BinaryIO", _ObjectFile(address, path))


def info_of(address: str) -> Info:
    """The store's current description of an object; empty where it is gone."""
    store, key = _store_of(address)
    with suppress(VanishedFileError), _as_disk_errors(address, address):
        return cast("Info", store.info(key))
    return {}


class _ObjectFile(io.RawIOBase):
    """An object as a file, whose errors are those of a disk."""

    def __init__(self, address: str, path: str) -> None:
        self._address = address
        self._path = path
        store, key = _store_of(address)
        with self._as_disk_errors():
            self._opened = store.open(key, "rb", block_size=_BLOCK_BYTES)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer", /) -> int:
        view = memoryview(buffer).cast("B")
        with self._as_disk_errors():
            block = self._opened.read(len(view))
        view[: len(block)] = block
        return len(block)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return int(self._opened.seek(offset, whence))

    def tell(self) -> int:
        return int(self._opened.tell())

    def close(self) -> None:
        # Also called on an object that could not be opened.
        if not self.closed and hasattr(self, "_opened"):
            self._opened.close()
        super().close()

    def _as_disk_errors(self) -> AbstractContextManager[None]:
        return _as_disk_errors(self._address, self._path)


@contextmanager
def _as_disk_errors(address: str, path: str) -> Iterator[None]:
    """Raise a client's own errors as those of a disk."""
    try:
        yield
    except FileNotFoundError as error:
        message = f"File {quoted(path)} vanished before it was read. It is retried when it is back."
        raise VanishedFileError(message) from error
    except _client_errors(address.partition("://")[0]) as error:
        # How s3fs reports that the object is no longer the one that was opened.
        if isinstance(error, OSError) and error.errno == errno.EBUSY:
            message = (
                f"File {quoted(path)} changed while it was read. "
                "It is read again once it is stable."
            )
            raise VanishedFileError(message) from error
        # Not its text: clients put addresses and request ids into it.
        message = f"the store answered with {type(error).__name__}"
        raise OSError(errno.EIO, message) from error


def _client_errors(scheme: str) -> tuple[type[Exception], ...]:
    names = (name.rpartition(".") for name in _CLIENT_ERRORS[scheme])
    own = (getattr(importlib.import_module(module), name) for module, _, name in names)
    return (OSError, *own)
