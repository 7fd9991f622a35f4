"""Reports: the document as a whole, and its JSON Schema."""

from datetime import datetime
from typing import Annotated, Any, Literal

from sequen_dagster.reports.document.behavior import (
    Attribution,
    CurrencyValue,
    Events,
    FunnelStep,
    Link,
    NamedCount,
    Orders,
    Rank,
    Recommendations,
    Sessions,
)
from sequen_dagster.reports.document.comparison import Changes
from sequen_dagster.reports.document.completeness import (
    Attribute,
    Breakdown,
    CustomField,
    DayCoverage,
    FieldCoverage,
    Fix,
    NearMiss,
    QuarantineFix,
    Requirement,
    Tier,
)
from sequen_dagster.reports.document.files import ReportFile
from sequen_dagster.reports.document.intake import (
    Conflicts,
    DayFiles,
    FileHint,
    Freshness,
    Inputs,
    Lateness,
    RecordCounts,
    RuleCount,
    Stale,
    Step,
    UnreadFiles,
    Volume,
    VolumeDrop,
)
from sequen_dagster.reports.document.section import (
    HASH,
    MOMENT,
    NAME,
    ROWS,
    SECTION,
    VERSION,
    Section,
)


class Made(Section):
    """By what, when and from what the report was made; times are UTC."""

    at: Annotated[datetime, MOMENT]
    """When it was made."""
    zone: Annotated[Literal["UTC"], NAME]
    """The time zone of all days and times."""
    run_id: Annotated[str | None, NAME]
    """Dagster's run that made it; null from the command line."""
    sequen_dagster: Annotated[str, VERSION]
    """Version of this package."""
    duckdb: Annotated[str, VERSION]
    """Version of DuckDB."""
    rules_version: Annotated[int, VERSION]
    """Version of the rules of the tables."""
    contract_version: Annotated[int, VERSION]
    """Version of the rules of the contract."""
    contract_fingerprint: Annotated[str, HASH]
    """Hash of the contract: its rules and the limits of reading."""
    marts_fingerprint: Annotated[str, HASH]
    """Hash of the settings that change tables."""


class Report(Section):
    """Everything that the report says, computed once."""

    report_version: Annotated[int, VERSION]
    """Version of this form; it rises when a property changes its name or meaning."""
    made: Annotated[Made, SECTION]
    """By what, when and from what the report was made."""
    inputs: Annotated[Inputs, SECTION]
    """The files that the tables are made of."""
    stale: Annotated[Stale, SECTION]
    """Batches that `sequen-dagster replay --stale` would validate again."""
    record_counts: Annotated[RecordCounts, SECTION]
    """What became of every record of the current files."""
    flow: Annotated[list[Step], ROWS]
    """What is left after each step of the pipeline."""
    events: Annotated[Events, SECTION]
    """The events in the tables."""
    sessions: Annotated[Sessions, SECTION]
    """The sessions that they belong to."""
    attribution: Annotated[Attribution, SECTION]
    """What conversions are attributed to, as counts."""
    orders: Annotated[Orders, SECTION]
    """Orders, and those that were sent again."""
    recommendations: Annotated[Recommendations, SECTION]
    """Health of rec_ids."""
    tiers: Annotated[list[Tier], ROWS]
    """Tiers of the recent period, by source and of all sources together."""
    attributes: Annotated[list[Attribute], ROWS]
    """Attributes of the recent period, by source and of all sources together."""
    fixes: Annotated[list[Fix], ROWS]
    """What fixing each incomplete attribute gains, by source, the best first."""
    unread_files: Annotated[list[UnreadFiles], ROWS]
    """Current files that could not be read as a whole, by rule, the most bytes first."""
    quarantine_fixes: Annotated[list[QuarantineFix], ROWS]
    """What keeping the rules gains that records break, by source; 51 of a source at most."""
    readiness: Annotated[list[Requirement], ROWS]
    """What each use of the data asks for, and whether it is met, by source."""
    conflicts: Annotated[list[Conflicts], ROWS]
    """Sources with ids that stand for different events."""
    quarantined_by_rule: Annotated[list[RuleCount], ROWS]
    """Quarantined records by the rule they break, the most first."""
    warnings: Annotated[list[RuleCount], ROWS]
    """Records by the warning they raise; they are accepted all the same."""
    events_by_type: Annotated[list[NamedCount], ROWS]
    """Events by type, the most frequent first."""
    clicks_by_match_method: Annotated[list[NamedCount], ROWS]
    """Clicks by how their impression was found."""
    units_by_basis: Annotated[list[NamedCount], ROWS]
    """Converted items by what they are attributed to."""
    value_by_currency: Annotated[list[CurrencyValue], ROWS]
    """Value of conversions by currency, each order once."""
    repeated_value_by_currency: Annotated[list[CurrencyValue], ROWS]
    """Value of the conversions that repeat an order, by currency."""
    fields: Annotated[list[FieldCoverage], ROWS]
    """Reserved fields by source and event type, of the most frequent types."""
    breakdowns: Annotated[list[Breakdown], ROWS]
    """Attributes and fields by the values of the breakdowns; 2,000 at most."""
    volumes: Annotated[list[Volume], ROWS]
    """Events by day and type, of the latest 92 days."""
    files_by_day: Annotated[list[DayFiles], ROWS]
    """Files by the day on which they arrived, the latest first."""
    coverage_by_day: Annotated[list[DayCoverage], ROWS]
    """Coverage of each attribute by day, of the latest 92 days."""
    links: Annotated[list[Link], ROWS]
    """Events by the status of each link, and clicks by how their impression was found."""
    ranks: Annotated[list[Rank], ROWS]
    """Click-through rate by rank, of the first 20 ranks."""
    funnel: Annotated[list[FunnelStep], ROWS]
    """Sessions that reach each step of the funnel."""
    lateness: Annotated[list[Lateness], ROWS]
    """How long events take to arrive, by source and type."""
    catalog: Annotated[list[CustomField], ROWS]
    """Custom fields, those that drift first; 200 at most."""
    near_misses: Annotated[list[NearMiss], ROWS]
    """What comes near a name of the schema and is not read as it."""
    hints: Annotated[list[FileHint], ROWS]
    """What files look like whose records fail together."""
    volume_drops: Annotated[list[VolumeDrop], ROWS]
    """Sources and types that are far below their usual weekday."""
    freshness: Annotated[list[Freshness], ROWS]
    """The latest event and file of each source."""
    files: Annotated[list[ReportFile], ROWS]
    """The files that were written with the report, beside `report.json`."""
    changes: Annotated[Changes | None, SECTION] = None
    """What is new since another report; null where there is none to compare with."""


def report_schema() -> dict[str, Any]:  # Any: JSON Schema
    """The JSON Schema of `report.json`."""
    schema = Report.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
