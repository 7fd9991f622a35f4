"""Whole runs, started as a person starts them, that are killed or asked to end, dbt included."""

import os
import random
import signal
import subprocess
import sys
import time
from typing import Final

import pytest
from click.testing import CliRunner

from sequen_dagster.cli.main import main
from sequen_dagster.marts.verify import verify
from sequen_dagster.operations.run import run_pipeline
from sequen_dagster.settings import SequenSettings
from support.builders import event
from support.crashes import (
    COMMAND,
    check_lake,
    is_free,
    is_open_in,
    record_counts_of,
    start_command,
    wait_until,
)
from support.homes import settings_of, write_events
from support.lake import home_of

RANDOM_RUN_KILLS: Final = 4
SEED: Final = 20_250_715
ORDER = {"type": "conversion", "page_type": None, "conversion_type": "purchase", "item_ids": ["s"]}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> SequenSettings:
    """One home that has run once, and goes through everything below."""
    settings = settings_of(tmp_path_factory.mktemp("killed"))
    write_events(settings, "a.jsonl", event(id="e1"), event(id="e2", uid=...))
    assert run_pipeline(settings).is_success
    return settings


def start_run(settings: SequenSettings) -> subprocess.Popen[bytes]:
    home_of(settings).dbt.run_log.unlink(missing_ok=True)
    return start_command(settings, exports=settings.sources[0].exports)


def wait_for_dbt(settings: SequenSettings) -> None:
    """Wait until dbt has built a table."""
    log = home_of(settings).dbt.run_log
    wait_until(lambda: log.exists() and "OK created" in log.read_text(), seconds=300)


@pytest.mark.slow
@pytest.mark.fault(37)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_dbt_ends_soon_after_its_run_was_asked_to_end(
    home: SequenSettings, number: signal.Signals
) -> None:
    write_events(home, f"{number.name}.jsonl", event(id=number.name))
    run = start_run(home)
    wait_for_dbt(home)

    run.send_signal(number)
    seconds = wait_until(lambda: is_free(home), seconds=25)
    exit_code = run.wait(60)

    print(f"{number.name}: file free after {seconds:.1f} s")  # noqa: T201
    assert exit_code == (-signal.SIGKILL if number == signal.SIGKILL else 1)
    again = run_pipeline(home)
    assert (again.is_success, again.new_files, again.build) == (True, 0, "incremental build")


@pytest.mark.slow
@pytest.mark.fault(37)
def test_dbt_of_a_killed_verify_ends_and_the_next_verify_works(home: SequenSettings) -> None:
    arguments = [str(COMMAND), "verify", "--home", str(home.home), "--set", "workers=1"]
    verifying = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    scratch = home.model_copy(update={"home": home.home / "verify"})
    warehouse = home_of(scratch).warehouse
    wait_until(lambda: is_open_in(verifying.pid, warehouse), seconds=300)

    verifying.kill()
    verifying.wait(60)

    assert verify(home).is_equal
    assert not (home.home / "verify").exists()


@pytest.mark.slow
@pytest.mark.fault(22)
def test_runs_survive_random_kills(home: SequenSettings) -> None:
    seed = int(os.environ.get("SEQUEN_FAIL_SEED", SEED))
    # Shown where the test fails.
    print(f"SEQUEN_FAIL_SEED={seed}")  # noqa: T201
    choice = random.Random(seed)
    longest = seconds_of_a_run(home)
    survived = files = 0
    while survived < RANDOM_RUN_KILLS:
        files += 1
        order = event(id=f"o{files}", **ORDER, order_total=f"{files}.50")
        write_events(home, f"{choice.randrange(4)}.jsonl", order, event(id=f"e{files}"))
        run = start_run(home)
        # Python alone takes the first seconds; nothing is at stake before.
        time.sleep(choice.uniform(longest / 5, longest))
        run.kill()
        survived += run.wait(60) == -signal.SIGKILL
        check_lake(home)

    last = run_pipeline(home)

    assert (last.is_success, last.failures, last.failed_checks) == (True, (), ())
    check_lake(home)
    record_counts = record_counts_of(home)
    assert (
        record_counts["records_read"]
        == record_counts["accepted"] + record_counts["quarantined"] + record_counts["skipped"]
    )
    verification = verify(home)
    assert (verification.differences, verification.lost_commits) == ((), 0)


def seconds_of_a_run(settings: SequenSettings) -> float:
    started = time.monotonic()
    write_events(settings, "measured.jsonl", event(id="measured"))
    assert start_run(settings).wait(600) == 0
    return time.monotonic() - started


@pytest.mark.slow
@pytest.mark.fault(35)
def test_run_ends_with_3_where_another_keeps_the_warehouse_open(home: SequenSettings) -> None:
    write_events(home, "locked.jsonl", event(id="locked"))
    code = (
        f"import duckdb, time; c = duckdb.connect({str(home.home / 'warehouse.duckdb')!r},"
        " read_only=True); print('open', flush=True); time.sleep(600)"
    )
    arguments = ["run", "--exports", str(home.sources[0].exports), "--home", str(home.home)]
    snapshot = (home.home / "serving" / "sequen.duckdb").read_bytes()
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        result = CliRunner().invoke(main, [*arguments, "--set", "lock_timeout_seconds=1"])
        holder.kill()

    assert result.exit_code == 3, result.output
    assert f"is open in process {holder.pid}." in " ".join(result.output.split())
    assert (home.home / "serving" / "sequen.duckdb").read_bytes() == snapshot
    assert run_pipeline(home).build == "incremental build"
