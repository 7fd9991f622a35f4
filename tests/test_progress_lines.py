"""How far a command is, where its output is not a terminal."""

import threading

import pytest
from rich.console import Console

from sequen_dagster.cli import options
from sequen_dagster.runtime.progress import count_records, counting_records, emit, listening
from sequen_dagster.runtime.progress_lines import ProgressLines, logging_progress


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_line_as_each_stage_begins_and_ends_and_how_far_it_is_between() -> None:
    written: list[str] = []
    clock = Clock()
    lines = ProgressLines(written.append, clock)

    lines.say_how_far()
    lines.note("lake", "started")
    clock.now += 30
    for number in range(1, 1_201):
        lines.count_records(1_000)
        lines.note("lake", f"{number}/4000 2025/{number}.jsonl")
    lines.say_how_far()
    clock.now += 60.4
    lines.note("lake", "done in 90.4 s")
    lines.say_how_far()
    lines.note("marts", "started")
    clock.now += 30
    lines.say_how_far()
    lines.note("marts", "incremental")
    lines.note("marts", "1/109 fct_events")
    lines.note("marts", "2/109 fct_clicks")
    clock.now += 30
    lines.say_how_far()
    lines.note("marts", "failed")
    lines.note("published_snapshot", "started")
    # The same, as its stage says it.
    lines.note("published_snapshot", "published snapshot")

    assert written == [
        "lake: started",
        "lake: 1,200 of 4,000 files, 1,200,000 records (40,000 a second), 30 s",
        "lake: done in 90.4 s",
        "marts: started",
        "marts: started, 30 s",
        "marts: incremental",
        "marts: 2 of 109 models, 60 s",
        "marts: failed",
        "published_snapshot: started",
    ]


def test_steps_of_one_kind_take_one_line() -> None:
    written: list[str] = []
    clock = Clock()
    lines = ProgressLines(written.append, clock)

    for message in ("loading 3 commits", "building fct_events", "building fct_clicks"):
        lines.note("verify", message)
    clock.now += 30
    lines.say_how_far()

    assert written == [
        "verify: loading 3 commits",
        "verify: building fct_events",
        "verify: building fct_clicks, 30 s",
    ]


@pytest.mark.bad_input(33)
def test_lines_cannot_control_a_terminal() -> None:
    written: list[str] = []

    ProgressLines(written.append).note("lake", "reading \x1b[2J\n::error::.jsonl")

    assert written == ["lake: reading \\x1b[2J\\n::error::.jsonl"]


def test_lines_are_written_while_the_block_runs() -> None:
    written: list[str] = []
    has_spoken = threading.Event()

    def write(line: str) -> None:
        written.append(line)
        if len(written) == 2:
            has_spoken.set()

    lines = ProgressLines(write, Clock())
    with lines.speaking(0.01):
        lines.note("lake", "1/2 a.jsonl")
        assert has_spoken.wait(30)

    assert set(written) == {"lake: 1 of 2 files, 0 s"}
    assert "progress-lines" not in {thread.name for thread in threading.enumerate()}


def test_log_says_what_a_silent_stretch_is_doing_and_others_go_on_listening() -> None:
    written: list[str] = []
    heard: list[tuple[str, str]] = []
    counted: list[int] = []
    has_spoken = threading.Event()

    def write(line: str) -> None:
        written.append(line)
        has_spoken.set()

    with (
        listening(lambda stage, message: heard.append((stage, message))),
        counting_records(counted.append),
        logging_progress(write, "lake", "listing files", every_seconds=0.2),
    ):
        emit("lake", "1/2 a.jsonl")
        count_records(7)
        assert written == []
        assert has_spoken.wait(30)

    assert written[0].startswith("lake: 1 of 2 files, 7 records (")
    assert (heard, counted) == ([("lake", "1/2 a.jsonl")], [7])


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_is_lines_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, is_terminal: bool
) -> None:
    shown = Console(stderr=True, highlight=False, force_terminal=is_terminal)
    monkeypatch.setattr(options, "error_console", shown)

    with options.show_progress("starting") as on_progress, listening(on_progress):
        emit("lake", "started")
        emit("lake", "1/2 a.jsonl")
        count_records(7)

    printed = capsys.readouterr().err
    assert ("\x1b[" in printed) == is_terminal
    if not is_terminal:
        assert printed == "lake: started\n"
