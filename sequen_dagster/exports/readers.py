"""Exports: open a file, see by its content what it is, and read its records in bounded memory.

In: an `ExportFile`. Out: `RecordChunk`s, and the hash of the bytes that were really read.
"""

import io
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, Self

from sequen_dagster.exports.compression import ByteStream, HashingReader, plain_stream
from sequen_dagster.exports.delimited import is_delimited, read_delimited
from sequen_dagster.exports.files import ExportFile, check_unchanged, open_file
from sequen_dagster.exports.lines import (
    begins_json,
    is_envelope,
    is_json,
    read_document,
    read_lines,
)
from sequen_dagster.exports.records import Chunks
from sequen_dagster.exports.tables import read_parquet
from sequen_dagster.exports.unsupported import HEAD_BYTES, refuse_unsupported
from sequen_dagster.settings import SequenSettings

FileFormat = Literal["jsonl", "json", "csv", "parquet", "unreadable"]

_BOM: Final = b"\xef\xbb\xbf"
_BLANK: Final = b" \t\r\n"
_PARQUET_MAGIC: Final = b"PAR1"
_PEEKED_LINES: Final = 5
_CR_PEEK_BYTES: Final = 1 << 16


@dataclass(frozen=True)
class ReadLimits:
    """How much a reader takes before it gives a record or a file up.

    Attributes:
        max_record_bytes: longest record.
        max_compression_ratio: how many times larger than the file its content may be.
    """

    max_record_bytes: int = 16 * 1024 * 1024
    max_compression_ratio: int = 250

    @classmethod
    def of(cls, settings: SequenSettings) -> Self:
        """The limits that the settings name."""
        return cls(settings.max_record_bytes, settings.max_compression_ratio)


class ExportReader:
    """One export, open for reading once; use it as a context manager.

    Attributes:
        file: what is read.
        file_format: what its content is; known once `chunks` has begun.

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
        packed = io.BufferedReader(self._raw, buffer_size=1 << 20)
        head = packed.peek(16)
        if head.startswith(_PARQUET_MAGIC):
            self.file_format = "parquet"
            yield from self._parquet()
            return
        stream, packing = plain_stream(packed, max_ratio=self._limits.max_compression_ratio)
        plain = _Peekable(stream, self._limits.max_record_bytes)
        refuse_unsupported(plain.peek(HEAD_BYTES), self.file.path, packing)
        if is_delimited(self.file.path, plain.peek_filled()):
            self.file_format = "csv"
            yield from read_delimited(
                plain, self.file.path, max_record_bytes=self._limits.max_record_bytes
            )
            return
        plain.skip(_BOM)
        if plain.has_only_carriage_returns():
            plain = _Peekable(_NewlineStream(plain), self._limits.max_record_bytes)
        self.file_format = _text_format(plain, self._limits.max_record_bytes)
        yield from self._text(plain)

    def finish(self) -> tuple[str, int]:
        """The sha256 (hex) and the number of the bytes that were read, to the end of the file."""
        return self._raw.finish(), self._raw.bytes_read

    def check_unchanged(self) -> None:
        """Refuse the file if it was written to since it was listed.

        Raises:
            VanishedFileError: the listing no longer describes it.
        """
        check_unchanged(self.file, self._handle, self._raw.bytes_read)

    def _text(self, plain: "_Peekable") -> Chunks:
        limit = self._limits.max_record_bytes
        if self.file_format == "json":
            yield from read_document(plain, max_record_bytes=limit)
        else:
            yield from read_lines(plain, max_record_bytes=limit)

    def _parquet(self) -> Chunks:
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


def _text_format(plain: "_Peekable", max_record_bytes: int) -> FileFormat:
    lines = plain.peek_lines(_PEEKED_LINES)
    if not lines:
        return "jsonl"
    if len(lines[0]) > max_record_bytes:
        # Too long for a record; a document may be as long as it likes.
        is_document = lines[0].startswith(b"[") or is_envelope(lines[0])
    else:
        is_document = not is_json(lines[0]) and _is_document(lines)
    return "json" if is_document else "jsonl"


def _is_document(lines: list[bytes]) -> bool:
    """Whether a file is one document, and not lines of which the first is broken or cut off."""
    first = lines[0]
    if not first.startswith(b"{"):
        return first.startswith(b"[")
    if len(lines) == 1 or b'"events"' in first:
        return is_envelope(first)
    if begins_json(b"\n".join(lines)):
        return True
    return begins_json(first) and not any(is_json(line, dict) for line in lines[1:])


class _Peekable:
    """A stream whose beginning can be looked at before it is read."""

    def __init__(self, stream: ByteStream, max_peek_bytes: int) -> None:
        self._stream = stream
        self._head = b""
        self._is_at_end = False
        self._max_peek_bytes = max_peek_bytes

    def read(self, size: int, /) -> bytes:
        if self._head:
            block, self._head = self._head[:size], self._head[size:]
            return block
        return self._stream.read(size)

    def peek(self, size: int) -> bytes:
        while len(self._head) < size and self._fill():
            pass
        return self._head[:size]

    def peek_filled(self) -> bytes:
        """The beginning, up to something that is no white space, if it is not too far."""
        while not self._head.strip(_BLANK) and len(self._head) <= self._max_peek_bytes:
            if not self._fill():
                break
        return self._head

    def skip(self, prefix: bytes) -> None:
        self._head = self._head.removeprefix(prefix)

    def has_only_carriage_returns(self) -> bool:
        """Whether the lines end as they did on the classic Mac, going by the first of them."""
        lines = self.peek(_CR_PEEK_BYTES).strip(_BLANK).split(b"\r")
        return len(lines) > 1 and is_json(lines[0], dict) and b"\n" not in self._head

    def peek_lines(self, count: int) -> list[bytes]:
        """The first lines that are not blank, stripped; one that is too long only begun."""
        while True:
            lines = self._head.split(b"\n")
            whole = lines if self._is_at_end else lines[:-1]
            found = [line.strip(_BLANK) for line in whole if line.strip(_BLANK)]
            if len(found) >= count or len(self._head) > self._max_peek_bytes or not self._fill():
                return (found or [self._head.strip(_BLANK)])[:count] if self._head else []

    def _fill(self) -> bool:
        # Growing steps, so that a long first line costs linear time.
        block = self._stream.read(max(1 << 16, len(self._head)))
        self._head += block
        self._is_at_end = not block
        return bool(block)


class _NewlineStream:
    """A stream whose carriage returns are newlines."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    def read(self, size: int, /) -> bytes:
        return self._stream.read(size).replace(b"\r", b"\n")
