"""Contract: the validation that every record passes, whatever it came in.

In: records of a file, or a frame. Out: accepted rows in the lake's columns, quarantined rows with
every rule they break, and counts by type. No Dagster here.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, Self

import polars as pl

from sequen_dagster.compat.pandera_failures import find_broken_checks
from sequen_dagster.contract.convert import MICROS, convert, to_raw_values
from sequen_dagster.contract.frames import Frame, convert_like, read_frame
from sequen_dagster.contract.identity import IdGenerator
from sequen_dagster.contract.origin import Origin
from sequen_dagster.contract.parse import ParsedChunk, Parser
from sequen_dagster.contract.placeholders import DEFAULT, Placeholders
from sequen_dagster.contract.quarantine import (
    count_errors,
    quarantine_rows,
    quarantine_unreadable,
)
from sequen_dagster.contract.row_schemas import ACCEPTED_SCHEMA, QUARANTINED_SCHEMA
from sequen_dagster.contract.rules import event_schema
from sequen_dagster.contract.version import contract_fingerprint
from sequen_dagster.contract.warnings import NO_TYPE, Counts, count_warnings
from sequen_dagster.exports.records import Chunks, Unreadable
from sequen_dagster.exports.tables import chunks_of_rows
from sequen_dagster.settings import ContractSettings
from sequen_dagster.settings.absence import ANONYMOUS_WORDS, NONE_WORDS


@dataclass(frozen=True)
class Split(Generic[Frame]):
    """Records that were validated: accepted and quarantined rows, and counts.

    Attributes:
        accepted: rows that honor the contract, in the columns of `ACCEPTED_SCHEMA`.
        quarantined: rows that break it, with `rules` and `fields`.
        errors: records by (event type, rule code); a record counts once for each of its rules.
        warnings: records by (event type, warning code).
    """

    accepted: Frame
    quarantined: Frame
    errors: Counts
    warnings: Counts


class EventContract:
    """The contract of the event document, by which records are validated.

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
    def of(cls, settings: ContractSettings) -> Self:
        """Make the contract of these settings."""
        return cls(
            max_depth=settings.max_depth,
            placeholder_ids=settings.placeholder_ids,
            placeholder_identities=settings.placeholder_identities,
        )

    @property
    def fingerprint(self) -> str:
        """Identify this contract: its version, rules and limits (16 hex digits)."""
        return contract_fingerprint(
            max_depth=self.max_depth,
            placeholder_ids=self.placeholders.ids,
            placeholder_identities=self.placeholders.identities,
        )

    def validate_chunks(self, chunks: Chunks, origin: Origin) -> Iterator[Split]:
        """Validate the records of one file.

        Validation is lazy: every rule that a record breaks is collected, so that a producer can
        fix a file in one go.

        Args:
            chunks: the records, in file order, from the first.
            origin: the file they come from.

        Yields:
            One split (of polars frames) for each chunk.
        """
        parser = Parser(self.placeholders, max_depth=self.max_depth)
        ids = IdGenerator()
        for chunk in chunks:
            # The reader of a file says whether it is a text format; for a frame, the caller does.
            is_text = chunk.is_text_format or origin.is_text_format
            chunk_origin = replace(origin, is_text_format=is_text)
            converted = _convert_chunk(
                parsed := parser.parse(chunk), chunk_origin, self.placeholders
            )
            yield _validate_chunk(parsed, converted, chunk_origin, ids, chunk.envelope_warnings())

    def validate(self, frame: Frame, origin: Origin | None = None) -> Split[Frame]:
        """Validate the rows of a frame by the same rules as files.

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
        splits = list(self.validate_chunks(chunks_of_rows(read_frame(frame)), origin or Origin()))
        accepted = pl.concat([ACCEPTED_SCHEMA.to_frame(), *(one.accepted for one in splits)])
        quarantined = pl.concat(
            [QUARANTINED_SCHEMA.to_frame(), *(one.quarantined for one in splits)]
        )
        return Split(
            convert_like(frame, accepted),
            convert_like(frame, quarantined),
            sum((one.errors for one in splits), Counter()),
            sum((one.warnings for one in splits), Counter()),
        )


def unreadable_file(
    rule: str, size_bytes: int, sha256: str, origin: Origin, message: str = ""
) -> Split:
    """Make the split of a file that cannot be read: one quarantined record at line 0.

    None of its text is kept; `raw` holds the message: why it cannot be read, and what to do.
    """
    whole = Unreadable(0, 1, rule, message.encode(), size_bytes, sha256)
    parsed = ParsedChunk(unreadable=[whole])
    converted = _convert_chunk(parsed, origin, DEFAULT)
    return _validate_chunk(parsed, converted, origin, IdGenerator(), {})


def _convert_chunk(parsed: ParsedChunk, origin: Origin, placeholders: Placeholders) -> pl.DataFrame:
    columns = pl.DataFrame(
        [to_raw_values(values).alias(name) for name, values in parsed.columns()]
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
    rules = find_broken_checks(event_schema(), converted)
    bad = rules["row"].to_list()
    quarantined = pl.concat(
        [
            quarantine_rows(converted, rules, [parsed.texts[row] for row in bad]),
            quarantine_unreadable(parsed.unreadable, origin),
        ]
    )
    warnings = count_warnings(converted, parsed.warnings, is_text_format=origin.is_text_format)
    warnings.update({(NO_TYPE, code): count for code, count in envelope_warnings.items()})
    return Split(
        _complete_accepted(converted, bad, ids), quarantined, count_errors(quarantined), warnings
    )


def _complete_accepted(converted: pl.DataFrame, bad: list[int], ids: IdGenerator) -> pl.DataFrame:
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
