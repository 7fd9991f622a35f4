"""Exports: envelopes in JSON text: objects that are gone into, to the events they hold.

In: a position before an object, or after the events of an envelope. Out: the position of the first
event, or the position after the envelope. An object that turns out not to be an envelope is read
again.
"""

import re
from typing import Final, Literal

from sequen_dagster.exports.envelopes import EnvelopeRules, Members
from sequen_dagster.exports.json_grammar import SCALAR, Scout, may_go_on, probe
from sequen_dagster.exports.json_lines import LineCursor
from sequen_dagster.exports.json_state import Enclosure, Frame, Limits, Sink
from sequen_dagster.exports.members import MemberReader
from sequen_dagster.exports.records import Giver
from sequen_dagster.exports.recovery import Surroundings
from sequen_dagster.exports.window import Window, line_ends

# Deeper ones are events: no sender nests batches so, and each level is searched on its own.
_MAX_ENVELOPES: Final = 64
# After the events of an envelope.
_TOO_MANY: Final = re.compile(rb"[ \t\r\n,\]]*+")


class EnvelopeCursor(LineCursor):
    """Goes into envelopes and out of them again (see `LineCursor`)."""

    def __init__(
        self,
        window: Window,
        sink: Sink,
        rules: EnvelopeRules,
        limits: Limits,
        enclosure: Enclosure,
    ) -> None:
        super().__init__(window, sink, rules, limits, enclosure)
        self._scout = Scout()
        self._verdicts: dict[int, str | None] = {}  # by offset: which key holds the events

    def _try_whole_envelope(self, stop: int) -> bool:
        """Go into an object that is valid JSON as a whole, if it is an envelope."""
        if len(self._frames) > _MAX_ENVELOPES:
            return False
        members = self._read_members(self._position + 1, stop, is_whole=True)
        if members.outcome != "closed":
            # Some of its bytes are not UTF-8.
            return self._try_envelope()
        chosen = self._rules.choose_key(members)
        if chosen is not None:
            self._enter_envelope(members, chosen, stop)
        return chosen is not None

    def _try_envelope(self) -> bool:
        """Go into an object that is invalid somewhere or very long, if it may be an envelope."""
        start = self._window.offset + self._position
        verdict = self._verdicts.get(start, "")
        if len(self._frames) > _MAX_ENVELOPES or verdict is None:
            return False
        while True:
            members = self._read_members(
                self._position + 1, self._search_end(), until=verdict or None
            )
            if members.outcome != "cut" or not self._may_grow():
                break
            self._grow_window()
        chosen = self._rules.choose_key(members) if members.outcome in ("array", "closed") else None
        if chosen is not None:
            self._enter_envelope(
                members, chosen, members.position if members.outcome == "closed" else None
            )
        return chosen is not None

    def _enter_envelope(self, members: Members, key: str, end: int | None) -> None:
        """Go into an envelope, to its events."""
        window, array = self._window, members.arrays[key]
        self._frames.append(
            Frame(
                start=window.offset + self._position,
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

    def _leave_envelope(self, frame: Frame) -> bool:
        """Read what stands after the events of an envelope.

        Returns:
            Whether the object has to be read again from its beginning, where the cursor then
            stands: it is not an envelope, or one by another key.
        """
        if frame.end is not None:
            self._pass_text(frame.end - self._window.offset)
            self._frames.pop()
            return False
        while True:
            end = self._search_end()
            rest = self._read_members(self._position, end, is_whole=True)
            if rest.outcome != "cut" or not self._may_grow():
                break
            self._grow_window()
        self._mark_long_envelopes()
        chosen = self._give_rest(frame, rest)
        if chosen != frame.key:
            self._go_back_before(frame, chosen)
            return True
        if rest.outcome == "closed":
            self._pass_text(rest.position)
            self._frames.pop()
        elif rest.outcome == "cut" and self._window.is_at_end and end == self._text_end():
            # The envelope is left open, which `_finish_text` reports.
            self._pass_text(max(end, self._position))
        else:
            self._take_bad_rest(frame)
        return False

    def _take_bad_rest(self, frame: Frame) -> None:
        """Take the rest of an envelope, from after its events on, as one bad value."""
        text = self._window.text
        found = _TOO_MANY.match(text, self._position)
        start = found.end() if found else self._position
        lines = line_ends(text, self._position, start)
        line_start = max(text.rfind(end, self._position, start) for end in (b"\n", b"\r")) + 1
        is_deeper = lines == 1 and start - line_start > frame.indent
        if not lines or is_deeper or text[start] == ord('"'):
            self._pass_gap(start)
            self._take_bad(Surroundings(indent=frame.indent, braces=1))
        else:
            # The line is not part of it: the envelope lost its end with the line before.
            self._sink.add_bad("malformed_json", b"", self._line)
            self._abandon_envelopes()

    def _give_rest(self, frame: Frame, rest: Members) -> str | None:
        """Let an envelope give the fields after its events; return which key holds them now."""
        had_others = frame.members.has_others(frame.key)
        if frame.members.arrays[frame.key].has_object:
            chunk = self._sink.chunk
            chunk.envelopes_with_fields += not had_others and rest.has_others(frame.key)
            has_repeats = frame.members.with_more(rest).has_repeats
            chunk.envelopes_with_repeats += has_repeats and not frame.members.has_repeats
        if self._window.offset + rest.position - frame.start > self._limit:
            frame.giver.is_whole = False
        if not frame.giver.is_whole:
            return frame.key
        whole = frame.members.with_more(rest)
        frame.giver.fields = whole.given(frame.key)
        return self._rules.choose_key(whole)

    def _go_back_before(self, frame: Frame, chosen: str | None) -> None:
        """Forget what was read of an object, and note which key holds its events."""
        self._frames.pop()
        self._verdicts[frame.start] = chosen
        self._sink.restore(frame.sink_state)
        self._position = frame.start - self._window.offset
        self._line, self._line_start, self._indent = frame.line, frame.line_start, frame.indent

    def _read_members(
        self, position: int, end: int, *, until: str | None = None, is_whole: bool = False
    ) -> Members:
        reader = MemberReader(
            self._window.text,
            position,
            end,
            self._rules,
            self._find_value_end,
            self._line_indent(),
            until=until,
            is_whole=is_whole,
            is_last=not self._may_grow(),
            is_inner=self._is_inner,
        )
        return reader.read()

    def _find_value_end(self, position: int) -> int | Literal["bad", "cut"]:
        """Find the end of the value at a position (see `members.FindValueEnd`)."""
        text, end = self._window.text, self._search_end()
        if text[position] not in b"{[":
            scalar = SCALAR.match(text, position, end)
            if scalar is not None and (scalar.end() < end or text[position] in b'"tfn'):
                return scalar.end()
            return "cut" if may_go_on(text, position, end) else "bad"
        offset = self._window.offset
        start = offset + position
        scout = self._scout
        if not scout.knows(start):
            stop = probe(text, position, end)
            if isinstance(stop, int):
                return stop
            if stop == "cut" and self._may_grow():
                return "cut"
            # What the scout knows of the text ahead must not be lost for a short value.
            scout = Scout(start)
            if not self._scout.has_passed(start):
                self._scout = scout
        found = scout.run(text, offset, start, end)
        if found is not None:
            return found - offset
        return "bad" if scout.is_stuck else "cut"
