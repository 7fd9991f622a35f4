"""Reports: how the files that people open are replaced, one step each."""

from pathlib import Path
from typing import Final

from sequen_dagster.home.durable import write_file

_FAIL_POINTS: Final = ("reports.report_written", "reports.report_replaced")


def write_report_file(target: Path, content: str | bytes) -> None:
    """Replace a file of the serving folder so that readers see the old or the new one.

    Raises:
        StorageError: it cannot be written; the old one is still in place.
    """
    write_file(target, content, fail_points=_FAIL_POINTS)
