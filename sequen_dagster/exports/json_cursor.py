"""Exports: a place in JSON text: its line, the gaps between values, how far to look ahead."""

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
        line: where all of it is said to be, for a text that stands in a string.
    """

    def __init__(self, window: Window, limit: int, *, line: int = 0) -> None:
        self._window = window
        self._limit = limit
        self._is_inner = line > 0
        self._place = 0
        self._line = line or 1
        self._line_start = 0  # offset in the stream
        self._indent: int | None = None
        self._has_text = False  # whether the line holds more than may stand between values
        self._text_line = self._line
        self._has_comma = self._has_line_end = False  # since the last value
        self._last_stop = -1  # offset in the stream, once that is known

    def _count_blank_lines(self, count: int) -> None:
        """Take note of lines that hold nothing."""

    def _tentative(self) -> list[int]:
        """Offsets to which the reader may go back."""
        return []

    def _skip_between(self) -> bool:
        """Move over what may stand between values; false at the end of the stream."""
        while True:
            text = self._window.text
            found = BETWEEN.match(text, self._place)
            end = found.end() if found else self._place
            if end > self._place:
                self._pass_gap(end)
            # A mark may be cut by the end of the text.
            if not self._window.is_at_end and MARK.startswith(text[end : end + 3]):
                self._grow()
                continue
            return end < len(text)

    def _pass_gap(self, end: int) -> None:
        self._has_comma |= self._window.text.find(b",", self._place, end) >= 0
        lines = self._move(end)
        if lines:
            self._has_line_end = True
            if not self._is_inner:
                self._count_blank_lines(lines - self._has_text)
            self._has_text = False

    def _pass_text(self, end: int) -> None:
        """Move on behind a value or a bracket."""
        self._move(end)
        self._has_text = True
        self._text_line = self._line

    def _move(self, place: int) -> int:
        """Move on; return how many lines end on the way."""
        text = self._window.text
        lines = 0 if self._is_inner else line_ends(text, self._place, place)
        if lines:
            last = max(text.rfind(b"\n", self._place, place), text.rfind(b"\r", self._place, place))
            self._line_start = self._window.offset + last + 1
            self._indent = None
            self._line += lines
        self._place = place
        return lines

    def _grow(self) -> None:
        """Make more of the text known; what is no longer needed is forgotten."""
        keep = min([self._place, *(start - self._window.offset for start in self._tentative())])
        if self._indent is None:
            line_at = self._line_start - self._window.offset
            indent = indent_of(self._window.text, line_at)
            if line_at + indent < len(self._window.text):
                self._indent = indent
            elif indent <= self._limit:
                keep = min(keep, line_at)
        self._window.drop(keep)
        self._place -= keep
        self._window.grow()

    def _may_grow(self) -> bool:
        """Whether the value that is read may become longer, and is no record then."""
        window = self._window
        return not window.is_at_end and len(window.text) - self._place <= self._limit

    def _end(self) -> int:
        """Where to stop looking: a longer value is no record."""
        return min(self._stop(), self._place + self._limit + 1)

    def _stop(self) -> int:
        """Where the text at hand ends, without what may stand behind the last value of all."""
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
