from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from sequen_dagster.exports.files import ExportFile
from sequen_dagster.lake.ledger_rows import FileStatus
from sequen_dagster.lake.requests import RequestPlan, RequestRules, plan_requests
from sequen_dagster.settings import SequenSettings, Source
from support.builders import RECEIVED_AT
from support.homes import settings_of
from support.lake import home_of

NOW = datetime(2026, 1, 1, 12, 0, 0)


def file(path: str, size_bytes: int = 10) -> ExportFile:
    return ExportFile("default", path, path, size_bytes, RECEIVED_AT)


def status(path: str, *, size_bytes: int = 10, quiet: int = 60, **known: object) -> FileStatus:
    first_seen_at = (NOW - timedelta(seconds=quiet)).isoformat()
    fresh = FileStatus(
        file(path, size_bytes), "seen", first_seen_at, 2, 0, "", False, None, 0, None
    )
    return replace(fresh, **known)


def paths(statuses: tuple[FileStatus, ...]) -> list[str]:
    return [one.file.path for one in statuses]


def plan_of(settings: SequenSettings, *statuses: FileStatus, **known: object) -> RequestPlan:
    rules = RequestRules.of(settings)
    return plan_requests(statuses, home_of(settings), rules, now=NOW, **known)


def requested(settings: SequenSettings, *statuses: FileStatus, **known: object) -> list[list[str]]:
    plan = plan_of(settings, *statuses, **known)
    return [[one.path for one in file_group.files] for file_group in plan.requests]


@pytest.mark.fault(1)
@pytest.mark.parametrize(
    ("observations", "quiet", "is_whole"),
    [(2, 30, True), (1, 30, False), (2, 29, False), (1, 3600, False)],
)
def test_file_is_whole_after_two_polls_and_the_quiet_period(
    tmp_path: Path, observations: int, quiet: int, is_whole: bool
) -> None:
    settings = settings_of(tmp_path, quiet_seconds=30)
    plan = plan_of(settings, status("a", observations=observations, quiet=quiet))

    assert bool(plan.requests) == is_whole
    assert paths(plan.arriving) == ([] if is_whole else ["a"])


def test_files_go_in_order_of_path_and_what_has_failed_comes_last(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    failed = status("a", state="failed", attempts=1)

    assert requested(settings, failed, status("c"), status("b")) == [["b", "c", "a"]]


@pytest.mark.parametrize(("attempts", "error"), [(1, None), (2, "why")])
def test_failed_file_waits_for_its_next_try(
    tmp_path: Path, attempts: int, error: str | None
) -> None:
    settings = settings_of(tmp_path)
    due = NOW.isoformat()
    later = (NOW + timedelta(microseconds=1)).isoformat()
    failed = status("a", state="failed", attempts=attempts, error=error)

    assert requested(settings, replace(failed, retry_at=due)) == [["a"]]
    plan = plan_of(settings, replace(failed, retry_at=later))
    assert (plan.requests, paths(plan.backing_off)) == ((), ["a"])


@pytest.mark.fault(17)
def test_dead_lettered_files_keep_no_one_waiting(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    plan = plan_of(settings, status("a", state="dead_lettered"), status("b"))

    assert [one.path for one in plan.requests[0].files] == ["b"]
    assert paths(plan.dead_lettered) == ["a"]


def test_file_groups_are_bounded_by_bytes_and_files_and_by_nothing_else(tmp_path: Path) -> None:
    many = [status(f"{number}") for number in range(5)]

    assert requested(settings_of(tmp_path), *many) == [["0", "1", "2", "3", "4"]]
    by_files = settings_of(tmp_path, run_files=2, runs_per_tick=9)
    assert requested(by_files, *many) == [["0", "1"], ["2", "3"], ["4"]]
    by_bytes = settings_of(tmp_path, run_bytes=20, runs_per_tick=9)
    assert requested(by_bytes, *many) == [["0", "1"], ["2", "3"], ["4"]]
    huge = status("1", size_bytes=1_000)
    assert requested(by_bytes, status("0"), huge, status("2")) == [["0"], ["1"], ["2"]]


def test_there_are_at_most_so_many_runs_at_a_time(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, run_files=1, runs_per_tick=2)
    busy = status("0", file_group="f" * 32)
    fresh = [status("1"), status("2"), status("3")]

    assert requested(settings, *fresh) == [["1"], ["2"]]
    plan = plan_of(settings, busy, *fresh, running={"f" * 32})
    assert [one.path for file_group in plan.requests for one in file_group.files] == ["1"]
    assert (paths(plan.under_way), paths(plan.waiting)) == (["0"], ["2", "3"])


def test_file_group_that_no_run_came_of_is_asked_for_as_it_was(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    first = plan_of(settings, status("a"), status("b")).requests[0]
    again = [status(name, file_group=first.name) for name in "ab"]

    plan = plan_of(settings, *again, status("0"))

    assert plan.requests[0] == first
    assert [one.path for one in plan.requests[1].files] == ["0"]


@pytest.mark.fault(29)
def test_name_of_a_file_group_stands_for_content_and_try(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)

    def name(one: FileStatus, settings: SequenSettings = settings) -> str:
        return plan_of(settings, one).requests[0].name

    first = status("a")
    other = settings.model_copy(update={"home": tmp_path / "other"})
    assert name(first) == name(first)
    changed = msgspec.structs.replace(first.file, etag="x")
    names = {
        name(first), name(first, other), name(replace(first, requests=1)),
        name(status("b")), name(replace(first, file=changed)),
    }  # fmt: skip
    assert len(names) == 5


@pytest.mark.fault(1)
@pytest.mark.parametrize("complete_when", ["success_marker", "manifest"])
def test_announced_files_have_no_quiet_period_and_others_wait(
    tmp_path: Path, complete_when: str
) -> None:
    source = Source(exports=tmp_path, complete_when=complete_when)
    settings = settings_of(tmp_path).model_copy(update={"sources": (source,)})
    fresh, old = status("a", observations=1, quiet=0), status("b", observations=99, quiet=9999)

    assert requested(settings, fresh, old, announced={fresh.file}) == [["a"]]
