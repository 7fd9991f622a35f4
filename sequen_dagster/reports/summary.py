"""Reports: the numbers of the report, computed once; every rendering starts from them.

In: the published snapshot. Out: a `Report`, written as `serving/report.json`.
"""

import json
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import duckdb

from sequen_dagster.contract.conflict_texts import is_too_many
from sequen_dagster.contract.hints import describe_hint
from sequen_dagster.contract.remedies import describe_remedies, describe_remedy
from sequen_dagster.contract.version import CONTRACT_VERSION
from sequen_dagster.errors import ReportError
from sequen_dagster.reports import queries
from sequen_dagster.reports.differences import wilson_interval
from sequen_dagster.reports.document.report import Report
from sequen_dagster.reports.listing import list_files
from sequen_dagster.reports.near_names import near_misses
from sequen_dagster.reports.options import ReportOptions
from sequen_dagster.reports.reading import REPORT_VERSION
from sequen_dagster.reports.rows import read_rows
from sequen_dagster.runtime.redaction import without_values
from sequen_dagster.settings import RULES_VERSION
from sequen_dagster.settings.completeness import UNLOCKS

_SHOWN_PATHS: Final = 5

Rows = list[dict[str, Any]]  # Any: what a query gives; the report's form checks it
Summary = dict[str, Any]  # Any: the report as JSON


def summarize(
    path: Path, options: ReportOptions, *, made_at: datetime, run_id: str | None = None
) -> Report:
    """Compute the report from the published snapshot.

    Args:
        path: the published snapshot.
        options: from `report_options`.
        made_at: now, UTC.
        run_id: of Dagster's run that makes the report.

    Returns:
        The report, without what is new in it.

    Raises:
        ReportError: nothing is published yet, or it is of an older release.
    """
    if not path.exists():
        message = f"Nothing is published in {str(path.parent)!r}. Run `sequen-dagster run` first."
        raise ReportError(message)
    with (
        without_values(),
        duckdb.connect(
            path, read_only=True, config={"memory_limit": options.memory_limit}
        ) as snapshot,
    ):
        try:
            sections = _read_sections(snapshot, options)
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            message = (
                f"The snapshot {str(path)!r} was published by another release. "
                "Run `sequen-dagster run` first."
            )
            raise ReportError(message) from error
    made = {
        "at": made_at.replace(microsecond=0),
        "zone": "UTC",
        "run_id": run_id,
        "sequen_dagster": version("sequen-dagster"),
        "duckdb": duckdb.__version__,
        "rules_version": RULES_VERSION,
        "contract_version": CONTRACT_VERSION,
        "contract_fingerprint": options.contract_fingerprint,
        "marts_fingerprint": options.marts_fingerprint,
    }
    return Report.model_validate(
        {"report_version": REPORT_VERSION, "made": made, "files": list_files(), **sections}
    )


def mask(value: str) -> str:
    """A value of which only the first and last letter and the length are shown.

    Example:
        >>> mask("user-4432"), mask("abc")
        ('u***2 (9 characters)', '*** (3 characters)')
    """
    shown = f"{value[0]}***{value[-1]}" if len(value) > 3 else "***"
    return f"{shown} ({len(value)} characters)"


def _read_sections(snapshot: duckdb.DuckDBPyConnection, options: ReportOptions) -> Summary:
    sections: Summary = {
        name: read_rows(snapshot, query)[0] for name, query in queries.SINGLE.items()
    }
    sections |= {name: read_rows(snapshot, query) for name, query in queries.LISTS.items()}
    for one in sections["conflicts"]:
        one["is_too_many"] = is_too_many(one["conflicting_records"], one["accepted_records"])
    for tier in sections["tiers"]:
        tier["unlocks"] = UNLOCKS[tier["tier"]]
        tier["min_accepted_share"] = options.min_accepted_share
    for fix in sections["fixes"]:
        fix["unlocks"] = UNLOCKS[fix["tier"]]
        fix["example"] = json.loads(fix["example"]) if fix["example"] else None
    for files in sections["unread_files"]:
        files["fix"] = describe_remedy(files["rule"])
    for fix in sections["quarantine_fixes"]:
        fix["fix"] = describe_remedies(fix["rules"])
    for hint in sections["hints"]:
        hint["text"] = describe_hint(hint["hint"])
    for rank in sections["ranks"]:
        low, high = wilson_interval(rank["clicked_impression_count"], rank["impression_count"])
        rank |= {"ctr_low": low, "ctr_high": high}
    for field in sections["catalog"]:
        field["samples"] = _read_samples(snapshot, field, options.sample_count)
    sections["inputs"]["latest"] = read_rows(snapshot, queries.LATEST_FILES)
    sections["near_misses"] = near_misses(snapshot, sections["fields"])
    stale = snapshot.execute(queries.STALE, [options.contract_fingerprint]).fetchall()
    paths = [path for (path,) in stale]
    sections["stale"] = {"batches": len(paths), "paths": paths[:_SHOWN_PATHS]}
    return sections


def _read_samples(
    snapshot: duckdb.DuckDBPyConnection, field: dict[str, Any], count: int
) -> list[str]:
    if not count:
        return []
    flat = "/" + field["field"].replace("~", "~0").replace("/", "~1")
    nested = flat.replace(".", "/")
    values = snapshot.execute(queries.SAMPLES, [flat, nested, field["type"], count]).fetchall()
    return [mask(value) for (value,) in values]
