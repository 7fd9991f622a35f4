"""Reports: the report's lists as CSV, for spreadsheets and notebooks.

In: the report. Out: the text of `serving/csv/<section>.csv`, by section (RFC 4180, UTF-8).
"""

import csv
import io
import json
import re
from typing import Any, Final, get_args

from sequen_dagster.reports.document.report import Report
from sequen_dagster.reports.document.section import Section
from sequen_dagster.reports.rendering import one_line

# What a spreadsheet takes for a formula: at the beginning, and behind what may part cells.
_FORMULA: Final = re.compile("(^|[;,|])(\\s*)(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])")
_NUMBER: Final = re.compile(r"-?[0-9]+([.][0-9]+)?")


def list_tables() -> dict[str, type[Section]]:
    """The sections of the report that are lists of rows, with the form of a row."""
    return {
        name: row
        for name, field in Report.model_fields.items()
        for row in get_args(field.annotation)
        if getattr(field.annotation, "__origin__", None) is list and issubclass(row, Section)
    }


def render_tables(report: dict[str, Any]) -> dict[str, str]:
    """Render every list of the report as CSV.

    A list in a row becomes its elements with `; ` between, an example its JSON text. Text that a
    spreadsheet would take for a formula gets an apostrophe before it.

    Args:
        report: the report as JSON.

    Returns:
        The CSV by the name of the section; without rows, it has its header.
    """
    return {
        name: _render(list(row.model_fields), report[name]) for name, row in list_tables().items()
    }


def _render(columns: list[str], rows: list[dict[str, Any]]) -> str:  # Any: the report's JSON
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([_text(row[column]) for column in columns] for row in rows)
    return text.getvalue()


def _text(value: Any) -> str:  # Any: a value of the report's JSON
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, list):
        return defuse("; ".join(value))
    return defuse(json.dumps(value) if isinstance(value, dict) else value)


def defuse(text: str) -> str:
    r"""Untrusted text that no spreadsheet takes for a formula, on one line.

    Example:
        >>> defuse("=cmd()"), defuse("a;-1+1"), defuse("-12.50"), defuse("add-to-cart")
        ("'=cmd()", "a;'-1+1", '-12.50', 'add-to-cart')
    """
    return text if _NUMBER.fullmatch(text) else _FORMULA.sub(r"\1\2'", one_line(text))
