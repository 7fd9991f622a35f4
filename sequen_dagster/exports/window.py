"""Exports: a part of a byte stream that can be examined ahead of the position that is read."""

from typing import Final

from sequen_dagster.exports.compression import ByteStream

BLOCK_BYTES: Final = 1 << 20


class Window:
    """Bytes of a stream from some offset on, growing at the end and dropped at the beginning.

    A window never ends between the two bytes of a CRLF, so that lines can be counted in it.

    Args:
        stream: the source of the bytes.
        block_bytes: how many bytes are read at a time.

    Attributes:
        text: the bytes at hand.
        offset: their position in the stream.
        is_at_end: whether the stream holds no more.
    """

    def __init__(self, stream: ByteStream, *, block_bytes: int = BLOCK_BYTES) -> None:
        self._stream = stream
        self._block_bytes = block_bytes
        self.text = b""
        self.offset = 0
        self.is_at_end = False

    def grow(self, least: int = 0) -> None:
        """Read at least as much again as is at hand, so that long values cost linear time."""
        wanted = max(self._block_bytes, len(self.text), least)
        parts = [self.text]
        while True:
            block = self._stream.read(wanted)
            parts.append(block)
            wanted = 1
            if not block:
                self.is_at_end = True
                break
            if not block.endswith(b"\r"):
                break
        self.text = b"".join(parts)

    def reach(self, end: int) -> None:
        """Read until there are bytes up to `end`, or the stream ends."""
        while len(self.text) < end and not self.is_at_end:
            self.grow(end - len(self.text))

    def drop(self, count: int) -> None:
        """Drop the first bytes."""
        self.text = self.text[count:]
        self.offset += count


def line_ends(text: bytes, start: int, end: int) -> int:
    r"""Count the lines that end in a part of a text, by LF, CRLF or CR alone.

    Example:
        >>> line_ends(b"a\r\nb\rc\n", 0, 7)
        3
    """
    count = text.count(b"\n", start, end)
    returns = text.count(b"\r", start, end)
    if returns:
        # A CR whose LF follows the part is counted with it.
        count += returns - text.count(b"\r\n", start, end + 1)
    return count
