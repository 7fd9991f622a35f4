"""Exports: the bytes of a file, hashed as they are read and decompressed by content.

In: an open file. Out: a byte stream that fails with a rule code when it is corrupt or a bomb.
"""

import hashlib
import io
from typing import TYPE_CHECKING, BinaryIO, Final, Literal, Protocol

import pyarrow as pa

from sequen_dagster.errors import UnreadableFileError

if TYPE_CHECKING:
    from typing_extensions import Buffer  # in collections.abc from Python 3.12 on

CODEC_BY_MAGIC: Final[dict[bytes, Literal["gzip", "zstd"]]] = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
}
# A ratio means nothing before some output has been seen.
RATIO_GRACE_BYTES: Final = 64 * 1024 * 1024


class ByteStream(Protocol):
    """What the readers need of a stream."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, empty at the end."""


class HashingReader(io.RawIOBase):
    """A raw stream that hashes and counts every byte on its way through."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._hash = hashlib.sha256()
        self._digest = ""
        self.bytes_read = 0

    def readable(self) -> bool:
        """Say that the stream can be read."""
        return True

    def readinto(self, buffer: "Buffer", /) -> int:
        """Fill `buffer` from the file; return how many bytes that were."""
        view = memoryview(buffer).cast("B")
        block = self._raw.read(len(view))
        view[: len(block)] = block
        self._hash.update(block)
        self.bytes_read += len(block)
        return len(block)

    def finish(self) -> str:
        """Read what nobody asked for, so that the hash covers the whole file; return it as hex."""
        # Only once: whoever moves the file's position afterwards must not change the answer.
        if not self._digest:
            while self.read(1 << 20):
                pass
            self._digest = self._hash.hexdigest()
        return self._digest


class DecompressedStream:
    """The plain bytes of a compressed stream; corruption and bombs become rule codes."""

    def __init__(
        self, packed: io.BufferedIOBase, codec: Literal["gzip", "zstd"], *, max_ratio: int
    ) -> None:
        self._counted = _Counted(packed)
        self._plain = pa.CompressedInputStream(pa.PythonFile(self._counted, mode="r"), codec)
        self._max_ratio = max_ratio
        self._bytes_out = 0

    def read(self, size: int, /) -> bytes:
        """Return up to `size` plain bytes, empty at the end.

        Raises:
            UnreadableFileError: `corrupt_compression` or `too_compressed`.
        """
        try:
            block: bytes = self._plain.read(size)
        except OSError as error:
            message = "The compressed data is cut or damaged. Send the file again."
            raise UnreadableFileError("corrupt_compression", message) from error
        self._bytes_out += len(block)
        allowed = max(self._max_ratio * self._counted.bytes_read, RATIO_GRACE_BYTES)
        if self._bytes_out > allowed:
            raise too_compressed(self._max_ratio)
        return block


def too_compressed(max_ratio: int) -> UnreadableFileError:
    """The error for a file whose content is out of proportion to its size."""
    message = (
        f"The data grows to more than {max_ratio} times its compressed size. "
        "Send it plain, or raise `max_compression_ratio` if you trust the sender."
    )
    return UnreadableFileError("too_compressed", message)


def plain_stream(packed: "io.BufferedReader[HashingReader]", *, max_ratio: int) -> ByteStream:
    """The plain bytes of a file, decompressed where its first bytes say gzip or zstd.

    The name of the file is not asked: exporters name gzip files `.jsonl` and plain ones `.gz`.

    Args:
        packed: the file, at its beginning.
        max_ratio: how many times larger than the file its content may be.

    Returns:
        A stream of plain bytes.
    """
    head = packed.peek(4)
    for magic, codec in CODEC_BY_MAGIC.items():
        if head.startswith(magic):
            return DecompressedStream(packed, codec, max_ratio=max_ratio)
    return packed


class _Counted(io.RawIOBase):
    def __init__(self, packed: io.BufferedIOBase) -> None:
        self._packed = packed
        self.bytes_read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer", /) -> int:
        count = self._packed.readinto(buffer)
        self.bytes_read += count
        return count
