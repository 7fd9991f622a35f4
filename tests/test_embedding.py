"""Pipelines in a host's code location: several of them, and with assets of the host around."""

import json
import os
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
import yaml
from dagster.components.testing import create_defs_folder_sandbox
from dagster.components.testing.utils import component_defs

from sequen_dagster import SequenComponent, SequenTranslator, build_definitions
from sequen_dagster.home.layout import Home
from sequen_dagster.settings import SequenSettings, read_settings
from support.builders import event
from support.homes import settings_of, write_events
from support.lake import pending_files
from support.pages import ROOT, block_of, commands_of

PAGE = ROOT / "docs" / "embedding.md"

# Of Dagster: the evaluation of conditions selects by what it calls beta.
pytestmark = pytest.mark.filterwarnings("ignore:.* is currently in (beta|preview)")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def pipeline(settings: SequenSettings, name: str, **given: Any) -> dg.Definitions:
    """A pipeline of a code location that has another."""
    return build_definitions(
        settings, name=name, translator=SequenTranslator(key_prefix=[name]), **given
    )


def settings_in(folder: Path, **given: Any) -> SequenSettings:
    """Settings of a home in a folder of its own."""
    (folder / "in").mkdir(parents=True)
    return read_settings(folder, {"home": "home", "exports": "in", "dbt_docs": False, **given})


def rows_in(home: Path) -> int:
    """How many events are published in a home."""
    with duckdb.connect(Home(home).serving.snapshot, read_only=True) as snapshot:
        (count,) = snapshot.execute("select count(*) from fct_events").fetchone() or (0,)
    return int(count)


def rows(settings: SequenSettings, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(Home(settings.home).serving.snapshot, read_only=True) as snapshot:
        return snapshot.execute(query).fetchall()


@pytest.mark.slow
def test_two_pipelines_run_in_one_code_location(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    shop = settings_in(tmp_path / "shop", session_rule="inactivity", session_timeout_minutes=10)
    blog = settings_in(tmp_path / "blog", placeholder_ids=["e9"], steps_as_assets=True)
    for settings in (shop, blog):
        write_events(settings, "a.jsonl", event(id="e1"), event(id="e9"), event(id="e1", uid="v"))
    write_events(blog, "b.jsonl", event(id="e2", uid=...))
    defs = dg.Definitions.merge(pipeline(shop, "shop"), pipeline(blog, "blog"))

    runs = [
        defs.resolve_job_def(f"{name}_run").execute_in_process(instance=instance)
        for name in ("shop", "blog")
    ]

    assert [run.success for run in runs] == [True, True]
    # What is an id in one is a word for none in the other.
    named = "select id from fct_events where id in ('e1', 'e9') order by all"
    assert (rows(shop, named), rows(blog, named)) == ([("e1",), ("e9",)], [("e1",)])
    assert [
        rows(settings, "select accepted, quarantined from rpt_batches order by all")
        for settings in (shop, blog)
    ] == [[(3, 0)], [(0, 1), (3, 0)]]
    assert {run.job_name for run in instance.get_runs()} == {"shop_run", "blog_run"}
    # Neither has made what is of the other.
    for name, other, run in zip(("shop", "blog"), ("blog", "shop"), runs, strict=True):
        made = {
            one.asset_key.path[0] for one in run.get_asset_materialization_events() if one.asset_key
        }
        assert (made, other in made) == ({name}, False)


def test_names_of_two_pipelines_do_not_meet(tmp_path: Path) -> None:
    both = [
        pipeline(settings_in(tmp_path / name), name).get_repository_def()
        for name in ("shop", "blog")
    ]
    names = [
        {
            *(job.name for job in one.get_all_jobs() if not job.name.startswith("__")),
            *(sensor.name for sensor in one.sensor_defs),
            *(schedule.name for schedule in one.schedule_defs),
            *(asset.op.name for asset in one.assets_defs_by_key.values() if asset.is_executable),
            *(str(asset.op.pool) for asset in one.assets_defs_by_key.values() if asset.is_executable
              if asset.op.pool),
            *(key.to_user_string() for key in one.asset_graph.get_all_asset_keys()),
            *(str(node.group_name) for node in one.asset_graph.asset_nodes),
        }
        for one in both
    ]  # fmt: skip

    assert not names[0] & names[1]
    assert {len(one) for one in names} == {len(names[0])}


def test_same_pipeline_in_two_code_locations_takes_in_each_file_once(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    settings = settings_in(tmp_path, quiet_seconds=0)
    write_events(settings, "a.jsonl", event())
    locations = [build_definitions(settings).get_repository_def() for _ in range(2)]
    asked = []
    for _ in range(2):  # a file is whole once two ticks have seen it
        for location in locations:
            sensor = location.get_sensor_def("sequen_new_exports")
            with dg.build_sensor_context(instance=instance) as context:
                found = sensor(context)
            asked += found.run_requests or [] if isinstance(found, dg.SensorResult) else []
    assert {request.run_key for request in asked} == {asked[0].run_key}

    for location, request in zip(locations, asked[:2], strict=False):
        job = location.get_job("sequen_drain")
        assert job.execute_in_process(instance=instance, tags=request.tags).success

    assert pending_files(settings) == []
    records = [
        one.asset_materialization.metadata["records_read"].value
        for one in instance.fetch_materializations(dg.AssetKey("validated_events"), limit=9).records
        if one.asset_materialization
    ]
    assert sum(map(int, records)) == 1


@pytest.mark.filterwarnings("ignore:`parse_obj_as` is deprecated")
def test_component_of_the_page_loads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SHOP_EXPORTS", str(tmp_path))
    monkeypatch.setenv("SHOP_WEBHOOK", "https://example.com/hook")
    written = yaml.safe_load(block_of(PAGE, "type: sequen_dagster").text)
    with create_defs_folder_sandbox() as sandbox:
        path = sandbox.scaffold_component(
            component_cls=SequenComponent, defs_path="shop", defs_yaml_contents=written
        )
        with sandbox.load_component_and_build_defs(defs_path=path) as (_, defs):
            graph = defs.resolve_asset_graph()

    assert graph.get(dg.AssetKey(["shop", "raw_events"])).parent_keys == {
        dg.AssetKey(["landing", "events"])
    }
    assert graph.get(dg.AssetKey(["shop", "fct_events"])).tags["domain"] == "shop"
    assert graph.get(dg.AssetKey(["shop", "fct_events"])).owners == ["team:shop"]


def test_class_of_the_page_runs(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    names: dict[str, Any] = {}
    exec(block_of(PAGE, "from collections.abc import Iterator").text, names)  # noqa: S102
    write_events(settings_in(tmp_path), "a.jsonl", event())
    component = names["ShopEvents"](home=str(tmp_path / "home"), exports=str(tmp_path / "in"))
    defs = component_defs(component=component)

    result = defs.resolve_job_def("sequen_drain").execute_in_process(instance=instance)

    log = [entry.user_message for entry in instance.all_logs(result.run_id)]
    assert (result.success, "step sequen_lake begins" in log) == (True, True)
    assert {node.tags.get("domain") for node in defs.resolve_asset_graph().asset_nodes} == {"shop"}


@pytest.mark.slow
def test_commands_of_the_page_work_in_a_project(tmp_path: Path) -> None:
    for name, text in PROJECT.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "a.jsonl").write_text(json.dumps(event()) + "\n", encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": "src"}
    environment.pop("DAGSTER_HOME", None)
    said = []
    for command in commands_of(block_of(PAGE, "dg scaffold defs")):
        done = subprocess.run(
            [str(Path(sys.executable).with_name("dg")), *shlex.split(command)[1:]],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        said.append(done.stdout + done.stderr)
        assert done.returncode == 0, said[-1]

    assert "fct_sessions" in said[1]
    assert "shop_run" in said[1]
    assert rows_in(tmp_path / ".sequen" / "shop") == 1
    assert (tmp_path / "src" / "host" / "defs" / "shop" / "defs.yaml").exists()


PROJECT = {
    "pyproject.toml": """
        [project]
        name = "host"
        version = "0.1.0"
        [tool.dg]
        directory_type = "project"
        [tool.dg.project]
        root_module = "host"
    """,
    "src/host/__init__.py": "",
    "src/host/defs/__init__.py": "",
    "src/host/definitions.py": (
        "from pathlib import Path\n"
        "from dagster import definitions, load_from_defs_folder\n"
        "@definitions\n"
        "def defs():\n"
        "    return load_from_defs_folder(path_within_project=Path(__file__).parent)\n"
    ),
}


def landing_of(settings: SequenSettings) -> dg.AssetsDefinition:
    """An asset of the host that writes export files."""

    @dg.asset(key=["landing", "events"])
    def landing() -> None:
        write_events(settings, "landed.jsonl", event(id="landed"))

    return landing


@pytest.mark.slow
def test_host_stands_upstream_and_downstream(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    settings = settings_in(tmp_path)
    ours = pipeline(settings, "shop", upstream=[dg.AssetKey(["landing", "events"])])
    sessions = dg.AssetKey(["shop", "fct_sessions"])

    @dg.asset(deps=[sessions])
    def sessions_by_day() -> int:
        with duckdb.connect(Home(settings.home).warehouse, read_only=True) as warehouse:
            (count,) = warehouse.execute("select count(*) from fct_sessions").fetchone() or (0,)
        return int(count)

    defs = dg.Definitions.merge(
        ours, dg.Definitions(assets=[landing_of(settings), sessions_by_day])
    )
    graph = defs.resolve_asset_graph()
    job = defs.resolve_implicit_global_asset_job_def().get_subset(
        asset_selection=set(graph.materializable_asset_keys), asset_check_selection=set()
    )

    result = job.execute_in_process(instance=instance)

    assert result.success
    assert result.output_for_node("sessions_by_day") == 1
    assert graph.get(dg.AssetKey(["shop", "raw_events"])).parent_keys == {
        dg.AssetKey(["landing", "events"])
    }
    ancestors = graph.get_ancestor_asset_keys(dg.AssetKey("sessions_by_day"))
    assert {dg.AssetKey(["landing", "events"]), sessions} <= ancestors


def test_run_of_an_asset_upstream_has_files_taken_in_at_once(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    settings = settings_in(tmp_path)
    landing = landing_of(settings)
    defs = dg.Definitions.merge(
        pipeline(settings, "shop", upstream=[landing.key]), dg.Definitions(assets=[landing])
    )
    before = dg.evaluate_automation_conditions(defs=defs, instance=instance)

    dg.materialize([landing], instance=instance)
    after = dg.evaluate_automation_conditions(defs=defs, instance=instance, cursor=before.cursor)
    again = dg.evaluate_automation_conditions(defs=defs, instance=instance, cursor=after.cursor)

    lake = [dg.AssetKey(["shop", name]) for name in ("validated_events", "quarantined_records")]
    assert [before.get_num_requested(key) for key in lake] == [0, 0]
    assert [after.get_num_requested(key) for key in lake] == [1, 1]
    assert [again.get_num_requested(key) for key in lake] == [0, 0]


def test_host_may_have_assets_and_ops_of_our_plain_names(tmp_path: Path) -> None:
    @dg.asset
    def raw_events() -> None:
        """The host's own."""

    @dg.op
    def lake() -> None:
        """The host's own."""

    @dg.op
    def marts() -> None:
        """The host's own."""

    @dg.job
    def training_set() -> None:
        lake()
        marts()

    defs = dg.Definitions.merge(
        pipeline(settings_of(tmp_path), "shop"),
        dg.Definitions(assets=[raw_events], jobs=[training_set]),
    )

    dg.Definitions.validate_loadable(defs)
    assert json.dumps(sorted(job.name for job in defs.resolve_all_job_defs())).count("shop_") == 5
