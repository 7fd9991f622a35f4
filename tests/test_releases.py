"""What the page shows of releases and of days: what differs, and the rest in a line."""

from typing import Any

from sequen_dagster.reports.releases import compare_releases
from sequen_dagster.reports.trends import select_trends


def share(name: str, value: str, carrying: int, of: int = 1_000, **more: Any) -> dict[str, Any]:
    counts = {"carrying_events": carrying, "event_count": of, "coverage": carrying / of}
    return {"breakdown": "app", "type": None, "name": name, "value": value, **counts, **more}


def test_what_differs_between_releases_comes_first_the_largest_difference_on_top() -> None:
    rows = [
        *(share("same", value, 990) for value in ("1.1", "1.2", "1.3")),
        *(share("small", value, part) for value, part in (("1.1", 990), ("1.2", 900))),
        *(share("large", value, part) for value, part in (("1.1", 990), ("1.3", 400))),
    ]

    (table,) = compare_releases(rows)

    assert (table.breakdown, table.columns) == ("app", ("1.1", "1.2", "1.3"))
    assert [row.name for row in table.differing] == ["large", "small"]
    assert [row.name for row in table.alike] == ["same"]
    large = table.differing[0]
    assert large.shares[1] is None
    assert large.difference is not None
    assert table.columns[large.difference.lowest] == "1.3"


def test_link_field_that_no_event_carries_is_named_once_for_all_types() -> None:
    rows = [
        share("impression_id", value, 0, type=event_type)
        for event_type in ("scroll", "login")
        for value in ("1.1", "1.2")
    ]

    (table,) = compare_releases(rows)

    assert table.absent == {"impression_id": ["scroll", "login"]}
    assert table.differing == table.alike == ()


def test_attribute_that_no_event_carries_stays_a_row() -> None:
    (table,) = compare_releases([share("geolocation", "1.1", 0), share("geolocation", "1.2", 0)])

    assert [row.name for row in table.alike] == ["geolocation"]


def test_each_breakdown_has_a_table() -> None:
    tables = compare_releases([share("a", "1", 5), share("a", "ios", 5, breakdown="platform")])

    assert [table.breakdown for table in tables] == ["app", "platform"]


def attribute(name: str, status: str = "complete", **more: Any) -> dict[str, Any]:
    return {"source": "(all)", "attribute": name, "status": status, "is_waived": False, **more}


def days(name: str, *carrying: int) -> list[dict[str, Any]]:
    return [
        {"attribute": name, "day": f"2025-07-0{day}", "carrying": count, "applicable": 1_000}
        for day, count in enumerate(carrying, start=1)
    ]


def test_only_attributes_that_changed_or_are_below_their_threshold_are_drawn() -> None:
    coverage = [
        *days("steady", 990, 985, 991),
        *days("changed", 990, 985, 700),
        *days("low", 500, 500, 500),
        *days("waived", 500, 100, 500),
        *days("none", 0, 0, 0),
    ]
    attributes = [
        attribute("steady"),
        attribute("changed"),
        attribute("low", "partial"),
        attribute("waived", "partial", is_waived=True),
        attribute("none", "missing"),
        attribute("never", "not_applicable"),
        attribute("steady", "missing", source="web"),
    ]

    trends = select_trends(coverage, attributes)

    assert list(dict.fromkeys(row["attribute"] for row in trends.drawn)) == ["changed", "low"]
    assert [one["attribute"] for one in trends.steady] == ["steady"]
    assert [one["attribute"] for one in trends.absent] == ["none", "never"]
