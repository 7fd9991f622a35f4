"""What people read: whole at any time, and left alone by a build that fails."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sequen_dagster.home.layout import Home
from sequen_dagster.marts import dbt, project
from sequen_dagster.marts.warehouse import connect
from sequen_dagster.operations.run import run_pipeline
from sequen_dagster.reports.publish import publish
from sequen_dagster.settings import SequenSettings
from support.builders import event
from support.builds import note_finished_build
from support.crashes import environment
from support.homes import settings_of, write_events
from support.lake import home_of

PUBLICATIONS = 25
READER = """
import json, sys
from pathlib import Path

import duckdb

path, stop = sys.argv[1], Path(sys.argv[2])
while True:
    is_last = stop.exists()
    with duckdb.connect(path, read_only=True) as snapshot:
        seen = [
            snapshot.execute(f"select count(*), max(version) from {table}").fetchone()
            for table in ("fct_events", "fct_sessions")
        ]
    print(json.dumps(seen), flush=True)
    if is_last:
        break
"""


def fill(settings: SequenSettings, version: int) -> None:
    """Two tables of as many rows, thousands more with every version."""
    home_of(settings).make()
    with connect(settings) as warehouse:
        for table in ("fct_events", "fct_sessions"):
            warehouse.execute(
                f"create or replace table main.{table} as"
                f" select range as id, {version} as version from range({version} * 3000)"
            )
        note_finished_build(warehouse)


@pytest.mark.slow
@pytest.mark.fault(36)
def test_snapshot_is_whole_whenever_another_opens_it(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    fill(settings, 1)
    publish(settings, ["fct_events", "fct_sessions"])
    stop = tmp_path / "stop"
    command = [sys.executable, "-c", READER, str(Home(settings.home).serving.snapshot), str(stop)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        first = reader.stdout.readline()
        for version in range(2, PUBLICATIONS + 1):
            fill(settings, version)
            publish(settings, ["fct_events", "fct_sessions"])
        stop.touch()
        lines = [first, *reader.stdout]

    assert reader.returncode == 0
    seen = [json.loads(line) for line in lines]
    assert all(events == sessions for events, sessions in seen)
    assert all(rows == version * 3000 for (rows, version), _ in seen)
    versions = [version for (_, version), _ in seen]
    assert versions == sorted(versions)
    assert versions[-1] == PUBLICATIONS
    # The reader was there while versions changed, not only before and after.
    assert len(set(versions)) > 3


@pytest.fixture
def breakable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The dbt project with a model that fails where the environment says so."""
    copy = tmp_path / "dbt_project"
    shutil.copytree(project.project_dir(), copy, ignore=shutil.ignore_patterns("target", "logs"))
    model = copy / "models" / "marts" / "fct_clicks.sql"
    broken = (
        "{% if execute and env_var('SEQUEN_TEST_BREAK', '') %}"
        "{{ exceptions.raise_compiler_error('broken for a test') }}{% endif %}\n"
    )
    model.write_text(broken + model.read_text())
    for module in (project, dbt):
        monkeypatch.setattr(module, "project_dir", lambda: copy)
    return copy


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.fault(36)
@pytest.mark.usefixtures("breakable")
def test_build_that_fails_leaves_the_snapshot_and_the_next_resumes(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event(id="e1"))
    assert run_pipeline(settings).is_success
    serving = settings.home / "serving"
    before = contents(serving)
    write_events(settings, "b.jsonl", event(id="e2"))

    with environment(SEQUEN_TEST_BREAK="1"):
        failed = run_pipeline(settings)

    assert (failed.is_success, failed.new_files) == (False, 1)
    assert contents(serving) == before
    again = run_pipeline(settings)
    # The file was taken in by the run that failed and is not read again.
    assert (again.is_success, again.new_files, again.build) == (True, 0, "incremental build")
    assert again.summary["events"]["events"] == 2
