"""`sequen-dagster erase`, from the command to the last byte of the home."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from click.testing import CliRunner, Result

from sequen_dagster.cli.main import main
from sequen_dagster.home.layout import Home
from sequen_dagster.lake.commits import current_batches, read_commits
from sequen_dagster.lake.erasures import read_erasure_list, read_erasures
from sequen_dagster.marts.compaction import compact
from sequen_dagster.marts.verify import verify
from sequen_dagster.marts.warehouse import connect, load_commits
from sequen_dagster.operations.erase import erase_people
from sequen_dagster.operations.run import run_pipeline
from sequen_dagster.settings import SequenSettings
from support.builders import event
from support.homes import Kept, settings_of, write_events, write_text
from support.lake import drain, drop_raw_text, home_of, lake_of

# Long and without pattern, so that no compression hides it.
X = f"zq{os.urandom(100).hex()}"
DEVICE = f"zd{os.urandom(100).hex()}"
NOTE = f"zn{os.urandom(100).hex()}"
CONVERSION = {"type": "conversion", "page_type": None, "conversion_type": "purchase"}


def at(minute: int) -> str:
    return f"2025-07-14T09:{minute:02}:00Z"


def write_exports(settings: SequenSettings) -> None:
    """X on a device, before and after the login, beside others; in two versions of a file."""
    write_events(settings, "a.jsonl", event(id="old", uid=X, original_timestamp=at(0)))
    drain(settings)
    write_events(
        settings,
        "a.jsonl",
        event(id="before", uid=..., cid=DEVICE, original_timestamp=at(1)),
        event(id="login", uid=X, cid=DEVICE, original_timestamp=at(2)),
        event(id="buy", uid=X, **CONVERSION, item_ids=["sku"], original_timestamp=at(3)),
        event(id="bad", uid=X, page_type=...),
        event(id="other", uid="u2", original_timestamp=at(4)),
    )
    broken = f'{{"uid": "{X}", "cid": "{DEVICE}", broken\n{{"note": "{NOTE}"}}\n'
    write_text(settings, "b.jsonl", broken)
    write_events(settings, "c.jsonl", event(id="third", uid="u3", original_timestamp=at(5)))


def arguments(settings: SequenSettings, *more: str) -> list[str]:
    exports = str(settings.sources[0].exports)
    return ["erase", "--home", str(settings.home), "--exports", exports, *more]


def invoke(settings: SequenSettings, *more: str, given: str | None = None) -> Result:
    return CliRunner().invoke(main, arguments(settings, *more), input=given)


def output_of(result: Result) -> str:
    """What it says, without the progress beside it."""
    return " ".join(result.stdout.split())


def holders(folder: Path, value: str) -> list[str]:
    """Files below a folder that hold a value, in whatever form they keep it."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and (value.encode() in path.read_bytes() or value in content(path))
    )


def content(path: Path) -> str:
    """What a database or a Parquet file says, as text."""
    if path.suffix == ".parquet":
        return str(pl.read_parquet(path, hive_partitioning=False).to_dicts())
    if path.suffix != ".duckdb":
        return ""
    with duckdb.connect(path, read_only=True) as database:
        tables = database.execute(
            "select table_schema, table_name from information_schema.tables"
            " where table_type = 'BASE TABLE'"
        ).fetchall()
        return str([database.execute(f'from "{s}"."{t}"').fetchall() for s, t in tables])


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows(settings: SequenSettings, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(Home(settings.home).serving.snapshot, read_only=True) as snapshot:
        return snapshot.execute(query).fetchall()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A home that has taken everything in and built its tables."""
    settings = settings_of(tmp_path_factory.mktemp("erase"))
    write_exports(settings)
    assert run_pipeline(settings).is_success
    return Kept(settings)


@pytest.fixture
def built(kept: Kept) -> SequenSettings:
    return kept.put_back()


@pytest.fixture
def dagster_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("dagster")
    (folder / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(folder))
        yield folder


def test_no_one_to_erase_is_a_wrong_argument(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)

    results = [
        invoke(settings),
        invoke(settings, "--visitor"),
        invoke(settings, "--uid", ""),
        invoke(settings, "--uid", X, "--cid", " "),
    ]

    assert [one.exit_code for one in results] == [2, 2, 2, 2]
    assert all("Say whom to erase" in one.output for one in results)
    assert X not in results[3].output
    assert not settings.home.exists()


@pytest.mark.slow
def test_dry_run_counts_and_writes_nothing(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_exports(settings)
    drain(settings)
    before = contents(lake_of(settings).root)

    # The id comes as input, so that it stands in no command line.
    result = invoke(settings, "--uid", "-", "--dry-run", given=f"{X}\n")

    assert result.exit_code == 0
    assert output_of(result).startswith(
        "Would erase 3 events and 1 quarantined record (old versions of files included), and the "
        "text of 1 other quarantined record: 3 batches in 2 commits. Not ours to remove:"
    )
    assert "2 export files: 'a.jsonl' 'b.jsonl'" in output_of(result)
    assert X not in result.output
    assert contents(lake_of(settings).root) == before
    assert not home_of(settings).warehouse.exists()


@pytest.mark.slow
def test_client_is_erased_by_its_own_option(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_exports(settings)
    drain(settings)

    result = invoke(settings, "--cid", DEVICE, "--dry-run")

    assert output_of(result).startswith("Would erase 2 events and 0 quarantined records")


def test_writer_in_the_way_is_exit_3(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    home_of(settings).make()
    code = (
        "import filelock, sys, time; lock = filelock.FileLock(sys.argv[1]); lock.acquire();"
        "print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(settings.home / "writer.lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        result = invoke(settings, "--uid", X, "--set", "lock_timeout_seconds=0")
        holder.kill()

    assert result.exit_code == 3
    assert "a build, a publication or an erasure is at work" in " ".join(result.stderr.split())
    assert not (lake_of(settings).erasures).exists()


@pytest.mark.slow
def test_nothing_of_the_erased_is_left(built: SequenSettings, dagster_home: Path) -> None:
    assert "warehouse.duckdb" in holders(built.home, X)
    assert "serving/sequen.duckdb" in holders(built.home, X)
    exports = contents(built.sources[0].exports)

    result = invoke(built, "--uid", X)

    assert result.exit_code == 0, result.output
    assert holders(built.home, X) == []
    assert holders(dagster_home, X) == []
    assert list(dagster_home.rglob("*.db"))
    assert X not in result.output
    assert contents(built.sources[0].exports) == exports
    assert output_of(result).startswith(
        "Erased 3 events and 1 quarantined record (old versions of files included), and the text "
        "of 1 other quarantined record: 3 batches in 2 commits. Not ours to remove:"
    )
    # What the device did before the login is its own now.
    assert rows(built, "select id, visitor_key from fct_events order by id") == [
        ("before", f"cid:{DEVICE}"),
        ("other", "uid:u2"),
        ("third", "uid:u3"),
    ]
    assert rows(built, "select count(*) from fct_attributions") == [(0,)]
    record_counts = (
        "select path, version, accepted, quarantined, skipped from rpt_batches order by 1, 2"
    )
    assert rows(built, record_counts) == [
        ("a.jsonl", 1, 0, 0, 1),
        ("a.jsonl", 2, 2, 0, 3),
        ("b.jsonl", 1, 0, 2, 0),
        ("c.jsonl", 1, 1, 0, 0),
    ]
    left_out = (
        "select type, rule, records from rpt_violations where severity = 'skipped' order by 1"
    )
    assert rows(built, left_out) == [("conversion", "erased", 1), ("page_view", "erased", 2)]
    report = json.loads((built.home / "serving" / "report.json").read_text())
    assert report["record_counts"]["skipped"] == 3
    assert read_erasure_list(lake_of(built)).unfinished_count == 0
    assert verify(built).is_equal


@pytest.mark.slow
def test_erased_stay_erased(built: SequenSettings) -> None:
    assert invoke(built, "--uid", X).exit_code == 0
    write_events(built, "d.jsonl", event(id="back", uid=X), event(id="new", uid="u4"))

    again = invoke(built, "--uid", X)

    assert again.exit_code == 0, again.output
    assert "Erased 0 events and 0 quarantined records" in output_of(again)
    assert "on the list already" in output_of(again)
    assert holders(built.home, X) == []
    assert rows(built, "select id from fct_events where source_file = 'd.jsonl'") == [("new",)]
    outcome = run_pipeline(built, full_refresh=True)
    assert outcome.is_success
    assert rows(built, "select count(*) from fct_events") == [(4,)]


@pytest.mark.slow
def test_visitor_takes_the_anonymous_events_along(built: SequenSettings) -> None:
    counted = invoke(built, "--uid", X, "--visitor", "--dry-run")
    result = invoke(built, "--uid", X, "--visitor")

    assert "Would erase 4 events" in output_of(counted)
    assert result.exit_code == 0, result.output
    assert "Erased 4 events" in output_of(result)
    assert "1 anonymous event of the same visitors among them" in output_of(result)
    assert rows(built, "select id from fct_events order by id") == [("other",), ("third",)]
    assert holders(built.home, X) == []
    # The broken record names X, so that its text went; nothing else named the device.
    assert holders(built.home, DEVICE) == []
    write_events(built, "d.jsonl", event(id="before", uid=..., cid=DEVICE))
    drain(built)
    assert current_batches(lake_of(built))[-1].record_counts.skipped == 1


ERASE = """
import sys
from pathlib import Path
from sequen_dagster.operations.erase import erase_people
from sequen_dagster.settings import load_settings

settings = load_settings(Path.cwd(), home=sys.argv[1], exports=sys.argv[2])
erase_people(settings, [("uid", sys.argv[3])], is_visitor=False, is_dry_run=False)
"""
RESTATE = """
import sys
from pathlib import Path
from sequen_dagster.marts.compaction import compact
from sequen_dagster.marts.warehouse import load_commits
from sequen_dagster.settings import load_settings

settings = load_settings(Path.cwd(), home=sys.argv[1], exports=sys.argv[2])
load_commits(settings)
compact(settings)
"""


def killed(code: str, settings: SequenSettings, fail_point: str) -> None:
    """Run a piece of code in a process that dies at a fail_point."""
    places = [str(settings.home), str(settings.sources[0].exports), X]
    finished = subprocess.run(
        [sys.executable, "-c", code, *places],
        env=os.environ | {"SEQUEN_FAIL_AT": fail_point},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == -9, finished.stderr
    assert finished.stderr == ""


@pytest.mark.slow
@pytest.mark.fault(22)
@pytest.mark.parametrize(
    "fail_point",
    [
        "erase.noted",
        "lake.rows_written",
        "erase.rows_rewritten",
        "lake.manifest_written",
        "erase.manifest_replaced",
        "erase.old_removed",
    ],
)
def test_erasing_that_was_killed_in_the_lake_is_finished_by_another(
    tmp_path: Path, fail_point: str
) -> None:
    settings = settings_of(tmp_path)
    write_exports(settings)
    drain(settings)
    killed(ERASE, settings, fail_point)
    lake = lake_of(settings)
    # Readable at any time: every commit names rows that are there.
    for commit in read_commits(lake):
        for batch in commit.batches:
            found = sum(len(pl.read_parquet(lake.rows(name))) for name in batch.events)
            assert found == batch.record_counts.accepted
    assert read_erasures(lake).holds("uid", X)

    erased = erase_people(settings, [("uid", X)], is_visitor=False, is_dry_run=False)

    assert erased.is_again
    assert {"a.jsonl", "b.jsonl"} >= set(erased.files) >= {"a.jsonl"}
    assert holders(settings.home, X) == []
    record_counts = [
        batch.record_counts for commit in read_commits(lake) for batch in commit.batches
    ]
    assert sum(one.skipped for one in record_counts) == 4
    assert sum(one.accepted for one in record_counts) == 3
    assert len(list((lake.commits).iterdir())) == 2


@pytest.mark.slow
@pytest.mark.fault(22)
@pytest.mark.parametrize("fail_point", ["erase.loaded", "erase.copied", "erase.compacted"])
def test_restating_that_was_killed_is_finished_by_another(tmp_path: Path, fail_point: str) -> None:
    settings = settings_of(tmp_path)
    write_exports(settings)
    drain(settings)
    load_commits(settings)
    assert "warehouse.duckdb" in holders(settings.home, X)
    erase_people(settings, [("uid", X)], is_visitor=False, is_dry_run=False)
    killed(RESTATE, settings, fail_point)

    load_commits(settings)
    compact(settings)

    assert holders(settings.home, X) == []
    with connect(settings) as warehouse:
        ids = warehouse.execute("select id from raw.events order by id").fetchall()
    assert ids == [("before",), ("other",), ("third",)]
    assert sorted(path.name for path in settings.home.iterdir() if path.is_dir()) == ["lake"]


@pytest.mark.slow
@pytest.mark.fault(22)
@pytest.mark.parametrize("fail_point", ["erase.loaded", "erase.built"])
def test_command_that_was_killed_is_finished_by_another(
    built: SequenSettings, fail_point: str
) -> None:
    code = "from sequen_dagster.cli.main import main; main()"
    finished = subprocess.run(
        [sys.executable, "-c", code, *arguments(built, "--uid", X)],
        env=os.environ | {"SEQUEN_FAIL_AT": fail_point},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == -9, finished.stderr
    assert read_erasure_list(lake_of(built)).unfinished_count == 1

    result = invoke(built, "--uid", X)

    assert result.exit_code == 0, result.output
    assert "on the list already" in output_of(result)
    assert "'a.jsonl'" in output_of(result)
    assert holders(built.home, X) == []
    assert read_erasure_list(lake_of(built)).unfinished_count == 0
    assert rows(built, "select id from fct_events order by id") == [
        ("before",),
        ("other",),
        ("third",),
    ]
    assert verify(built).is_equal


@pytest.mark.slow
def test_old_raw_text_leaves_the_tables_with_the_next_run(built: SequenSettings) -> None:
    settings = built.model_copy(update={"quarantine_days": 30})
    assert "warehouse.duckdb" in holders(settings.home, NOTE)
    registered_at = max(one.registered_at for one in current_batches(lake_of(settings)))

    dropped = drop_raw_text(settings, now=registered_at + timedelta(days=31))
    assert dropped.raw_texts == 3
    outcome = run_pipeline(settings)

    assert outcome.is_success
    with connect(settings) as warehouse:
        kept = warehouse.execute(
            "select count(*), count(raw), count(rules) from main.quarantined_events"
        ).fetchall()
    assert kept == [(3, 0, 3)]
    assert holders(settings.home, NOTE) == []
    assert verify(settings).is_equal
