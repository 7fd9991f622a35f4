"""Exports: what every part of the reader of JSON text stands on: open envelopes, bad values.

In: a place in a text, the arrays and envelopes around it. Out: bad values among the records, and
the place behind them.
"""

from sequen_dagster.exports.json_cursor import Cursor
from sequen_dagster.exports.json_grammar import is_utf8
from sequen_dagster.exports.json_state import Frame, Limits, Sink
from sequen_dagster.exports.passing import Passing
from sequen_dagster.exports.records import Giver, HashedBytes
from sequen_dagster.exports.recovery import BadValue, Setting, bad_value
from sequen_dagster.exports.window import Window


class NestedCursor(Cursor):
    """Knows which arrays and envelopes are open, and moves over what is bad.

    Args:
        window: the text.
        sink: takes the records.
        limits: of records and of arrays.
        line: where all records are said to start, for a text that stands in a string.
        depth: how many arrays are around such a text.
        givers: envelopes around it.
    """

    def __init__(
        self,
        window: Window,
        sink: Sink,
        limits: Limits,
        *,
        line: int,
        depth: int,
        givers: tuple[Giver, ...],
    ) -> None:
        super().__init__(window, limits.record_bytes, line=line)
        self._sink = sink
        self._limits = limits
        self._depth = depth
        self._outer = givers
        self._frames = [Frame()]
        self._is_empty = False  # whether the innermost array is, so far
        self._bad_tail: tuple[bytes, bool] | None = None  # a bad value, and if it is a rest

    def _begin_element(self) -> None:
        if len(self._frames) == 1:
            return
        self._mark_long()
        is_next = self._frames[-1].arrays and not self._is_empty
        if is_next and self._has_line_end and not self._has_comma:
            self._distrust()

    def _arrays(self) -> int:
        """How many arrays are open."""
        return self._depth + sum(frame.arrays for frame in self._frames)

    def _mark_long(self) -> None:
        here = self._window.offset + self._place
        for frame in self._frames[1:]:
            if frame.end is None and here - frame.start > self._limit:
                frame.giver.is_whole = False

    def _tentative(self) -> list[int]:
        """Where the envelopes begin that may turn out to be none."""
        return [
            frame.start for frame in self._frames[1:] if frame.end is None and frame.giver.is_whole
        ]

    def _distrust(self) -> None:
        for frame in self._frames[1:]:
            frame.is_trusted = False

    def _abandon(self) -> None:
        """Read on as at the top."""
        del self._frames[1:]
        self._frames[0].arrays = 0

    def _givers(self) -> tuple[Giver, ...]:
        if len(self._frames) == 1:
            return self._outer
        own = (frame.giver for frame in reversed(self._frames[1:]) if frame.is_trusted)
        return (*own, *self._outer)

    def _count_blank_lines(self, count: int) -> None:
        self._sink.chunk.blank_lines += count

    def _bad_value(self, *, rule: str = "malformed_json") -> None:
        has_bracket = self._window.text[self._place] in b"{["
        is_element = self._frames[-1].arrays > 0
        indent = self._line_indent() if has_bracket else None
        self._bad(Setting(indent=indent, is_element=is_element), rule=rule)

    def _bad(self, setting: Setting, *, rule: str = "malformed_json") -> None:
        while True:
            text = self._window.text
            end = min(len(text), self._place + self._limit + 1)
            is_at_end = self._window.is_at_end and end == len(text)
            found = bad_value(text, self._place, end, setting, is_at_end=is_at_end)
            if found is not None or not self._may_grow():
                break
            self._grow()
        line = self._line
        if found is None or found.end - self._place > self._limit:
            is_closed = self._pass_over(setting)
            if not is_closed:
                self._abandon()
            return
        raw = text[self._place : found.end]
        if rule != "too_deep" and not is_utf8(raw):
            rule = "bad_encoding"
        self._sink.add_bad(rule, raw, line)
        self._pass_text(found.end)
        self._settle(found, setting)
        self._bad_tail = (raw, setting.braces > 0) if rule == "malformed_json" else None

    def _settle(self, found: BadValue, setting: Setting) -> None:
        """Go on behind a bad value."""
        if found.has_odd_quote:
            self._distrust()
        if not found.is_closed:
            self._abandon()
        elif setting.braces:
            self._frames.pop()

    def _pass_over(self, setting: Setting) -> bool:
        """Move over a value that is too large; whether what is around it goes on."""
        line = self._line
        has_bracket = self._window.text[self._place] in b"{["
        passing = Passing(setting, has_bracket=has_bracket)
        passed = HashedBytes()
        is_over = False
        while not is_over:
            self._mark_long()
            window = self._window
            stop, is_over = passing.feed(window.text, self._place, is_at_end=window.is_at_end)
            passed.add(window.text[self._place : stop])
            self._pass_text(stop)
            if not is_over:
                self._grow()
        self._sink.add_unreadable(passed.unreadable("too_large", line=line))
        if passing.is_closed and setting.braces:
            self._frames.pop()
        return passing.is_closed
