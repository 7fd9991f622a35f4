"""Contract: fields that a record takes from the envelopes around it and from the folders of a file.

In: the values of a record as parsed, its envelopes and folders. Out: the values with those given,
and the JSON text of the latter, which is part of the record's identity.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from sequen_dagster.contract import scalars
from sequen_dagster.contract.placeholders import Placeholders
from sequen_dagster.contract.scalars import NOT_TEXT
from sequen_dagster.contract.slow_path import compact_json
from sequen_dagster.exports.envelopes import GIVEN_FIELDS
from sequen_dagster.exports.records import Giver
from sequen_dagster.fields import ALIASES, FIELD_NAMES, FIELDS, RESERVED_NAMES
from sequen_dagster.settings.absence import is_blank

_FROM_ENVELOPES: Final = frozenset(GIVEN_FIELDS)
# Names under which a giver may hold a field, the field's own first.
_SPELLINGS: Final = {
    name: (name, *(alias for alias, field in ALIASES.items() if field == name))
    for name in FIELD_NAMES
}
_OPTIONAL_TIMES: Final = frozenset(
    field.name for field in FIELDS if field.kind == "timestamp" and not field.mandatory
)

_decode = msgspec.json.Decoder(float_hook=msgspec.Raw).decode
_encode = msgspec.json.Encoder().encode

Record = dict[str, Any]  # Any: a value is whatever JSON holds


def inherit(
    values: list[Any],
    record: Record,
    givers: Iterable[Giver],
    folder: Mapping[str, bytes],
    placeholders: Placeholders,
    warnings: list[str],
) -> bytes:
    """Fill in absent fields from the nearest envelope that has them, else from the folders.

    Args:
        values: reserved fields; those of the record are the last, and are changed.
        record: its custom fields, changed where folders give one.
        givers: the envelopes around it, the nearest first.
        folder: the fields that the folders of the file give.
        placeholders: words that are absent.
        warnings: gets `inherited_from_envelope`, and those about values that no converter will see.

    Returns:
        The fields given, as a compact JSON object; empty where there are none.
    """
    given: list[bytes] = []
    first = len(values) - len(FIELD_NAMES)
    known = tuple(givers)
    names = FIELD_NAMES if folder else GIVEN_FIELDS
    for name in names:
        index = first + FIELD_NAMES.index(name)
        if not _is_absent(name, values[index], placeholders):
            continue
        text, is_from_folder = _find_given(name, known, folder, placeholders)
        if text is None:
            continue
        warnings += _warnings_of_replaced(name, values[index], placeholders)
        values[index] = _from_folder(name, text) if is_from_folder else _decode_value(text)
        if not is_from_folder and "inherited_from_envelope" not in warnings:
            warnings.append("inherited_from_envelope")
        given.append(_encode(name) + b":" + compact_json(text))
    for name, text in folder.items():
        if name not in RESERVED_NAMES and _is_nothing(record.get(name)):
            record[name] = _decode_value(text)
            given.append(_encode(name) + b":" + text)
    return b"{" + b",".join(given) + b"}" if given else b""


def _find_given(
    name: str, givers: tuple[Giver, ...], folder: Mapping[str, bytes], placeholders: Placeholders
) -> tuple[bytes | None, bool]:
    """Find a field at its nearest giver; return its text, and whether the folder gives it."""
    for giver in givers if name in _FROM_ENVELOPES else ():
        text = _find_spelled(name, giver.fields, placeholders)
        if text is not None or not giver.is_whole:
            return text, False
    return _find_spelled(name, folder, placeholders), True


def _find_spelled(
    name: str, fields: Mapping[str, bytes], placeholders: Placeholders
) -> bytes | None:
    for spelling in _SPELLINGS[name]:
        text = fields.get(spelling)
        if text is not None and not _is_absent(name, _decode_value(text), placeholders):
            return text
    return None


def _decode_value(text: bytes) -> Any:
    # Any: parsed JSON.
    try:
        return _decode(text)
    except (msgspec.MsgspecError, RecursionError):
        # A lone surrogate, or something too deep: no converter takes it.
        return {}


def _from_folder(name: str, text: bytes) -> Any:
    """Read the value of a folder, numbers as numbers: a folder has only texts to give them."""
    # Any: as above.
    value: str = _decode_value(text)
    if name == "rank":
        number = scalars.read_rank(value)
        return value if number is None else number
    return (
        msgspec.Raw(value)
        if name == "dwell_ms" and scalars.read_dwell(value) is not None
        else value
    )


def _is_absent(name: str, value: Any, placeholders: Placeholders) -> bool:
    return _is_nothing(value) or placeholders.has(name, value) or _is_zero_time(name, value)


def _is_nothing(value: Any) -> bool:
    if isinstance(value, str):
        return is_blank(value)
    return value is None or value == []


def _is_zero_time(name: str, value: Any) -> bool:
    if name not in _OPTIONAL_TIMES:
        return False
    return scalars.is_zero_time(
        value if isinstance(value, str) else NOT_TEXT + _encode(value).decode()
    )


def _warnings_of_replaced(name: str, value: Any, placeholders: Placeholders) -> list[str]:
    """The warnings about a value that another replaces."""
    if _is_nothing(value):
        return []
    return ["placeholder_id"] if placeholders.has(name, value) else ["zero_time"]
