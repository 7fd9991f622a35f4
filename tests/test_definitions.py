import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from sequen_dagster.definitions import build_definitions
from sequen_dagster.marts import project
from sequen_dagster.marts.catalog import TableCatalog
from sequen_dagster.marts.project import load_manifest, model_names, project_dir, relation_names
from sequen_dagster.settings import SequenSettings
from support.graphs import graph_of
from support.homes import settings_of
from support.lake import home_of

STAGES = ("exports", "lake", "marts", "reports")
STAGE_GROUPS = {f"sequen_{stage}" for stage in STAGES}
STEP_GROUPS = {f"sequen_steps_{step}" for step in ("affected", "marts", "reports", "staging")}


@pytest.fixture(scope="module")
def defs(demo: SequenSettings) -> Iterator[dg.Definitions]:
    settings = demo.model_copy(update={"dbt_docs": True, "steps_as_assets": True})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Dagster's beta and preview warnings are not ours
        yield build_definitions(settings)


def specs(defs: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}


def test_every_asset_has_group_owner_kinds_and_description(defs: dg.Definitions) -> None:
    for name, spec in specs(defs).items():
        assert spec.group_name in STAGE_GROUPS | STEP_GROUPS, name
        assert spec.owners == ["team:data-engineering"], name
        assert spec.kinds, name
        assert spec.description, name


def test_steps_are_apart_from_what_people_open_by_group_tag_and_access(
    defs: dg.Definitions, demo: SequenSettings
) -> None:
    found = specs(defs)
    of_access = {
        access: {name for name, spec in found.items() if spec.tags["sequen/access"] == access}
        for access in ("public", "private", "internal")
    }
    catalog = TableCatalog.read(load_manifest(demo))

    assert all(
        (spec.group_name in STEP_GROUPS) == (name in of_access["internal"])
        for name, spec in found.items()
    )
    # Groups are listed by name, and those that lead to the others come last.
    assert max(STAGE_GROUPS) < min(STEP_GROUPS)
    private_tables = {"quarantined_events", "rpt_reconciliation"}
    assert of_access["private"] == {"quarantined_records", "warehouse"} | private_tables
    assert of_access["public"] >= set(catalog.public)
    assert set(catalog.private) == private_tables


def test_steps_are_assets_only_where_that_is_asked_for(
    defs: dg.Definitions, demo: SequenSettings
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folded = build_definitions(demo.model_copy(update={"dbt_docs": True}))
    found, every = specs(folded), specs(defs)

    assert not demo.steps_as_assets
    assert found.keys() == {
        name for name, spec in every.items() if spec.tags["sequen/access"] != "internal"
    }
    for name, spec in found.items():
        assert (spec.group_name, spec.tags) == (every[name].group_name, every[name].tags)
    # Each still comes after the same assets.
    graph, whole = folded.resolve_asset_graph(), defs.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        above = whole.get_ancestor_asset_keys(key)
        assert graph.get_ancestor_asset_keys(key) == above & graph.get_all_asset_keys()
    assert graph.get(dg.AssetKey("fct_events")).parent_keys == {dg.AssetKey("validated_events")}
    # Nothing goes unchecked.
    names = {key.name for key in whole.asset_check_keys}
    assert {key.name for key in graph.asset_check_keys} == names


def test_what_people_open_says_where_it_is_before_it_is_made(
    defs: dg.Definitions, demo: SequenSettings
) -> None:
    serving = home_of(demo).serving
    places = {
        "published_snapshot": serving.snapshot,
        "completeness_report": serving.report_html,
        "dbt_docs": serving.docs,
        "training_set": serving.training_manifest,
    }
    found = {name: specs(defs)[name].metadata for name in [*places, "warehouse", "raw_events"]}

    for name, path in places.items():
        assert path.is_absolute()
        assert found[name]["dagster/uri"].value == str(path)
        assert found[name]["link"].value == path.as_uri()
    assert found["warehouse"]["dagster/uri"].value == str(home_of(demo).warehouse)
    assert found["raw_events"]["home"].value == str(demo.home)


def test_owners_are_those_of_the_settings(tmp_path: Path) -> None:
    owners = ["a.b@example.com", "team:shop_data"]
    settings = settings_of(tmp_path, owners=owners)
    made = [spec for spec in graph_of(settings).specs.values() if spec.group_name]

    assert [spec.owners for spec in made] == [owners] * 6


def test_graph_is_one_piece(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    neighbors = {
        key: graph.get(key).parent_keys | graph.get(key).child_keys
        for key in graph.get_all_asset_keys()
    }
    reached = {dg.AssetKey("raw_events")}
    edge = list(reached)
    while edge:
        edge = [key for one in edge for key in neighbors[one] if key not in reached]
        reached |= set(edge)

    # A seed has no upstream, but a model behind it: it hangs on the graph all the same.
    assert reached == set(neighbors)


def test_marts_hang_on_the_lake(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()

    assert graph.get(dg.AssetKey(["staging", "stg_events"])).parent_keys >= {
        dg.AssetKey("validated_events")
    }
    assert dg.AssetKey("published_snapshot") in graph.get(dg.AssetKey("fct_events")).child_keys


def test_docs_follow_the_snapshot_unless_they_are_switched_off(
    defs: dg.Definitions, tmp_path: Path
) -> None:
    graph = defs.resolve_asset_graph()
    without = graph_of(settings_of(tmp_path, dbt_docs=False))

    docs, snapshot = dg.AssetKey("dbt_docs"), dg.AssetKey("published_snapshot")
    assert graph.get(docs).parent_keys == {snapshot}
    assert "dbt_docs" not in without.specs


def test_public_tables_have_their_columns(defs: dg.Definitions, demo: SequenSettings) -> None:
    catalog = TableCatalog.read(load_manifest(demo))
    found = specs(defs)

    assert len(catalog.public) >= 20
    for spec in [found[name] for name in [*catalog.public, *catalog.private]]:
        schema = spec.metadata["dagster/column_schema"]
        assert all(column.description for column in schema.columns), spec.key
        assert spec.metadata["dagster/table_name"] == f"warehouse.main.{spec.key.path[-1]}"


def test_every_column_of_the_warehouse_and_the_lake_is_described(
    defs: dg.Definitions, demo: SequenSettings
) -> None:
    manifest = load_manifest(demo)
    nodes = [
        node
        for node in [*manifest["nodes"].values(), *manifest["sources"].values()]
        if node["resource_type"] in ("model", "seed", "source")
    ]
    described = {
        (node["schema"], node.get("identifier") or node["alias"]): {
            name for name, column in node["columns"].items() if column["description"].strip()
        }
        for node in nodes
    }
    with duckdb.connect(str(home_of(demo).warehouse), read_only=True) as warehouse:
        columns = warehouse.execute(
            "select schema_name, table_name, column_name from duckdb_columns()"
        ).fetchall()

    # What the loader and the builds keep for themselves is not in dbt's docs.
    shown = [column for column in columns if column[:2] in described]
    assert len(shown) > 850
    assert [one for one in shown if one[2] not in described[one[:2]]] == []
    for name in ("validated_events", "quarantined_records"):
        schema = specs(defs)[name].metadata["dagster/column_schema"]
        assert all(column.description for column in schema.columns)


def test_parts_of_queries_have_no_tables(demo: SequenSettings) -> None:
    manifest = load_manifest(demo)
    parts = {"int_affected_links", "stg_affected_ids", "int_training_labels"}

    assert not parts & model_names(manifest)
    assert not {f"intermediate.{name}" for name in parts} & relation_names(manifest)
    assert {"int_affected_event_days", "fct_events"} <= model_names(manifest)


def test_two_things_are_not_called_the_same(demo: SequenSettings) -> None:
    manifest = load_manifest(demo)
    nodes = [*manifest["nodes"].values(), *manifest["sources"].values()]
    names = [node["name"] for node in nodes if node["resource_type"] in ("model", "seed", "source")]

    assert "quarantined_records" in names
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_dbt_tests_are_asset_checks(defs: dg.Definitions) -> None:
    keys = defs.resolve_asset_graph().asset_check_keys
    checked = {key.asset_key.to_user_string() for key in keys}

    assert {"validated_events", "fct_events", "fct_sessions", "fct_attributions"} <= checked


def test_tiers_are_checks_that_warn_and_counts_hold_back(defs: dg.Definitions) -> None:
    specs = {
        spec.name: spec
        for check in defs.resolve_asset_graph().assets_defs
        for spec in check.check_specs
    }

    assert {"tier_good", "tier_better", "tier_best"} <= set(specs)
    assert not [
        spec.name for spec in specs.values() if spec.name.startswith("tier_") and spec.blocking
    ]
    assert specs["counts_reconcile"].blocking


def test_loading_again_does_not_parse_again(
    demo: SequenSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project, "parse_project", lambda *_: pytest.fail("dbt was called"))

    assert len(load_manifest(demo)["nodes"]) > 50


def test_nothing_is_written_into_the_dbt_project(defs: dg.Definitions) -> None:
    assert specs(defs)
    assert not (project_dir() / "target").exists()
    assert not (project_dir() / "logs").exists()
