"""Exports: the bytes of a file, hashed as they are read and decompressed by content.

In: an open file. Out: a byte stream that fails with a rule code when it is corrupt or a bomb.

Arrow reads zstd and lz4. gzip, bzip2 and xz are read by Python's own decompressors: Arrow fails on
gzip with zeros after it and on empty bzip2 streams, and does not know xz.
"""

import bz2
import hashlib
import io
import lzma
import struct
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, Final, Literal, Protocol

import pyarrow as pa
import zstandard

from sequen_dagster.errors import UnreadableFileError

if TYPE_CHECKING:
    from typing_extensions import Buffer  # in collections.abc from Python 3.12 on

Packing = Literal["gzip", "zstd", "bzip2", "xz", "lz4"]

PACKING_BY_MAGIC: Final[dict[bytes, Packing]] = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    # `BZh` and a level, see `packing_of`; these begin a block, and end an empty stream.
    b"1AY&SY": "bzip2",
    b"\x17rE8P\x90": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x04\x22\x4d\x18": "lz4",
}
# How files of these packings end in their names, in lower case.
PACKED_ENDINGS: Final = (".gz", ".gzip", ".zst", ".zstd", ".bz2", ".bzip2", ".xz", ".lz4")
# A ratio means nothing for less output.
RATIO_GRACE_BYTES: Final = 64 * 1024 * 1024
PEEKED_BYTES: Final = 32

_BLOCK_BYTES: Final = 1 << 16
_BZIP2_HEAD_BYTES: Final = 4
_NO_PACKING: Final = (b"", b"(")
# zstd and lz4 share the frames that decoders skip: one of 16 magic numbers, then a length.
_SKIPPABLE_MAGIC: Final = b"\x2a\x4d\x18"
# Arrow and the zstd program refuse larger windows, too, unless they are asked to take them.
_MAX_WINDOW_BYTES: Final = 128 * 1024 * 1024
_MAX_XZ_BYTES: Final = 256 * 1024 * 1024


class ByteStream(Protocol):
    """The part of a stream that the readers use."""

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
        """Read the rest, so that the hash covers the whole file; return the hash as hex."""
        # Only once: moving the file's position afterwards must not change the answer.
        if not self._digest:
            while self.read(1 << 20):
                pass
            self._digest = self._hash.hexdigest()
        return self._digest


class DecompressedStream:
    """The plain bytes of a compressed stream; corruption and bombs become rule codes."""

    def __init__(self, packed: "_Counted", packing: Packing, *, max_ratio: int) -> None:
        self._packed = packed
        self._plain = _open_packed(packed, packing)
        self._max_ratio = max_ratio
        self._bytes_out = 0

    def read(self, size: int, /) -> bytes:
        """Return up to `size` plain bytes, empty at the end.

        Raises:
            UnreadableFileError: `corrupt_compression`, `too_compressed` or `unsupported_format`.
        """
        try:
            block = self._plain.read(size)
        except lzma.LZMAError as error:
            raise _window_error() if "limit" in str(error) else _corrupt_error() from error
        except (OSError, EOFError, ValueError, zlib.error, pa.ArrowException) as error:
            raise _corrupt_error() from error
        self._bytes_out += len(block)
        allowed = max(self._max_ratio * self._packed.bytes_read, RATIO_GRACE_BYTES)
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


def packing_of(head: bytes) -> Packing | None:
    """Recognize the packing of a file by its first bytes.

    A file that ends within the first bytes of a packing is of it, too, so that a cut one is seen
    to be cut.

    Args:
        head: the first `PEEKED_BYTES`, or the whole file where it is shorter.

    Example:
        >>> packing_of(b"BZh91AY&SY..."), packing_of(b"BZh9,type"), packing_of(b"BZh9")
        ('bzip2', None, 'bzip2')
    """
    is_whole_file = len(head) < PEEKED_BYTES
    for magic, packing in PACKING_BY_MAGIC.items():
        full = head[:_BZIP2_HEAD_BYTES] + magic if packing == "bzip2" else magic
        if packing == "bzip2" and not _begins_bzip2(head):
            continue
        # One byte decides nothing where it is a letter or a bracket.
        is_begun = is_whole_file and full.startswith(head) and head not in _NO_PACKING
        if head.startswith(full) or is_begun:
            return packing
    return None


def is_skippable(head: bytes) -> bool:
    """Whether a file begins with a frame that decoders of zstd and lz4 skip."""
    return bool(head) and head[0] >> 4 == 5 and head[1:4] == _SKIPPABLE_MAGIC


def open_plain(
    packed: "io.BufferedReader[HashingReader]", *, max_ratio: int
) -> tuple[ByteStream, Packing | None]:
    """Open the plain bytes of a file, decompressed where its first bytes say that it is packed.

    The name of the file has no say: exporters name gzip files `.jsonl` and plain ones `.gz`.

    Args:
        packed: the file, at its beginning.
        max_ratio: how many times larger than the file its content may be.

    Returns:
        A stream of plain bytes, and how it was packed.

    Raises:
        UnreadableFileError: `corrupt_compression` or `unsupported_format`.
    """
    head = packed.peek(PEEKED_BYTES)[:PEEKED_BYTES]
    if packing_of(head) is None and not is_skippable(head):
        return packed, None
    counted = _Counted(packed)
    is_framed = is_skippable(head)
    while is_skippable(head := counted.peek()):
        counted.skip_frame()
    packing = packing_of(head)
    if not head:
        return packed, "zstd"
    if packing is None or (is_framed and packing not in ("zstd", "lz4")):
        raise _corrupt_error()
    if packing == "zstd":
        _refuse_unreadable_zstd(head)
    return DecompressedStream(counted, packing, max_ratio=max_ratio), packing


def _begins_bzip2(head: bytes) -> bool:
    return head.startswith(b"BZh") and head[3:4] in b"123456789"


def _refuse_unreadable_zstd(head: bytes) -> None:
    try:
        frame = zstandard.get_frame_parameters(head)
    except zstandard.ZstdError:
        return  # cut within the header: reading it fails, and says so
    if frame.dict_id:
        message = (
            "The file is zstd packed with a dictionary, which it does not hold. Send it packed "
            "without one (`zstd` without `-D`)."
        )
        raise UnreadableFileError("unsupported_format", message)
    if frame.window_size > _MAX_WINDOW_BYTES:
        raise _window_error()


def _corrupt_error() -> UnreadableFileError:
    message = "The compressed data is cut or damaged. Send the file again."
    return UnreadableFileError("corrupt_compression", message)


def _window_error() -> UnreadableFileError:
    message = (
        "The file is packed with a window that takes more than "
        f"{_MAX_WINDOW_BYTES >> 20} MiB of memory to unpack. Unpack it (`zstd -d --long=31`, "
        "`xz -d`) and pack it again without `--long` or a larger dictionary."
    )
    return UnreadableFileError("unsupported_format", message)


def _open_packed(packed: io.RawIOBase, packing: Packing) -> ByteStream:
    match packing:
        case "gzip":
            return _Members(packed, _GzipMember, padding=1)
        case "bzip2":
            return _Members(packed, bz2.BZ2Decompressor, padding=0)
        case "xz":
            return _Members(packed, _xz_stream, padding=4)
        case _:
            return pa.CompressedInputStream(pa.PythonFile(packed, mode="r"), packing)


def _xz_stream() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MAX_XZ_BYTES)


class _Decompressor(Protocol):
    """What `bz2` and `lzma` give to read one member."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _GzipMember:
    """zlib's decompressor with the methods of those of `bz2` and `lzma`."""

    def __init__(self) -> None:
        # Header, checksum and length of gzip are read and checked as well.
        self._inflating = zlib.decompressobj(16 + zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._inflating.eof

    @property
    def needs_input(self) -> bool:
        return not self._inflating.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inflating.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._inflating.decompress(self._inflating.unconsumed_tail + data, max_length)


class _Members:
    """The plain bytes of members one after another, as `cat` leaves them.

    Args:
        packed: the stream of packed bytes.
        member: makes the decompressor of one member.
        padding: zeros after a member come in multiples of this; 0 for none.
    """

    def __init__(
        self, packed: io.RawIOBase, member: Callable[[], _Decompressor], *, padding: int
    ) -> None:
        self._packed = packed
        self._new_member = member
        self._member: _Decompressor | None = None
        self._padding = padding
        self._zeros = 0
        self._held = b""

    def read(self, size: int, /) -> bytes:
        while True:
            member = self._member
            if member is None:
                member = self._member = self._next_member()
                if member is None:
                    return b""
            block = b""
            if member.needs_input and not self._held:
                self._held = self._packed.read(_BLOCK_BYTES) or b""
                if not self._held:
                    message = "the stream ends within a member"
                    raise EOFError(message)
            block, self._held = member.decompress(self._held, size), b""
            if member.eof:
                self._held, self._member = member.unused_data, None
            if block:
                return block

    def _next_member(self) -> _Decompressor | None:
        while True:
            if not self._held:
                self._held = self._packed.read(_BLOCK_BYTES) or b""
            rest = self._held.lstrip(b"\0") if self._padding else self._held
            self._zeros += len(self._held) - len(rest)
            if rest or not self._held:
                break
            self._held = b""
        if self._padding and self._zeros % self._padding:
            message = "zeros of a length that is not padding"
            raise ValueError(message)
        self._held, self._zeros = rest, 0
        return self._new_member() if rest else None


class _Counted(io.RawIOBase):
    """Counts the bytes that are read, and keeps Arrow from closing the file."""

    def __init__(self, packed: io.BufferedIOBase) -> None:
        self._packed = packed
        self._head = b""
        self.bytes_read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer", /) -> int:
        view = memoryview(buffer).cast("B")
        count = min(len(self._head), len(view))
        if count:
            view[:count], self._head = self._head[:count], self._head[count:]
        else:
            count = self._packed.readinto(view)
        self.bytes_read += count
        return count

    def peek(self) -> bytes:
        """The next `PEEKED_BYTES`, fewer only at the end."""
        self._head += self._packed.read(PEEKED_BYTES - len(self._head))
        return self._head

    def skip_frame(self) -> None:
        """Pass over the frame that comes next and that decoders skip.

        Raises:
            UnreadableFileError: `corrupt_compression`: the file ends within it.
        """
        magic_and_length = struct.Struct("<4xI")
        if len(self._head) < magic_and_length.size:
            raise _corrupt_error()
        (left,) = magic_and_length.unpack_from(self._head)
        left += magic_and_length.size
        while left:
            block = self.read(min(left, _BLOCK_BYTES))
            if not block:
                raise _corrupt_error()
            left -= len(block)
