"""Reports: whose coverage by day is worth a picture.

In: the report's coverage by day and its attributes. Out: what is drawn, and what is only listed.
"""

from dataclasses import dataclass
from typing import Any

from sequen_dagster.reports.differences import find_difference

Rows = list[dict[str, Any]]  # Any: rows of the report's JSON


@dataclass(frozen=True)
class Trends:
    """Attributes by what their coverage did from day to day.

    Attributes:
        drawn: coverage by day of those that changed or are below their threshold.
        steady: attributes that are complete and did not change.
        absent: attributes that no event carries on any day.
    """

    drawn: Rows
    steady: Rows
    absent: Rows


def select_trends(coverage_by_day: Rows, attributes: Rows) -> Trends:
    """Pick the attributes whose coverage by day says something.

    Args:
        coverage_by_day: the report's rows.
        attributes: the report's rows; those of all sources together count.

    Returns:
        What is drawn, and the attributes that are not.
    """
    days: dict[str, Rows] = {}
    for row in coverage_by_day:
        days.setdefault(row["attribute"], []).append(row)
    drawn: Rows = []
    steady: Rows = []
    absent: Rows = []
    for attribute in attributes:
        its_days = days.get(attribute["attribute"], [])
        if attribute["source"] != "(all)" or attribute["is_waived"]:
            continue
        if not any(day["carrying"] for day in its_days):
            absent.append(attribute)
        elif attribute["status"] != "complete" or find_difference(
            [(day["carrying"], day["applicable"]) for day in its_days]
        ):
            drawn += its_days
        else:
            steady.append(attribute)
    return Trends(drawn, steady, absent)
