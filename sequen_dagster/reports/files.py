"""Reports: the report's files, and how they are written.

In: the published snapshot. Out: `serving/report.json`, `report.html`, `report.md`, `report.png`,
`badge.svg` and `csv/`.
"""

import json
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sequen_dagster.contract.scalars import utc_now
from sequen_dagster.lake.commits import make_folder
from sequen_dagster.private import private_files
from sequen_dagster.reports.csv_tables import render_tables
from sequen_dagster.reports.history import remember, with_changes
from sequen_dagster.reports.listing import csv_path
from sequen_dagster.reports.markdown import render_markdown
from sequen_dagster.reports.page import render_page
from sequen_dagster.reports.pictures import draw_badge, draw_head
from sequen_dagster.reports.serving import serving_dir, write_in_place
from sequen_dagster.reports.summary import summarize
from sequen_dagster.settings import SequenSettings


@dataclass(frozen=True)
class WrittenReport:
    """A report that was made.

    Attributes:
        numbers: the report as JSON.
        markdown: the report as Markdown.
        page: the HTML file.
    """

    numbers: dict[str, Any]  # Any: JSON, of the form that `document` gives
    markdown: str
    page: Path


def report_path(settings: SequenSettings) -> Path:
    """The report for programs."""
    return serving_dir(settings) / "report.json"


@private_files()
def make_report(
    settings: SequenSettings, *, run_id: str | None = None, against: Path | None = None
) -> WrittenReport:
    """Compute the report from the published snapshot and write it, each file in one step.

    `report.json`, which lists the other files, is written last.

    Args:
        settings: the home.
        run_id: of Dagster's run that makes it.
        against: the `report.json` to compare with; by default the last one of an earlier day, else
            of other files.

    Returns:
        What was written.

    Raises:
        ReportError: nothing is published yet, or `against` is not a report.
        StorageError: a file cannot be written; the old one is still in place.
    """
    report = summarize(settings, made_at=utc_now(), run_id=run_id)
    report = with_changes(settings, report, against=against)
    numbers = report.model_dump(mode="json")
    markdown = render_markdown(numbers)
    folder = serving_dir(settings)
    contents: dict[str, str | bytes] = {
        "report.md": markdown,
        "report.html": render_page(numbers, recent_days=settings.recent_days),
        "report.png": draw_head(numbers),
        "badge.svg": draw_badge(numbers),
        **{csv_path(name): text for name, text in render_tables(numbers).items()},
        "report.json": json.dumps(numbers, indent=2) + "\n",
    }
    for path, content in contents.items():
        make_folder((folder / path).parent)
        write_in_place(folder / path, content)
    _remove_former_tables(folder, contents)
    remember(settings, report)
    return WrittenReport(numbers, markdown, folder / "report.html")


def read_report(settings: SequenSettings) -> dict[str, Any]:
    """Read the numbers of the current report."""
    numbers: dict[str, Any] = json.loads(report_path(settings).read_text(encoding="utf-8"))
    return numbers


def _remove_former_tables(folder: Path, contents: Container[str]) -> None:
    """Remove the CSV of sections that an older release had."""
    for path in (folder / "csv").glob("*.csv"):
        if csv_path(path.stem) not in contents:
            path.unlink()
