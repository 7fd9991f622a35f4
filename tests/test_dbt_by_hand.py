"""dbt called by a person: the lines of the README pass on a new home and on an existing one."""

import os
import subprocess
import sysconfig
from pathlib import Path

import duckdb
import pytest

from sequen_dagster.marts.builds import begin_build, finish_build
from sequen_dagster.marts.project import project_dir, tables_fingerprint
from sequen_dagster.marts.warehouse import connect, load_commits
from sequen_dagster.settings import SequenSettings
from support.builders import event
from support.homes import settings_of, write_events
from support.lake import drain

SECTION = "## Call dbt yourself\n"


def lines_of_readme() -> str:
    """The block of shell of the section."""
    section = (project_dir() / "README.md").read_text(encoding="utf-8").partition(SECTION)[2]
    (block,) = [block.partition("```")[0] for block in section.split("```sh\n")[1:]]
    return block


def call(settings: SequenSettings) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join((sysconfig.get_path("scripts"), os.environ["PATH"]))
    return subprocess.run(
        ["bash", "-euc", lines_of_readme()],
        env=os.environ | {"PATH": path, "SEQUEN_HOME": str(settings.home)},
        capture_output=True,
        text=True,
        check=False,
    )


def files_of_project() -> set[Path]:
    return {path for path in project_dir().rglob("*") if path.is_file()}


@pytest.mark.slow
def test_dbt_passes_on_a_new_home_and_on_an_existing_one(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    settings.home.mkdir()
    files = files_of_project()

    on_new = call(settings)

    assert on_new.returncode == 0, on_new.stdout[-3000:]
    with connect(settings) as warehouse:
        finish_build(warehouse, begin_build(warehouse, tables_fingerprint(settings)))
    write_events(settings, "a.jsonl", event(id="a"), event(id="b"))
    drain(settings)
    load_commits(settings)

    on_existing = call(settings)

    assert on_existing.returncode == 0, on_existing.stdout[-3000:]
    with duckdb.connect(str(settings.home / "warehouse.duckdb"), read_only=True) as tables:
        assert tables.execute("select id from fct_events order by 1").fetchall() == [("a",), ("b",)]
    # Nothing is written into the package, and the next run knows that another has built.
    assert files_of_project() == files
    with connect(settings) as warehouse:
        build = begin_build(warehouse, tables_fingerprint(settings))
    assert build.is_full
    assert "others than those of the last build" in build.reason
