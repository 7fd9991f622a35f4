"""Reports: the parts of the document on files and records: what came, and what became of it."""

from datetime import date, datetime
from typing import Annotated

from sequen_dagster.reports.document.section import (
    BYTES,
    DAY,
    EVENTS,
    FILES,
    FLAG,
    HASH,
    LIST,
    MOMENT,
    NAME,
    PATH,
    RECORDS,
    ROWS,
    SECONDS,
    SHARE,
    TEXT,
    Section,
    unit,
)


class InputFile(Section):
    """A file that the tables are made of."""

    source: Annotated[str, NAME]
    """The source that it belongs to."""
    path: Annotated[str, PATH]
    """Where it lies below the source's exports."""
    sha256: Annotated[str, HASH]
    """SHA-256 of its bytes."""
    records_read: Annotated[int, RECORDS]
    """Records that were found in it."""
    quarantined: Annotated[int, RECORDS]
    """Records of it that break a rule."""
    received_at: Annotated[datetime, MOMENT]
    """When it arrived."""


class Inputs(Section):
    """The files that the tables are made of: all of them by one hash, and the latest by name."""

    sha256: Annotated[str, HASH]
    """SHA-256 over the ids of all batches; two reports with one hash are of the same files."""
    files: Annotated[int, FILES]
    """Files in their current version."""
    bytes: Annotated[int, BYTES]
    """Size of these files, as they were stored."""
    first_received_at: Annotated[datetime | None, MOMENT]
    """When the first of them arrived; null without files."""
    last_received_at: Annotated[datetime | None, MOMENT]
    """When the last of them arrived; null without files."""
    latest: Annotated[list[InputFile], ROWS]
    """The files that arrived last, the newest first; 20 at most."""


class Stale(Section):
    """Batches that were validated by another contract than today's."""

    batches: Annotated[int, unit("batches")]
    """How many there are; `sequen-dagster replay --stale` validates them again."""
    paths: Annotated[list[str], LIST]
    """Paths of the first of them; 5 at most."""


class RecordCounts(Section):
    """What became of every record: records_read = accepted + quarantined + skipped."""

    files: Annotated[int, FILES]
    """Files in their current version."""
    records_read: Annotated[int, RECORDS]
    """Records that were found in them."""
    accepted: Annotated[int, RECORDS]
    """Records that break no rule."""
    quarantined: Annotated[int, RECORDS]
    """Records that break a rule and are kept apart."""
    skipped: Annotated[int, RECORDS]
    """Records that were left out on purpose, such as those of erased people."""
    blank_lines: Annotated[int, unit("lines")]
    """Lines without a record, counted apart."""
    duplicate_records: Annotated[int, RECORDS]
    """Accepted records that lost to another record with the same id."""
    conflicting_records: Annotated[int, RECORDS]
    """Duplicates whose content differs from that of the record they lost to."""


class Step(Section):
    """What is left of the records after a step of the pipeline, in a unit of its own."""

    step: Annotated[str, NAME]
    """The step: read, accepted, deduplicated, sessionized, linked, matched, attributed."""
    unit: Annotated[str, TEXT]
    """What is counted: records, events, clicks or converted items."""
    count: Annotated[int, unit("as the property `unit` says")]
    """How many passed the step."""
    of: Annotated[int, unit("as the property `unit` says")]
    """Of how many that came to it."""


class RuleCount(Section):
    """Records that break a rule, or raise a warning, and the file with most of them."""

    rule: Annotated[str, NAME]
    """Code of the rule or warning."""
    records: Annotated[int, RECORDS]
    """Records of current files with it."""
    worst_path: Annotated[str | None, PATH]
    """The file with most of them."""
    worst_records: Annotated[int | None, RECORDS]
    """Records in that file."""


class Conflicts(Section):
    """Records of a source that lost to another event with the same id."""

    source: Annotated[str, NAME]
    """The source that they came from."""
    types: Annotated[list[str], LIST]
    """Types of these records; 20 at most."""
    accepted_records: Annotated[int, RECORDS]
    """Accepted records of the source."""
    conflicting_records: Annotated[int, RECORDS]
    """Records among them that lost to one with other content."""
    conflicting_ids: Annotated[int, unit("ids")]
    """Ids that stand for different events."""
    conflicting_share: Annotated[float, SHARE]
    """conflicting_records / accepted_records."""
    is_too_many: Annotated[bool, FLAG]
    """Whether the producer gives one id to different events, rather than sends a few again."""


class FileHint(Section):
    """What files look like whose records fail together, and what helps."""

    hint: Annotated[str, NAME]
    """Code of the hint."""
    files: Annotated[int, FILES]
    """Files that look like this."""
    quarantined: Annotated[int, RECORDS]
    """Quarantined records of these files."""
    path: Annotated[str, PATH]
    """One of these files."""
    text: Annotated[str, TEXT]
    """What they look like, and what helps."""


class UnreadFiles(Section):
    """Files that could not be read as a whole: how many records they hold is unknown."""

    rule: Annotated[str, NAME]
    """Code of the rule that the files break."""
    files: Annotated[int, FILES]
    """Current files that break it."""
    bytes: Annotated[int, BYTES]
    """Their size, as it is stored."""
    paths: Annotated[list[str], LIST]
    """The largest of them; 20 at most."""
    fix: Annotated[str, TEXT]
    """What to do so that they can be read."""


class Volume(Section):
    """Events of a type on a UTC day, all sources together."""

    day: Annotated[date, DAY]
    """The day on which the events happened."""
    type: Annotated[str, NAME]
    """Type of the events; `(other)` for all but the most frequent."""
    events: Annotated[int, EVENTS]
    """Events of the type on that day."""


class DayFiles(Section):
    """Files received on a UTC day."""

    day: Annotated[date, DAY]
    """The day on which they arrived."""
    files: Annotated[int, FILES]
    """Files that arrived."""


class VolumeDrop(Section):
    """A source, or a type of it, that is far below its usual weekday."""

    source: Annotated[str, NAME]
    """The source."""
    scope: Annotated[str, NAME]
    """Whether all events of the source are meant, or one type."""
    type: Annotated[str, NAME]
    """Type of the events; `(all)` for all events of the source."""
    status: Annotated[str, NAME]
    """`silent`: no event came; `low`: far fewer than usual."""
    event_count: Annotated[int, EVENTS]
    """Events on the day that is compared."""
    usual_event_count: Annotated[float, EVENTS]
    """Events on the same weekday of the weeks before, on average."""
    compared_day: Annotated[date, DAY]
    """The day that is compared."""
    last_seen_date: Annotated[date, DAY]
    """The last day with such an event."""


class Freshness(Section):
    """The latest event and file of a source."""

    source: Annotated[str, NAME]
    """The source."""
    last_event_at: Annotated[datetime | None, MOMENT]
    """When its latest event happened."""
    last_received_at: Annotated[datetime | None, MOMENT]
    """When its latest file arrived."""


class Lateness(Section):
    """How long events of a type take to arrive."""

    source: Annotated[str, NAME]
    """The source; `(all)` for all together."""
    type: Annotated[str, NAME]
    """Type of the events."""
    event_count: Annotated[int, EVENTS]
    """Events of the type."""
    late_event_count: Annotated[int, EVENTS]
    """Events that arrived more than 24 hours (variable `sequen_late_hours`) after they happened."""
    late_share: Annotated[float, SHARE]
    """late_event_count / event_count."""
    p50_lateness_seconds: Annotated[int, SECONDS]
    """Half of the events arrive within this time."""
    p95_lateness_seconds: Annotated[int, SECONDS]
    """95 % of the events arrive within this time."""
    p99_lateness_seconds: Annotated[int, SECONDS]
    """99 % of the events arrive within this time."""
    max_lateness_seconds: Annotated[int, SECONDS]
    """The longest time that an event took."""
