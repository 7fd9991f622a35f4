"""The checks of the report: what they say, where, and what to do next."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from sequen_dagster.errors import ReportError
from sequen_dagster.home.layout import Home
from sequen_dagster.reports import files
from sequen_dagster.reports.checks import check_ids, check_tier, report_checks
from sequen_dagster.reports.files import WrittenReport
from sequen_dagster.reports.page import _ACTIONS, _EVIDENCE
from sequen_dagster.reports.reading import REPORT_VERSION, read_report
from sequen_dagster.settings import SequenSettings
from sequen_dagster.triggers.failures import root_cause
from support.graphs import report_steps
from support.homes import settings_of

PAGE = Path("/home/serving/report.html")
COMPLETENESS_REPORT = dg.AssetKey("completeness_report")
NAMES = [spec.name for spec in report_checks(COMPLETENESS_REPORT)]
DEVICE = {
    "source": "(all)", "attribute": "device_type", "tier": "good", "kind": "field",
    "status": "partial", "coverage": 0.788, "threshold": 0.95, "carrying_events": 623,
    "applicable_events": 791, "min_events": None,
}  # fmt: skip
CONFLICT = {
    "source": "app", "types": ["click 8"], "accepted_records": 12, "conflicting_records": 8,
    "conflicting_ids": 4, "conflicting_share": 8 / 12, "is_too_many": True,
}  # fmt: skip


def tier(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "source": "(all)", "tier": name, "is_reached": False, "score": 0.666, "accepted_share": 1.0,
        "min_accepted_share": 0.95, "is_accepted_share_met": True, "attribute_count": 6,
        "complete_attribute_count": 5, "blocking_attributes": ["device_type"], **fields,
    }  # fmt: skip


def report(**sections: Any) -> dict[str, Any]:
    return {
        "report_version": REPORT_VERSION,
        "tiers": [tier("good"), tier("better"), tier("best")],
        "attributes": [DEVICE, DEVICE | {"source": "app"}],
        "conflicts": [],
        "record_counts": {"accepted": 1200, "quarantined": 3},
        "events": {"events": 1200},
        "fixes": [],
        "volume_drops": [],
        **sections,
    }


def test_tier_says_what_blocks_it_and_where_the_fix_is() -> None:
    short = tier("good", accepted_share=0.57, is_accepted_share_met=False)

    result = check_tier(report(tiers=[short]), "good", PAGE)

    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert result.description == (
        "Good is not reached by all sources together: 5 of 6 attributes complete in the recent "
        "period, score 0.66. What blocks it:\n"
        "- device_type (good): 623 of the 791 events that should carry it do (78.8 %; needed: "
        "95 %)\n"
        "- only 57.0 % of the records in the current files are accepted (needed: 95 %, "
        "`min_accepted_percent`)\n\n"
        "What to fix first in the report says how to send each, with an example, and what that "
        "gains: /home/serving/report.html#fixes"
    )
    metadata = {name: value.value for name, value in result.metadata.items()}
    assert metadata == {
        "score": 0.66,
        "complete_attributes": 5,
        "attributes": 6,
        "accepted_percent": 57.0,
        "blocked_by": ["device_type"],
        "report": "/home/serving/report.html",
    }


def test_tier_of_no_records_has_no_share() -> None:
    none = tier("good", accepted_share=None, is_accepted_share_met=False)

    result = check_tier(report(tiers=[none]), "good", PAGE)

    assert "\n- no record was read\n" in (result.description or "")
    assert "accepted_percent" not in result.metadata


def test_tier_that_is_reached_says_over_what() -> None:
    reached = tier(
        "good", is_reached=True, score=1.0, complete_attribute_count=6, blocking_attributes=[]
    )

    result = check_tier(report(tiers=[reached]), "good", PAGE)

    assert result.passed
    assert result.description == (
        "Good is reached by all sources together: 6 of 6 attributes complete in the recent period, "
        "and 100 % of the records in the current files accepted (needed: 95 %)."
    )


def test_ids_say_the_source_and_what_to_do() -> None:
    result = check_ids(report(conflicts=[CONFLICT]), PAGE)

    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert result.description == (
        "Ids are not unique:\n"
        "- source app: 66.7 % of the accepted records lost to another event with the same id "
        "(8 records, 4 ids; `click 8`)\n\n"
        "Of events with one id only the first is in the tables. Have the producer give every "
        "event an id of its own, or none: then it gets one from its content. Records in the "
        "report has the numbers (/home/serving/report.html#records), the table `rpt_conflicts` "
        "those of every source."
    )
    assert result.metadata["sources"].value == {"app": "66.7 %"}


@pytest.mark.parametrize(
    ("conflicts", "outcome"),
    [
        ([], "none lost to another event with the same id."),
        (
            [CONFLICT | {"conflicting_records": 1, "is_too_many": False}],
            "1 lost to another event with the same id, in no source more than 1 %.",
        ),
    ],
    ids=["none", "few"],
)
def test_ids_that_pass_say_how_many_lost(conflicts: list[Any], outcome: str) -> None:
    result = check_ids(report(conflicts=conflicts), PAGE)

    assert result.passed
    assert result.description == f"Of 1,200 accepted records in the current files {outcome}"


def test_sections_that_checks_name_are_on_every_page() -> None:
    anchors = dict((*_ACTIONS, *_EVIDENCE))

    assert (anchors["fixes"], anchors["records"]) == ("What to fix first", "Records")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def select(
    settings: SequenSettings, instance: dg.DagsterInstance, selection: dg.AssetSelection
) -> dg.ExecuteInProcessResult:
    asset = report_steps(settings)["completeness_report"]
    return dg.materialize([asset], instance=instance, selection=selection, raise_on_error=False)


def check(*names: str) -> dg.AssetSelection:
    return dg.AssetSelection.checks(
        *(dg.AssetCheckKey(COMPLETENESS_REPORT, name) for name in names)
    )


def write_report(settings: SequenSettings, numbers: dict[str, Any]) -> None:
    serving = Home(settings.home).serving
    serving.report_json.parent.mkdir(parents=True)
    serving.report_json.write_text(json.dumps(numbers), encoding="utf-8")


@pytest.mark.parametrize("names", [[name] for name in NAMES] + [NAMES])
def test_check_alone_looks_at_the_report_that_is_there(
    tmp_path: Path,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    names: list[str],
) -> None:
    monkeypatch.setattr(files, "make_report", lambda *_, **__: pytest.fail("a report was made"))
    settings = settings_of(tmp_path)
    write_report(settings, report())

    result = select(settings, instance, check(*names))

    assert result.success
    assert [one.check_name for one in result.get_asset_check_evaluations()] == names
    assert result.get_asset_materialization_events() == []


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (None, "There is no report in "),
        ({"report_version": REPORT_VERSION - 1}, "was made by another release. Run "),
    ],
)
def test_check_without_a_report_says_how_to_make_one(
    tmp_path: Path,
    instance: dg.DagsterInstance,
    numbers: dict[str, Any] | None,
    message: str,
) -> None:
    settings = settings_of(tmp_path)
    if numbers:
        write_report(settings, numbers)

    result = select(settings, instance, check("tier_good"))

    # Waiting makes none: it is not tried again.
    (failure,) = [one for one in result.all_events if one.is_step_failure]
    error = root_cause(failure.step_failure_data.error)
    assert error is not None
    assert error.cls_name == "ReportError"
    assert message in error.message
    assert "materialize `published_snapshot` and `completeness_report` in Dagster." in error.message
    with pytest.raises(ReportError, match=message):
        read_report(Home(settings.home))


def test_asset_without_its_checks_makes_the_report(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = WrittenReport(report(), "# Report", PAGE)
    monkeypatch.setattr(files, "make_report", lambda *_, **__: written)
    asset = dg.AssetSelection.assets(COMPLETENESS_REPORT)

    alone = select(settings_of(tmp_path), instance, asset.without_checks())
    all_ = select(settings_of(tmp_path), instance, asset)

    assert (alone.success, alone.get_asset_check_evaluations()) == (True, [])
    assert [one.check_name for one in all_.get_asset_check_evaluations()] == NAMES
    assert len(all_.get_asset_materialization_events()) == 1
