import json
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sequen_dagster.contract.scalars import utc_now
from sequen_dagster.errors import HomeError
from sequen_dagster.exports.files import list_files
from sequen_dagster.lake.ledger_file import LEDGER_VERSION
from sequen_dagster.settings import SequenSettings
from support.builders import RECEIVED_AT, event
from support.homes import set_modified_at, settings_of, write_events
from support.lake import drain, home_of, lake_of, ledger_of, pending_files


def pending(settings: SequenSettings) -> list[str]:
    return [file.path for file in pending_files(settings)]


def test_committed_files_are_not_pending(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())

    assert pending(settings) == ["a.jsonl"]
    drain(settings)

    assert pending(settings) == []


@pytest.mark.fault(2)
def test_changed_file_is_pending(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    drain(settings)

    write_events(settings, "a.jsonl", event(), event(id="e2"))

    assert pending(settings) == ["a.jsonl"]


@pytest.mark.fault(3)
def test_file_that_goes_back_to_an_older_content_is_pending(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    drain(settings)
    write_events(settings, "a.jsonl", event(), event(id="e2"))
    drain(settings)

    write_events(settings, "a.jsonl", event())

    assert pending(settings) == ["a.jsonl"]


@pytest.mark.fault(6)
def test_file_that_appears_with_an_old_time_is_pending(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "b.jsonl", event())
    drain(settings)

    set_modified_at(
        write_events(settings, "a.jsonl", event(id="e2")), RECEIVED_AT - timedelta(days=2)
    )

    assert pending(settings) == ["a.jsonl"]


def test_file_with_a_new_time_only_is_read_once_and_stays_the_same_batch(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    target = write_events(settings, "a.jsonl", event())
    drain(settings)

    set_modified_at(target, RECEIVED_AT + timedelta(hours=1))
    second = drain(settings)

    assert second.commits == ()
    assert pending(settings) == []


@pytest.mark.fault(31)
def test_lost_ledger_fills_itself_from_the_commits(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    drain(settings)
    for part in settings.home.glob("ledger.sqlite*"):
        part.unlink()

    assert pending(settings) == []
    assert ledger_of(settings).current_version("default", "a.jsonl")[0] == 1


def test_failed_file_comes_back_until_it_is_dead_lettered(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    ledger = ledger_of(settings)
    (file,) = list_files(settings.sources[0])

    assert ledger.record_failure(file, "why", max_attempts=2) == 1
    assert pending(settings) == ["a.jsonl"]
    assert ledger.record_failure(file, "why", max_attempts=2) == 2

    assert pending(settings) == []


@pytest.mark.parametrize("how", ["written to", "released"])
def test_dead_lettered_file_comes_back(tmp_path: Path, how: str) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    (file,) = list_files(settings.sources[0])
    ledger = ledger_of(settings)
    ledger.record_failure(file, "why", max_attempts=1)
    assert pending(settings) == []

    if how == "released":
        ledger.retry_dead_lettered([file])
    else:
        write_events(settings, "a.jsonl", event(), event(id="e2"))

    assert pending(settings) == ["a.jsonl"]


@pytest.mark.fault(17)
def test_wait_for_the_next_try_doubles_up_to_a_day(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    (file,) = list_files(settings.sources[0])
    ledger = ledger_of(settings)

    waits = []
    for _ in range(14):
        before = utc_now()
        ledger.record_failure(file, "why", max_attempts=99, retry_seconds=60)
        (status,) = ledger.observe([file])
        waited = datetime.fromisoformat(status.retry_at) - before
        waits.append(round(waited.total_seconds() / 60))

    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-2:] == [24 * 60] * 2


def test_polls_are_counted_while_a_file_stays_as_it_is(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    target = write_events(settings, "a.jsonl", event())
    ledger = ledger_of(settings)

    def observations() -> list[int]:
        return [status.observations for status in ledger.observe(list_files(settings.sources[0]))]

    assert [observations(), observations()] == [[1], [2]]
    target.write_text("grown")
    assert observations() == [1]


@pytest.mark.fault(5)
def test_other_content_of_same_size_and_time_is_pending(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    target = write_events(settings, "a.jsonl", event(uid="u1"))
    drain(settings)

    target.write_text(target.read_text().replace('"u1"', '"u2"'))
    set_modified_at(target, RECEIVED_AT)

    assert pending(settings) == ["a.jsonl"]
    (batch,) = drain(settings).batches
    assert batch.version == 2
    assert pending(settings) == []


def test_ledger_lists_the_outcome_of_every_version(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event(), event(id="e2", uid=...), event(id="e3", rank="x"))
    drain(settings)
    write_events(settings, "a.jsonl", event())
    drain(settings)

    with closing(sqlite3.connect(settings.home / "ledger.sqlite")) as connection:
        rows = connection.execute(
            "select path, version, is_current, records_read, accepted, quarantined, skipped,"
            " first_error_line, first_error_rule, state, length(file_sha256), length(batch_id)"
            " from files order by version"
        ).fetchall()

    assert rows == [
        ("a.jsonl", 1, 0, 3, 1, 2, 0, 2, "missing_identity", "committed", 64, 32),
        ("a.jsonl", 2, 1, 1, 1, 0, 0, None, None, "committed", 64, 32),
    ]


@pytest.mark.fault(31)
def test_damaged_ledger_says_how_it_is_rebuilt(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    home_of(settings).make()
    (settings.home / "ledger.sqlite").write_bytes(b"not a database" * 1000)

    with pytest.raises(HomeError, match="doctor --rebuild"):
        pending_files(settings)


@pytest.mark.fault(31)
def test_lost_commits_stop_everything_instead_of_reading_all_again(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    drain(settings)
    (manifest,) = (lake_of(settings).commits).glob("*.json")
    manifest.unlink()

    with pytest.raises(HomeError, match="lost 1 of its commits"):
        drain(settings)


OLD_LEDGER = """
create table commits (commit_id text primary key, committed_at text not null);
create table file_versions (source text, path text, size_bytes integer, state text);
insert into commits values ('gone', '2025-01-01');
"""


@pytest.mark.fault(42)
def test_ledger_of_an_older_release_is_set_aside_and_rebuilt(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    drain(settings)
    (settings.home / "ledger.sqlite").unlink()
    with closing(sqlite3.connect(settings.home / "ledger.sqlite")) as connection:
        connection.executescript(OLD_LEDGER)

    assert pending(settings) == []
    kept = settings.home / "ledger.sqlite.version-0.1"
    with closing(sqlite3.connect(kept)) as connection:
        assert connection.execute("select commit_id from commits").fetchall() == [("gone",)]


@pytest.mark.fault(42)
def test_ledger_of_a_newer_release_is_left_alone(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    ledger_of(settings)
    with closing(sqlite3.connect(settings.home / "ledger.sqlite")) as connection:
        connection.execute(f"pragma user_version = {LEDGER_VERSION + 1}")

    with pytest.raises(HomeError, match="newer release"):
        ledger_of(settings)


def test_commits_that_say_nothing_of_an_etag_still_count(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    drain(settings)
    (manifest,) = (lake_of(settings).commits).glob("*.json")
    content = json.loads(manifest.read_text())
    for name in ("etag", "first_error", "erasures", "revision", "is_raw_dropped"):
        del content["batches"][0][name]
    manifest.write_text(json.dumps(content))
    (settings.home / "ledger.sqlite").unlink()

    assert pending(settings) == []
