"""Contract, second step: columns of cells become typed columns, and what happened to each value.

Common forms are converted by the engine, a column at a time; the rest by `scalars`, one distinct
cell at a time. Every field gets a state column, so that absent and unreadable stay apart.
"""

from collections.abc import Callable
from typing import Any, Final

import polars as pl

from sequen_dagster.contract import scalars
from sequen_dagster.contract.parse import PLACEHOLDERS
from sequen_dagster.fields import FIELDS, Kind

ABSENT: Final = 0
GIVEN: Final = 1
COERCED: Final = 2
UNREADABLE: Final = 3
PLACEHOLDER: Final = 4

MICROS: Final = pl.Datetime("us")
DWELL: Final = pl.Decimal(38, 6)
TYPE_OF_KIND: Final[dict[Kind, pl.DataType]] = {
    "string": pl.String(),
    "type": pl.String(),
    "identity": pl.String(),
    "timestamp": MICROS,
    "rank": pl.Int64(),
    "dwell": DWELL,
    "item_ids": pl.List(pl.String),
}

_ISO: Final = r'^"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]'
_ISO_UTC: Final = _ISO + r'(\.[0-9]+)?(Z|z| UTC)?"$'
_ISO_OFFSET: Final = _ISO + r'(\.[0-9]+)?[+-]([01][0-9]|2[0-3]):?[0-5][0-9]"$'
_UNIX: Final = r'^"?[0-9]{9,18}"?$'
_SMALL_INTEGER: Final = r'^"?[0-9]{1,17}"?$'
_SMALL_DECIMAL: Final = r'^"?[0-9]{1,17}(\.[0-9]{1,6})?"?$'
_INTEGER: Final = r"^-?[0-9]+$"


def state_of(field: str) -> str:
    """Name of the column that says what happened to a field.

    Example:
        >>> state_of("rank")
        'rank__state'
    """
    return f"{field}__state"


def convert(cells: pl.DataFrame, *, is_text_format: bool = False) -> pl.DataFrame:
    """Convert the reserved fields.

    Args:
        cells: one text column a reserved field (see `parse`); other columns pass through.
        is_text_format: whether the records came from CSV, where numbers are text by nature.

    Returns:
        The typed columns under their own names, a state column each, and all other columns.
    """
    columns: list[pl.Series] = []
    for field in FIELDS:
        column = cells[field.name]
        if column.null_count() == len(column):
            columns += _nothing(field.name, field.kind, len(column))
            continue
        values, state = _converter(field.kind, is_text_format)(column)
        columns += [values.alias(field.name), state.alias(state_of(field.name))]
    return cells.with_columns(columns)


Converted = tuple[pl.Series, pl.Series]


def _nothing(name: str, kind: Kind, height: int) -> list[pl.Series]:
    return [
        pl.Series(name, [None], dtype=TYPE_OF_KIND[kind]).new_from_index(0, height),
        pl.Series(state_of(name), [ABSENT], dtype=pl.UInt8).new_from_index(0, height),
    ]


def _converter(kind: Kind, is_text_format: bool) -> Callable[[pl.Series], Converted]:
    match kind:
        case "timestamp":
            return _timestamps
        case "rank":
            return lambda cells: _numbers(cells, is_text_format, _SMALL_INTEGER, scalars.rank)
        case "dwell":
            return lambda cells: _numbers(cells, is_text_format, _SMALL_DECIMAL, scalars.dwell)
        case "item_ids":
            return lambda cells: _arrays(cells, is_text_format)
        case _:
            return lambda cells: _strings(cells, kind)


def _strings(cells: pl.Series, kind: Kind) -> Converted:
    cell = pl.col("cell")
    body = _body(cell)
    is_text = cell.str.starts_with('"')
    is_integer = cell.str.contains(_INTEGER) if kind != "type" else pl.lit(False)
    is_placeholder = (
        is_text & body.str.to_lowercase().is_in(sorted(PLACEHOLDERS))
        if kind == "identity"
        else pl.lit(False)
    )
    is_absent = _is_absent(cell)
    digits = pl.when(cell == "-0").then(pl.lit("0")).otherwise(cell)
    return _evaluated(
        cells,
        value=pl.when(is_absent | is_placeholder)
        .then(None)
        .when(is_text)
        .then(body)
        .when(is_integer)
        .then(digits),
        state=pl.when(is_absent)
        .then(ABSENT)
        .when(is_placeholder)
        .then(PLACEHOLDER)
        .when(is_text)
        .then(GIVEN)
        .when(is_integer)
        .then(COERCED)
        .otherwise(UNREADABLE),
    )


def _timestamps(cells: pl.Series) -> Converted:
    cell = pl.col("cell")
    is_utc = cell.str.contains(_ISO_UTC)
    is_offset = cell.str.contains(_ISO_OFFSET)
    is_unix = cell.str.contains(_UNIX)
    values = cells.to_frame("cell").select(
        pl.when(is_utc)
        .then(_iso(cell))
        .when(is_offset)
        .then(_iso(cell) - _offset(cell))
        .when(is_unix)
        .then(_unix(_body(cell)))
        .alias("value"),
        (is_utc | is_offset | is_unix | _is_absent(cell)).alias("is_done"),
    )
    value = _with_scalars(cells, values["value"], values["is_done"], scalars.timestamp)
    return value, _states(cells, value, pl.lit(False))


def _iso(cell: pl.Expr) -> pl.Expr:
    # Cut to where a double cannot come in: date, time of day and fraction are read as integers.
    seconds = pl.concat_str(cell.str.slice(1, 10), cell.str.slice(12, 8)).str.strptime(
        MICROS, "%Y-%m-%d%H:%M:%S", strict=False
    )
    fraction = cell.str.extract(r"\.([0-9]{1,6})").str.pad_end(6, "0").cast(pl.Int64, strict=False)
    return seconds + pl.duration(microseconds=fraction.fill_null(0))


def _offset(cell: pl.Expr) -> pl.Expr:
    digits = cell.str.extract(r'[+-]([0-9]{2}:?[0-9]{2})"$').str.replace(":", "", literal=True)
    hours = digits.str.slice(0, 2).cast(pl.Int64, strict=False)
    minutes = digits.str.slice(2, 2).cast(pl.Int64, strict=False)
    is_west = cell.str.contains(r'-[0-9]{2}:?[0-9]{2}"$')
    minutes_east = (hours * 60 + minutes) * pl.when(is_west).then(-1).otherwise(1)
    return pl.duration(minutes=minutes_east)


def _unix(digits: pl.Expr) -> pl.Expr:
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


def _numbers(
    cells: pl.Series, is_text_format: bool, form: str, scalar: Callable[[str], Any]
) -> Converted:
    # Any: a rank is an int, a dwell time a Decimal.
    cell = pl.col("cell")
    dtype = pl.Int64() if scalar is scalars.rank else DWELL
    values = cells.to_frame("cell").select(
        pl.when(cell.str.contains(form))
        .then(_body(cell))
        .cast(dtype, strict=False)
        .alias("value"),
        (cell.str.contains(form) | _is_absent(cell)).alias("is_done"),
    )
    value = _with_scalars(cells, values["value"], values["is_done"], scalar)
    is_text = cell.str.starts_with('"') & pl.lit(not is_text_format)
    is_odd_integer = cell.str.contains(r"[.eE]") if scalar is scalars.rank else pl.lit(False)
    return value, _states(cells, value, is_text | (is_odd_integer & pl.lit(not is_text_format)))


def _arrays(cells: pl.Series, is_text_format: bool) -> Converted:
    texts: list[list[str] | None] = []
    states: list[int] = []
    absent = cells.to_frame("cell").select(_is_absent(pl.col("cell")))["cell"]
    for cell, is_absent in zip(cells, absent, strict=True):
        found = None if is_absent else scalars.item_ids(cell, is_text_format=is_text_format)
        if found is None:
            texts.append(None)
            states.append(ABSENT if is_absent else UNREADABLE)
        elif not found[0]:
            texts.append(None)
            states.append(ABSENT)
        else:
            texts.append(found[0])
            states.append(COERCED if found[1] else GIVEN)
    return (
        pl.Series(texts, dtype=pl.List(pl.String)),
        pl.Series(states, dtype=pl.UInt8),
    )


def _body(cell: pl.Expr) -> pl.Expr:
    return cell.str.strip_prefix('"').str.strip_suffix('"')


def _is_absent(cell: pl.Expr) -> pl.Expr:
    # strip_chars() strips the White_Space property of Unicode, which is what blank means.
    is_blank = cell.str.starts_with('"') & (_body(cell).str.strip_chars() == "")
    return cell.is_null() | cell.is_in(["null", "[]"]) | is_blank


def _evaluated(cells: pl.Series, *, value: pl.Expr, state: pl.Expr) -> Converted:
    both = cells.to_frame("cell").select(
        value.alias("value"), state.cast(pl.UInt8).alias("state")
    )
    return both["value"], both["state"]


def _states(cells: pl.Series, value: pl.Series, is_coerced: pl.Expr) -> pl.Series:
    frame = pl.DataFrame({"cell": cells, "value": value})
    return frame.select(
        pl.when(_is_absent(pl.col("cell")))
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
    cells: pl.Series, values: pl.Series, is_done: pl.Series, scalar: Callable[[str], Any]
) -> pl.Series:
    """Convert what the engine left, each distinct cell once."""
    rest = cells.filter(~is_done)
    if rest.is_empty():
        return values
    distinct = rest.unique()
    found = pl.Series([scalar(cell) for cell in distinct], dtype=values.dtype, strict=False)
    table = pl.DataFrame({"cell": distinct, "found": found})
    frame = pl.DataFrame({"cell": cells, "value": values, "is_done": is_done})
    joined = frame.join(table, on="cell", how="left", maintain_order="left")
    return joined.select(
        pl.when("is_done").then("value").otherwise("found").alias("value")
    )["value"]
