"""Reports: the parts of the document on completeness: tiers, attributes, fields and fixes."""

from datetime import date
from typing import Annotated, Any, Final, Literal

from sequen_dagster.reports.document.section import (
    DAY,
    EVENTS,
    FILES,
    FLAG,
    LIST,
    NAME,
    PLACE,
    RECORDS,
    SCORE,
    SESSIONS,
    SHARE,
    TEXT,
    Section,
    unit,
)

ATTRIBUTES: Final = unit("attributes")


class Tier(Section):
    """A tier of a source, or of all, over the recent period."""

    source: Annotated[str, NAME]
    """The source; `(all)` for all together."""
    tier: Annotated[str, NAME]
    """good, better or best."""
    is_reached: Annotated[bool, FLAG]
    """Whether all its attributes are complete and enough records are accepted."""
    score: Annotated[float, SCORE]
    """How near it is: the mean of its attributes, each the share of its threshold that is met."""
    accepted_share: Annotated[float | None, SHARE]
    """Accepted records of those read; null without records."""
    min_accepted_share: Annotated[float, SHARE]
    """Share that must be accepted, from the setting `min_accepted_percent`."""
    is_accepted_share_met: Annotated[bool, FLAG]
    """Whether enough records are accepted."""
    attribute_count: Annotated[int, ATTRIBUTES]
    """Attributes that the tier asks for, those of the tiers below included."""
    complete_attribute_count: Annotated[int, ATTRIBUTES]
    """Attributes among them that are complete."""
    blocking_attributes: Annotated[list[str], LIST]
    """Attributes that keep it from being reached."""
    unlocks: Annotated[str, TEXT]
    """What the tier is good for, in the words of the event document."""


class Attribute(Section):
    """An attribute of a source, or of all, over the recent period."""

    source: Annotated[str, NAME]
    """The source; `(all)` for all together."""
    attribute: Annotated[str, NAME]
    """The attribute."""
    tier: Annotated[str, NAME]
    """The tier in which it first appears."""
    kind: Annotated[str, NAME]
    """`field`: events carry it; `event`: it is an event of its own."""
    status: Annotated[str, NAME]
    """complete, partial, missing or not_applicable."""
    applicable_events: Annotated[int, EVENTS]
    """Events that should carry it."""
    carrying_events: Annotated[int, EVENTS]
    """Events that do; of kind `event` the events that match it."""
    min_events: Annotated[int | None, EVENTS]
    """Events that make it complete, of kind `event`."""
    session_count: Annotated[int, SESSIONS]
    """Sessions that begin in the period, of kind `event`."""
    matching_session_count: Annotated[int, SESSIONS]
    """Sessions among them with a matching event."""
    coverage: Annotated[float | None, SHARE]
    """carrying_events / applicable_events; of kind `event` the share of sessions."""
    threshold: Annotated[float | None, SHARE]
    """Coverage that makes it complete, of kind `field`."""
    is_waived: Annotated[bool, FLAG]
    """Whether the settings take it out of its tier."""


class Fix(Section):
    """What fixing one attribute gains, computed again, and how to do it; the best come first."""

    source: Annotated[str, NAME]
    """The source; `(all)` for all together."""
    attribute: Annotated[str, NAME]
    """The attribute to fix."""
    tier: Annotated[str, NAME]
    """The tier in which the attribute first appears."""
    fix_number: Annotated[int, PLACE]
    """Place in the order of gain within the source."""
    fixable_events: Annotated[int, EVENTS]
    """Events that should carry the attribute and do not."""
    added_events: Annotated[int, EVENTS]
    """Events like the example that must be sent, where there are none to fix."""
    tier_reached: Annotated[str, NAME]
    """The tier now; `none` where none is reached."""
    tier_reached_after: Annotated[str, NAME]
    """The tier after this fix alone."""
    good_score: Annotated[float, SCORE]
    """Score of Good now."""
    good_score_after: Annotated[float, SCORE]
    """Score of Good after this fix alone."""
    better_score: Annotated[float, SCORE]
    """Score of Better now."""
    better_score_after: Annotated[float, SCORE]
    """Score of Better after this fix alone."""
    best_score: Annotated[float, SCORE]
    """Score of Best now."""
    best_score_after: Annotated[float, SCORE]
    """Score of Best after this fix alone."""
    why: Annotated[str | None, TEXT]
    """Why the attribute matters."""
    fix: Annotated[str | None, TEXT]
    """How to send it."""
    example: Annotated[dict[str, Any] | None, unit("event")]  # Any: in the terms of the schema
    """An event that carries it."""
    unlocks: Annotated[str, TEXT]
    """What the attribute's tier is good for, in the words of the event document."""


class QuarantineFix(Section):
    """What keeping rules gains: records that break just these are accepted.

    Each quarantined record of a source is in one row, so the rows may be added up.
    """

    source: Annotated[str, NAME]
    """The source; `(all)` for all together."""
    type: Annotated[str, NAME]
    """Type of the records; `(none)` where they name none, `(other)` of the last row."""
    rules: Annotated[list[str], LIST]
    """Codes of all the rules that the records break; `(other)` beyond the first 50 fixes."""
    fix_number: Annotated[int, PLACE]
    """Place within the source: files that could not be read, by bytes, then the most records."""
    fixable_records: Annotated[int, RECORDS]
    """Records that break just these rules; one for each file that could not be read."""
    unread_files: Annotated[int, FILES]
    """Files that could not be read as a whole; 0 where records break the rules."""
    accepted_share: Annotated[float, SHARE]
    """Accepted records of those read, now."""
    accepted_share_after: Annotated[float | None, SHARE]
    """Accepted records of those read, after this fix alone; null where it is unknown."""
    fix: Annotated[str, TEXT]
    """What to do so that the rules are kept."""


class FieldCoverage(Section):
    """A reserved field of a source and event type: present, valid, resolved."""

    source: Annotated[str, NAME]
    """The source; `(all)` for all together."""
    type: Annotated[str, NAME]
    """Type of the events."""
    field: Annotated[str, NAME]
    """The reserved field."""
    is_mandatory: Annotated[bool, FLAG]
    """Whether records of the type without it are quarantined."""
    event_count: Annotated[int, EVENTS]
    """Events of the type."""
    present: Annotated[float | None, SHARE]
    """Events that carry it; null without events."""
    valid: Annotated[float | None, SHARE]
    """Records read in which it is neither invalid nor, where mandatory, missing."""
    resolved: Annotated[float | None, SHARE]
    """Of a link: events that carry it and whose link leads to an event."""


class Requirement(Section):
    """What a use of the data asks for, over the recent period; ready when all of its are met."""

    source: Annotated[str, NAME]
    """The source; `(all)` for all together."""
    use_case: Annotated[str, NAME]
    """What the data is wanted for."""
    requirement_number: Annotated[int, PLACE]
    """Place in the order in which to meet the requirements of the use case."""
    metric: Annotated[str, NAME]
    """What is counted."""
    have_count: Annotated[int, unit("as the metric says")]
    """Those that are as they should be."""
    total_count: Annotated[int, unit("as the metric says")]
    """All that were counted."""
    min_count: Annotated[int, unit("as the metric says")]
    """How many there must be at least, whatever the share."""
    share: Annotated[float | None, SHARE]
    """have_count / total_count; null where nothing was counted."""
    threshold: Annotated[float, SHARE]
    """Share that there must be at least."""
    is_met: Annotated[bool, FLAG]
    """Whether have_count reaches min_count, and share the threshold."""
    is_ready: Annotated[bool, FLAG]
    """Whether all requirements of the use case are met; the same in each of its rows."""
    is_first_missing: Annotated[bool, FLAG]
    """Whether this is the one thing to do next for the use case."""
    missing: Annotated[str | None, TEXT]
    """What to send to meet the requirement; null where it is met."""
    reason: Annotated[str, TEXT]
    """Why the use case needs that much of it."""


class Breakdown(Section):
    """A field or attribute among the events with one value of a breakdown."""

    source: Annotated[str, NAME]
    """The source; `(all)` for all together."""
    breakdown: Annotated[str, NAME]
    """The custom field that the setting `breakdowns` names."""
    value: Annotated[str, NAME]
    """Its value; `(none)` without it; `(other)` if rare, or not like a release or platform."""
    type: Annotated[str | None, NAME]
    """Type of the events; null for attributes of completeness."""
    name: Annotated[str, NAME]
    """The attribute or reserved field."""
    event_count: Annotated[int, EVENTS]
    """Events with the value that should carry it."""
    carrying_events: Annotated[int, EVENTS]
    """Events among them that do."""
    coverage: Annotated[float, SHARE]
    """carrying_events / event_count."""
    first_seen_date: Annotated[date, DAY]
    """First day with such an event."""
    last_seen_date: Annotated[date, DAY]
    """Last day with such an event."""


class DayCoverage(Section):
    """Coverage of an attribute on a UTC day, all sources together."""

    day: Annotated[date, DAY]
    """The day on which the events happened."""
    attribute: Annotated[str, NAME]
    """The attribute."""
    carrying: Annotated[int, unit("events, or sessions")]
    """Events that carry it; of kind `event` the sessions that match it."""
    applicable: Annotated[int, unit("events, or sessions")]
    """Events that should carry it; of kind `event` all sessions."""
    coverage: Annotated[float, SHARE]
    """carrying / applicable."""


class CustomField(Section):
    """A custom field of an event type, all sources together; samples are masked."""

    type: Annotated[str, NAME]
    """Type of the events."""
    field: Annotated[str, NAME]
    """Path of the field."""
    kinds: Annotated[list[str], LIST]
    """Types of JSON that its values have."""
    event_count: Annotated[int, EVENTS]
    """Events that have it."""
    coverage: Annotated[float, SHARE]
    """Events of the type that have it."""
    is_drifting: Annotated[bool, FLAG]
    """Whether its values are of several types."""
    first_seen_date: Annotated[date, DAY]
    """First day with it."""
    last_seen_date: Annotated[date, DAY]
    """Last day with it."""
    latest_kind_date: Annotated[date | None, DAY]
    """The day on which the latest of its types came up."""
    samples: Annotated[list[str], LIST]
    """Masked values, as many as the setting `report_samples` allows."""


class NearMiss(Section):
    """What comes near a name of the schema, is not read as it, and what to do about it."""

    kind: Annotated[Literal["type", "field", "value", "key", "id"], NAME]
    """A name of a type or a field; a value of `field`, such as a page type; the key of a record
    under which its event stands; ids of `field` that are written as decimal numbers."""
    type: Annotated[str | None, NAME]
    """Type of the events, where it matters."""
    field: Annotated[str | None, NAME]
    """The reserved field, of kind `value` and `id`."""
    name: Annotated[str, NAME]
    """What was sent."""
    meant: Annotated[str, NAME]
    """What was probably meant."""
    records: Annotated[int, RECORDS]
    """Records with it."""
    rule: Annotated[str | None, NAME]
    """The rule for which these records are quarantined; null where they are accepted."""
    advice: Annotated[str, TEXT]
    """What to do."""
