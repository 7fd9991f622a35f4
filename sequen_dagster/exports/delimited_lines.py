"""Exports: lines of delimited text as bytes, numbered, each of bounded length.

In: plain bytes. Out: lines with their ends, some of which can be given back and read again.
"""

from collections.abc import Iterator
from typing import Final

from sequen_dagster.exports.compression import ByteStream
from sequen_dagster.exports.records import HashedBytes

_BLOCK_BYTES: Final = 1 << 20

# A line, or the beginning and the hash of one that is too long.
Line = bytes | HashedBytes


class LineReader:
    """Lines of a byte stream, with their ends, numbered from 1; some can be given back.

    Attributes:
        number: of the line given last.
    """

    def __init__(self, stream: ByteStream, max_line_bytes: int) -> None:
        self._lines = _read_lines(stream, max_line_bytes)
        self._returned: list[Line] = []
        self.number = 0

    def next(self) -> Line | None:
        """Read the next line; its beginning and hash where it is too long; None at the end."""
        line = self._returned.pop() if self._returned else next(self._lines, None)
        self.number += line is not None
        return line

    def give_back(self, lines: list[Line]) -> None:
        """Take back the lines given last, in their order."""
        self._returned += reversed(lines)
        self.number -= len(lines)


def _read_lines(stream: ByteStream, max_line_bytes: int) -> Iterator[Line]:
    held = b""
    passed: HashedBytes | None = None
    while block := stream.read(_BLOCK_BYTES):
        lines = (held + block).splitlines(keepends=True)
        # A lone CR at the end may be half of a CRLF.
        held = lines.pop() if not block.endswith(b"\n") else b""
        for line in lines:
            if passed is None and len(line.rstrip(b"\r\n")) <= max_line_bytes:
                yield line
            else:
                passed = passed or HashedBytes()
                passed.add(line)
                yield passed
                passed = None
        text = held.removesuffix(b"\r")
        if passed is not None or len(text) > max_line_bytes:
            passed = passed or HashedBytes()
            passed.add(text)
            held = held[len(text) :]
    if passed is not None:
        passed.add(held)
        yield passed
    elif held:
        yield held
