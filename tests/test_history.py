"""Which reports are kept, and which one a report is compared with."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sequen_dagster.reports.document.report import Report
from sequen_dagster.reports.history import remember, with_changes

NOON = datetime.fromisoformat("2025-07-12T12:00:00")


def report_of(made_at: datetime, files: str, *, events: int = 0) -> Report:
    """A report with nothing in it but when it was made, from which files, of how many events."""
    numbers = {name: _empty(field.annotation) for name, field in Report.model_fields.items()}
    numbers["report_version"] = 2
    numbers["made"] |= {"at": made_at, "zone": "UTC"}
    numbers["inputs"]["sha256"] = files * 64
    numbers["events"]["events"] = events
    return Report.model_validate({**numbers, "changes": None})


def _empty(annotation: Any) -> Any:
    if hasattr(annotation, "model_fields"):
        return {name: _empty(field.annotation) for name, field in annotation.model_fields.items()}
    if getattr(annotation, "__origin__", None) is list:
        return []
    return {int: 0, str: "", datetime: NOON}.get(annotation)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    return tmp_path / "history"


def kept(history: Path) -> list[str]:
    return sorted(f"{path.name[:11]} {path.stem[-1]}" for path in history.iterdir())


def test_report_is_compared_with_the_last_of_an_earlier_day(history: Path) -> None:
    remember(history, report_of(NOON - timedelta(days=1), "a", events=1))
    remember(history, report_of(NOON - timedelta(hours=13), "b", events=2))
    remember(history, report_of(NOON - timedelta(hours=1), "c", events=3))

    changes = with_changes(history, report_of(NOON, "d", events=4)).changes

    assert changes is not None
    assert (changes.since, changes.events_before) == (NOON - timedelta(hours=13), 2)


def test_on_the_first_day_it_is_compared_with_the_last_of_other_files(
    history: Path,
) -> None:
    remember(history, report_of(NOON - timedelta(hours=2), "a", events=1))
    remember(history, report_of(NOON - timedelta(hours=1), "b", events=2))

    changes = with_changes(history, report_of(NOON, "b", events=2)).changes

    assert changes is not None
    assert changes.events_before == 1


def test_of_today_one_report_on_the_same_files_is_kept(history: Path) -> None:
    remember(history, report_of(NOON, "a"))
    remember(history, report_of(NOON + timedelta(hours=1), "b"))
    remember(history, report_of(NOON + timedelta(hours=2), "b"))

    assert kept(history) == ["20250712T12 a", "20250712T14 b"]


def test_of_earlier_days_the_last_report_is_kept(history: Path) -> None:
    remember(history, report_of(NOON, "a"))
    remember(history, report_of(NOON + timedelta(hours=1), "b"))
    remember(history, report_of(NOON + timedelta(days=1), "c"))

    assert kept(history) == ["20250712T13 b", "20250713T12 c"]


def test_what_is_kept_is_bounded(history: Path) -> None:
    for day in range(95):
        remember(history, report_of(NOON + timedelta(days=day), "a"))
    for minute in range(25):
        made_at = NOON + timedelta(days=95, minutes=minute)
        remember(history, report_of(made_at, "0123456789abcdefghijklmnop"[minute]))

    assert len(kept(history)) == 90 + 20


def test_report_of_another_release_is_passed_over(history: Path) -> None:
    remember(history, report_of(NOON - timedelta(days=2), "a", events=1))
    old = history / "20250711T120000Z-bbbbbbbbbbbb.json"
    old.write_text('{"report_version": 1}')

    changes = with_changes(history, report_of(NOON, "c")).changes

    assert changes is not None
    assert changes.events_before == 1
