"""Sections 8 and 9: where a custom field may lie, and when it is carried.

In: the custom fields of an event and a path of keys joined by dots. Out: its value, or None.
"""

from collections.abc import Iterator
from typing import Any

from support.oracle.reading import parse
from support.oracle.rules import Row, Rules
from support.oracle.words import is_blank

CONTAINERS = ("properties", "context", "traits")
# Of the words for an identity, these also mean that a custom field says nothing.
SAY_NOTHING = ("n/a", "unknown")


def carried(properties: Row, path: str, rules: Rules) -> Any:  # any JSON value
    """Return the first value of a path that is carried, None where there is none."""
    words = (*rules.placeholder_ids, *SAY_NOTHING)
    return next((value for value in values_at(properties, path) if says(value, words)), None)


def values_at(properties: Row, path: str) -> Iterator[Any]:  # any JSON values
    """Yield what lies at a path: at the top first, in each place flat before nested."""
    for place in (properties, *(as_object(properties.get(name)) for name in CONTAINERS)):
        yield place.get(path)
        *outer, last = path.split(".")
        for key in outer:
            place = as_object(place.get(key))
        yield place.get(last)


def as_object(value: Any) -> Row:  # any JSON value
    """Return an object, or what the JSON text of one says; empty where it is neither."""
    if isinstance(value, str):
        try:
            value, _ = parse(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


def says(value: Any, words: tuple[str, ...]) -> bool:  # any JSON value
    """Return whether a value counts as carried."""
    if isinstance(value, str):
        return not is_blank(value) and value.strip() not in ("[]", "{}") and (
            value.lower() not in words
        )  # fmt: skip
    return value not in (None, [], {})
