"""Names that try to be commands: of files, of fields, of types, all the way to the report."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from sequen_dagster.home.layout import Home
from sequen_dagster.marts.warehouse import connect
from sequen_dagster.settings import SequenSettings
from support.builders import event
from support.homes import settings_of, write_events

CANARY = "canary-of-the-environment"
# The first are those that the report lists, and `a[1].jsonl` is `a1.jsonl` to an engine.
NAMES = (
    "!<script>alert(1)<&amp;[x](javascript:y)|.jsonl",
    "!www.example.com https:||x.example @you.jsonl",
    "a[1].jsonl",
    "a1.jsonl",
    "*.jsonl",
    "x') ; drop table t; --.jsonl",
    "'; drop table raw.events; --.jsonl",
    "{{ env_var('SEQUEN_CANARY') }}.jsonl",
    "{% do run_query('drop table raw.events') %}.jsonl",
    "$(touch run-by-a-shell).jsonl",
    "`touch run-by-a-shell`.jsonl",
    "-rf.jsonl",
    "[/b][red]markup.jsonl",
    "line\nbreak.jsonl",
    "\x1b[31mred\x1b]0;title\x07.jsonl",
    "\u202elnosj.jsonl",
    "n" * 249 + ".jsonl",
    "e\u0301.jsonl",
    "\u00e9.jsonl",
)
COMMANDS = ("\x1b[31mred", "\x1b]0;title", "line\nbreak", "\u202elnosj")


def fill(settings: SequenSettings) -> None:
    """A file a name, whose event has that name for a type, a field and values as well."""
    for number, name in enumerate(NAMES):
        fields = {"type": name, "uid": name, name: name, "page_type": None}
        write_events(settings, name, event(id=f"e{number:02}", **fields))


@dataclass(frozen=True)
class Ran:
    """A home after two runs.

    Attributes:
        settings: the home.
        folder: where the runs were started.
        printed: what they printed.
    """

    settings: SequenSettings
    folder: Path
    printed: str

    def texts(self) -> dict[str, str]:
        """What the runs left in files, apart from the data, and what they printed."""
        left = {
            str(path): path.read_bytes().decode("utf-8", "replace")
            for root in (self.settings.home, self.folder / "dagster")
            for path in root.rglob("*")
            if path.is_file() and path.suffix not in (".parquet", ".duckdb", ".sqlite")
        }
        return {**left, "printed": self.printed}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("names")
    settings = settings_of(folder)
    fill(settings)
    # A later contract makes all batches stale, and the report lists the first of them by name.
    printed = run(settings, folder) + run(settings, folder, "--set", "max_depth=60")
    return Ran(settings, folder, printed)


def run(settings: SequenSettings, folder: Path, *options: str) -> str:
    """Run the command in a folder of its own; return what it printed."""
    dagster_home = folder / "dagster"
    dagster_home.mkdir(exist_ok=True)
    (dagster_home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    places = ("--exports", settings.sources[0].exports, "--home", settings.home)
    finished = subprocess.run(
        [sys.executable, "-m", "sequen_dagster.cli.main", "run", *map(str, places), *options],
        env={
            **os.environ,
            "DAGSTER_HOME": str(dagster_home),
            "SEQUEN_CANARY": CANARY,
            "SEQUEN_WORKERS": "1",
        },
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout + finished.stderr


@pytest.mark.slow
@pytest.mark.bad_input(27, 28, 29, 30, 31, 32, 33)
def test_names_are_text_from_file_to_report(ran: Ran) -> None:
    with duckdb.connect(Home(ran.settings.home).serving.snapshot, read_only=True) as snapshot:
        events = snapshot.execute(
            "select source_file, type, uid, properties from fct_events order by id"
        ).fetchall()
        paths = snapshot.execute("select path from rpt_batches").fetchall()
        fields = snapshot.execute(
            "select field from rpt_field_catalog where source = '(all)'"
        ).fetchall()
    with connect(ran.settings) as warehouse:
        loaded = warehouse.execute("select count(*) from raw.events").fetchone()

    assert [row[:3] for row in events] == [(name, name, name) for name in NAMES]
    assert [json.loads(row[3]) for row in events] == [{name: name} for name in NAMES]
    assert sorted(path for (path,) in paths) == sorted(NAMES)
    assert sorted(field for (field,) in fields) == sorted(NAMES)
    assert loaded == (len(NAMES),)


@pytest.mark.slow
@pytest.mark.bad_input(29, 30, 31, 32)
def test_name_is_never_executed(ran: Ran) -> None:
    assert list(ran.folder.rglob("run-by-a-shell")) == []
    assert [name for name, text in ran.texts().items() if CANARY in text] == []


@pytest.mark.slow
@pytest.mark.bad_input(33)
def test_no_line_is_forged_and_no_terminal_commanded(ran: Ran) -> None:
    for sign in COMMANDS:
        assert [name for name, text in ran.texts().items() if sign in text] == []


@pytest.mark.slow
@pytest.mark.bad_input(33, 57)
def test_report_and_dagster_show_names_as_text(ran: Ran) -> None:
    report = Home(ran.settings.home).serving.report_markdown.read_text(encoding="utf-8")
    (database,) = (ran.folder / "dagster").rglob("index.db")
    with closing(sqlite3.connect(database)) as events:
        logged = [json.loads(event) for (event,) in events.execute("select event from event_logs")]
    pages = [text for event in logged for text in markdown_of(event)]

    assert len(pages) == 2
    for page in (report, *pages[1:]):
        assert r"\<script\>" in page
        assert r"www\.example" in page
        for sign in ("<script", "](javascript", "https:|", "&amp;", "@you"):
            assert re.search(rf"(?<!\\){re.escape(sign)}", page) is None, sign


def markdown_of(value: object) -> Iterator[str]:
    """Every text in an event that Dagster renders as Markdown."""
    if isinstance(value, dict):
        if isinstance(value.get("md_str"), str):
            yield value["md_str"]
        for inner in value.values():
            yield from markdown_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from markdown_of(inner)
