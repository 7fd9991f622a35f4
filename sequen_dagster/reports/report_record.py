"""Reports: which publication the report was made from, and by what: `.report.json`."""

import json
from dataclasses import asdict
from importlib.metadata import version
from typing import Any, Final

from sequen_dagster.home.durable import write_file
from sequen_dagster.home.layout import Serving
from sequen_dagster.reports.options import ReportOptions
from sequen_dagster.reports.publication import read_publication

# Another number has the report made again.
_VERSION: Final = 1


def note_report(serving: Serving, options: ReportOptions) -> None:
    """Note that the report is the one that the published snapshot gives, after it was written.

    Raises:
        StorageError: it cannot be written.
    """
    content = json.dumps(_describe(serving, options), indent=1)
    write_file(serving.report_record, f"{content}\n", what="the record of the report")


def why_unreported(serving: Serving, options: ReportOptions) -> str:
    """Why the report is not that of the published snapshot; empty where it is.

    Args:
        serving: the folder of what people open.
        options: from `report_options`.
    """
    if not serving.report_json.exists() or not serving.report_html.exists():
        return "there is no report"
    try:
        noted = json.loads(serving.report_record.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return "there is no report of which it is known"
    current = _describe(serving, options)
    if current["build"] is None or noted != current:
        return "there is a new snapshot, or the report is of another release or other settings"
    return ""


def _describe(serving: Serving, options: ReportOptions) -> dict[str, Any]:  # Any: JSON
    publication = read_publication(serving)
    return {
        "version": _VERSION,
        "release": version("sequen-dagster"),
        "options": asdict(options),
        "build": asdict(publication.build) if publication else None,
    }
