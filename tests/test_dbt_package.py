"""The dbt project as a package of another: refers to tables of the snapshot, and builds its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
import yaml

from sequen_dagster.home.layout import Home
from sequen_dagster.marts.project import project_dir
from support.pages import ROOT, block_of, commands_of, read_blocks

PAGE = ROOT / "docs" / "embedding.md"
FILE = re.compile(r"(?:#|--) ([\w/]+\.(?:yml|sql))\n")
SCHEMA = """
models:
  - name: sessions_by_day
    columns:
      - name: day
        data_tests: [unique, not_null]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project that the page shows, with a test of its own."""
    for block in read_blocks(PAGE):
        if name := FILE.match(block.text):
            path = tmp_path / name[1]
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
    (tmp_path / "models" / "schema.yml").write_text(SCHEMA, encoding="utf-8")
    return tmp_path


def dbt(project: Path, snapshot: Path, *arguments: str) -> str:
    """Call dbt as a person does, with the variables that the files of the page ask for."""
    variables = {"SEQUEN_DBT_PROJECT": str(project_dir()), "SEQUEN_SNAPSHOT": str(snapshot)}
    done = subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", *arguments, "--no-use-colors"],
        cwd=project,
        env=os.environ | variables | {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_project_of_the_page_builds_on_a_home(project: Path, demo_home: Path) -> None:
    snapshot = Home(demo_home).serving.snapshot
    block = block_of(PAGE, "dbt deps")
    before = snapshot.stat()

    said = [dbt(project, snapshot, *command.split()[1:]) for command in commands_of(block)]

    assert "PASS=" in said[-1]
    assert "ERROR=0" in said[-1]
    with duckdb.connect(project / "host.duckdb") as host:
        host.execute(f"attach '{snapshot}' as sequen (read_only)")
        ours = host.execute("select sum(sessions) from sessions_by_day").fetchone()
        assert ours == host.execute("select count(*) from sequen.fct_sessions").fetchone()
        # Nothing of the package is built, not even its schemas.
        made = "select schema_name, table_name from duckdb_tables() where database_name = 'host'"
        schemas = "select schema_name from duckdb_schemas() where database_name = 'host'"
        assert host.execute(made).fetchall() == []
        assert host.execute(f"{schemas} and not internal").fetchall() == []
    assert snapshot.stat() == before


def test_variables_begin_with_the_name_of_the_package() -> None:
    written = yaml.safe_load((project_dir() / "dbt_project.yml").read_text(encoding="utf-8"))
    variables = list(written["vars"])

    assert len(variables) > 15
    assert [name for name in variables if not name.startswith("sequen_")] == []
