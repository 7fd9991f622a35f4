"""Completeness from the record to the report's tables: where values lie, how they are spelled."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from support.coverage_by_hand import by_hand
from support.histories import Row, after
from support.replay import Build, Load, Recording, SmallWarehouse, shared_recording, wrong_rows

WHOLE = {
    "page_id": "p", "country": "CH", "locale": "de", "device_type": "phone", "logged_in": True,
    "referral_source": "direct",
}  # fmt: skip
CARRIED = {
    "page_id", "geolocation", "locale/language", "device_type", "logged_in", "referral_source",
}  # fmt: skip


@dataclass(frozen=True)
class Coverage:
    """What the tables say of an attribute."""

    applicable: int
    carrying: int
    status: str


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Recording:
    return shared_recording(tmp_path_factory, worker_id)


def page_view(number: int, **fields: Any) -> Row:
    moment = after(number / 60).isoformat()
    page = {"type": "page_view", "page_type": "home", "uid": "u", "original_timestamp": moment}
    return {"id": f"e{number}", **page, **fields}


def click(number: int, **fields: Any) -> Row:
    return page_view(number, **{"type": "click", "item_id": "i", "click_type": "like", **fields})


SEGMENT = {
    "properties": {**WHOLE, "page_url": "https://x/"},
    "context": {
        "locale": "de-CH",
        "page": {"url": "https://x/"},
        "device": {"type": "phone"},
        "userAgent": "x",
        "location": {"country": "CH"},
    },
}
CELLS = {"device_info": '{"platform":"ios","locale":"de"}', "geo": '{"country":"CH"}'}
# Custom fields of a page_view, and what it carries of the fields that it could.
SEARCHED_OBJECTS: dict[str, tuple[Row, set[str]]] = {
    "flat": (WHOLE, CARRIED),
    "nested": (SEGMENT, CARRIED),
    "traits": ({"traits": WHOLE}, CARRIED),
    "flat key of a place": ({"properties.country": "CH"}, {"geolocation"}),
    "flat key in a place": ({"context": {"device.type": "x"}}, {"device_type"}),
    "nested in a place": ({"context": {"device": {"type": "x"}}}, {"device_type"}),
    "json cells": (CELLS, {"geolocation", "locale/language", "device_type"}),
    "place as a text": ({"properties": '{"country": "CH"}'}, {"geolocation"}),
    "text in a text": (
        {"properties": '{"device_info": "{\\"locale\\": \\"de\\"}"}'},
        {"locale/language"},
    ),
    "two places": ({"lat": 1, "properties": {"lon": 0}}, {"geolocation"}),
    "half a place": ({"lat": 1, "lon": "undefined"}, set()),
    "another name": ({"params": {"country": "CH"}}, set()),
    "place in a place": ({"context": {"traits": {"country": "CH"}}}, set()),
    "text of an array": ({"geo": '["CH"]'}, {"geolocation"}),
    "text of nothing": ({"geo": " {} ", "lang": "[ ]"}, set()),
    "looks like JSON": ({"geo": "{broken}"}, {"geolocation"}),
}
NONE_WORDS = {
    f"none {number}": word
    for number, word in enumerate(
        ["n/a", "N/A", "unknown", "Unknown", "null", "undefined", "(not set)", "[object Object]",
         "None", "NaN", "nil", "\\N", "[]", "{}", "", " ", None, [], {}]
    )
}  # fmt: skip
EVENT_FIELDS = ("email_campaign", "push_notifications", "partial_form_fills")
# Whether a field with this value matches an attribute of kind event.
ANSWERS: dict[str, tuple[object, bool]] = {
    f"answer {number}": (value, number >= 11)
    for number, value in enumerate(
        [False, 0, 0.0, "false", "False", "0", "NO", "Off", "0.0", "unknown", "null",
         True, 1, "true", "1", "yes", "none given", {"a": False}]
    )
}  # fmt: skip
SEARCHES = ("Search", "searchResults", "search-results", "SRP", "serp", "Search\u00a0Results")
NO_SEARCHES = ("research", "search page", "search.results", "srps")
MAILS: dict[str, Row] = {
    "capital": {"utm_medium": "Email"},
    "hyphen": {"utm_medium": "e-mail"},
    "blank": {"utm_medium": "E MAIL"},
    "mail nested": {"properties": {"utm_medium": "e_mail"}},
    "mail in a text": {"context": '{"utm_medium": "EMAIL"}'},
    "mail flat": {"traits.utm_medium": "email"},
    "mail opened": {"type": "EmailOpen"},
    "mail clicked": {"type": "email click"},
}
NO_MAILS = ("newsletter", "email2", "emails")
CASES: dict[str, tuple[Row, ...]] = {
    **{
        name: tuple(page_view(number, **fields) for number in range(2))
        for name, (fields, _) in SEARCHED_OBJECTS.items()
    },
    **{name: (page_view(0, **dict.fromkeys(WHOLE, word)),) for name, word in NONE_WORDS.items()},
    **{
        name: (page_view(0, **dict.fromkeys(EVENT_FIELDS, value)),)
        for name, (value, _) in ANSWERS.items()
    },
    **{
        name: (page_view(0, page_type=name, search_query="shoes"),)
        for name in (*SEARCHES, *NO_SEARCHES)
    },
    **{name: (page_view(0, **fields),) for name, fields in MAILS.items()},
    **{name: (page_view(0, utm_medium=name),) for name in NO_MAILS},
    "no at the top": (page_view(0, email_campaign="no", context={"email_campaign": "july"}),),
    "no is an answer": (
        page_view(0, logged_in=False),
        page_view(1, logged_in="no"),
        page_view(2, logged_in="0"),
    ),
    "clicks": (
        click(0, click_type="read-review"),
        click(1, click_type="Exit Link"),
        click(2, click_type="addToCart"),
    ),
    "standard types": (page_view(0, type="PageView"), page_view(1, type="Scroll")),
    "page": (
        page_view(0, page_id="unknown"),
        page_view(1, page_id="p"),
        click(2, page_view_id="page e0"),
        click(3, page_view_id="page e1"),
    ),
}


Found = dict[str, dict[str, Coverage]]


@pytest.fixture(scope="session")
def found(recording: Recording) -> Found:
    """Coverage of every case: each is a source of its own, so that one build serves all."""
    with SmallWarehouse(recording) as warehouse:
        for source in CASES:
            warehouse.load(Load("a", source_rows(source), source=source))
        warehouse.build()
        return coverages(warehouse, "recent")


def coverages(warehouse: SmallWarehouse, period: str) -> Found:
    rows = warehouse.connection.execute(
        "select source, attribute, applicable_events, carrying_events, status"
        " from rpt_completeness_attributes where period = ?",
        [period],
    ).fetchall()
    covered: Found = {}
    for source, attribute, *counts in rows:
        covered.setdefault(source, {})[attribute] = Coverage(*counts)
    return covered


def seen(covered: dict[str, Coverage]) -> set[str]:
    """What some event carries or matches."""
    return {name for name, one in covered.items() if one.carrying}


@pytest.mark.parametrize("name", SEARCHED_OBJECTS)
def test_value_counts_wherever_it_lies(found: Found, name: str) -> None:
    _, expected = SEARCHED_OBJECTS[name]

    assert seen(found[name]) == expected
    # Of the two the first page_view of the session asks for its source.
    assert {found[name][one] for one in expected - {"referral_source"}} == (
        {Coverage(2, 2, "complete")} if expected else set()
    )
    if "referral_source" in expected:
        assert found[name]["referral_source"] == Coverage(1, 1, "complete")


@pytest.mark.parametrize("name", NONE_WORDS)
def test_words_that_mean_none_are_not_carried(found: Found, name: str) -> None:
    assert seen(found[name]) == set()
    assert found[name]["geolocation"] == Coverage(1, 0, "missing")


@pytest.mark.parametrize("name", ANSWERS)
def test_what_says_no_does_not_complete_an_event_attribute(found: Found, name: str) -> None:
    _, is_seen = ANSWERS[name]

    assert {found[name][one].status for one in EVENT_FIELDS} == {
        "complete" if is_seen else "missing"
    }


def test_falsy_value_at_the_top_may_be_given_in_a_searched_object(found: Found) -> None:
    assert found["no at the top"]["email_campaign"] == Coverage(0, 1, "complete")


def test_false_counts_as_carried_where_it_is_an_answer(found: Found) -> None:
    assert found["no is an answer"]["logged_in"] == Coverage(3, 3, "complete")


@pytest.mark.parametrize("name", SEARCHES)
def test_page_type_is_compared_without_case_and_punctuation(found: Found, name: str) -> None:
    assert found[name]["search_query"] == Coverage(1, 1, "complete")


@pytest.mark.parametrize("name", NO_SEARCHES)
def test_other_page_types_are_not_a_search(found: Found, name: str) -> None:
    assert found[name]["search_query"] == Coverage(0, 0, "not_applicable")


@pytest.mark.parametrize("name", MAILS)
def test_medium_and_type_are_compared_without_case_and_punctuation(found: Found, name: str) -> None:
    assert found[name]["email_campaign"] == Coverage(0, 1, "complete")


@pytest.mark.parametrize("name", NO_MAILS)
def test_other_media_are_not_mail(found: Found, name: str) -> None:
    assert found[name]["email_campaign"] == Coverage(0, 0, "missing")


def test_click_type_is_compared_without_case_and_punctuation(found: Found) -> None:
    assert found["clicks"]["review_click"] == Coverage(0, 1, "complete")
    assert found["clicks"]["outbound_click"] == Coverage(0, 1, "complete")
    assert found["clicks"]["cart_content"] == Coverage(1, 0, "missing")


def test_standard_type_is_itself_only_in_its_own_spelling(found: Found) -> None:
    assert found["standard types"]["page_id"] == Coverage(0, 0, "not_applicable")
    assert found["standard types"]["scroll_depth"] == Coverage(0, 0, "not_applicable")
    assert found["standard types"]["geolocation"] == Coverage(2, 0, "missing")


def test_word_for_none_on_the_page_does_not_count_for_what_happens_on_it(found: Found) -> None:
    assert found["page"]["page_id"] == Coverage(4, 2, "partial")


def source_rows(source: str) -> tuple[Row, ...]:
    """The events of a case, with ids of its own."""
    return tuple({**row, "id": f"{source} {row['id']}", "uid": source} for row in CASES[source])


def test_every_case_counts_as_by_hand(found: Found) -> None:
    for source in CASES:
        counts = by_hand(source_rows(source))
        tables = {
            name: (one.applicable, one.carrying)
            for name, one in found[source].items()
            if name in counts
        }
        assert tables == counts, source


def test_words_for_none_are_in_the_catalog_all_the_same(recording: Recording) -> None:
    with SmallWarehouse(recording) as warehouse:
        warehouse.load(Load("a", (page_view(0, country="n/a"), page_view(1, country="CH"))))
        warehouse.load(Load("b", (page_view(2, city="unknown"),)))
        warehouse.build()
        rows = warehouse.connection.execute(
            "select field, kinds, event_count, coverage from rpt_field_catalog"
            " where source = '(all)' order by 1"
        ).fetchall()

    assert rows == [("city", ["string"], 0, 0.0), ("country", ["string"], 1, 1 / 3)]


# All days are before the arrival time.
FIRST_DAY = after(0) - timedelta(days=400)


def on_days(counts: dict[int, int], **fields: Any) -> list[Row]:
    """So many events on days that are counted from the first."""
    return [
        page_view(0, **fields)
        | {
            "id": f"d{day}-{number}",
            "original_timestamp": (FIRST_DAY + timedelta(days=day)).isoformat(),
        }
        for day, count in counts.items()
        for number in range(count)
    ]


PERIODS: dict[str, tuple[dict[int, int], int]] = {
    "single events: the latest": ({0: 1, 1: 1, 2: 1}, 2),
    "one event is too little": ({0: 2, 5: 1}, 0),
    "two are enough": ({0: 2, 5: 2}, 5),
    "a tenth is too little": ({0: 20, 5: 2}, 0),
    "more than a tenth is enough": ({0: 20, 5: 3}, 5),
    "29 are less than ten times 3": ({0: 29, 5: 3}, 5),
    "30 are ten times 3": ({0: 30, 5: 3}, 0),
    # From the smallest: 2 and 4 are 6 of 31, with 25 all of them: the usual day holds 25.
    "beyond the half": ({0: 25, 1: 4, 2: 2}, 1),
    # 21 single events hold half of 42: the usual day holds one.
    "half is enough": ({0: 21, **dict.fromkeys(range(1, 22), 1), 30: 2}, 30),
}


def test_recent_period_ends_on_the_latest_day_that_is_not_far_below_the_usual(
    recording: Recording,
) -> None:
    with SmallWarehouse(recording) as warehouse:
        for source, (counts, _) in PERIODS.items():
            rows = (row | {"id": f"{source} {row['id']}"} for row in on_days(counts))
            warehouse.load(Load("a", tuple(rows), source=source))
        warehouse.build()
        rows = warehouse.connection.execute(
            "select source, recent_from_date, recent_to_date"
            " from intermediate.int_reported_sources where source <> '(all)'"
        ).fetchall()

    assert {last - first for _, first, last in rows} == {timedelta(days=27)}
    lasts = {source: (last - FIRST_DAY.date()).days for source, _, last in rows}
    assert lasts == {source: last for source, (_, last) in PERIODS.items()}


def test_event_ahead_of_its_time_moves_no_figure(recording: Recording) -> None:
    rows = [*on_days({0: 20, 1: 20}, **WHOLE), *on_days({390: 1}, email_campaign="x")]
    with SmallWarehouse(recording) as warehouse:
        warehouse.load(Load("a", tuple(rows)))
        warehouse.build()
        recent, all_days = (coverages(warehouse, one)["(all)"] for one in ("recent", "all"))

    assert recent["geolocation"] == Coverage(40, 40, "complete")
    assert recent["email_campaign"] == Coverage(0, 0, "missing")
    assert all_days["geolocation"] == Coverage(41, 40, "complete")
    assert all_days["email_campaign"] == Coverage(0, 1, "complete")


def test_sessions_count_where_they_start(recording: Recording) -> None:
    # On the last day one session starts; the mail is opened in one that started before the period.
    rows = [
        *on_days({0: 5}, sid="old"),
        *on_days({40: 5}, sid="new"),
        page_view(9, type="email_open", sid="old")
        | {"original_timestamp": (FIRST_DAY + timedelta(days=40)).isoformat()},
    ]
    with SmallWarehouse(recording) as warehouse:
        warehouse.load(Load("a", tuple(rows)))
        warehouse.build()
        rows = warehouse.connection.execute(
            "select period, carrying_events, session_count, matching_session_count, coverage"
            " from rpt_completeness_attributes"
            " where source = '(all)' and attribute = 'email_campaign' order by period"
        ).fetchall()

    assert rows == [("all", 1, 2, 1, 0.5), ("recent", 1, 1, 0, 0.0)]


def test_sources_have_periods_of_their_own(recording: Recording) -> None:
    with SmallWarehouse(recording) as warehouse:
        warehouse.load(Load("a", tuple(on_days({0: 2, 3: 2})), source="app"))
        warehouse.load(Load("b", tuple(on_days({1: 40})), source="web"))
        warehouse.build()
        rows = warehouse.connection.execute(
            "select source, recent_to_date from intermediate.int_reported_sources order by 1"
        ).fetchall()

    day = FIRST_DAY.date()
    assert rows == [
        ("(all)", day + timedelta(days=1)),
        ("app", day + timedelta(days=3)),
        ("web", day + timedelta(days=1)),
    ]


def test_tables_of_completeness_are_exact_whatever_arrives_when(recording: Recording) -> None:
    # A day that becomes usual by a second file and is no longer when the first is corrected.
    steps = [
        Load("a", tuple(on_days({0: 20, 5: 2}, utm_medium="E-Mail", **SEGMENT))),
        Build(),
        Load("b", tuple(on_days({5: 1}, sid="s", page_type="SRP", country="n/a"))),
        Build(),
        Load("a", tuple(on_days({0: 40, 5: 2}, context='{"utm_medium": "push"}')), version=2),
        Build(),
        Load("c", (page_view(7, type="EmailOpen", email_campaign="off"),)),
        Build(),
    ]

    assert wrong_rows(recording, steps) == []
