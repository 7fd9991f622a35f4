"""What a batch costs: the dbt step of 50,000 new events on a short and on a long history."""

import resource
import shutil
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.history import EVENTS_PER_DAY, add_bot, add_days
from sequen_dagster.home.layout import Home
from sequen_dagster.marts.builds import begin_build, finish_build
from sequen_dagster.marts.project import (
    dbt_command,
    dbt_environment,
    tables_fingerprint,
    write_profile,
)
from sequen_dagster.marts.warehouse import connect
from sequen_dagster.settings import SequenSettings, load_settings

# The longest history; a shorter one is its last days.
_DAYS = 100
_BOT_EVENTS = 1_000_000
_BOT_BATCH = 500


@dataclass(frozen=True)
class BatchMeasured:
    """One row of the table of batches.

    Attributes:
        case: what was measured.
        history: events that were there before.
        full_seconds: wall time of the full refresh of that history, dbt started again.
        seconds: wall time of the dbt step of a batch, median of the rounds.
        slowest: the slowest round.
        ratio: `seconds` over that of the shortest history of the case.
        peak_mib: largest resident size of dbt in the case so far, in MiB.
    """

    case: str
    history: int
    full_seconds: float
    seconds: float
    slowest: float
    ratio: float
    peak_mib: float


def bench_batches(folder: Path, histories: list[int], rounds: int) -> list[BatchMeasured]:
    """Add batches of a day to each history and time the dbt step; then the same beside a bot.

    Rounds of the histories take turns, so that a slow minute of the machine hits all of them.
    """
    homes = {
        events: _history(folder / str(events), events // EVENTS_PER_DAY, is_bot=False)
        for events in sorted(histories)
    }
    rows = _rounds("a batch of 50,000", homes, rounds)
    shutil.rmtree(folder)
    shortest = min(histories)
    home = _history(folder / "bot", shortest // EVENTS_PER_DAY, is_bot=True)
    rows += _rounds("beside a bot, 500 of its events", {shortest + _BOT_EVENTS: home}, rounds)
    return rows


def batches_table(rows: list[BatchMeasured]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| case | history | full refresh s | batch s | slowest s | ratio | peak MiB |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row.case} | {row.history:,} | {row.full_seconds:.1f} | {row.seconds:.1f} "
        f"| {row.slowest:.1f} | {row.ratio:.2f} | {row.peak_mib:,.0f} |"
        for row in rows
    ]
    return "\n".join(lines)


@dataclass
class _Home:
    settings: SequenSettings
    full_seconds: float
    next_day: int = _DAYS
    # The next second of the bot, where there is one.
    next_second: int | None = None


def _history(home: Path, days: int, *, is_bot: bool) -> _Home:
    settings = load_settings(home, home=home, exports=home / "exports")
    Home(settings.home).make()
    with connect(settings) as warehouse:
        add_days(warehouse, _DAYS - days, _DAYS)
        if is_bot:
            add_bot(warehouse, 0, _BOT_EVENTS)
    seconds = _build(settings)
    return _Home(settings, seconds, next_second=_BOT_EVENTS if is_bot else None)


def _rounds(case: str, homes: dict[int, _Home], rounds: int) -> list[BatchMeasured]:
    seconds: dict[int, list[float]] = {events: [] for events in homes}
    # The first batch warms caches up and is not counted.
    for number in range(rounds + 1):
        for events, home in homes.items():
            with connect(home.settings) as warehouse:
                add_days(warehouse, home.next_day, home.next_day + 1)
                home.next_day += 1
                if home.next_second is not None:
                    add_bot(warehouse, home.next_second, home.next_second + _BOT_BATCH)
                    home.next_second += _BOT_BATCH
            took = _build(home.settings)
            if number:
                seconds[events].append(took)
    medians = {events: statistics.median(taken) for events, taken in seconds.items()}
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return [
        BatchMeasured(
            case,
            events,
            home.full_seconds,
            medians[events],
            max(seconds[events]),
            medians[events] / medians[min(homes)],
            peak,
        )
        for events, home in homes.items()
    ]


def _build(settings: SequenSettings) -> float:
    """Run the dbt step, models and tests; its wall time."""
    write_profile(settings)
    with connect(settings) as warehouse:
        build = begin_build(warehouse, tables_fingerprint(settings))
    started = time.perf_counter()
    finished = subprocess.run(  # our own interpreter and arguments
        dbt_command(
            settings,
            "build",
            "--exclude",
            "resource_type:unit_test",
            *(["--full-refresh"] if build.is_full else []),
        ),
        env=dbt_environment(Home(settings.home)),
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if finished.returncode != 0:
        message = f"dbt ended with {finished.returncode}: {finished.stdout[-2000:]}"
        raise RuntimeError(message)
    with connect(settings) as warehouse:
        finish_build(warehouse, build)
    return seconds
