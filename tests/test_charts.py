"""Pictures of untrusted text: it is drawn as text, and the process survives."""

import re

import pytest

from sequen_dagster.reports.charts import draw_charts

EMPTY = {"flow": [], "files_by_day": [], "coverage_by_day": [], "ranks": [], "funnel": []}


@pytest.mark.bad_input(33)
@pytest.mark.parametrize(
    "sign", ["\x00", "\x1b", "\x9b", "\u2028", "\u202e", "\ufffe", "\uffff", "<b>", "&amp;", "]]>"]
)
def test_any_name_can_be_drawn(sign: str) -> None:
    volumes = [{"day": "2025-07-01", "type": f"a{sign}b", "events": 3}]
    rules = [{"rule": f"c{sign}d", "records": 2}]

    charts = draw_charts({**EMPTY, "volumes": volumes, "quarantined_by_rule": rules})

    assert set(charts) == {"volumes", "rules"}
    assert "<b>" not in charts["volumes"]
    assert ">a" in charts["volumes"]


def test_very_long_name_is_cut() -> None:
    volumes = [{"day": "2025-07-01", "type": "x" * 100_000, "events": 3}]

    charts = draw_charts({**EMPTY, "volumes": volumes, "quarantined_by_rule": []})

    assert len(charts["volumes"]) < 50_000


def test_nothing_to_draw_gives_no_chart() -> None:
    assert draw_charts({**EMPTY, "volumes": [], "quarantined_by_rule": []}) == {}


@pytest.mark.parametrize("last", [2, 3, 6, 9])
def test_day_stands_on_an_axis_once(last: int) -> None:
    days = [f"2025-07-{day:02}" for day in range(1, last + 1)]
    volumes = [{"day": day, "type": "click", "events": 3} for day in days]
    coverage = [{"day": day, "attribute": "a", "coverage": 0.5} for day in days]

    charts = draw_charts(
        {**EMPTY, "volumes": volumes, "quarantined_by_rule": [], "coverage_by_day": coverage}
    )

    for name in ("volumes", "coverage"):
        labels = re.findall(r">(\d\d Jul)<", charts[name])
        assert len(labels) >= 2
        assert sorted(set(labels)) == labels, name


def test_nothing_is_written_without_a_unit_of_thousands() -> None:
    volumes = [{"day": "2025-07-01", "type": "click", "events": 4000}]

    chart = draw_charts({**EMPTY, "volumes": volumes, "quarantined_by_rule": []})["volumes"]

    assert ">0<" in chart
    assert ">4k<" in chart
    assert ">0k<" not in chart
