"""Near misses: what comes near a name that is read, and what is to be done about it."""

from typing import Any

import pytest

from sequen_dagster.home.layout import Home
from sequen_dagster.reports.document.completeness import NearMiss
from sequen_dagster.reports.files import WrittenReport, make_report
from sequen_dagster.reports.near_misses import (
    near_fields,
    near_fields_of_quarantined,
    near_types,
    near_values,
)
from sequen_dagster.reports.options import report_options
from support.histories import Row, after
from support.homes import settings_of
from support.published import publish_rows
from support.replay import Load, Recording, shared_recording


def named(found: list[NearMiss]) -> list[tuple[str, str]]:
    return [(one.name, one.meant) for one in found]


def test_types_that_are_spelled_otherwise_are_named() -> None:
    counts = [("pageview", 9), ("Clicks", 3), ("page_view", 5), ("add_to_list", 2), ("scrol", 1)]

    assert named(near_types(counts)) == [
        ("pageview", "page_view"),
        ("Clicks", "click"),
        ("scrol", "scroll"),
    ]


def test_fields_that_are_spelled_otherwise_are_named_unless_the_right_one_is_there() -> None:
    counts = [
        ("click", "itemId", 9),
        ("click", "ItemType", 9),
        ("scroll", "scrollDepth", 4),
        ("click", "session_id", 2),
        ("click", "user.id", 1),
        ("click", "action", 1),
    ]

    found = near_fields(counts, detectors={"scroll_depth"}, carried=set())
    assert named(found) == [("itemId", "item_id"), ("scrollDepth", "scroll_depth")]
    carried = {("click", "item_id")}
    assert named(near_fields(counts, detectors=(), carried=carried)) == []


def test_quarantined_records_are_looked_at_for_what_they_miss() -> None:
    counts = [
        ("click", "missing_identity", "userId", 9),
        ("click", "missing_identity", "itemId", 9),
        ("click", "missing_click_type", "action", 4),
        ("(none)", "missing_type", "event_type", 3),
        ("click", "missing_original_timestamp", "timestamp", 2),
        ("click", "missing_item_id", "note", 2),
    ]

    assert named(near_fields_of_quarantined(counts)) == [
        ("userId", "uid"),
        ("action", "click_type"),
        ("event_type", "type"),
        ("timestamp", "original_timestamp"),
    ]


def test_types_that_come_near_one_that_counts_are_named() -> None:
    expected = {"email_open", "review_click"}
    counts = [("email_opened", 3), ("EmailOpen", 2), ("review_click", 2), ("login", 1)]

    # EmailOpen is email_open, and no miss.
    assert named(near_types(counts, expected=expected)) == [("email_opened", "email_open")]


@pytest.mark.parametrize(
    ("value", "meant"),
    [("serach", "search"), ("search page", "search"), ("SearchListing", "search"),
     ("search.results", "search_results"), ("emall", "search"), ("Search-Results", None),
     ("SEARCH", None), ("home", None), ("x" * 41, None), ("search " + "x" * 34, None),
     ("search " + "x" * 33, "search")],
)  # fmt: skip
def test_values_that_come_near_are_named(value: str, meant: str | None) -> None:
    if value == "emall":
        expected = {"page_type": {"search"}, "utm_medium": {"email"}}
        assert near_values([("page_type", value, 1)], expected=expected) == []
        assert named(near_values([("utm_medium", value, 1)], expected=expected)) == [
            ("emall", "email")
        ]
        return
    found = near_values(
        [("page_type", value, 1)], expected={"page_type": {"search", "search_results"}}
    )
    assert named(found) == ([(value, meant)] if meant else [])


def test_fields_that_are_misspelled_or_nested_are_named() -> None:
    counts = [
        ("click", "contry", 9),
        ("click", "context.userAgent", 8),
        ("click", "properties.country", 7),
        ("click", "county_code", 6),
        ("click", "languages", 5),
        ("click", "never_carried", 0),
    ]
    detectors = {"country", "user_agent", "language"}

    assert named(near_fields(counts, detectors=detectors, carried=set())) == [
        ("contry", "country"),
        ("context.userAgent", "user_agent"),
        ("languages", "language"),
    ]


def test_key_that_holds_the_event_is_named_once() -> None:
    needs = ("missing_type", "missing_original_timestamp", "missing_identity")
    keys = ("_airbyte_data", "_airbyte_data/id", "_airbyte_data/type", "_airbyte_data/uid",
            "_airbyte_data/original_timestamp", "_airbyte_emitted_at")  # fmt: skip
    counts = [("(none)", rule, key, 5) for rule in needs for key in keys]

    (miss,) = near_fields_of_quarantined(counts)
    assert (miss.kind, miss.name, miss.records) == ("key", "_airbyte_data", 5)
    assert miss.meant == "id, original_timestamp, type, uid"
    assert "Unwrap _airbyte_data" in miss.advice


def test_key_of_an_array_of_events_leads_to_the_setting() -> None:
    counts = [
        ("(none)", "missing_original_timestamp", f"hits[]/{key}", 2) for key in ("type", "time")
    ]

    (miss,) = near_fields_of_quarantined(counts)
    assert (miss.kind, miss.name) == ("key", "hits")
    assert "events_keys" in miss.advice


def test_object_with_an_id_and_a_type_of_its_own_is_not_an_event() -> None:
    counts = [("(none)", "missing_type", f"device/{key}", 2) for key in ("type", "id")]

    assert [one.kind for one in near_fields_of_quarantined(counts)] == ["field"]


def test_field_within_an_object_is_to_be_sent_at_the_top() -> None:
    counts = [
        ("click", "missing_item_id", "properties/item_id", 4),
        ("click", "missing_item_id", "properties/position", 4),
        ("click", "missing_identity", "user/id", 3),
        ("click", "missing_item_id", "rows[]/item_id", 2),
    ]

    found = near_fields_of_quarantined(counts)
    assert named(found) == [("properties.item_id", "item_id"), ("user.id", "uid")]
    assert found[0].advice == "Send it as item_id at the top of the record."


def at(number: int, **fields: Any) -> Row:
    return {
        "id": f"e{number}",
        "uid": "u",
        "original_timestamp": after(number).isoformat(),
        **fields,
    }


def event(number: int) -> Row:
    return at(number, type="page_view", page_type="home")


ROWS = [
    at(0, type="page_view", page_type="serach", utm_medium="emails"),
    at(1, type="page_view", page_type="SRP", context='{"utm_medium": "e-mail"}'),
    at(2, type="page_view", page_type="home", uid="1001.0", contry="CH"),
    at(3, type="page_view", page_type="home", uid=1001.0),
    at(4, type="click", item_id="7.0", click_type="reviewz", utm_medium="newsletter"),
    {"_airbyte_ab_id": "a", "_airbyte_emitted_at": 1, "_airbyte_data": event(5)},
    {"_airbyte_ab_id": "b", "_airbyte_data": '{"type": "login", "uid": "u", "ts": 1}'},
    {"event_type": "screen_view", "data": {"event_id": "x", "timestamp_unixtime_ms": 1}},
    {"ID": "c", "TYPE": "page_view", "ORIGINAL_TIMESTAMP": "2024-05-01", "UID": "u"},
    at(6, type="login", uid="v", sid="long"),
    at(6 + 24 * 60, type="login", uid="v", sid="long"),
    at(7, type="login", uid="w", sid="longer"),
    at(7 + 24 * 60 + 1, type="login", uid="w", sid="longer"),
]


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Recording:
    return shared_recording(tmp_path_factory, worker_id)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, recording: Recording) -> WrittenReport:
    settings = settings_of(tmp_path_factory.mktemp("near"))
    publish_rows(settings, recording, Load("a.jsonl", tuple(ROWS)))
    return make_report(Home(settings.home), report_options(settings))


def test_report_names_what_comes_near_in_the_tables(written: WrittenReport) -> None:
    misses = {
        (one["kind"], one["field"] or one["type"], one["name"], one["meant"]): one["records"]
        for one in written.numbers["near_misses"]
    }

    assert misses == {
        ("key", "(none)", "_airbyte_data", "id, original_timestamp, page_type, type, uid"): 2,
        ("key", "(none)", "data", "id, original_timestamp"): 1,
        ("field", "(none)", "event_type", "type"): 1,
        ("field", "(none)", "TYPE", "type"): 1,
        ("field", "(none)", "ORIGINAL_TIMESTAMP", "original_timestamp"): 1,
        ("field", "(none)", "UID", "uid"): 1,
        ("id", "uid", "1001.0", "1001"): 1,
        ("id", "item_id", "1001.0", "1001"): 1,
        ("value", "page_type", "serach", "search"): 1,
        ("value", "click_type", "reviewz", "review"): 1,
        ("value", "utm_medium", "emails", "email"): 1,
        ("field", "page_view", "contry", "country"): 1,
    }


def test_every_near_miss_says_what_to_do(written: WrittenReport) -> None:
    page = written.page.read_text(encoding="utf-8")
    advice = {one["advice"] for one in written.numbers["near_misses"]}

    assert all(one in page for one in advice)
    assert "Unwrap data: export the object that it holds as the record itself." in advice


def test_report_counts_sessions_over_24_hours(written: WrittenReport) -> None:
    # One of exactly 24 hours is not over them.
    assert written.numbers["sessions"]["over_a_day"] == 1
    assert "1 longer than 24 hours" in written.page.read_text(encoding="utf-8")
