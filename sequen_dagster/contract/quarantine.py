"""Contract: quarantined rows: records that break rules, and records that cannot be read.

In: converted columns with the rules that each row breaks, or unreadable records. Out: rows in the
columns of `QUARANTINED_SCHEMA`, and counts of their rules.
"""

from collections import Counter

import polars as pl

from sequen_dagster.contract.codes import rule_fields
from sequen_dagster.contract.convert import MICROS
from sequen_dagster.contract.origin import Origin
from sequen_dagster.contract.row_schemas import QUARANTINED_SCHEMA
from sequen_dagster.contract.warnings import NO_TYPE, Counts
from sequen_dagster.exports.records import Unreadable


def quarantine_rows(
    converted: pl.DataFrame, rules: pl.DataFrame, texts: list[bytes]
) -> pl.DataFrame:
    """Make quarantined rows of records that break rules.

    Args:
        converted: the columns from `convert`, all records of a chunk.
        rules: `row` and `rules` of each record that breaks any.
        texts: the bytes of these records.
    """
    rows = converted[rules["row"].to_list()].select(
        "source", "source_file", "type", "source_line", "source_item", "received_at"
    )
    raws = [Unreadable.of("", text, line=0) for text in texts]
    return rows.with_columns(rules["rules"], *_raw_columns(raws)).pipe(_with_fields)


def quarantine_unreadable(unreadable: list[Unreadable], origin: Origin) -> pl.DataFrame:
    """Make quarantined rows of records that cannot be read."""
    return (
        pl.DataFrame(
            {
                "source_line": [one.line for one in unreadable],
                "source_item": [one.item for one in unreadable],
                "rules": [[one.rule] for one in unreadable],
            },
            schema_overrides={"rules": pl.List(pl.String)},
        )
        .with_columns(
            pl.lit(origin.source).alias("source"),
            pl.lit(origin.source_file).alias("source_file"),
            pl.lit(origin.received_at, dtype=MICROS).alias("received_at"),
            pl.lit(None, dtype=pl.String).alias("type"),
            *_raw_columns(unreadable),
        )
        .pipe(_with_fields)
    )


def count_errors(quarantined: pl.DataFrame) -> Counts:
    """Count quarantined rows by (event type, rule code)."""
    counted = (
        quarantined.select(pl.col("type").fill_null(NO_TYPE), "rules")
        .explode("rules")
        .group_by("type", "rules")
        .len()
    )
    return Counter({(event_type, rule): count for event_type, rule, count in counted.iter_rows()})


def _raw_columns(raws: list[Unreadable]) -> list[pl.Series]:
    return [
        pl.Series("raw", [one.raw.decode("utf-8", "backslashreplace") for one in raws], pl.String),
        pl.Series("raw_sha256", [one.raw_sha256 for one in raws], pl.String),
        pl.Series("raw_bytes", [one.raw_bytes for one in raws], pl.Int64),
    ]


def _with_fields(rows: pl.DataFrame) -> pl.DataFrame:
    fields = [
        list(dict.fromkeys(name for rule in rules for name in rule_fields(rule)))
        for rules in rows["rules"]
    ]
    return rows.with_columns(pl.Series("fields", fields, dtype=pl.List(pl.String))).select(
        pl.col(name).cast(dtype) for name, dtype in QUARANTINED_SCHEMA.items()
    )
