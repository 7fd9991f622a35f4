from sequen_dagster.reports.document import NearMiss
from sequen_dagster.reports.near_misses import (
    near_fields,
    near_fields_of_quarantined,
    near_types,
)


def named(found: list[NearMiss]) -> list[tuple[str, str]]:
    return [(one.name, one.meant) for one in found]


def test_types_that_are_spelt_otherwise_are_named() -> None:
    counts = [("pageview", 9), ("Clicks", 3), ("page_view", 5), ("add_to_list", 2), ("scrol", 1)]

    assert named(near_types(counts)) == [
        ("pageview", "page_view"),
        ("Clicks", "click"),
        ("scrol", "scroll"),
    ]


def test_fields_that_are_spelt_otherwise_are_named_unless_the_right_one_is_there() -> None:
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
