"""Exports: the end of a value that is too large to be held, found while it is read over.

Whether it is JSON does not show in the part at hand. It ends where its brackets close, or where a
value that lost its end plainly stops.
"""

import re
from typing import Final

from sequen_dagster.exports.recovery import Surroundings, indent_of

# How many bytes after a mark have to be at hand.
_AHEAD: Final = 4096
_MARKS: Final = re.compile(rb'\\[^\r\n]|["{}\[\],]|\r\n|[\r\n]')
_MARKS_IN_STRING: Final = re.compile(rb'\\[^\r\n]|"|\r\n|[\r\n]')
_THEN_BRACE: Final = re.compile(rb"[ \t\r\n\x1e]{0,4000}+\{")


class LargeValueScan:
    """Finds the end of a value that is too large, part by part.

    Args:
        surroundings: what is around it.
        has_bracket: whether it begins with a bracket.

    Attributes:
        is_closed: whether the array around it goes on after it.
    """

    def __init__(self, surroundings: Surroundings, *, has_bracket: bool) -> None:
        self._surroundings = surroundings
        self._is_lined = not has_bracket and not surroundings.braces
        self._is_bare = self._is_lined and surroundings.is_element
        self._braces = surroundings.braces
        self._brackets = 0
        self._is_in_string = False
        self.is_closed = False

    def feed(self, text: bytes, position: int, *, is_at_end: bool) -> tuple[int, bool]:
        """Search a part of the value for its end.

        Args:
            text: bytes.
            position: where the search goes on.
            is_at_end: whether no more bytes come.

        Returns:
            The position up to which the value reaches so far, and whether it ends there.
        """
        until = len(text) if is_at_end else max(len(text) - _AHEAD, position)
        while position < until:
            marks = _MARKS_IN_STRING if self._is_in_string else _MARKS
            mark = marks.search(text, position)
            if mark is None or mark.start() >= until:
                return until, is_at_end
            end = self._find_end(text, mark)
            if end is not None:
                return end, True
            position = mark.end()
        self.is_closed |= is_at_end and self._is_bare
        return position, is_at_end

    def _find_end(self, text: bytes, mark: re.Match[bytes]) -> int | None:
        """Position at which the value ends, if this mark ends it."""
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
            return self._find_closing_end(text, mark)
        return None

    def _find_closing_end(self, text: bytes, mark: re.Match[bytes]) -> int | None:
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
        return first == b"{" and indent <= (self._surroundings.indent or 0)
