from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from sequen_dagster.contract.scalars import utc_now
from sequen_dagster.lake.assets import retry_policy
from sequen_dagster.lake.config import order_of
from sequen_dagster.lake.drain import Order
from sequen_dagster.names import NAMES
from sequen_dagster.settings import SequenSettings
from sequen_dagster.triggers.jobs import build_jobs, build_schedules, build_sensors
from support.builders import event
from support.graphs import QUARANTINED_RECORDS, VALIDATED_EVENTS, graph_of, lake_step, report_steps
from support.homes import set_modified_at, settings_of, write_events
from support.lake import pending_files


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def test_the_requested_job_drains(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event(), event(id="e2", uid=...))
    defs = dg.Definitions(
        assets=[lake_step(settings)],
        jobs=[
            dg.define_asset_job(
                NAMES.drain_job,
                selection=dg.AssetSelection.assets(VALIDATED_EVENTS, QUARANTINED_RECORDS),
            )
        ],
    )

    result = defs.resolve_job_def(NAMES.drain_job).execute_in_process(instance=instance)

    (accepted,) = result.asset_materializations_for_node(NAMES.lake_op)[:1]
    assert accepted.metadata["accepted"].value == 1
    assert accepted.metadata["quarantined"].value == 1
    checks = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    assert checks == {
        "files_read": True,
        "counts_reconcile": True,
        "accepted_share": False,
        "exports_are_fresh": False,
    }
    assert pending_files(settings) == []
    seen = instance.get_latest_materialization_event(dg.AssetKey("raw_events"))
    assert seen is not None
    assert seen.asset_materialization is not None
    assert seen.asset_materialization.metadata["files"].value == 1


@pytest.mark.parametrize(("is_on", "status"), [(True, "RUNNING"), (False, "STOPPED")])
def test_sensors_and_schedule_start_as_set(tmp_path: Path, is_on: bool, status: str) -> None:
    settings = settings_of(tmp_path, sensors=is_on, tick_seconds=7)
    sensors = build_sensors(settings, graph_of(settings), dg.AssetSelection.assets("a"))

    assert [sensor.name for sensor in sensors] == [
        "sequen_new_exports", "sequen_automation", "sequen_run_failures",
    ]  # fmt: skip
    for sensor in sensors:
        assert sensor.default_status.name == status
        assert sensor.minimum_interval_seconds == 7
    for schedule in build_schedules(settings, NAMES):
        assert schedule.default_status.name == status
        assert schedule.cron_schedule == "0 4 * * *"


@pytest.mark.parametrize(
    ("tags", "name"),
    [
        ({"sequen/automation": "true", "sequen/run": "build"}, "publish"),
        ({"sequen/run": "daily run"}, "daily run"),
    ],
)
def test_run_that_only_publishes_says_so(
    tmp_path: Path, instance: dg.DagsterInstance, tags: dict[str, str], name: str
) -> None:
    settings = settings_of(tmp_path)
    (_, automation, _) = build_sensors(settings, graph_of(settings), dg.AssetSelection.assets("a"))
    snapshot = report_steps(settings)[NAMES.published_snapshot]

    # It is named before there is anything to publish.
    result = dg.materialize([snapshot], instance=instance, tags=tags, raise_on_error=False)

    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.tags["sequen/run"] == name
    assert automation.run_tags == {"sequen/automation": "true", "sequen/run": "build"}


def test_jobs_of_a_person_come_with_the_config_to_change(tmp_path: Path) -> None:
    graph = graph_of(settings_of(tmp_path))
    built = build_jobs(graph, dg.AssetSelection.assets("a"), executor=None)
    jobs = {job.name: job for job in built}

    assert set(jobs) == set(NAMES.jobs)
    assert all(job.description for job in jobs.values())
    assert jobs["sequen_replay"].config == {
        "ops": {
            "sequen_lake": {
                "config": {
                    "replay_stale": True,
                    "replay_since": "",
                    "replay_until": "",
                    "replay_paths": [],
                    "replay_quarantined": False,
                    "retry_dead_lettered": False,
                }
            }
        }
    }
    assert jobs["sequen_rebuild"].config == {
        "ops": {"sequen_marts": {"config": {"full_refresh": True, "test_whole_tables": False}}}
    }


def test_daily_run_takes_whole_files_and_tests_whole_tables(tmp_path: Path) -> None:
    (schedule,) = build_schedules(settings_of(tmp_path), NAMES)

    with dg.build_schedule_context() as context:
        request = schedule.evaluate_tick(context).run_requests[0]

    assert request.tags["sequen/run"] == "daily run"
    assert order_of(request.tags, NAMES) == Order(is_stable=True)
    assert request.run_config == {
        "ops": {"sequen_marts": {"config": {"full_refresh": False, "test_whole_tables": True}}}
    }


def freshness(settings: SequenSettings, instance: dg.DagsterInstance) -> dg.AssetCheckEvaluation:
    result = dg.materialize([lake_step(settings)], instance=instance)
    (check,) = [
        check
        for check in result.get_asset_check_evaluations()
        if check.check_name == "exports_are_fresh"
    ]
    return check


@pytest.mark.parametrize(("minutes", "is_fresh"), [(-1, True), (1, False)])
def test_exports_that_stop_arriving_are_reported(
    tmp_path: Path, instance: dg.DagsterInstance, minutes: int, is_fresh: bool
) -> None:
    settings = settings_of(tmp_path, fresh_within_hours=26)
    assert freshness(settings, instance).passed
    export = write_events(settings, "a.jsonl", event())
    set_modified_at(export, utc_now() - timedelta(hours=26, minutes=minutes))

    check = freshness(settings, instance)

    assert check.passed == is_fresh
    assert check.severity == dg.AssetCheckSeverity.WARN


@pytest.mark.fault(19)
@pytest.mark.parametrize(("fail_below", "severity"), [(0, "WARN"), (50, "WARN"), (51, "ERROR")])
def test_share_of_accepted_records_warns_and_fails_where_it_is_set_to(
    tmp_path: Path, instance: dg.DagsterInstance, fail_below: int, severity: str
) -> None:
    settings = settings_of(tmp_path, fail_below_accepted_percent=fail_below)
    write_events(settings, "a.jsonl", event(), event(id="e2", uid=...))

    result = dg.materialize([lake_step(settings)], instance=instance)

    (check,) = [
        one for one in result.get_asset_check_evaluations() if one.check_name == "accepted_share"
    ]
    assert (check.passed, check.severity.name) == (False, severity)
    assert pending_files(settings) == []


def test_locks_are_waited_for_again_but_not_what_fails_by_itself(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, step_retries=3)

    policy = lake_step(settings).op.retry_policy

    assert policy == retry_policy(settings)
    assert (policy.max_retries, policy.delay) == (3, 30)
