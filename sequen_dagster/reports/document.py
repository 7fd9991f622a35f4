"""Reports: the form of `report.json`, whose JSON Schema is published.

`summary.py` fills it in; HTML, Markdown and the terminal show it and compute nothing of their own.
"""

from datetime import date, datetime
from typing import Any, Final, Literal

import pydantic

REPORT_VERSION: Final = 3

# What a tier unlocks, in the words of the event document ("Good, Better, Best Data").
UNLOCKS: Final = {
    "good": "covers the mandatory requirements for a baseline model",
    "better": "provides additional data to enhance performance",
    "best": "provides additional data to enhance performance",
}


class Section(pydantic.BaseModel):
    """A part of the report; texts and numbers only, no value of an event."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


class Made(Section):
    """By what, when and from what the report was made; times are UTC."""

    at: datetime
    zone: Literal["UTC"]
    run_id: str | None
    sequen_dagster: str
    duckdb: str
    rules_version: int
    contract_version: int
    contract_fingerprint: str
    marts_fingerprint: str


class InputFile(Section):
    """A file that the tables are made of."""

    source: str
    path: str
    sha256: str
    records_read: int
    quarantined: int
    received_at: datetime


class Inputs(Section):
    """The files that the tables are made of: all of them by one hash, and the latest by name."""

    sha256: str
    files: int
    bytes: int
    first_received_at: datetime | None
    last_received_at: datetime | None
    latest: list[InputFile]


class Stale(Section):
    """Batches that another contract has judged."""

    batches: int
    paths: list[str]


class RecordCounts(Section):
    """records_read = accepted + quarantined + skipped."""

    files: int
    records_read: int
    accepted: int
    quarantined: int
    skipped: int
    blank_lines: int
    duplicate_records: int
    conflicting_records: int


class Step(Section):
    """What is left of the records after a step of the pipeline, in a unit of its own."""

    step: str
    unit: str
    count: int
    of: int


class Events(Section):
    """How many events there are."""

    events: int
    first_at: datetime | None
    last_at: datetime | None
    sources: int


class Sessions(Section):
    """How many sessions there are; `over_a_day`: longer than 24 hours, a sid that comes again."""

    sessions: int
    visitors: int
    given: int
    derived: int
    converted: int
    over_a_day: int
    median_seconds: float | None


class Attribution(Section):
    """How much was attributed."""

    conversions: int
    units: int
    touches: int


class Orders(Section):
    """Conversions that name their order; a repeat is left out of all sums of values."""

    orders: int
    conversions: int
    repeats: int
    repeats_by_another_visitor: int
    differing: int


class RuleCount(Section):
    """Records that break a rule, or raise a warning, and the file with most of them."""

    rule: str
    records: int
    worst_path: str | None
    worst_records: int | None


class Conflicts(Section):
    """Records of a source that lost to another event with the same id."""

    source: str
    types: list[str]
    accepted_records: int
    conflicting_records: int
    conflicting_ids: int
    conflicting_share: float
    is_too_many: bool


class Named(Section):
    """A count by name."""

    name: str
    count: int


class Value(Section):
    """The value of conversions in one currency; decimal text, null where they are mixed."""

    currency: str
    conversions: int
    value: str | None


class Tier(Section):
    """A tier of a source, or of all, over the recent period."""

    source: str
    tier: str
    is_reached: bool
    score: float
    accepted_share: float | None
    is_accepted_share_met: bool
    attribute_count: int
    complete_attribute_count: int
    blocking_attributes: list[str]
    unlocks: str


class Attribute(Section):
    """An attribute of a source, or of all, over the recent period."""

    source: str
    attribute: str
    tier: str
    kind: str
    status: str
    applicable_events: int
    carrying_events: int
    min_events: int | None
    session_count: int
    matching_session_count: int
    coverage: float | None
    threshold: float | None
    is_waived: bool


class Fix(Section):
    """What mending one attribute gains, recomputed, and how to do it; the best come first."""

    source: str
    attribute: str
    tier: str
    fix_number: int
    mended_events: int
    added_events: int
    tier_reached: str
    tier_reached_after: str
    good_score: float
    good_score_after: float
    better_score: float
    better_score_after: float
    best_score: float
    best_score_after: float
    why: str | None
    fix: str | None
    example: dict[str, Any] | None  # Any: an event in the spec's terms
    unlocks: str


class QuarantineFix(Section):
    """What mending one rule gains: records that break it and nothing else are accepted."""

    source: str
    type: str
    rule: str
    quarantined_records: int
    mended_records: int
    accepted_share: float
    accepted_share_after: float


class FieldCoverage(Section):
    """A reserved field of a source and event type: present, valid, resolved."""

    source: str
    type: str
    field: str
    is_mandatory: bool
    event_count: int
    present: float | None
    valid: float | None
    resolved: float | None


class Breakdown(Section):
    """A field or attribute among the events with one value of a breakdown."""

    source: str
    breakdown: str
    value: str
    type: str | None
    name: str
    event_count: int
    carrying_events: int
    coverage: float
    first_seen_date: date
    last_seen_date: date


class Volume(Section):
    """Events of a type on a UTC day, all sources together."""

    day: date
    type: str
    events: int


class DayFiles(Section):
    """Files received on a UTC day."""

    day: date
    files: int


class DayCoverage(Section):
    """Coverage of an attribute on a UTC day, all sources together."""

    day: date
    attribute: str
    coverage: float


class Link(Section):
    """Events by the status of a link, or clicks by how their impression was found."""

    source: str
    link: str
    status: str
    event_count: int
    share_of_link: float


class Rank(Section):
    """Impressions at a rank, their click-through rate and its 95 % interval (Wilson)."""

    rank: int
    impression_count: int
    clicked_impression_count: int
    ctr: float
    ctr_low: float
    ctr_high: float


class FunnelStep(Section):
    """Sessions that reach a step."""

    step: str
    step_number: int
    session_count: int
    share_of_first: float | None
    share_of_previous: float | None


class Lateness(Section):
    """How long events of a type take to arrive, in seconds."""

    source: str
    type: str
    event_count: int
    late_event_count: int
    late_share: float
    p50_lateness_seconds: int
    p95_lateness_seconds: int
    p99_lateness_seconds: int
    max_lateness_seconds: int


class CustomField(Section):
    """A custom field of an event type, all sources together; samples are masked."""

    type: str
    field: str
    kinds: list[str]
    event_count: int
    coverage: float
    is_drifting: bool
    first_seen_date: date
    last_seen_date: date
    latest_kind_date: date | None
    samples: list[str]


class NearMiss(Section):
    """What comes near a name of the schema, is not read as it, and what to do about it.

    Of kind `type` and `field` the name of a type or field; `value`: a page type or the like, of
    `field`; `key`: the key of a record under which its event stands; `id`: ids of `field` that are
    written as decimal numbers.
    """

    kind: Literal["type", "field", "value", "key", "id"]
    type: str | None
    field: str | None
    name: str
    meant: str
    records: int
    rule: str | None
    advice: str


class FileHint(Section):
    """What files look like whose records fail together, and what helps."""

    hint: str
    files: int
    quarantined: int
    path: str
    text: str


class Silence(Section):
    """A source or a type of it that is far below its usual weekday."""

    source: str
    scope: str
    type: str
    status: str
    event_count: int
    usual_event_count: float
    compared_day: date
    last_seen_date: date


class Freshness(Section):
    """The latest event and file of a source."""

    source: str
    last_event_at: datetime | None
    last_received_at: datetime | None


class Recommendations(Section):
    """Health of rec_ids: are they on impressions, are they seen, clicked, and how soon."""

    impressions: int
    impressions_with_rec_id: int
    rec_ids: int
    viewed: int
    clicked: int
    converted: int
    timed: int
    p50_request_to_view_seconds: float | None
    p95_request_to_view_seconds: float | None


class Change(Section):
    """A number that is another one than in the report before."""

    source: str
    name: str
    before: float | None
    after: float | None
    note: str


class Changes(Section):
    """What is new since another report."""

    since: datetime
    events_before: int
    events_after: int
    tiers: list[Change]
    attributes: list[Change]
    rules: list[Change]
    new_names: list[str]
    gone_names: list[str]


class Report(Section):
    """Everything that the report says, computed once."""

    report_version: int
    made: Made
    inputs: Inputs
    stale: Stale
    record_counts: RecordCounts
    flow: list[Step]
    events: Events
    sessions: Sessions
    attribution: Attribution
    orders: Orders
    recommendations: Recommendations
    tiers: list[Tier]
    attributes: list[Attribute]
    fixes: list[Fix]
    quarantine_fixes: list[QuarantineFix]
    conflicts: list[Conflicts]
    quarantined_by_rule: list[RuleCount]
    warnings: list[RuleCount]
    events_by_type: list[Named]
    clicks_by_match_method: list[Named]
    units_by_basis: list[Named]
    value_by_currency: list[Value]
    repeated_value_by_currency: list[Value]
    fields: list[FieldCoverage]
    breakdowns: list[Breakdown]
    volumes: list[Volume]
    files_by_day: list[DayFiles]
    coverage_by_day: list[DayCoverage]
    links: list[Link]
    ranks: list[Rank]
    funnel: list[FunnelStep]
    lateness: list[Lateness]
    catalog: list[CustomField]
    near_misses: list[NearMiss]
    hints: list[FileHint]
    silences: list[Silence]
    freshness: list[Freshness]
    changes: Changes | None = None


def report_schema() -> dict[str, Any]:  # Any: JSON Schema
    """The JSON Schema of `report.json`."""
    schema = Report.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
