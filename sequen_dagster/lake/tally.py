"""Lake: what is counted of a file while it is validated.

In: chunks of records on their way to the contract, and what the contract says of them. Out: record
counts, rule counts and the first error, as a batch keeps them.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from sequen_dagster.contract import Split
from sequen_dagster.contract.hints import HintFinder
from sequen_dagster.contract.warnings import NO_TYPE, Counts
from sequen_dagster.exports.records import Chunks
from sequen_dagster.fields import STANDARD_TYPES
from sequen_dagster.lake.commits import FirstError, RecordCounts, RuleCount

# Types that a batch counts apart; a manifest must not grow with what is sent.
MAX_COUNTED_TYPES: Final = 1_000
_MAX_TYPE_LENGTH: Final = 200
REMAINING_TYPES: Final = "(other)"


@dataclass
class Tally:
    """The counts of a file while it is read.

    Attributes:
        record_counts: records read, accepted, quarantined.
        errors: records by (type, rule); types beyond the first thousand are `(other)`.
        warnings: records by (type, warning); types as in `errors`.
        skipped: records by (type, reason) that were left out on purpose; types as in `errors`.
        first_error: the first quarantined record.
        hints: looks at the records that fail, for what they may be.
    """

    record_counts: RecordCounts = field(default_factory=RecordCounts)
    errors: Counts = field(default_factory=Counter)
    warnings: Counts = field(default_factory=Counter)
    skipped: Counts = field(default_factory=Counter)
    first_error: FirstError | None = None
    hints: HintFinder = field(default_factory=HintFinder)
    _types: set[str] = field(default_factory=lambda: {NO_TYPE, *STANDARD_TYPES})

    def count_chunks(self, chunks: Chunks) -> Chunks:
        """Hand chunks on, and count what was read, apart from what the contract gives back."""
        for chunk in chunks:
            read = len(chunk.texts) + len(chunk.unreadable)
            self.record_counts += RecordCounts(records_read=read, blank_lines=chunk.blank_lines)
            yield chunk

    def count_split(self, split: Split, skipped: Counts) -> None:
        """Add what the contract said, and what was left out of it."""
        self.record_counts += RecordCounts(
            accepted=len(split.accepted),
            quarantined=len(split.quarantined),
            skipped=skipped.total(),
        )
        self.hints.add(split)
        self._add_counts(self.errors, split.errors)
        self._add_counts(self.warnings, split.warnings)
        self._add_counts(self.skipped, skipped)
        if self.first_error is None and len(split.quarantined):
            line, rules = split.quarantined.select("source_line", "rules").row(0)
            self.first_error = FirstError(line, rules[0])

    @property
    def hint(self) -> str:
        """What the file looks like where its records fail together, see `hints`; else empty."""
        return self.hints.hint(records_read=self.record_counts.records_read)

    def rule_counts(self) -> tuple[RuleCount, ...]:
        """Errors, warnings and reasons for leaving records out, in one sorted list."""
        return tuple(
            RuleCount(event_type, rule, severity, records)
            for severity, counts in (
                ("error", self.errors),
                ("warning", self.warnings),
                ("skipped", self.skipped),
            )
            for (event_type, rule), records in sorted(counts.items())
        )

    def _add_counts(self, total: Counts, added: Counts) -> None:
        # Sorted, so that every try counts the same types apart.
        for (event_type, rule), records in sorted(added.items()):
            if len(self._types) < MAX_COUNTED_TYPES and len(event_type) <= _MAX_TYPE_LENGTH:
                self._types.add(event_type)
            name = event_type if event_type in self._types else REMAINING_TYPES
            total[name, rule] += records
