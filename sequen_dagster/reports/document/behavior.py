"""Reports: the parts of the document on what visitors did: sessions, links, orders, attribution."""

from datetime import datetime
from typing import Annotated, Final

from sequen_dagster.reports.document.section import (
    CLICKS,
    CONVERSIONS,
    EVENTS,
    IMPRESSIONS,
    MOMENT,
    NAME,
    ORDERS,
    PLACE,
    SECONDS,
    SESSIONS,
    SHARE,
    Section,
    unit,
)

REC_IDS: Final = unit("rec_ids")


class Events(Section):
    """How many events there are."""

    events: Annotated[int, EVENTS]
    """Events in the tables, each id once."""
    first_at: Annotated[datetime | None, MOMENT]
    """When the first of them happened."""
    last_at: Annotated[datetime | None, MOMENT]
    """When the last of them happened."""
    sources: Annotated[int, unit("sources")]
    """Sources that have any."""


class Sessions(Section):
    """How many sessions there are."""

    sessions: Annotated[int, SESSIONS]
    """All sessions."""
    visitors: Annotated[int, unit("visitors")]
    """Visitors who have a session."""
    given: Annotated[int, SESSIONS]
    """Sessions by a `sid` that the events carry."""
    derived: Annotated[int, SESSIONS]
    """Sessions that were derived from pauses between events."""
    converted: Annotated[int, SESSIONS]
    """Sessions with a conversion."""
    over_a_day: Annotated[int, SESSIONS]
    """Sessions longer than 24 hours: a `sid` that comes again."""
    median_seconds: Annotated[float | None, SECONDS]
    """Half of the sessions are shorter; null without sessions."""


class Attribution(Section):
    """How much was attributed."""

    conversions: Annotated[int, CONVERSIONS]
    """Conversions with a converted item."""
    units: Annotated[int, unit("converted items")]
    """Items of conversions, each once a conversion."""
    touches: Annotated[int, unit("touches")]
    """Touches that got a share of a converted item."""


class Orders(Section):
    """Conversions that name their order; a repeat is left out of all sums of values."""

    orders: Annotated[int, ORDERS]
    """Orders, each once."""
    conversions: Annotated[int, CONVERSIONS]
    """Conversions that name an order."""
    repeats: Annotated[int, CONVERSIONS]
    """Conversions that send an order again."""
    repeats_by_another_visitor: Annotated[int, CONVERSIONS]
    """Repeats that came from another visitor than the order."""
    differing: Annotated[int, ORDERS]
    """Orders that came with different items, values or currencies."""


class Recommendations(Section):
    """Health of rec_ids: are they on impressions, are they seen, clicked, and how soon."""

    impressions: Annotated[int, IMPRESSIONS]
    """All impressions."""
    impressions_with_rec_id: Annotated[int, IMPRESSIONS]
    """Impressions that carry a rec_id."""
    rec_ids: Annotated[int, REC_IDS]
    """Different rec_ids."""
    viewed: Annotated[int, REC_IDS]
    """Rec_ids with an impression."""
    clicked: Annotated[int, REC_IDS]
    """Rec_ids with an impression that was clicked."""
    converted: Annotated[int, REC_IDS]
    """Rec_ids with a conversion."""
    timed: Annotated[int, REC_IDS]
    """Rec_ids whose request and first view both have a time."""
    p50_request_to_view_seconds: Annotated[float | None, SECONDS]
    """Half of the timed are seen within this time."""
    p95_request_to_view_seconds: Annotated[float | None, SECONDS]
    """95 % of the timed are seen within this time."""


class NamedCount(Section):
    """A count by name."""

    name: Annotated[str, NAME]
    """What is counted; `(other)` for all but the most frequent."""
    count: Annotated[int, unit("as the list says")]
    """How many there are."""


class CurrencyValue(Section):
    """The value of conversions in one currency."""

    currency: Annotated[str, unit("currency code")]
    """Three letters, empty without currency, `(other)` for what is not a code."""
    conversions: Annotated[int, CONVERSIONS]
    """Conversions with a value in it."""
    value: Annotated[str | None, unit("amount of the currency, decimal text")]
    """Sum of their values, exact; null where currencies are mixed."""


class Link(Section):
    """Events by the status of a link, or clicks by how their impression was found."""

    source: Annotated[str, NAME]
    """The source; `(all)` for all together."""
    link: Annotated[str, NAME]
    """page_view, module_view, impression, or click_match."""
    status: Annotated[str, NAME]
    """resolved, dangling or absent; of click_match the method."""
    event_count: Annotated[int, EVENTS]
    """Events with this status."""
    share_of_link: Annotated[float, SHARE]
    """Their share of all events of the link."""


class Rank(Section):
    """Impressions at a rank, their click-through rate and its 95 % interval (Wilson)."""

    rank: Annotated[int, PLACE]
    """Place in the list."""
    impression_count: Annotated[int, IMPRESSIONS]
    """Impressions at this rank."""
    clicked_impression_count: Annotated[int, CLICKS]
    """Impressions among them that were clicked."""
    ctr: Annotated[float, SHARE]
    """clicked_impression_count / impression_count."""
    ctr_low: Annotated[float, SHARE]
    """Lower end of the interval."""
    ctr_high: Annotated[float, SHARE]
    """Upper end of the interval."""


class FunnelStep(Section):
    """Sessions that reach a step."""

    step: Annotated[str, NAME]
    """The step."""
    step_number: Annotated[int, PLACE]
    """Its place in the funnel."""
    session_count: Annotated[int, SESSIONS]
    """Sessions that reach it."""
    share_of_first: Annotated[float | None, SHARE]
    """Their share of all sessions."""
    share_of_previous: Annotated[float | None, SHARE]
    """Their share of those that reach the step before."""
