"""Reports: what the data is ready for, in the words of the page.

In: the report's requirements. Out: one entry a use of the data, with the one thing it lacks.
"""

from dataclasses import dataclass
from typing import Any, Final

from sequen_dagster.reports.rendering import count, metric

_TITLES: Final = {
    "behavior_based_ranking": "Behavior-based ranking",
    "dynamic_re_ranking": "Dynamic re-ranking",
    "session_aware_personalization": "Session-aware personalization",
}

Rows = list[dict[str, Any]]  # Any: rows of the report's JSON


@dataclass(frozen=True)
class UseCase:
    """A use of the data: ready or not, by which counts, and what to do next.

    Attributes:
        title: its name.
        is_ready: whether all requirements are met.
        requirements: the report's rows, in the order in which to meet them.
        missing: the one thing to do next; empty where it is ready.
    """

    title: str
    is_ready: bool
    requirements: tuple[dict[str, Any], ...]  # Any: the report's JSON
    missing: str


def group_use_cases(readiness: Rows) -> list[UseCase]:
    """Bring the requirements of all sources together into one entry a use of the data.

    Args:
        readiness: the report's rows.

    Returns:
        The uses, in the order of the report.
    """
    rows = [row for row in readiness if row["source"] == "(all)"]
    return [
        _describe([row for row in rows if row["use_case"] == name])
        for name in dict.fromkeys(row["use_case"] for row in rows)
    ]


def _describe(rows: Rows) -> UseCase:
    name = rows[0]["use_case"]
    first = next((row for row in rows if row["is_first_missing"]), None)
    return UseCase(
        title=_TITLES.get(name, name.replace("_", " ").capitalize()),
        is_ready=rows[0]["is_ready"],
        requirements=tuple(rows),
        missing=_describe_missing(first) if first else "",
    )


def _describe_missing(row: dict[str, Any]) -> str:  # Any: the report's JSON
    if row["have_count"] and row["share"] >= row["threshold"]:
        # Each is as it should be: only time helps.
        have, needed = count(row["have_count"]), count(row["min_count"])
        return f"More {metric(row['metric'])}: {have} of at least {needed} so far."
    return str(row["missing"])
