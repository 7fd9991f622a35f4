"""Reports: the numbers of the report, computed once; every rendering starts from them.

In: the published snapshot. Out: a `Report`, written as `serving/report.json`.
"""

import json
from datetime import datetime
from importlib.metadata import version
from math import sqrt
from typing import Any, Final

import duckdb

from sequen_dagster.contract.conflicts import is_too_many
from sequen_dagster.contract.hints import describe_hint
from sequen_dagster.contract.validate import CONTRACT_VERSION
from sequen_dagster.errors import ReportError
from sequen_dagster.lake.ingest import ValidationRules
from sequen_dagster.reports import queries
from sequen_dagster.reports.document.completeness import UNLOCKS
from sequen_dagster.reports.document.report import REPORT_VERSION, Report
from sequen_dagster.reports.near_names import near_misses
from sequen_dagster.reports.publish import read_rows, snapshot_path
from sequen_dagster.runtime.redaction import without_values
from sequen_dagster.settings import RULES_VERSION, SequenSettings

_SHOWN_PATHS: Final = 5
_Z_95: Final = 1.959964

Rows = list[dict[str, Any]]  # Any: what a query gives; the report's form checks it
Summary = dict[str, Any]  # Any: the report as JSON


def summarize(settings: SequenSettings, *, made_at: datetime, run_id: str | None = None) -> Report:
    """Compute the report from the published snapshot.

    Args:
        settings: the home.
        made_at: now, UTC.
        run_id: of Dagster's run that makes the report.

    Returns:
        The report, without what is new in it.

    Raises:
        ReportError: nothing is published yet, or it is of an older release.
    """
    path = snapshot_path(settings)
    if not path.exists():
        message = f"Nothing is published in {str(path.parent)!r}. Run `sequen-dagster run` first."
        raise ReportError(message)
    with (
        without_values(),
        duckdb.connect(
            path, read_only=True, config={"memory_limit": settings.memory_limit}
        ) as snapshot,
    ):
        try:
            sections = _sections(snapshot, settings)
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
        "contract_fingerprint": ValidationRules.of(settings).fingerprint,
        "marts_fingerprint": settings.marts_fingerprint(),
    }
    return Report.model_validate({"report_version": REPORT_VERSION, "made": made, **sections})


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a share, which holds for few trials and for shares near 0 and 1 as well.

    Args:
        successes: how many.
        trials: of how many, at least 1.

    Returns:
        Both ends.

    Example:
        >>> [round(end, 4) for end in wilson_interval(0, 10)]
        [0.0, 0.2775]
    """
    share = successes / trials
    centre = share + _Z_95**2 / (2 * trials)
    spread = _Z_95 * sqrt(share * (1 - share) / trials + _Z_95**2 / (4 * trials**2))
    scale = 1 + _Z_95**2 / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def masked(value: str) -> str:
    """A value of which only the first and last letter and the length are shown.

    Example:
        >>> masked("user-4432"), masked("abc")
        ('u***2 (9 characters)', '*** (3 characters)')
    """
    shown = f"{value[0]}***{value[-1]}" if len(value) > 3 else "***"
    return f"{shown} ({len(value)} characters)"


def _sections(snapshot: duckdb.DuckDBPyConnection, settings: SequenSettings) -> Summary:
    sections: Summary = {
        name: read_rows(snapshot, query)[0] for name, query in queries.SINGLE.items()
    }
    sections |= {name: read_rows(snapshot, query) for name, query in queries.LISTS.items()}
    for one in sections["conflicts"]:
        one["is_too_many"] = is_too_many(one["conflicting_records"], one["accepted_records"])
    for tier in sections["tiers"]:
        tier["unlocks"] = UNLOCKS[tier["tier"]]
    for fix in sections["fixes"]:
        fix["unlocks"] = UNLOCKS[fix["tier"]]
        fix["example"] = json.loads(fix["example"]) if fix["example"] else None
    for hint in sections["hints"]:
        hint["text"] = describe_hint(hint["hint"])
    for rank in sections["ranks"]:
        low, high = wilson_interval(rank["clicked_impression_count"], rank["impression_count"])
        rank |= {"ctr_low": low, "ctr_high": high}
    for field in sections["catalog"]:
        field["samples"] = _samples(snapshot, field, settings.report_samples)
    sections["inputs"]["latest"] = read_rows(snapshot, queries.LATEST_FILES)
    sections["near_misses"] = near_misses(snapshot, sections["fields"])
    stale = snapshot.execute(queries.STALE, [ValidationRules.of(settings).fingerprint]).fetchall()
    paths = [path for (path,) in stale]
    sections["stale"] = {"batches": len(paths), "paths": paths[:_SHOWN_PATHS]}
    return sections


def _samples(snapshot: duckdb.DuckDBPyConnection, field: dict[str, Any], count: int) -> list[str]:
    if not count:
        return []
    flat = "/" + field["field"].replace("~", "~0").replace("/", "~1")
    nested = flat.replace(".", "/")
    values = snapshot.execute(queries.SAMPLES, [flat, nested, field["type"], count]).fetchall()
    return [masked(value) for (value,) in values]
