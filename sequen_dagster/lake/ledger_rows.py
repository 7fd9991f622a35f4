"""Lake: what a row of the ledger says of a version of a file, and how it is read and written."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from sequen_dagster.contract.scalars import utc_now
from sequen_dagster.exports.files import ExportFile
from sequen_dagster.lake.commits import Batch

FileState = Literal["seen", "stable", "committed", "failed", "dead_lettered"]
FileKey = tuple[str, str, int, str, str]

# The columns of a key, and the condition that a row is that of a file.
_KEY: Final = "source, path, size_bytes, modified_at, etag"
IS_FILE: Final = f"({_KEY}) = (?, ?, ?, ?, ?)"
_CURRENT: Final = """
    select path, size_bytes, modified_at, etag
    from file_versions where source = ? and state = 'committed'
    order by version, updated_at
"""
_STATUS: Final = (
    "state, first_seen_at, observations, attempts, retry_at, begun_at is not null as is_begun,"
    " file_group, requests, error"
)
OBSERVE: Final = f"""
    insert into file_versions (
        source, path, size_bytes, modified_at, etag, state, first_seen_at, observations, updated_at
    ) values (?, ?, ?, ?, ?, 'seen', ?, 1, ?)
    on conflict do update set
        observations = observations + 1,
        -- A clock that was set back must not keep a file waiting.
        first_seen_at = min(first_seen_at, excluded.first_seen_at)
    returning {_STATUS}
"""  # noqa: S608  # our own names
# What a commit says of a version, whose counts it keeps when the file is only read again.
_COMMITTED: Final = (
    "batch_id",
    "file_sha256",
    "records_read",
    "accepted",
    "quarantined",
    "skipped",
    "quarantined_by_rule",
    "first_error_line",
    "first_error_rule",
    "first_error_message",
)
# Commits are indexed in the order of their names, not of the versions they hold.
_IS_NEXT: Final = (
    "(excluded.version > version"
    " or (excluded.version = version and excluded.commit_id is not null))"
)
_RECORD: Final = f"""
    insert into file_versions (
        source, path, size_bytes, modified_at, etag, state, first_seen_at, version, commit_id,
        {", ".join(_COMMITTED)}, updated_at
    ) values (?, ?, ?, ?, ?, 'committed', ?, ?, ?, {", ".join("?" * len(_COMMITTED))}, ?)
    on conflict do update set
        state = 'committed', error = null, begun_at = null, file_group = null, attempts = 0,
        commit_id = case when excluded.version < version or excluded.commit_id is null
            then commit_id else excluded.commit_id end,
        {", ".join(f"{name} = iif({_IS_NEXT}, excluded.{name}, {name})" for name in _COMMITTED)},
        version = max(version, excluded.version),
        updated_at = excluded.updated_at
"""  # noqa: S608  # our own names


@dataclass(frozen=True)
class FileStatus:
    """What is known of a file that is not committed as it lies there.

    Attributes:
        file: the file as listed.
        state: `seen`, `stable`, `failed` or `dead_lettered`; `committed` where an older version
            returned.
        first_seen_at: when it was first observed like this.
        observations: how many polls of the location have found it like this.
        attempts: how often it has failed.
        retry_at: a sensor does not try it before; empty for at once.
        is_begun: whether a run began to read it and has not said how that went.
        file_group: the run that was asked to take it in, until that has ended.
        requests: how many such runs have ended.
        error: why it failed last.
    """

    file: ExportFile
    state: FileState
    first_seen_at: str
    observations: int
    attempts: int
    retry_at: str
    is_begun: bool
    file_group: str | None
    requests: int
    error: str | None

    def is_due(self, now: datetime) -> bool:
        """Whether it may be tried now, as far as its failures go."""
        return not self.retry_at or self.retry_at <= now.isoformat()


def file_key(file: ExportFile) -> FileKey:
    """What names a version of a file before it is read: source, path, size, time and etag."""
    return (
        file.source, file.path, file.size_bytes, file.modified_at.isoformat(), file.etag
    )  # fmt: skip


def key_of(row: sqlite3.Row) -> FileKey:
    """The key of a row that `select_where` or a statement of `files` has given."""
    return (row[0], row[1], row[2], row[3], row[4])


def select_where(condition: str) -> str:
    """The statement that selects keys and statuses."""
    return f"select {_KEY}, {_STATUS} from file_versions where {condition}"  # noqa: S608  # our own conditions


def parse_status(file: ExportFile, row: sqlite3.Row) -> FileStatus:
    """The status of a file in its row."""
    return FileStatus(
        file=file,
        state=row["state"],
        first_seen_at=row["first_seen_at"],
        observations=row["observations"],
        attempts=row["attempts"],
        retry_at=row["retry_at"],
        is_begun=bool(row["is_begun"]),
        file_group=row["file_group"],
        requests=row["requests"],
        error=row["error"],
    )


def find_uncommitted(
    connection: sqlite3.Connection, files: Iterable[ExportFile]
) -> list[ExportFile]:
    """Those of `files` that are not the current version of their path."""
    listed = list(files)
    # A tick reads a row for every file there is: plain tuples, and no times written as text.
    rows = connection.cursor()
    rows.row_factory = None
    # In order of the versions, so that the newest stays.
    current = {
        source: {row[0]: row for row in rows.execute(_CURRENT, (source,))}
        for source in {file.source for file in listed}
    }

    uncommitted = []
    for file in listed:
        held = current[file.source].get(file.path)
        if (
            held is None
            or held[1] != file.size_bytes
            # Commits of the first release say nothing of an etag.
            or (held[3] != file.etag and held[3])
            or datetime.fromisoformat(held[2]) != file.modified_at
        ):
            uncommitted.append(file)
    return uncommitted


def record_batch(connection: sqlite3.Connection, batch: Batch, commit_id: str | None) -> None:
    """Note that a version of a file is committed, or (without a commit) that it was before."""
    first = batch.first_error
    by_rule: Counter[str] = Counter()
    for one in batch.rule_counts:
        if one.severity == "error":
            by_rule[one.rule] += one.records
    connection.execute(
        _RECORD,
        (
            batch.source,
            batch.path,
            batch.file_bytes,
            batch.modified_at.isoformat(),
            batch.etag,
            batch.registered_at.isoformat(),
            batch.version,
            commit_id,
            batch.batch_id,
            batch.file_sha256,
            batch.record_counts.records_read,
            batch.record_counts.accepted,
            batch.record_counts.quarantined,
            batch.record_counts.skipped,
            json.dumps(by_rule) if by_rule else None,
            first.line if first else None,
            first.rule if first else None,
            first.message if first else None,
            utc_now().isoformat(),
        ),
    )
