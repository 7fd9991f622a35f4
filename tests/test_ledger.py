from datetime import timedelta
from pathlib import Path

from homes import RECEIPT, event, settings_of, touch, write_events
from sequen_dagster.exports.files import list_files
from sequen_dagster.lake.drain import drain, pending_files
from sequen_dagster.lake.ledger import Ledger
from sequen_dagster.settings import SequenSettings


def pending(settings: SequenSettings) -> list[str]:
    return [file.path for file in pending_files(settings)]


def test_committed_files_are_not_pending(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())

    assert pending(settings) == ["a.jsonl"]
    drain(settings)

    assert pending(settings) == []


def test_changed_file_is_pending(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    drain(settings)

    write_events(settings, "a.jsonl", event(), event(id="e2"))

    assert pending(settings) == ["a.jsonl"]


def test_file_that_goes_back_to_an_older_content_is_pending(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    drain(settings)
    write_events(settings, "a.jsonl", event(), event(id="e2"))
    drain(settings)

    write_events(settings, "a.jsonl", event())

    assert pending(settings) == ["a.jsonl"]


def test_file_that_appears_with_an_old_time_is_pending(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "b.jsonl", event())
    drain(settings)

    touch(write_events(settings, "a.jsonl", event(id="e2")), RECEIPT - timedelta(days=2))

    assert pending(settings) == ["a.jsonl"]


def test_touched_file_is_read_once_and_stays_the_same_batch(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    target = write_events(settings, "a.jsonl", event())
    drain(settings)

    touch(target, RECEIPT + timedelta(hours=1))
    second = drain(settings)

    assert second.commits == ()
    assert pending(settings) == []


def test_lost_ledger_fills_itself_from_the_commits(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    drain(settings)
    for part in settings.home.glob("ledger.sqlite*"):
        part.unlink()

    assert pending(settings) == []
    assert Ledger(settings.home).current("default", "a.jsonl")[0] == 1


def test_failed_file_comes_back_until_it_is_given_up(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, max_attempts=2)
    write_events(settings, "a.jsonl", event())
    ledger = Ledger(settings.make_home())
    (file,) = list_files(settings.sources[0])

    assert ledger.record_failure(file, "why") == 1
    assert pending(settings) == ["a.jsonl"]
    assert ledger.record_failure(file, "why") == 2

    assert pending(settings) == []


def test_given_up_file_comes_back_when_it_changes(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, max_attempts=1)
    write_events(settings, "a.jsonl", event())
    (file,) = list_files(settings.sources[0])
    Ledger(settings.make_home()).record_failure(file, "why")
    assert pending(settings) == []

    write_events(settings, "a.jsonl", event(), event(id="e2"))

    assert pending(settings) == ["a.jsonl"]


def test_file_counts_as_resting_when_it_is_seen_twice_alike(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    target = write_events(settings, "a.jsonl", event())
    ledger = Ledger(settings.make_home())

    assert ledger.see(list_files(settings.sources[0])) == []
    assert len(ledger.see(list_files(settings.sources[0]))) == 1

    target.write_text("grown")
    assert ledger.see(list_files(settings.sources[0])) == []
