"""Reports: the checks of `completeness_report`: which tier is reached, whether ids are unique.

In: the report as JSON. Out: a result for each check, whose description says, in Markdown, what is
wrong, where in the report, and what to do next.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import dagster as dg

from sequen_dagster.contract.conflict_texts import MAX_CONFLICTING_PERCENT
from sequen_dagster.reports.rendering import (
    describe_conflict,
    describe_need,
    name,
    overall,
    percent,
    score,
    whole_percent,
)
from sequen_dagster.runtime.text import as_code, bulleted, counted
from sequen_dagster.settings.completeness import TIERS, UNLOCKS

IDS_ARE_UNIQUE: Final = "ids_are_unique"


def report_checks(asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """The checks of `completeness_report`.

    Args:
        asset: its key.
    """
    tiers = [
        dg.AssetCheckSpec(
            f"tier_{tier}",
            asset=asset,
            description=f"Reached by all sources together. It {UNLOCKS[tier]}.",
        )
        for tier in TIERS
    ]
    ids_are_unique = dg.AssetCheckSpec(
        IDS_ARE_UNIQUE,
        asset=asset,
        description=(
            f"Of no source more than {MAX_CONFLICTING_PERCENT} % of the accepted records "
            "lost to another event with the same id."
        ),
    )
    return [*tiers, ids_are_unique]


def check_report(
    names: Iterable[str],
    numbers: dict[str, Any],  # Any: the report's JSON
    page: Path,
) -> Iterator[dg.AssetCheckResult]:
    """Evaluate checks by a report.

    Args:
        names: which checks.
        numbers: the report as JSON.
        page: the report's page, which says more.

    Returns:
        A result for each of them, in the order of `report_checks`.
    """
    wanted = set(names)
    for tier in TIERS:
        if f"tier_{tier}" in wanted:
            yield check_tier(numbers, tier, page)
    if IDS_ARE_UNIQUE in wanted:
        yield check_ids(numbers, page)


def check_tier(
    numbers: dict[str, Any],  # Any: the report's JSON
    tier_name: str,
    page: Path,
) -> dg.AssetCheckResult:
    """Check that a tier is reached by all sources together."""
    tier = next(tier for tier in overall(numbers)["tiers"] if tier["tier"] == tier_name)
    return dg.AssetCheckResult(
        check_name=f"tier_{tier_name}",
        passed=tier["is_reached"],
        # What is not reached yet is not a fault of a run.
        severity=dg.AssetCheckSeverity.WARN,
        description=_describe_tier(numbers, tier, page),
        metadata={
            "score": float(score(tier["score"])),
            "complete_attributes": tier["complete_attribute_count"],
            "attributes": tier["attribute_count"],
            # Cut, not rounded up to what it is not.
            **(
                {}
                if tier["accepted_share"] is None
                else {"accepted_percent": int(10_000 * tier["accepted_share"] + 1e-6) / 100}
            ),
            "blocked_by": dg.MetadataValue.json(tier["blocking_attributes"]),
            "report": dg.MetadataValue.path(str(page)),
        },
    )


def _describe_tier(
    numbers: dict[str, Any],  # Any: the report's JSON
    tier: dict[str, Any],
    page: Path,
) -> str:
    title = tier["tier"].capitalize()
    complete, all_ = tier["complete_attribute_count"], tier["attribute_count"]
    share, needed = percent(tier["accepted_share"]), whole_percent(tier["min_accepted_share"])
    if tier["is_reached"]:
        return (
            f"{title} is reached by all sources together: {complete} of "
            f"{counted(all_, 'attribute')} complete in the recent period, and {share} of the "
            f"records in the current files accepted (needed: {needed})."
        )
    blocking = [
        f"{name(one['attribute'])} ({one['tier']}): {describe_need(one)}"
        for one in numbers["attributes"]
        if one["source"] == "(all)" and one["attribute"] in tier["blocking_attributes"]
    ]
    if tier["accepted_share"] is None:
        blocking.append("no record was read")
    elif not tier["is_accepted_share_met"]:
        blocking.append(
            f"only {share} of the records in the current files are accepted (needed: {needed}, "
            "`min_accepted_percent`)"
        )
    return (
        f"{title} is not reached by all sources together: {complete} of "
        f"{counted(all_, 'attribute')} complete in the recent period, score "
        f"{score(tier['score'])}. What blocks it:\n{bulleted(blocking)}\n\n"
        "What to fix first in the report says how to send each, with an example, and what that "
        f"gains: {page}#fixes"
    )


def check_ids(
    numbers: dict[str, Any],  # Any: the report's JSON
    page: Path,
) -> dg.AssetCheckResult:
    """Check that an id stands for one event, in the current files of every source."""
    conflicts = numbers["conflicts"]
    records = sum(one["conflicting_records"] for one in conflicts)
    lost = [
        f"source {name(one['source'])}: "
        + describe_conflict({**one, "types": list(map(as_code, one["types"]))})
        for one in conflicts
        if one["is_too_many"]
    ]
    accepted = counted(numbers["record_counts"]["accepted"], "accepted record")
    if lost:
        description = (
            f"Ids are not unique:\n{bulleted(lost)}\n\n"
            "Of events with one id only the first is in the tables. Have the producer give every "
            "event an id of its own, or none: then it gets one from its content. Records in the "
            f"report has the numbers ({page}#records), the table `rpt_conflicts` those of every "
            "source."
        )
    elif records:
        description = (
            f"Of {accepted} in the current files {records:,} lost to another event with the same "
            f"id, in no source more than {MAX_CONFLICTING_PERCENT} %."
        )
    else:
        description = (
            f"Of {accepted} in the current files none lost to another event with the same id."
        )
    return dg.AssetCheckResult(
        check_name=IDS_ARE_UNIQUE,
        passed=not lost,
        # The producer has to fix it; the run did all it could.
        severity=dg.AssetCheckSeverity.WARN,
        description=description,
        metadata={
            "conflicting_records": records,
            "conflicting_ids": sum(one["conflicting_ids"] for one in conflicts),
            "sources": dg.MetadataValue.json(
                {one["source"]: percent(one["conflicting_share"]) for one in conflicts}
            ),
            "report": dg.MetadataValue.path(str(page)),
        },
    )
