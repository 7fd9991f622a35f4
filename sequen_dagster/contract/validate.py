"""Contract: one gate that every record passes, whatever it came in.

In: records of a file, or a frame. Out: accepted rows in the lake's columns, quarantined rows with
every rule they break, and counts by type. No Dagster here.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Self

import pandas as pd
import polars as pl
import pyarrow as pa
from pandera.errors import SchemaErrors

from sequen_dagster.contract import scalars
from sequen_dagster.contract.convert import DWELL, MICROS, convert, raw_values
from sequen_dagster.contract.identity import IdGenerator
from sequen_dagster.contract.parse import ParsedChunk, Parser
from sequen_dagster.contract.placeholders import DEFAULT, Placeholders
from sequen_dagster.contract.rules import event_schema, field_rules, rule_fields
from sequen_dagster.contract.warnings import NO_TYPE, Counts, count_warnings
from sequen_dagster.errors import SequenError
from sequen_dagster.exports.records import Chunks, Unreadable
from sequen_dagster.exports.tables import Row, chunks_of_rows, rows_of, rows_of_objects
from sequen_dagster.settings import SequenSettings, fingerprint
from sequen_dagster.settings.absence import ANONYMOUS_WORDS, NONE_WORDS

# Raised whenever the same record may be judged differently, so that older batches count as stale.
CONTRACT_VERSION: Final = 2

_Columns = dict[str, pl.DataType | type[pl.DataType]]

_ACCEPTED: Final[_Columns] = {
    "id": pl.String,
    "type": pl.String,
    "uid": pl.String,
    "sid": pl.String,
    "cid": pl.String,
    "rec_id": pl.String,
    "page_view_id": pl.String,
    "module_view_id": pl.String,
    "impression_id": pl.String,
    "item_id": pl.String,
    "item_ids": pl.List(pl.String),
    "item_id_relation": pl.String,
    "page_type": pl.String,
    "click_type": pl.String,
    "conversion_type": pl.String,
    "properties": pl.String,
    "property_shape": pl.String,
    "record_md5": pl.String,
    "source": pl.String,
    "source_file": pl.String,
    "rank": pl.Int32,
    "dwell_ms": DWELL,
    "source_line": pl.Int64,
    "source_item": pl.Int64,
    "original_timestamp": MICROS,
    "server_timestamp": MICROS,
    "ingest_timestamp": MICROS,
    "given_ingest_timestamp": MICROS,
    "received_at": MICROS,
}
_QUARANTINED: Final[_Columns] = {
    "source": pl.String,
    "source_file": pl.String,
    "type": pl.String,
    "rules": pl.List(pl.String),
    "fields": pl.List(pl.String),
    "raw": pl.String,
    "raw_sha256": pl.String,
    "source_line": pl.Int64,
    "source_item": pl.Int64,
    "raw_bytes": pl.Int64,
    "received_at": MICROS,
}
ACCEPTED_SCHEMA: Final = pl.Schema(_ACCEPTED)
QUARANTINED_SCHEMA: Final = pl.Schema(_QUARANTINED)


@dataclass(frozen=True)
class Origin:
    """Where the records of a file come from.

    Attributes:
        source: name of the source.
        source_file: path under the exports place.
        received_at: receipt of the file, UTC without zone.
        is_text_format: whether numbers are text by nature, as in a frame read from CSV; of files
            the reader knows.
    """

    source: str = "default"
    source_file: str = ""
    received_at: datetime = field(default_factory=scalars.utc_now)
    is_text_format: bool = False


@dataclass(frozen=True)
class Split:
    """What the contract made of some records.

    Attributes:
        accepted: rows that honour the contract, in the columns of `ACCEPTED_SCHEMA`.
        quarantined: rows that break it, with `rules` and `fields`.
        errors: records by (event type, rule code); a record counts once for each of its rules.
        warnings: records by (event type, warning code).
    """

    accepted: Any  # a frame of the kind that was given: polars, pandas or Arrow
    quarantined: Any  # likewise
    errors: Counts
    warnings: Counts


class EventContract:
    """The contract of the event document, ready to judge.

    Use `validate` on a frame you have at hand; the lake uses `validate_chunks` on a file.

    Args:
        max_depth: deepest nesting of a record.
        placeholder_ids: words that mean none in every id field, in any case.
        placeholder_identities: words that name no person in `uid`, `sid` and `cid`, in any case.

    Example:
        >>> import polars as pl
        >>> split = EventContract().validate(
        ...     pl.DataFrame({"type": ["click"], "uid": ["u1"], "item_id": ["sku_1"]})
        ... )
        >>> split.quarantined["rules"].to_list()
        [['missing_click_type', 'missing_original_timestamp']]
    """

    def __init__(
        self,
        *,
        max_depth: int = 64,
        placeholder_ids: Iterable[str] = NONE_WORDS,
        placeholder_identities: Iterable[str] = ANONYMOUS_WORDS,
    ) -> None:
        self.max_depth = max_depth
        self.placeholders = Placeholders.of(placeholder_ids, placeholder_identities)

    @classmethod
    def of(cls, settings: SequenSettings) -> Self:
        """The contract by these settings."""
        return cls(
            max_depth=settings.max_depth,
            placeholder_ids=settings.placeholder_ids,
            placeholder_identities=settings.placeholder_identities,
        )

    @property
    def fingerprint(self) -> str:
        """Names this contract: its version, rules and limits (16 hex digits)."""
        return fingerprint(
            {
                "contract_version": CONTRACT_VERSION,
                "max_depth": self.max_depth,
                "placeholder_ids": sorted(self.placeholders.ids),
                "placeholder_identities": sorted(self.placeholders.identities),
                "rules": field_rules(),
            }
        )

    def validate_chunks(self, chunks: Chunks, origin: Origin) -> Iterator[Split]:
        """Judge the records of one file.

        Validation is lazy: every rule that a record breaks is collected, so that a producer can
        mend a file in one go.

        Args:
            chunks: the records, in file order, from the first.
            origin: where they come from.

        Yields:
            One split (of polars frames) a chunk.
        """
        parser = Parser(self.placeholders, max_depth=self.max_depth)
        ids = IdGenerator()
        for chunk in chunks:
            # A text format is told by its reader; for a frame whoever gives it has to know.
            is_text = chunk.is_text_format or origin.is_text_format
            place = replace(origin, is_text_format=is_text)
            converted = _converted(parsed := parser.parse(chunk), place, self.placeholders)
            yield _validate_chunk(parsed, converted, place, ids, chunk.envelope_warnings())

    def validate(
        self, frame: pl.DataFrame | pd.DataFrame | pa.Table, origin: Origin | None = None
    ) -> Split:
        """Judge the rows of a frame by the same gate that files pass.

        Columns are taken by name: reserved fields and aliases are checked, all others are custom
        fields. Nulls and NaN are absent. Rows are numbered from 1 in `source_line`.

        Args:
            frame: a polars or pandas frame or an Arrow table.
            origin: lineage to write on the rows; by default none, received now.

        Returns:
            The rows, split, in frames of the kind that was given.

        Raises:
            TypeError: `frame` is of another kind.
        """
        splits = list(self.validate_chunks(chunks_of_rows(_rows(frame)), origin or Origin()))
        accepted = pl.concat([ACCEPTED_SCHEMA.to_frame(), *(one.accepted for one in splits)])
        quarantined = pl.concat(
            [QUARANTINED_SCHEMA.to_frame(), *(one.quarantined for one in splits)]
        )
        return Split(
            _like(frame, accepted),
            _like(frame, quarantined),
            sum((one.errors for one in splits), Counter()),
            sum((one.warnings for one in splits), Counter()),
        )


def unreadable_file(
    rule: str, size_bytes: int, sha256: str, origin: Origin, message: str = ""
) -> Split:
    """What a file that cannot be read becomes: one quarantined record at line 0.

    None of its text is kept; `raw` holds the message: why it cannot be read, and what to do.
    """
    whole = Unreadable(0, 1, rule, message.encode(), size_bytes, sha256)
    parsed = ParsedChunk(unreadable=[whole])
    converted = _converted(parsed, origin, DEFAULT)
    return _validate_chunk(parsed, converted, origin, IdGenerator(), {})


def _converted(parsed: ParsedChunk, origin: Origin, placeholders: Placeholders) -> pl.DataFrame:
    columns = pl.DataFrame(
        [raw_values(values).alias(name) for name, values in parsed.columns()]
    ).with_columns(
        pl.Series("properties", parsed.properties, dtype=pl.String),
        pl.Series("property_shape", parsed.shapes, dtype=pl.String),
        pl.Series("record_md5", parsed.md5s, dtype=pl.String),
        pl.Series("source_line", parsed.lines, dtype=pl.Int64),
        pl.Series("source_item", parsed.items, dtype=pl.Int64),
        pl.lit(origin.source).alias("source"),
        pl.lit(origin.source_file).alias("source_file"),
        pl.lit(origin.received_at, dtype=MICROS).alias("received_at"),
    )
    return convert(columns, placeholders, is_text_format=origin.is_text_format)


def _validate_chunk(
    parsed: ParsedChunk,
    converted: pl.DataFrame,
    origin: Origin,
    ids: IdGenerator,
    envelope_warnings: dict[str, int],
) -> Split:
    rules = _broken_rules(converted)
    bad = rules["row"].to_list()
    quarantined = pl.concat(
        [
            _quarantined_rows(converted, rules, [parsed.texts[row] for row in bad]),
            _unreadable_rows(parsed.unreadable, origin),
        ]
    )
    warnings = count_warnings(converted, parsed.warnings, is_text_format=origin.is_text_format)
    warnings.update({(NO_TYPE, code): count for code, count in envelope_warnings.items()})
    return Split(
        _accepted_rows(converted, bad, ids), quarantined, count_errors(quarantined), warnings
    )


def _broken_rules(converted: pl.DataFrame) -> pl.DataFrame:
    """Rows that break a rule, in order, with the sorted list of the rules: `row`, `rules`."""
    schema: _Columns = {"row": pl.Int64, "rules": pl.List(pl.String)}
    if converted.is_empty():
        return pl.DataFrame(schema=schema)
    try:
        event_schema().validate(converted, lazy=True)
    except SchemaErrors as errors:
        cases: pl.DataFrame = errors.failure_cases
    else:
        return pl.DataFrame(schema=schema)
    if cases["index"].null_count():
        # Not raised from the original: its text holds records.
        message = "The converted columns do not fit the schema; this is a fault of sequen-dagster."
        raise SequenError(message) from None
    return (
        cases.select(row=pl.col("index").cast(pl.Int64), rules=pl.col("check"))
        .group_by("row")
        .agg(pl.col("rules").unique().sort())
        .sort("row")
    )


def _accepted_rows(converted: pl.DataFrame, bad: list[int], ids: IdGenerator) -> pl.DataFrame:
    is_good = ~pl.int_range(len(converted), eager=True).is_in(bad)
    good = converted.filter(is_good)
    nameless = good.filter(pl.col("id").is_null())
    if not nameless.is_empty():
        generated = iter(ids.ids(nameless["record_md5"]))
        named = [own or next(generated) for own in good["id"]]
        good = good.with_columns(pl.Series("id", named, dtype=pl.String))
    return good.with_columns(
        pl.col("ingest_timestamp").alias("given_ingest_timestamp"),
        pl.coalesce("ingest_timestamp", "received_at").alias("ingest_timestamp"),
    ).select(pl.col(name).cast(dtype) for name, dtype in ACCEPTED_SCHEMA.items())


def _quarantined_rows(
    converted: pl.DataFrame, rules: pl.DataFrame, texts: list[bytes]
) -> pl.DataFrame:
    rows = converted[rules["row"].to_list()].select(
        "source", "source_file", "type", "source_line", "source_item", "received_at"
    )
    raws = [Unreadable.of("", text, line=0) for text in texts]
    return rows.with_columns(rules["rules"], *_raw_columns(raws)).pipe(_with_fields)


def _unreadable_rows(unreadable: list[Unreadable], origin: Origin) -> pl.DataFrame:
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


def count_errors(quarantined: pl.DataFrame) -> Counts:
    """Quarantined rows by (event type, rule code)."""
    counted = (
        quarantined.select(pl.col("type").fill_null(NO_TYPE), "rules")
        .explode("rules")
        .group_by("type", "rules")
        .len()
    )
    return Counter({(event_type, rule): count for event_type, rule, count in counted.iter_rows()})


def _rows(frame: object) -> Iterator[Row]:
    if isinstance(frame, pl.DataFrame):
        return rows_of(frame.to_arrow())
    if isinstance(frame, pa.Table):
        return rows_of(frame)
    if isinstance(frame, pd.DataFrame):
        named = frame.rename(columns=str)
        try:
            return rows_of(pa.Table.from_pandas(named, preserve_index=False))
        except (pa.ArrowException, OverflowError, TypeError):
            # Columns of mixed objects have no Arrow type.
            return rows_of_objects(named.to_dict("records"))
    message = (
        f"validate() takes a polars or pandas DataFrame or an Arrow Table, "
        f"not {type(frame).__name__}."
    )
    raise TypeError(message)


def _like(
    frame: pl.DataFrame | pd.DataFrame | pa.Table, rows: pl.DataFrame
) -> pl.DataFrame | pd.DataFrame | pa.Table:
    if isinstance(frame, pl.DataFrame):
        return rows
    return rows.to_pandas() if isinstance(frame, pd.DataFrame) else rows.to_arrow()
