import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result

from sequen_dagster.cli.main import main
from sequen_dagster.home.layout import Lake
from sequen_dagster.lake import replay as module
from sequen_dagster.lake.commits import RecordCounts, current_batches, read_commits
from sequen_dagster.lake.config import LakeConfig
from sequen_dagster.lake.ledger import Ledger
from sequen_dagster.lake.replay import Choice, Replayed
from sequen_dagster.marts.verify import verify
from sequen_dagster.operations.run import run_pipeline
from sequen_dagster.settings import SequenSettings
from support.builders import RECEIVED_AT, event
from support.homes import set_modified_at, settings_of, write_events
from support.lake import (
    dead_lettered_files,
    drain,
    lake_of,
    ledger_of,
    pending_files,
    plan,
    replay,
    retry_given_up,
)

STALE = Choice(is_stale=True)
DEEP = {"id": "deep", "note": {"a": {"b": 1}}}


def stricter(settings: SequenSettings) -> SequenSettings:
    """Another contract: it quarantines what is nested deeper than a list or an object."""
    return settings.model_copy(update={"max_depth": 2})


def taken_in(tmp_path: Path, **files: dict[str, Any]) -> SequenSettings:
    """A home that has taken in one plain and one deep event a file."""
    settings = settings_of(tmp_path)
    for name, fields in (files or {"a": {}}).items():
        deep = event(**{**DEEP, "id": f"deep {name}", **fields})
        write_events(settings, f"{name}.jsonl", event(id=name), deep)
    drain(settings)
    return settings


def accepted(settings: SequenSettings, files: tuple[str, ...]) -> list[str]:
    lake = lake_of(settings)
    return [one for name in files for one in pl.read_parquet(lake.rows(name))["id"].to_list()]


def lose_ledger(settings: SequenSettings) -> None:
    for part in settings.home.glob("ledger.sqlite*"):
        part.unlink()


def output_of(result: Result) -> str:
    return " ".join(result.output.split())


def test_nothing_is_stale_by_the_same_contract(tmp_path: Path) -> None:
    settings = taken_in(tmp_path)

    assert plan(settings, STALE).jobs == ()
    assert replay(settings, STALE).commits == ()
    # Settings of the marts are none of the contract.
    assert not plan(settings.model_copy(update={"stitching": False}), STALE).jobs


@pytest.mark.parametrize("limit", ["max_depth", "max_record_bytes", "max_compression_ratio"])
def test_every_setting_of_the_contract_makes_batches_stale(tmp_path: Path, limit: str) -> None:
    settings = taken_in(tmp_path)

    assert len(plan(settings.model_copy(update={limit: 99}), STALE).jobs) == 1


def test_stale_batch_is_validated_again_as_its_next_version(tmp_path: Path) -> None:
    settings = taken_in(tmp_path)
    (before,) = current_batches(lake_of(settings))

    replayed = replay(stricter(settings), STALE, run_id="run-2")

    (commit,) = replayed.commits
    (after,) = commit.batches
    assert (before.version, after.version, commit.run_id) == (1, 2, "run-2")
    assert (before.record_counts, after.record_counts) == (
        RecordCounts(records_read=2, accepted=2),
        RecordCounts(records_read=2, accepted=1, quarantined=1),
    )
    assert after.contract_fingerprint != before.contract_fingerprint
    validated = (
        "version",
        "record_counts",
        "rule_counts",
        "contract_fingerprint",
        "events",
        "quarantine",
        "first_error",
    )
    assert replace(after, **{name: getattr(before, name) for name in validated}) == before
    # The rows of both validations can be read.
    assert accepted(settings, before.events) == ["a", "deep a"]
    assert accepted(settings, after.events) == ["a"]
    assert current_batches(lake_of(settings)) == [after]


def test_replay_again_does_nothing(tmp_path: Path) -> None:
    settings = stricter(taken_in(tmp_path))
    replay(settings, STALE)

    assert replay(settings, STALE).batches == []
    assert drain(settings).commits == ()
    assert len(list(read_commits(lake_of(settings)))) == 2


def test_contract_that_comes_back_is_a_version_of_its_own(tmp_path: Path) -> None:
    settings = taken_in(tmp_path)
    (first,) = current_batches(lake_of(settings))
    replay(stricter(settings), STALE)

    (third,) = replay(settings, STALE).batches

    assert third.version == 3
    assert third.events != first.events
    assert accepted(settings, third.events) == accepted(settings, first.events)


def test_missing_and_changed_files_are_named_and_left(tmp_path: Path) -> None:
    settings = taken_in(tmp_path, a={}, b={}, c={}, d={})
    (settings.sources[0].exports / "a.jsonl").unlink()
    write_events(settings, "b.jsonl", event())
    # As long as before, and of the same time: only its content differs.
    write_events(settings, "c.jsonl", event(id="c"), event(**{**DEEP, "id": "DEEP c"}))

    replayed = replay(stricter(settings), STALE)

    assert [(one.path, one.reason) for one in replayed.left] == [
        ("a.jsonl", "gone"),
        ("b.jsonl", "changed"),
        ("c.jsonl", "changed"),
    ]
    assert [batch.path for batch in replayed.batches] == ["d.jsonl"]
    folders = {path.name for path in (lake_of(settings).events).iterdir()}
    batches = {f"batch_id={one.batch_id}" for one in current_batches(lake_of(settings))}
    assert folders == batches


def test_file_with_a_new_time_only_keeps_its_arrival_time_and_is_not_read_again(
    tmp_path: Path,
) -> None:
    settings = stricter(taken_in(tmp_path))
    set_modified_at(settings.sources[0].exports / "a.jsonl", RECEIVED_AT + timedelta(days=1))

    (batch,) = replay(settings, STALE).batches

    assert (batch.modified_at, batch.received_at) == (RECEIVED_AT, RECEIVED_AT)
    rows = pl.read_parquet(lake_of(settings).rows(batch.events[0]))
    assert rows["received_at"].unique().to_list() == [RECEIVED_AT]
    assert pending_files(settings) == []


def test_file_that_cannot_be_read_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sequen_dagster.lake import ingest as module

    settings = stricter(taken_in(tmp_path, a={}, b={}))
    ingest = module.ingest_file

    def refuse(file: Any, *args: Any, **options: Any) -> Any:
        if file.path == "a.jsonl":
            raise PermissionError(13, "Permission denied", str(file.location))
        return ingest(file, *args, **options)

    monkeypatch.setattr(module, "ingest_file", refuse)
    replayed = replay(settings, STALE)

    assert [one.reason for one in replayed.failures] == [
        "PermissionError: Permission denied. Give this user the right to read it."
    ]
    assert [batch.path for batch in replayed.batches] == ["b.jsonl"]
    # It stays stale, and the drain does not give it up.
    assert [job.file.path for job in plan(settings, STALE).jobs] == ["a.jsonl"]


def test_replay_that_broke_off_before_its_commit_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = taken_in(tmp_path)
    there = tmp_path / "elsewhere"
    shutil.copytree(settings.home, there)
    (undisturbed,) = replay(stricter(settings), STALE).commits
    settings = stricter(settings.model_copy(update={"home": there}))

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "commit_batches", die)
        with pytest.raises(KeyboardInterrupt):
            replay(settings, STALE)
    (before,) = current_batches(Lake(there / "lake"))
    (commit,) = replay(settings, STALE).commits

    assert before.version == 1
    assert commit.commit_id == undisturbed.commit_id
    assert commit.batches == undisturbed.batches
    assert len(list((there / "lake" / "events").rglob("*.parquet"))) == 2


def test_replay_works_without_the_ledger(tmp_path: Path) -> None:
    settings = stricter(taken_in(tmp_path))

    for version in (2, 3, 4, 5):
        lose_ledger(settings)
        (commit,) = replay(settings, Choice(paths=("*",))).commits
        lose_ledger(settings)

        assert [batch.version for batch in commit.batches] == [version]
        assert pending_files(settings) == []
        # Whatever the order of the commits' names, the last version is the one that is known.
        with closing(sqlite3.connect(settings.home / "ledger.sqlite")) as ledger:
            (row,) = ledger.execute("select version, commit_id from file_versions").fetchall()
        assert row == (version, commit.commit_id)


def test_version_that_arrives_meanwhile_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = stricter(taken_in(tmp_path))
    commit_batches = module.commit_batches

    def overtaken(*args: Any, **options: Any) -> Any:
        write_events(settings, "a.jsonl", event(id="new"))
        assert [batch.version for batch in drain(settings).batches] == [2]
        return commit_batches(*args, **options)

    monkeypatch.setattr(module, "commit_batches", overtaken)
    replayed = replay(settings, STALE)

    assert replayed.commits == ()
    assert [(one.path, one.reason) for one in replayed.left] == [("a.jsonl", "changed")]
    (current,) = current_batches(lake_of(settings))
    assert accepted(settings, current.events) == ["new"]


def test_two_replays_at_a_time_commit_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = stricter(taken_in(tmp_path))
    commit_batches = module.commit_batches
    faster: list[Replayed] = []

    def overtaken(*args: Any, **options: Any) -> Any:
        monkeypatch.setattr(module, "commit_batches", commit_batches)
        faster.append(replay(settings, STALE))
        return commit_batches(*args, **options)

    monkeypatch.setattr(module, "commit_batches", overtaken)

    assert replay(settings, STALE) == Replayed()
    assert [batch.version for batch in faster[0].batches] == [2]


def test_replay_that_died_after_its_commit_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = stricter(taken_in(tmp_path))

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "record_commit", die)
        with pytest.raises(KeyboardInterrupt):
            replay(settings, STALE)

    assert plan(settings, STALE).jobs == ()
    assert pending_files(settings) == []
    assert ledger_of(settings).current_version("default", "a.jsonl")[0] == 2


def test_older_versions_are_left_alone(tmp_path: Path) -> None:
    settings = taken_in(tmp_path)
    write_events(settings, "a.jsonl", event(id="new"))
    drain(stricter(settings))

    assert plan(stricter(settings), STALE).jobs == ()


def test_paths_choose_what_is_validated_again(tmp_path: Path) -> None:
    settings = taken_in(tmp_path, a={}, ab={}, b={})

    def chosen(choice: Choice) -> list[str]:
        return [job.file.path for job in plan(settings, choice).jobs]

    assert chosen(Choice()) == []
    assert chosen(Choice(paths=("a*",))) == ["a.jsonl", "ab.jsonl"]
    assert chosen(Choice(paths=("default/b.jsonl", "a.jsonl"))) == ["a.jsonl", "b.jsonl"]
    assert chosen(Choice(is_stale=True, paths=("a*",))) == []
    (batch,) = replay(settings, Choice(paths=("b.jsonl",))).batches
    assert (batch.path, batch.version) == ("b.jsonl", 2)


def test_command_says_what_it_would_do(tmp_path: Path) -> None:
    settings = taken_in(tmp_path, a={}, b={})
    (settings.sources[0].exports / "b.jsonl").unlink()
    places = ["--home", str(settings.home), "--exports", str(settings.sources[0].exports)]

    def invoke(*more: str) -> Result:
        return CliRunner().invoke(main, ["replay", *places, *more])

    nothing = invoke("--stale")
    plan = invoke("--stale", "--dry-run", "--set", "max_depth=2")
    gone = invoke("--path", "b*")
    wrong = invoke()

    assert output_of(nothing) == "Nothing is stale: the tables are made of 2 batches."
    assert (
        output_of(plan)
        == "1 batch to validate again 'a.jsonl' 1 batch left unchanged 'b.jsonl': gone"
    )
    assert output_of(gone) == "0 batches to validate again 1 batch left unchanged 'b.jsonl': gone"
    assert [one.exit_code for one in (nothing, plan, gone, wrong)] == [0, 0, 0, 2]
    assert not (settings.home / "warehouse.duckdb").exists()


@pytest.mark.slow
def test_command_validates_again_and_builds(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event(id="a"), event(**DEEP))
    assert run_pipeline(settings).summary["stale"] == {"batches": 0, "paths": []}
    places = ["--home", str(settings.home), "--exports", str(settings.sources[0].exports)]

    result = CliRunner().invoke(main, ["replay", "--stale", *places, "--set", "max_depth=2"])

    assert result.exit_code == 0, result.output
    assert "= 1 accepted + 1 quarantined + 0 skipped" in output_of(result)
    assert "1 batch validated again" in output_of(result)
    assert "full refresh" not in output_of(result)


@pytest.mark.slow
def test_stale_batches_are_reported_until_they_are_revalidated(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event(id="a"), event(**DEEP))
    write_events(settings, "b.jsonl", event(id="b", uid="u2"), event(id="deep", uid="u2"))
    run_pipeline(settings)
    (settings.sources[0].exports / "b.jsonl").unlink()
    new = stricter(settings)
    write_events(settings, "c.jsonl", event(id="c"))

    stale_run = run_pipeline(new)
    outcome = run_pipeline(new, replay=STALE)

    assert stale_run.summary["stale"] == {"batches": 2, "paths": ["a.jsonl", "b.jsonl"]}
    report = (settings.home / "serving" / "report.md").read_text()
    assert "1 batch was validated by an older contract: `sequen-dagster replay --stale`" in report
    assert (outcome.revalidated, outcome.not_revalidated) == (1, 1)
    assert outcome.left_paths == ("'b.jsonl': gone",)
    assert outcome.summary["stale"] == {"batches": 1, "paths": ["b.jsonl"]}
    # The record that the contract now refuses had won its id; the other one takes its place.
    assert outcome.build == "incremental build"
    assert verify(new).is_equal


def chosen(settings: SequenSettings, **choice: Any) -> list[str]:
    return [job.file.path for job in plan(settings, Choice(**choice)).jobs]


def test_batches_are_chosen_by_the_day_of_their_arrival_time(tmp_path: Path) -> None:
    settings = taken_in(tmp_path, a={}, b={})
    late = write_events(settings, "c.jsonl", event(id="c"))
    set_modified_at(late, RECEIVED_AT + timedelta(days=1))
    drain(settings)
    day, next_day = RECEIVED_AT.date(), RECEIVED_AT.date() + timedelta(days=1)

    assert chosen(settings, since=day) == ["a.jsonl", "b.jsonl", "c.jsonl"]
    assert chosen(settings, since=next_day) == chosen(settings, since=next_day, until=next_day)
    assert chosen(settings, since=next_day) == ["c.jsonl"]
    assert chosen(settings, until=day) == ["a.jsonl", "b.jsonl"]
    assert chosen(settings, until=day, paths=("b*",)) == ["b.jsonl"]
    assert chosen(settings, until=day - timedelta(days=1)) == []


def test_batches_are_chosen_by_what_they_have_in_quarantine(tmp_path: Path) -> None:
    settings = taken_in(tmp_path, a={}, b={"uid": None})

    assert chosen(settings, has_quarantined=True) == ["b.jsonl"]


def test_dead_lettered_files_are_released_on_demand(tmp_path: Path) -> None:
    settings = taken_in(tmp_path, a={})
    write_events(settings, "b.jsonl", event(id="b"))
    (file,) = pending_files(settings)
    ledger_of(settings).record_failure(file, "why", max_attempts=1)
    assert drain(settings).commits == ()
    assert [one.path for one in dead_lettered_files(settings)] == ["b.jsonl"]

    assert retry_given_up(settings) == 1

    assert [batch.path for batch in drain(settings).batches] == ["b.jsonl"]
    assert retry_given_up(settings) == 0


def test_run_config_asks_for_the_same_batches() -> None:
    choice = Choice(True, ("a*",), date(2025, 7, 1), date(2025, 7, 2), has_quarantined=True)

    assert LakeConfig.asking(choice).choice() == choice
    assert LakeConfig.asking(Choice()).choice().is_empty
