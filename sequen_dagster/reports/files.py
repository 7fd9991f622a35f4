"""Reports: the report's files, and how they are written.

In: the published snapshot. Out: `serving/report.json`, `report.html`, `report.md`, `report.png`,
`badge.svg` and `csv/`.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sequen_dagster.contract.scalars import utc_now
from sequen_dagster.home.layout import Home
from sequen_dagster.home.owner_only import owner_only_files
from sequen_dagster.reports.csv_tables import render_tables
from sequen_dagster.reports.history import remember, with_changes
from sequen_dagster.reports.markdown import render_markdown
from sequen_dagster.reports.options import ReportOptions
from sequen_dagster.reports.page import render_page
from sequen_dagster.reports.pictures import draw_badge, draw_head
from sequen_dagster.reports.report_record import note_report
from sequen_dagster.reports.summary import summarize
from sequen_dagster.reports.writing import write_report_file


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


@owner_only_files()
def make_report(
    home: Home, options: ReportOptions, *, run_id: str | None = None, against: Path | None = None
) -> WrittenReport:
    """Compute the report from the published snapshot and write it, each file in one step.

    `report.json`, which lists the other files, is written last.

    Args:
        home: the home.
        options: from `report_options`.
        run_id: of Dagster's run that makes it.
        against: the `report.json` to compare with; by default the last one of an earlier day, else
            of other files.

    Returns:
        What was written.

    Raises:
        ReportError: nothing is published yet, or `against` is not a report.
        StorageError: a file cannot be written; the old one is still in place.
    """
    serving = home.serving
    report = summarize(serving.snapshot, options, made_at=utc_now(), run_id=run_id)
    report = with_changes(serving.history, report, against=against)
    numbers = report.model_dump(mode="json")
    markdown = render_markdown(numbers)
    contents: dict[Path, str | bytes] = {
        serving.report_markdown: markdown,
        serving.report_html: render_page(numbers, recent_days=options.recent_days),
        serving.report_picture: draw_head(numbers),
        serving.badge: draw_badge(numbers),
        **{
            serving.tables / f"{section}.csv": table
            for section, table in render_tables(numbers).items()
        },
        serving.report_json: json.dumps(numbers, indent=2) + "\n",
    }
    for path, content in contents.items():
        write_report_file(path, content)
    # Tables of sections that an older release had.
    for path in serving.tables.glob("*.csv"):
        if path not in contents:
            path.unlink()
    remember(serving.history, report)
    if against is None:
        note_report(serving, options)
    return WrittenReport(numbers, markdown, serving.report_html)
