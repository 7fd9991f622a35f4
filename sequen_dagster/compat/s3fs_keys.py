"""Compat: S3 keys as they are, whatever names they hold.

Reason: s3fs cuts keys at `?versionId=` and slashes off their end, takes an object for a folder
where other keys go on behind its own, and its `find` fails over keys with empty names.
Upstream: s3fs 2026.9.0, `S3FileSystem._strip_protocol`, `split_path`, `_find_bucket_key`, `_lsdir`
and `_cache`.
Test: tests/test_compat.py::test_functions_of_s3fs_that_are_replaced_or_called_are_there, and the
keys of tests/test_stores.py
"""

from contextlib import suppress
from functools import cache
from typing import Any

import fsspec
import fsspec.asyn


def exact_s3() -> Any:  # Any: s3fs ships no types
    """A client that takes keys as they are, and remembers no listing."""
    return _exact_s3_class()(use_listings_cache=False)


def list_keys(root: str) -> dict[str, dict[str, Any]]:
    """What S3 says of every object under a bucket and prefix, or of the one object of that name.

    Args:
        root: bucket, or bucket and key, without a slash at its end.

    Returns:
        Facts by bucket and key. Any: as S3 gives them.
    """
    store = exact_s3()
    bucket, key, _ = store.split_path(root)
    prefix = f"{key}/" if key else ""
    # What `find` calls, before it derives folders from the keys.
    objects = fsspec.asyn.sync(store.loop, store._lsdir, bucket, delimiter="", prefix=prefix)  # noqa: SLF001
    found: dict[str, dict[str, Any]] = {one["name"]: one for one in objects}
    if not found and key:
        with suppress(FileNotFoundError):
            found = {root: store.info(root)}
    return found


@cache
def _exact_s3_class() -> Any:  # Any: s3fs ships no types
    parent: Any = fsspec.get_filesystem_class("s3")

    class ExactS3(parent):  # type: ignore[misc]  # ships no types
        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return path.removeprefix("s3://")

        def split_path(self, path: str) -> tuple[str, str, None]:
            bucket, key = self._find_bucket_key(path)
            return bucket, key, None

    # One store of clients: clearing those of s3fs, for other credentials, clears ours.
    ExactS3._cache = parent._cache  # noqa: SLF001
    return ExactS3
