"""Reports: the part of the document that lists the files beside it."""

from typing import Annotated

from sequen_dagster.reports.document.section import NAME, PATH, TEXT, Section


class ReportFile(Section):
    """A file that was written with the report."""

    path: Annotated[str, PATH]
    """Where it lies, from the folder of `report.json`."""
    media_type: Annotated[str, NAME]
    """Its media type."""
    holds: Annotated[str, TEXT]
    """What it holds."""
