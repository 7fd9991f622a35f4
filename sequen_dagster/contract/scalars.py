"""Contract: the one definition of how a raw value becomes a typed one, by kind of field.

A raw value is a string as it is, or `NOT_TEXT` and the JSON text of any other value. NUL can mark
these because a string that holds one is not accepted anyway.

`convert` does the same for whole columns in the engine where a raw value has a common form, and
calls these functions for the rest; a property test shows that both agree.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Final

from sequen_dagster.settings.absence import is_blank

# First character of a raw value that is not a string.
NOT_TEXT: Final = "\0"
# Stands for a value that no converter takes.
UNCONVERTIBLE: Final = NOT_TEXT + "{}"

# The name of a zone, such as [Europe/Berlin], is not checked: the offset before it says it all.
_ZONE_NAME: Final = r"\[[^\[\]]+\]"
_ZONE: Final = (
    rf"(?:[Zz]| UTC|Z{_ZONE_NAME}| ?([+-])([0-9]{{2}})(?::?([0-9]{{2}}))?(?: UTC|{_ZONE_NAME})?)"
)
_DATE_TIME: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    rf"(?:[Tt ]([0-9]{{2}}):([0-9]{{2}})(?::([0-9]{{2}})(?:\.([0-9]+))?)?{_ZONE}?)?"
)
# Times that programs write where a time was never set.
_NEVER: Final = re.compile(
    rf"(?:0001-01-01|0000-00-00)(?:[Tt ]00:00(?::00(?:\.0+)?)?(?:{_ZONE})?)?"
)
_PLAIN_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_JSON_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,18})?")
_JSON_INTEGER: Final = re.compile(r"-?[0-9]+")
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_JSON_SPACE: Final = " \t\r\n"
_EPOCH: Final = datetime(1970, 1, 1)
# (below, places to shift to microseconds) of seconds, milliseconds, microseconds; above: nanos.
_UNIX_UNITS: Final = ((10**11, 6), (10**14, 3), (10**17, 0))
_WIDE: Final = Context(prec=400, rounding=ROUND_HALF_UP)
MAX_RANK: Final = 2_147_483_647
MAX_DWELL_MS: Final = 10**15
_MILLIONTH: Final = Decimal("0.000001")
# Enough for every value in range; beyond it exact arithmetic would only cost time.
_MAX_DIGITS: Final = 300


def text_of(raw_value: str) -> str | None:
    """The text of a raw value; None where it is not a text."""
    return None if raw_value.startswith(NOT_TEXT) else raw_value


def read_timestamp(raw_value: str) -> datetime | None:
    """Read a point in time, as UTC without zone, fractions beyond microseconds cut.

    Args:
        raw_value: an ISO date-time of the narrow form of the contract, or unix seconds,
            milliseconds, microseconds or nanoseconds, distinguished by magnitude.

    Returns:
        The time, or None where the raw value is neither.

    Example:
        >>> time = read_timestamp("2025-07-14T09:15:22.401Z")
        >>> time == read_timestamp(NOT_TEXT + "1752484522.401")
        True
    """
    number = _read_number(raw_value)
    if number is not None:
        return _from_unix(number)
    parts = _DATE_TIME.fullmatch(raw_value)
    return None if parts is None else _from_parts(parts)


def _from_parts(parts: re.Match[str]) -> datetime | None:
    year, month, day, hour, minute, second = (int(part or 0) for part in parts.groups()[:6])
    fraction = int((parts[7] or "")[:6].ljust(6, "0"))
    try:
        local = datetime(year, month, day, hour, minute, second, fraction)
        offset = _zone_offset(parts)
        return None if offset is None else local - offset
    except (ValueError, OverflowError):
        return None


def _zone_offset(parts: re.Match[str]) -> timedelta | None:
    """Offset of a time from UTC, eastward; None where no zone is that far."""
    hours, minutes = int(parts[9] or 0), int(parts[10] or 0)
    if hours > 23 or minutes > 59:
        return None
    offset = timedelta(hours=hours, minutes=minutes)
    return -offset if parts[8] == "-" else offset


def is_zero_time(raw_value: str) -> bool:
    """Whether a raw value is a time that programs write for none.

    These are the first day of all without a time of day (or with one of zero, and a zone), the
    start of unix time in any spelling, and every time of the year 9999.

    Example:
        >>> is_zero_time("0001-01-01T00:00:00Z"), is_zero_time("0"), is_zero_time("1")
        (True, True, False)
    """
    never = _NEVER.fullmatch(raw_value)
    if never is not None:
        return int(never[2] or 0) <= 23 and int(never[3] or 0) <= 59
    time = read_timestamp(raw_value)
    if time is None and raw_value.startswith("9999-"):
        # Its zone may carry it beyond the last year there is.
        return read_timestamp(f"9995{raw_value[4:]}") is not None
    return time is not None and (
        time == _EPOCH or time.year == 9999 or raw_value.startswith("9999-")
    )


def _from_unix(number: Decimal) -> datetime | None:
    if number < 0:
        return None
    places = next((places for limit, places in _UNIX_UNITS if number < limit), -3)
    try:
        # Shifted exactly: arithmetic of the default context would round at 28 digits.
        return _EPOCH + timedelta(microseconds=int(number.scaleb(places, _WIDE)))
    except OverflowError:
        return None


def read_rank(raw_value: str) -> int | None:
    """Read a whole number that fits 31 bits; `3.0` and `"3"` count as 3, `3.5` as none.

    Example:
        >>> read_rank(NOT_TEXT + "3.0"), read_rank("3"), read_rank("3.5")
        (3, 3, None)
    """
    number = _read_number(raw_value)
    if number is None or not 0 <= number <= MAX_RANK or number != number.to_integral_value():
        return None
    return int(number)


def read_dwell(raw_value: str) -> Decimal | None:
    """Read a number from 0 to below 1e15, rounded half up to six digits.

    The range is checked here, since rounding may carry a number over either end of it.

    Example:
        >>> read_dwell(NOT_TEXT + "0.0000005")
        Decimal('0.000001')
    """
    number = _read_number(raw_value)
    if number is None or not 0 <= number < MAX_DWELL_MS:
        return None
    return number.quantize(_MILLIONTH, context=_WIDE)


def read_string(raw_value: str) -> str | None:
    """Read a text; a JSON integer becomes its exact decimal digits, all else None.

    Example:
        >>> read_string(NOT_TEXT + "9007199254740993"), read_string(NOT_TEXT + "1.0")
        ('9007199254740993', None)
    """
    text = text_of(raw_value)
    if text is not None:
        return text
    digits = raw_value[1:]
    is_integer = _JSON_INTEGER.fullmatch(digits) is not None
    return digits.replace("-0", "0", digits == "-0") if is_integer else None


def read_item_ids(raw_value: str, *, is_text_format: bool = False) -> tuple[list[str], bool] | None:
    """Read an array of texts.

    Args:
        raw_value: a JSON array, or a text that holds one.
        is_text_format: whether the record came from CSV, where arrays are text by nature.

    Returns:
        The texts and whether the array was coerced from text, or one of them from an integer; None
        where an element is absent, blank or of another type.
    """
    text = text_of(raw_value)
    source = raw_value[1:] if text is None else text.strip(_JSON_SPACE)
    if not source.startswith("["):
        return None
    try:
        elements = json.loads(source, parse_int=_Digits, parse_float=float)
    except (ValueError, RecursionError):
        return None
    texts = []
    for element in elements:
        if not isinstance(element, str) or is_blank(element) or _UNSTORABLE.search(element):
            return None
        texts.append("0" if element == "-0" and isinstance(element, _Digits) else str(element))
    is_coerced = text is not None and not is_text_format
    return texts, is_coerced or any(isinstance(element, _Digits) for element in elements)


class _Digits(str):
    """The digits of a JSON integer."""

    __slots__ = ()


def _read_number(raw_value: str) -> Decimal | None:
    text = text_of(raw_value)
    if text is None:
        return _read_decimal(raw_value[1:])
    is_plain = _PLAIN_NUMBER.fullmatch(text) is not None and len(text) <= _MAX_DIGITS
    return Decimal(text) if is_plain else None


def _read_decimal(text: str) -> Decimal | None:
    """Read a JSON number exactly; None where it is not a number or absurdly long."""
    if len(text) > _MAX_DIGITS or not _JSON_NUMBER.fullmatch(text):
        return None
    number = Decimal(text)
    if number == 0:
        return Decimal(0)
    # Without these bounds 1e9999 would be written out digit by digit.
    if number.adjusted() >= 30:
        return Decimal(10**30).copy_sign(number)
    return number if number.adjusted() > -30 else Decimal("1e-30").copy_sign(number)


def utc_now() -> datetime:
    """This moment, UTC without zone."""
    return datetime.now(UTC).replace(tzinfo=None)
