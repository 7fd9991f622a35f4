"""dbt's docs as one page: made where what they show has changed, and nothing in them of others."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sequen_dagster.errors import BuildError
from sequen_dagster.home.layout import Home
from sequen_dagster.marts import project
from sequen_dagster.marts.warehouse import connect
from sequen_dagster.operations.run import run_pipeline
from sequen_dagster.reports import dbt_docs
from sequen_dagster.reports.dbt_docs import Docs, copy_readme, write_docs
from sequen_dagster.settings import SequenSettings
from support.builders import event
from support.homes import settings_of, write_events
from support.lake import home_of

CANARY = "canary-of-the-environment"
HOSTILE = "</script><script>window.pwned=1</script>"
PAGE = (
    '<html ng-app="dbt"><head><meta charset="utf-8">'
    "<link href=\"${require('./assets/favicons/favicon.ico')}\"></head>"
    + 4 * '<use xlink:href="{{ icon }}">'
    + '<script>{manifest:"MANIFEST.JSON INLINE DATA",catalog:"CATALOG.JSON INLINE DATA"}</script>'
)


@pytest.fixture
def generated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SequenSettings:
    """A home with one table, where dbt leaves at once what it would take seconds for."""
    settings = settings_of(tmp_path)
    home_of(settings).make()
    with connect(settings) as warehouse:
        warehouse.execute("create table main.fct_events (id varchar)")
    monkeypatch.setattr(dbt_docs, "_generate", leave_artifacts)
    return settings


def leave_artifacts(settings: SequenSettings, page: str = PAGE) -> None:
    folder = home_of(settings).dbt.target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text(page)
    metadata = {"env": {"SHOWN": CANARY}, "user_id": CANARY, "dbt_version": "1.11"}
    places = {"compiled_path": str(folder / "a.sql"), "root_path": str(project.project_dir())}
    measure = {"name": "visits", "sql": "count(*)", "description": "Sessions that began."}
    of_node = {
        "manifest": {"meta": {"measures": [measure], "other": 1}},
        "catalog": {"metadata": {"owner": None}},
    }
    for name, own in of_node.items():
        node = {"description": HOSTILE, **places, **own}
        artifact = {"metadata": metadata, "nodes": {"model.a": node}}
        (folder / f"{name}.json").write_text(json.dumps(artifact))


def artifacts_in(page: str) -> list[dict[str, Any]]:
    decoder = json.JSONDecoder()
    places = [page.index(f"{name}:{{") + len(name) + 1 for name in ("manifest", "catalog")]
    return [decoder.raw_decode(page, place)[0] for place in places]


def test_page_is_made_once(generated: SequenSettings) -> None:
    first, second = write_docs(generated), write_docs(generated)

    assert first == Docs(Home(generated.home).serving.docs, is_rebuilt=True)
    assert second == replace(first, is_rebuilt=False)
    assert [part.name for part in first.path.parent.iterdir()] == ["index.html"]


def test_page_is_made_again_when_columns_or_sources_or_settings_change(
    generated: SequenSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_docs(generated)
    with connect(generated) as warehouse:
        warehouse.execute("insert into main.fct_events values ('e1')")
    is_rebuilt = [write_docs(generated).is_rebuilt]
    with connect(generated) as warehouse:
        warehouse.execute("alter table main.fct_events add column uid varchar")
    is_rebuilt.append(write_docs(generated).is_rebuilt)
    others = generated.model_copy(update={"click_touch_days": 3})
    is_rebuilt.append(write_docs(others).is_rebuilt)
    monkeypatch.setattr(dbt_docs, "_PAGE_VERSION", 0)
    is_rebuilt.append(write_docs(others).is_rebuilt)

    # Rows alone are nothing that it shows.
    assert is_rebuilt == [False, True, True, True]


@pytest.mark.parametrize("name", ["models/a.sql", "models/_a.yml", "models/_a.md", "seeds/a.csv"])
def test_every_kind_of_source_counts_as_another_project(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path)
    copy = Path(shutil.copytree(project.project_dir(), tmp_path / "project"))
    monkeypatch.setattr(project, "project_dir", lambda: copy)
    before = project.sources_fingerprint(settings)
    (copy / name).write_text("{% docs one %} words {% enddocs %}")

    assert project.sources_fingerprint(settings) != before


@pytest.mark.bad_input(57, 62)
def test_page_holds_no_path_no_variable_and_no_end_of_its_script(
    generated: SequenSettings,
) -> None:
    page = write_docs(generated).path.read_text(encoding="utf-8")

    assert page.count("</script>") == 1
    assert CANARY not in page
    for artifact in artifacts_in(page):
        assert artifact["metadata"] == {"env": {}, "dbt_version": "1.11"}
        node = artifact["nodes"]["model.a"]
        assert node["description"] == HOSTILE
        assert (node["compiled_path"], node["root_path"]) == ("dbt/target/a.sql", "")


def test_page_names_owners_and_spells_out_measures(generated: SequenSettings) -> None:
    settings = generated.model_copy(update={"owners": ("team:shop", "a@b.example")})
    write_docs(generated)
    write_docs(settings)

    manifest, catalog = artifacts_in(Home(settings.home).serving.docs.read_text("utf-8"))
    assert manifest["nodes"]["model.a"]["meta"] == {
        "measure visits": "count(*): Sessions that began.",
        "other": 1,
    }
    assert catalog["nodes"]["model.a"]["metadata"] == {"owner": "team:shop, a@b.example"}


def test_page_that_dbt_has_changed_is_refused_and_the_old_one_stays(
    generated: SequenSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = write_docs(generated).path.read_bytes()
    monkeypatch.setattr(dbt_docs, "_PAGE_VERSION", 0)
    monkeypatch.setattr(dbt_docs, "_generate", lambda home: leave_artifacts(home, "<html></html>"))

    with pytest.raises(BuildError, match="release of dbt-core"):
        write_docs(generated)
    assert Home(generated.home).serving.docs.read_bytes() == before


@pytest.mark.parametrize("has_readme", [True, False])
def test_readme_of_the_project_lies_beside_the_tables(
    has_readme: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path)
    Home(settings.home).serving.root.mkdir(parents=True)
    monkeypatch.setattr(dbt_docs, "project_dir", lambda: tmp_path / "project")
    (tmp_path / "project").mkdir()
    if has_readme:
        (tmp_path / "project" / "README.md").write_text("# Tables\n")

    copy_readme(Home(settings.home).serving)
    copy_readme(Home(settings.home).serving)

    copies = {path.name: path.read_text() for path in Home(settings.home).serving.root.iterdir()}
    assert copies == ({"README.md": "# Tables\n"} if has_readme else {})


@pytest.mark.slow
@pytest.mark.bad_input(55, 57, 62)
def test_docs_of_a_run_show_all_models_and_nothing_of_events_or_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_ENV_CUSTOM_ENV_SHOWN", CANARY)
    monkeypatch.setenv("SEQUEN_FAILURE_WEBHOOK", f"https://example.com/{CANARY}")
    settings = settings_of(tmp_path, dbt_docs=True)
    value = "value-of-an-event"
    fields = {HOSTILE: value, "type": "type-of-an-event", "uid": value, "page_type": None}
    write_events(settings, "file-of-an-exporter.jsonl", event(**fields))

    outcome = run_pipeline(settings)
    page = Home(settings.home).serving.docs.read_text(encoding="utf-8")
    again = write_docs(settings)

    assert (outcome.is_success, outcome.failures) == (True, ())
    assert "dbt_docs" in outcome.seconds_by_stage
    assert not again.is_rebuilt
    manifest, catalog = artifacts_in(page)
    models = [name for name in manifest["nodes"] if name.startswith("model.")]
    # An ephemeral model is not a relation, so a catalog cannot have it.
    relations = {
        name for name in models if manifest["nodes"][name]["config"]["materialized"] != "ephemeral"
    }
    assert relations == {name for name in catalog["nodes"] if name.startswith("model.")}
    assert all(manifest["nodes"][name]["compiled_code"] for name in models)
    assert "customized text" not in manifest["docs"]["doc.sequen.__overview__"]["block_contents"]
    for sign in (CANARY, value, "pwned", "of-an-event", "of-an-exporter", str(tmp_path)):
        assert sign not in page, sign
    assert re.findall(rf"{project.project_dir()}|{Path.home()}/", page) == []
    assert Home(settings.home).serving.docs.stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
def test_failure_of_dbt_says_where_to_look_and_quotes_nothing(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    home_of(settings).make()
    with connect(settings) as warehouse:
        warehouse.execute("create table main.fct_events (id varchar)")
    (home_of(settings).dbt.target / "catalog.json").mkdir(parents=True)

    with pytest.raises(BuildError, match=r"dbt/target/dbt\.log") as caught:
        write_docs(settings)
    assert str(tmp_path) not in str(caught.value)
    assert not Home(settings.home).serving.docs.exists()
