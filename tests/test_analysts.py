"""What analysts read is true: queries run, measures are right, every table is named."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sequen_dagster.home.layout import Home
from sequen_dagster.marts.catalog import TableCatalog
from sequen_dagster.marts.project import load_manifest, project_dir, sources_fingerprint
from sequen_dagster.settings import SequenSettings
from sequen_dagster.simulate import Truth

README = project_dir() / "README.md"
MEASURE_KEYS = {"name", "description", "sql", "unit", "format"}


@dataclass(frozen=True)
class Measure:
    """A measure of a table, as its meta data has it."""

    table: str
    name: str
    sql: str
    spec: str
    per: tuple[str, ...]

    def query(self) -> str:
        """The measure of the whole table, or of each group that it must be taken of."""
        group_by = f" group by {', '.join(self.per)} order by {', '.join(self.per)}"
        columns = ", ".join([*self.per, self.sql])
        return f"select {columns} from {self.table}" + (group_by if self.per else "")


@pytest.fixture(scope="module")
def manifest(demo: SequenSettings) -> dict[str, Any]:
    return dict(load_manifest(demo))


@pytest.fixture(scope="module")
def tables(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The public tables of the project, by name."""
    models = models_of(manifest)
    return {name: models[name] for name in TableCatalog.read(manifest).public}


@pytest.fixture(scope="module")
def snapshot(demo: SequenSettings) -> Iterator[duckdb.DuckDBPyConnection]:
    """The snapshot that a real run over simulated exports has published."""
    with duckdb.connect(Home(demo.home).serving.snapshot, read_only=True) as connection:
        yield connection


def models_of(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    nodes = manifest["nodes"].values()
    return {node["name"]: node for node in nodes if node["resource_type"] == "model"}


def named_in(text: str, models: Collection[str]) -> set[str]:
    """The models that a text names."""
    return set(re.findall(r"\b[a-z]+_[a-z_]+\b", text)) & set(models)


def sql_blocks(text: str) -> list[str]:
    return re.findall(r"```sql\n(.*?)```", text, re.DOTALL)


def questions() -> dict[str, str]:
    """Heading to query, of the ten questions."""
    _, _, text = README.read_text(encoding="utf-8").partition("\n## Ten questions\n")
    _, *parts = re.split(r"^### \d+\. ", text, flags=re.MULTILINE)
    found = {}
    for part in parts:
        (query,) = sql_blocks(part)
        found[part.splitlines()[0]] = query
    return found


def measures(tables: dict[str, dict[str, Any]]) -> list[Measure]:
    return [
        Measure(name, each["name"], each["sql"], each["format"], tuple(each.get("per", ())))
        for name, table in tables.items()
        for each in table["config"]["meta"].get("measures", ())
    ]


def measured(
    snapshot: duckdb.DuckDBPyConnection, tables: dict[str, dict[str, Any]], name: str
) -> Any:
    """A number, or group to number for a measure that is taken by one column."""
    (measure,) = [each for each in measures(tables) if each.name == name]
    rows = snapshot.execute(measure.query()).fetchall()
    return dict(rows) if measure.per else rows[0][0]


def number(snapshot: duckdb.DuckDBPyConnection, query: str) -> Any:
    row = snapshot.execute(query).fetchone()
    assert row is not None
    return row[0]


def key_of(manifest: dict[str, Any], table: dict[str, Any]) -> set[str]:
    """The columns that dbt tests as the key of a table."""
    (test,) = [
        node
        for node in manifest["nodes"].values()
        if node.get("attached_node") == table["unique_id"]
        and (node.get("test_metadata") or {}).get("name") == "unique_key"
    ]
    return set(test["test_metadata"]["kwargs"].get("columns") or [test["column_name"]])


def test_every_public_table_says_grain_questions_and_query(
    manifest: dict[str, Any], tables: dict[str, dict[str, Any]]
) -> None:
    assert len(tables) >= 22
    for name, table in tables.items():
        grain, *_ = table["description"].split("\n\n")
        (asked,) = re.findall(r"^\*\*Answers\.\*\* (.*?)\n\n", table["description"], re.M | re.S)
        (query,) = sql_blocks(table["description"])

        assert grain.startswith("One row per "), name
        assert key_of(manifest, table) <= set(re.findall(r"`([a-z_]+)`", grain)), name
        assert asked.strip().endswith("?"), name
        assert name in named_in(query, tables), name
        assert table["description"].strip().endswith("```"), name


def test_every_example_of_a_table_runs(
    snapshot: duckdb.DuckDBPyConnection, tables: dict[str, dict[str, Any]]
) -> None:
    answered = {
        name: len(snapshot.execute(query).fetchall())
        for name, table in tables.items()
        for query in sql_blocks(table["description"])
    }

    assert answered.keys() == tables.keys()
    assert [name for name, rows in answered.items() if rows == 0] == []


def test_readme_has_ten_questions_and_no_other_query() -> None:
    text = README.read_text(encoding="utf-8")

    assert len(questions()) == 10
    assert all(heading.endswith("?") for heading in questions())
    assert [query for query in sql_blocks(text) if not query.startswith("attach")] == list(
        questions().values()
    )


def test_every_question_has_an_answer(snapshot: duckdb.DuckDBPyConnection) -> None:
    for heading, query in questions().items():
        assert snapshot.execute(query).fetchall(), heading


def test_what_blocks_the_next_tier_is_what_the_simulation_lacks(
    snapshot: duckdb.DuckDBPyConnection,
) -> None:
    found = snapshot.execute(questions()["What blocks the next tier?"]).fetchall()
    missing = number(
        snapshot,
        "select min(n) from range(1000) as more (n), rpt_completeness_attributes"
        " where attribute = 'referral_source' and source = 'default' and period = 'recent'"
        " and (carrying_events + n) * 100 >= 95 * applicable_events",
    )

    assert [(row[0], row[1], row[3], row[7]) for row in found] == [
        ("(all)", "better", "referral_source", missing),
        ("default", "better", "referral_source", missing),
    ]


def test_readme_names_every_public_table_and_no_other(
    manifest: dict[str, Any], tables: dict[str, dict[str, Any]]
) -> None:
    rows = re.findall(r"^\| .* \| `([a-z_]+)` \| .* \|$", README.read_text("utf-8"), re.MULTILINE)

    assert sorted(rows) == sorted(tables)
    assert named_in(README.read_text("utf-8"), models_of(manifest)) == set(tables)


def test_readme_can_lie_anywhere() -> None:
    targets = re.findall(r"\]\(([^)]+)\)", README.read_text(encoding="utf-8"))

    assert [target for target in targets if not target.startswith(("#", "https://"))] == []


def test_readme_opens_the_snapshot(
    snapshot: duckdb.DuckDBPyConnection, demo: SequenSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = README.read_text(encoding="utf-8")
    (python,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (attach,) = [query for query in sql_blocks(text) if query.startswith("attach")]
    steps = snapshot.execute("select step from rpt_funnel where source = '(all)'").fetchall()
    monkeypatch.chdir(demo.home)
    names: dict[str, Any] = {}

    exec(compile(python, "README.md", "exec"), names)  # noqa: S102  # the point of this test
    with duckdb.connect() as own:
        attached = own.execute(attach).fetchall()

    assert sorted(names["funnel"]["step"]) == sorted(step for (step,) in steps)
    assert len(attached) == number(snapshot, "select count(*) from rpt_funnel")


def test_measures_are_complete_and_named_in_the_description(
    tables: dict[str, dict[str, Any]],
) -> None:
    for name, table in tables.items():
        for each in table["config"]["meta"].get("measures", ()):
            assert each.keys() - {"per"} == MEASURE_KEYS, each
            assert f"`{each['name']}`" in table["description"], (name, each["name"])
            assert set(each.get("per", ())) <= table["columns"].keys(), (name, each["name"])
    named = [measure.name for measure in measures(tables)]

    assert len(named) == len(set(named)) >= 20
    facts = {name for name, table in tables.items() if "marts" in table["fqn"]}
    assert {measure.table for measure in measures(tables)} == facts


def test_every_measure_gives_a_number(
    snapshot: duckdb.DuckDBPyConnection, tables: dict[str, dict[str, Any]]
) -> None:
    for measure in measures(tables):
        found = [row[-1] for row in snapshot.execute(measure.query()).fetchall()]
        numbers = [value for value in found if value is not None]

        assert numbers, measure.name
        # Only a group may have none, such as that of conversions without a currency.
        assert measure.per or len(numbers) == len(found) == 1, measure.name
        assert all(isinstance(value, int | float | Decimal) for value in numbers), measure.name
        assert all(value >= 0 for value in numbers), measure.name
        assert all(format(value, measure.spec) for value in numbers), measure.name
        if measure.spec.endswith("%"):
            assert all(0 <= value <= 1 for value in numbers), measure.name


def test_counts_are_those_of_the_simulation(
    snapshot: duckdb.DuckDBPyConnection, tables: dict[str, dict[str, Any]], demo_truth: Truth
) -> None:
    assert measured(snapshot, tables, "events") == demo_truth.distinct_ids
    assert measured(snapshot, tables, "page_views") == demo_truth.events_by_type["page_view"]
    assert measured(snapshot, tables, "module_views") == demo_truth.events_by_type["module_view"]
    assert measured(snapshot, tables, "impressions") == demo_truth.events_by_type["impression"]
    assert measured(snapshot, tables, "clicks") == demo_truth.events_by_type["click"]
    repeats = number(
        snapshot,
        "select count(order_id) - count(distinct order_id)"
        " from (select json_extract_string(properties, '$.order_id') as order_id from fct_events)",
    )
    conversions = sum(demo_truth.conversions.values())
    assert measured(snapshot, tables, "conversions") == conversions - repeats < conversions


def test_ctr_counts_an_impression_once_however_often_it_is_clicked(
    snapshot: duckdb.DuckDBPyConnection, tables: dict[str, dict[str, Any]], demo_truth: Truth
) -> None:
    clicked = number(snapshot, "select count(distinct matched_impression_id) from fct_clicks")

    assert measured(snapshot, tables, "ctr") == clicked / demo_truth.events_by_type["impression"]


def test_session_conversion_rate_is_that_of_the_events(
    snapshot: duckdb.DuckDBPyConnection, tables: dict[str, dict[str, Any]]
) -> None:
    sessions = number(snapshot, "select count(distinct session_key) from fct_events")
    converted = number(
        snapshot,
        "select count(distinct session_key) from fct_events where type = 'conversion'",
    )

    assert measured(snapshot, tables, "sessions") == sessions
    assert measured(snapshot, tables, "session_conversion_rate") == converted / sessions


def test_bounces_are_sessions_in_which_nothing_follows_the_first_page(
    snapshot: duckdb.DuckDBPyConnection, tables: dict[str, dict[str, Any]]
) -> None:
    events = snapshot.execute("select session_key, type from fct_events").fetchall()
    seen: dict[str, list[str]] = {}
    for session_key, event_type in events:
        seen.setdefault(session_key, []).append(event_type)
    bounced = [
        types
        for types in seen.values()
        if types.count("page_view") < 2 and not {"click", "conversion"} & set(types)
    ]

    assert measured(snapshot, tables, "bounce_rate") == len(bounced) / len(seen)


def test_value_and_average_are_those_of_the_orders_by_currency(
    snapshot: duckdb.DuckDBPyConnection, tables: dict[str, dict[str, Any]], demo_truth: Truth
) -> None:
    sums = {currency: Decimal(cents) / 100 for currency, cents in demo_truth.order_cents.items()}
    orders = snapshot.execute(
        "select json_extract_string(properties, '$.currency'),"
        " count(distinct json_extract_string(properties, '$.order_id')) from fct_events"
        " where type = 'conversion' and json_extract_string(properties, '$.order_total') <> ''"
        " group by 1"
    ).fetchall()

    assert len(sums) > 1
    assert measured(snapshot, tables, "conversion_value") == {**sums, None: None}
    assert measured(snapshot, tables, "average_order_value") == {
        None: None,
        **{currency: float(sums[currency]) / count for currency, count in orders},
    }


@pytest.mark.parametrize(
    "model", ["first_touch", "last_touch", "linear", "position_based", "time_decay"]
)
def test_every_model_shares_out_the_same_value(
    snapshot: duckdb.DuckDBPyConnection, tables: dict[str, dict[str, Any]], model: str
) -> None:
    units = snapshot.execute(
        "select distinct conversion_id, item_id, currency, unit_value from fct_attributions"
        " where basis <> 'none'"
    ).fetchall()
    expected: dict[str, Decimal] = {}
    for _, _, currency, value in units:
        if value is not None:
            expected[currency] = expected.get(currency, Decimal(0)) + value
    found = measured(snapshot, tables, f"attributed_value_{model}")

    assert expected
    assert {currency: value for currency, value in found.items() if value is not None} == expected


def test_exposures_name_models_that_are_there(
    manifest: dict[str, Any], tables: dict[str, dict[str, Any]]
) -> None:
    exposures = {each["name"]: each for each in manifest["exposures"].values()}
    kinds = {name: each["type"] for name, each in exposures.items()}
    public = {table["unique_id"] for table in tables.values()}

    assert kinds == {
        "completeness_report": "dashboard",
        "analyst_questions": "analysis",
        "training_set": "ml",
        "delivery": "application",
    }
    for name, exposure in exposures.items():
        assert exposure["depends_on"]["nodes"], name
        assert set(exposure["depends_on"]["nodes"]) <= public, name
        assert exposure["maturity"] in {"high", "medium", "low"}, name
        assert exposure["description"].strip(), name
        assert exposure["owner"]["name"], name
        assert not exposure["owner"].get("email"), name


def test_questions_are_an_exposure_of_the_tables_that_they_read(manifest: dict[str, Any]) -> None:
    (exposure,) = [
        each for each in manifest["exposures"].values() if each["name"] == "analyst_questions"
    ]
    read = {
        table for query in questions().values() for table in named_in(query, models_of(manifest))
    }

    assert {node.split(".")[-1] for node in exposure["depends_on"]["nodes"]} == read


def test_overview_leads_to_tables_that_are_there(
    manifest: dict[str, Any], tables: dict[str, dict[str, Any]]
) -> None:
    overview = manifest["docs"]["doc.sequen.__overview__"]["block_contents"]
    links = re.findall(r"\[([a-z_]+)\]\(#!/model/([a-z_.]+)\)", overview)

    assert len(links) >= 10
    for name, unique_id in links:
        assert tables[name]["unique_id"] == unique_id


def test_a_change_of_the_docs_is_parsed_again(
    demo: SequenSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sources_fingerprint(demo)
    changed = project_dir() / "models" / "overview.md"
    read_bytes = Path.read_bytes
    monkeypatch.setattr(
        Path,
        "read_bytes",
        lambda path: read_bytes(path) + (b"more" if path == changed else b""),
    )

    assert sources_fingerprint(demo) != before
