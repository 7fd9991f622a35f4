"""A file that kills the process that reads it, and everything that must go on all the same."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sequen_dagster.errors import ParserCrashError
from sequen_dagster.exports.files import list_files
from sequen_dagster.lake.commits import Batch
from sequen_dagster.lake.workers import Job, _describe_end
from sequen_dagster.settings import SequenSettings
from support.builders import RECEIVED_AT, event
from support.crashes import environment
from support.homes import settings_of, write_events
from support.lake import workers_of


def jobs_of(settings: SequenSettings) -> list[Job]:
    return [Job(file, RECEIVED_AT) for file in list_files(settings.sources[0])]


@pytest.mark.slow
@pytest.mark.fault(16)
@pytest.mark.parametrize("poison", ["0.jsonl", "3.jsonl"])
def test_file_that_kills_its_process_takes_no_other_along(tmp_path: Path, poison: str) -> None:
    settings = settings_of(tmp_path).model_copy(update={"workers": 2})
    for number in range(4):
        write_events(settings, f"{number}.jsonl", event(id=f"e{number}"))
    jobs = jobs_of(settings)

    deadly = {"SEQUEN_FAIL_AT": "lake.file_opened", "SEQUEN_FAIL_PATH": poison}
    with (
        environment(**deadly, SEQUEN_FAIL_SIGNAL="SIGSEGV"),
        workers_of(settings, jobs, isolate=True) as workers,
    ):
        outcomes = {job.file.path: outcome for job, outcome in workers.validate(jobs)}

    error = outcomes.pop(poison)
    assert isinstance(error, ParserCrashError)
    assert error.signal == signal.SIGSEGV
    assert str(error).startswith("parser_crash: ")
    assert str(error).endswith("signal 11.")
    assert len(outcomes) == 3
    assert all(isinstance(outcome, Batch) for outcome in outcomes.values())


@pytest.mark.slow
@pytest.mark.fault(16)
def test_process_that_dies_once_costs_nothing(tmp_path: Path) -> None:
    # As when the kernel takes a worker for want of memory that others used.
    settings = settings_of(tmp_path).model_copy(update={"workers": 2})
    for number in range(4):
        write_events(settings, f"{number}.jsonl", event(id=f"e{number}"))
    jobs = jobs_of(settings)

    with workers_of(settings, jobs, isolate=True) as workers:
        validated = workers.validate(jobs)
        first = next(validated)
        assert workers._pool is not None
        processes = workers._pool._processes
        processes[min(processes)].kill()
        outcomes = [first, *validated]

    assert sorted(job.file.path for job, _ in outcomes) == [f"{one}.jsonl" for one in range(4)]
    assert all(isinstance(outcome, Batch) for _, outcome in outcomes)


@pytest.mark.slow
@pytest.mark.fault(37)
def test_interrupted_run_does_not_wait_for_its_workers(tmp_path: Path) -> None:
    settings = settings_of(tmp_path).model_copy(update={"workers": 2})
    for number in range(2):
        write_events(settings, f"{number}.jsonl", event(id=f"e{number}"))
    jobs = jobs_of(settings)
    # Stopped, they would never get done.
    endless = {"SEQUEN_FAIL_AT": "lake.file_opened", "SEQUEN_FAIL_SIGNAL": "SIGSTOP"}

    with (
        environment(**endless),
        pytest.raises(KeyboardInterrupt),
        workers_of(settings, jobs, isolate=True) as workers,
        interrupted_after(seconds=3),
    ):
        list(workers.validate(jobs))

    assert len(workers._context.started) == 2
    assert not any(process.is_alive() for process in workers._context.started)


@contextmanager
def interrupted_after(*, seconds: float) -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.fault(16)
@pytest.mark.parametrize(
    ("exit_code", "message"),
    [(-11, "died, alone, of signal 11."), (-9, "died, alone, of signal 9."), (3, "exit code 3.")],
)
def test_crash_says_how_the_process_ended(exit_code: int, message: str) -> None:
    error = _describe_end(exit_code)

    assert isinstance(error, ParserCrashError)
    assert error.signal == abs(exit_code)
    assert str(error).endswith(message)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_process_that_was_asked_to_end_is_not_a_crash_of_the_file(number: signal.Signals) -> None:
    error = _describe_end(-number)

    assert isinstance(error, InterruptedError)
    assert error.strerror == f"The process that read it was ended by {number.name}"


def test_little_work_needs_no_processes(tmp_path: Path) -> None:
    settings = settings_of(tmp_path).model_copy(update={"workers": 2})
    for number in range(2):
        write_events(settings, f"{number}.jsonl", event(id=f"e{number}"))
    jobs = jobs_of(settings)

    with workers_of(settings, jobs) as workers:
        outcomes = list(workers.validate(jobs))
        assert workers._pool is None

    assert len(outcomes) == 2
