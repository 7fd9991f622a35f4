"""Exports: the end of a bad value, so that it costs itself and no value after it.

A value that is not JSON ends where its own brackets close; else where a `}` is followed by a `{`;
else with its line, or with the lines that are plainly its own by their indentation.
"""

import re
from dataclasses import dataclass
from typing import Final

# A string ends at the latest with its line.
_TOKEN: Final = re.compile(
    rb'(?P<string>"[^"\\\r\n]*+(?:\\[^\r\n][^"\\\r\n]*+)*+(?P<quote>")?+\\?)'
    rb"|(?P<end>\r\n|\r|\n)|(?P<mark>[{}\[\],:])|(?P<separator>\x1e)"
    rb'|[^"\r\n{}\[\],: \t\x1e]++'
)
_INDENT: Final = re.compile(rb"[ \t]*+")
_OPENS_STRING: Final = (b"", b"{", b"[", b",", b":")
_ENDS_STRING: Final = (b"", b"}", b"]", b",", b":")


@dataclass(frozen=True)
class BadValue:
    """A value that is not JSON.

    Attributes:
        end: where it ends in the text.
        is_closed: whether the array around it goes on after it.
        has_stray_quote: whether a quote stands where no string can begin or end, so that the
            brackets are uncertain.
    """

    end: int
    is_closed: bool
    has_stray_quote: bool


@dataclass(frozen=True)
class Surroundings:
    """What is around a bad value.

    Attributes:
        indent: indentation of the line on which it starts, if following lines may belong to it.
        is_element: whether it is an element of an array.
        braces: how many braces are open before it that count as its own.
    """

    indent: int | None = None
    is_element: bool = False
    braces: int = 0


def indent_of(text: bytes, line_start: int) -> int:
    r"""Count the bytes by which a line is indented.

    Example:
        >>> indent_of(b"{\n  1", 2)
        2
    """
    found = _INDENT.match(text, line_start)
    return found.end() - line_start if found else 0


def find_bad_value(
    text: bytes, start: int, end: int, surroundings: Surroundings, *, is_at_end: bool
) -> BadValue | None:
    """Find the end of a value that is not JSON.

    Args:
        text: bytes.
        start: where the value begins.
        end: where the search stops.
        surroundings: what is around it.
        is_at_end: whether the stream ends at `end`.

    Returns:
        The value, or None where it does not end before `end`.
    """
    return _Scan(text, end, surroundings, is_at_end=is_at_end).run(start)


class _Scan:
    def __init__(
        self, text: bytes, end: int, surroundings: Surroundings, *, is_at_end: bool
    ) -> None:
        self._text = text
        self._end = end
        self._surroundings = surroundings
        self._is_at_end = is_at_end
        self._open = {b"}": surroundings.braces, b"]": 0}
        self._is_last_line = False
        self._has_stray_quote = False
        self._is_in_doubt = False  # whether the last token is a string, which has to end well

    def run(self, start: int) -> BadValue | None:
        last = b""
        brace_end = -1  # after a `}` that only a gap may separate from a `{`
        is_bare = self._surroundings.is_element and self._text[start] not in b"{["
        for token in _TOKEN.finditer(self._text, start, self._end):
            if token["end"] is not None:
                if self._ends_with_line(token):
                    return self._end_value(token.start(), is_closed=is_bare)
                if not self._is_at_end and token.end() == self._end:
                    return None
                continue
            if token["separator"] is not None:
                self._note_quote(b"x", last)
                last = b"x"
                continue
            mark = token["mark"] or b""
            if is_bare and mark and mark != b":":
                self._note_quote(mark, last)
                return self._end_value(token.start(), is_closed=True)
            if brace_end >= 0 and mark == b"{":
                return self._end_value(brace_end, is_closed=False)
            self._note_quote(b'"' if token["string"] is not None else mark or b"x", last)
            if token["string"] is not None:
                self._has_stray_quote |= token["quote"] is None
                self._is_in_doubt = True
            last = mark or b"x"
            brace_end = token.end() if mark == b"}" else -1
            if self._closes_last_bracket(mark):
                return self._end_value(token.end(), is_closed=True)
        return self._end_value(self._end, is_closed=is_bare) if self._is_at_end else None

    def _note_quote(self, now: bytes, last: bytes) -> None:
        """Note a quote where no string can begin or end."""
        if self._is_in_doubt and now not in _ENDS_STRING:
            self._has_stray_quote = True
        if now == b'"' and last not in _OPENS_STRING:
            self._has_stray_quote = True
        self._is_in_doubt = False

    def _closes_last_bracket(self, mark: bytes) -> bool:
        """Count a bracket; return whether it closes the last open one."""
        if mark in (b"{", b"["):
            self._open[b"}" if mark == b"{" else b"]"] += 1
        elif self._open.get(mark):
            self._open[mark] -= 1
            return not any(self._open.values())
        return False

    def _ends_with_line(self, token: re.Match[bytes]) -> bool:
        """Whether the value ends at this end of a line, by the line that follows."""
        if self._surroundings.indent is None or self._is_last_line:
            return True
        indent = indent_of(self._text, token.end())
        here = token.end() + indent
        if here >= self._end:
            return self._is_at_end
        first = self._text[here : here + 1]
        if first in b"\r\n":
            return True
        if indent > self._surroundings.indent:
            return False
        self._is_last_line = first in b"}]" and indent == self._surroundings.indent
        return not self._is_last_line

    def _end_value(self, end: int, *, is_closed: bool) -> BadValue:
        return BadValue(end, is_closed, self._has_stray_quote)
