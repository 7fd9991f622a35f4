"""Reports: the charts, described in Vega-Lite by altair and drawn as SVG without a browser.

Colors are CSS variables of the page, so that a chart is light or dark with it.
"""

import html
import re
from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from sequen_dagster.reports.rendering import percent

if TYPE_CHECKING:
    import altair

    # A chart and what it shows, in words.
    Drawn = tuple[altair.TopLevelMixin, str]

_WIDTH: Final = 420
_INK: Final = "var(--ink)"
_ACCENT: Final = "var(--accent)"
_SERIES: Final = [f"var(--series-{number})" for number in range(1, 9)]
# Control characters, those that turn the direction of writing, surrogates, noncharacters.
_UNDRAWABLE: Final = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ud800-\\udfff\\ufffe\\uffff]"
)
_LONGEST_TEXT: Final = 120
_FEW_DAYS: Final = 6
# Of more days the lines between the bars would hide them.
_MOST_PARTED: Final = 45
_FONT: Final = "system-ui, sans-serif"

Rows = list[dict[str, Any]]  # Any: rows of the report


def draw_charts(report: dict[str, Any]) -> dict[str, str]:
    """Draw every chart that the report has numbers for.

    Args:
        report: the report as JSON.

    Returns:
        SVG by the name of the chart, safe to put into a page.
    """
    charts = {
        "flow": _draw_flow(report["flow"]),
        "volumes": _draw_volumes(report["volumes"], report["files_by_day"]),
        "coverage": _draw_coverage(report["coverage_by_day"]),
        "rules": _draw_counts(report["quarantined_by_rule"][:12], "rule", "records"),
        "ranks": _draw_ranks(report["ranks"]),
        "funnel": _draw_funnel(report["funnel"]),
    }
    return {name: _render_svg(name, *chart) for name, chart in charts.items() if chart is not None}


def _draw_flow(steps: Rows) -> "Drawn | None":
    if not steps or not steps[0]["of"]:
        return None
    shown = [
        {
            "step": step["step"],
            "kept": step["count"] / step["of"] if step["of"] else 0.0,
            "label": f"{step['count']:,} of {step['of']:,} {step['unit']}",
        }
        for step in steps
    ]
    return _draw_shares(shown), "What becomes of the records, step by step"


def _draw_funnel(steps: Rows) -> "Drawn | None":
    if not steps or not steps[0]["session_count"]:
        return None
    shown = [
        {
            "step": step["step"],
            "kept": step["share_of_first"],
            "label": f"{step['session_count']:,} sessions, {percent(step['share_of_first'])}",
        }
        for step in steps
    ]
    return _draw_shares(shown), "Sessions that reach each step of the funnel"


def _draw_shares(shown: Rows) -> "altair.LayerChart | altair.FacetChart":
    """A bar for each step, over the whole that it is a share of, and what it says above it."""
    import altair as alt

    order = [row["step"] for row in shown]
    whole_rows = [{**row, "none": 0, "all": 1} for row in shown]
    base = alt.Chart(alt.InlineData(values=whole_rows)).encode(
        y=alt.Y("step:N", sort=order, axis=alt.Axis(title=None, labelFontWeight="bold"))
    )
    share = alt.X("kept:Q", scale=alt.Scale(domain=[0, 1]), axis=None)
    whole = base.mark_bar(color="var(--line)", height=12, yOffset=8).encode(
        x=alt.X("none:Q", axis=None), x2="all:Q"
    )
    bars = base.mark_bar(color=_ACCENT, height=12, yOffset=8).encode(x=share)
    labels = base.mark_text(align="left", baseline="bottom", dy=1, color=_INK).encode(
        x=alt.value(0), text="label:N"
    )
    return alt.layer(whole, bars, labels).properties(width=_WIDTH - 100, height=40 * len(shown))


def _draw_volumes(volumes: Rows, files: Rows) -> "Drawn | None":
    import altair as alt

    if not volumes:
        return None
    days = {row["day"] for row in volumes}
    marks = [row for row in files if min(days) <= row["day"] <= max(days)]
    counts = Counter[str]()
    for row in volumes:
        counts[row["type"]] += row["events"]
    types = sorted(counts, key=lambda name: (name == "(other)", -counts[name], name))
    bars = (
        alt.Chart(alt.InlineData(values=volumes))
        .mark_bar(stroke="var(--paper)", strokeWidth=0.5 if len(days) <= _MOST_PARTED else 0)
        .encode(
            x=alt.X("yearmonthdate(day):T", axis=_day_axis(days)),
            y=alt.Y(
                "sum(events):Q",
                axis=alt.Axis(
                    title="events a day", format="~s", labelExpr="datum.value ? datum.label : '0'"
                ),
            ),
            color=alt.Color(
                "type:N",
                scale=alt.Scale(domain=types, range=_SERIES[: len(types)]),
                legend=alt.Legend(title=None, orient="bottom", columns=3, symbolType="square"),
            ),
        )
    )
    ticks = (
        alt.Chart(alt.InlineData(values=marks))
        .mark_point(shape="triangle-down", color=_INK, filled=True, size=36, yOffset=-6)
        .encode(x="yearmonthdate(day):T", y=alt.value(0))
    )
    chart = alt.layer(bars, ticks).properties(width=_WIDTH - 60, height=180)
    return chart, "Events a day by type; a triangle marks a day on which files arrived"


def _day_axis(days: set[str]) -> "altair.Axis":
    """An axis of days that bears the name of each only once."""
    import altair as alt

    first, last = date.fromisoformat(min(days)), date.fromisoformat(max(days))
    # Of few days, the renderer would divide them into hours, of the same name.
    is_short = (last - first).days < _FEW_DAYS
    ticks = alt.TimeIntervalStep(interval="day", step=1) if is_short else _FEW_DAYS
    return alt.Axis(title=None, format="%d %b", tickCount=ticks, labelSeparation=8)


def _draw_coverage(days: Rows) -> "Drawn | None":
    import altair as alt

    shown = {row["day"] for row in days}
    if len(shown) < 2:
        return None
    chart = (
        alt.Chart(alt.InlineData(values=days))
        .mark_line(color=_ACCENT, point=alt.OverlayMarkDef(color=_ACCENT, size=12))
        .encode(
            x=alt.X("yearmonthdate(day):T", axis=_day_axis(shown)),
            y=alt.Y(
                "coverage:Q",
                scale=alt.Scale(domain=[0, 1]),
                axis=alt.Axis(title=None, format="%", values=[0, 1]),
            ),
        )
        .properties(width=_WIDTH - 70, height=26)
        .facet(
            row=alt.Row(
                "attribute:N",
                header=alt.Header(
                    title=None,
                    labelOrient="top",
                    labelAnchor="start",
                    labelPadding=2,
                    labelColor=_INK,
                    labelFontSize=11,
                ),
            ),
            spacing=4,
        )
    )
    return chart, "Coverage of every attribute by day"


def _draw_counts(rows: Rows, name: str, count: str) -> "Drawn | None":
    import altair as alt

    if not rows:
        return None
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X(f"{count}:Q", axis=None),
        y=alt.Y(f"{name}:N", sort=None, axis=alt.Axis(title=None, labelLimit=190)),
    )
    labels = base.mark_text(align="left", dx=4, color=_INK).encode(
        text=alt.Text(f"{count}:Q", format=",")
    )
    chart = alt.layer(base.mark_bar(color=_ACCENT), labels)
    height = 22 * len(rows)
    return chart.properties(width=_WIDTH - 230, height=height), "Quarantined records by broken rule"


def _draw_ranks(ranks: Rows) -> "Drawn | None":
    import altair as alt

    if not ranks:
        return None
    base = alt.Chart(alt.InlineData(values=ranks)).encode(
        x=alt.X("rank:O", axis=alt.Axis(title="rank", labelAngle=0))
    )
    whiskers = base.mark_rule(color=_INK).encode(
        y=alt.Y("ctr_low:Q", axis=alt.Axis(title="click-through rate", format="%")),
        y2="ctr_high:Q",
    )
    points = base.mark_point(color=_ACCENT, filled=True, size=50).encode(y="ctr:Q")
    chart = alt.layer(whiskers, points).properties(width=_WIDTH - 60, height=170)
    return chart, "Click-through rate by rank, with 95 % intervals"


def remove_undrawable(text: str) -> str:
    """Text without characters that XML has no place for: the renderer would end the process."""
    return _UNDRAWABLE.sub(" ", text)


def _clean(spec: Any) -> Any:  # Any: JSON
    """The same chart with texts that can be drawn, and are not endless."""
    if isinstance(spec, dict):
        return {key: _clean(value) for key, value in spec.items()}
    if isinstance(spec, list):
        return [_clean(value) for value in spec]
    return remove_undrawable(spec)[:_LONGEST_TEXT] if isinstance(spec, str) else spec


def _render_svg(name: str, chart: Any, title: str) -> str:  # Any: every kind of altair's charts
    import vl_convert

    configured = chart.configure(
        background="transparent",
        font=_FONT,
        view={"stroke": None},
        # The page's font may be wider than the one that the picture was measured by.
        padding={"left": 24, "right": 12, "top": 5, "bottom": 5},
    ).configure_axis(
        labelColor=_INK,
        titleColor=_INK,
        domainColor="var(--line)",
        tickColor="var(--line)",
        gridColor="var(--line)",
        titleFontWeight="normal",
        labelFontSize=11,
        labelLimit=160,
        titlePadding=12,
    )
    configured = configured.configure_legend(labelColor=_INK, labelLimit=120)
    drawn = vl_convert.vegalite_to_svg(_clean(configured.to_dict()))
    # Several pictures share a page: what they refer to within must bear names of their own.
    drawn = re.sub(r'(id="|url\(#)(?=[a-z]+_?\d+)', rf"\g<1>{name}-", drawn)
    label = html.escape(title)
    return drawn.replace(
        "<svg ", f'<svg role="img" aria-label="{label}" data-chart="{name}" ', 1
    ).replace("><", f"><title>{label}</title><", 1)
