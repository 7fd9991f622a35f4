"""Validation of files by the contract alone, without a home, a lake or Dagster.

In: the sources of settings. Out: counts, and the first records that break the contract.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from sequen_dagster.contract import EventContract, Origin, Split
from sequen_dagster.contract.conflicts import ConflictCounter, SourceConflicts
from sequen_dagster.contract.hints import describe_hint
from sequen_dagster.contract.scalars import utc_now
from sequen_dagster.contract.warnings import Counts
from sequen_dagster.errors import VanishedFileError
from sequen_dagster.exports.files import Listing, list_locations
from sequen_dagster.exports.limits import ReadLimits
from sequen_dagster.exports.readers import ExportReader
from sequen_dagster.lake.commits import RecordCounts
from sequen_dagster.lake.ingest import validate_file
from sequen_dagster.lake.tally import Tally
from sequen_dagster.settings import SequenSettings

# Findings shown of a file; the counts are always complete.
_MAX_FINDINGS: Final = 20


@dataclass(frozen=True)
class Finding:
    """One record that broke the contract.

    Attributes:
        path: path of its file.
        line: physical line where it starts; 0 for a file that could not be read as a whole.
        item: its place among the records of that line.
        rules: the rules it broke.
        message: of a whole file, what it is and what to do.
    """

    path: str
    line: int
    item: int
    rules: tuple[str, ...]
    message: str = ""


@dataclass(frozen=True)
class Validation:
    """What the contract says of some files.

    Attributes:
        record_counts: records read, accepted, quarantined.
        errors: records by (type, rule).
        warnings: records by (type, warning).
        findings: the first quarantined records of each file.
        files: how many files were read.
        hints: by path, what a file looks like whose records fail together.
        listings: what lay at the locations, one a source.
        conflicts: by source, ids that stand for different events.
        failed: by path, why a file could not be opened or read to its end; nothing of it counts.
    """

    record_counts: RecordCounts
    errors: Counts
    warnings: Counts
    findings: tuple[Finding, ...]
    files: int
    hints: dict[str, str] = field(default_factory=dict)
    listings: tuple[Listing, ...] = ()
    conflicts: tuple[SourceConflicts, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def unread(self) -> list[Finding]:
        """The files that could not be read as a whole."""
        return [one for one in self.findings if not one.line]

    def as_json(self) -> dict[str, Any]:
        """The outcome as JSON-ready values."""
        return {
            "files": self.files,
            "record_counts": vars(self.record_counts),
            "errors": _rows_of(self.errors),
            "warnings": _rows_of(self.warnings),
            "hints": [
                {"path": path, "hint": hint, "text": describe_hint(hint)}
                for path, hint in self.hints.items()
            ],
            "ids_are_unique": not any(one.is_too_many for one in self.conflicts),
            "conflicts": [
                {**vars(one), "types": dict(sorted(one.types.items()))} for one in self.conflicts
            ],
            "findings": [_finding_as_json(finding) for finding in self.findings],
            "failed": [{"path": path, "message": why} for path, why in self.failed.items()],
            "passed_over": [
                {"source": listing.source.name, **vars(one)}
                for listing in self.listings
                for one in listing.passed_over
            ],
        }


def validate_sources(settings: SequenSettings) -> Validation:
    """Validate every file of the settings' sources.

    Returns:
        Counts and the first findings; nothing is written anywhere.

    Raises:
        ExportsError: a location cannot be listed.
    """
    contract = EventContract.of(settings)
    listings = list_locations(settings.sources)
    files = [file for listing in listings for file in listing.files]
    total = Tally()
    findings: list[Finding] = []
    hints: dict[str, str] = {}
    failed: dict[str, str] = {}
    conflicts = ConflictCounter()
    for file in files:
        origin = Origin(file.source, file.path, min(file.modified_at, utc_now()))
        sink = _FindingSink(file.path, conflicts)
        try:
            with ExportReader(file, ReadLimits.of(settings)) as reader:
                tally, _, _ = validate_file(reader, contract, origin, sink)
        except (OSError, VanishedFileError) as error:
            # One file that cannot be opened must not hold back what is to be said of the others.
            failed[file.path] = _describe_error(error)
            continue
        conflicts = sink.conflicts
        total.record_counts += tally.record_counts
        total.errors += tally.errors
        total.warnings += tally.warnings
        findings += sink.first
        if hint := tally.hint:
            hints[file.path] = hint
    return Validation(
        total.record_counts,
        total.errors,
        total.warnings,
        tuple(findings),
        len(files) - len(failed),
        hints,
        tuple(listings),
        tuple(conflicts.result()),
        failed,
    )


def _describe_error(error: OSError | VanishedFileError) -> str:
    if isinstance(error, PermissionError):
        return "This user may not read it. Give it the right to."
    if isinstance(error, VanishedFileError):
        return str(error)
    return f"It cannot be read: {error.strerror or type(error).__name__}."


class _FindingSink:
    """Keeps the first quarantined records of a file, and hashes of the accepted ones."""

    def __init__(self, path: str, conflicts: ConflictCounter) -> None:
        self._path = path
        self._before = conflicts
        self.first: list[Finding] = []
        self.conflicts = conflicts.copy()

    def write(self, split: Split) -> None:
        self.conflicts.add(split.accepted)
        rows = split.quarantined.head(_MAX_FINDINGS - len(self.first)).iter_rows(named=True)
        self.first += [
            Finding(
                self._path,
                row["source_line"],
                row["source_item"],
                tuple(row["rules"]),
                "" if row["source_line"] else row["raw"],
            )
            for row in rows
        ]

    def restart(self) -> None:
        self.first.clear()
        self.conflicts = self._before.copy()


def _finding_as_json(finding: Finding) -> dict[str, Any]:
    own = vars(finding)
    return own if finding.message else {name: own[name] for name in own if name != "message"}


def _rows_of(counts: Counts) -> list[dict[str, Any]]:
    return [
        {"type": event_type, "rule": rule, "records": records}
        for (event_type, rule), records in sorted(counts.items())
    ]
