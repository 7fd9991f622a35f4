"""Exports: open a file, recognize its format by content, and read its records in bounded memory.

In: an `ExportFile`. Out: `RecordChunk`s, and the hash of the bytes that were really read.
"""

import io
from types import TracebackType
from typing import Final, Literal, Self

from sequen_dagster.exports.compression import ByteStream, HashingReader, open_plain
from sequen_dagster.exports.delimited import is_delimited, read_delimited
from sequen_dagster.exports.envelopes import EnvelopeRules
from sequen_dagster.exports.files import ExportFile, check_unchanged, open_file
from sequen_dagster.exports.json_text import read_json_text
from sequen_dagster.exports.limits import ReadLimits
from sequen_dagster.exports.partitions import folder_fields
from sequen_dagster.exports.records import Chunks
from sequen_dagster.exports.tables import read_parquet
from sequen_dagster.exports.unsupported import HEAD_BYTES, PARQUET_MAGIC, refuse_unsupported

FileFormat = Literal["json", "csv", "parquet", "unreadable"]

_BLANK: Final = b" \t\r\n"


class ExportReader:
    """One export, open for reading once; use it as a context manager.

    Attributes:
        file: the export.
        file_format: the format of its content; known once `chunks` has begun.

    Example:
        >>> with ExportReader(file, ReadLimits()) as export:      # doctest: +SKIP
        ...     records = sum(len(chunk.texts) for chunk in export.chunks())
        ...     digest = export.finish()
    """

    def __init__(self, file: ExportFile, limits: ReadLimits) -> None:
        self.file = file
        self.file_format: FileFormat = "unreadable"
        self._limits = limits
        self._handle = open_file(file)
        self._raw = HashingReader(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._handle.close()

    def chunks(self) -> Chunks:
        """Read the records, in file order.

        Yields:
            Chunks of records.

        Raises:
            UnreadableFileError: the file as a whole cannot be read; nothing of it may be kept.
        """
        folder = folder_fields(self.file.path, self._limits.hive_partitions)
        for chunk in self._read_chunks(folder):
            chunk.folder = folder
            yield chunk

    def finish(self) -> tuple[str, int]:
        """Read to the end of the file; return the sha256 (hex) and the number of its bytes."""
        return self._raw.finish(), self._raw.bytes_read

    def check_unchanged(self) -> None:
        """Refuse the file if it was written to since it was listed.

        Raises:
            VanishedFileError: the listing no longer describes it.
        """
        check_unchanged(self.file, self._handle, self._raw.bytes_read)

    def _read_chunks(self, folder: dict[str, bytes]) -> Chunks:
        packed = io.BufferedReader(self._raw, buffer_size=1 << 20)
        if packed.peek(16).startswith(PARQUET_MAGIC):
            self.file_format = "parquet"
            yield from self._read_parquet()
            return
        stream, packing = open_plain(packed, max_ratio=self._limits.max_compression_ratio)
        limit = self._limits.max_record_bytes
        plain = _Peekable(stream, limit)
        refuse_unsupported(plain.peek(HEAD_BYTES), self.file.path, packing)
        if is_delimited(self.file.path, plain.peek_filled()):
            self.file_format = "csv"
            yield from read_delimited(plain, self.file.path, max_record_bytes=limit)
        else:
            self.file_format = "json"
            rules = EnvelopeRules(
                self._limits.events_keys, folder, frozenset(self._limits.none_words)
            )
            yield from read_json_text(
                plain, max_record_bytes=limit, rules=rules, max_depth=self._limits.max_depth
            )

    def _read_parquet(self) -> Chunks:
        # A Parquet file is read back to front, so its hash needs a pass of its own.
        self._handle.seek(0)
        again = HashingReader(self._handle)
        again.finish()
        self._raw = again
        self._handle.seek(0)
        yield from read_parquet(
            self._handle,
            size_bytes=again.bytes_read,
            max_ratio=self._limits.max_compression_ratio,
        )


class _Peekable:
    """A stream whose beginning can be examined before it is read."""

    def __init__(self, stream: ByteStream, max_peek_bytes: int) -> None:
        self._stream = stream
        self._head = b""
        self._max_peek_bytes = max_peek_bytes

    def read(self, size: int, /) -> bytes:
        if self._head:
            block, self._head = self._head[:size], self._head[size:]
            return block
        return self._stream.read(size)

    def peek(self, size: int) -> bytes:
        while len(self._head) < size and self._fill_head():
            pass
        return self._head[:size]

    def peek_filled(self) -> bytes:
        """The beginning, up to the first byte that is not white space, if it is not too far."""
        while not self._head.strip(_BLANK) and len(self._head) <= self._max_peek_bytes:
            if not self._fill_head():
                break
        return self._head

    def _fill_head(self) -> bool:
        # Growing steps, so that a long first line costs linear time.
        block = self._stream.read(max(1 << 16, len(self._head)))
        self._head += block
        return bool(block)
