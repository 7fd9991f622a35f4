"""What others send or set cannot make the engine, dbt or Python reach out or run anything."""

import ast
import json
import re
import shutil
from pathlib import Path

import duckdb
import pytest
import yaml

import sequen_dagster
from sequen_dagster.errors import BuildError, SettingsError
from sequen_dagster.marts import dbt, project
from sequen_dagster.marts.warehouse import connect
from sequen_dagster.settings import load_settings
from support.homes import settings_of
from support.lake import home_of

PACKAGE = Path(sequen_dagster.__file__).parent
# What makes code or objects of data, or hands a line to a shell.
RUNS_DATA = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load",
    "yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "pickle.load", "pickle.loads",
    "marshal.loads", "shelve.open",
}  # fmt: skip
# `{lake}` is a folder that the connection may use; {outside} is not.
FORBIDDEN = (
    "select * from read_text('/etc/passwd')",
    "select * from read_text('{lake}/../outside/secret.txt')",
    "select * from read_text('{lake}/link.txt')",
    "select * from read_csv('{outside}/secret.txt')",
    "select * from '{outside}/secret.txt'",
    "select * from glob('{outside}/*')",
    "select * from read_parquet('https://example.com/a.parquet')",
    "copy (select 1) to '{outside}/new.csv'",
    "copy (select 1) to '{lake}/../outside/new.csv'",
    "attach '{outside}/new.duckdb'",
    "attach '{outside}/old.duckdb' as other (read_only)",
    "export database '{outside}/new'",
    "install httpfs",
    "load httpfs",
    "set enable_external_access = true",
    "set lock_configuration = false",
    "set allowed_directories = ['/']",
    "reset allowed_directories",
    "set secret_directory = '{outside}'",
    "create secret (type s3, key_id 'a', secret 'b')",
)

# The engine does not look for a file where a table is meant, hence the last.
REFUSED = "disabled|has been locked|does not exist"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "home" / "outside"
    folder.mkdir(parents=True)
    (folder / "secret.txt").write_text("secret")
    duckdb.connect(folder / "old.duckdb").close()
    return folder


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_connection_reads_and_writes_its_folders_alone(
    tmp_path: Path, outside: Path, statement: str
) -> None:
    settings = settings_of(tmp_path)
    lake = home_of(settings).make().root / "lake"
    lake.mkdir()
    (lake / "inside.txt").write_text("inside")
    (lake / "link.txt").symlink_to(outside / "secret.txt")

    with connect(settings, folders=[lake]) as warehouse:
        with pytest.raises(duckdb.Error, match=REFUSED):
            warehouse.execute(statement.format(lake=lake, outside=outside)).fetchall()
        inside = warehouse.execute("select content from read_text(?)", [f"{lake}/inside.txt"])
        assert inside.fetchall() == [("inside",)]
    assert sorted(path.name for path in outside.iterdir()) == ["old.duckdb", "secret.txt"]


@pytest.mark.slow
@pytest.mark.bad_input(30)
def test_dbt_model_reaches_nothing_outside(
    tmp_path: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path)
    hostile = [one for one in FORBIDDEN if "{lake}" not in one]
    copy = Path(shutil.copytree(project.project_dir(), tmp_path / "project"))
    shutil.rmtree(copy / "models")
    (copy / "models").mkdir()
    (copy / "models" / "harmless.sql").write_text("select 1 as one")
    for number, statement in enumerate(hostile):
        hook = json.dumps(statement.format(outside=outside))
        text = f"{{{{ config(pre_hook={hook}) }}}} select 1 as one"
        (copy / "models" / f"hostile_{number}.sql").write_text(text)
    shutil.rmtree(copy / "tests")
    shutil.rmtree(copy / "seeds")
    for module in (project, dbt):
        monkeypatch.setattr(module, "project_dir", lambda: copy)
    project.write_profile(settings)

    with pytest.raises(BuildError):
        dbt.run_dbt(settings, ["run", "--threads", "1"])

    results = json.loads((home_of(settings).dbt.target / "run_results.json").read_text())
    models = [one for one in results["results"] if one["unique_id"].startswith("model.")]
    failed = {one["unique_id"].split(".")[-1]: one["message"] for one in models}
    assert failed.pop("harmless") == "OK"
    assert sorted(failed) == sorted(f"hostile_{number}" for number in range(len(hostile)))
    # Some refusals come as an exception whose text may show values, and is kept in.
    refused = rf"{REFUSED}|InvalidInputException in compat/dbt_in_process"
    assert [one for one in failed.values() if not re.search(refused, one)] == []
    assert sorted(path.name for path in outside.iterdir()) == ["old.duckdb", "secret.txt"]


@pytest.mark.bad_input(31, 59)
def test_nothing_is_loaded_that_could_run() -> None:
    called = {
        ast.unparse(node.func)
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    }
    shells = [
        path.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.keyword) and node.arg == "shell"
    ]

    assert called & RUNS_DATA == set()
    assert shells == []
    assert {name for name in called if name.startswith("yaml.")} <= {
        "yaml.safe_dump",
        "yaml.safe_load",
    }


@pytest.mark.bad_input(59)
def test_profile_survives_a_home_with_characters_of_yaml(tmp_path: Path) -> None:
    folder = tmp_path / "a: b # !!python&x 'y' \"z\""
    folder.mkdir()
    settings = settings_of(folder)

    profile = (project.write_profile(settings) / "profiles.yml").read_text(encoding="utf-8")

    output = yaml.safe_load(profile)["sequen"]["outputs"]["duckdb"]
    path = str(folder / "home" / "warehouse.duckdb")
    assert output["path"] == path.replace("#", "%23")


@pytest.mark.bad_input(60)
@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/latest",
        "https://example.com/a",
        "file:///etc",
        "ftp://127.0.0.1/",
        "s3://key:canary@bucket/a",
        "gs://canary@bucket",
    ],
)
def test_location_is_a_folder_or_a_store_without_credentials(tmp_path: Path, address: str) -> None:
    with pytest.raises(SettingsError, match="exports") as caught:
        load_settings(tmp_path, exports=address)
    assert "canary" not in str(caught.value)
