"""Exports: where a value ends that is too large to be held, found as it passes.

What is held of it does not show whether it is JSON, so its end is where its brackets close, and the
few places where a value that lost its end plainly stops.
"""

import re
from typing import Final

from sequen_dagster.exports.recovery import Setting, indent_of

# How far behind a mark has to be seen.
_AHEAD: Final = 4096
_MARKS: Final = re.compile(rb'\\[^\r\n]|["{}\[\],]|\r\n|[\r\n]')
_MARKS_IN_STRING: Final = re.compile(rb'\\[^\r\n]|"|\r\n|[\r\n]')
_THEN_BRACE: Final = re.compile(rb"[ \t\r\n\x1e]{0,4000}+\{")


class Passing:
    """Follows a value that is too large.

    Args:
        setting: what is around it.
        has_bracket: whether it begins with a bracket.

    Attributes:
        is_closed: whether what is around it goes on behind it.
    """

    def __init__(self, setting: Setting, *, has_bracket: bool) -> None:
        self._setting = setting
        self._is_lined = not has_bracket and not setting.braces
        self._is_bare = self._is_lined and setting.is_element
        self._braces = setting.braces
        self._brackets = 0
        self._is_in_string = False
        self.is_closed = False

    def feed(self, text: bytes, place: int, *, is_at_end: bool) -> tuple[int, bool]:
        """Follow it through a text.

        Args:
            text: bytes.
            place: up to which it was followed.
            is_at_end: whether no more bytes come.

        Returns:
            The place up to which it has been followed now, and whether it ends there.
        """
        until = len(text) if is_at_end else max(len(text) - _AHEAD, place)
        while place < until:
            marks = _MARKS_IN_STRING if self._is_in_string else _MARKS
            mark = marks.search(text, place)
            if mark is None or mark.start() >= until:
                return until, is_at_end
            end = self._end(text, mark)
            if end is not None:
                return end, True
            place = mark.end()
        self.is_closed |= is_at_end and self._is_bare
        return place, is_at_end

    def _end(self, text: bytes, mark: re.Match[bytes]) -> int | None:
        """Where the value ends, if this mark ends it."""
        found = mark[0]
        if found[:1] in (b"\r", b"\n"):
            ends = self._ends_with_line(text, mark.end())
            self._is_in_string = False
            self.is_closed = ends and self._is_bare
            return mark.start() if ends else None
        if found == b'"':
            self._is_in_string = not self._is_in_string
        elif self._is_bare and found in (b",", b"{", b"}", b"[", b"]"):
            self.is_closed = True
            return mark.start()
        elif found in (b"{", b"["):
            self._braces += found == b"{"
            self._brackets += found == b"["
        elif found in (b"}", b"]"):
            return self._closing(text, mark)
        return None

    def _closing(self, text: bytes, mark: re.Match[bytes]) -> int | None:
        was_open = self._braces if mark[0] == b"}" else self._brackets
        if was_open:
            self._braces -= mark[0] == b"}"
            self._brackets -= mark[0] == b"]"
            if not self._braces and not self._brackets:
                self.is_closed = True
                return mark.end()
        is_last = mark[0] == b"}" and _THEN_BRACE.match(text, mark.end())
        return mark.end() if is_last else None

    def _ends_with_line(self, text: bytes, line_start: int) -> bool:
        if self._is_lined or self._is_in_string:
            return True
        indent = indent_of(text, line_start)
        first = text[line_start + indent : line_start + indent + 1]
        return first == b"{" and indent <= (self._setting.indent or 0)
