"""The component: attributes, scaffold, translation, and a graph equal to that of Python."""

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pydantic
import pytest
import yaml
from dagster.components.testing import create_defs_folder_sandbox
from dagster.components.testing.test_cases import TestOpCustomization, TestTranslation
from dagster.components.testing.utils import component_defs

from sequen_dagster import SequenComponent, SequenTranslator, build_definitions
from sequen_dagster.component.attributes import yaml_type
from sequen_dagster.errors import SettingsError
from sequen_dagster.marts.conditions import tables_condition
from sequen_dagster.names import NAMES
from sequen_dagster.settings import GivenSettings, read_settings
from support.generated_pages import COMPONENT_SCHEMA, component_schema

TYPE = "sequen_dagster.SequenComponent"
# Of Dagster itself: its reader of YAML calls pydantic by a former name, and adds what is in beta.
pytestmark = [
    pytest.mark.filterwarnings("ignore:`parse_obj_as` is deprecated"),
    pytest.mark.filterwarnings("ignore:.* is currently in (beta|preview)"),
    pytest.mark.filterwarnings("ignore:Accessing .*automation_condition"),
]


@pytest.fixture(autouse=True)
def without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    # What is set for one pipeline must not reach into another.
    monkeypatch.setenv("SEQUEN_SESSION_TIMEOUT_MINUTES", "7")


def load(attributes: Mapping[str, Any]) -> tuple[SequenComponent, dg.Definitions]:
    """A component, and what it gives, by a `defs.yaml`."""
    with create_defs_folder_sandbox() as sandbox:
        path = sandbox.scaffold_component(
            component_cls=SequenComponent,
            defs_path="events",
            defs_yaml_contents={"type": TYPE, "attributes": dict(attributes)},
        )
        with sandbox.load_component_and_build_defs(defs_path=path) as (component, defs):
            assert isinstance(component, SequenComponent)
            return component, defs


def facts(defs: dg.Definitions) -> dict[str, Any]:
    """All that a code location gets to see of a pipeline."""
    graph = defs.resolve_asset_graph()
    repository = defs.get_repository_def()
    return {
        "assets": {
            node.key.to_user_string(): (
                sorted(key.to_user_string() for key in node.parent_keys),
                node.group_name,
                sorted(node.owners),
                dict(node.tags),
                node.description,
                str(node.automation_condition),
            )
            for node in graph.asset_nodes
        },
        "checks": sorted(str(key) for key in graph.asset_check_keys),
        "jobs": sorted(job.name for job in repository.get_all_jobs()),
        "sensors": [
            (sensor.name, sensor.default_status.name, sensor.minimum_interval_seconds)
            for sensor in repository.sensor_defs
        ],
        "schedules": [
            (one.name, one.cron_schedule, one.default_status.name)
            for one in repository.schedule_defs
        ],
        "steps": sorted(
            (one.op.name, str(one.op.pool), str(sorted(one.op.tags.items())))
            for one in defs.assets or ()
            if isinstance(one, dg.AssetsDefinition) and one.is_executable
        ),
    }


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it came of."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def test_graph_is_that_of_python(tmp_path: Path) -> None:
    given = {
        "home": str(tmp_path / "home"),
        "exports": str(tmp_path / "in"),
        "session_timeout_minutes": 45,
        "owners": ["team:shop"],
        "sensors": False,
        "daily_at": "05:30",
        "order_field": "order_no",
    }
    component, defs = load({"name": "shop", "key_prefix": ["a", "shop"], **given})
    python = build_definitions(
        read_settings(tmp_path, given),
        name="shop",
        translator=SequenTranslator(key_prefix=["a", "shop"]),
    )

    assert facts(defs) == facts(python)
    assert component.build_settings(tmp_path).session_timeout_minutes == 45
    assert facts(defs)["schedules"] == [("shop_daily", "30 5 * * *", "STOPPED")]
    assert all(key.startswith("a/shop/") for key in facts(defs)["assets"])
    assert {group for _, group, *_ in facts(defs)["assets"].values()} == {
        "shop_exports", "shop_lake", "shop_marts", "shop_reports",
    }  # fmt: skip


def test_variables_of_the_environment_count_only_where_they_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHERE", str(tmp_path / "in"))
    monkeypatch.setenv("HOOK", "https://example.com/secret")
    component, _ = load(
        {
            "home": "home",
            "sources": [{"name": "web", "exports": "{{ env.WHERE }}"}],
            "failure_webhook": "{{ env.HOOK }}",
        }
    )
    settings = component.build_settings(tmp_path)

    assert settings.session_timeout_minutes == 30
    assert [str(source.exports) for source in settings.sources] == [str(tmp_path / "in")]
    assert settings.failure_webhook == pydantic.SecretStr("https://example.com/secret")
    assert "secret" not in repr(component)


def test_one_part_and_one_key_need_no_list() -> None:
    _, defs = load(
        {"home": "home", "exports": "in", "key_prefix": "shop", "upstream": "landing/events"}
    )
    graph = defs.resolve_asset_graph()

    assert graph.get(dg.AssetKey(["shop", "raw_events"])).parent_keys == {
        dg.AssetKey(["landing", "events"])
    }


def test_text_that_looks_like_a_number_stays_a_text(tmp_path: Path) -> None:
    component, _ = load({"home": "home", "exports": "2024", "breakdowns": ["app.version"]})
    settings = component.build_settings(tmp_path)

    assert [source.exports for source in settings.sources] == [tmp_path / "2024"]
    assert settings.home == tmp_path / "home"
    assert settings.breakdowns == ("app.version",)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"sesion_timeout_minutes": 3}, "sesion_timeout_minutes"),
        ({"sources": [{"name": "a", "export": "x"}]}, "export"),
        ({"completeness": {"weather": {"waved": True}}}, "waved"),
        ({"session_timeout_minutes": 0}, "session_timeout_minutes"),
        ({"owners": ["anyone"]}, "owners"),
        ({"workers": "many"}, "workers"),
        ({"name": "my shop"}, "cannot be the name of a pipeline"),
    ],
)
def test_what_cannot_work_fails_at_load(attributes: dict[str, Any], message: str) -> None:
    with pytest.raises(Exception, match="SequenComponent") as caught:
        load({"home": "home", "exports": "in", **attributes})

    assert any(message in str(error) for error in causes(caught.value))


def test_attributes_are_the_settings_in_what_yaml_can_hold() -> None:
    fields = SequenComponent.model().model_fields
    schema = SequenComponent.model().model_json_schema()

    assert set(GivenSettings.model_fields) <= set(fields)
    for name, info in GivenSettings.model_fields.items():
        assert fields[name].description == info.description, name
        assert not fields[name].is_required()
    assert schema["additionalProperties"] is False
    assert schema["properties"]["failure_webhook"]["ui:widget"] == "secret"
    assert yaml_type(tuple[Path, ...] | None) == list[str] | None


def test_schema_beside_the_docs_is_that_of_the_code() -> None:
    assert COMPONENT_SCHEMA.read_text(encoding="utf-8") == component_schema(), "run `make docs`"


def test_types_are_listed_with_what_they_produce() -> None:
    spec = SequenComponent.get_spec()

    assert set(spec.produces) == {"asset", "asset_check", "job", "schedule", "sensor"}
    assert (spec.description or "").startswith("Behavioral events, from raw exports to sessions")


class TestOurTranslation(TestTranslation):
    """Dagster's own cases, on a table, an asset of ours, and what hangs on them."""

    @pytest.mark.parametrize("name", ["fct_events", "validated_events", "published_snapshot"])
    def test_translation(
        self, attributes: Any, assertion: Any, key_modifier: Any, name: str
    ) -> None:
        _, defs = load({"home": "home", "exports": "in", "translation": attributes})
        key = dg.AssetKey(name)
        key = key_modifier(key) if key_modifier else key

        spec = next(one for one in defs.resolve_all_asset_specs() if one.key == key)

        assert assertion(spec)


class TestOurOpCustomization(TestOpCustomization):
    """Dagster's own cases of the step that builds the tables."""

    def test_op_customization(self, attributes: Any, assertion: Any) -> None:
        component, defs = load({"home": "home", "exports": "in", "op": attributes})
        step = defs.resolve_assets_def("fct_events").op

        assert component.op is not None
        assert assertion(component.op)
        assert step.name == attributes.get("name", "sequen_marts")
        assert attributes.get("tags", {}).items() <= step.tags.items()


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (None, "in_process"),
        ("multiprocess", "multiprocess"),
        ("host", "multi_or_in_process_executor"),
    ],
)
def test_executor_of_the_jobs_is_the_one_that_is_given(given: str | None, name: str) -> None:
    chosen = {"executor": given} if given else {}
    _, defs = load({"home": "home", "exports": "in", **chosen})

    assert defs.resolve_job_def("sequen_run").executor_def.name == name


def test_keys_of_edges_conditions_and_checks_follow_a_translation() -> None:
    _, defs = load(
        {
            "home": "home",
            "exports": "in",
            "translation": {"key": "{{ 'warehouse/' + name }}"},
        }
    )
    graph = defs.resolve_asset_graph()
    keys = {key.to_user_string() for key in graph.get_all_asset_keys()}
    reading = graph.get(dg.AssetKey(["warehouse", "fct_events"]))

    assert all(key.startswith("warehouse/") for key in keys)
    assert reading.parent_keys == {dg.AssetKey(["warehouse", "validated_events"])}
    assert reading.automation_condition == tables_condition(
        NAMES, lambda name: dg.AssetKey(["warehouse", name])
    )
    assert {key.asset_key.path[0] for key in graph.asset_check_keys} == {"warehouse"}


class Tagged(SequenComponent):
    """Overrides what a subclass may."""

    def get_asset_spec(self, spec: dg.AssetSpec) -> dg.AssetSpec:
        translated = super().get_asset_spec(spec)
        return translated.merge_attributes(tags={"domain": "shop"})

    def get_asset_check_spec(self, check: dg.AssetCheckSpec) -> dg.AssetCheckSpec:
        return check._replace(metadata={**(check.metadata or {}), "domain": "shop"})

    def execute(self, context: dg.AssetExecutionContext, events: Iterator[Any]) -> Iterator[Any]:
        context.log.info("before")
        yield from events


def test_subclass_has_the_translation_as_well(tmp_path: Path) -> None:
    component = Tagged(home=str(tmp_path / "home"), exports=str(tmp_path), key_prefix=["shop"])
    defs = component_defs(component=component)
    graph = defs.resolve_asset_graph()

    assert {node.tags.get("domain") for node in graph.asset_nodes} == {"shop"}
    assert {node.key.path[0] for node in graph.asset_nodes} == {"shop"}
    assert graph.get(dg.AssetKey(["shop", "fct_events"])).parent_keys == {
        dg.AssetKey(["shop", "validated_events"])
    }


def test_one_key_for_two_assets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"both get the key events\. Have the translation make"):
        build_definitions(
            read_settings(tmp_path, {"home": "home"}),
            translator=OneKey(),
        )


class OneKey(SequenTranslator):
    """Calls all assets the same."""

    def get_asset_spec(self, spec: dg.AssetSpec) -> dg.AssetSpec:
        return spec.replace_attributes(key=dg.AssetKey("events"))


@pytest.mark.parametrize("form", ["yaml", "python"])
def test_scaffold_loads_as_it_stands_and_shows_every_setting(form: Any) -> None:
    with create_defs_folder_sandbox() as sandbox:
        path = sandbox.scaffold_component(
            component_cls=SequenComponent, scaffold_format=form, defs_path="shop"
        )
        (file,) = path.iterdir()
        text = file.read_text(encoding="utf-8")
        with sandbox.build_all_defs() as defs:
            graph = defs.resolve_asset_graph()
        with pytest.raises(SettingsError, match="exists already, and is left as it is"):
            sandbox.scaffold_component(
                component_cls=SequenComponent, scaffold_format=form, defs_path="shop"
            )

    assert file.name == ("defs.yaml" if form == "yaml" else "component.py")
    assert {node.group_name for node in graph.asset_nodes} >= {"shop_lake", "shop_marts"}
    shown = {name for name in GivenSettings.model_fields if f"{name}" in text}
    assert shown >= set(GivenSettings.model_fields) - {"follow_links"}
    if form == "yaml":
        lines = [
            line.replace("# ", "", 1) if line.startswith("  # ") and ": " in line else line
            for line in text.splitlines()
            if not line.strip().startswith("#") or line.split("# ")[1].split(":")[0] in shown
        ]
        every = yaml.safe_load("\n".join(lines))["attributes"]
        assert set(every) >= shown


def test_scaffold_lists_the_variables_that_it_needs() -> None:
    with create_defs_folder_sandbox() as sandbox:
        path = sandbox.scaffold_component(
            component_cls=SequenComponent,
            scaffold_params={"exports": "{{ env.SHOP_EXPORTS }}", "key_prefix": "shop"},
            defs_path="shop",
        )
        written = yaml.safe_load((path / "defs.yaml").read_text(encoding="utf-8"))

    assert written["requirements"] == {"env": ["SHOP_EXPORTS"]}
    assert written["attributes"]["key_prefix"] == ["shop"]


LOADING = """
import json, sys
from pathlib import Path
seen = {"written": [], "started": []}
def look(event, arguments):
    if event == "open" and any(mark in str(arguments[1] or "") for mark in "wax+"):
        seen["written"].append(str(arguments[0]))
    if event in ("subprocess.Popen", "os.posix_spawn", "os.system", "os.fork", "socket.connect"):
        seen["started"].append(event)
import dagster, dagster_dbt
sys.addaudithook(look)
from sequen_dagster import SequenComponent
from dagster.components.testing.utils import component_defs
folder = Path(sys.argv[1])
defs = component_defs(component=SequenComponent(home=str(folder / "home"), exports=str(folder)))
assert len(defs.resolve_asset_graph().get_all_asset_keys()) > 40
heavy = ("pandas", "polars", "pandera", "altair", "vl_convert", "dbt.graph", "dbt.cli")
seen["heavy"] = [name for name in heavy if name in sys.modules]
print(json.dumps(seen))
"""


def test_loading_writes_nothing_starts_nothing_and_imports_nothing_heavy(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-B", "-c", textwrap.dedent(LOADING), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen == {"written": [], "started": [], "heavy": []}
    assert list(tmp_path.iterdir()) == []
