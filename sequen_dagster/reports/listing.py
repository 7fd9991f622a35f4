"""Reports: which files are written with the report, and what each of them holds."""

from pathlib import PurePath
from typing import Final

from sequen_dagster.reports.csv_tables import list_tables
from sequen_dagster.reports.document.files import ReportFile
from sequen_dagster.reports.document.report import Report

_HELD: Final = {
    "report.html": "The report as a page, for a browser.",
    "report.md": "The report as Markdown, for terminals, pull requests and wikis.",
    "report.png": "The head of the report as a picture, for chat messages.",
    "badge.svg": "The tier that is reached as a badge, for READMEs and wikis.",
}
_MEDIA_TYPES: Final = {
    ".csv": "text/csv; charset=utf-8; header=present",
    ".html": "text/html; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}


def list_files() -> list[ReportFile]:
    """The files that are written with `report.json`, and what each holds."""
    tables = {
        f"csv/{section}.csv": Report.model_fields[section].description or ""
        for section in list_tables()
    }
    return [
        ReportFile(path=path, media_type=_MEDIA_TYPES[PurePath(path).suffix], holds=holds)
        for path, holds in (_HELD | tables).items()
    ]
