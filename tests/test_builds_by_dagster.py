"""The step of dbt as Dagster's own runs call it: by the daily schedule, and by the automation."""

from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from sequen_dagster.definitions import build_definitions
from sequen_dagster.names import NAMES
from sequen_dagster.settings import SequenSettings
from sequen_dagster.triggers.jobs import build_schedules
from support.builders import event
from support.homes import settings_of, write_events

TABLE = dg.AssetKey("rpt_batches")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> SequenSettings:
    """A home whose tables are built."""
    settings = settings_of(tmp_path_factory.mktemp("built"), quiet_seconds=0)
    write_events(settings, "a.jsonl", event(), event(id="e2", uid="u2"))
    assert run(settings).success
    return settings


def run(
    settings: SequenSettings, config: dict[str, Any] | None = None, **tags: str
) -> dg.ExecuteInProcessResult:
    job = build_definitions(settings).resolve_job_def(NAMES.run_job)
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(
            instance=instance,
            run_config=config,
            tags={name.replace("_", "/"): value for name, value in tags.items()},
            raise_on_error=False,
        )


def is_built(result: dg.ExecuteInProcessResult) -> bool:
    return TABLE in {
        event.materialization.asset_key for event in result.get_asset_materialization_events()
    }


@pytest.mark.slow
def test_daily_run_tests_whole_tables(settings: SequenSettings) -> None:
    (schedule,) = build_schedules(settings)
    with dg.build_schedule_context() as context:
        (request,) = schedule.evaluate_tick(context).run_requests or ()
    config = dict(request.run_config)
    good = run(settings, config)
    # An old row is spoilt; no batch affects it.
    with duckdb.connect(str(settings.home / "warehouse.duckdb")) as warehouse:
        warehouse.execute("update main.fct_sessions set event_count = 99")

    usual = run(settings)
    daily = run(settings, config)

    assert good.success
    assert is_built(good)
    checks = {check.check_name for check in good.get_asset_check_evaluations()}
    assert any("session_counts_add_up_to_events" in name for name in checks)
    assert usual.success
    assert not daily.success
    failed = [one for one in daily.get_asset_check_evaluations() if not one.passed]
    assert any("session_counts_add_up_to_events" in one.check_name for one in failed)


@pytest.mark.slow
def test_automation_builds_nothing_where_a_person_was_faster(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    assert NAMES.automation_tag == "sequen/automation"
    first = run(settings, sequen_automation="true")
    second = run(settings, sequen_automation="true")
    write_events(settings, "b.jsonl", event(id="e2"))
    third = run(settings, sequen_automation="true")

    assert [one.success for one in (first, second, third)] == [True] * 3
    assert [is_built(one) for one in (first, second, third)] == [True, False, True]
