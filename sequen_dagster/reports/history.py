"""Reports: former reports, kept to say what is new.

Out: one small file a publication in `serving/history/`.
"""

import json
from pathlib import Path
from typing import Final

import pydantic

from sequen_dagster.errors import ReportError
from sequen_dagster.reports.changes import changes_since
from sequen_dagster.reports.document.report import Report
from sequen_dagster.reports.writing import write_report_file

# Of today every publication, up to this many; of earlier days the last one.
_KEPT_TODAY: Final = 20
_KEPT_DAYS: Final = 90


def with_changes(history: Path, report: Report, *, against: Path | None = None) -> Report:
    """The report with what is new in it.

    Args:
        history: the folder of former reports.
        report: what `summarize` gave.
        against: the `report.json` to compare with; by default the last one of an earlier day, else
            the last one of other files.

    Returns:
        A copy, with `changes` where there is something to compare with.

    Raises:
        ReportError: `against` is not a report.
    """
    before = _read(against) if against else _find_baseline(history, report)
    if before is None:
        return report
    return report.model_copy(update={"changes": changes_since(before, report)})


def remember(history: Path, report: Report) -> None:
    """Keep the report for later comparisons; a second one on the same files takes its place."""
    name = f"{report.made.at:%Y%m%dT%H%M%SZ}-{report.inputs.sha256[:12]}.json"
    numbers = report.model_copy(update={"changes": None}).model_dump(mode="json")
    # As ASCII: names may hold characters that command a terminal.
    write_report_file(history / name, json.dumps(numbers))
    for path in _list_superseded(history, history / name):
        path.unlink(missing_ok=True)


def _list_former(history: Path) -> list[Path]:
    """Former reports, the oldest first; the name begins with the time."""
    return sorted(history.glob("*T*Z-*.json"))


def _find_baseline(history: Path, report: Report) -> Report | None:
    kept = _list_former(history)
    today = f"{report.made.at:%Y%m%d}"
    earlier = [path for path in kept if path.name[:8] < today]
    other = [path for path in kept if path.stem[-12:] != report.inputs.sha256[:12]]
    for path in reversed(earlier or other):
        try:
            return _read(path)
        except ReportError:
            # Of another release: nothing to compare with, and no reason to fail.
            continue
    return None


def _list_superseded(history: Path, newest: Path) -> list[Path]:
    kept = _list_former(history)
    today = newest.name[:8]
    of_today = [path for path in kept if path.name[:8] == today]
    last_of_day = {path.name[:8]: path for path in kept if path.name[:8] < today}
    same = {path for path in of_today if path.stem[-12:] == newest.stem[-12:]} - {newest}
    wanted = {*sorted(last_of_day.values())[-_KEPT_DAYS:], *of_today[-_KEPT_TODAY:]} - same
    return [path for path in kept if path not in wanted]


def _read(path: Path) -> Report:
    try:
        return Report.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"The report {str(path)!r} cannot be read: {error.strerror}."
        raise ReportError(message) from error
    except (pydantic.ValidationError, UnicodeDecodeError) as error:
        message = (
            f"{str(path)!r} is not a report of this release. Give a report.json that it wrote."
        )
        raise ReportError(message) from error
