"""Reports: what is new in a report since another one."""

from collections.abc import Iterable
from typing import Final

from sequen_dagster.reports.document.comparison import Changes, NumberChange
from sequen_dagster.reports.document.completeness import Attribute, Tier
from sequen_dagster.reports.document.report import Report

_LEAST_MOVE: Final = 0.005
_SHOWN_NAMES: Final = 30


def changes_since(before: Report, after: Report) -> Changes:
    """Compare two reports of one home.

    Coverage is reported where it moved by half a point, or where the status is another one.

    Args:
        before: the older report.
        after: the newer one.

    Returns:
        What changed; empty lists where nothing did.
    """
    names_before, names_after = _list_names(before), _list_names(after)
    return Changes(
        since=before.made.at,
        events_before=before.events.events,
        events_after=after.events.events,
        tiers=_compare_tiers(before.tiers, after.tiers),
        attributes=_compare_attributes(before.attributes, after.attributes),
        rules=_compare_rules(before, after),
        new_names=sorted(names_after - names_before)[:_SHOWN_NAMES],
        gone_names=sorted(names_before - names_after)[:_SHOWN_NAMES],
    )


def _compare_tiers(before: Iterable[Tier], after: Iterable[Tier]) -> list[NumberChange]:
    known = {(tier.source, tier.tier): tier for tier in before}
    changes = []
    for tier in after:
        old = known.get((tier.source, tier.tier))
        is_same = old and (old.is_reached, old.score) == (tier.is_reached, tier.score)
        if not is_same:
            note = ""
            if tier.is_reached != bool(old and old.is_reached):
                note = "reached" if tier.is_reached else "lost"
            score = old.score if old else None
            changes.append(_make_change(tier.source, tier.tier, score, tier.score, note))
    return changes


def _compare_attributes(
    before: Iterable[Attribute], after: Iterable[Attribute]
) -> list[NumberChange]:
    known = {(one.source, one.attribute): one for one in before}
    changes = []
    for one in after:
        old = known.get((one.source, one.attribute))
        status = old.status if old else None
        coverage = old.coverage if old else None
        moved = abs((one.coverage or 0.0) - (coverage or 0.0)) >= _LEAST_MOVE
        if one.status != status or moved:
            note = one.status if one.status != status else ""
            changes.append(_make_change(one.source, one.attribute, coverage, one.coverage, note))
    return changes


def _compare_rules(before: Report, after: Report) -> list[NumberChange]:
    old = {row.rule: row.records for row in before.quarantined_by_rule}
    new = {row.rule: row.records for row in after.quarantined_by_rule}
    return [
        _make_change("(all)", rule, old.get(rule, 0), new.get(rule, 0), "")
        for rule in sorted(old.keys() | new.keys())
        if old.get(rule, 0) != new.get(rule, 0)
    ]


def _make_change(
    source: str, name: str, before: float | None, after: float | None, note: str
) -> NumberChange:
    return NumberChange(source=source, name=name, before=before, after=after, note=note)


def _list_names(report: Report) -> set[str]:
    """Event types and custom fields, as far as the reports show them."""
    types = {row.name for row in report.events_by_type}
    return types | {f"{row.type}.{row.field}" for row in report.catalog}
