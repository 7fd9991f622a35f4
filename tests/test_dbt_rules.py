"""Every rule of a table finds what breaks it, by the query that dbt sends."""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sequen_dagster.home.layout import Home
from sequen_dagster.marts.dbt import run_dbt
from sequen_dagster.marts.project import load_manifest, write_profile
from sequen_dagster.marts.translator import build_specs
from sequen_dagster.runtime.text import bulleted
from sequen_dagster.settings import SequenSettings, load_settings
from support.graphs import model_translator

Manifest = Mapping[str, Any]
Query = Callable[[str], set[str]]
OF_KEYS = re.compile(r"select 'one row per ([^']*) in (\w+)' as rule")

# What breaks a rule that compares tables: the test, the rule, and the statement.
COMPARING = [
    (
        "fct_events_rules",
        "an event is in one session of its visitor",
        "update main.fct_sessions set visitor_key = visitor_key || 'x'",
    ),
    (
        "fct_sessions_rules",
        "sessions count each event once",
        "update main.fct_sessions set page_view_count = page_view_count + 1",
    ),
    (
        "fct_attributions_rules",
        "credits of a unit add up to 1",
        "update main.fct_attributions set linear_credit = 0",
    ),
    (
        "fct_attributions_rules",
        "credited values add up to the value of the unit",
        "update main.fct_attributions set time_decay_value = time_decay_value + 1",
    ),
    (
        "fct_attributions_rules",
        "unit values add up to the value of the conversion",
        "update main.fct_conversions set value = value + 1",
    ),
    (
        "fct_conversions_rules",
        "a repeat follows an order that counts",
        "update main.fct_conversions set is_repeat = true",
    ),
    (
        "rpt_quarantine_fixes_rules",
        "fixes count each quarantined record once",
        "update main.rpt_quarantine_fixes set fixable_records = fixable_records + 1",
    ),
    (
        "training_impressions_rules",
        "a visitor is in one split",
        "update main.training_impressions set visitor_key = 'v'",
    ),
    (
        "steps_of_marts_rules",
        "a record of a batch is loaded once",
        "insert into raw.events from raw.events limit 1",
    ),
    (
        "completeness_rules",
        "one row per attribute in completeness_overrides",
        "insert into raw.completeness_overrides (attribute) values ('a'), ('a')",
    ),
    (
        "completeness_rules",
        "the tier of an attribute is good or better or best",
        "update intermediate.int_completeness_attributes set tier_number = null",
    ),
    (
        "completeness_rules",
        "the kind of an attribute is field or event",
        "update intermediate.int_completeness_attributes set kind = 'none'",
    ),
    (
        "completeness_rules",
        "a field attribute has a threshold above 0, at most 1",
        "update intermediate.int_completeness_attributes set threshold = 0 where kind = 'field'",
    ),
    (
        "completeness_rules",
        "an event attribute needs at least 1 event",
        "update intermediate.int_completeness_attributes set min_events = 0 where kind = 'event'",
    ),
    (
        "completeness_rules",
        "a scope is every_event or type or session_first_page_view",
        "update intermediate.int_completeness_scopes set scope = 'none'",
    ),
    (
        "completeness_rules",
        "a scope says which events it applies to",
        "update intermediate.int_completeness_scopes set type = ''",
    ),
    (
        "completeness_rules",
        "a detector has a number",
        "update intermediate.int_completeness_detectors set detector_number = null",
    ),
    (
        "completeness_rules",
        "a detector says what it looks at",
        "update intermediate.int_completeness_detectors set detector = 'none'",
    ),
    (
        "completeness_rules",
        "attribute of completeness_scopes is in completeness_attributes",
        "update main.completeness_scopes set attribute = null",
    ),
    (
        "completeness_rules",
        "attribute of completeness_detectors is in completeness_attributes",
        "update main.completeness_detectors set attribute = 'none'",
    ),
]


@pytest.fixture(scope="module")
def home(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> SequenSettings:
    """The demo's tables once more, and the queries of dbt's tests over whole tables."""
    folder = tmp_path_factory.mktemp("rules") / "home"
    (folder / "exports").mkdir(parents=True)
    shutil.copyfile(demo_home / "warehouse.duckdb", folder / "warehouse.duckdb")
    settings = load_settings(folder, home=folder, exports=folder / "exports", workers=1)
    write_profile(settings)
    run_dbt(settings, ["compile", "--select", "resource_type:test"])
    return settings


@pytest.fixture(scope="module")
def manifest(home: SequenSettings) -> Manifest:
    return load_manifest(home)


@pytest.fixture(scope="module")
def tests(manifest: Manifest) -> list[Mapping[str, Any]]:
    """The tests `rules` of dbt."""
    nodes = manifest["nodes"].values()
    return [node for node in nodes if (node.get("test_metadata") or {}).get("name") == "rules"]


@pytest.fixture(scope="module")
def opened(home: SequenSettings) -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables, with tables in place of the views, so that they can be broken as well."""
    with duckdb.connect(str(Home(home.home).warehouse)) as connection:
        views = connection.execute(
            "select schema_name, view_name from duckdb_views() where not internal"
            " and database_name = 'warehouse' and view_name <> 'stg_events'"
        ).fetchall()
        for schema, view in views:
            connection.execute(f"create table {schema}.{view}_rows as from {schema}.{view}")
        for schema, view in views:
            connection.execute(f"drop view {schema}.{view}")
            connection.execute(f"alter table {schema}.{view}_rows rename to {view}")
        yield connection


@pytest.fixture
def connection(opened: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same, as it was before."""
    opened.execute("begin")
    yield opened
    opened.execute("rollback")


@pytest.fixture
def broken(home: SequenSettings, connection: duckdb.DuckDBPyConnection) -> Query:
    """The rules that a test finds broken."""

    def query(name: str) -> set[str]:
        (path,) = Home(home.home).dbt.compiled.rglob(f"{name}.sql")
        rows = connection.sql(path.read_text(encoding="utf-8")).fetchall()
        assert all(broken_by > 0 for _, broken_by in rows)
        return {rule for rule, _ in rows}

    return query


def spoil(connection: duckdb.DuckDBPyConnection, table: str, column: str, value: str) -> None:
    """Write a value into a column of all rows, of one at least."""
    if connection.execute(f"select count(*) from {table}").fetchone() == (0,):
        connection.execute(f"insert into {table} ({column}) values ({value})")
    connection.execute(f"update {table} set {column} = {value}")


def table_of(manifest: Manifest, test: Mapping[str, Any]) -> str:
    node = manifest["nodes"][test["attached_node"]]
    return f"{node['schema']}.{node['alias']}"


def test_every_public_table_has_rules(manifest: Manifest, tests: list[Mapping[str, Any]]) -> None:
    public = {
        node["name"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
        and not node["config"].get("schema")
        and node["config"]["materialized"] != "ephemeral"
    }

    assert {test["name"] for test in tests} == {f"{name}_rules" for name in public}


def test_no_rule_is_broken(manifest: Manifest, broken: Query) -> None:
    names = [node["name"] for node in manifest["nodes"].values() if node["resource_type"] == "test"]

    assert len(names) > 30
    assert {name: broken(name) for name in names} == {name: set() for name in names}


def test_a_row_twice_breaks_the_key(
    manifest: Manifest, tests: list[Mapping[str, Any]], broken: Query, connection: Any
) -> None:
    for test in tests:
        table, key = table_of(manifest, test), test["test_metadata"]["kwargs"]["key"]
        if connection.execute(f"select count(*) from {table}").fetchone() == (0,):
            nothing = ", ".join("''" for _ in key)
            connection.execute(f"insert into {table} ({', '.join(key)}) values ({nothing})")
        connection.execute(f"insert into {table} from {table} limit 1")

        assert f"one row per {', '.join(key)}" in broken(test["name"])


def test_nothing_in_a_column_of_the_key_breaks_it(
    manifest: Manifest, tests: list[Mapping[str, Any]], broken: Query, connection: Any
) -> None:
    for test in tests:
        key = test["test_metadata"]["kwargs"]["key"]
        spoil(connection, table_of(manifest, test), key[-1], "null")

        assert f"one row per {', '.join(key)}" in broken(test["name"])


def test_nothing_in_a_column_that_is_given_breaks_its_rule(
    manifest: Manifest, tests: list[Mapping[str, Any]], broken: Query, connection: Any
) -> None:
    found = []
    for test in tests:
        for column in test["test_metadata"]["kwargs"].get("not_null", ()):
            spoil(connection, table_of(manifest, test), column, "null")

            assert f"{column} is given" in broken(test["name"])
            found.append(column)
    assert found == ["visitor_key", "session_key", "conversion_id"]


def test_another_value_breaks_the_rule_of_its_column(
    manifest: Manifest, tests: list[Mapping[str, Any]], broken: Query, connection: Any
) -> None:
    found = []
    for test in tests:
        accepted = test["test_metadata"]["kwargs"].get("accepted_values", {})
        for column, values in accepted.items():
            other = "false" if values == [True] else "'another'"
            spoil(connection, table_of(manifest, test), column, other)

            named = " or ".join(str(value).lower() for value in values)
            assert f"{column} is {named}" in broken(test["name"])
            found.append(column)
    assert sorted(found) == [
        "basis",
        "impression_link",
        "is_met",
        "match_method",
        "module_view_link",
        "page_view_link",
        "session_source",
        "touch_type",
    ]


def test_what_is_nowhere_breaks_the_rule_of_its_column(
    manifest: Manifest, tests: list[Mapping[str, Any]], broken: Query, connection: Any
) -> None:
    found = []
    for test in tests:
        for each in test["test_metadata"]["kwargs"].get("relationships", ()):
            spoil(connection, table_of(manifest, test), each["column"], "'nowhere'")

            to = each["to"].split("'")[1]
            assert f"{each['column']} is in {to}" in broken(test["name"])
            found.append((each["column"], to))
    assert found == [("visitor_key", "dim_visitors"), ("conversion_id", "fct_conversions")]


@pytest.mark.parametrize(
    ("name", "rule", "statement"), COMPARING, ids=[one[1] for one in COMPARING]
)
def test_a_difference_breaks_the_rule(
    broken: Query, connection: Any, name: str, rule: str, statement: str
) -> None:
    connection.execute(statement)

    assert rule in broken(name)


@pytest.mark.parametrize("name", ["steps_of_marts", "steps_of_reports", "completeness"])
def test_a_row_twice_breaks_the_key_of_a_step(
    home: SequenSettings, broken: Query, connection: Any, name: str
) -> None:
    (path,) = Home(home.home).dbt.compiled.rglob(f"{name}_rules.sql")
    keys = OF_KEYS.findall(path.read_text(encoding="utf-8"))
    schemas = dict(
        connection.execute("select table_name, schema_name from duckdb_tables()").fetchall()
    )

    assert len(keys) >= 3
    for key, step in keys:
        table = f"{schemas[step]}.{step}"
        if connection.execute(f"select count(*) from {table}").fetchone() == (0,):
            (column, *_) = connection.table(table).columns
            connection.execute(f"insert into {table} ({column}) values (null)")
        connection.execute(f"insert into {table} from {table} limit 1")

        assert f"one row per {key} in {step}" in broken(f"{name}_rules")


def test_a_check_says_its_rules_as_its_query_does(
    home: SequenSettings, manifest: Manifest, tests: list[Mapping[str, Any]]
) -> None:
    _, checks = build_specs(manifest, model_translator(home, manifest))
    described = {check.name: check.description or "" for check in checks}

    for test in tests:
        (path,) = Home(home.home).dbt.compiled.rglob(f"{test['name']}.sql")
        rules = re.findall(r"^\s*select '([^']+)'", path.read_text(encoding="utf-8"), re.M)
        assert described[test["name"]] == bulleted(rules)
    assert described["steps_of_reports_rules"] == "The keys of the steps that lead to the reports."
    assert all(described.values())


def test_all_steps_that_are_kept_have_a_key_that_is_looked_at(
    home: SequenSettings, manifest: Manifest
) -> None:
    paths = [
        path
        for name in ("steps_of_marts", "steps_of_reports", "completeness")
        for path in Home(home.home).dbt.compiled.rglob(f"{name}_rules.sql")
    ]
    looked_at = {step for path in paths for _, step in OF_KEYS.findall(path.read_text())}
    steps = {
        node["name"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
        and node["config"].get("schema") == "intermediate"
        and node["config"]["materialized"] in ("table", "exact")
        and not node["name"].startswith("int_affected_")
    }

    assert steps <= looked_at
