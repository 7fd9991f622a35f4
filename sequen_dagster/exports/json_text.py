"""Exports: JSON text, a sequence of values, read in one pass whatever its form.

In: a plain byte stream. Out: `RecordChunk`s with the physical line of every record. JSON Lines,
arrays, envelopes and documents one after another are read alike; text that is not JSON costs
itself only (see `recovery`).
"""

import io
import re
from dataclasses import replace
from typing import Final

from sequen_dagster.exports.compression import ByteStream
from sequen_dagster.exports.envelopes import EnvelopeRules
from sequen_dagster.exports.json_cursor import BETWEEN_BYTES, MARK
from sequen_dagster.exports.json_envelopes import EnvelopeCursor
from sequen_dagster.exports.json_grammar import (
    SCALAR,
    is_begun,
    is_json,
    is_utf8,
    may_go_on,
)
from sequen_dagster.exports.json_state import Enclosure, Limits, Sink
from sequen_dagster.exports.members import unwrap_string
from sequen_dagster.exports.records import Chunks
from sequen_dagster.exports.window import BLOCK_BYTES, Window

_OPENED: Final = re.compile(rb"\[++")
_CLOSED: Final = re.compile(rb"[\]}]++")


def read_json_text(
    stream: ByteStream,
    *,
    max_record_bytes: int,
    rules: EnvelopeRules | None = None,
    max_depth: int = 64,
    block_bytes: int = BLOCK_BYTES,
) -> Chunks:
    """Read JSON text: objects, arrays and envelopes one after another.

    Args:
        stream: plain bytes.
        max_record_bytes: longer records become `too_large`.
        rules: which objects are envelopes.
        max_depth: deepest nesting of arrays; what is deeper is `too_deep`.
        block_bytes: how many bytes are asked of the stream at a time.

    Yields:
        Chunks in file order.
    """
    window = Window(stream, block_bytes=block_bytes)
    limits = Limits(max_record_bytes, max_depth)
    yield from _Reader(window, Sink(), rules or EnvelopeRules(), limits, Enclosure()).chunks()


class _Reader(EnvelopeCursor):
    """Reads a text value by value (see `EnvelopeCursor`)."""

    def chunks(self) -> Chunks:
        while self._skip_between():
            if self._may_take_lines():
                self._take_lines()
            is_last_open = self._bad_tail is not None
            if self._sink.is_full(but_last=is_last_open) and not self._tentative_offsets():
                yield self._sink.take(but_last=is_last_open)
            else:
                self._read_next()
        self._finish_text()
        yield self._sink.take()

    def read_inner(self) -> None:
        """Read a text that is known to be JSON."""
        while self._read_next():
            pass

    def _read_next(self) -> bool:
        """Read the next value or bracket; false at the end."""
        if not self._skip_between():
            return False
        self._bad_tail = None
        first = self._window.text[self._position]
        if first == ord("["):
            self._begin_element()
            self._enter_arrays()
        elif first in b"]}":
            self._take_bracket(first)
        else:
            self._begin_element()
            self._is_empty = False
            if first == ord("{"):
                self._read_object()
            else:
                self._read_scalar()
            self._has_comma = self._has_line_end = False
        return True

    def _enter_arrays(self) -> None:
        """Go into an array, or into several that begin at this position."""
        room = self._limits.depth - self._count_open_arrays()
        if room <= 0:
            self._is_empty = False
            self._take_bad_value(rule="too_deep")
        else:
            opened = _OPENED.match(self._window.text, self._position, self._position + room)
            count = len(opened[0]) if opened else 1
            self._pass_text(self._position + count)
            self._frames[-1].arrays += count
            self._is_empty = True
        self._has_comma = self._has_line_end = False

    def _finish_text(self) -> None:
        """Settle what the end of the text decides: a cut value, an open array, a blank line."""
        self._skip_between()
        if self._bad_tail is not None:
            text, is_open_object = self._bad_tail
            if is_begun(text.rstrip(BETWEEN_BYTES), is_open_object=is_open_object):
                last = self._sink.chunk.unreadable[-1]
                self._sink.chunk.unreadable[-1] = replace(last, rule="truncated_tail")
        if len(self._frames) > 1 or self._frames[0].arrays:
            self._sink.add_bad("truncated_tail", b"", self._text_line)
        is_begun_line = self._window.offset + self._position > self._line_start
        self._sink.chunk.blank_lines += is_begun_line and not self._has_text

    def _take_bracket(self, bracket: int) -> None:
        """Pass a closing bracket: the end of an array or envelope, or one too many."""
        frame = self._frames[-1]
        if len(self._frames) == 1 and not frame.arrays:
            closed = _CLOSED.match(self._window.text, self._position)
            self._pass_text(closed.end() if closed else self._position + 1)
            return
        self._pass_text(self._position + 1)
        if bracket == ord("]") and frame.arrays:
            frame.arrays -= 1
            self._sink.chunk.blank_lines += self._is_empty
            self._is_empty = self._has_comma = self._has_line_end = False
            is_left = not frame.arrays and len(self._frames) > 1
            if is_left and self._leave_envelope(frame):
                self._read_object()
        elif bracket == ord("}"):
            self._distrust_envelopes()

    def _read_object(self) -> None:
        """Take an object as a record, go into it as an envelope, or take it as a bad value."""
        while (stop := self._find_value_end(self._position)) == "cut" and self._may_grow():
            self._grow_window()
        if not isinstance(stop, int) or stop - self._position > self._limit:
            is_cut = (
                stop == "cut" and self._window.is_at_end and self._search_end() == self._text_end()
            )
            if not self._try_envelope():
                self._take_bad_value(rule="truncated_tail" if is_cut else "malformed_json")
            return
        text = self._window.text[self._position : stop]
        if self._rules.find_events(text) is not None and self._try_whole_envelope(stop):
            return
        if not text.isascii() and not is_utf8(text):
            self._take_bad_value()
            return
        self._sink.add(text, self._line, self._current_givers())
        self._pass_text(stop)

    def _read_scalar(self) -> None:
        """Read the JSON text in a string; take every other scalar as a bad value."""
        while True:
            text, end = self._window.text, self._search_end()
            scalar = SCALAR.match(text, self._position, end)
            stop = scalar.end() if scalar else end
            is_cut = (
                MARK.startswith(text[stop : stop + 3])
                if scalar
                else may_go_on(text, self._position, end)
            )
            if not is_cut or not self._may_grow():
                break
            self._grow_window()
        value = text[self._position : stop]
        if scalar is None or not _may_follow(value, text, stop) or not is_utf8(value):
            self._take_bad_value()
            return
        inner = unwrap_string(value) if value.startswith(b'"') and not self._is_inner else None
        if len(value) > self._limit:
            self._sink.add_bad("too_large", value, self._line)
        elif inner is not None and is_json(inner):
            self._read_inner_text(inner)
        else:
            self._sink.add_bad("not_an_object", value, self._line)
        self._pass_text(stop)

    def _read_inner_text(self, text: bytes) -> None:
        """Read the JSON text that stands in a string."""
        if text.startswith(b"{") and self._rules.find_events(text) is None:
            self._sink.add(text, self._line, self._current_givers())
            return
        window = Window(io.BytesIO(text))
        inner = _Reader(
            window,
            self._sink,
            self._rules,
            self._limits,
            Enclosure(self._line, self._count_open_arrays(), self._current_givers()),
        )
        inner.read_inner()


def _may_follow(scalar: bytes, text: bytes, position: int) -> bool:
    """Whether the bytes after a scalar may follow it."""
    first = text[position : position + 1]
    if first == b'"':
        return scalar.startswith(b'"')
    return first in b" \t\r\n,\x00\x1e{}[]" or text.startswith(MARK, position)
