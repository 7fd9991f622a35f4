"""Reports: the numbers of the current report, for those who do not make it."""

import json
from typing import Any, Final

from sequen_dagster.errors import ReportError
from sequen_dagster.home.layout import Home

# Raised whenever the form of `report.json` changes, see `document`.
REPORT_VERSION: Final = 5


def read_report(home: Home) -> dict[str, Any]:  # Any: JSON, of the form that `document` gives
    """Read the numbers of the current report.

    Raises:
        ReportError: there is none yet, or it is of another release.
    """
    path = home.serving.report_json
    remedy = (
        "Run `sequen-dagster run`, or materialize `published_snapshot` and `completeness_report` "
        "in Dagster."
    )
    try:
        numbers: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        message = f"There is no report in {str(path.parent)!r} yet. {remedy}"
        raise ReportError(message) from error
    if numbers.get("report_version") != REPORT_VERSION:
        message = f"The report {str(path)!r} was made by another release. {remedy}"
        raise ReportError(message)
    return numbers
