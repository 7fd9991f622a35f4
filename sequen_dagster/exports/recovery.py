"""Exports: where a bad value ends, so that it costs itself and nothing behind it.

A value that is no JSON ends where its own brackets close; else where a `}` is followed by a `{`;
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
    """A value that is no JSON.

    Attributes:
        end: where it ends in the text.
        is_closed: whether what is around it goes on behind it.
        has_odd_quote: whether a quote stands where no string can begin or end, so that nothing is
            sure about the brackets.
    """

    end: int
    is_closed: bool
    has_odd_quote: bool


@dataclass(frozen=True)
class Setting:
    """Where a bad value stands.

    Attributes:
        indent: indentation of the line on which it starts, if following lines may belong to it.
        is_element: whether it is an element of an array.
        braces: how many braces are open before it that count as its own.
    """

    indent: int | None = None
    is_element: bool = False
    braces: int = 0


def indent_of(text: bytes, line_start: int) -> int:
    r"""How far a line is indented.

    Example:
        >>> indent_of(b"{\n  1", 2)
        2
    """
    found = _INDENT.match(text, line_start)
    return found.end() - line_start if found else 0


def bad_value(
    text: bytes, start: int, end: int, setting: Setting, *, is_at_end: bool
) -> BadValue | None:
    """Find the end of a value that is no JSON.

    Args:
        text: bytes.
        start: where the value begins.
        end: where to stop looking.
        setting: what is around it.
        is_at_end: whether the stream ends at `end`.

    Returns:
        The value, or None where it does not end before `end`.
    """
    return _Scan(text, end, setting, is_at_end=is_at_end).run(start)


class _Scan:
    def __init__(self, text: bytes, end: int, setting: Setting, *, is_at_end: bool) -> None:
        self._text = text
        self._end = end
        self._setting = setting
        self._is_at_end = is_at_end
        self._open = {b"}": setting.braces, b"]": 0}
        self._is_last_line = False
        self._has_odd_quote = False
        self._is_in_doubt = False  # whether the last token is a string, which has to end well

    def run(self, start: int) -> BadValue | None:
        last = b""
        brace_end = -1  # behind a `}` that is followed by what may stand before a `{`
        is_bare = self._setting.is_element and self._text[start] not in b"{["
        for token in _TOKEN.finditer(self._text, start, self._end):
            if token["end"] is not None:
                if self._ends_with_line(token):
                    return self._ended(token.start(), is_closed=is_bare)
                if not self._is_at_end and token.end() == self._end:
                    return None
                continue
            if token["separator"] is not None:
                self._look(b"x", last)
                last = b"x"
                continue
            mark = token["mark"] or b""
            if is_bare and mark and mark != b":":
                self._look(mark, last)
                return self._ended(token.start(), is_closed=True)
            if brace_end >= 0 and mark == b"{":
                return self._ended(brace_end, is_closed=False)
            self._look(b'"' if token["string"] is not None else mark or b"x", last)
            if token["string"] is not None:
                self._has_odd_quote |= token["quote"] is None
                self._is_in_doubt = True
            last = mark or b"x"
            brace_end = token.end() if mark == b"}" else -1
            if self._closes(mark):
                return self._ended(token.end(), is_closed=True)
        return self._ended(self._end, is_closed=is_bare) if self._is_at_end else None

    def _look(self, now: bytes, last: bytes) -> None:
        """Note a quote where no string can begin or end."""
        if self._is_in_doubt and now not in _ENDS_STRING:
            self._has_odd_quote = True
        if now == b'"' and last not in _OPENS_STRING:
            self._has_odd_quote = True
        self._is_in_doubt = False

    def _closes(self, mark: bytes) -> bool:
        """Count a bracket; whether it closes the last that was open."""
        if mark in (b"{", b"["):
            self._open[b"}" if mark == b"{" else b"]"] += 1
        elif self._open.get(mark):
            self._open[mark] -= 1
            return not any(self._open.values())
        return False

    def _ends_with_line(self, token: re.Match[bytes]) -> bool:
        """Whether the value ends at this end of a line, going by the line behind it."""
        if self._setting.indent is None or self._is_last_line:
            return True
        indent = indent_of(self._text, token.end())
        here = token.end() + indent
        if here >= self._end:
            return self._is_at_end
        first = self._text[here : here + 1]
        if first in b"\r\n":
            return True
        if indent > self._setting.indent:
            return False
        self._is_last_line = first in b"}]" and indent == self._setting.indent
        return not self._is_last_line

    def _ended(self, end: int, *, is_closed: bool) -> BadValue:
        return BadValue(end, is_closed, self._has_odd_quote)
