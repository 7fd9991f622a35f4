"""Exports: which JSON object is an envelope of events, and what it gives to them.

In: the members of an object, as far as they can be read. Out: the key that holds its events.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from sequen_dagster.absence import is_blank
from sequen_dagster.exports.json_grammar import SPACE, STRING, decoded_text, is_json, may_go_on
from sequen_dagster.exports.recovery import Setting, bad_value
from sequen_dagster.fields import ALIASES, FIELD_NAMES, IDENTITY_FIELDS, TIMESTAMP_FIELDS
from sequen_dagster.settings import EVENTS_KEYS

# What an envelope gives to its events.
GIVEN_FIELDS: Final = (*TIMESTAMP_FIELDS, *IDENTITY_FIELDS)
_GIVEN_NAMES: Final = frozenset((*GIVEN_FIELDS, *ALIASES))
# Fields that only an event has.
_EVENT_FIELDS: Final = frozenset(FIELD_NAMES) - {"id", "type", *GIVEN_FIELDS}
_COMMAS: Final = re.compile(rb"[ \t\r\n,]*+")
_BETWEEN_ELEMENTS: Final = re.compile(rb"(?:[ \t\r\n,\x00\x1e}]++|\xef\xbb\xbf)*+")
# In a first element that is no JSON, of which only the beginning is looked at.
_TYPED_WITHIN: Final = 4096
_SAYS_TYPE: Final = re.compile(rb'"type"[ \t\r\n]*+:[ \t\r\n]*+(?!null|"[ \t]*+"|\[[ \t]*+\])')

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

# The end of the value at a place; `bad` where there is none, `cut` where more bytes are needed.
ValueEnd = Callable[[int], int | Literal["bad", "cut"]]


@dataclass(frozen=True)
class Array:
    """An array that may hold the events of an envelope.

    Attributes:
        start: where its bracket is.
        has_object: whether an object is among its elements; else it is empty.
        is_typed: whether the first object has a type.
        is_open: whether the text ends before anything in it.
        end: where it ends, if it is empty.
    """

    start: int
    has_object: bool
    is_typed: bool = False
    is_open: bool = False
    end: int | None = None


@dataclass
class Members:
    """The members of an object, from its beginning on.

    Attributes:
        values: JSON texts by key.
        arrays: by key, those that may hold the events.
        place: where reading stopped.
        has_repeats: whether a key came twice.
        outcome: whether the object is `closed` there, holds an `array` of events to be read one
            by one, is `bad`, or is `cut`, so that more bytes may decide.
    """

    values: dict[str, bytes] = field(default_factory=dict)
    arrays: dict[str, Array] = field(default_factory=dict)
    place: int = 0
    has_repeats: bool = False
    outcome: Literal["closed", "array", "bad", "cut"] = "cut"

    def given(self, chosen: str) -> dict[str, bytes]:
        """What the envelope gives, if `chosen` holds its events."""
        return {
            name: value
            for name, value in self.values.items()
            if name in _GIVEN_NAMES and name != chosen
        }

    def with_more(self, behind: "Members") -> "Members":
        """These and the members behind them, of which the last of a name counts."""
        arrays = {name: one for name, one in self.arrays.items() if name not in behind.values}
        names = self.values.keys() | self.arrays.keys()
        return Members(
            {**self.values, **behind.values},
            {**arrays, **behind.arrays},
            has_repeats=self.has_repeats
            or behind.has_repeats
            or bool(names & behind.values.keys()),
        )

    def has_others(self, chosen: str) -> bool:
        """Whether there are keys besides the events and what is given to them."""
        return any(name not in _GIVEN_NAMES and name != chosen for name in self.values)


@dataclass(frozen=True)
class EnvelopeRules:
    """What decides whether an object is an envelope.

    Attributes:
        keys: under which it may hold its events, in order of preference.
        folder: what the folders of the file give to its records, as JSON texts.
    """

    keys: tuple[str, ...] = EVENTS_KEYS
    folder: Mapping[str, bytes] = field(default_factory=dict)

    def chosen(self, members: Members) -> str | None:
        """The key that holds the events of an object, or None where it is no envelope."""
        if any(is_present(where.get("type", b"null")) for where in (self.folder, members.values)):
            return None
        names = [name for name in self.keys if name in members.arrays]
        full = [name for name in names if members.arrays[name].has_object]
        if not names:
            return None
        name = (full or names)[0]
        is_event = any(
            key in _EVENT_FIELDS and is_present(value) for key, value in members.values.items()
        )
        return name if not is_event or members.arrays[name].is_typed else None

    def may_hold(self, text: bytes) -> bool:
        """Whether an object may be an envelope, going by what is cheap to see."""
        if not any(b'"' + key.encode() + b'"' in text for key in self.keys):
            return self.has_odd_keys or ESCAPED_LETTER.search(text) is not None
        return True

    @property
    def has_odd_keys(self) -> bool:
        """Whether a key of the settings may be spelled with escapes even if no letter is."""
        return not all(_PLAIN_KEY.fullmatch(key) for key in self.keys)


_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_.$@ -]*")
# Of a key that an escape may spell.
ESCAPED_LETTER: Final = re.compile(rb"\\u00[2-7][0-9a-fA-F]")


def is_present(value: bytes) -> bool:
    """Whether a JSON text is a value: not null, blank or an empty array.

    Example:
        >>> is_present(b"0"), is_present(b'" "'), is_present(b"[ ]")
        (True, False, False)
    """
    if value.startswith(b'"'):
        text = decoded_text(value)
        return text is None or not is_blank(text)
    if value.startswith(b"["):
        return bool(value[1:-1].strip(b" \t\r\n"))
    return value != b"null"


@dataclass(frozen=True)
class MemberReader:
    """Reads the members of an object; commas may be too many or missing.

    Attributes:
        text: bytes.
        end: where to stop.
        rules: which keys may hold events.
        value_end: finds the ends of values.
        until: the one key to stop at; by default any that holds an object in an array.
        is_whole: whether no array is stopped at.
        is_last: whether no more bytes can be had.
        is_inner: whether the text stands in a string, so that strings in it are only strings.
    """

    text: bytes
    end: int
    rules: EnvelopeRules
    value_end: ValueEnd
    until: str | None = None
    is_whole: bool = False
    is_last: bool = False
    is_inner: bool = False

    def read(self, place: int) -> Members:
        """Read on from behind the brace of the object, or from behind a member."""
        text, end = self.text, self.end
        members = Members(place=place)
        while True:
            key_at = self._behind(_COMMAS, members.place)
            first = text[key_at : min(key_at + 1, end)]
            if first == b"}":
                members.place, members.outcome = key_at + 1, "closed"
                return members
            key = STRING.match(text, key_at, end)
            if key is None:
                members.outcome = "cut" if may_go_on(text, key_at, end) else "bad"
                return members
            colon = self._behind(SPACE, key.end())
            start = self._behind(SPACE, colon + 1)
            if colon < end and text[colon] != ord(":"):
                members.outcome = "bad"
                return members
            if start >= end or not self._take(start, decoded_text(key[0]), members):
                return members

    def _take(self, start: int, name: str | None, members: Members) -> bool:
        """Take the value of a member; whether reading goes on behind it."""
        is_candidate = name in self.rules.keys and self.text[start] == ord("[")
        array = self._array(start) if is_candidate else None
        if array == "cut":
            return False
        if name is not None:
            was_there = members.values.pop(name, None) is not None
            members.arrays.pop(name, None)
            if array is not None:
                members.arrays[name] = array
                is_full = array.has_object or array.is_open
                if is_full and not self.is_whole and self.until in (None, name):
                    members.outcome = "array"
                    return False
            members.has_repeats |= was_there
        # In an empty array no comma is too many.
        stop = (array.end if array and not self.is_whole else None) or self.value_end(start)
        if isinstance(stop, str) or name is None or not _is_text(self.text[start:stop]):
            members.outcome = "cut" if stop == "cut" else "bad"
            return False
        members.values[name] = self.text[start:stop]
        members.place = stop
        return True

    def _array(self, start: int) -> Array | Literal["cut"] | None:
        """What an array holds, going by its first object; None where it holds none but others."""
        text, end = self.text, self.end
        place = start + 1
        is_empty = True
        while True:
            # As the reader does: brackets that are too many are passed over, and bad scalars.
            place = self._behind(_BETWEEN_ELEMENTS, place)
            if place >= end:
                is_open = self.is_last and is_empty
                return Array(start, has_object=False, is_open=True) if is_open else "cut"
            first = text[place]
            if first == ord("]"):
                return Array(start, has_object=False, end=place + 1) if is_empty else None
            stop = self.value_end(place)
            if stop == "cut" and not self.is_last:
                return "cut"
            is_good = isinstance(stop, int)
            behind = stop if isinstance(stop, int) else end
            if first == ord("{"):
                if not is_good and not self.is_last and place + _TYPED_WITHIN > end:
                    return "cut"
                behind = stop if isinstance(stop, int) else min(end, place + _TYPED_WITHIN)
                is_typed = _says_type(text[place:behind], is_good)
                return Array(start, has_object=True, is_typed=is_typed)
            if not is_good:
                if first == ord("["):
                    return None
                bad = bad_value(text, place, end, Setting(is_element=True), is_at_end=True)
                behind = bad.end if bad else end
            elif first == ord('"'):
                inner = unwrapped(text[place:behind])
                stands_for_object = inner is not None and inner.startswith(b"{") and is_json(inner)
                if inner is not None and stands_for_object and not self.is_inner:
                    return Array(start, has_object=True, is_typed=_says_type(inner, True))
            place = behind
            is_empty = False

    def _behind(self, pattern: re.Pattern[bytes], place: int) -> int:
        found = pattern.match(self.text, place, self.end)
        return found.end() if found else place


def _says_type(text: bytes, is_whole: bool) -> bool:
    if is_whole:
        try:
            return is_present(bytes(_decode_object(text).get("type", b"null")))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
    return _SAYS_TYPE.search(text) is not None


def unwrapped(string: bytes) -> bytes | None:
    """What a JSON string holds, if it begins and ends like an object or array.

    Example:
        >>> unwrapped(b'"{}"'), unwrapped(b'"x"')
        (b'{}', None)
    """
    text = decoded_text(string)
    if text is None:
        return None
    text = text.strip(" \t\r\n")
    if (text[:1], text[-1:]) not in (("{", "}"), ("[", "]")):
        return None
    # A lone surrogate can only stand in a string there, where an escape says the same.
    return text.encode("utf-8", "surrogatepass" if text.isascii() else "backslashreplace")


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
