"""No model depends on the luck of a tie, on the hour or on one engine: its SQL says so."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlglot import exp, parse

from support.replay import PROJECT, Recording, shared_recording

# Beside `id`: what makes an order total, by model and last column of the order.
UNIQUE = {
    ("int_breakdown_groups", "named_value"): "the values of a breakdown are grouped by it",
    ("int_clicks_matched", "impression_id"): "a method finds an impression in one class at most",
    ("int_devices_identified", "place"): "a device has one row of each kind at a time",
    ("int_event_groups", "property_shape"): "the shapes are distinct",
    ("int_duplicate_records", "fullkey"): "a text of JSON holds a path once",
    ("int_duplicate_records", "source"): "file, line, item and source are a record's place",
    ("int_property_values", "place"): "an event has one number for each field",
    ("int_reported_sources", "event_date"): "the rows before are one of a source and day",
    ("rpt_batches", "batch_id"): "it is the key of stg_batches",
    ("rpt_fixes", "attribute"): "an attribute has one fix for a source and period",
    ("rpt_late_events", "lateness_seconds"): "the rows before are grouped by it",
    ("rpt_quarantine_fixes", "rule_list"): "the rows before are grouped by source, type and it",
    ("rpt_rules", "path"): "a source has one current file of a path",
    ("rpt_restatements", "build_number"): "builds are counted",
    ("training_impressions", "basis"): "an impression has one dwell time of each basis",
    ("training_impressions", "page_view_id"): "a page view has one click before it",
}
# These give the same for a whole partition, in whatever order it is read.
ORDERLESS = (exp.Count, exp.Max, exp.Min, exp.Sum)
LUCKY = (exp.AnyValue, exp.First, exp.Last, exp.GroupConcat)
CLOCK_OR_DICE = re.compile(
    r"\b(?:current_(?:date|time|timestamp|localtime\w*)|localtime(?:stamp)?|run_started_at"
    r"|(?:now|today|random|uuid\w*|gen_random_uuid|get_current_\w+|transaction_timestamp|nextval"
    r"|setseed|hash)\s*\()"
)
# What DuckDB has and Spark has not, but for the functions.
OF_ONE_ENGINE = {
    "a star with changes": r"\*\s*(?:exclude|replace|rename)\b",
    "by name": r"\bby\s+name\b",
    "distinct on": r"\bdistinct\s+on\b",
    "a query without select": r"(?:\(|\bunion(?:\s+(?:all|distinct))?|\A|;)\s*from\b",
    "a special join": r"\b(?:semi|anti|asof|positional)\s+join\b",
    "a list or a place in one": r"\[",
    "a struct": r"\{",
    "a short cast": r"::",
    "whole division": r"//",
    "a lambda": r"->",
    "a sample": r"\b(?:using\s+sample|tablesample)\b",
    "a pivot": r"\b(?:un)?pivot\b",
    "a filter without where": r"\bfilter\s*\(\s*(?!where\b)",
    "columns by pattern": r"\bcolumns\s*\(",
}
# Functions, and words before a bracket, that both engines take for the same.
PORTABLE = {
    "abs", "and", "as", "cast", "coalesce", "count", "decimal", "exists", "filter", "first_value",
    "floor", "greatest", "in", "lag", "least", "length", "lower", "max", "max_by", "min", "min_by",
    "nullif", "on", "or", "over", "power", "regexp_extract", "regexp_replace", "replace",
    "round", "row_number", "rpad", "sets", "split_part", "substr", "sum", "trim", "when",
}  # fmt: skip


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Recording:
    return shared_recording(tmp_path_factory, worker_id)


@pytest.fixture(scope="session")
def statements(recording: Recording) -> list[tuple[str, exp.Expression]]:
    """What builds the models, in full and incrementally."""
    written = {
        (model, sql)
        for model, sql in (*recording.full, *recording.incremental)
        if re.search(r"\bover\b|_by\(|first|last|any_|list|string_agg", sql)
    }
    return [
        (model, statement)
        for model, sql in written
        for statement in parse(sql, read="duckdb")
        if statement
    ]


def last_columns(statement: exp.Expression) -> Iterator[tuple[str, str]]:
    """The last column of every order that decides something, and what it decides."""
    for window in statement.find_all(exp.Window):
        order = window.args.get("order")
        if order:
            yield order.expressions[-1].this.name, window.sql("duckdb")
        elif not isinstance(window.this, ORDERLESS):
            yield "", window.sql("duckdb")
    for picked in statement.find_all(exp.ArgMax, exp.ArgMin):
        by = picked.expression
        pair = by.expressions if isinstance(by, exp.Struct | exp.Anonymous | exp.Tuple) else [by]
        yield pair[-1].name, picked.sql("duckdb")
    for listed in statement.find_all(exp.ArrayAgg):
        order = listed.this
        if isinstance(order, exp.Order) and not isinstance(order.this, exp.Distinct):
            yield order.expressions[-1].this.name, listed.sql("duckdb")
        else:
            yield "id" if lists_distinct_values_in_order(listed) else "", listed.sql("duckdb")
    for lucky in statement.find_all(*LUCKY):
        yield "", lucky.sql("duckdb")


def lists_distinct_values_in_order(listed: exp.ArrayAgg) -> bool:
    order = listed.this
    if not isinstance(order, exp.Order) or not isinstance(order.this, exp.Distinct):
        return False
    return [one.this for one in order.expressions] == order.this.expressions


def undecided(model: str, statement: exp.Expression) -> list[str]:
    """The windows and aggregates of a statement that ties would leave to luck."""
    return [
        f"{model}: {written}"
        for name, written in last_columns(statement)
        if name != "id" and (model, name) not in UNIQUE
    ]


def test_every_order_ends_in_a_key(statements: list[tuple[str, exp.Expression]]) -> None:
    found = [one for model, statement in statements for one in undecided(model, statement)]

    assert found == []


def test_every_exception_is_needed(statements: list[tuple[str, exp.Expression]]) -> None:
    found = {
        (model, name) for model, statement in statements for name, _ in last_columns(statement)
    }

    assert set(UNIQUE) - found == set()


@pytest.mark.parametrize(
    "expression",
    [
        "row_number() over (partition by visitor_key order by original_timestamp)",
        "row_number() over (partition by visitor_key order by id, original_timestamp)",
        "last_value(x ignore nulls) over (order by id, original_timestamp desc)",
        "sum(x) over (order by original_timestamp rows unbounded preceding)",
        "lag(x) over (partition by id)",
        "first_value(x) over (partition by id)",
        "min_by(x, original_timestamp)",
        "max_by(x, row(id, original_timestamp))",
        "first(x)",
        "any_value(x)",
        "list(x)",
        "list(distinct x order by y)",
        "string_agg(x, ',')",
    ],
)
def test_an_order_that_ends_in_no_key_is_found(expression: str) -> None:
    [statement] = parse(f"select {expression} as y from t", read="duckdb")
    assert statement

    assert len(undecided("any", statement)) == 1


@pytest.mark.parametrize(
    "expression",
    [
        "row_number() over (partition by visitor_key order by original_timestamp desc, id desc)",
        "count(*) over (partition by visitor_key)",
        "min_by(x, row(original_timestamp, t.id))",
        "list(distinct x order by x) filter (where x is not null)",
    ],
)
def test_an_order_that_ends_in_a_key_is_let_through(expression: str) -> None:
    [statement] = parse(f"select {expression} as y from t", read="duckdb")
    assert statement

    assert undecided("any", statement) == []


def written_sql(path: Path) -> str:
    """The SQL of a file, without comments and Jinja: a macro's call leaves a name."""
    text = re.sub(r"\{#.*?#\}", "", path.read_text(), flags=re.DOTALL)
    text = re.sub(r"\{%.*?%\}", " ", text, flags=re.DOTALL)
    text = re.sub(r"\{\{.*?\}\}", " called ", text, flags=re.DOTALL)
    return re.sub(r"'[^']*'", "''", text).strip()


def sql_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (PROJECT / folder).rglob("*.sql"))


@pytest.mark.parametrize("path", sql_files("models", "macros", "tests"), ids=lambda p: p.stem)
def test_no_model_uses_the_clock_or_chance(path: Path) -> None:
    text = re.sub(r"\{#.*?#\}", "", path.read_text(), flags=re.DOTALL)

    assert CLOCK_OR_DICE.findall(text) == []


@pytest.mark.parametrize("path", sql_files("models"), ids=lambda p: p.stem)
def test_models_hold_what_both_engines_know(path: Path) -> None:
    text = written_sql(path)

    assert [name for name, pattern in OF_ONE_ENGINE.items() if re.search(pattern, text)] == []
    assert set(re.findall(r"\b([a-z_0-9]+)\s*\(", text)) <= PORTABLE


@pytest.mark.parametrize(
    ("name", "sql"),
    [
        ("a star with changes", "select * exclude (a) from t"),
        ("a star with changes", "select t.* replace (1 as a) from t"),
        ("by name", "select 1 as a union all by name select 2 as a"),
        ("distinct on", "select distinct on (a) b from t"),
        ("a query without select", "select 1 where a in (from t)"),
        ("a query without select", "from t"),
        ("a special join", "select 1 from t semi join u on true"),
        ("a list or a place in one", "select a[1] from t"),
        ("a list or a place in one", "select [1, 2] as a"),
        ("a struct", "select {a: 1} as a"),
        ("a short cast", "select a::date from t"),
        ("a filter without where", "select count(*) filter (a) from t"),
        ("whole division", "select a // 2 from t"),
    ],
)
def test_a_construct_of_one_engine_is_found(name: str, sql: str) -> None:
    assert re.search(OF_ONE_ENGINE[name], sql)


@pytest.mark.parametrize("sql", ["now()", "current_date", "random()", "uuid()", "hash(id)"])
def test_a_clock_and_dice_are_found(sql: str) -> None:
    assert CLOCK_OR_DICE.search(f"select {sql} as a")
