"""Lake: commits, the truth of what has been taken in.

A commit is one JSON manifest that holds many batches with their record counts. It is written last,
by rename, and named by the hash of what it holds: a second try is the same commit.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

from sequen_dagster.errors import ReconciliationError
from sequen_dagster.home.durable import FailPoints, write_file
from sequen_dagster.home.layout import Lake
from sequen_dagster.runtime.text import quoted

SCHEMA_VERSION: Final = 1
# Between the id of a commit and its revision.
_REVISION: Final = ".r"
_FAIL_POINTS: Final[FailPoints] = ("lake.manifest_written", "lake.committed")


@dataclass(frozen=True)
class RecordCounts:
    """How many records of a batch went where.

    Attributes:
        records_read: records found in the file, readable or not.
        accepted: rows in the lake's events.
        quarantined: rows in its quarantine.
        skipped: records left out on purpose.
        blank_lines: lines without a record; not part of the sum.
    """

    records_read: int = 0
    accepted: int = 0
    quarantined: int = 0
    skipped: int = 0
    blank_lines: int = 0

    def __add__(self, other: "RecordCounts") -> "RecordCounts":
        return RecordCounts(
            self.records_read + other.records_read,
            self.accepted + other.accepted,
            self.quarantined + other.quarantined,
            self.skipped + other.skipped,
            self.blank_lines + other.blank_lines,
        )

    @property
    def is_reconciled(self) -> bool:
        """Whether every record that was read went somewhere."""
        return self.records_read == self.accepted + self.quarantined + self.skipped


@dataclass(frozen=True)
class RuleCount:
    """How many records of a type broke a rule, or raised a warning."""

    type: str
    rule: str
    severity: str
    records: int


@dataclass(frozen=True)
class FirstError:
    """Where a file first broke the contract.

    Attributes:
        line: physical line where the record starts; 0 for a whole file.
        rule: the first rule that it broke.
        message: of a whole file, what it is and what to do; facts of the file, never values.
    """

    line: int
    rule: str
    message: str = ""


@dataclass(frozen=True)
class Batch:
    """One version of one file, validated.

    Attributes:
        batch_id: names the version: source, path and content.
        source: name of the source.
        path: path under the location.
        version: 1 for the first version of the path, then counting up; the greatest is current.
        file_format: what the content was.
        file_sha256: hash of the bytes that were parsed.
        file_bytes: how many these were.
        modified_at: modified time that the store reported.
        received_at: the arrival time: `modified_at`, or `registered_at` if that is earlier.
        registered_at: when this version was first met.
        contract_fingerprint: names the contract that it was validated by.
        record_counts: where its records went.
        rule_counts: rules broken and warnings, by type.
        events: Parquet files of accepted rows, relative to the lake.
        quarantine: Parquet files of quarantined rows, relative to the lake.
        etag: what else the store says of the content, see `ExportFile`.
        first_error: the first quarantined record, if there is one.
        hint: what the file looks like where its records fail together, see `contract.hints`.
        erasures: names the list of erased people that was applied; empty where there was none.
        revision: how often its rows were rewritten, to erase a person or to drop old raw text.
        is_raw_dropped: whether the raw text of its quarantined records is gone for its age.
    """

    batch_id: str
    source: str
    path: str
    version: int
    file_format: str
    file_sha256: str
    file_bytes: int
    modified_at: datetime
    received_at: datetime
    registered_at: datetime
    contract_fingerprint: str
    record_counts: RecordCounts
    rule_counts: tuple[RuleCount, ...] = ()
    events: tuple[str, ...] = ()
    quarantine: tuple[str, ...] = ()
    etag: str = ""
    first_error: FirstError | None = None
    hint: str = ""
    erasures: str = ""
    revision: int = 0
    is_raw_dropped: bool = False

    @property
    def is_unread(self) -> bool:
        """Whether the file could not be read as a whole."""
        return self.first_error is not None and self.first_error.line == 0

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Read a batch as a manifest holds it."""
        # Manifests of the first releases call them `books`.
        value = {"record_counts" if name == "books" else name: one for name, one in value.items()}
        times = ("modified_at", "received_at", "registered_at")
        first_error = value.get("first_error")
        return cls(
            **{
                **value,
                **{name: datetime.fromisoformat(value[name]) for name in times},
                "record_counts": RecordCounts(**value["record_counts"]),
                "first_error": FirstError(**first_error) if first_error else None,
                "rule_counts": tuple(RuleCount(**one) for one in value["rule_counts"]),
                "events": tuple(value["events"]),
                "quarantine": tuple(value["quarantine"]),
            }
        )


@dataclass(frozen=True)
class Commit:
    """One atomic act of the lake.

    Attributes:
        batches: what it holds, in order of their ids.
        committed_at: when it was written, UTC without zone; history, not identity.
        run_id: the run that wrote it, empty outside of Dagster.
    """

    batches: tuple[Batch, ...]
    committed_at: datetime
    run_id: str = ""

    @property
    def commit_id(self) -> str:
        """Hash of the batches and versions it holds, 32 hex digits."""
        names = sorted(f"{batch.batch_id}:{batch.version}" for batch in self.batches)
        return hashlib.sha256("\n".join(names).encode()).hexdigest()[:32]

    @property
    def revision(self) -> int:
        """How often rows of it were rewritten."""
        return sum(batch.revision for batch in self.batches)

    @property
    def name(self) -> str:
        """Names the commit as it is now: its id, and its revision where rows were rewritten."""
        return f"{self.commit_id}{_REVISION}{self.revision}" if self.revision else self.commit_id

    @property
    def record_counts(self) -> RecordCounts:
        """The record counts of all batches together."""
        return sum((batch.record_counts for batch in self.batches), RecordCounts())


def batch_id_of(source: str, path: str, file_sha256: str) -> str:
    """The id of a version of a file: 32 hex digits over source, path and content."""
    return hashlib.sha256("\0".join((source, path, file_sha256)).encode()).hexdigest()[:32]


def reconciliation_error(batch: Batch) -> ReconciliationError:
    """The error for a batch whose counts do not reconcile."""
    return ReconciliationError(
        f"The counts of {quoted(batch.path)} do not reconcile: {asdict(batch.record_counts)}. "
        "Nothing of it was committed; this is a fault of sequen-dagster, please report it."
    )


def write_commit(lake: Lake, commit: Commit) -> Path:
    """Make a commit real: write its manifest beside the others and rename it into place.

    A commit whose rows were rewritten gets a manifest of its next name, and counts from then on.

    Args:
        lake: every Parquet file that the commit names is already there.
        commit: what to commit.

    Returns:
        The manifest.

    Raises:
        ReconciliationError: the counts of a batch do not reconcile; nothing is written.
        StorageError: the lake cannot be written; nothing was committed.
    """
    for batch in commit.batches:
        if not batch.record_counts.is_reconciled:
            raise reconciliation_error(batch)
    target = lake.commits / f"{commit.name}.json"
    content = {
        "schema_version": SCHEMA_VERSION,
        "commit_id": commit.commit_id,
        "committed_at": commit.committed_at,
        "run_id": commit.run_id,
        "batches": [asdict(batch) for batch in commit.batches],
    }
    text = json.dumps(content, default=_iso, separators=(",", ":"))
    write_file(target, text, what="the manifest of a commit", fail_points=_FAIL_POINTS)
    return target


def list_commit_names(lake: Lake) -> list[str]:
    """The names of all commits of a lake, in order, each in its latest revision."""
    return sorted(manifest.stem for manifest in latest_manifests(lake).values())


def read_commits(lake: Lake, *, known: Iterable[str] = ()) -> Iterator[Commit]:
    """Read the commits of a lake in order of their ids, each in its latest revision.

    Args:
        lake: the lake.
        known: names of commits to pass over.
    """
    seen = set(known)
    for commit_id, manifest in sorted(latest_manifests(lake).items()):
        if manifest.stem in seen:
            continue
        try:
            yield read_commit(manifest)
        except FileNotFoundError:
            # Rows were rewritten since the folder was listed.
            yield read_commit(latest_manifests(lake)[commit_id])


def latest_manifests(lake: Lake) -> dict[str, Path]:
    """The manifest that counts of every commit, by its id; the name of the file is the commit's."""
    revisions: dict[str, tuple[int, Path]] = {}
    for manifest in lake.commits.glob("*.json"):
        commit_id, _, revision = manifest.stem.partition(_REVISION)
        candidate = (int(revision or 0), manifest)
        revisions[commit_id] = max(candidate, revisions.get(commit_id, candidate))
    return {commit_id: manifest for commit_id, (_, manifest) in revisions.items()}


def commit_id_of(name: str) -> str:
    """The id of a commit by its name, which says its revision too."""
    return name.partition(_REVISION)[0]


def named_rows(lake: Lake) -> set[str]:
    """The Parquet files that commits name, relative to the lake."""
    return {
        name
        for commit in read_commits(lake)
        for batch in commit.batches
        for name in (*batch.events, *batch.quarantine)
    }


def current_batches(lake: Lake) -> list[Batch]:
    """The batches that the tables are made of: of every path the latest version.

    Of a version that several commits hold, the commit with the smaller name counts.

    Returns:
        Batches in order of source and path.
    """
    current: dict[tuple[str, str], Batch] = {}
    for commit in read_commits(lake):
        for batch in commit.batches:
            key = (batch.source, batch.path)
            if key not in current or batch.version > current[key].version:
                current[key] = batch
    return [current[key] for key in sorted(current)]


def read_commit(manifest: Path) -> Commit:
    """Read one manifest."""
    content = json.loads(manifest.read_text(encoding="utf-8"))
    return Commit(
        tuple(Batch.from_json(batch) for batch in content["batches"]),
        datetime.fromisoformat(content["committed_at"]),
        content["run_id"],
    )


def _iso(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    message = f"{type(value).__name__} has no JSON form"
    raise TypeError(message)
