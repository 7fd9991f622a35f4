import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sequen_dagster.errors import LockTimeoutError
from sequen_dagster.home.locks import writer_lock
from sequen_dagster.lake.commits import Commit, read_commits, write_commit
from sequen_dagster.marts.builds import begin_build, finish_build
from sequen_dagster.marts.warehouse import Loaded, connect, load_commits
from sequen_dagster.settings import SequenSettings
from support.builders import RECEIVED_AT, event
from support.homes import settings_of, write_events
from support.lake import drain, home_of, lake_of


def query(settings: SequenSettings, sql: str) -> list[tuple[Any, ...]]:
    with connect(settings) as warehouse:
        return warehouse.execute(sql).fetchall()


def test_commits_are_loaded_once(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event(), event(id="e2", uid=...))
    drain(settings)

    assert load_commits(settings) == Loaded(commits=1, batches=1, events=1)
    assert load_commits(settings) == Loaded()

    assert query(settings, "select id, source_line from raw.events") == [("e1", 1)]
    assert query(settings, "select rules from raw.quarantined_events") == [(["missing_identity"],)]
    assert query(settings, "select accepted, quarantined, received_at from raw.batches") == [
        (1, 1, RECEIVED_AT)
    ]
    assert query(settings, "select type, rule, severity, records from raw.violations") == [
        ("page_view", "missing_identity", "error", 1)
    ]


def test_rows_of_a_commit_are_those_of_their_own_batches(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    for number in range(20):
        good = [event(id=f"e{number}_{place}") for place in range(number % 3)]
        write_events(settings, f"{number}.jsonl", *good, event(id=f"b{number}", uid=...))
    drain(settings)

    loaded = load_commits(settings)

    assert loaded == Loaded(commits=1, batches=20, events=19)
    paths = "select path, id from raw.{} as rows join raw.batches using (batch_id) order by all"
    assert query(settings, paths.format("events")) == sorted(
        (f"{number}.jsonl", f"e{number}_{place}")
        for number in range(20)
        for place in range(number % 3)
    )
    assert query(
        settings,
        "select path, rows.source_file from raw.quarantined_events as rows"
        " join raw.batches using (batch_id) order by all",
    ) == sorted((f"{number}.jsonl", f"{number}.jsonl") for number in range(20))


def test_all_versions_are_loaded(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    for events in ([event()], [event(), event(id="e2")]):
        write_events(settings, "a.jsonl", *events)
        drain(settings)

    load_commits(settings)

    assert query(settings, "select version, accepted from raw.batches order by 1") == [
        (1, 1),
        (2, 2),
    ]


def test_batch_of_two_commits_counts_once_as_of_its_latest_version(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    (commit,) = drain(settings).commits
    (batch,) = commit.batches
    lake = lake_of(settings)
    later = Commit((replace(batch, version=2),), commit.committed_at)
    write_commit(lake, later)

    loaded = load_commits(settings)

    assert loaded.commits == 2
    assert query(settings, "select commit_id, version from raw.batches") == [(later.commit_id, 2)]
    assert query(settings, "select count(*) from raw.events") == [(1,)]
    assert len(list(read_commits(lake))) == 2


def test_batch_that_two_commits_hold_alike_counts_from_the_smaller_name(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    (commit,) = drain(settings).commits
    write_events(settings, "b.jsonl", event(id="e2"))
    (second,) = drain(settings).commits
    both = Commit((*commit.batches, *second.batches), commit.committed_at)
    write_commit(lake_of(settings), both)

    load_commits(settings)

    smaller = {
        "a.jsonl": min(commit.commit_id, both.commit_id),
        "b.jsonl": min(second.commit_id, both.commit_id),
    }
    assert dict(query(settings, "select path, commit_id from raw.batches")) == smaller
    assert query(settings, "select count(*) from raw.events") == [(2,)]


def test_load_notes_affected_ids(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event(id="old"), event(id="both"))
    write_events(settings, "b.jsonl", event(id="other"))
    drain(settings)
    load_commits(settings)
    with connect(settings) as warehouse:
        finish_build(warehouse, begin_build(warehouse, "f"))
    assert query(settings, "from raw.affected_ids") == []
    write_events(settings, "a.jsonl", event(id="both"), event(id="new", page_type="checkout"))
    drain(settings)

    load_commits(settings)

    affected = "select distinct id from raw.affected_ids order by 1"
    assert query(settings, affected) == [("both",), ("new",), ("old",)]
    assert query(settings, "select count(*) from raw.affected_batches") == [(2,)]


def test_load_that_fails_leaves_nothing_of_its_commit(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    (commit,) = drain(settings).commits
    lake_of(settings).rows(commit.batches[0].events[0]).unlink()

    with pytest.raises(duckdb.Error):
        load_commits(settings)

    assert query(settings, "select count(*) from raw.batches") == [(0,)]
    assert query(settings, "select count(*) from raw.commits") == [(0,)]


@pytest.mark.parametrize(
    "statement",
    [
        "select * from read_text('/etc/hostname')",
        "copy (select 1) to '/tmp/sequen-leak.csv'",
        "attach '/tmp/sequen-leak.duckdb'",
        "install httpfs",
        "set enable_external_access = true",
        "set memory_limit = '20GB'",
    ],
)
def test_engine_is_locked_down(tmp_path: Path, statement: str) -> None:
    settings = settings_of(tmp_path)
    home_of(settings).make()

    with (
        connect(settings, folders=[lake_of(settings).root]) as warehouse,
        pytest.raises(duckdb.Error),
    ):
        warehouse.execute(statement)


@pytest.mark.fault(26)
def test_second_writer_waits_and_its_message_names_the_holder(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, lock_timeout_seconds=0)
    code = (
        "import sys, time; from pathlib import Path;"
        "from sequen_dagster.home.layout import Home;"
        "from sequen_dagster.home.locks import writer_lock\n"
        f"with writer_lock(Home(Path({str(settings.home)!r})), timeout_seconds=0):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"

        with (
            pytest.raises(LockTimeoutError, match=f"process {holder.pid} on"),
            writer_lock(home_of(settings), timeout_seconds=settings.lock_timeout_seconds),
        ):
            pass

        holder.kill()
    # A killed holder leaves no lock behind.
    with writer_lock(home_of(settings), timeout_seconds=settings.lock_timeout_seconds):
        pass
