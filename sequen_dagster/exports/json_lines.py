"""Exports: the fast way through JSON text, taken and left line by line.

In: a place at the beginning of a line, outside of all arrays. Out: the plain lines from there on.
"""

from typing import Final

from sequen_dagster.exports.envelopes import EnvelopeRules
from sequen_dagster.exports.json_nested import NestedCursor
from sequen_dagster.exports.json_state import Limits, Sink
from sequen_dagster.exports.plain_lines import plain_lines
from sequen_dagster.exports.records import Giver
from sequen_dagster.exports.window import Window

# How much is looked at together for plain lines: less where some were not.
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
        line: where all records are said to start, for a text that stands in a string.
        depth: how many arrays are around such a text.
        givers: envelopes around it.
    """

    def __init__(
        self,
        window: Window,
        sink: Sink,
        rules: EnvelopeRules,
        limits: Limits,
        *,
        line: int,
        depth: int,
        givers: tuple[Giver, ...],
    ) -> None:
        super().__init__(window, sink, limits, line=line, depth=depth, givers=givers)
        self._rules = rules
        self._region = _REGION_BYTES
        self._slow_until = 0  # offset in the stream
        self._pause = 0  # how many bytes are gone the slow way behind an odd line

    def _may_take_lines(self) -> bool:
        here = self._window.offset + self._place
        is_at_top = len(self._frames) == 1 and not self._frames[0].arrays
        return is_at_top and here == self._line_start and here >= self._slow_until

    def _take_lines(self) -> None:
        """Take the lines at hand as long as each is one plain record."""
        while not self._sink.chunk.is_full:
            text = self._window.text
            if self._place < len(text) and text[self._place] != ord("{"):
                return
            stop = text.find(b"\n", self._place + self._region)
            if stop < 0:
                stop = text.rfind(b"\n", self._place)
            if stop < 0:
                if not self._may_grow():
                    return
                self._grow()
                continue
            lines, length = plain_lines(text[self._place : stop], self._rules, self._limit)
            if lines:
                self._add_lines(lines, length)
            if self._place <= stop:
                self._turn_slow(len(lines))
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
        self._place += length + 1
        self._line_start = self._window.offset + self._place

    def _turn_slow(self, count: int) -> None:
        """Go the slow way for this line, and for longer where few lines were plain before it."""
        self._region = _LEAST_REGION_BYTES
        self._pause = min(self._pause * 2 + 64, _REGION_BYTES) if count < _FEW_LINES else 0
        self._slow_until = self._line_start + 1 + self._pause
