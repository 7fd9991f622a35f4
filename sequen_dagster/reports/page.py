"""Reports: the report as one HTML page, without scripts and without a request to anywhere.

It begins with what a person acts on; the evidence follows.
"""

import functools
import importlib.resources
import re
from collections.abc import Callable
from typing import Any, Final

import jinja2
import markupsafe

from sequen_dagster.reports.charts import draw_charts
from sequen_dagster.reports.readiness import group_use_cases
from sequen_dagster.reports.releases import compare_releases
from sequen_dagster.reports.rendering import FILTERS, describe_repeats, name, overall
from sequen_dagster.reports.trends import select_trends

# Anchor, which is also the name of the template, and title.
_ACTIONS: Final = (
    ("tiers", "Tier"),
    ("fixes", "What to fix first"),
    ("readiness", "Readiness"),
    ("changes", "What is new"),
)
_EVIDENCE: Final = (
    ("attributes", "Attributes"),
    ("releases", "By release"),
    ("trend", "Day by day"),
    ("records", "Records"),
    ("fields", "Fields"),
    ("links", "Links and clicks"),
    ("catalog", "Custom fields"),
)
# Fields whose presence means something; the order of the rows.
_MATRIX_FIELDS: Final = (
    "uid", "sid", "cid", "item_id", "item_ids", "item_id_relation", "rank", "rec_id",
    "page_view_id", "module_view_id", "impression_id", "server_timestamp", "page_type",
    "click_type", "conversion_type", "dwell_ms", "original_timestamp", "type",
)  # fmt: skip
_LINKS: Final = ("page_view", "module_view", "impression")

# Filters that write a number with its unit.
_OF_NUMBERS: Final = (
    "percent", "exact_percent", "whole_percent", "duration", "filesize", "moment", "need",
    "requirement",
)  # fmt: skip
_UNIT: Final = re.compile(r"(?<=\d) (?=(?:%|bytes|kB|MB|GB|s|h|d|min|\d\d:\d\d)(?!\w))")

Rows = list[dict[str, Any]]  # Any: rows of the report's JSON


def render_page(report: dict[str, Any], *, recent_days: int) -> str:
    """Render the report's numbers as a page.

    Args:
        report: the report as JSON.
        recent_days: length of the recent period, in days.

    Returns:
        HTML in which everything that comes from events is escaped. It works from a file, on a
        phone, on paper, in light and dark.
    """
    sources = list(dict.fromkeys(tier["source"] for tier in report["tiers"]))
    named = [source for source in sources if source != "(all)"]
    # With one source, all together say the same once more.
    sources = ["(all)"] if len(named) <= 1 else ["(all)", *named]
    releases = compare_releases(report["breakdowns"])
    trends = select_trends(report["coverage_by_day"], report["attributes"])
    present = {"changes": report["changes"], "releases": releases}
    return (
        markup_environment()
        .get_template("report.html.j2")
        .render(
            **report,
            css=_css(),
            charts=draw_charts({**report, "coverage_by_day": trends.drawn}),
            overall=overall(report),
            repeats=describe_repeats(report),
            sources=sources,
            actions=[one for one in _ACTIONS if present.get(one[0], True)],
            evidence=[one for one in _EVIDENCE if present.get(one[0], True)],
            matrix={source: _build_matrix(report["fields"], source) for source in sources},
            use_cases=group_use_cases(report["readiness"]),
            release_tables=releases,
            trends=trends,
            link_rows=_count_links(report["links"]),
            has_samples=any(field["samples"] for field in report["catalog"]),
            recent_days=recent_days,
        )
    )


@functools.cache
def markup_environment() -> jinja2.Environment:
    """The templates of HTML and SVG, which escape all that they show."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sequen_dagster.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(FILTERS, breakable=_breakable, sentence=_sentence)
    for of_numbers in _OF_NUMBERS:
        environment.filters[of_numbers] = _holding_units(FILTERS[of_numbers])
    return environment


def _holding_units(write: Callable[..., str]) -> Callable[..., str]:
    """The same filter, of whose numbers no line parts the unit."""

    def held(*values: Any) -> str:  # Any: what the filter takes
        return _UNIT.sub("\u00a0", write(*values))

    return held


def _sentence(text: str) -> markupsafe.Markup:
    """A sentence in which what stands between backticks is code."""
    code = markupsafe.Markup("<code>{}</code>")
    parts = re.split(r"`([^`]+)`", text)
    return markupsafe.Markup("").join(
        code.format(part) if place % 2 else part for place, part in enumerate(parts)
    )


def _breakable(text: object) -> markupsafe.Markup:
    """A name that a narrow column may break after `_`, `.`, `-` and `/`, and nowhere else."""
    parts = re.split(r"(?<=[_./-])(?=\w)", name(text))
    return markupsafe.Markup("<wbr>").join(parts)


def _css() -> str:
    templates = importlib.resources.files("sequen_dagster.reports") / "templates"
    return (templates / "report.css").read_text(encoding="utf-8")


def _build_matrix(fields: Rows, source: str) -> dict[str, Any]:  # Any: for the template
    """Fields down, event types across, the most frequent type first; fields that occur."""
    of_source = [field for field in fields if field["source"] == source]
    types = list(dict.fromkeys(field["type"] for field in of_source))
    found = {(field["field"], field["type"]): field for field in of_source}
    occurring = {
        field["field"]
        for field in of_source
        if field["is_mandatory"] or field["present"] or (field["valid"] or 1) < 1
    }
    rows = [
        (name, [found.get((name, kind)) for kind in types])
        for name in _MATRIX_FIELDS
        if name in occurring
    ]
    unused = [name for name in _MATRIX_FIELDS if name not in occurring]
    invalid = [field for field in of_source if field["valid"] is not None and field["valid"] < 1]
    invalid.sort(key=lambda field: field["valid"])
    return {"types": types, "rows": rows, "unused": unused, "invalid": invalid}


def _count_links(links: Rows) -> Rows:
    """A row for each link that events carry: how many do, and where it leads."""
    rows = []
    for link in _LINKS:
        counts = {
            row["status"]: row["event_count"]
            for row in links
            if row["source"] == "(all)" and row["link"] == link
        }
        resolved, dangling = counts.get("resolved", 0), counts.get("dangling", 0)
        rows.append(
            {
                "link": link,
                "events": sum(counts.values()),
                "carrying": resolved + dangling,
                "resolved": resolved,
                "dangling": dangling,
            }
        )
    return rows
