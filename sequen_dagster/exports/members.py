"""Exports: the members of a JSON object, read while valid, to recognize an envelope early.

In: a text and the position after a brace. Out: `Members`, its arrays classified by their first
object.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from sequen_dagster.exports.envelopes import Array, EnvelopeRules, Members, is_present
from sequen_dagster.exports.json_grammar import (
    SPACE,
    STRING,
    decode_string,
    is_json,
    is_utf8,
    may_go_on,
)
from sequen_dagster.exports.recovery import Surroundings, find_bad_value, indent_of

# Commas and closing brackets may be too many.
_BETWEEN_MEMBERS: Final = re.compile(rb"[ \t\r\n,\]]*+")
_BETWEEN_ELEMENTS: Final = re.compile(rb"(?:[ \t\r\n,\x00\x1e}]++|\xef\xbb\xbf)*+")
# How much of a first element that is not JSON is searched for a type.
_TYPED_WITHIN: Final = 4096
_SAYS_TYPE: Final = re.compile(
    rb'"type"[ \t\r\n]*+:[ \t\r\n]*+(?!null|"[ \t]*+"|\[[ \t]*+\])[^ \t\r\n]'
)

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

# The end of the value at a position; `bad` where there is none, `cut` where more bytes are needed.
FindValueEnd = Callable[[int], int | Literal["bad", "cut"]]


@dataclass(frozen=True)
class MemberReader:
    """Reads the members of an object; commas may be too many or missing.

    Attributes:
        text: bytes.
        start: position after the brace of the object, or after a member.
        end: where to stop.
        rules: which keys may hold events.
        value_end: finds the ends of values.
        indent: indentation of the line on which it starts.
        until: the one key to stop at; by default any that holds an object in an array.
        is_whole: whether no array is stopped at.
        is_last: whether no more bytes can be had.
        is_inner: whether the text stands in a string, so that strings in it are only strings.
    """

    text: bytes
    start: int
    end: int
    rules: EnvelopeRules
    find_value_end: FindValueEnd
    indent: int
    until: str | None = None
    is_whole: bool = False
    is_last: bool = False
    is_inner: bool = False

    def read(self) -> Members:
        """Read to the end of the object, to its events, or to the first error."""
        text, end = self.text, self.end
        members = Members(position=self.start)
        while True:
            key_at = self.skip(_BETWEEN_MEMBERS, members.position)
            first = text[key_at : min(key_at + 1, end)]
            if first == b"}":
                members.position, members.outcome = key_at + 1, "closed"
                return members
            key = STRING.match(text, key_at, end)
            if key is None:
                members.outcome = "cut" if may_go_on(text, key_at, end) else "bad"
                return members
            colon = self.skip(SPACE, key.end())
            start = self.skip(SPACE, colon + 1)
            if colon < end and text[colon] != ord(":"):
                members.outcome = "bad"
                return members
            if start >= end or not self._take_member(start, decode_string(key[0]), members):
                return members

    def _take_member(self, start: int, name: str | None, members: Members) -> bool:
        """Take the value of a member; return whether reading goes on after it."""
        is_candidate = name in self.rules.keys and self.text[start] == ord("[")
        held = _ElementScan(self, start).find_object() if is_candidate else "other"
        if held == "cut" and not self.is_last:
            return False
        array = held if isinstance(held, Array) else None
        if name is not None:
            was_there = members.values.pop(name, None) is not None
            members.arrays.pop(name, None)
            members.has_repeats |= was_there
            if array is not None:
                members.arrays[name] = array
                if array.has_object and not self.is_whole and self.until in (None, name):
                    members.outcome = "array"
                    return False
        # In an empty array no comma is too many.
        stop = (array.end if array and not self.is_whole else None) or self.find_value_end(start)
        if isinstance(stop, str) or name is None or not is_utf8(self.text[start:stop]):
            members.outcome = "cut" if stop == "cut" else "bad"
            return False
        members.values[name] = self.text[start:stop]
        members.position = stop
        return True

    def skip(self, pattern: re.Pattern[bytes], position: int) -> int:
        """Position after a pattern that begins at a position."""
        found = pattern.match(self.text, position, self.end)
        return found.end() if found else position


class _ElementScan:
    """Searches the elements of an array for the first object, in the reader's order.

    It passes over bad values, and over arrays within.

    Args:
        reader: the reader of the object that holds the array.
        start: where the array begins.
    """

    def __init__(self, reader: MemberReader, start: int) -> None:
        self._reader = reader
        self._text = reader.text
        self._start = start
        self._position = start + 1
        self._depth = 0
        self._indent = reader.indent
        self._line_seen = reader.start

    def find_object(self) -> Array | Literal["cut", "other"]:
        """Describe the array if it holds an object or nothing; `cut` if more bytes may decide."""
        is_empty = True
        while True:
            # As the reader does: brackets that are too many are passed over.
            self._position = self._reader.skip(_BETWEEN_ELEMENTS, self._position)
            if self._position >= self._reader.end:
                return "cut"
            first = self._text[self._position]
            if first != ord("]"):
                is_empty = False
                found = self._examine_element(first)
                if found is not None:
                    return found
            elif self._depth:
                self._depth -= 1
                self._position += 1
            elif is_empty:
                return Array(self._start, has_object=False, end=self._position + 1)
            else:
                return "other"

    def _examine_element(self, first: int) -> Array | Literal["cut", "other"] | None:
        """Examine an element; None to go on."""
        # Arrays within a bad array are entered without a search for their end, which would cost
        # quadratic time in their depth.
        stop = (
            "bad"
            if self._depth and first == ord("[")
            else self._reader.find_value_end(self._position)
        )
        if stop == "cut" and not self._reader.is_last:
            return "cut"
        if first == ord("{") and not self._depth:
            return self._examine_object(stop)
        if isinstance(stop, int):
            inner = (
                self._unwrap_object(self._text[self._position : stop])
                if first == ord('"')
                else None
            )
            self._position = stop
            if inner is None:
                return None
            return Array(self._start, has_object=True, is_typed=_says_type(inner, True))
        if first == ord("["):
            self._depth += 1
            self._position += 1
            return None
        return self._pass_bad_element(first)

    def _examine_object(self, stop: int | Literal["bad", "cut"]) -> Array | Literal["cut"]:
        position, end = self._position, self._reader.end
        is_good = isinstance(stop, int)
        if not is_good and not self._reader.is_last and position + _TYPED_WITHIN > end:
            return "cut"
        if isinstance(stop, int):
            skip = stop
        else:
            near = min(end, position + _TYPED_WITHIN)
            surroundings = Surroundings(self._line_indent(), is_element=True)
            bad = find_bad_value(self._text, position, near, surroundings, is_at_end=True)
            skip = bad.end if bad else near
        is_typed = _says_type(self._text[position:skip], is_good)
        return Array(self._start, has_object=True, is_typed=is_typed)

    def _unwrap_object(self, string: bytes) -> bytes | None:
        """Decode the object that a string holds; None where it holds none."""
        if self._depth or self._reader.is_inner:
            return None
        inner = unwrap_string(string)
        stands_for_object = inner is not None and inner.startswith(b"{") and is_json(inner)
        return inner if stands_for_object else None

    def _pass_bad_element(self, first: int) -> Literal["cut", "other"] | None:
        reader = self._reader
        surroundings = Surroundings(
            self._line_indent() if first == ord("{") else None, is_element=True
        )
        bad = find_bad_value(
            self._text, self._position, reader.end, surroundings, is_at_end=reader.is_last
        )
        if bad is None:
            return "cut"
        self._position = bad.end
        return None if bad.is_closed else "other"

    def _line_indent(self) -> int:
        seen, self._line_seen = self._line_seen, self._position
        last = max(self._text.rfind(end, seen, self._position) for end in (b"\n", b"\r"))
        if last >= 0:
            self._indent = indent_of(self._text, last + 1)
        return self._indent


def _says_type(text: bytes, is_whole: bool) -> bool:
    if is_whole:
        try:
            return is_present(bytes(_decode_object(text).get("type", b"null")))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
    return _SAYS_TYPE.search(text) is not None


def unwrap_string(string: bytes) -> bytes | None:
    """Decode a JSON string that begins and ends like an object or array; None for others.

    Example:
        >>> unwrap_string(b'"{}"'), unwrap_string(b'"x"')
        (b'{}', None)
    """
    text = decode_string(string)
    if text is None:
        return None
    text = text.strip(" \t\r\n")
    if (text[:1], text[-1:]) not in (("{", "}"), ("[", "]")):
        return None
    # A lone surrogate can only stand in a string there, where an escape says the same.
    return text.encode("utf-8", "surrogatepass" if text.isascii() else "backslashreplace")
