"""Settings at their bounds: the smallest, the usual and the largest value of each, and beyond."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sequen_dagster.errors import SettingsError
from sequen_dagster.settings import SequenSettings, load_settings
from sequen_dagster.settings.texts import none_from_text
from support.bounds import NUMBERS, bounds_of, edge_rows, rules_with
from support.histories import after, viewed
from support.mart_tables import RULES, accepted_of, differences, variables_of
from support.oracle import marts
from support.replay import (
    MARKS,
    Build,
    Load,
    Recording,
    SmallWarehouse,
    Statement,
    follow,
    record,
    recording_in,
    shared_recording,
)


def whole_numbers() -> Iterator[tuple[str, int, int]]:
    """Every setting that is a whole number, with both bounds."""
    for name, field in SequenSettings.model_fields.items():
        if field.annotation is int:
            least, _, most = bounds_of(name)
            yield name, least, most
    # It may be none, which hides its bounds.
    yield "quarantine_days", 1, 36_500


@pytest.mark.parametrize(("name", "least", "most"), list(whole_numbers()))
def test_a_number_beyond_its_bounds_is_refused_at_load(
    tmp_path: Path, name: str, least: int, most: int
) -> None:
    for value in (least, most):
        assert getattr(load_settings(tmp_path, **{name: value}), name) == value
    for value in (least - 1, most + 1):
        with pytest.raises(SettingsError, match=rf"{name}: Input should be (greater|less) than"):
            load_settings(tmp_path, **{name: value})


def test_all_numbers_of_the_marts_are_marked() -> None:
    numbers = {
        name
        for name, value in SequenSettings().mart_vars().items()
        if isinstance(value, int) and not isinstance(value, bool)
    }

    assert numbers == set(MARKS)


@pytest.mark.parametrize("given", [None, "null", "NONE", "", " "])
def test_no_field_may_name_the_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    settings = load_settings(tmp_path, order_field=given)
    monkeypatch.setenv("SEQUEN_ORDER_FIELD", given or "")

    assert settings.order_field is None
    assert settings.mart_vars()["sequen_order_field"] == []
    assert load_settings(tmp_path).order_field is None
    assert load_settings(tmp_path, order_field="a.b").mart_vars()["sequen_order_field"] == [
        "a", "b",
    ]  # fmt: skip
    assert none_from_text(7) == 7


def recording_of(factory: Any, worker_id: str, numbers: dict[str, int]) -> Recording:
    reports = {
        f"sequen_{name}": numbers[name]
        for name in ("recent_days", "min_accepted_percent")
        if name in numbers
    }
    return shared_recording(factory, worker_id, **variables_of(rules_with(numbers)), **reports)


def assert_as_the_oracle_says(recording: Recording, numbers: dict[str, int]) -> None:
    """Both builds of a set that reaches the place: what is full, and what follows."""
    rules = rules_with(numbers)
    rows = list(edge_rows(rules))
    steps = [Load("a", tuple(rows[::2])), Build(), Load("b", tuple(rows[1::2])), Build()]
    with SmallWarehouse(recording) as warehouse:
        for loads in follow(warehouse, steps):
            expected = marts(accepted_of(loads), rules)

            assert list(differences(warehouse.connection, expected)) == []


@pytest.mark.parametrize("place", [0, 2])
def test_all_settings_at_one_bound(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str, place: int
) -> None:
    numbers = {name: bounds_of(name)[place] for name in NUMBERS}

    assert_as_the_oracle_says(recording_of(tmp_path_factory, worker_id, numbers), numbers)


@pytest.mark.slow
@pytest.mark.parametrize("name", NUMBERS)
def test_a_setting_at_its_bounds(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str, name: str
) -> None:
    for value in bounds_of(name):
        recording = recording_of(tmp_path_factory, worker_id, {name: value})

        assert_as_the_oracle_says(recording, {name: value})


# 35 minutes fit 32 bits as microseconds, 36 do not.
@pytest.mark.parametrize("minutes", [35, 36])
def test_limits_in_minutes_of_more_than_32_bits(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str, minutes: int
) -> None:
    numbers = {"session_timeout_minutes": minutes, "click_window_minutes": minutes}

    assert_as_the_oracle_says(recording_of(tmp_path_factory, worker_id, numbers), numbers)


@pytest.mark.parametrize(
    ("percent", "days", "is_met", "recent_events"), [(0, 1, True, 1), (50, 2, True, 2),
     (51, 36_500, False, 3), (100, 36_500, False, 3)],
)  # fmt: skip
def test_reports_follow_their_settings_to_the_bounds(
    tmp_path_factory: pytest.TempPathFactory,
    worker_id: str,
    percent: int,
    days: int,
    is_met: bool,
    recent_events: int,
) -> None:
    numbers = {"min_accepted_percent": percent, "recent_days": days}
    rows = [viewed(after(days=day), uid="u") for day in (-8_000, -1, 0)]
    broken = [{"type": "click"} for _ in rows]
    with SmallWarehouse(recording_of(tmp_path_factory, worker_id, numbers)) as warehouse:
        warehouse.load(Load("a", (*rows, *broken)))
        warehouse.build()
        [(met,)] = warehouse.connection.execute(
            "select distinct is_accepted_share_met from main.rpt_completeness_tiers"
            " where source = '(all)'"
        ).fetchall()
        [(events,)] = warehouse.connection.execute(
            "select applicable_events from main.rpt_completeness_attributes"
            " where source = '(all)' and period = 'recent' and attribute = 'device_type'"
        ).fetchall()

    assert (met, events) == (is_met, recent_events)


def without_moment(statement: Statement) -> Statement:
    """The statement without the time in dbt's scratch names; which comes first is dbt's luck."""
    model, sql = statement
    return model, re.sub(r"__dbt_tmp\d+", "__dbt_tmp", sql)


@pytest.mark.slow
def test_numbers_written_in_place_are_what_dbt_sends(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str, tmp_path: Path
) -> None:
    variables = variables_of(RULES["short"])
    record(tmp_path, **variables)

    sent = recording_in(tmp_path)
    written = shared_recording(tmp_path_factory, worker_id, **variables)

    for one, other in ((sent.full, written.full), (sent.incremental, written.incremental)):
        assert sorted(map(without_moment, one)) == sorted(map(without_moment, other))
