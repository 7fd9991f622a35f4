"""Reports: the report as one HTML page, without scripts and without a request to anywhere."""

import functools
import importlib.resources
from typing import Any, Final

import jinja2

from sequen_dagster.reports.charts import draw_charts
from sequen_dagster.reports.rendering import FILTERS, overall, repeats_told

_SECTIONS: Final = (
    ("tiers", "Tiers"),
    ("changes", "What is new"),
    ("fixes", "What to fix first"),
    ("attributes", "Attributes"),
    ("fields", "Fields"),
    ("breakdowns", "By release"),
    ("trend", "Day by day"),
    ("records", "Records"),
    ("links", "Links and clicks"),
    ("catalog", "Custom fields"),
)
# Fields whose presence means something; the order of the rows.
_MATRIX_FIELDS: Final = (
    "uid", "sid", "cid", "item_id", "item_ids", "item_id_relation", "rank", "rec_id",
    "page_view_id", "module_view_id", "impression_id", "server_timestamp", "page_type",
    "click_type", "conversion_type", "dwell_ms", "original_timestamp", "type",
)  # fmt: skip


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
    breakdowns = _breakdown_tables(report["breakdowns"])
    absent = {
        name
        for name, rows in (("changes", report["changes"]), ("breakdowns", breakdowns))
        if not rows
    }
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            **report,
            css=_css(),
            charts=draw_charts(report),
            overall=overall(report),
            repeats_told=repeats_told(report),
            sources=sources,
            sections=[one for one in _SECTIONS if one[0] not in absent],
            matrix={source: _matrix(report["fields"], source) for source in sources},
            breakdown_tables=breakdowns,
            has_samples=any(field["samples"] for field in report["catalog"]),
            recent_days=recent_days,
        )
    )


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sequen_dagster.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(FILTERS)
    return environment


def _css() -> str:
    templates = importlib.resources.files("sequen_dagster.reports") / "templates"
    return (templates / "report.css").read_text(encoding="utf-8")


def _matrix(fields: list[dict[str, Any]], source: str) -> dict[str, Any]:
    """Fields down, event types across, the most frequent type first."""
    of_source = [field for field in fields if field["source"] == source]
    types = list(dict.fromkeys(field["type"] for field in of_source))
    cells = {(field["field"], field["type"]): field for field in of_source}
    rows = [(name, [cells.get((name, kind)) for kind in types]) for name in _MATRIX_FIELDS]
    return {"types": types, "rows": rows}


def _breakdown_tables(breakdowns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One table a breakdown and event type; values across, attributes or fields down."""
    tables = []
    for breakdown, kind in dict.fromkeys((row["breakdown"], row["type"]) for row in breakdowns):
        rows = [row for row in breakdowns if (row["breakdown"], row["type"]) == (breakdown, kind)]
        columns = sorted({row["value"] for row in rows})
        cells = {(row["name"], row["value"]): row for row in rows}
        names = list(dict.fromkeys(row["name"] for row in rows))
        tables.append(
            {
                "breakdown": breakdown,
                "type": kind,
                "columns": columns,
                "rows": [(name, [cells.get((name, value)) for value in columns]) for name in names],
            }
        )
    return tables
