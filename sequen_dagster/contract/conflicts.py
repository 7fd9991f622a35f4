"""Contract: ids that a producer gives to different events, of which all but one are lost.

In: accepted rows of files. Out: for each source, how many records lost to a record of the same id
with other content, in bounded memory. The marts do the same in `int_duplicate_records`.
"""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Final

import msgspec
import polars as pl

from sequen_dagster.contract.conflict_texts import describe_conflicts, is_too_many
from sequen_dagster.contract.row_schemas import ACCEPTED_SCHEMA

# 44 bytes each; of more records a sample of the ids is kept.
_MAX_KEPT: Final = 5_000_000
# Fields that a sender may change with every delivery, lineage, and derived columns.
_NO_CONTENT: Final = (
    "ingest_timestamp", "given_ingest_timestamp", "received_at", "source", "source_file",
    "source_line", "source_item", "record_md5", "properties", "property_shape",
)  # fmt: skip
_ID: Final = "id_hash"

_decode = msgspec.json.Decoder(float_hook=msgspec.Raw).decode
_encode = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True)
class SourceConflicts:
    """Accepted records of a source that lost to other content under the same id.

    Attributes:
        source: name of the source.
        accepted: how many records were accepted.
        conflicting_records: of these, how many lost to a record that says something else.
        conflicting_ids: how many ids those have, counted by hash.
        types: those records by event type.
        is_estimate: whether the numbers were taken from a sample of the ids.
    """

    source: str
    accepted: int
    conflicting_records: int
    conflicting_ids: int
    types: Counter[str]
    is_estimate: bool = False

    @property
    def is_too_many(self) -> bool:
        """Whether they are more than `ids_are_unique` lets pass."""
        return is_too_many(self.conflicting_records, self.accepted)

    def __str__(self) -> str:
        return describe_conflicts(
            self.conflicting_records / self.accepted,
            self.conflicting_records,
            self.conflicting_ids,
            [f"{name} {count:,}" for name, count in self.types.most_common()],
        )


class ConflictCounter:
    """Counts conflicting records over any number of files.

    Args:
        max_kept: how many records are kept at most; beyond it every other id is dropped.
    """

    def __init__(self, *, max_kept: int = _MAX_KEPT) -> None:
        self._max_kept = max_kept
        self._accepted: Counter[str] = Counter()
        self._kept: list[pl.DataFrame] = []
        # Of the ids, one in so many is kept: those whose hash is divisible by it.
        self._one_in = 1

    def add(self, accepted: pl.DataFrame) -> None:
        """Add accepted rows, of any file."""
        self._accepted.update(dict(accepted.group_by("source").len().iter_rows()))
        self._kept.append(_comparison_columns(accepted).filter(pl.col(_ID) % self._one_in == 0))
        while sum(map(len, self._kept)) > self._max_kept:
            self._one_in *= 2
            is_kept = pl.col(_ID) % self._one_in == 0
            self._kept = [pl.concat(self._kept).filter(is_kept)]

    def copy(self) -> "ConflictCounter":
        """Copy the counter, so that what is added later can be undone."""
        other = ConflictCounter(max_kept=self._max_kept)
        other._accepted, other._kept = self._accepted.copy(), self._kept.copy()
        other._one_in = self._one_in
        return other

    def result(self) -> list[SourceConflicts]:
        """Count conflicts of each source that has any conflicting record, by name."""
        if not self._kept:
            return []
        order = [_ID, "given_ingest_timestamp", "original_timestamp", "record"]
        conflicting = (
            pl.concat(self._kept)
            .filter(pl.col(_ID).is_duplicated())
            .sort(order, nulls_last=True)
            .filter(pl.col("content") != pl.col("content").first().over(_ID))
        )
        sources = conflicting["source"].cast(pl.String)
        return [
            self._conflicts_of(source, conflicting.filter(sources == source))
            for source in sorted(sources.unique())
        ]

    def _conflicts_of(self, source: str, conflicting: pl.DataFrame) -> SourceConflicts:
        types = conflicting["type"].cast(pl.String).value_counts()
        return SourceConflicts(
            source,
            self._accepted[source],
            len(conflicting) * self._one_in,
            conflicting[_ID].n_unique() * self._one_in,
            Counter(
                {
                    name: count * self._one_in
                    for name, count in types.sort(
                        "count", "type", descending=[True, False]
                    ).iter_rows()
                }
            ),
            self._one_in > 1,
        )


def _canonical_content(properties: str) -> str:
    """Write custom fields with their keys sorted at every depth, numbers to the digit."""
    # The one number whose digits the fast decoder changes, and those that are too long for it.
    if "-0" not in properties:
        try:
            return _encode(_decode(properties)).decode()
        except msgspec.MsgspecError:
            pass
    exact = json.loads(properties, parse_int=msgspec.Raw, parse_float=msgspec.Raw)
    return _encode(exact).decode()


def _comparison_columns(accepted: pl.DataFrame) -> pl.DataFrame:
    """Reduce accepted rows to hashes and the columns by which the winner is chosen."""
    contents = [_canonical_content(text) for text in accepted["properties"]]
    fields = [name for name in ACCEPTED_SCHEMA if name not in _NO_CONTENT]
    content = accepted.select(
        # No text holds NUL, so different lists are different when joined.
        pl.col(name).list.join("\0") if name == "item_ids" else pl.col(name).cast(pl.String)
        for name in fields
    ).with_columns(pl.Series("properties", contents, dtype=pl.String))
    return accepted.select(
        pl.col("id").hash().alias(_ID),
        content.hash_rows().alias("content"),
        "given_ingest_timestamp",
        "original_timestamp",
        # As many digits as fit; in the order of the whole.
        pl.col("record_md5").str.slice(0, 15).str.to_integer(base=16).alias("record"),
        pl.col("source").cast(pl.Categorical),
        pl.col("type").cast(pl.Categorical),
    )
