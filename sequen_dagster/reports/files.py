"""Reports: the report's files: `serving/report.json`, `report.md`, `report.html`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sequen_dagster.contract.scalars import utc_now
from sequen_dagster.home.durable import make_folder
from sequen_dagster.home.owner_only import owner_only_files
from sequen_dagster.reports.history import remember, with_changes
from sequen_dagster.reports.markdown import render_markdown
from sequen_dagster.reports.page import render_page
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

    numbers: dict[str, Any]  # Any: JSON, of the form that document.py gives
    markdown: str
    page: Path


def report_path(settings: SequenSettings) -> Path:
    """The report for programs."""
    return serving_dir(settings) / "report.json"


@owner_only_files()
def make_report(
    settings: SequenSettings, *, run_id: str | None = None, against: Path | None = None
) -> WrittenReport:
    """Compute the report from the published snapshot and write it, each file in one step.

    Args:
        settings: the home.
        run_id: of Dagster's run that makes it.
        against: the `report.json` to tell what is new since; by default the last one of an earlier
            day, else of other files.

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
    page = serving_dir(settings) / "report.html"
    make_folder(page.parent)
    write_in_place(page.with_suffix(".md"), markdown)
    write_in_place(page, render_page(numbers, recent_days=settings.recent_days))
    write_in_place(report_path(settings), json.dumps(numbers, indent=2) + "\n")
    remember(settings, report)
    return WrittenReport(numbers, markdown, page)


def read_report(settings: SequenSettings) -> dict[str, Any]:
    """The numbers of the report that stands."""
    numbers: dict[str, Any] = json.loads(report_path(settings).read_text(encoding="utf-8"))
    return numbers
