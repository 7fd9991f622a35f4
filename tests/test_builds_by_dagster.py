"""The step of dbt as Dagster's own runs call it: by the daily schedule, and by the automation."""

from contextlib import nullcontext
from dataclasses import dataclass
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
from support.lake import home_of

TABLE = dg.AssetKey("rpt_batches")


@dataclass(frozen=True)
class FirstBuild:
    """A home whose tables are built, and what Dagster has heard meanwhile."""

    settings: SequenSettings
    log: list[dg.EventLogEntry]
    dbt_ended_at: float

    def times(self, event_type: dg.DagsterEventType) -> dict[str, float]:
        """When an event of a table was stored, by table."""
        events = [(one.get_dagster_event(), one.timestamp) for one in self.log if one.dagster_event]
        return {
            event.asset_key.path[-1]: timestamp
            for event, timestamp in events
            if event.event_type == event_type
            and event.step_key == NAMES.marts_op
            and event.asset_key
        }


@pytest.fixture(scope="module")
def first_build(tmp_path_factory: pytest.TempPathFactory) -> FirstBuild:
    settings = settings_of(tmp_path_factory.mktemp("built"), quiet_seconds=0)
    write_events(settings, "a.jsonl", event(), event(id="e2", uid="u2"))
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(settings, instance=instance)
        log = instance.all_logs(result.run_id)
    assert result.success
    return FirstBuild(settings, log, home_of(settings).dbt.run_results.stat().st_mtime)


@pytest.fixture
def settings(first_build: FirstBuild) -> SequenSettings:
    """A home whose tables are built."""
    return first_build.settings


def run(
    settings: SequenSettings,
    config: dict[str, Any] | None = None,
    *,
    instance: dg.DagsterInstance | None = None,
    **tags: str,
) -> dg.ExecuteInProcessResult:
    job = build_definitions(settings).resolve_job_def(NAMES.run_job)
    given = nullcontext(instance) if instance else dg.DagsterInstance.ephemeral()
    with given as instance:
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
def test_tables_are_reported_as_dbt_makes_them_and_their_rows_at_the_end(
    first_build: FirstBuild,
) -> None:
    made = first_build.times(dg.DagsterEventType.ASSET_MATERIALIZATION)
    counted = first_build.times(dg.DagsterEventType.ASSET_OBSERVATION)
    early = [table for table, stored_at in made.items() if stored_at < first_build.dbt_ended_at]

    assert len(early) > len(made) / 2
    # What automation looks at says that the build has ended.
    assert max(made, key=made.__getitem__) == TABLE.path[-1]
    assert min(counted.values()) > first_build.dbt_ended_at
    assert {"fct_events", "fct_sessions", "rpt_batches"} <= set(counted)


@pytest.mark.slow
def test_daily_run_tests_whole_tables(settings: SequenSettings) -> None:
    (schedule,) = build_schedules(settings, NAMES)
    with dg.build_schedule_context() as context:
        (request,) = schedule.evaluate_tick(context).run_requests or ()
    config = dict(request.run_config)
    good = run(settings, config)
    # An old row is spoilt: no batch affects it, and no total that a publication compares.
    with duckdb.connect(str(settings.home / "warehouse.duckdb")) as warehouse:
        warehouse.execute("update main.fct_sessions set page_view_count = 99")

    usual = run(settings)
    daily = run(settings, config)

    assert good.success
    assert is_built(good)
    checks = {check.check_name for check in good.get_asset_check_evaluations()}
    assert any("fct_sessions_rules" in name for name in checks)
    assert usual.success
    assert not daily.success
    failed = [one for one in daily.get_asset_check_evaluations() if not one.passed]
    assert any("fct_sessions_rules" in one.check_name for one in failed)


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
