"""Whatever can be selected can be materialized, in any order, and the tables stay exact.

Selections are run as Dagster runs them: a subset of the job of all assets, with the real dbt.
"""

import random
from collections.abc import Collection, Sequence
from functools import partial
from typing import Final

import dagster as dg
import duckdb
import pytest

from sequen_dagster.definitions import build_definitions
from sequen_dagster.marts import assets
from sequen_dagster.marts import warehouse as loading
from sequen_dagster.marts.builds import why_unfinished
from sequen_dagster.marts.verify import verify
from sequen_dagster.names import NAMES
from sequen_dagster.operations.run import run_pipeline
from sequen_dagster.settings import SequenSettings
from support.builders import event
from support.homes import settings_of, write_events
from support.lake import drain, home_of

SEED: Final = 20_261_130
STEPS: Final = 7
TABLES: Final = ("fct_events", "fct_sessions", "rpt_funnel")
STEP_TABLES: Final = ("intermediate/int_event_keys", "staging/stg_events")
A_CHECK: Final = dg.AssetCheckKey(dg.AssetKey("fct_sessions"), "fct_sessions_rules")


def select(
    settings: SequenSettings,
    assets: Sequence[str] = (),
    checks: Collection[dg.AssetCheckKey] = (),
    run_config: dict[str, object] | None = None,
) -> dg.ExecuteInProcessResult:
    """Materialize these assets, and evaluate these checks, alone."""
    job = build_definitions(settings).resolve_implicit_global_asset_job_def()
    subset = job.get_subset(
        asset_selection={dg.AssetKey(name.split("/")) for name in assets},
        asset_check_selection=set(checks) if checks or not assets else None,
    )
    with dg.DagsterInstance.ephemeral() as instance:
        return subset.execute_in_process(
            instance=instance, run_config=run_config, raise_on_error=False
        )


def materialized(result: dg.ExecuteInProcessResult) -> set[str]:
    return {
        event.asset_key.path[-1]
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    error = failed.step_failure_data.error
    assert error is not None
    return str((error.cause or error).message)


def journey(number: int) -> list[dict[str, object]]:
    """A session that all marts have a part in; of two people in turn."""
    person = {"uid": f"u{number % 2}", "sid": f"s{number % 3}"}
    return [
        event(id=f"p{number}", **person),
        event(id=f"i{number}", type="impression", page_type=..., item_id="a", rank=1, **person),
        event(id=f"k{number}", type="click", page_type=..., item_id="a", **person)
        | {"click_type": "item"},
        event(id=f"c{number}", type="conversion", page_type=..., item_ids=["a"], **person)
        | {"conversion_type": "purchase", "order_total": f"{number}.50"},
    ]


@pytest.fixture(scope="module", params=[False, True], ids=["tables", "tables and steps"])
def home(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> SequenSettings:
    """A home that goes through everything below, in order."""
    settings = settings_of(
        tmp_path_factory.mktemp("selections"),
        step_retries=0,
        lock_timeout_seconds=5,
        steps_as_assets=request.param,
    )
    write_events(settings, "0.jsonl", *journey(0))
    return settings


@pytest.mark.slow
def test_check_alone_says_that_there_are_no_tables_yet(home: SequenSettings) -> None:
    result = select(home, checks=[A_CHECK])

    assert not result.success
    assert "There are no tables to check yet. Materialize the tables" in failure_of(result)


@pytest.mark.slow
def test_snapshot_alone_says_that_there_is_no_build_yet(home: SequenSettings) -> None:
    result = select(home, [NAMES.published_snapshot])

    assert not result.success
    assert "Nothing was published, since there is no build yet." in failure_of(result)
    assert not home_of(home).serving.snapshot.exists()


@pytest.mark.slow
def test_table_alone_builds_all_that_is_stale(home: SequenSettings) -> None:
    drain(home)

    first = select(home, ["fct_sessions"])
    write_events(home, "1.jsonl", *journey(1))
    drain(home)
    second = select(home, ["fct_events"])

    assert (first.success, second.success) == (True, True)
    # The others are reported as well: what looks at them has to know.
    assert materialized(second) >= {"fct_events", "fct_sessions", "rpt_batches"}
    assert ("int_conversion_units" in materialized(second)) == home.steps_as_assets
    with duckdb.connect(home_of(home).warehouse, read_only=True) as warehouse:
        assert warehouse.execute("select count(*) from fct_events").fetchone() == (8,)
        assert warehouse.execute("select sum(event_count) from fct_sessions").fetchone() == (8,)
        assert why_unfinished(warehouse) == ""
        assert warehouse.execute(
            "select build_number, is_full, is_finished from raw.builds order by 1"
        ).fetchall() == [(1, True, True), (2, False, True)]


@pytest.mark.slow
def test_table_alone_is_built_again_where_nothing_is_new(home: SequenSettings) -> None:
    result = select(home, ["fct_sessions", "rpt_funnel"])

    assert result.success
    assert materialized(result) == {"fct_sessions", "rpt_funnel"}
    with duckdb.connect(home_of(home).warehouse, read_only=True) as warehouse:
        assert warehouse.execute("select max(build_number) from raw.builds").fetchone() == (2,)


@pytest.mark.slow
def test_check_alone_looks_at_the_whole_table(home: SequenSettings) -> None:
    good = select(home, checks=[A_CHECK])
    # No batch affects the row: a build would not look at it.
    with duckdb.connect(home_of(home).warehouse) as warehouse:
        warehouse.execute("update fct_sessions set event_count = event_count + 1")
    bad = select(home, checks=[A_CHECK])
    with duckdb.connect(home_of(home).warehouse) as warehouse:
        unmet = warehouse.execute(
            "select invariant, expected, actual from rpt_reconciliation where not is_met"
        ).fetchall()
    published = select(home, [NAMES.published_snapshot])
    with duckdb.connect(home_of(home).warehouse) as warehouse:
        warehouse.execute("update fct_sessions set event_count = event_count - 1")

    assert [check.passed for check in good.get_asset_check_evaluations()] == [True]
    assert (materialized(good), materialized(bad)) == (set(), set())
    assert [check.passed for check in bad.get_asset_check_evaluations()] == [False]
    sessions = unmet[0][2] - unmet[0][1]
    assert [(name, int(expected)) for name, expected, _ in unmet] == [
        ("events of sessions = events with a session", 8)
    ]
    message = failure_of(published)
    assert "Nothing was published, since the tables do not fit each other" in message
    assert f"(events of sessions = events with a session: 8 and {8 + int(sessions)})." in message


class EndedError(Exception):
    """Ends a step where a machine would die."""


def end_at(place: str, name: str) -> None:
    """Stands for `fail_point`."""
    if name == place:
        raise EndedError


@pytest.mark.slow
def test_any_order_of_batches_selections_checks_and_kills_gives_the_tables_of_one_load(
    home: SequenSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = random.Random(SEED)
    done = []
    for number in range(2, 2 + STEPS):
        if choice.random() < 0.7:
            write_events(home, f"{choice.randrange(4)}.jsonl", *journey(number))
            drain(home)
        step = choice.choice(["select", "select", "select", "check", "kill", "publish", "fail"])
        done.append(step)
        tables = choice.sample(TABLES + STEP_TABLES * home.steps_as_assets, choice.randint(1, 3))
        match step:
            case "select":
                assert select(home, tables).success
            case "check":
                assert select(home, checks=[A_CHECK]).success
            case "publish":
                # Refused where a build is unfinished, which the next build puts right.
                select(home, [NAMES.published_snapshot])
            case "kill":
                place = choice.choice(["marts.rows_loaded", "marts.build_begun", "marts.built"])
                with monkeypatch.context() as patched:
                    for module in (assets, loading):
                        patched.setattr(module, "fail_point", partial(end_at, place))
                    select(home, tables)
            case "fail":
                # A table is gone that others stand on.
                gone = choice.choice(["fct_clicks", "rpt_funnel"])
                with duckdb.connect(home_of(home).warehouse) as warehouse:
                    warehouse.execute(f"drop table if exists main.{gone}")
                select(home, tables)
    last = run_pipeline(home)
    verification = verify(home)

    assert {"select", "kill"} <= set(done), done
    assert (last.is_success, last.failures, last.failed_checks) == (True, (), ())
    assert (verification.differences, verification.lost_commits) == ((), 0)
