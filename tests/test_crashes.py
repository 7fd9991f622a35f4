"""Runs that are killed: at every named place once, and at random times under load."""

import os
import random
import shutil
import signal
import time
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from sequen_dagster.lake.commits import read_commits
from sequen_dagster.operations.run import run_pipeline
from sequen_dagster.runtime.fail_points import FAIL_POINTS
from sequen_dagster.settings import SequenSettings
from support.builders import RECEIVED_AT, event
from support.crashes import (
    Child,
    check_lake,
    contents_of,
    differing_tables,
    drained,
    drained_by_workers,
    kill,
    run_through,
    start,
    wait_until,
    write_many,
)
from support.homes import Kept, set_modified_at, settings_of, write_events
from support.lake import drain, lake_of

RANDOM_INGEST_KILLS: Final = 100
SPAWN_SECONDS = 3
SEED: Final = 20_250_714
LAKE = [name for name in FAIL_POINTS if name.startswith("lake.")]
BEHIND_THE_LAKE = [name for name in FAIL_POINTS if not name.startswith("lake.")]
ORDER = {"type": "conversion", "page_type": None, "conversion_type": "purchase", "item_ids": ["s"]}
CLICK = {"type": "click", "page_type": None, "item_id": "s", "click_type": "open"}


def drop_first_files(settings: SequenSettings) -> None:
    write_events(settings, "a.jsonl", event(id="e1"), event(id="e2", uid=...))
    write_events(settings, "b.jsonl", event(id="o1", **ORDER, order_total="9.99"), event(id="e3"))


def drop_later_files(settings: SequenSettings) -> None:
    """A file that is corrected, one that repeats an event, and a click that moves credit."""
    write_events(settings, "b.jsonl", event(id="o1", **ORDER, order_total="5"))
    earlier = "2025-07-14T08:00:00Z"
    write_events(settings, "c.jsonl", event(id="c1", **CLICK, original_timestamp=earlier))
    write_events(settings, "d.jsonl", event(id="e1"), event(id="e9", type=...))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A home that has run once."""
    settings = settings_of(tmp_path_factory.mktemp("home"))
    drop_first_files(settings)
    assert run_pipeline(settings).is_success
    return Kept(settings)


@pytest.fixture(scope="module")
def undisturbed(kept: Kept, tmp_path_factory: pytest.TempPathFactory) -> SequenSettings:
    """The same home after one more run, on more files, undisturbed."""
    settings = kept.put_back()
    drop_later_files(settings)
    assert run_pipeline(settings).build == "incremental build"
    aside = tmp_path_factory.mktemp("undisturbed")
    shutil.copytree(settings.home.parent, aside, dirs_exist_ok=True)
    return settings_of(aside)


@pytest.mark.slow
@pytest.mark.fault(22)
@pytest.mark.parametrize("place", BEHIND_THE_LAKE)
def test_run_killed_at_a_fail_point_is_completed_by_the_next(
    place: str, kept: Kept, undisturbed: SequenSettings
) -> None:
    settings = kept.put_back()
    drop_later_files(settings)
    killed = start(run_through, settings, SEQUEN_FAIL_AT=place)
    killed.join(300)
    assert killed.exitcode == -signal.SIGKILL

    again = run_pipeline(settings)

    assert (again.is_success, again.failures, again.failed_checks) == (True, (), ())
    # Killed after the last file was in its place, the run has left nothing to do.
    build = "" if place == "reports.training_replaced" else "incremental build"
    assert (again.new_files, again.build) == (0, build)
    check_lake(settings)
    assert contents_of(settings) == contents_of(undisturbed)
    assert differing_tables(settings, undisturbed) == []


@pytest.mark.slow
@pytest.mark.fault(22)
@pytest.mark.parametrize("place", LAKE)
def test_drain_killed_at_a_fail_point_is_completed_by_the_next(place: str, tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    drop_first_files(settings)
    drain(settings)
    drop_later_files(settings)
    killed = start(drained, settings, SEQUEN_FAIL_AT=place)
    killed.join(60)
    assert killed.exitcode == -signal.SIGKILL
    is_committed = place in ("lake.committed", "lake.indexed")

    again = drain(settings)

    assert sorted(batch.path for batch in again.batches) == (
        [] if is_committed else ["b.jsonl", "c.jsonl", "d.jsonl"]
    )
    assert drain(settings).batches == []
    check_lake(settings)
    assert len(list(read_commits(lake_of(settings)))) == 2
    assert contents_of(settings) == drained_alone(settings, tmp_path / "alone")


@pytest.mark.slow
@pytest.mark.fault(22)
def test_ingest_survives_random_kills_under_load(tmp_path: Path) -> None:
    seed = int(os.environ.get("SEQUEN_FAIL_SEED", SEED))
    # Shown where the test fails.
    print(f"SEQUEN_FAIL_SEED={seed}")  # noqa: T201
    choice = random.Random(seed)
    # Some files a commit, so that kills hit the work of several.
    settings = settings_of(tmp_path, retry_seconds=0, run_bytes=60_000)
    versions: dict[str, int] = {}
    longest = seconds_of_a_drain(settings, versions, choice)
    survived = half_way = 0
    checked: list[str] = []
    while survived < RANDOM_INGEST_KILLS:
        drop_some_files(settings, versions, choice)
        # After a kill files are read in processes of their own, which takes seconds to begin; a
        # ledger that is lost as well does not know.
        is_forgotten = choice.random() < 0.8
        if is_forgotten:
            for part in settings.home.glob("ledger.sqlite*"):
                part.unlink()
        child = start(drained, settings)
        if choice.random() < 0.5:
            time.sleep(choice.uniform(0, 0.1))
            drop_some_files(settings, versions, choice)
        seconds = choice.uniform(0, longest if is_forgotten else longest + SPAWN_SECONDS)
        has_died = was_killed_within(child, seconds)
        survived += has_died
        half_way += has_died and has_unfinished_rows(settings)
        checked += check_lake(settings, known=checked)

    last = drain(settings)

    # The kills hit where it hurts, many while rows were being written, and yet work got done.
    assert half_way >= RANDOM_INGEST_KILLS // 10
    assert len(checked) >= RANDOM_INGEST_KILLS // 10
    assert last.failures == ()
    assert drain(settings).batches == []
    assert sorted(contents_of(settings)) == sorted(versions)
    assert contents_of(settings) == drained_alone(settings, tmp_path / "alone")


@pytest.mark.slow
@pytest.mark.fault(22)
def test_workers_of_a_killed_drain_end_and_the_next_drain_makes_good(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, retry_seconds=0).model_copy(update={"workers": 2})
    for number in range(12):
        write_many(settings, f"{number:02}.jsonl", events=2_000)
    child = start(drained_by_workers, settings)
    incoming = lake_of(settings).incoming
    wait_until(lambda: incoming.exists() and any(incoming.iterdir()), seconds=120)
    workers = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
    assert len(workers) >= 2

    kill(child)
    wait_until(lambda: not any(is_running(worker) for worker in workers), seconds=10)

    check_lake(settings)
    assert len(drain(settings).batches) == 12
    assert contents_of(settings) == drained_alone(settings, tmp_path / "alone")


def is_running(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def seconds_of_a_drain(
    settings: SequenSettings, versions: dict[str, int], choice: random.Random
) -> float:
    """How long an undisturbed one takes; the first one also starts the server of forks."""
    for _ in range(2):
        for _ in range(3):
            drop_some_files(settings, versions, choice)
        started = time.monotonic()
        child = start(drained, settings)
        child.join(120)
        assert child.exitcode == 0
    return time.monotonic() - started


def has_unfinished_rows(settings: SequenSettings) -> bool:
    """Whether a file was being written; what lies there is removed for the next call."""
    incoming = lake_of(settings).incoming
    left = list(incoming.glob("*/"))
    for folder in left:
        shutil.rmtree(folder)
    return bool(left)


def was_killed_within(child: Child, seconds: float) -> bool:
    """Kill it after so long; whether it was still at work."""
    child.join(seconds)
    kill(child)
    return child.exitcode == -signal.SIGKILL


def drop_some_files(
    settings: SequenSettings, versions: dict[str, int], choice: random.Random
) -> None:
    """Drop new files, or put another version in the place of old ones."""
    for _ in range(choice.randint(1, 3)):
        path = f"{choice.randrange(15):02}.jsonl"
        versions[path] = versions.get(path, -1) + 1
        unfinished = f"{path}.tmp"
        write_many(settings, unfinished, events=choice.randint(1, 300), version=versions[path])
        target = settings.sources[0].exports / unfinished
        set_modified_at(target, RECEIVED_AT + timedelta(seconds=sum(versions.values())))
        target.replace(target.with_suffix(""))


def drained_alone(settings: SequenSettings, home: Path) -> dict[str, object]:
    """What an undisturbed drain makes of the same files."""
    alone = settings.model_copy(update={"home": home})
    drain(alone)
    return contents_of(alone)


@pytest.mark.slow
@pytest.mark.fault(27)
@pytest.mark.parametrize("place", ["lake.rows_written", "lake.rows_moved"])
def test_run_that_wakes_up_late_commits_nothing_twice(place: str, tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    drop_first_files(settings)
    zombie = start(drained, settings, SEQUEN_FAIL_AT=place, SEQUEN_FAIL_SIGNAL="SIGSTOP")
    wait_until(lambda: state_of(zombie) == "T", seconds=60)

    other = drain(settings)
    assert len(other.batches) == 2
    before = contents_of(settings)
    while zombie.is_alive():
        # It comes by the place once a file.
        signal_to(zombie, signal.SIGCONT)
        zombie.join(0.2)

    assert zombie.exitcode == 0
    assert list(read_commits(lake_of(settings))) == list(other.commits)
    check_lake(settings)
    assert contents_of(settings) == before
    assert drain(settings).batches == []


@pytest.mark.slow
@pytest.mark.fault(27)
def test_run_that_stops_while_it_commits_makes_others_wait(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    drop_first_files(settings)
    zombie = start(
        drained, settings, SEQUEN_FAIL_AT="lake.manifest_written", SEQUEN_FAIL_SIGNAL="SIGSTOP"
    )
    wait_until(lambda: state_of(zombie) == "T", seconds=60)
    other = start(drained, settings)
    other.join(1.5)
    assert other.is_alive()

    signal_to(zombie, signal.SIGCONT)
    for child in (zombie, other):
        child.join(60)

    assert (zombie.exitcode, other.exitcode) == (0, 0)
    assert len(list(read_commits(lake_of(settings)))) == 1
    assert contents_of(settings) == drained_alone(settings, tmp_path / "alone")


def state_of(child: Child) -> str:
    return Path(f"/proc/{child.pid}/stat").read_text().rpartition(") ")[2][0]


def signal_to(child: Child, number: signal.Signals) -> None:
    assert child.pid is not None
    os.kill(child.pid, number)
