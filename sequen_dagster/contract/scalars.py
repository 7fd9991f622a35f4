"""Contract: the one definition of how a cell becomes a value, field kind by field kind.

`convert` does the same for whole columns in the engine where a cell has a common form, and calls
these for the rest; a property test holds the two together.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Final

from sequen_dagster.contract.shapes import is_blank

_DATE_TIME: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?)?"
    r"(Z|z| UTC|([+-])([0-9]{2}):?([0-9]{2}))?"
)
_PLAIN_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_JSON_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?")
_JSON_INTEGER: Final = re.compile(r"-?[0-9]+")
_EPOCH: Final = datetime(1970, 1, 1)
_WIDE: Final = Context(prec=400, rounding=ROUND_HALF_UP)
_MILLIONTH: Final = Decimal("0.000001")
# Enough for every value in range; beyond it exact arithmetic would only cost time.
_MAX_DIGITS: Final = 300


def text_of(cell: str) -> str | None:
    """The text of a string cell, or None where the cell holds something else."""
    return cell[1:-1] if cell[0] == '"' else None


def timestamp(cell: str) -> datetime | None:
    """Read a point in time, as UTC without zone, fractions beyond microseconds cut.

    Args:
        cell: a cell with an ISO date-time of the narrow form of the contract, or unix seconds,
            milliseconds, microseconds or nanoseconds, told apart by magnitude.

    Returns:
        The time, or None where the cell is nothing of that.

    Example:
        >>> timestamp('"2025-07-14T09:15:22.401Z"') == timestamp("1752484522.401")
        True
    """
    text = text_of(cell)
    if text is None:
        number = _decimal(cell)
        return None if number is None else _from_unix(number)
    if _PLAIN_NUMBER.fullmatch(text) and len(text) <= _MAX_DIGITS:
        return _from_unix(Decimal(text))
    parts = _DATE_TIME.fullmatch(text)
    return None if parts is None else _from_parts(parts)


def _from_parts(parts: re.Match[str]) -> datetime | None:
    year, month, day, hour, minute, second = (int(part or 0) for part in parts.groups()[:6])
    fraction = int((parts[7] or "")[:6].ljust(6, "0"))
    try:
        local = datetime(year, month, day, hour, minute, second, fraction)
        if parts[9] is None:
            return local
        offset_hours, offset_minutes = int(parts[10]), int(parts[11])
        if offset_hours > 23 or offset_minutes > 59:
            return None
        offset = timedelta(hours=offset_hours, minutes=offset_minutes)
        return local - offset if parts[9] == "+" else local + offset
    except (ValueError, OverflowError):
        return None


def _from_unix(number: Decimal) -> datetime | None:
    if number < 0:
        return None
    if number < 10**11:
        micros = number * 1_000_000
    elif number < 10**14:
        micros = number * 1_000
    elif number < 10**17:
        micros = number
    else:
        micros = number / 1_000
    try:
        return _EPOCH + timedelta(microseconds=int(micros))
    except OverflowError:
        return None


def rank(cell: str) -> int | None:
    """Read a whole number; `3.0` and `"3"` count as 3, `3.5` as nothing. The range is not checked.

    Example:
        >>> rank("3.0"), rank('"3"'), rank("3.5"), rank("true")
        (3, 3, None, None)
    """
    number = _number(cell)
    if number is None or number != number.to_integral_value() or abs(number) >= 10**18:
        return None
    return int(number)


def dwell(cell: str) -> Decimal | None:
    """Read a number, rounded half up to six digits. The range is not checked, only bounded.

    Example:
        >>> dwell("0.0000005")
        Decimal('0.000001')
    """
    number = _number(cell)
    if number is None or abs(number) >= 10**18:
        return None
    return number.quantize(_MILLIONTH, context=_WIDE)


def is_plain_number(cell: str) -> bool:
    """Whether a cell is a JSON number, as opposed to a number written as text."""
    return cell[0] != '"'


def is_integer(cell: str) -> bool:
    """Whether a cell is a JSON number written as an integer."""
    return _JSON_INTEGER.fullmatch(cell) is not None


def string(cell: str) -> str | None:
    """Read a text; a JSON integer becomes its exact decimal digits, all else is nothing.

    Example:
        >>> string('"a"'), string("9007199254740993"), string("1.0")
        ('a', '9007199254740993', None)
    """
    if is_integer(cell):
        return "0" if cell == "-0" else cell
    return text_of(cell)


def item_ids(cell: str, *, is_text_format: bool = False) -> tuple[list[str], bool] | None:
    """Read an array of texts.

    Args:
        cell: a JSON array; in a text format (CSV) a string that holds one.
        is_text_format: whether the record came from CSV.

    Returns:
        The texts and whether one was coerced from an integer; None where an element is absent,
        blank or of another type.
    """
    text = text_of(cell)
    source = text if text is not None and is_text_format else cell
    if not source.startswith("["):
        return None
    try:
        elements = json.loads(source, parse_int=_Digits, parse_float=float)
    except (ValueError, RecursionError):
        return None
    texts = []
    for element in elements:
        if not isinstance(element, str) or is_blank(element) or "\0" in element:
            return None
        texts.append("0" if element == "-0" and isinstance(element, _Digits) else str(element))
    return texts, any(isinstance(element, _Digits) for element in elements)


class _Digits(str):
    """The digits of a JSON integer."""

    __slots__ = ()


def _number(cell: str) -> Decimal | None:
    text = text_of(cell)
    if text is None:
        return _decimal(cell)
    is_plain = _PLAIN_NUMBER.fullmatch(text) is not None and len(text) <= _MAX_DIGITS
    return Decimal(text) if is_plain else None


def _decimal(cell: str) -> Decimal | None:
    """A JSON number exactly, or None where it is none or absurdly long."""
    if len(cell) > _MAX_DIGITS or not _JSON_NUMBER.fullmatch(cell):
        return None
    number = Decimal(cell)
    # Without this bound 1e9999 would be written out digit by digit.
    return number if number == 0 or -30 < number.adjusted() < 30 else _extreme(number)


def _extreme(number: Decimal) -> Decimal:
    """A stand-in for a number out of every range: 0 for the tiny, 1e30 for the huge."""
    if number.adjusted() < 0:
        return Decimal(0)
    return Decimal(10**30).copy_sign(number)


def utc_now() -> datetime:
    """This moment, UTC without zone."""
    return datetime.now(UTC).replace(tzinfo=None)
