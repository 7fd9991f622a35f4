"""Exports: open arrays and envelopes in JSON text, and the bad values in them.

In: a position in a text, the arrays and envelopes around it. Out: bad values among the records, and
the position after them.
"""

from sequen_dagster.exports.json_cursor import Cursor
from sequen_dagster.exports.json_grammar import is_utf8
from sequen_dagster.exports.json_state import Enclosure, Frame, Limits, Sink
from sequen_dagster.exports.large_values import LargeValueScan
from sequen_dagster.exports.records import Giver, HashedBytes
from sequen_dagster.exports.recovery import BadValue, Surroundings, find_bad_value
from sequen_dagster.exports.window import Window


class NestedCursor(Cursor):
    """Knows which arrays and envelopes are open, and moves over bad values.

    Args:
        window: the text.
        sink: takes the records.
        limits: of records and of arrays.
        enclosure: what encloses the text.
    """

    def __init__(self, window: Window, sink: Sink, limits: Limits, enclosure: Enclosure) -> None:
        super().__init__(window, limits.record_bytes, line=enclosure.line)
        self._sink = sink
        self._limits = limits
        self._enclosure = enclosure
        self._frames = [Frame()]
        self._is_empty = False  # whether the innermost array is, so far
        self._bad_tail: tuple[bytes, bool] | None = (
            None  # a bad value, and whether it is the rest of an object
        )

    def _begin_element(self) -> None:
        if len(self._frames) == 1:
            return
        self._mark_long_envelopes()
        is_next = self._frames[-1].arrays and not self._is_empty
        if is_next and self._has_line_end and not self._has_comma:
            self._distrust_envelopes()

    def _count_open_arrays(self) -> int:
        """Count the arrays that are open."""
        return self._enclosure.depth + sum(frame.arrays for frame in self._frames)

    def _mark_long_envelopes(self) -> None:
        here = self._window.offset + self._position
        for frame in self._frames[1:]:
            if frame.end is None and here - frame.start > self._limit:
                frame.giver.is_whole = False

    def _tentative_offsets(self) -> list[int]:
        """Offsets of the envelopes that may turn out not to be envelopes."""
        return [
            frame.start for frame in self._frames[1:] if frame.end is None and frame.giver.is_whole
        ]

    def _distrust_envelopes(self) -> None:
        for frame in self._frames[1:]:
            frame.is_trusted = False

    def _abandon_envelopes(self) -> None:
        """Close all arrays and envelopes."""
        del self._frames[1:]
        self._frames[0].arrays = 0

    def _current_givers(self) -> tuple[Giver, ...]:
        if len(self._frames) == 1:
            return self._enclosure.givers
        own = (frame.giver for frame in reversed(self._frames[1:]) if frame.is_trusted)
        return (*own, *self._enclosure.givers)

    def _count_blank_lines(self, count: int) -> None:
        self._sink.chunk.blank_lines += count

    def _take_bad_value(self, *, rule: str = "malformed_json") -> None:
        has_bracket = self._window.text[self._position] in b"{["
        is_element = self._frames[-1].arrays > 0
        indent = self._line_indent() if has_bracket else None
        self._take_bad(Surroundings(indent=indent, is_element=is_element), rule=rule)

    def _take_bad(self, surroundings: Surroundings, *, rule: str = "malformed_json") -> None:
        while True:
            text = self._window.text
            end = min(len(text), self._position + self._limit + 1)
            is_at_end = self._window.is_at_end and end == len(text)
            found = find_bad_value(text, self._position, end, surroundings, is_at_end=is_at_end)
            if found is not None or not self._may_grow():
                break
            self._grow_window()
        line = self._line
        if found is None or found.end - self._position > self._limit:
            is_closed = self._pass_over_large(surroundings)
            if not is_closed:
                self._abandon_envelopes()
            return
        raw = text[self._position : found.end]
        if rule != "too_deep" and not is_utf8(raw):
            rule = "bad_encoding"
        self._sink.add_bad(rule, raw, line)
        self._pass_text(found.end)
        self._resume_after(found, surroundings)
        self._bad_tail = (raw, surroundings.braces > 0) if rule == "malformed_json" else None

    def _resume_after(self, found: BadValue, surroundings: Surroundings) -> None:
        """Go on after a bad value."""
        if found.has_stray_quote:
            self._distrust_envelopes()
        if not found.is_closed:
            self._abandon_envelopes()
        elif surroundings.braces:
            self._frames.pop()

    def _pass_over_large(self, surroundings: Surroundings) -> bool:
        """Move over a value that is too large; return whether the array around it goes on."""
        line = self._line
        has_bracket = self._window.text[self._position] in b"{["
        passing = LargeValueScan(surroundings, has_bracket=has_bracket)
        passed = HashedBytes()
        is_over = False
        while not is_over:
            self._mark_long_envelopes()
            window = self._window
            stop, is_over = passing.feed(window.text, self._position, is_at_end=window.is_at_end)
            passed.add(window.text[self._position : stop])
            self._pass_text(stop)
            if not is_over:
                self._grow_window()
        self._sink.add_unreadable(passed.unreadable("too_large", line=line))
        if passing.is_closed and surroundings.braces:
            self._frames.pop()
        return passing.is_closed
