"""Exports: JSON text, a sequence of values, read in one pass whatever its form.

In: a plain byte stream. Out: `RecordChunk`s with the physical line of every record. JSON Lines,
arrays, envelopes and documents one after another are all the same to it; what is no JSON costs
itself (see `recovery`).
"""

import io
import re
from dataclasses import replace
from typing import Final, Literal

from sequen_dagster.exports.compression import ByteStream
from sequen_dagster.exports.envelopes import EnvelopeRules, Members
from sequen_dagster.exports.json_cursor import BETWEEN_BYTES, MARK
from sequen_dagster.exports.json_grammar import (
    SCALAR,
    Scout,
    is_begun,
    is_json,
    is_utf8,
    may_go_on,
    probe,
)
from sequen_dagster.exports.json_lines import LineCursor
from sequen_dagster.exports.json_state import Frame, Limits, Sink
from sequen_dagster.exports.members import MemberReader, unwrapped
from sequen_dagster.exports.records import Chunks, Giver
from sequen_dagster.exports.recovery import Setting
from sequen_dagster.exports.window import BLOCK_BYTES, Window, line_ends

# Deeper ones are events: nobody nests batches so, and each level is looked at on its own.
_MAX_ENVELOPES: Final = 64
_OPENED: Final = re.compile(rb"\[++")
_CLOSED: Final = re.compile(rb"[\]}]++")
# Behind the events of an envelope.
_TOO_MANY: Final = re.compile(rb"[ \t\r\n,\]]*+")


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
    yield from _Reader(window, Sink(), rules or EnvelopeRules(), limits).chunks()


class _Reader(LineCursor):
    """Walks through a text value by value.

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
        line: int = 0,
        depth: int = 0,
        givers: tuple[Giver, ...] = (),
    ) -> None:
        super().__init__(window, sink, rules, limits, line=line, depth=depth, givers=givers)
        self._scout = Scout()
        self._verdicts: dict[int, str | None] = {}  # by offset: which key holds the events

    # -- the whole ------------------------------------------------------------------------------

    def chunks(self) -> Chunks:
        while self._skip_between():
            if self._may_take_lines():
                self._take_lines()
            is_last_open = self._bad_tail is not None
            if self._sink.is_full(but_last=is_last_open) and not self._tentative():
                yield self._sink.take(but_last=is_last_open)
            else:
                self._next()
        self._finish()
        yield self._sink.take()

    def read_inner(self) -> None:
        """Read a text that is known to be JSON."""
        while self._next():
            pass

    def _next(self) -> bool:
        """Read what comes next; false at the end."""
        if not self._skip_between():
            return False
        self._bad_tail = None
        first = self._window.text[self._place]
        if first == ord("["):
            self._begin_element()
            self._array()
        elif first in b"]}":
            self._bracket(first)
        else:
            self._begin_element()
            self._is_empty = False
            if first == ord("{"):
                self._object()
            else:
                self._scalar()
            self._has_comma = self._has_line_end = False
        return True

    def _array(self) -> None:
        """Go into an array, or into several that begin here."""
        room = self._limits.depth - self._arrays()
        if room <= 0:
            self._is_empty = False
            self._bad_value(rule="too_deep")
        else:
            opened = _OPENED.match(self._window.text, self._place, self._place + room)
            count = len(opened[0]) if opened else 1
            self._pass_text(self._place + count)
            self._frames[-1].arrays += count
            self._is_empty = True
        self._has_comma = self._has_line_end = False

    def _finish(self) -> None:
        self._skip_between()
        if self._bad_tail is not None:
            text, is_open_object = self._bad_tail
            if is_begun(text.rstrip(BETWEEN_BYTES), is_open_object=is_open_object):
                last = self._sink.chunk.unreadable[-1]
                self._sink.chunk.unreadable[-1] = replace(last, rule="truncated_tail")
        if len(self._frames) > 1 or self._frames[0].arrays:
            self._sink.add_bad("truncated_tail", b"", self._text_line)
        is_begun_line = self._window.offset + self._place > self._line_start
        self._sink.chunk.blank_lines += is_begun_line and not self._has_text

    # -- envelopes ---------------------------------------------------------------------------------

    def _bracket(self, bracket: int) -> None:
        frame = self._frames[-1]
        if len(self._frames) == 1 and not frame.arrays:
            closed = _CLOSED.match(self._window.text, self._place)
            self._pass_text(closed.end() if closed else self._place + 1)
            return
        self._pass_text(self._place + 1)
        if bracket == ord("]") and frame.arrays:
            frame.arrays -= 1
            self._sink.chunk.blank_lines += self._is_empty
            self._is_empty = self._has_comma = self._has_line_end = False
            if not frame.arrays and len(self._frames) > 1:
                self._leave(frame)
        elif bracket == ord("}"):
            self._distrust()

    def _enter(self, members: Members, key: str, end: int | None) -> None:
        """Go into an envelope, to its events."""
        window, array = self._window, members.arrays[key]
        self._frames.append(
            Frame(
                start=window.offset + self._place,
                end=None if end is None else window.offset + end,
                line=self._line,
                line_start=self._line_start,
                indent=self._line_indent(),
                key=key,
                members=members,
                giver=Giver(members.given(key)),
                arrays=1,
                sink_state=self._sink.state(),
            )
        )
        self._sink.chunk.envelopes_with_fields += array.has_object and members.has_others(key)
        self._sink.chunk.envelopes_with_repeats += array.has_object and members.has_repeats
        self._pass_text(array.start + 1)
        self._is_empty = True

    def _leave(self, frame: Frame) -> None:
        """Read what stands behind the events of an envelope."""
        if frame.end is not None:
            self._pass_text(frame.end - self._window.offset)
            self._frames.pop()
            return
        while True:
            end = self._end()
            behind = self._members(self._place, end, is_whole=True)
            if behind.outcome != "cut" or not self._may_grow():
                break
            self._grow()
        self._mark_long()
        if (chosen := self._give(frame, behind)) != frame.key:
            self._undo(frame, chosen)
        elif behind.outcome == "closed":
            self._pass_text(behind.place)
            self._frames.pop()
        elif behind.outcome == "cut" and self._window.is_at_end and end == self._stop():
            # The envelope is left open, which is said at the end.
            self._pass_text(max(end, self._place))
        else:
            self._bad_rest(frame)

    def _bad_rest(self, frame: Frame) -> None:
        """Take the rest of an envelope, from behind its events on, as one bad value."""
        text = self._window.text
        found = _TOO_MANY.match(text, self._place)
        start = found.end() if found else self._place
        lines = line_ends(text, self._place, start)
        line_start = max(text.rfind(end, self._place, start) for end in (b"\n", b"\r")) + 1
        is_deeper = lines == 1 and start - line_start > frame.indent
        if not lines or is_deeper or text[start] == ord('"'):
            self._pass_gap(start)
            self._bad(Setting(indent=frame.indent, braces=1))
        else:
            # The line is no part of it: the envelope lost its end with the line before.
            self._sink.add_bad("malformed_json", b"", self._line)
            self._abandon()

    def _give(self, frame: Frame, behind: Members) -> str | None:
        """Let an envelope give what stands behind its events; return which key holds them now."""
        had_others = frame.members.has_others(frame.key)
        if frame.members.arrays[frame.key].has_object:
            chunk = self._sink.chunk
            chunk.envelopes_with_fields += not had_others and behind.has_others(frame.key)
            has_repeats = frame.members.with_more(behind).has_repeats
            chunk.envelopes_with_repeats += has_repeats and not frame.members.has_repeats
        if self._window.offset + behind.place - frame.start > self._limit:
            frame.giver.is_whole = False
        if not frame.giver.is_whole:
            return frame.key
        whole = frame.members.with_more(behind)
        frame.giver.fields = whole.given(frame.key)
        return self._rules.chosen(whole)

    def _undo(self, frame: Frame, chosen: str | None) -> None:
        """Go back before an object that is no envelope, or one by another key."""
        self._frames.pop()
        self._verdicts[frame.start] = chosen
        self._sink.restore(frame.sink_state)
        self._place = frame.start - self._window.offset
        self._line, self._line_start, self._indent = frame.line, frame.line_start, frame.indent
        self._object()

    # -- values -----------------------------------------------------------------------------------

    def _object(self) -> None:
        while (stop := self._value_end(self._place)) == "cut" and self._may_grow():
            self._grow()
        if not isinstance(stop, int) or stop - self._place > self._limit:
            is_cut = stop == "cut" and self._window.is_at_end and self._end() == self._stop()
            if not self._try_envelope():
                self._bad_value(rule="truncated_tail" if is_cut else "malformed_json")
            return
        text = self._window.text[self._place : stop]
        if self._rules.events_at(text) is not None and self._try_whole_envelope(stop):
            return
        if not text.isascii() and not is_utf8(text):
            self._bad_value()
            return
        self._sink.add(text, self._line, self._givers())
        self._pass_text(stop)

    def _value_end(self, place: int) -> int | Literal["bad", "cut"]:
        """The end of the value at a place (see `members.ValueEnd`)."""
        text, end = self._window.text, self._end()
        if text[place] not in b"{[":
            scalar = SCALAR.match(text, place, end)
            if scalar is not None and (scalar.end() < end or text[place] in b'"tfn'):
                return scalar.end()
            return "cut" if may_go_on(text, place, end) else "bad"
        offset = self._window.offset
        start = offset + place
        scout = self._scout
        if not scout.knows(start):
            stop = probe(text, place, end)
            if isinstance(stop, int):
                return stop
            if stop == "cut" and self._may_grow():
                return "cut"
            # What it knows of the text ahead is not to be lost for a short value.
            scout = Scout(start)
            if not self._scout.has_passed(start):
                self._scout = scout
        found = scout.run(text, offset, start, end)
        if found is not None:
            return found - offset
        return "bad" if scout.is_stuck else "cut"

    def _members(
        self, place: int, end: int, *, until: str | None = None, is_whole: bool = False
    ) -> Members:
        reader = MemberReader(
            self._window.text,
            place,
            end,
            self._rules,
            self._value_end,
            self._line_indent(),
            until=until,
            is_whole=is_whole,
            is_last=not self._may_grow(),
            is_inner=self._is_inner,
        )
        return reader.read()

    def _try_whole_envelope(self, stop: int) -> bool:
        """Go into an object that is right as a whole, if it is an envelope."""
        if len(self._frames) > _MAX_ENVELOPES:
            return False
        members = self._members(self._place + 1, stop, is_whole=True)
        if members.outcome != "closed":
            # Some of its bytes are not UTF-8.
            return self._try_envelope()
        chosen = self._rules.chosen(members)
        if chosen is not None:
            self._enter(members, chosen, stop)
        return chosen is not None

    def _try_envelope(self) -> bool:
        """Go into an object that is bad somewhere or very long, if it may be an envelope."""
        start = self._window.offset + self._place
        verdict = self._verdicts.get(start, "")
        if len(self._frames) > _MAX_ENVELOPES or verdict is None:
            return False
        while True:
            members = self._members(self._place + 1, self._end(), until=verdict or None)
            if members.outcome != "cut" or not self._may_grow():
                break
            self._grow()
        chosen = self._rules.chosen(members) if members.outcome in ("array", "closed") else None
        if chosen is not None:
            self._enter(members, chosen, members.place if members.outcome == "closed" else None)
        return chosen is not None

    def _scalar(self) -> None:
        while True:
            text, end = self._window.text, self._end()
            scalar = SCALAR.match(text, self._place, end)
            stop = scalar.end() if scalar else end
            is_cut = (
                MARK.startswith(text[stop : stop + 3])
                if scalar
                else may_go_on(text, self._place, end)
            )
            if not is_cut or not self._may_grow():
                break
            self._grow()
        value = text[self._place : stop]
        if scalar is None or not _may_follow(value, text, stop) or not is_utf8(value):
            self._bad_value()
            return
        inner = unwrapped(value) if value.startswith(b'"') and not self._is_inner else None
        if len(value) > self._limit:
            self._sink.add_bad("too_large", value, self._line)
        elif inner is not None and is_json(inner):
            self._inner(inner)
        else:
            self._sink.add_bad("not_an_object", value, self._line)
        self._pass_text(stop)

    def _inner(self, text: bytes) -> None:
        """Read the JSON text that stands in a string."""
        if text.startswith(b"{") and self._rules.events_at(text) is None:
            self._sink.add(text, self._line, self._givers())
            return
        window = Window(io.BytesIO(text))
        inner = _Reader(
            window,
            self._sink,
            self._rules,
            self._limits,
            line=self._line,
            depth=self._arrays(),
            givers=self._givers(),
        )
        inner.read_inner()


def _may_follow(scalar: bytes, text: bytes, place: int) -> bool:
    """Whether what stands behind a scalar may stand there."""
    first = text[place : place + 1]
    if first == b'"':
        return scalar.startswith(b'"')
    return first in b" \t\r\n,\x00\x1e{}[]" or text.startswith(MARK, place)
