"""Exports: where a JSON value (RFC 8259) ends, and whether a text is the beginning of one.

In: bytes. Out: positions in them. Bytes above 0x7F are not decoded here.
"""

import json
import re
from array import array
from bisect import bisect_left
from typing import Final, Literal

import msgspec

# White space, commas, record separators, byte order marks and NULs may stand between values.
_BETWEEN: Final = rb"[ \t\r\n,\x00\x1e]*+(?:\xef\xbb\xbf[ \t\r\n,\x00\x1e]*+)*+"
BETWEEN: Final = re.compile(_BETWEEN)
SPACE: Final = re.compile(rb"[ \t\r\n]*+")
# Possessive, since a string of millions of escapes would otherwise be remembered step by step.
_PLAIN: Final = rb'[^"\\\x00-\x1f]*+'
_STRING: Final = rb'"' + _PLAIN + rb'(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})' + _PLAIN + rb')*+"'
_NUMBER: Final = rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?(?![0-9.eE])"
_SCALAR: Final = rb"(?:" + _STRING + rb"|" + _NUMBER + rb"|true|false|null)"
STRING: Final = re.compile(_STRING)
SCALAR: Final = re.compile(_SCALAR)
# Simple members and elements with the comma after them, as many as there are.
_GAP: Final = rb"[ \t\r\n]*+"
_MEMBERS: Final = re.compile(
    b"(?:" + _GAP + _STRING + _GAP + b":" + _GAP + _SCALAR + _GAP + b",)*+"
)
_ELEMENTS: Final = re.compile(b"(?:" + _GAP + _SCALAR + _GAP + b",)*+")
# The beginning of a scalar, an element and a member that lost their end.
_BEGUN_STRING: Final = (
    rb'"' + _PLAIN + rb'(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})' + _PLAIN + rb")*+"
    rb"(?:\\(?:u[0-9a-fA-F]{0,3})?)?"
)
_BEGUN_SCALAR: Final = (
    rb"(?:" + _STRING + rb"|" + _BEGUN_STRING + rb"|t(?:r(?:ue?)?)?|f(?:a(?:l(?:se?)?)?)?"
    rb"|n(?:u(?:ll?)?)?|-?(?:(?:0|[1-9][0-9]*+)(?:\.[0-9]*+|(?:\.[0-9]++)?[eE][+-]?[0-9]*+)?)?)"
)
_BEGUN_ELEMENT: Final = re.compile(_GAP + _BEGUN_SCALAR)
_BEGUN_MEMBER: Final = re.compile(
    _GAP + b"(?:" + _BEGUN_STRING + b"|" + _STRING + _GAP + b"(?::" + _GAP + _BEGUN_SCALAR + b")?)?"
)
_TRAILING: Final = re.compile(r"trailing characters \(byte ([0-9]+)\)")

_decode_raw = msgspec.json.Decoder(msgspec.Raw).decode

_BRACE: Final = ord("{")
_SHORT: Final = 64

Probe = int | Literal["bad", "cut", "unsure"]


def probe(text: bytes, start: int, end: int) -> Probe:
    """Find where the value that begins at `start` ends, at the speed of C.

    Args:
        text: bytes; more may follow the value.
        start: where its first byte is.
        end: where to stop.

    Returns:
        The end; `bad` where there is no value; `cut` where the value may go on after the text;
        `unsure` where only `Scout` can decide, as with deep nesting.
    """
    rest = memoryview(text)[start:end]
    try:
        _decode_raw(rest)
    except msgspec.DecodeError as error:
        found = _TRAILING.search(str(error))
        if found is None:
            # A lone surrogate is reported as a cut, though it is valid JSON.
            return "cut" if "truncated" in str(error) else "bad"
        end = start + int(found[1]) - 1
    except RecursionError:
        return "unsure"
    while text[end - 1] in b" \t\r\n":
        end -= 1
    return end


class Scout:
    """Reads ahead through one object, token for token by the grammar, and no token twice.

    It remembers where the objects within end, and which are still open where it stopped: a reader
    that goes back into a text that turned out to be bad asks again for each of them.

    Attributes:
        is_stuck: whether it has come to an error, or to the end of the stream.
    """

    def __init__(self, start: int = -1) -> None:
        self.is_stuck = False
        self._start = self._reached = start
        self._ends: dict[int, int] = {}
        self._opened = array("q")
        self._kinds = bytearray()
        self._is_noted = bytearray()
        self._is_after_value = False
        self._may_close = False
        self._text = b""
        self._end = 0
        self._asked = start

    def knows(self, start: int) -> bool:
        """Whether it has passed an object or member that begins here, and remembers it."""
        if start >= self._reached:
            return False
        position = bisect_left(self._opened, start)
        is_open = position < len(self._opened) and self._opened[position] == start
        return is_open or start in self._ends

    def has_passed(self, offset: int) -> bool:
        """Whether it has passed this offset."""
        return self._start <= offset < self._reached

    def run(self, text: bytes, offset: int, start: int, end: int) -> int | None:
        """Run on to the end of the object at `start`, to an error, or to the end of the text.

        Args:
            text: bytes of the stream from `offset` on.
            offset: of the text.
            start: offset of an object that it knows, or of the first one.
            end: where in the text to stop.

        Returns:
            The offset after the object, or None.
        """
        self._text, self._end, self._asked = text, end, start
        position = self._reached - offset
        if not self._kinds and not self._ends:
            position = self._open_container(position, offset)
        while not self.is_stuck and start not in self._ends:
            there = self._take_token(position, offset)
            if there is None:
                self.is_stuck = not self._may_go_on(position)
                break
            position = there
        self._reached = position + offset
        self._text = b""
        return self._ends.get(start)

    def _take_token(self, position: int, offset: int) -> int | None:
        """Take one token; None where there is none that fits, or not yet."""
        is_object = self._kinds[-1] == _BRACE
        if not self._is_after_value:
            swallowed = (_MEMBERS if is_object else _ELEMENTS).match(
                self._text, position, self._end
            )
            if swallowed is not None and swallowed.end() > position:
                self._may_close = False
                return swallowed.end()
        here = self._skip_space(position)
        byte = self._byte_at(here)
        if byte == (b"}" if is_object else b"]") and (self._is_after_value or self._may_close):
            self._close_container(here + 1 + offset)
            return here + 1
        if not self._is_after_value:
            return self._take_value(here, offset, is_object=is_object)
        if byte != b",":
            return None
        self._is_after_value = self._may_close = False
        return here + 1

    def _take_value(self, here: int, offset: int, *, is_object: bool) -> int | None:
        """Take an element, or a key and the beginning of its value."""
        if is_object:
            key = STRING.match(self._text, here, self._end)
            colon = key and self._skip_space(key.end())
            if not colon or self._byte_at(colon) != b":":
                return None
            here = self._skip_space(colon + 1)
        if self._byte_at(here) in (b"{", b"["):
            return self._open_container(here, offset)
        scalar = SCALAR.match(self._text, here, self._end)
        # A number at the end may go on.
        if scalar is None or scalar.end() == self._end:
            return None
        self._is_after_value = True
        return scalar.end()

    def _open_container(self, here: int, offset: int) -> int:
        kind = self._text[here]
        # The ends of elements that are arrays are not needed, and there may be millions of them.
        is_noted = kind == _BRACE or self._kinds[-1:] != b"["
        if is_noted:
            self._opened.append(here + offset)
        self._is_noted.append(is_noted)
        self._kinds.append(kind)
        self._is_after_value, self._may_close = False, True
        return here + 1

    def _close_container(self, end: int) -> None:
        self._kinds.pop()
        if self._is_noted.pop():
            start = self._opened.pop()
            # Short ones are cheap to read again.
            if not self._kinds or start == self._asked or end - start > _SHORT:
                self._ends[start] = end
        self._is_after_value = True

    def _skip_space(self, position: int) -> int:
        found = SPACE.match(self._text, position, self._end)
        return found.end() if found else position

    def _byte_at(self, here: int) -> bytes:
        return self._text[here : min(here + 1, self._end)]

    def _may_go_on(self, position: int) -> bool:
        """Whether the text only lacks its end, from the last valid position on."""
        if self._is_after_value:
            rest = SPACE
        else:
            rest = _BEGUN_MEMBER if self._kinds[-1] == _BRACE else _BEGUN_ELEMENT
        return rest.fullmatch(self._text, position, self._end) is not None


def may_go_on(text: bytes, position: int, end: int) -> bool:
    """Whether a scalar may begin at `position` that is cut at `end`."""
    return _BEGUN_ELEMENT.fullmatch(text, position, end) is not None


def is_begun(text: bytes, *, is_open_object: bool = False) -> bool:
    """Whether a text that is not a whole value is the beginning of one.

    Args:
        text: the bytes.
        is_open_object: whether they are the rest of an object, from after a member on.

    Example:
        >>> is_begun(b'{"a": [1, tru'), is_begun(b'{"a" 1'), is_begun(b'"b":', is_open_object=True)
        (True, False, True)
    """
    if is_open_object:
        text = b"{" + text.lstrip(b" \t\r\n,")
    if not text.startswith(b"{"):
        return _BEGUN_ELEMENT.fullmatch(text) is not None
    scout = Scout(0)
    return scout.run(text, 0, 0, len(text)) is None and not scout.is_stuck


def is_json(text: bytes) -> bool:
    """Whether a text that begins with a bracket is one whole value.

    Example:
        >>> is_json(b"[1]"), is_json(b"[1")
        (True, False)
    """
    found = probe(text, 0, len(text))
    if found in ("cut", "unsure"):
        found = Scout(0).run(text, 0, 0, len(text)) or "bad"
    return found == len(text)


def decode_string(string: bytes) -> str | None:
    """Decode a JSON string, lone surrogates included; None where it is not UTF-8.

    Example:
        >>> decode_string(b'"ab"')
        'ab'
    """
    try:
        text: str = json.loads(string)
    except ValueError:
        return None
    return text


def is_utf8(text: bytes) -> bool:
    """Whether bytes are UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
