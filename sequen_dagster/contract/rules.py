"""Contract: the rules as one Pandera schema, built from the table of fields.

Every rule is a named check on the field it is about; the name is the rule code. Validation runs on
Pandera's polars backend, eagerly: on a LazyFrame it would check types only, and report no bad row.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Final

import pandera.polars as pa
import polars as pl

from sequen_dagster.contract.convert import (
    ABSENT,
    GIVEN,
    PLACEHOLDER,
    TYPE_OF_KIND,
    UNREADABLE,
    ZERO_TIME,
    state_of,
)
from sequen_dagster.contract.scalars import MAX_DWELL_MS, MAX_RANK
from sequen_dagster.fields import FIELDS, IDENTITY_FIELDS, Field, Kind

MIN_TIMESTAMP: Final = datetime(2000, 1, 1)
MAX_AHEAD_HOURS: Final = 24


@cache
def event_schema() -> pa.DataFrameSchema:
    """Build the Pandera schema of converted events: types, ranges, mandatory fields.

    It expects the columns that `convert` gives, state columns included, and `received_at`.

    Example:
        >>> [check.name for check in event_schema().columns["rank"].checks]
        ['invalid_rank', 'missing_rank']
    """
    columns = {
        field.name: pa.Column(
            TYPE_OF_KIND[field.kind], checks=_build_checks(field), nullable=True, required=True
        )
        for field in FIELDS
    }
    return pa.DataFrameSchema(columns, strict=False, coerce=False, name="event")


def _build_checks(field: Field) -> list[pa.Check]:
    checks = [_build_check(f"invalid_{field.name}", _is_valid(field))]
    if field.name == IDENTITY_FIELDS[0]:
        anybody = pl.any_horizontal(_is_present(name) for name in IDENTITY_FIELDS)
        checks.append(_build_check("missing_identity", anybody))
    if field.mandatory:
        checks.append(_build_check(f"missing_{field.name}", _is_present(field.name)))
    elif field.mandatory_for:
        is_demanded = (pl.col(state_of("type")) == GIVEN) & pl.col("type").is_in(
            field.mandatory_for
        )
        checks.append(_build_check(f"missing_{field.name}", ~is_demanded | _is_present(field.name)))
    return checks


def _build_check(rule: str, is_kept: pl.Expr) -> pa.Check:
    def keeps(data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(is_kept.fill_null(False).alias(rule))

    # ignore_na would let every null pass, and with it every missing field.
    return pa.Check(keeps, name=rule, error=rule, ignore_na=False)


def _is_present(name: str) -> pl.Expr:
    return ~pl.col(state_of(name)).is_in([ABSENT, PLACEHOLDER, ZERO_TIME])


def _is_valid(field: Field) -> pl.Expr:
    is_readable = pl.col(state_of(field.name)) != UNREADABLE
    is_in_range = _RANGES.get(field.kind)
    if is_in_range is None:
        return is_readable
    value = pl.col(field.name)
    return is_readable & (value.is_null() | is_in_range(value))


def is_plausible_time(value: pl.Expr) -> pl.Expr:
    """Whether a time is one at which an event may have happened, by the column `received_at`."""
    latest = pl.col("received_at") + pl.duration(hours=MAX_AHEAD_HOURS)
    return (value >= pl.lit(MIN_TIMESTAMP, dtype=pl.Datetime("us"))) & (value <= latest)


_RANGES: Final[dict[Kind, Callable[[pl.Expr], pl.Expr]]] = {
    "timestamp": is_plausible_time,
    "rank": lambda value: value.is_between(0, MAX_RANK),
    "dwell": lambda value: value.is_between(0, MAX_DWELL_MS),
}
