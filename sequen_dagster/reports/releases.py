"""Reports: what differs between the values of a breakdown, such as the app's releases.

In: the report's breakdowns. Out: tables for the page, with what differs first.
"""

from dataclasses import dataclass
from typing import Any

from sequen_dagster.reports.differences import Difference, find_difference

Rows = list[dict[str, Any]]  # Any: rows of the report's JSON


@dataclass(frozen=True)
class ReleaseRow:
    """A field or attribute across the values of a breakdown.

    Attributes:
        name: the attribute or reserved field.
        type: type of the events; None for attributes.
        shares: the report's rows by column, None where there is none.
        difference: what differs by more than chance, if anything.
    """

    name: str
    type: str | None
    shares: tuple[dict[str, Any] | None, ...]  # Any: a row of the report's JSON
    difference: Difference | None


@dataclass(frozen=True)
class ReleaseTable:
    """A breakdown: what differs, what does not, and what no event carries.

    Attributes:
        breakdown: the custom field.
        columns: its values.
        differing: rows that differ, the largest difference first.
        alike: the other rows that any event carries.
        absent: types by the field that none of their events carries, whatever the value.
    """

    breakdown: str
    columns: tuple[str, ...]
    differing: tuple[ReleaseRow, ...]
    alike: tuple[ReleaseRow, ...]
    absent: dict[str, list[str]]


def compare_releases(breakdowns: Rows) -> list[ReleaseTable]:
    """Sort what the report says of each breakdown by whether it differs between its values.

    Args:
        breakdowns: the report's rows.

    Returns:
        A table a breakdown.
    """
    names = dict.fromkeys(row["breakdown"] for row in breakdowns)
    return [
        _compare(name, [row for row in breakdowns if row["breakdown"] == name]) for name in names
    ]


def _compare(breakdown: str, rows: Rows) -> ReleaseTable:
    columns = tuple(sorted({row["value"] for row in rows}))
    by_value: dict[tuple[str | None, str], dict[str, Any]] = {}  # Any: as above
    for row in rows:
        by_value.setdefault((row["type"], row["name"]), {})[row["value"]] = row
    compared = []
    absent: dict[str, list[str]] = {}
    for (event_type, name), found in by_value.items():
        if event_type is not None and not any(row["carrying_events"] for row in found.values()):
            absent.setdefault(name, []).append(event_type)
            continue
        shares = tuple(found.get(value) for value in columns)
        difference = find_difference(
            [(one["carrying_events"], one["event_count"]) if one else None for one in shares]
        )
        compared.append(ReleaseRow(name, event_type, shares, difference))
    differing = [row for row in compared if row.difference]
    differing.sort(key=lambda row: -row.difference.points if row.difference else 0)
    alike = tuple(row for row in compared if not row.difference)
    return ReleaseTable(breakdown, columns, tuple(differing), alike, absent)
