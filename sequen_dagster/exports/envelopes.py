"""Exports: which JSON object is an envelope of events, and which fields it gives to them.

In: the members of an object, as far as they can be read. Out: the key that holds its events.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal

from sequen_dagster.exports.json_grammar import decode_string
from sequen_dagster.fields import (
    ALIASES,
    FIELD_NAMES,
    ID_FIELDS,
    IDENTITY_FIELDS,
    TIMESTAMP_FIELDS,
)
from sequen_dagster.settings import EVENTS_KEYS
from sequen_dagster.settings.absence import NONE_WORDS, is_blank

# Fields that an envelope gives to its events.
GIVEN_FIELDS: Final = (*TIMESTAMP_FIELDS, *IDENTITY_FIELDS)
_GIVEN_NAMES: Final = frozenset((*GIVEN_FIELDS, *ALIASES))
# Fields that only an event has.
_EVENT_FIELDS: Final = frozenset(FIELD_NAMES) - {"id", "type", *GIVEN_FIELDS}


@dataclass(frozen=True)
class Array:
    """An array that may hold the events of an envelope.

    Attributes:
        start: where its bracket is.
        has_object: whether an object is among its elements; else it is empty.
        is_typed: whether the first object has a type.
        end: where it ends, if it is empty.
    """

    start: int
    has_object: bool
    is_typed: bool = False
    end: int | None = None


@dataclass
class Members:
    """The members of an object, from its beginning on.

    Attributes:
        values: JSON texts by key.
        arrays: by key, those that may hold the events.
        position: where reading stopped.
        has_repeats: whether a key came twice.
        outcome: whether the object is `closed` there, holds an `array` of events to be read one
            by one, is `bad`, or is `cut`, so that more bytes may decide.
    """

    values: dict[str, bytes] = field(default_factory=dict)
    arrays: dict[str, Array] = field(default_factory=dict)
    position: int = 0
    has_repeats: bool = False
    outcome: Literal["closed", "array", "bad", "cut"] = "cut"

    def given(self, choose_key: str) -> dict[str, bytes]:
        """What the envelope gives, if `choose_key` holds its events."""
        return {
            name: value
            for name, value in self.values.items()
            if name in _GIVEN_NAMES and name != choose_key
        }

    def with_more(self, rest: "Members") -> "Members":
        """These and the members after them, of which the last of a name counts."""
        arrays = {name: one for name, one in self.arrays.items() if name not in rest.values}
        names = self.values.keys() | self.arrays.keys()
        return Members(
            {**self.values, **rest.values},
            {**arrays, **rest.arrays},
            has_repeats=self.has_repeats or rest.has_repeats or bool(names & rest.values.keys()),
        )

    def has_others(self, choose_key: str) -> bool:
        """Whether there are keys other than the events and the fields given to them."""
        return any(name not in _GIVEN_NAMES and name != choose_key for name in self.values)


@dataclass(frozen=True)
class EnvelopeRules:
    """The rules by which an object is an envelope.

    Attributes:
        keys: the keys that may hold its events, in order of preference.
        folder: the fields that the folders of the file give to its records, as JSON texts.
        none_words: whole values that mean none in id fields, in lower case.
    """

    keys: tuple[str, ...] = EVENTS_KEYS
    folder: Mapping[str, bytes] = field(default_factory=dict)
    none_words: frozenset[str] = frozenset(NONE_WORDS)

    def choose_key(self, members: Members) -> str | None:
        """Choose the key that holds the events of an object; None where it is not an envelope."""
        if any(is_present(where.get("type", b"null")) for where in (self.folder, members.values)):
            return None
        names = [name for name in self.keys if name in members.arrays]
        full = [name for name in names if members.arrays[name].has_object]
        if not names:
            return None
        name = (full or names)[0]
        is_event = any(
            key in _EVENT_FIELDS and is_present(value) and not self._is_none(key, value)
            for key, value in members.values.items()
        )
        return name if not is_event or members.arrays[name].is_typed else None

    def _is_none(self, key: str, value: bytes) -> bool:
        if key not in ID_FIELDS:
            return False
        text = decode_string(value) if value.startswith(b'"') else value.decode()
        return text is not None and text.lower() in self.none_words

    def find_events(self, text: bytes) -> int | None:
        """Find the first array that may hold events, by the name before it, or None."""
        if text.count(b"[") > len(text) >> 8 and not self._holds_name(text):
            return None
        position = 0
        # Cheap, since brackets are few and a name ends in a quote.
        for part in text.split(b"[")[:-1]:
            name = part.rstrip(b" \t\r\n:")
            if name.endswith(self._quoted_names) or b"\\u00" in name[-self._longest_name :]:
                return position + len(part)
            position += len(part) + 1
        return None

    def _holds_name(self, text: bytes) -> bool:
        return any(name in text for name in self._quoted_names) or b"\\u00" in text

    @cached_property
    def _quoted_names(self) -> tuple[bytes, ...]:
        # A key with unusual letters may be spelled with escapes in many ways.
        are_plain = all(_PLAIN_KEY.fullmatch(key) for key in self.keys)
        return tuple(b'"' + key.encode() + b'"' for key in self.keys) if are_plain else (b'"',)

    @cached_property
    def _longest_name(self) -> int:
        """Length of the longest name, spelled with escapes."""
        return max((6 * len(key) + 2 for key in self.keys), default=1)


_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_.$@ -]+")


def is_present(value: bytes) -> bool:
    """Whether a JSON text is a value: not null, blank or an empty array.

    Example:
        >>> is_present(b"0"), is_present(b'" "'), is_present(b"[ ]")
        (True, False, False)
    """
    if value.startswith(b'"'):
        text = decode_string(value)
        return text is None or not is_blank(text)
    if value.startswith(b"["):
        return bool(value[1:-1].strip(b" \t\r\n"))
    return value != b"null"
