"""Exports: a position in JSON text: its line, the gaps between values, how far to read ahead."""

from typing import Final

from sequen_dagster.exports.json_grammar import BETWEEN
from sequen_dagster.exports.recovery import indent_of
from sequen_dagster.exports.window import Window, line_ends

MARK: Final = b"\xef\xbb\xbf"
BETWEEN_BYTES: Final = b" \t\r\n,\x00\x1e" + MARK


class Cursor:
    """Moves through a text and knows where it is.

    Args:
        window: the text.
        limit: longest record.
        line: the line of every position, for a text that stands in a string; else 0.
    """

    def __init__(self, window: Window, limit: int, *, line: int = 0) -> None:
        self._window = window
        self._limit = limit
        self._is_inner = line > 0
        self._position = 0
        self._line = line or 1
        self._line_start = 0  # offset in the stream
        self._indent: int | None = None
        self._has_text = False  # whether the line holds more than a gap between values
        self._text_line = self._line
        self._has_comma = self._has_line_end = False  # since the last value
        self._last_stop = -1  # offset in the stream, once that is known

    def _count_blank_lines(self, count: int) -> None:
        """Count lines that hold nothing; the cursor itself has no use for them."""

    def _tentative_offsets(self) -> list[int]:
        """Offsets in the stream to which the reader may go back; none for a plain cursor."""
        return []

    def _skip_between(self) -> bool:
        """Move over the gap between values; false at the end of the stream."""
        while True:
            text = self._window.text
            found = BETWEEN.match(text, self._position)
            end = found.end() if found else self._position
            if end > self._position:
                self._pass_gap(end)
            # A mark may be cut by the end of the text.
            if not self._window.is_at_end and MARK.startswith(text[end : end + 3]):
                self._grow_window()
                continue
            return end < len(text)

    def _pass_gap(self, end: int) -> None:
        self._has_comma |= self._window.text.find(b",", self._position, end) >= 0
        lines = self._move_to(end)
        if lines:
            self._has_line_end = True
            if not self._is_inner:
                self._count_blank_lines(lines - self._has_text)
            self._has_text = False

    def _pass_text(self, end: int) -> None:
        """Move on to the end of a value or a bracket."""
        self._move_to(end)
        self._has_text = True
        self._text_line = self._line

    def _move_to(self, position: int) -> int:
        """Move to a position; return how many lines end on the way."""
        text = self._window.text
        lines = 0 if self._is_inner else line_ends(text, self._position, position)
        if lines:
            last = max(
                text.rfind(b"\n", self._position, position),
                text.rfind(b"\r", self._position, position),
            )
            self._line_start = self._window.offset + last + 1
            self._indent = None
            self._line += lines
        self._position = position
        return lines

    def _grow_window(self) -> None:
        """Read more of the stream, and drop the text that is no longer needed."""
        keep = min(
            [self._position, *(start - self._window.offset for start in self._tentative_offsets())]
        )
        if self._indent is None:
            line_at = self._line_start - self._window.offset
            indent = indent_of(self._window.text, line_at)
            if line_at + indent < len(self._window.text):
                self._indent = indent
            elif indent <= self._limit:
                keep = min(keep, line_at)
        self._window.drop(keep)
        self._position -= keep
        self._window.grow()

    def _may_grow(self) -> bool:
        """Whether more bytes may be read for this value before it is too long for a record."""
        window = self._window
        return not window.is_at_end and len(window.text) - self._position <= self._limit

    def _search_end(self) -> int:
        """Position at which a search stops: a longer value is not a record."""
        return min(self._text_end(), self._position + self._limit + 1)

    def _text_end(self) -> int:
        """Position at which the text ends, without the gap after the last value of the stream."""
        window = self._window
        if not window.is_at_end:
            return len(window.text)
        if self._last_stop < 0:
            self._last_stop = window.offset + len(window.text.rstrip(BETWEEN_BYTES))
        return max(self._last_stop - window.offset, 0)

    def _line_indent(self) -> int:
        if self._indent is None:
            self._indent = indent_of(self._window.text, self._line_start - self._window.offset)
        return self._indent
