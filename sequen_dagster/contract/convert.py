"""Contract, second step: columns of raw values become typed columns, with a state each.

Common forms are converted by the engine, a column at a time; the rest by `scalars`, one distinct
raw value at a time. Every field gets a state column, so that absent and unreadable stay apart.
"""

from collections.abc import Callable
from datetime import datetime
from types import NoneType
from typing import Any, Final

import msgspec
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from sequen_dagster.contract import scalars
from sequen_dagster.contract.placeholders import DEFAULT, Placeholders
from sequen_dagster.contract.scalars import NOT_TEXT, UNCONVERTIBLE
from sequen_dagster.fields import FIELDS, Field, Kind

ABSENT: Final = 0
GIVEN: Final = 1
COERCED: Final = 2
UNREADABLE: Final = 3
PLACEHOLDER: Final = 4
ZERO_TIME: Final = 5
# State column of `item_ids`: whether words that mean none were left out of it.
LEFT_OUT: Final = "item_ids__left_out"

MICROS: Final = pl.Datetime("us")
DWELL: Final = pl.Decimal(38, 6)
TYPE_OF_KIND: Final[dict[Kind, pl.DataType]] = {
    "string": pl.String(),
    "type": pl.String(),
    "id": pl.String(),
    "identity": pl.String(),
    "timestamp": MICROS,
    "rank": pl.Int64(),
    "dwell": DWELL,
    "item_ids": pl.List(pl.String),
}

_DAY: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME: Final = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
# What Arrow reads, and reads as we do. Its fractions have at most six digits.
_PLAIN_TIME: Final = (
    r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[T ]"
    r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
_ZONE_NAME: Final = r"\[[^\[\]]+\]"
_LOOSE_UTC: Final = f"{_DAY}[Tt ]{_TIME}(Z|z| UTC|Z{_ZONE_NAME})?$"
_OFFSET: Final = f"{_DAY}[Tt ]{_TIME} ?[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?( UTC|{_ZONE_NAME})?$"
_UNIX: Final = "^\0?[0-9]{9,18}$"
_SMALL_INTEGER: Final = "^\0?[0-9]{1,17}$"
_SMALL_DECIMAL: Final = "^\0?[0-9]{1,15}(\\.[0-9]{1,6})?$"
_INTEGER: Final = "^\0-?[0-9]+$"
# Between these no time is a zero time.
_FIRST_USUAL: Final = datetime(1970, 1, 1, microsecond=1)
_LAST_USUAL: Final = datetime(9998, 12, 30)
_ABSENT_RAW_VALUES: Final = (NOT_TEXT + "null", NOT_TEXT + "[]")

_NO_TEXT: Final = pl.Series([None], dtype=pl.String)
_ARROW_UTC: Final = pa.timestamp("us", "UTC")
_ARROW_MICROS: Final = pa.timestamp("us")

_encode = msgspec.json.Encoder().encode
Converted = tuple[pl.Series, pl.Series]


def state_of(field: str) -> str:
    """Name of the state column of a field.

    Example:
        >>> state_of("rank")
        'rank__state'
    """
    return f"{field}__state"


def to_raw_values(values: list[Any]) -> pl.Series:
    """Turn the values of a field into raw values (see `scalars`), null where there is none.

    Args:
        values: parsed JSON.

    Returns:
        A text column.
    """
    # Any: parsed JSON. Columns of one type, the usual case, are not walked through in Python.
    kinds = set(map(type, values)) - {NoneType}
    if kinds == {int}:
        try:
            return NOT_TEXT + pl.Series(values, dtype=pl.Int64).cast(pl.String)
        except (OverflowError, TypeError):
            pass  # more than 64 bits
    if kinds <= {str}:
        texts = pl.Series(values, dtype=pl.String)
        if not texts.str.contains(NOT_TEXT, literal=True).any():
            return texts
    # Most records lack most fields: not even a call is made for them.
    return pl.Series(
        [None if value is None else _to_raw_value(value) for value in values], dtype=pl.String
    )


def _to_raw_value(value: Any) -> str:
    if isinstance(value, str):
        return UNCONVERTIBLE if NOT_TEXT in value else value
    return NOT_TEXT + _encode(value).decode()


def convert(
    columns: pl.DataFrame,
    placeholders: Placeholders = DEFAULT,
    *,
    is_text_format: bool = False,
) -> pl.DataFrame:
    """Convert the reserved fields.

    Args:
        columns: a column of raw values for each reserved field; other columns pass through.
        placeholders: words that mean none in the fields that hold ids.
        is_text_format: whether the records came from CSV, where numbers are text by nature.

    Returns:
        The typed columns under their own names, a state column each, `LEFT_OUT`, and all other
        columns.
    """
    converted: list[pl.Series] = []
    for field in FIELDS:
        column = columns[field.name]
        if column.null_count() == len(column):
            converted += _absent_columns(field, len(column))
            continue
        convert_column = _converter_of(field, placeholders, is_text_format)
        values, state, *more = convert_column(column)
        converted += [values.alias(field.name), state.alias(state_of(field.name)), *more]
    return columns.with_columns(converted)


def _absent_columns(field: Field, height: int) -> list[pl.Series]:
    nothing = [
        pl.Series(field.name, [None], dtype=TYPE_OF_KIND[field.kind]),
        pl.Series(state_of(field.name), [ABSENT], dtype=pl.UInt8),
    ]
    if field.kind == "item_ids":
        nothing.append(pl.Series(LEFT_OUT, [False]))
    return [column.new_from_index(0, height) for column in nothing]


def _converter_of(
    field: Field, placeholders: Placeholders, is_text_format: bool
) -> Callable[[pl.Series], tuple[pl.Series, ...]]:
    match field.kind:
        case "timestamp":
            return lambda column: _convert_timestamps(column, is_optional=not field.mandatory)
        case "rank":
            return lambda column: _convert_numbers(
                column, is_text_format, _SMALL_INTEGER, scalars.read_rank
            )
        case "dwell":
            return lambda column: _convert_numbers(
                column, is_text_format, _SMALL_DECIMAL, scalars.read_dwell
            )
        case "item_ids":
            return lambda column: _convert_arrays(column, placeholders, is_text_format)
        case kind:
            return lambda column: _convert_strings(column, kind, placeholders)


def _convert_strings(column: pl.Series, kind: Kind, placeholders: Placeholders) -> Converted:
    raw_value = pl.col("raw_value")
    is_absent = _is_absent(column)
    has_others = bool(column.str.starts_with(NOT_TEXT).any())
    is_placeholder = placeholders.among(raw_value, kind, has_others=has_others)
    state = pl.lit(GIVEN)
    if has_others:
        is_not_text = raw_value.str.starts_with(NOT_TEXT)
        is_integer = raw_value.str.contains(_INTEGER) if kind != "type" else pl.lit(False)
        state = (
            pl.when(~is_not_text).then(GIVEN).when(is_integer).then(COERCED).otherwise(UNREADABLE)
        )
    frame = column.to_frame("raw_value")
    states = frame.select(
        pl.when(is_absent)
        .then(ABSENT)
        .when(is_placeholder)
        .then(PLACEHOLDER)
        .otherwise(state)
        .cast(pl.UInt8)
    ).to_series()
    # Texts are copied only where one of them is not as it was.
    if has_others:
        digits = raw_value.str.slice(1).replace("-0", "0")
        text = pl.when(states == COERCED).then(digits).when(states == GIVEN).then(raw_value)
        return frame.select(text).to_series(), states
    is_other = (states != GIVEN) & column.is_not_null()
    return column.set(is_other, None) if is_other.any() else column, states


def _convert_timestamps(column: pl.Series, *, is_optional: bool) -> Converted:
    is_plain = column.str.contains(_PLAIN_TIME).fill_null(False)
    value = _cast_times(column, is_plain)
    is_left = ~is_plain & ~_are_absent(column)
    if is_left.any():
        left = is_left.arg_true()
        value = value.scatter(left, _convert_odd_times(column.gather(left)))
    # The engine knows more years than Python, and Pandera reports in Python's datetimes.
    value = value.set(~value.is_between(datetime.min, datetime.max), None)
    state = _states_of(column, value, pl.lit(False))
    return _without_zero_times(column, value, state) if is_optional else (value, state)


def _cast_times(column: pl.Series, is_plain: pl.Series) -> pl.Series:
    """Convert the plain times of a column at the speed of Arrow, which reads their form alike."""
    plain = column if is_plain.all() else column.zip_with(is_plain, _NO_TEXT)
    try:
        times = pc.cast(plain.to_arrow(), _ARROW_UTC)
    except pa.ArrowInvalid:
        # There is a day that is not in the calendar.
        is_day = plain.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False).is_not_null()
        times = pc.cast(plain.zip_with(is_day, _NO_TEXT).to_arrow(), _ARROW_UTC)
    return pl.Series(times.cast(_ARROW_MICROS))


def _convert_odd_times(column: pl.Series) -> pl.Series:
    """Convert times that are not plain, those of common forms by the engine."""
    raw_value = pl.col("raw_value")
    is_utc = raw_value.str.contains(_LOOSE_UTC)
    is_offset = raw_value.str.contains(_OFFSET)
    is_unix = raw_value.str.contains(_UNIX)
    values = column.to_frame("raw_value").select(
        pl.when(is_utc)
        .then(_iso_time(raw_value))
        .when(is_offset)
        .then(_iso_time(raw_value) - _zone_offset(raw_value))
        .when(is_unix)
        .then(_unix_time(_strip_marker(raw_value)))
        .alias("value"),
        is_done=is_utc | is_offset | is_unix,
    )
    return _with_scalars(column, values["value"], values["is_done"], scalars.read_timestamp)


def _without_zero_times(column: pl.Series, value: pl.Series, state: pl.Series) -> Converted:
    # Only few times are of a year in which a zero time may be; only those are examined.
    is_usual = value.is_between(_FIRST_USUAL, _LAST_USUAL).fill_null(False)
    candidates = column.filter(~is_usual & (state != ABSENT)).unique()
    zeros = [raw_value for raw_value in candidates if scalars.is_zero_time(raw_value)]
    if not zeros:
        return value, state
    is_zero = column.is_in(zeros).fill_null(False)
    return value.set(is_zero, None), state.set(is_zero, ZERO_TIME)


def _iso_time(raw_value: pl.Expr) -> pl.Expr:
    # Cut to where a double cannot come in: date, time of day and fraction are read as integers.
    seconds = pl.concat_str(raw_value.str.slice(0, 10), raw_value.str.slice(11, 8)).str.strptime(
        MICROS, "%Y-%m-%d%H:%M:%S", strict=False
    )
    # Anchored, since the name of a zone may hold anything.
    digits = raw_value.str.extract(r"^[^.\[]*\.([0-9]{1,6})")
    fraction = digits.str.pad_end(6, "0").cast(pl.Int64, strict=False)
    return seconds + pl.duration(microseconds=fraction.fill_null(0))


def _zone_offset(raw_value: pl.Expr) -> pl.Expr:
    # The first `+` or `-` after the date: the name of a zone may hold another.
    zone = raw_value.str.slice(19).str.extract_groups(r"([+-])([0-9]{2}):?([0-9]{2})?")
    sign, hours, minutes = (zone.struct.field(name) for name in "123")
    minutes_east = hours.cast(pl.Int64) * 60 + minutes.fill_null("0").cast(pl.Int64)
    return pl.duration(minutes=minutes_east * pl.when(sign == "-").then(-1).otherwise(1))


def _unix_time(digits: pl.Expr) -> pl.Expr:
    number = digits.cast(pl.Int64, strict=False)
    micros = (
        pl.when(number < 10**11)
        .then(number * 1_000_000)
        .when(number < 10**14)
        .then(number * 1_000)
        .when(number < 10**17)
        .then(number)
        .otherwise(number // 1_000)
    )
    return micros.cast(MICROS)


def _convert_numbers(
    column: pl.Series, is_text_format: bool, form: str, read: Callable[[str], Any]
) -> Converted:
    # Any: a rank is an int, a dwell time a Decimal.
    raw_value = pl.col("raw_value")
    dtype = pl.Int64() if read is scalars.read_rank else DWELL
    values = column.to_frame("raw_value").select(
        pl.when(raw_value.str.contains(form))
        .then(_strip_marker(raw_value))
        .cast(dtype, strict=False)
        .alias("value"),
        is_done=raw_value.str.contains(form) | _is_absent(column),
    )
    value = _with_scalars(column, values["value"], values["is_done"], read)
    if read is scalars.read_rank:
        value = value.set(value > scalars.MAX_RANK, None)
    is_coerced = pl.lit(False)
    if not is_text_format:
        is_coerced = ~raw_value.str.starts_with(NOT_TEXT)
        if read is scalars.read_rank:
            is_coerced |= raw_value.str.contains("[.eE]")
    return value, _states_of(column, value, is_coerced)


def _convert_arrays(
    column: pl.Series, placeholders: Placeholders, is_text_format: bool
) -> tuple[pl.Series, pl.Series, pl.Series]:
    words = placeholders.of_kind("item_ids")
    texts: list[list[str] | None] = []
    states: list[int] = []
    left_out: list[bool] = []
    for raw_value, is_absent in zip(column, _are_absent(column), strict=True):
        found = (
            None if is_absent else scalars.read_item_ids(raw_value, is_text_format=is_text_format)
        )
        if found is None:
            texts.append(None)
            states.append(ABSENT if is_absent else UNREADABLE)
            left_out.append(False)
            continue
        kept = [text for text in found[0] if text.lower() not in words]
        texts.append(kept or None)
        left_out.append(len(kept) < len(found[0]))
        states.append((COERCED if found[1] else GIVEN) if kept else ABSENT)
    return (
        pl.Series(texts, dtype=pl.List(pl.String)),
        pl.Series(states, dtype=pl.UInt8),
        pl.Series(LEFT_OUT, left_out, dtype=pl.Boolean),
    )


def _strip_marker(raw_value: pl.Expr) -> pl.Expr:
    return raw_value.str.strip_prefix(NOT_TEXT)


def _is_absent(column: pl.Series) -> pl.Expr:
    """Whether the raw values of a column, as `raw_value`, are absent."""
    raw_value = pl.col("raw_value")
    # White space and values that are not text sort below or beyond; most columns have neither.
    if not ((column < "!") | (column > "~")).any():
        return raw_value.is_null()
    # strip_chars() strips the White_Space property of Unicode, which is what blank means.
    is_blank = raw_value.str.strip_chars() == ""
    return raw_value.is_null() | raw_value.is_in(_ABSENT_RAW_VALUES) | is_blank


def _are_absent(column: pl.Series) -> pl.Series:
    """Whether the raw values of a column are absent, as a column."""
    return column.to_frame("raw_value").select(_is_absent(column)).to_series()


def _states_of(column: pl.Series, value: pl.Series, is_coerced: pl.Expr) -> pl.Series:
    return pl.DataFrame({"raw_value": column, "value": value}).select(
        pl.when(_is_absent(column))
        .then(ABSENT)
        .when(pl.col("value").is_null())
        .then(UNREADABLE)
        .when(is_coerced)
        .then(COERCED)
        .otherwise(GIVEN)
        .cast(pl.UInt8)
        .alias("state")
    )["state"]


def _with_scalars(
    column: pl.Series, values: pl.Series, is_done: pl.Series, read: Callable[[str], Any]
) -> pl.Series:
    """Convert the rest by `scalars`, each distinct raw value once."""
    rest = column.filter(~is_done)
    if rest.is_empty():
        return values
    distinct = rest.unique()
    found = pl.Series([read(raw_value) for raw_value in distinct], dtype=values.dtype, strict=False)
    table = pl.DataFrame({"raw_value": distinct, "found": found})
    frame = pl.DataFrame({"raw_value": column, "value": values, "is_done": is_done})
    joined = frame.join(table, on="raw_value", how="left", maintain_order="left")
    chosen = pl.when("is_done").then("value").otherwise("found")
    return joined.select(chosen.alias("value"))["value"]
