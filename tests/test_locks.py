"""Others that have the warehouse open, two writers at a time, and writers that are killed."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
import pytest
from click.testing import CliRunner

from sequen_dagster.cli.main import main
from sequen_dagster.errors import LockTimeoutError
from sequen_dagster.home.layout import Home
from sequen_dagster.home.locks import (
    LOCKS,
    WRITER,
    HomeLock,
    hold_lock,
    quiet_home,
    writer_lock,
)
from sequen_dagster.marts.warehouse import Loaded, connect, load_commits
from sequen_dagster.settings import SequenSettings
from support.builders import event
from support.crashes import wait_until
from support.homes import settings_of, write_events
from support.lake import drain, home_of

WRITING, READING = "read_only=False", "read_only=True"


@contextmanager
def opened_elsewhere(
    settings: SequenSettings, how: str, *, seconds: float = 60
) -> Iterator[subprocess.Popen[bytes]]:
    """Another process has the warehouse open, as an IDE would; it is killed at the end."""
    code = (
        "import duckdb, time;"
        f"connection = duckdb.connect({str(home_of(settings).warehouse)!r}, {how});"
        f"print('open', flush=True); time.sleep({seconds})"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        yield process
        process.kill()


@pytest.fixture
def ready(tmp_path: Path) -> SequenSettings:
    """A home with a warehouse, and a commit that it does not hold yet."""
    settings = settings_of(tmp_path, lock_timeout_seconds=0)
    home_of(settings).make()
    load_commits(settings)
    write_events(settings, "a.jsonl", event())
    drain(settings)
    return settings


@pytest.mark.fault(35)
@pytest.mark.parametrize("how", [WRITING, READING])
def test_warehouse_that_another_keeps_open_is_reported_and_not_loaded(
    ready: SequenSettings, how: str
) -> None:
    with opened_elsewhere(ready, how) as holder, pytest.raises(LockTimeoutError) as caught:
        load_commits(ready)

    message = str(caught.value)
    assert message.startswith(
        f"The warehouse {str(home_of(ready).warehouse)!r} is open in process "
    )
    assert f"is open in process {holder.pid}. Close it there" in message
    assert "python" not in message
    with connect(ready) as warehouse:
        assert warehouse.execute("select count(*) from raw.commits").fetchone() == (0,)
    assert load_commits(ready) == Loaded(commits=1, batches=1, events=1)


@pytest.mark.slow
@pytest.mark.fault(35)
@pytest.mark.parametrize("how", [WRITING, READING])
def test_file_that_is_closed_in_time_is_waited_for(ready: SequenSettings, how: str) -> None:
    patient = ready.model_copy(update={"lock_timeout_seconds": 60})
    with opened_elsewhere(patient, how, seconds=1.5):
        started = time.monotonic()

        assert load_commits(patient) == Loaded(commits=1, batches=1, events=1)

        assert 1 < time.monotonic() - started < 30


@pytest.mark.slow
@pytest.mark.fault(35)
def test_command_ends_with_3_where_the_file_stays_open(ready: SequenSettings) -> None:
    arguments = ["verify", "--home", str(ready.home), "--set", "lock_timeout_seconds=0"]
    with opened_elsewhere(ready, READING) as holder:
        result = CliRunner().invoke(main, arguments)

    assert result.exit_code == 3
    assert f"is open in process {holder.pid}." in " ".join(result.output.split())


@pytest.mark.slow
@pytest.mark.fault(26)
def test_two_writers_at_a_time_load_every_commit_once(ready: SequenSettings) -> None:
    for number in range(6):
        write_events(ready, f"{number}.jsonl", event(id=f"e{number}"))
        drain(ready)
    start_at = time.time() + 3
    code = (
        "import time; from pathlib import Path\n"
        "from sequen_dagster.settings import load_settings\n"
        "from sequen_dagster.home.layout import Home\n"
        "from sequen_dagster.home.locks import writer_lock\n"
        "from sequen_dagster.marts.warehouse import load_commits\n"
        f"settings = load_settings(Path({str(ready.home.parent)!r}), home='home')\n"
        f"time.sleep(max(0, {start_at} - time.time()))\n"
        "with writer_lock(Home(settings.home), timeout_seconds=settings.lock_timeout_seconds):\n"
        "    loaded = load_commits(settings)\n"
        "    time.sleep(0.5)\n"
        "print(loaded.commits, loaded.events)\n"
    )
    command = [sys.executable, "-c", code]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]

    outputs = [writer.communicate(timeout=120)[0].split() for writer in writers]

    assert [writer.returncode for writer in writers] == [0, 0]
    assert sorted(outputs) == [["0", "0"], ["7", "7"]]
    with connect(ready) as warehouse:
        assert warehouse.execute("select count(*) from raw.events").fetchone() == (7,)


@pytest.mark.slow
@pytest.mark.fault(37)
def test_child_does_not_outlive_a_killed_parent(ready: SequenSettings) -> None:
    child = (
        "import duckdb, os, time\n"
        "import sys\n"
        "from sequen_dagster.runtime.parent_watchdog import die_with_parent\n"
        "die_with_parent(int(sys.argv[1]))\n"
        f"connection = duckdb.connect({str(home_of(ready).warehouse)!r})\n"
        "print(os.getpid(), flush=True)\n"
        "connection.execute('select sum(sqrt(a.range * b.range)) from range(10000000) a,"
        " range(1000000) b')\n"
    )
    parent = (
        "import os, subprocess, sys\n"
        f"subprocess.run([sys.executable, '-c', {child!r}, str(os.getpid())])\n"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        unreferenced = Path("/proc", process.stdout.readline().decode().strip())
        with pytest.raises(LockTimeoutError), connect(ready):
            pass

        process.kill()
        gone_after = wait_until(lambda: not unreferenced.exists(), seconds=10)

    assert gone_after < 5
    with connect(ready), writer_lock(home_of(ready), timeout_seconds=ready.lock_timeout_seconds):
        pass


def test_child_that_starts_after_its_parent_has_died_ends_at_once() -> None:
    code = (
        "from sequen_dagster.runtime.parent_watchdog import die_with_parent\n"
        "die_with_parent(1)\nprint('alive')"
    )

    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)

    assert (finished.returncode, finished.stdout) == (-9, b"")


@pytest.mark.fault(26)
@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_quiet_home_holds_every_lock_and_each_names_its_holder(
    tmp_path: Path, lock: HomeLock
) -> None:
    home = Home(tmp_path)

    with (
        quiet_home(home, timeout_seconds=0),
        pytest.raises(LockTimeoutError) as caught,
        hold_lock(home, lock, timeout_seconds=0),
    ):
        pass

    message = str(caught.value)
    assert message.startswith(f"In {str(tmp_path)!r} {lock.holder} is at work: process ")
    assert f"process {os.getpid()} on " in message
    with hold_lock(home, lock, timeout_seconds=0):
        assert lock.facts(home).exists()
    assert not lock.facts(home).exists()


def test_holder_that_does_not_say_who_it_is_is_waited_for_all_the_same(tmp_path: Path) -> None:
    home = Home(tmp_path)
    silent = filelock.FileLock(WRITER.path(home))

    with (
        silent,
        pytest.raises(LockTimeoutError, match="it has not said who it is"),
        hold_lock(home, WRITER, timeout_seconds=0),
    ):
        pass
