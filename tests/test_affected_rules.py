"""Every rule of what a batch affects, beside a small history that goes wrong without it.

A rule is an entry of a model's `affected_by`, or a branch of a union in
models/intermediate/affected. It is taken out of the recorded SQL; the build must then differ from a
full refresh.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pytest
from sqlglot import exp, parse_one

from support.histories import Row, after, clicked, event, prefixed, purchase, shown, viewed
from support.replay import (
    BUILD_ID,
    Build,
    Load,
    Recording,
    SmallWarehouse,
    Step,
    full_refresh,
    shared_recording,
    wrong_rows,
)

# What dbt calls a model that is a part of the query of another.
PART = "__dbt__cte__"


@dataclass(frozen=True)
class Example:
    """Files that are there, and files that come: `shows` names the rules, see `rule_named`."""

    before: dict[str, list[Row]]
    after: dict[str, list[Row]]
    shows: tuple[str, ...] = ()
    again: tuple[str, ...] = field(default=())

    @property
    def steps(self) -> list[Step]:
        """The plan: a file that is there already is replaced."""
        return [
            *(load(path, rows, 1) for path, rows in self.before.items()),
            Build(),
            *(load(path, rows, 1 + (path in self.before)) for path, rows in self.after.items()),
            *(
                replace(load(path, self.before[path], 1), is_revalidated=True)
                for path in self.again
            ),
            Build(),
        ]


def load(path: str, rows: list[Row], version: int) -> Load:
    """A file; the one called `app` is of another source."""
    return Load(path, tuple(rows), version, "app" if path == "app" else "default")


PAGE = viewed(after(0), id="p", uid="u")
# Given, so that the arrival time of a file changes nothing.
ARRIVED = {"ingest_timestamp": after(5).isoformat()}
SHOWN = shown(after(1), id="i", uid="u")
CLICK = clicked(after(2), id="k", uid="u")
BOUGHT = purchase(after(9), ["a"], id="b", uid="u", order_total="1")
ORDER = purchase(after(9), ["a"], id="b", uid="u", order_id="o")
ORDERED = {**ORDER, "order_total": "1"}

EXAMPLES = {
    "an event comes": Example(
        {},
        {"b": [event(after(0), id="e", uid="u")]},
        shows=(
            "int_affected_stitches: select id from changed_events",
            "int_events_stitched",
            "fct_sessions: changes.fct_events",
            "int_lateness_days",
            "int_link_days",
            "int_event_groups",
            "int_funnel_days",
        ),
    ),
    "an event goes": Example(
        {"a": [event(after(0), id="e", uid="u")]},
        {"a": []},
        shows=("int_affected_anchors: select id from changed_events",),
    ),
    "a record comes again": Example(
        {"a": [event(after(0), id="e", uid="u")]},
        {"b": [event(after(0), id="e", uid="u", x=1)]},
        shows=(
            "int_duplicate_records",
            "int_event_keys",
        ),
    ),
    "a broken record is fixed": Example(
        {"a": [event(after(0), type="click", uid="u")]},
        {"a": [CLICK]},
        shows=(
            "int_batch_rule_lists",
            "int_batch_quarantined_keys",
            "int_batch_types",
            "quarantined_events",
        ),
    ),
    "a person logs in within a session": Example(
        {"a": [event(after(0), id="e", sid="s", cid="c")]},
        {"b": [event(after(1), id="f", sid="s", cid="c", uid="u")]},
        shows=(
            "int_sessions_identified",
            "fct_events: changes.int_events_stitched",
            "int_affected_stitches: select sid, cid from changed_sessions",
            "int_affected_stitches: inner join sessions_affected",
        ),
    ),
    "a person logs in on a device, later in another session": Example(
        {"a": [event(after(0), id="e", sid="s", cid="c")]},
        {"b": [event(after(1), id="f", sid="t", cid="c", uid="u")]},
        shows=(
            "int_affected_devices: from int_sessions_identified",
            "int_affected_stitches: from int_sessions_identified",
        ),
    ),
    "a person logs in on a device without sessions": Example(
        {"a": [event(after(0), id="e", cid="c")]},
        {"b": [event(after(1), id="f", cid="c", uid="u")]},
        shows=(
            "int_affected_devices: from int_event_keys",
            "int_devices_identified",
            "int_affected_stitches: from anonymous_events_without_session",
        ),
    ),
    "an anonymous moment comes to a device with a user": Example(
        {"a": [event(after(1), id="f", cid="c", uid="u")]},
        {"b": [event(after(0), id="e", cid="c")]},
        shows=("int_affected_devices: from changed_events",),
    ),
    "a session begins earlier on a device with users": Example(
        {
            "a": [
                event(after(0), id="f", cid="c", uid="u"),
                event(after(2), id="g", cid="c", uid="v"),
                event(after(3), id="e", cid="c", sid="s"),
            ]
        },
        {"b": [event(after(1), id="d", cid="c", sid="s")]},
        shows=("int_affected_devices: from changed_sessions",),
    ),
    "many users come to a device at once": Example(
        {"a": [event(after(0), id="e", cid="c", sid="s")]},
        {"b": [event(after(n), id=f"f{n}", cid="c", uid=f"u{n}") for n in range(21)]},
        shows=(
            "int_devices_shared",
            "int_affected_stitches: from changed_shared_devices",
        ),
    ),
    "an event closes a gap": Example(
        {"a": [event(after(0), id="e", uid="u"), event(after(40), id="f", uid="u")]},
        {"b": [event(after(20), id="g", uid="u")]},
        shows=(
            "int_affected_visits",
            "int_affected_anchors: inner join int_affected_visits",
            "int_events_sessionized",
            "fct_events: changes.int_events_sessionized",
        ),
    ),
    "a page comes after its events": Example(
        {"a": [event(after(days=2), id="e", uid="v", page_view_id="p")]},
        {"b": [PAGE]},
        shows=(
            "int_affected_targets: type as kind",
            "int_link_targets",
            "int_affected_links: and page_view_id in",
            "fct_events: int_affected_links",
            "int_page_views_marked: changes.fct_page_views",
        ),
    ),
    "a module comes after its events": Example(
        {"a": [event(after(1), id="e", uid="v", module_view_id="m")]},
        {"b": [event(after(0), id="m", uid="u", type="module_view", rank=1)]},
        shows=(
            "int_affected_links: and module_view_id in",
            "fct_module_views: changes.fct_events",
        ),
    ),
    "an impression comes after its events": Example(
        {"a": [event(after(2), id="e", uid="v", impression_id="i")]},
        {"b": [SHOWN]},
        shows=("int_affected_links: and impression_id in",),
    ),
    "a page is known by its own value": Example(
        {"a": [event(after(days=2), id="e", uid="v", page_view_id="x")]},
        {"b": [{**PAGE, "page_view_id": "x"}]},
        shows=("int_affected_targets: page_view_id as value",),
    ),
    "a module is known by its own value": Example(
        {"a": [event(after(1), id="e", uid="v", module_view_id="x")]},
        {"b": [event(after(0), id="m", uid="u", type="module_view", rank=1, module_view_id="x")]},
        shows=("int_affected_targets: module_view_id as value",),
    ),
    "an impression is known by its own value": Example(
        {"a": [event(after(2), id="e", uid="v", impression_id="x")]},
        {"b": [{**SHOWN, "impression_id": "x"}]},
        shows=("int_affected_targets: impression_id as value",),
    ),
    "a page goes": Example(
        {"a": [PAGE], "b": [event(after(days=2), id="e", uid="v", page_view_id="p")]},
        {"a": []},
        shows=("int_affected_event_days: from changed_events",),
    ),
    "a page is of another type": Example(
        {"a": [PAGE]},
        {"a": [{**PAGE, "page_type": "cart"}]},
        shows=("fct_page_views: select id as id",),
    ),
    "a page loses a field": Example(
        {
            "a": [{**PAGE, "page_url": "x"}],
            "b": [event(after(days=2), id="e", uid="v", page_view_id="p")],
        },
        {"a": [PAGE]},
        shows=(
            "int_affected_page_shapes",
            "int_page_views_marked: int_affected_page_shapes",
            "int_affected_event_days: main.fct_events",
            "int_completeness_days: int_affected_event_days",
        ),
    ),
    "an impression comes before a click of another day": Example(
        {"a": [clicked(after(days=1), id="k", uid="u", rec_id="r")]},
        {"b": [shown(after(0), id="i", uid="u", rec_id="r")]},
        shows=(
            "int_affected_matches: inner join items_shown",
            "int_affected_event_days: from changed_clicks",
        ),
    ),
    "an impression is clicked on another day": Example(
        {"a": [shown(after(0), id="i", uid="u", rec_id="r")]},
        {"b": [clicked(after(days=1), id="k", uid="u", rec_id="r")]},
        shows=(
            "int_affected_event_days: from changed_impressions",
            "int_rank_days",
        ),
    ),
    "the impression of a click goes": Example(
        {"a": [SHOWN], "b": [CLICK]},
        {"a": []},
        shows=("int_affected_clicks: from changed_matches",),
    ),
    "a click comes": Example(
        {"a": [SHOWN]},
        {"b": [CLICK]},
        shows=(
            "int_affected_matches: from changed_events",
            "int_clicks_matched",
            "int_affected_impressions: from changed_matches",
            "fct_impressions",
            "fct_clicks",
        ),
    ),
    "an impression changes its rank": Example(
        {"a": [SHOWN], "b": [CLICK, BOUGHT]},
        {"a": [{**SHOWN, "rank": 5}]},
        shows=(
            "int_affected_clicks: from int_clicks_matched",
            "int_affected_attributions: from changed_clicks",
            "fct_attributions: int_affected_attributions",
        ),
    ),
    "an impression without a click changes its rank": Example(
        {"a": [SHOWN], "b": [BOUGHT]},
        {"a": [{**SHOWN, "rank": 5}]},
        shows=(
            "int_affected_impressions: where type = 'impression'",
            "int_affected_attributions: from changed_impressions",
        ),
    ),
    "a purchase is affected late": Example(
        {"a": [BOUGHT]},
        {"b": [CLICK]},
        shows=(
            "int_affected_conversions: inner join conversions",
            "fct_conversions: int_touches",
        ),
    ),
    "a purchase comes after a click": Example(
        {"a": [SHOWN, CLICK]},
        {"b": [BOUGHT]},
        shows=(
            "int_affected_conversions: where type = 'conversion'",
            "int_touches",
            "int_affected_impressions: from int_clicks_matched",
        ),
    ),
    "a purchase comes after an impression": Example(
        {"a": [SHOWN]},
        {"b": [BOUGHT]},
        shows=("int_affected_impressions: where touch_type = 'impression'",),
    ),
    "one of two clicks goes": Example(
        {
            "a": [clicked(after(1), id="j", uid="u", sid="s")],
            "b": [{**CLICK, "sid": "t"}, {**BOUGHT, "sid": "t"}],
        },
        {"a": []},
        shows=("fct_attributions: int_touches",),
    ),
    "the impression that a purchase names changes its item": Example(
        {
            "a": [SHOWN],
            "b": [purchase(after(9), ["a"], id="b", uid="v", impression_id="i")],
        },
        {"a": [{**SHOWN, "item_id": "b"}]},
        shows=("int_affected_conversions: conversions.linked_impression_id in",),
    ),
    "a purchase is of another item": Example(
        {"a": [BOUGHT]},
        {"a": [purchase(after(9), ["b"], id="b", uid="u", order_total="1")]},
        shows=(
            "fct_attributions: int_conversion_units",
            "int_conversion_units: changes.fct_events",
        ),
    ),
    "a purchase is of another value": Example(
        {"a": [BOUGHT]},
        {"a": [{**BOUGHT, "order_total": "2"}]},
        shows=(
            "fct_events: stg_affected_ids",
            "int_property_values",
            "fct_conversions: fct_events",
        ),
    ),
    "a purchase is in another currency": Example(
        {"a": [BOUGHT]},
        {"a": [{**BOUGHT, "currency": "EUR"}]},
        shows=("fct_attributions: fct_conversions",),
    ),
    "a purchase without a readable value comes again": Example(
        {"a": [{**BOUGHT, "order_total": "x"}]},
        {"a": [{**BOUGHT, "order_total": "x"}]},
        shows=("int_unreadable_values: fct_events",),
    ),
    "a purchase comes": Example({}, {"b": [BOUGHT]}, shows=("int_conversion_days",)),
    "an order comes again, earlier": Example(
        {"a": [CLICK, {**ORDERED, "sid": "s"}]},
        {"b": [{**ORDERED, "id": "b0", "original_timestamp": after(8).isoformat(), "sid": "t"}]},
        shows=(
            "int_orders_repeated",
            "int_conversion_units: changes.int_orders_repeated",
            "int_affected_conversions: from changed_repeats",
            "fct_conversions: changes.int_orders_repeated",
            "fct_sessions: changes.fct_conversions",
        ),
    ),
    "a step of the funnel turns out to be an order of before": Example(
        {
            "a": [
                {**ORDER, "id": "b1", "original_timestamp": after(0).isoformat(), "sid": "s"},
                shown(after(1), id="i", uid="u", sid="s"),
                clicked(after(2), id="k", uid="u", sid="s"),
                {**ORDER, "sid": "s", "order_id": "o2"},
            ]
        },
        {
            "b": [
                {**ORDER, "id": "b0", "original_timestamp": after(-9).isoformat(), "order_id": "o2"}
            ]
        },
        shows=("int_session_sources: changes.fct_conversions",),
    ),
    "a module is on another page": Example(
        {
            "a": [event(after(0), id="m", uid="u", type="module_view", rank=1, page_view_id="p")],
            "b": [{**SHOWN, "module_view_id": "m"}, PAGE],
        },
        {"a": [event(after(0), id="m", uid="u", type="module_view", rank=1)]},
        shows=("int_affected_impressions: from impressions_on_modules",),
    ),
    "an impression comes to a module on a page": Example(
        {
            "a": [
                PAGE,
                event(after(0), id="m", uid="u", type="module_view", rank=1, page_view_id="p"),
            ]
        },
        {"b": [{**SHOWN, "module_view_id": "m"}]},
        shows=(
            "fct_module_views: fct_impressions",
            "fct_page_views: fct_impressions",
        ),
    ),
    "a click no longer names a page": Example(
        {
            "a": [PAGE, {**SHOWN, "page_view_id": "p"}],
            "b": [{**CLICK, "page_view_id": "nowhere"}],
        },
        {"b": [CLICK]},
        shows=(
            "int_affected_clicks: from changed_events",
            "fct_page_views: fct_clicks",
        ),
    ),
    "a person dwells on a page on another day": Example(
        {"a": [PAGE]},
        {
            "b": [
                event(
                    after(days=1), id="w", uid="v", type="dwell_time", dwell_ms=7, page_view_id="p"
                )
            ]
        },
        shows=(
            "fct_page_views: linked_page_view_id as id from changes.fct_events",
            "int_affected_event_days: event_date as day",
        ),
    ),
    "a release changes and nothing else": Example(
        {"a": [event(after(0), id="e", uid="u", app={"version": "1.0"}, **ARRIVED)]},
        {"a": [event(after(0), id="e", uid="u", app={"version": "2.0"}, **ARRIVED)]},
        shows=("int_affected_event_days: from loaded_events",),
    ),
    "an event changes its device": Example(
        {"a": [event(after(0), id="e", uid="u", cid="c")]},
        {"a": [event(after(0), id="e", uid="u", cid="d")]},
        shows=("dim_visitors: fct_events",),
    ),
    "an event changes its source": Example(
        {"a": [event(after(0), id="e", uid="u")]},
        {"a": [], "app": [event(after(0), id="e", uid="u")]},
        shows=("int_session_sources: fct_events",),
    ),
    "a click comes on the day after its session began": Example(
        {"a": [shown(after(0), id="i", uid="u", sid="s")]},
        {"b": [clicked(after(days=1), id="k", uid="u", sid="s")]},
        shows=("int_affected_session_days: from changed_counts",),
    ),
    "an event that counts comes on the day after its session began": Example(
        {"a": [event(after(0), id="e", uid="u", sid="s")]},
        {"b": [event(after(days=1), id="f", uid="u", sid="s", utm_medium="email")]},
        shows=(
            "int_affected_session_days: intermediate.int_session_sources",
            "int_completeness_days: int_affected_session_days",
        ),
    ),
    "a session ends before the event that counts": Example(
        {
            "a": [
                event(after(13 * 60 + 50), id="e", cid="c"),
                event(after(14 * 60 + 10), id="f", cid="c", utm_medium="email"),
            ]
        },
        {
            "b": [
                event(after(days=-3), id="g", cid="c", uid="u"),
                event(after(14 * 60 + 5), id="h", cid="c", uid="v"),
            ]
        },
        shows=(
            "int_affected_session_days: from changed_sessions",
            "int_affected_session_days: select session_key from changed_matches",
            "int_completeness_matches: fct_events",
        ),
    ),
    "two sessions change their days": Example(
        {
            "a": [
                event(after(days=5), id="x", cid="c", sid="s"),
                event(after(days=6), id="y", cid="d", sid="s"),
                event(after(days=7), id="m", uid="u", sid="s", utm_medium="email"),
                event(after(days=7), id="z", uid="v", sid="s"),
            ],
            "b": [
                event(after(0), id="g", cid="c", uid="u"),
                event(after(0), id="h", cid="d", uid="v"),
            ],
        },
        {
            "b": [
                event(after(0), id="g", cid="c", uid="v"),
                event(after(0), id="h", cid="d", uid="u"),
            ]
        },
        shows=(
            "int_affected_session_days: session_key from intermediate.int_completeness_matches",
        ),
    ),
    "a list is clicked": Example(
        {"a": [shown(after(0), id="i", uid="u", rec_id="r")]},
        {"b": [clicked(after(1), id="k", uid="u")]},
        shows=("fct_recommendations: fct_impressions",),
    ),
    "a list is bought from again": Example(
        {"a": [shown(after(0), id="i", uid="u", rec_id="r"), BOUGHT]},
        {"b": [{**BOUGHT, "id": "b2"}]},
        shows=("fct_recommendations: fct_attributions",),
    ),
    "a list is asked for": Example(
        {"a": [event(after(0), id="e", uid="u")]},
        {"a": [event(after(0), id="e", uid="u", rec_id="r")]},
        shows=("fct_recommendations: fct_events",),
    ),
    "a contract sees another field": Example(
        {
            "a": [event(after(days=1), id="f", uid="u", sid="s", utm_medium="email")],
            "b": [event(after(0), id="e", uid="u", sid="s")],
        },
        {},
        again=("a",),
        shows=(
            "int_affected_event_days: from changed_keys",
            "int_completeness_matches: int_event_keys",
        ),
    ),
}

# Rules that no history can show, because another of the same model finds all that they find.
COVERED = {
    "int_unreadable_values: changes.int_property_values": "made of the event's properties",
    "dim_visitors: changes.fct_sessions": "a session comes and goes with events of its visitor",
    "int_session_sources: changes.fct_sessions": "a session starts with one of its events",
    "int_completeness_days: changes.int_completeness_matches": (
        "a match is made of its event and its shape, whose day is affected"
    ),
}


@dataclass(frozen=True)
class Rule:
    """A branch of a statement that says what is affected."""

    model: str
    branch: str
    statement: int
    part: str
    place: int

    def __str__(self) -> str:
        return f"{self.model}: {self.branch}"


def rules_of(recording: Recording) -> list[Rule]:
    return [
        Rule(part.removeprefix(PART) or model, written(branch), number, part, place)
        for number, (model, sql) in enumerate(recording.incremental)
        if f"table {model}__affected as" in sql
        or (model.startswith("int_affected_") and sql.startswith("create"))
        for part, query in parts(parse_one(sql, read="duckdb")).items()
        for place, branch in enumerate(branches(query))
    ]


def parts(statement: exp.Expression) -> dict[str, exp.Expression]:
    """The query of a statement, under no name, and the queries of models that are parts of it."""
    query = statement.expression
    query = query.this if isinstance(query, exp.Subquery) else query
    named = {one.alias: one.this for one in query.ctes if one.alias.startswith(PART)}
    is_of_entries = statement.this.name.endswith("__affected")
    main = query.find(exp.Subquery).this if is_of_entries else query
    # A staging model only hands on what the loader has noted.
    rules = {name: one for name, one in named.items() if name.startswith(f"{PART}int_affected_")}
    return {"": main, **rules}


def branches(query: exp.Expression) -> list[exp.Select]:
    """The branches of the unions, or the one SELECT that does the work where there is no union."""
    unions = [one for one in query.find_all(exp.Union) if not isinstance(one.parent, exp.Union)]
    if unions:
        return [leaf for union in unions for leaf in leaves(union)]
    return [query.ctes[-1].this if query.ctes else query]


def leaves(query: exp.Expression) -> Iterator[exp.Select]:
    if isinstance(query, exp.Union):
        yield from leaves(query.left)
        yield from leaves(query.right)
    else:
        yield query


def written(branch: exp.Select) -> str:
    plain = branch.copy()
    for table in plain.find_all(exp.Table):
        table.set("catalog", None)
    return plain.sql(dialect="duckdb").replace('"', "").lower()


def without_rule(recording: Recording, rule: Rule) -> Recording:
    """The recording with the rule finding nothing."""
    statements = list(recording.incremental)
    model, sql = statements[rule.statement]
    statement = parse_one(sql, read="duckdb")
    branches(parts(statement)[rule.part])[rule.place].where("false", copy=False)
    statements[rule.statement] = (model, statement.sql(dialect="duckdb"))
    return replace(recording, incremental=tuple(statements))


def rule_named(rules: list[Rule], name: str) -> Rule:
    """The rule of a model, or of its branch with this text in it."""
    model, _, text = name.partition(": ")
    of_model = [rule for rule in rules if rule.model == model]
    found = [rule for rule in of_model if rule.branch == text] or [
        rule for rule in of_model if text in rule.branch
    ]
    assert len(found) == 1, (name, found)
    return found[0]


def last_build_goes_wrong(
    warehouse: SmallWarehouse, recording: Recording, rule: Rule, expected: dict[str, pa.Table]
) -> bool:
    """Whether the tables below the rule differ from what is expected; the warehouse stays as is."""
    (model, _) = recording.incremental[rule.statement]
    below = recording.downstream(model)
    needed = below | recording.upstream(model)
    warehouse.connection.begin()
    for model, sql in without_rule(recording, rule).incremental:
        if model in needed:
            warehouse.connection.execute(sql)
    tables = {name: rows for name, rows in expected.items() if name.partition(".")[2] in below}
    found = list(warehouse.differences(tables))
    warehouse.connection.rollback()
    return bool(found)


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Recording:
    return shared_recording(tmp_path_factory, worker_id)


def test_every_rule_has_one_example(recording: Recording) -> None:
    rules = rules_of(recording)
    names = [*COVERED, *(name for example in EXAMPLES.values() for name in example.shows)]
    found = [str(rule_named(rules, name)) for name in names]

    assert sorted(found) == sorted(map(str, rules))


def side_by_side() -> list[Step]:
    """All examples in one warehouse, with files and ids of their own."""
    before: list[Step] = []
    later: list[Step] = []
    for number, example in enumerate(EXAMPLES.values()):
        loads = [
            replace(
                step,
                path=f"{number}{step.path}",
                events=tuple(prefixed(row, f"{number}.") for row in step.events),
            )
            for step in example.steps
            if isinstance(step, Load)
        ]
        before += loads[: len(example.before)]
        later += loads[len(example.before) :]
    return [*before, Build(), *later, Build()]


def test_examples_equal_a_full_refresh(recording: Recording) -> None:
    assert wrong_rows(recording, side_by_side()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "part",
    [
        f"false as is_new, '{BUILD_ID}' as build from {{}}__gone",
        f"true as is_new, '{BUILD_ID}' as build from {{}}__come",
    ],
)
def test_examples_go_wrong_where_half_of_the_changes_is_not_noted(
    recording: Recording, part: str
) -> None:
    unnoted = [
        (model, sql.replace(part.format(model), f"{part.format(model)} where false"))
        for model, sql in recording.incremental
    ]
    assert unnoted != list(recording.incremental)

    assert wrong_rows(replace(recording, incremental=tuple(unnoted)), side_by_side()) != []


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, example in EXAMPLES.items() if example.shows])
def test_example_goes_wrong_without_its_rules(recording: Recording, name: str) -> None:
    steps = EXAMPLES[name].steps
    loads = [step for step in steps if isinstance(step, Load)]
    expected = full_refresh(recording, loads)
    rules = rules_of(recording)
    with SmallWarehouse(recording) as warehouse:
        for step in steps[: steps.index(Build())]:
            warehouse.load(step)
        warehouse.build()
        for step in steps[steps.index(Build()) + 1 : -1]:
            warehouse.load(step)

        harmless = [
            rule
            for rule in EXAMPLES[name].shows
            if not last_build_goes_wrong(warehouse, recording, rule_named(rules, rule), expected)
        ]

    assert harmless == []
