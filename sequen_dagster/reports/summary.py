"""Reports: the numbers of the report, computed once; every rendering starts from them.

In: the published snapshot. Out: a plain dictionary, written as `serving/report.json`.
"""

import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import duckdb

from sequen_dagster.checkpoints import checkpoint
from sequen_dagster.contract.contract import CONTRACT_VERSION
from sequen_dagster.lake.commits import fsync_folder
from sequen_dagster.lake.ingest import contract_fingerprint
from sequen_dagster.lake.storage import writing
from sequen_dagster.reports.publish import serving_dir, snapshot_path
from sequen_dagster.settings import RULES_VERSION, SequenSettings

REPORT_VERSION: Final = 1
_SHOWN_PATHS: Final = 5

Summary = dict[str, Any]  # Any: JSON; the queries below say what is where

# One query a section. `(all)` stands for all sources together, `(other)` for what is no currency's
# code, since a field that somebody filled may hold anything, and for types beyond the first 50.
_QUERIES: Final = {
    "books": """
        select count(*) as files, coalesce(sum(records_read), 0)::bigint as records_read,
            coalesce(sum(accepted), 0)::bigint as accepted,
            coalesce(sum(quarantined), 0)::bigint as quarantined,
            coalesce(sum(skipped), 0)::bigint as skipped,
            coalesce(sum(blank_lines), 0)::bigint as blank_lines,
            coalesce(sum(duplicate_records), 0)::bigint as duplicate_records,
            coalesce(sum(conflicting_records), 0)::bigint as conflicting_records
        from rpt_batches where is_current
    """,
    "quarantined_by_rule": """
        select rule, sum(records)::bigint as records
        from rpt_violations where is_current and severity = 'error'
        group by rule order by records desc, rule
    """,
    "warnings": """
        select rule, sum(records)::bigint as records
        from rpt_violations where is_current and severity = 'warning'
        group by rule order by records desc, rule
    """,
    "events_by_type": """
        with types as (
            select type, count(*) as events,
                row_number() over (order by count(*) desc, type) <= 50 as is_shown
            from fct_events group by type
        )
        select if(is_shown, type, '(other)') as type, sum(events)::bigint as events
        from types group by is_shown, 1 order by is_shown desc, events desc, type
    """,
    "events": """
        select count(*) as events, min(original_timestamp) as first_at,
            max(original_timestamp) as last_at, count(distinct source) as sources
        from fct_events
    """,
    "sessions": """
        select count(*) as sessions, count(distinct visitor_key) as visitors,
            count(*) filter (where session_source = 'given') as given,
            count(*) filter (where session_source = 'derived') as derived,
            count(*) filter (where is_converted) as converted,
            median(duration_seconds)::double as median_seconds
        from fct_sessions
    """,
    "clicks_by_match_method": """
        select match_method, count(*) as clicks
        from fct_clicks group by match_method order by clicks desc, match_method
    """,
    "attribution": """
        select count(distinct conversion_id) as conversions,
            count(distinct (conversion_id, item_id)) as units,
            count(*) filter (where touch_id <> '') as touches
        from fct_attributions
    """,
    "units_by_basis": """
        select basis, count(distinct (conversion_id, item_id)) as units
        from fct_attributions group by basis order by units desc, basis
    """,
    "value_by_currency": """
        with codes as (
            select value, regexp_full_match(coalesce(currency, ''), '([A-Za-z]{3})?') as is_code,
                if(is_code, coalesce(currency, ''), '(other)') as currency
            from fct_conversions where value is not null
        )
        select currency, count(*) as conversions,
            if(bool_and(is_code), sum(value)::varchar, null) as value
        from codes group by currency order by conversions desc, currency
    """,
    "tiers": """
        select * from rpt_completeness_tiers where period = 'recent' order by source, tier
    """,
    "attributes": """
        select * from rpt_completeness_attributes where period = 'recent'
        order by source, attribute
    """,
    "links": "select * from rpt_links order by source, link, status",
    "ranks": "select * from rpt_ranks where source = '(all)' order by rank limit 10",
    "funnel": "select * from rpt_funnel where source = '(all)' order by step_number",
}
_SINGLE: Final = ("books", "events", "sessions", "attribution")


def summarize(settings: SequenSettings) -> Summary:
    """Compute the report from the published snapshot.

    Returns:
        The report's numbers; texts and numbers only, no value of an event.
    """
    summary: Summary = {
        "report_version": REPORT_VERSION,
        "made_by": {
            "sequen_dagster": version("sequen-dagster"),
            "rules_version": RULES_VERSION,
            "contract_version": CONTRACT_VERSION,
            "marts_fingerprint": settings.marts_fingerprint(),
        },
    }
    with duckdb.connect(snapshot_path(settings), read_only=True) as snapshot:
        for section, query in _QUERIES.items():
            result = snapshot.execute(query)
            names = [column[0] for column in result.description]
            rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
            summary[section] = rows[0] if section in _SINGLE else rows
        summary["stale"] = _stale(snapshot, contract_fingerprint(settings))
    return summary


def _stale(snapshot: duckdb.DuckDBPyConnection, judge: str) -> Summary:
    """How many batches another contract has judged, and the paths of the first few."""
    paths = snapshot.execute(
        "select path from rpt_batches where is_current and contract_fingerprint <> ?"
        " order by source, path",
        [judge],
    ).fetchall()
    return {"batches": len(paths), "paths": [path for (path,) in paths[:_SHOWN_PATHS]]}


def write_report(settings: SequenSettings, summary: Summary) -> Path:
    """Write `serving/report.json`, replacing the old one in one step."""
    target = serving_dir(settings) / "report.json"
    write_in_place(target, json.dumps(summary, indent=2, default=str) + "\n")
    return target


def write_in_place(target: Path, text: str) -> None:
    """Replace a text file so that readers see the old or the new one, never a part.

    Raises:
        StorageError: it cannot be written; the old one is still in place.
    """
    unfinished = target.with_name(f".{target.name}.tmp")
    with writing(f"the file {target.name}", target.parent, about_bytes=len(text)):
        try:
            with unfinished.open("w", encoding="utf-8") as handle:
                handle.write(text)
                handle.flush()
                os.fsync(handle.fileno())
            checkpoint("reports.report_written", target.name)
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
        fsync_folder(target.parent)
    checkpoint("reports.report_replaced", target.name)
