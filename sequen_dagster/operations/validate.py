"""`sequen-dagster validate`: validate files by the contract, without home or Dagster."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from sequen_dagster.contract import EventContract, Origin, Split
from sequen_dagster.contract.conflicts import ConflictCounter, SourceConflicts
from sequen_dagster.contract.hints import describe_hint
from sequen_dagster.contract.scalars import utc_now
from sequen_dagster.contract.warnings import Counts
from sequen_dagster.errors import VanishedFileError
from sequen_dagster.exports.files import Listing, list_locations
from sequen_dagster.exports.readers import ExportReader, ReadLimits
from sequen_dagster.lake.commits import RecordCounts
from sequen_dagster.lake.ingest import validate_file
from sequen_dagster.lake.tally import Tally
from sequen_dagster.runtime.text import counted, printable, quoted
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
            "errors": _listed(self.errors),
            "warnings": _listed(self.warnings),
            "hints": [
                {"path": path, "hint": hint, "text": describe_hint(hint)}
                for path, hint in self.hints.items()
            ],
            "ids_are_unique": not any(one.is_too_many for one in self.conflicts),
            "conflicts": [
                {**vars(one), "types": dict(sorted(one.types.items()))} for one in self.conflicts
            ],
            "findings": [_as_json(finding) for finding in self.findings],
            "failed": [{"path": path, "message": why} for path, why in self.failed.items()],
            "passed_over": [
                {"source": listing.source.name, **vars(one)}
                for listing in self.listings
                for one in listing.passed_over
            ],
        }


def validate_path(settings: SequenSettings) -> Validation:
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
        sink = _Findings(file.path, conflicts)
        try:
            with ExportReader(file, ReadLimits.of(settings)) as reader:
                tally, _, _ = validate_file(reader, contract, origin, sink)
        except (OSError, VanishedFileError) as error:
            # One closed file must not hold back what is to be said of the others.
            failed[file.path] = _why(error)
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


def _why(error: OSError | VanishedFileError) -> str:
    if isinstance(error, PermissionError):
        return "This user may not read it. Give it the right to."
    if isinstance(error, VanishedFileError):
        return str(error)
    return f"It cannot be read: {error.strerror or type(error).__name__}."


class _Findings:
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


def render_human(outcome: Validation) -> Group:
    """The outcome for a terminal; names are shown as text, never as markup."""
    record_counts = outcome.record_counts
    head = Text(
        f"{counted(outcome.files, 'file')}, {counted(record_counts.records_read, 'record')}: "
        f"{record_counts.accepted:,} accepted, {record_counts.quarantined:,} quarantined"
    )
    parts: list[Text | Table] = [head]
    for title, counts in (("broken rules", outcome.errors), ("warnings", outcome.warnings)):
        if counts:
            parts.append(_table(title, counts))
    parts += [Text(line) for line in _conflicts(outcome)]
    for path, hint in list(outcome.hints.items())[:_MAX_FINDINGS]:
        parts.append(Text(f"{quoted(path)}: {describe_hint(hint)}"))
    if outcome.findings:
        table = Table(title="first quarantined records", title_justify="left")
        for column in ("file", "line", "item", "rules"):
            table.add_column(column)
        for one in outcome.findings[:_MAX_FINDINGS]:
            table.add_row(
                Text(quoted(one.path)), str(one.line), str(one.item), ", ".join(one.rules)
            )
        parts.append(table)
    return Group(*parts)


def closing_lines(outcome: Validation) -> Iterator[Text]:
    """What follows on a terminal, a line each however long: files not read, files passed over."""
    for one in outcome.unread[:_MAX_FINDINGS]:
        yield Text(f"not read {quoted(one.path)}: {', '.join(one.rules)}: {one.message}")
    if len(outcome.unread) > _MAX_FINDINGS:
        yield Text(f"{counted(len(outcome.unread), 'file')} could not be read as a whole.")
    for path, why in list(outcome.failed.items())[:_MAX_FINDINGS]:
        yield Text(f"not read {quoted(path)}: {why}")
    if len(outcome.failed) > _MAX_FINDINGS:
        yield Text(f"{counted(len(outcome.failed), 'file')} could not be opened.")
    for listing in outcome.listings:
        if listing.is_reportable:
            yield Text(f"exports {listing}")


def render_github(outcome: Validation) -> Iterator[str]:
    """One GitHub workflow command a finding, and one for what was passed over."""
    for one in outcome.findings:
        why = f" ({printable(one.message)})" if one.message else ""
        yield _annotation(one.path, max(one.line, 1), f"{', '.join(one.rules)}{why}")
    for path, why in outcome.failed.items():
        yield _annotation(path, 1, f"not read: {printable(why)}")
    for line in _conflicts(outcome):
        yield f"::warning::{_escaped(line)}"
    for listing in outcome.listings:
        if listing.is_reportable:
            yield f"::{'notice' if listing.files else 'warning'}::{_escaped(str(listing))}"


def _annotation(path: str, line: int, text: str) -> str:
    # A path that needs spelling out marks no file then, and breaks out of no line either.
    file = _escaped(printable(path)).replace(":", "%3A").replace(",", "%2C")
    return f"::error file={file},line={line}::{_escaped(text)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25")


def _conflicts(outcome: Validation) -> list[str]:
    """The sentences about ids that stand for different events."""
    too_many = "ids are not unique: "
    return [
        f"{too_many if one.is_too_many else ''}source {one.source}: "
        f"{'about ' if one.is_estimate else ''}{one}"
        for one in outcome.conflicts
    ]


def _as_json(finding: Finding) -> dict[str, Any]:
    own = vars(finding)
    return own if finding.message else {name: own[name] for name in own if name != "message"}


def _table(title: str, counts: Counts) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("type")
    table.add_column("rule")
    table.add_column("records", justify="right")
    for (event_type, rule), records in counts.most_common():
        table.add_row(Text(printable(event_type)), rule, f"{records:,}")
    return table


def _listed(counts: Counts) -> list[dict[str, Any]]:
    return [
        {"type": event_type, "rule": rule, "records": records}
        for (event_type, rule), records in sorted(counts.items())
    ]
