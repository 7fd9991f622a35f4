"""Lake: the rows of one batch as Parquet files, which count for nothing before a commit names them.

In: splits of the contract. Out: files at their place in the lake, or nothing.
"""

import shutil
import uuid
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import filelock
import polars as pl
import pyarrow.parquet as pq

from sequen_dagster.contract import Split
from sequen_dagster.home.durable import fsync_file, rename_file, writing
from sequen_dagster.home.layout import Lake, RowKind, rows_name
from sequen_dagster.lake.commits import SCHEMA_VERSION
from sequen_dagster.runtime.fail_points import fail_point
from sequen_dagster.runtime.text import quoted

_METADATA: Final = {b"schema_version": str(SCHEMA_VERSION).encode()}


class RowWriter:
    """Writes the rows of one batch into a folder of its own, then moves them into the lake.

    Whatever goes wrong in here is a `StorageError`: the lake cannot be written, and another file
    would fare no better.

    Args:
        lake: the lake.
        path: path of the file, for messages.
        about_bytes: about how much there will be to write, for messages; the size of the file.
    """

    def __init__(self, lake: Lake, path: str, *, about_bytes: int) -> None:
        self._lake = lake
        self._path = path
        self._about_bytes = about_bytes
        self._folder = lake.incoming / uuid.uuid4().hex
        # Held for as long as the folder is in use; one that is not held was left behind.
        self._lock = filelock.FileLock(self._folder.with_suffix(".lock"))
        self._open: dict[RowKind, pq.ParquetWriter] = {}

    def __enter__(self) -> Self:
        with self._writing():
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
            self._folder.mkdir()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Rows that no commit will name; the error on the way, if there is one, says more.
        with suppress(OSError):
            self._close()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)

    def write(self, split: Split) -> None:
        """Append the rows of a split."""
        with self._writing():
            self._append("events", split.accepted)
            self._append("quarantine", split.quarantined)

    def restart(self) -> None:
        """Forget what was written."""
        with self._writing():
            self._close()
            for part in self._folder.iterdir():
                part.unlink()

    def publish(self, batch_id: str, stem: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Move the finished files to their place; return their names, relative to the lake."""
        with self._writing():
            self._close()
            fail_point("lake.rows_written", self._path)
            events = self._move_rows("events", batch_id, stem)
            return events, self._move_rows("quarantine", batch_id, stem)

    def _writing(self) -> AbstractContextManager[None]:
        what = f"the rows of {quoted(self._path)}"
        return writing(what, self._lake.root, about_bytes=self._about_bytes)

    def _unfinished(self, kind: RowKind) -> Path:
        return self._folder / f"{kind}.parquet"

    def _append(self, kind: RowKind, rows: pl.DataFrame) -> None:
        if rows.is_empty():
            return
        table = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
        if kind not in self._open:
            schema_of_file = table.schema.with_metadata(_METADATA)
            self._open[kind] = pq.ParquetWriter(
                self._unfinished(kind),
                schema_of_file,
                compression="zstd",
                compression_level=1,
            )
        self._open[kind].write_table(table)

    def _close(self) -> None:
        while self._open:
            self._open.popitem()[1].close()

    def _move_rows(self, kind: RowKind, batch_id: str, stem: str) -> tuple[str, ...]:
        written = self._unfinished(kind)
        if not written.exists():
            return ()
        name = rows_name(kind, batch_id, stem)
        fsync_file(written)
        rename_file(written, self._lake.rows(name))
        return (name,)
