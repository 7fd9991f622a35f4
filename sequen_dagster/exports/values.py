"""Exports: values of typed columns in the forms that JSON has, each in the text of its type.

In: Arrow columns, or Python objects of a pandas frame. Out: text, numbers, booleans, lists and
dicts. Null and NaN are absent: None, and left out of dicts; lists keep their positions.
"""

import math
import re
from collections.abc import Callable
from decimal import Decimal
from itertools import islice
from typing import Any, Final
from uuid import UUID

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# A text that cannot be encoded, so that its row becomes `bad_encoding`.
UNREADABLE: Final = chr(0xDCFF)

# Bytes that hold one of these (tab and line ends are not among them) are not text.
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_NANOSECONDS: Final = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1000, "ns": 1}
_DAY_SECONDS: Final = 86_400
# Python writes decimals of a larger scale with an exponent, where they are small.
_MAX_PLAIN_SCALE: Final = 6
_MAX_INTEGER: Final = 2**64 - 1

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode

# Any, here and below: a column holds whatever its type gives, and JSON whatever it may hold.
Column = Any
Values = list[Any]


def plain_values(column: Column) -> Values:
    r"""Convert the values of an Arrow column, each exactly.

    Times, dates, durations and what JSON does not know are text; bytes are text where they are
    UTF-8 without control characters, else hex; a map is a dict, its keys in text form.

    Args:
        column: an Arrow array.

    Returns:
        As many values, None where there is none.

    Example:
        >>> plain_values(pa.array([b"text", b"\x00\xff", None]))
        ['text', '00ff', None]
    """
    for is_kind, values in _BY_KIND:
        if is_kind(column.type):
            return values(column)
    return _object_values(column)


def plain_object(value: Any) -> Any:
    """Convert a Python object of a pandas frame to the forms that JSON has.

    Example:
        >>> plain_object({1: b"text", "b": float("nan"), "c": [None, 1.5]})
        {'1': 'text', 'c': [None, 1.5]}
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, dict):
        pairs = ((_key_text(plain_object(key)), plain_object(one)) for key, one in value.items())
        return {key: one for key, one in pairs if one is not None}
    if isinstance(value, list | tuple):
        return [plain_object(one) for one in value]
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, float):
        return _json_number(value)
    if isinstance(value, int):
        return value if abs(value) <= _MAX_INTEGER // 2 else Decimal(value)
    if isinstance(value, bytes):
        return _text_of_bytes(value)
    if _is_none(value):
        return None
    if isinstance(value, Decimal):
        return _json_decimal(value)
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)


def _is_none(value: Any) -> bool:
    """Whether a value is NaN, NaT or pandas' NA, of which none equals itself."""
    is_equal = value == value
    return is_equal is not True and not (isinstance(is_equal, np.bool_) and bool(is_equal))


def _object_values(column: Column) -> Values:
    try:
        return column.to_pylist()  # type: ignore[no-any-return]
    except (ValueError, OverflowError):
        return [_object_value(one) for one in column]


def _object_value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        return UNREADABLE  # a text that is not UTF-8


def _untrusted_values(column: Column) -> Values:
    return [plain_object(value) for value in _object_values(column)]


def _text_values(column: Column) -> Values:
    return column.cast(pa.string()).to_pylist()  # type: ignore[no-any-return]


def _timestamp_values(column: Column) -> Values:
    kind = column.type
    # Cut to microseconds, as every time is; Python's datetime would end at the year 9999.
    if kind.unit == "ns":
        column = column.cast(pa.timestamp("us", tz=kind.tz), safe=False)
    try:
        texts = _text_values(column)
    except pa.ArrowInvalid:
        # A zone that is not in the database of this machine; the instant is in UTC all the same.
        texts = _text_values(column.cast(pa.timestamp(column.type.unit, tz="UTC")))
    return [text and text.replace(" ", "T", 1) for text in texts]


def _duration_values(column: Column) -> Values:
    factor = _NANOSECONDS[column.type.unit]
    counts = column.cast(pa.int64()).to_pylist()
    return [None if count is None else _duration_text(count * factor) for count in counts]


def _duration_text(nanoseconds: int) -> str:
    """An ISO 8601 duration of days and seconds, to the digit."""
    seconds, fraction = divmod(abs(nanoseconds), _NANOSECONDS["s"])
    days, seconds = divmod(seconds, _DAY_SECONDS)
    digits = f".{fraction:09d}".rstrip("0") if fraction else ""
    text = f"{'-' if nanoseconds < 0 else ''}P" + (f"{days}D" if days else "")
    if seconds or fraction:
        return f"{text}T{seconds}{digits}S"
    return text if days else "P0D"


def _float_values(column: Column) -> Values:
    if not pa.types.is_float64(column.type):
        # Through text: as a double 0.1 would be 0.10000000149011612.
        column = column.cast(pa.string()).cast(pa.float64())
    values: Values = column.to_pylist()
    finite = pc.all(pc.is_finite(column)).as_py()
    return values if finite in (True, None) else list(map(_json_number, values))


def _json_number(value: float | None) -> float | str | None:
    if value is None or math.isnan(value):
        return None
    # JSON has no infinity; null would be absent, and not invalid.
    return str(value) if math.isinf(value) else value


def _decimal_values(column: Column) -> Values:
    values: Values = column.to_pylist()
    if 0 <= column.type.scale <= _MAX_PLAIN_SCALE:
        return values
    return [None if value is None else _json_decimal(value) for value in values]


def _json_decimal(value: Decimal) -> Decimal | msgspec.Raw | str:
    if not value.is_finite():
        return str(value)
    return msgspec.Raw(format(value, "f").encode()) if "E" in str(value) else value


def _binary_values(column: Column) -> Values:
    return [None if one is None else _text_of_bytes(one) for one in column.to_pylist()]


def _text_of_bytes(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return value.hex()
    return value.hex() if _CONTROL.search(text) else text


def _extension_values(column: Column) -> Values:
    kind = column.type
    if kind == pa.uuid():
        stored = column.storage.to_pylist()
        return [None if one is None else str(UUID(bytes=one)) for one in stored]
    return _object_values(column) if kind == pa.bool8() else plain_values(column.storage)


def _dictionary_values(column: Column) -> Values:
    values = plain_values(column.dictionary)
    return [None if index is None else values[index] for index in column.indices.to_pylist()]


def _run_end_values(column: Column) -> Values:
    return plain_values(pc.call_function("run_end_decode", [column]))


def _list_values(column: Column) -> Values:
    elements = iter(plain_values(column.flatten()))
    lengths = pc.list_value_length(column).to_pylist()
    return [None if length is None else list(islice(elements, length)) for length in lengths]


def _map_values(column: Column) -> Values:
    offsets = column.offsets.to_pylist()
    if not offsets:
        return []
    # Only what this column shows of its entries, which it may share with others.
    begin, length = offsets[0], offsets[-1] - offsets[0]
    keys = map(_key_text, plain_values(column.keys.slice(begin, length)))
    entries = list(zip(keys, plain_values(column.items.slice(begin, length)), strict=True))
    return [
        {key: value for key, value in entries[one - begin : end - begin] if value is not None}
        if is_valid
        else None
        for one, end, is_valid in zip(offsets, offsets[1:], _validity_flags(column), strict=False)
    ]


def _key_text(value: Any) -> str:
    """A plain value as the key of an object."""
    return value if isinstance(value, str) else _encode(value).decode()


def _struct_values(column: Column) -> Values:
    names = [field.name for field in column.type]
    # Flattened, a child is null where the struct is.
    children = [plain_values(child) for child in column.flatten()]
    rows = zip(*children, strict=True) if children else ((),) * len(column)
    return [
        {name: value for name, value in zip(names, row, strict=True) if value is not None}
        if is_valid
        else None
        for row, is_valid in zip(rows, _validity_flags(column), strict=True)
    ]


def _validity_flags(column: Column) -> list[bool]:
    return column.is_valid().to_pylist()  # type: ignore[no-any-return]


def _is_list(kind: pa.DataType) -> bool:
    return (
        pa.types.is_list(kind)
        or pa.types.is_large_list(kind)
        or pa.types.is_fixed_size_list(kind)
        or pa.types.is_list_view(kind)
        or pa.types.is_large_list_view(kind)
    )


def _is_bytes(kind: pa.DataType) -> bool:
    return (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )


def _is_extension(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.BaseExtensionType)


# The first that fits; every other kind is held by Python as it is.
_BY_KIND: Final[tuple[tuple[Callable[[pa.DataType], bool], Callable[[Column], Values]], ...]] = (
    (_is_extension, _extension_values),
    (pa.types.is_floating, _float_values),
    (pa.types.is_timestamp, _timestamp_values),
    (pa.types.is_date, _text_values),
    (pa.types.is_time, _text_values),
    (pa.types.is_duration, _duration_values),
    (pa.types.is_decimal, _decimal_values),
    (_is_bytes, _binary_values),
    (pa.types.is_dictionary, _dictionary_values),
    (pa.types.is_struct, _struct_values),
    (pa.types.is_map, _map_values),
    (_is_list, _list_values),
    (pa.types.is_run_end_encoded, _run_end_values),
    (pa.types.is_union, _untrusted_values),
    (pa.types.is_interval, _untrusted_values),
)
