"""The proof on real homes: it passes after builds that went on, and finds what is damaged."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from click.testing import CliRunner, Result

from sequen_dagster.cli.main import main
from sequen_dagster.definitions import build_definitions
from sequen_dagster.marts.builds import begin_build, finish_build
from sequen_dagster.marts.catalog import TableCatalog
from sequen_dagster.marts.compare import Difference
from sequen_dagster.marts.project import load_manifest, tables_fingerprint
from sequen_dagster.marts.verify import Verification, verify
from sequen_dagster.marts.warehouse import connect, load_commits
from sequen_dagster.names import NAMES
from sequen_dagster.operations.run import run_pipeline
from sequen_dagster.settings import SequenSettings
from support.builders import event
from support.homes import settings_of, write_events, write_text
from support.lake import drain, home_of, lake_of

ORDER = {"type": "conversion", "page_type": None, "conversion_type": "purchase", "item_ids": ["s"]}
CLICK = {"type": "click", "page_type": None, "item_id": "s", "click_type": "open"}


def invoke(settings: SequenSettings, *more: str) -> Result:
    return CliRunner().invoke(main, ["verify", "--home", str(settings.home), *more])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> SequenSettings:
    """A home whose second build was incremental: a late click, and a file that was corrected."""
    settings = settings_of(tmp_path_factory.mktemp("verify"))
    write_events(settings, "a.jsonl", event(id="e1"), event(id="e2", uid=...))
    write_events(settings, "b.jsonl", event(id="o1", **ORDER, order_total="9.99"), event(id="e3"))
    assert run_pipeline(settings).build.startswith("full refresh")
    write_text(settings, "b.jsonl", "")
    write_events(settings, "b.jsonl", event(id="o1", **ORDER, order_total="5"))
    earlier = "2025-07-14T08:00:00Z"
    write_events(settings, "c.jsonl", event(id="c1", **CLICK, original_timestamp=earlier))
    second = run_pipeline(settings)
    assert (second.is_success, second.build) == (True, "incremental build")
    return settings


@pytest.fixture
def damaged(built: SequenSettings) -> Iterator[SequenSettings]:
    """The home with a row changed, a row gone and a row too many, fixed afterwards."""
    statements = {
        "update fct_attributions set last_touch_value = 1": "fct_attributions",
        "delete from fct_events where id = 'e1'": "fct_events",
        "insert into quarantined_events select * replace (99 as source_line)"
        " from quarantined_events": "quarantined_events",
    }
    with duckdb.connect(home_of(built).warehouse) as warehouse:
        for statement, table in statements.items():
            warehouse.execute(f"create table raw.kept_{table} as from {table}")
            warehouse.execute(statement)
    yield built
    with duckdb.connect(home_of(built).warehouse) as warehouse:
        for table in statements.values():
            warehouse.execute(f"delete from {table}; insert into {table} from raw.kept_{table}")
            warehouse.execute(f"drop table raw.kept_{table}")


@pytest.mark.slow
def test_tables_of_several_builds_equal_a_full_refresh(built: SequenSettings) -> None:
    write_events(built, "not taken in yet.jsonl", event(id="e9"))

    result = invoke(built)

    assert result.exit_code == 0, result.output
    assert result.output.endswith("tables equal (2 commits)\n")
    assert int(result.output.split()[-5]) >= 20
    # Nothing is left behind, and nothing was taken in.
    assert not (built.home / "verify").exists()
    assert len(list((lake_of(built).commits).iterdir())) == 2


@pytest.mark.slow
def test_damaged_rows_are_found(damaged: SequenSettings) -> None:
    result = invoke(damaged)

    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert "fct_attributions: 1 changed in last_touch_value" in lines
    assert "fct_events: 1 missing" in lines
    assert "    missing id='e1'" in lines
    assert "quarantined_events: 1 unexpected" in lines
    # Totals are those of the damaged tables.
    assert any(line.startswith("rpt_reconciliation: ") for line in lines)
    assert lines[-2].endswith("4 differ (2 commits)")
    assert "run --full-refresh" in lines[-1]


@pytest.mark.slow
def test_check_reports_counts_and_no_keys(damaged: SequenSettings) -> None:
    job = build_definitions(damaged).resolve_job_def(NAMES.verify_job)

    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance)
        log = [str(entry) for entry in instance.all_logs(result.run_id)]

    (check,) = result.get_asset_check_evaluations()
    assert (check.passed, check.severity, check.blocking) == (
        False,
        dg.AssetCheckSeverity.ERROR,
        False,
    )
    assert check.metadata["tables_that_differ"].value == 4
    differences = check.metadata["differences"].value
    assert {"table": "fct_events", "missing": 1, "columns": []} | differences[1] == differences[1]
    assert not any("'e1'" in entry for entry in log)


def test_check_is_not_part_of_the_full_run(demo: SequenSettings) -> None:
    defs = build_definitions(demo)
    steps = {
        name: {node.name for node in defs.resolve_job_def(name).nodes}
        for name in (NAMES.run_job, NAMES.verify_job)
    }

    assert steps[NAMES.run_job] == {
        NAMES.lake_op,
        NAMES.marts_op,
        "sequen_published_snapshot",
        "sequen_completeness_report",
        "sequen_training_set",
    }
    assert steps[NAMES.verify_job] == {"warehouse_equals_a_full_refresh"}


def test_every_table_that_is_compared_has_a_key(demo: SequenSettings) -> None:
    catalog = TableCatalog.read(load_manifest(demo))
    with connect(demo) as warehouse:
        tables = [row[0] for row in warehouse.execute("show tables").fetchall()]

    assert set(catalog.compared) <= set(tables)
    assert set(catalog.compared) <= catalog.keys.keys()
    assert (catalog.private, set(catalog.history)) == (
        ("quarantined_events", "rpt_reconciliation"),
        {"rpt_restatements"},
    )


def test_home_without_a_warehouse_is_a_wrong_argument(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    settings.home.mkdir()

    result = invoke(settings)

    assert result.exit_code == 2
    assert "no warehouse" in " ".join(result.output.split())
    assert list(settings.home.iterdir()) == []


def test_stale_tables_are_not_compared(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    drain(settings)
    load_commits(settings)
    reasons = [invoke(settings).output]
    with connect(settings) as warehouse:
        build = begin_build(warehouse, tables_fingerprint(settings))
    reasons.append(invoke(settings).output)
    with connect(settings) as warehouse:
        finish_build(warehouse, build)
    write_events(settings, "a.jsonl", event(), event(id="e2"))
    drain(settings)
    load_commits(settings)
    reasons.append(invoke(settings).output)
    reasons.append(invoke(settings, "--set", "session_timeout_minutes=5").output)

    lines = [" ".join(reason.split()) for reason in reasons]
    assert "there is no build yet" in lines[0]
    assert "the last build did not run through" in lines[1]
    assert "batches were loaded since the last build" in lines[2]
    assert "the last build was by other settings or rules" in lines[3]
    assert invoke(settings).exit_code == 1


def test_scratch_is_removed_after_a_failure(
    demo: SequenSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sequen_dagster.marts import verify as module

    def fail(*_: object, **__: object) -> None:
        assert (demo.home / "verify" / "actual.duckdb").exists()
        raise RuntimeError

    monkeypatch.setattr(module, "load_commits", fail)
    with pytest.raises(RuntimeError):
        verify(demo)

    assert not (demo.home / "verify").exists()


def test_writer_in_the_way_is_exit_3(demo: SequenSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    import filelock

    monkeypatch.setenv("SEQUEN_LOCK_TIMEOUT_SECONDS", "0")
    with filelock.FileLock(demo.home / "writer.lock"):
        assert invoke(demo).exit_code == 3


def test_lost_commits_prove_no_table() -> None:
    assert Verification(tables=20, commits=2).is_equal
    assert not Verification(tables=20, commits=2, lost_commits=1).is_equal
    assert not Verification(20, 2, differences=(Difference("fct_events", missing=1),)).is_equal
