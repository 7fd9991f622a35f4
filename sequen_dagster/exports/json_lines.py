"""Exports: the fast path through JSON text, line by line.

In: a position at the beginning of a line, outside of all arrays. Out: the plain lines that follow.
"""

from typing import Final

from sequen_dagster.exports.envelopes import EnvelopeRules
from sequen_dagster.exports.json_nested import NestedCursor
from sequen_dagster.exports.json_state import Enclosure, Limits, Sink
from sequen_dagster.exports.plain_lines import take_plain_lines
from sequen_dagster.exports.window import Window

# How much is searched together for plain lines; less after lines that were not plain.
_REGION_BYTES: Final = 1 << 17
_LEAST_REGION_BYTES: Final = 1 << 12
_FEW_LINES: Final = 8


class LineCursor(NestedCursor):
    """Moves over plain lines many at a time (see `NestedCursor`).

    Args:
        window: the text.
        sink: takes the records.
        rules: which objects are envelopes.
        limits: of records and of arrays.
        enclosure: what encloses the text.
    """

    def __init__(
        self,
        window: Window,
        sink: Sink,
        rules: EnvelopeRules,
        limits: Limits,
        enclosure: Enclosure,
    ) -> None:
        super().__init__(window, sink, limits, enclosure)
        self._rules = rules
        self._region = _REGION_BYTES
        self._slow_until = 0  # offset in the stream
        self._pause = 0  # bytes that take the slow path after a line that is not plain

    def _may_take_lines(self) -> bool:
        here = self._window.offset + self._position
        is_at_top = len(self._frames) == 1 and not self._frames[0].arrays
        return is_at_top and here == self._line_start and here >= self._slow_until

    def _take_lines(self) -> None:
        """Take the lines at hand as long as each is one plain record."""
        while not self._sink.chunk.is_full:
            text = self._window.text
            if self._position < len(text) and text[self._position] != ord("{"):
                return
            stop = text.find(b"\n", self._position + self._region)
            if stop < 0:
                stop = text.rfind(b"\n", self._position)
            if stop < 0:
                if not self._may_grow():
                    return
                self._grow_window()
                continue
            lines, length = take_plain_lines(text[self._position : stop], self._rules, self._limit)
            if lines:
                self._add_lines(lines, length)
            if self._position <= stop and text[self._position] in b"\r\n":
                # A line that holds nothing says nothing about the next.
                if not (self._skip_between() and self._may_take_lines()):
                    return
                continue
            if self._position <= stop:
                self._turn_to_slow_path(len(lines))
                return
            self._region = min(self._region * 4, _REGION_BYTES)
            self._pause = 0

    def _add_lines(self, lines: list[bytes], length: int) -> None:
        self._sink.add_lines(lines, self._line)
        self._bad_tail = None
        self._has_text = False
        self._indent = None
        self._text_line = self._line + len(lines) - 1
        self._line += len(lines)
        self._position += length + 1
        self._line_start = self._window.offset + self._position

    def _turn_to_slow_path(self, count: int) -> None:
        """Take the slow path for this line, and for longer where few lines were plain before it."""
        self._region = _LEAST_REGION_BYTES
        self._pause = min(self._pause * 2 + 64, _REGION_BYTES) if count < _FEW_LINES else 0
        self._slow_until = self._line_start + 1 + self._pause
