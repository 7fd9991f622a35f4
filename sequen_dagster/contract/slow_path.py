"""Contract: the slow path of parsing, for records that are not proven clean.

It defines how a record is read: RFC 8259 JSON, the last of duplicate keys, numbers to the digit.
The paths in `parse` and `plain_records` may only take records for which all give the same.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from sequen_dagster.fields import RESERVED_NAMES

# Possessive, since a text of millions of escapes would otherwise be remembered step by step. A
# string that is never closed runs to the end, so that what it holds does not count as brackets.
_STRING: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)'
_TOKENS: Final = re.compile(_STRING + rb"|[{}\[\]]", re.DOTALL)
_SPACE_OUTSIDE_STRINGS: Final = re.compile(b"(" + _STRING + rb")|[ \t\r\n]+", re.DOTALL)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# Python refuses to turn more than 4,300 digits into an int.
_MAX_INT_DIGITS: Final = 4_000


class RefusedError(Exception):
    """A record that is not a JSON object; never leaves the contract.

    Attributes:
        rule: the rule code.
    """

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


def compact_json(text: bytes) -> bytes:
    """Remove insignificant white space from JSON text.

    Example:
        >>> compact_json(b'{ "a b" : [1, 2] }')
        b'{"a b":[1,2]}'
    """
    return _SPACE_OUTSIDE_STRINGS.sub(rb"\1", text)


def parse_slowly(
    text: bytes, *, max_depth: int, warnings: list[str]
) -> tuple[bytes, dict[str, Any]]:
    """Parse one record, whatever is unusual about it.

    Args:
        text: the record.
        max_depth: deepest nesting.
        warnings: gets `duplicate_key` and `lone_surrogate`.

    Returns:
        The compact text as sent, and the record with each key once and no lone surrogate: in a
        reserved field such a value becomes `{}`, which no converter takes; elsewhere U+FFFD stands
        for it. Numbers that a Python int does not hold to the digit are `msgspec.Raw`.

    Raises:
        RefusedError: `bad_encoding`, `too_deep`, `malformed_json` or `not_an_object`.
    """
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        raise RefusedError("bad_encoding") from None
    if _measure_depth(text) > max_depth:
        raise RefusedError("too_deep")
    reader = _PairReader()
    try:
        value = json.loads(
            decoded,
            object_pairs_hook=reader.object,
            parse_float=msgspec.Raw,
            parse_int=_exact_integer,
            parse_constant=_refuse_constant,
        )
    except ValueError:
        raise RefusedError("malformed_json") from None
    if not isinstance(value, dict):
        raise RefusedError("not_an_object")
    if reader.has_duplicates:
        warnings.append("duplicate_key")
    return compact_json(text), _without_surrogates(value, warnings)


class _PairReader:
    def __init__(self) -> None:
        self.has_duplicates = False

    def object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        self.has_duplicates |= len(value) < len(pairs)
        return value


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _exact_integer(digits: str) -> int | msgspec.Raw:
    is_exact = digits != "-0" and len(digits) <= _MAX_INT_DIGITS
    return int(digits) if is_exact else msgspec.Raw(digits)


def _measure_depth(text: bytes) -> int:
    depth = deepest = 0
    for token in _TOKENS.finditer(text):
        if token.group() in (b"{", b"["):
            depth += 1
            deepest = max(deepest, depth)
        elif token.group() in (b"}", b"]"):
            depth -= 1
    return deepest


def _without_surrogates(record: dict[str, Any], warnings: list[str]) -> dict[str, Any]:
    if not _has_surrogate(record):
        return record
    safe: dict[str, Any] = {}
    for key, value in record.items():
        if not _has_surrogate([key, value]):
            safe[key] = value
        elif key in RESERVED_NAMES:
            safe[key] = {}
        else:
            safe[_SURROGATE.sub("\ufffd", key)] = _replace_surrogates(value)
            warnings.append("lone_surrogate")
    return safe


def _has_surrogate(value: Any) -> bool:
    return any(_SURROGATE.search(text) for text in _strings_in(value))


def _strings_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _strings_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings_in(inner)


def _replace_surrogates(value: Any) -> Any:
    """Replace every lone surrogate in the keys and strings of a value by U+FFFD."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {
            _SURROGATE.sub("\ufffd", key): _replace_surrogates(inner)
            for key, inner in value.items()
        }
    return [_replace_surrogates(inner) for inner in value] if isinstance(value, list) else value
