"""Pictures of untrusted text: it is drawn as text, and the process survives."""

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
