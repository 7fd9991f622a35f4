"""Exports: cut a JSON document (an array of events, an envelope) into its elements, streaming.

Only brackets and strings are looked at here; whether an element is valid JSON is judged later.
That keeps one bad element from hiding the others, and memory bounded by one element.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sequen_dagster.exports.compression import ByteStream

_SPACE: Final = re.compile(rb"[ \t\r\n]*")
_STRUCTURE: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["{}\[\]]', re.DOTALL)
_SCALAR: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[^",\]\[{}\s][^,\]}\s]*', re.DOTALL)
_BLOCK_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Element:
    """One value cut out of a document, or the rule code that ended the cutting."""

    text: bytes
    line: int
    rule: str | None = None


class _CutError(Exception):
    """The document cannot be cut any further."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


class DocumentScanner:
    """Walks through a JSON document value by value, remembering physical lines."""

    def __init__(
        self, stream: ByteStream, *, start: bytes, first_line: int, max_record_bytes: int
    ) -> None:
        self._stream = stream
        self._buffer = start
        self._position = 0
        self._line = first_line
        self._is_at_end = False
        self._max_record_bytes = max_record_bytes
        self.has_other_fields = False

    def elements(self) -> Iterator[Element]:
        """Yield the elements of the array, or of the envelope's `events`, in order.

        A document that is broken off or not well-formed ends in one element with a rule code.
        """
        try:
            opening = self._next_byte()
            self._position += 1
            if opening == b"{":
                if not self._enter_events():
                    raise _CutError("too_large")
                yield from self._array()
                self._leave_envelope()
            else:
                yield from self._array()
            if self._next_byte():
                raise _CutError("malformed_json")
        except _CutError as cut:
            yield Element(self._rest(), self._line, cut.rule)

    def _array(self) -> Iterator[Element]:
        if self._next_byte() == b"]":
            self._position += 1
            return
        while True:
            self._expect_more()
            line = self._line
            yield Element(self._value(), line)
            separator = self._next_byte()
            self._expect_more()
            if separator not in (b",", b"]"):
                raise _CutError("malformed_json")
            self._position += 1
            if separator == b"]":
                return

    def _enter_events(self) -> bool:
        """Move behind the `[` of `events`; false where the object has none."""
        while self._next_byte() == b'"':
            key = self._value()
            self._colon()
            if key == b'"events"' and self._next_byte() == b"[":
                self._position += 1
                return True
            self._value()
            self.has_other_fields = True
            if self._next_byte() == b",":
                self._position += 1
        return False

    def _leave_envelope(self) -> None:
        while self._next_byte() == b",":
            self._position += 1
            self._next_byte()
            self._value()
            self._colon()
            self._value()
            self.has_other_fields = True
        self._expect_more()
        if self._next_byte() != b"}":
            raise _CutError("malformed_json")
        self._position += 1

    def _colon(self) -> None:
        if self._next_byte() != b":":
            raise _CutError("malformed_json")
        self._position += 1

    def _value(self) -> bytes:
        """Cut out the value that starts at the next byte that is no white space."""
        self._next_byte()
        while (end := self._end_of_value()) is None:
            if self._is_at_end:
                raise _CutError("truncated_tail")
            if len(self._buffer) - self._position > self._max_record_bytes:
                raise _CutError("too_large")
            self._fill()
        text = self._buffer[self._position : end]
        self._line += text.count(b"\n")
        self._position = end
        return text

    def _end_of_value(self) -> int | None:
        if self._buffer[self._position : self._position + 1] not in (b"{", b"["):
            scalar = _SCALAR.match(self._buffer, self._position)
            if scalar is None and self._buffer[self._position : self._position + 1] != b'"':
                raise _CutError("malformed_json")
            # A number may go on behind the end of the buffer.
            is_whole = scalar and (scalar.end() < len(self._buffer) or self._is_at_end)
            return scalar.end() if scalar and is_whole else None
        depth = 0
        for token in _STRUCTURE.finditer(self._buffer, self._position):
            match token.group():
                case b"{" | b"[":
                    depth += 1
                case b"}" | b"]":
                    depth -= 1
                    if depth == 0:
                        return token.end()
                case b'"':
                    return None
        return None

    def _next_byte(self) -> bytes:
        """Skip white space; return the byte there, empty at the end of the document."""
        while True:
            space = _SPACE.match(self._buffer, self._position)
            end = space.end() if space else self._position
            self._line += self._buffer.count(b"\n", self._position, end)
            self._position = end
            if end < len(self._buffer) or self._is_at_end:
                return self._buffer[end : end + 1]
            self._fill()

    def _expect_more(self) -> None:
        if not self._next_byte():
            raise _CutError("truncated_tail")

    def _fill(self) -> None:
        # At least as much again as is held back, so that one long value costs linear time.
        held = self._buffer[self._position :]
        block = self._stream.read(max(_BLOCK_BYTES, len(held)))
        self._buffer = held + block
        self._position = 0
        self._is_at_end = not block

    def _rest(self) -> bytes:
        return self._buffer[self._position :]
