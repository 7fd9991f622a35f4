"""Homes and locations whose paths hold whatever the system allows: they work, or are refused."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest
import yaml
from click.testing import CliRunner, Result
from dbt.adapters.duckdb import environments
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.config.renderer import ProfileRenderer

from sequen_dagster.cli.main import main
from sequen_dagster.errors import SettingsError
from sequen_dagster.exports.assets import exports_specs
from sequen_dagster.exports.files import list_files
from sequen_dagster.marts.project import write_profile
from sequen_dagster.marts.warehouse import load_commits
from sequen_dagster.names import NAMES
from sequen_dagster.settings import SequenSettings, load_settings
from support.builders import event
from support.homes import write_events
from support.lake import drain, home_of

PATH_PLUGIN = "sequen_dagster.compat.dbt_duckdb_path"
NOT_UTF8 = os.fsdecode(b"bad\xff")
# Names of a folder in which a home works.
WORKING = {
    "hash": "a#b",
    "hash alone": "#",
    "template": "a{{ 1 }}b{% if %}{# c",
    "brace": "a{b}",
    "quotes": "a'b\"c`",
    "percent": "100%",
    "encoded": "a%20b%23%7B",
    "newline": "a\nb",
    "tab": "a\tb",
    "spaces": " a b ",
    "dash": "-h",
    "letters": "\u00fcn\u00ef",
    "shell": "$(echo oops);&|<>",
    "partition": "sid=7",
    "colon": "C:",
    "tilde": "~",
    "control": "a\x01\x7f",
    "escape": "\x1b7",
}
# Names of a folder that the database engine would not find, or would find others by.
REFUSED = {
    "backslash": ("a\\b", "holds \\"),
    "question mark": ("a?b", "holds ?"),
    "star": ("a*b", "holds *"),
    "brackets": ("a[b]", "holds [ ]"),
    "not UTF-8": (NOT_UTF8, "is not UTF-8 here"),
}
# Every command with a home, as it is called where there is one and nothing else.
COMMANDS = {
    "run": ["run"],
    "verify": ["verify"],
    "report": ["report"],
    "doctor": ["doctor"],
    "replay": ["replay", "--stale", "--dry-run"],
    "erase": ["erase", "--uid", "u1", "--dry-run"],
}


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def settings_at(folder: Path) -> SequenSettings:
    """A home and a location with one event in a folder that is made."""
    (folder / "exports").mkdir(parents=True)
    settings = load_settings(folder, home="home", exports="exports", workers=1)
    write_events(settings, "a.jsonl", event(sid="s1"))
    return settings


@contextmanager
def opened_by_dbt(settings: SequenSettings) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse, as dbt-duckdb opens it by the profile of the home."""
    text = (write_profile(settings) / "profiles.yml").read_text(encoding="utf-8")
    output = yaml.safe_load(text)["sequen"]["outputs"]["duckdb"]
    assert {"module": PATH_PLUGIN} in output["plugins"]
    # The others change dbt for good.
    rendered = ProfileRenderer({}).render_data({**output, "plugins": [{"module": PATH_PLUGIN}]})
    del rendered["type"], rendered["threads"]
    credentials = DuckDBCredentials.from_dict(rendered)
    assert credentials.database == "warehouse"
    environment = environments.create(credentials)
    try:
        yield environment.handle().cursor()
    finally:
        environment.close()


@pytest.mark.parametrize("name", WORKING.values(), ids=WORKING)
def test_dbt_opens_the_warehouse_of_every_home(tmp_path: Path, name: str) -> None:
    settings = settings_at(tmp_path / name)

    drain(settings)
    load_commits(settings)

    with opened_by_dbt(settings) as warehouse:
        warehouse.execute("select current_database(), id, sid from raw.events")
        assert warehouse.fetchall() == [("warehouse", "e1", "s1")]
    assert home_of(settings).warehouse == tmp_path / name / "home" / "warehouse.duckdb"
    # Nothing was written by another spelling of the name.
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("command", ["doctor", "replay", "erase"])
@pytest.mark.parametrize("name", WORKING.values(), ids=WORKING)
def test_commands_work_on_every_home(tmp_path: Path, name: str, command: str) -> None:
    settings = settings_at(tmp_path / name)
    drain(settings)
    exports = ["--exports", str(settings.sources[0].exports)]

    result = invoke(*COMMANDS[command], "--home", str(settings.home), *exports)

    assert (result.exit_code, result.exception is None or result.exit_code == 0) == (0, True)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize(("name", "said"), REFUSED.values(), ids=REFUSED)
def test_home_that_the_engine_would_not_find_is_refused_by_every_command(
    tmp_path: Path, name: str, said: str, command: list[str]
) -> None:
    home = tmp_path / name / "home"
    home.mkdir(parents=True)

    result = invoke(*command, "--home", str(home))

    assert result.exit_code == 2
    assert result.output.startswith(f"error Bad settings. home: {str(home)!r} {said}")
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    "name", [*WORKING.values(), *(name for name, _ in REFUSED.values())], ids=[*WORKING, *REFUSED]
)
def test_location_may_have_any_name(tmp_path: Path, name: str) -> None:
    location = tmp_path / name / "in"
    location.mkdir(parents=True)
    settings = load_settings(tmp_path, home="home", exports=location)
    write_events(settings, "a.jsonl", event(sid="s1"))

    drained = drain(settings)
    validated = invoke("validate", "--", str(location))

    assert [batch.record_counts.accepted for batch in drained.batches] == [1]
    assert (validated.exit_code, "1 accepted" in validated.output) == (0, True)
    # What Dagster keeps of it can be stored.
    (spec,) = exports_specs(settings, NAMES)
    assert str(spec.metadata["exports"]).encode().startswith(b"default: /")


def test_relative_paths_and_links_lead_to_one_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "-real #").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "-real #")
    monkeypatch.chdir(tmp_path)

    given = ("-real #/home", "link/home", "./link/../-real #/home")

    assert {load_settings(Path.cwd(), home=one).home for one in given} == {
        tmp_path / "-real #" / "home"
    }
    # A link whose own name could not hold a home leads to one that can.
    (tmp_path / "a*b").symlink_to(tmp_path / "-real #")
    assert load_settings(Path.cwd(), home="a*b").home == tmp_path / "-real #"


@pytest.mark.parametrize(
    ("given", "said"),
    [("a\0b", "embedded null byte"), ("loop/home", "loop"), ("n" * 300, "File name too long")],
    ids=["null", "loop", "long"],
)
@pytest.mark.parametrize("setting", ["home", "exports", "completeness_file"])
def test_path_that_the_system_does_not_know_is_refused(
    tmp_path: Path, setting: str, given: str, said: str
) -> None:
    (tmp_path / "loop").symlink_to("loop")

    with pytest.raises(SettingsError, match=f"^Bad settings. {setting}: .*{said}"):
        load_settings(tmp_path, **{setting: given})


@pytest.mark.parametrize("variables", [{}, {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])
def test_name_of_another_encoding_is_refused_before_anything_is_written(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    # Python takes UTF-8 in the C locale by itself, unless a variable forbids it.
    finished = subprocess.run(
        [sys.executable, "-m", "sequen_dagster.cli.main", "verify", "--home", "\u00fcn\u00ef"],
        env={**os.environ, "LC_ALL": "C", **variables},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    said = "is not UTF-8 here" if variables else "does not exist"
    assert (finished.returncode, said in finished.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_pipeline_runs_where_all_of_these_are_in_one_path(tmp_path: Path) -> None:
    folder = "".join(("-", *(name.replace("C:", ":") for name in WORKING.values())))
    (tmp_path / folder[:240]).mkdir()
    (tmp_path / "li\\nk*?[]").symlink_to(folder[:240])
    location = Path(folder[:240]) / "in\\?*[a]" / NOT_UTF8
    (tmp_path / location).mkdir(parents=True)
    settings = load_settings(tmp_path, home="home", exports=location)
    write_events(settings, "a.jsonl", event(sid="s1"), event(id="e2", uid=...))

    finished = subprocess.run(
        [
            *(sys.executable, "-m", "sequen_dagster.cli.main", "run"),
            *("--exports", str(location), "--home", "li\\nk*?[]/home"),
        ],
        env={**os.environ, "LC_ALL": "C", "SEQUEN_WORKERS": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert finished.returncode == 0, finished.stdout + finished.stderr
    home = load_settings(tmp_path, home=Path(folder[:240]) / "home")
    with duckdb.connect(home_of(home).serving.snapshot, read_only=True) as snapshot:
        snapshot.execute("select id, sid from fct_events")
        assert snapshot.fetchall() == [("e1", "s1")]
    assert len(list_files(settings.sources[0])) == 1
    stages = ["lake", "marts", "published_snapshot", "completeness_report", "training_set"]
    begun = [line for line in finished.stderr.splitlines() if line.endswith(": started")]
    ended = [line for line in finished.stderr.splitlines() if ": done in " in line]
    assert begun == [f"{stage}: started" for stage in stages]
    assert [line.partition(":")[0] for line in ended] == stages
