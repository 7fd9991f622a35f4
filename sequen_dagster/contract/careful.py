"""Contract: the careful lane of parsing, for records that are not plainly clean.

It is the definition of what a record says: RFC 8259 JSON, the last of duplicate keys, numbers to
the digit. The fast lane in `parse` may only take records for which both give the same.
"""

import json
import re
from typing import Any, Final

from sequen_dagster.fields import ALIASES, FIELD_NAMES

_TOKENS: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)
_SPACE_OUTSIDE_STRINGS: Final = re.compile(rb'("[^"\\]*(?:\\.[^"\\]*)*")|[ \t\r\n]+', re.DOTALL)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_RESERVED: Final = frozenset(FIELD_NAMES) | frozenset(ALIASES)


class Refused(Exception):
    """A record that is no JSON object; never leaves the contract.

    Attributes:
        rule: the rule code.
    """

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule

    @property
    def is_syntax(self) -> bool:
        """Whether the text does not parse at all, as when it is cut off."""
        return self.rule != "not_an_object"


class _Number(str):
    """The text of a JSON number, digits untouched."""

    __slots__ = ()


def compacted(text: bytes) -> bytes:
    """`text` without insignificant white space.

    Example:
        >>> compacted(b'{ "a b" : [1, 2] }')
        b'{"a b":[1,2]}'
    """
    return _SPACE_OUTSIDE_STRINGS.sub(rb"\1", text)


def sanitised(text: bytes, *, max_depth: int, warnings: list[str]) -> tuple[bytes, bytes]:
    """Read one record with care.

    Args:
        text: the record.
        max_depth: deepest nesting.
        warnings: gets `duplicate_key` and `lone_surrogate`.

    Returns:
        The compact text as sent, and one with each key once and no lone surrogate: in a reserved
        field such a value becomes `{}`, which no converter takes; elsewhere U+FFFD stands for it.

    Raises:
        Refused: `bad_encoding`, `too_deep`, `malformed_json` or `not_an_object`.
    """
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        raise Refused("bad_encoding") from None
    if _depth(text) > max_depth:
        raise Refused("too_deep")
    reader = _Reader()
    try:
        value = json.loads(
            decoded,
            object_pairs_hook=reader.object,
            parse_float=_Number,
            parse_int=_Number,
            parse_constant=_refuse_constant,
        )
    except ValueError:
        raise Refused("malformed_json") from None
    if not isinstance(value, dict):
        raise Refused("not_an_object")
    if reader.has_duplicates:
        warnings.append("duplicate_key")
    safe = _without_surrogates(value, warnings)
    return compacted(text), _dumped(safe).encode()


class _Reader:
    def __init__(self) -> None:
        self.has_duplicates = False

    def object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        self.has_duplicates |= len(value) < len(pairs)
        return value


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _depth(text: bytes) -> int:
    depth = deepest = 0
    for token in _TOKENS.finditer(text):
        if token.group() in (b"{", b"["):
            depth += 1
            deepest = max(deepest, depth)
        elif token.group() in (b"}", b"]"):
            depth -= 1
    return deepest


def _without_surrogates(record: dict[str, Any], warnings: list[str]) -> dict[str, Any]:
    if not _SURROGATE.search(_dumped(record)):
        return record
    safe = {}
    for key, value in record.items():
        if key in _RESERVED and _SURROGATE.search(_dumped(value)):
            safe[key] = {}
        else:
            safe[_SURROGATE.sub("\ufffd", key)] = json_replaced(value)
            if _SURROGATE.search(key + _dumped(value)):
                warnings.append("lone_surrogate")
    return safe


def json_replaced(value: Any) -> Any:
    """`value` with U+FFFD in place of every lone surrogate in its keys and strings."""
    if isinstance(value, _Number):
        return value
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_SURROGATE.sub("\ufffd", key): json_replaced(one) for key, one in value.items()}
    return [json_replaced(one) for one in value] if isinstance(value, list) else value


def _dumped(value: Any) -> str:
    # Any: parsed JSON. json.dumps would write a _Number as a string, so the walk is our own.
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        pairs = (f"{_quoted(key)}:{_dumped(one)}" for key, one in value.items())
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_dumped, value)) + "]"
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
