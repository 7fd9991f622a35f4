"""Reports: the part of the document on what is new since another report."""

from datetime import datetime
from typing import Annotated

from sequen_dagster.reports.document.section import (
    EVENTS,
    LIST,
    MOMENT,
    NAME,
    ROWS,
    TEXT,
    Section,
    unit,
)


class NumberChange(Section):
    """A number that is another one than in the report before."""

    source: Annotated[str, NAME]
    """The source; `(all)` for all together."""
    name: Annotated[str, NAME]
    """The tier, attribute or rule."""
    before: Annotated[float | None, unit("score, share or records, as the list says")]
    """The number then; null where there was none."""
    after: Annotated[float | None, unit("score, share or records, as the list says")]
    """The number now."""
    note: Annotated[str, TEXT]
    """What it means: a tier that was reached or lost, or the attribute's new status."""


class Changes(Section):
    """What is new since another report."""

    since: Annotated[datetime, MOMENT]
    """When the other report was made."""
    events_before: Annotated[int, EVENTS]
    """Events then."""
    events_after: Annotated[int, EVENTS]
    """Events now."""
    tiers: Annotated[list[NumberChange], ROWS]
    """Tiers whose score changed."""
    attributes: Annotated[list[NumberChange], ROWS]
    """Attributes whose coverage moved by half a point, or whose status changed."""
    rules: Annotated[list[NumberChange], ROWS]
    """Rules whose count of quarantined records changed."""
    new_names: Annotated[list[str], LIST]
    """Event types and custom fields that are new; 30 at most."""
    gone_names: Annotated[list[str], LIST]
    """Event types and custom fields that are gone; 30 at most."""
