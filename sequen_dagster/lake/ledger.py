"""Lake: the ledger, an index of the commits plus the state of files that are not committed yet.

The commits are the truth: `sync` brings the ledger up to them, and an empty ledger fills itself.
Whoever wants to know about a file asks the view `files` of `ledger.sqlite`, one row a version.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from sequen_dagster.contract.scalars import utc_now
from sequen_dagster.errors import HomeError
from sequen_dagster.exports.files import ExportFile
from sequen_dagster.lake.commits import Batch, Commit, commit_id_of, commit_names, read_commits
from sequen_dagster.lake.ledger_file import connect, ledger_path, prepare
from sequen_dagster.runtime.text import quoted

FileState = Literal["seen", "stable", "committed", "failed", "dead_lettered"]

_SECOND: Final = timedelta(seconds=1)
_MAX_BACKOFF: Final = timedelta(days=1)
_KEY: Final = "(source, path, size_bytes, modified_at, etag) = (?, ?, ?, ?, ?)"
_CURRENT: Final = """
    select source, path, size_bytes, modified_at, etag
    from file_versions where state = 'committed'
    order by version, updated_at
"""
_UNREAD: Final = """
    select source, path, first_error_rule, coalesce(first_error_message, '')
    from file_versions as own
    where state = 'committed' and first_error_line = 0 and version = (
        select max(version) from file_versions
        where source = own.source and path = own.path and state = 'committed'
    )
    group by source, path
    order by source, path
"""
_STATUS: Final = (
    "state, first_seen_at, observations, attempts, retry_at, begun_at is not null as is_begun,"
    " file_group, requests, error"
)
_OBSERVE: Final = f"""
    insert into file_versions (
        source, path, size_bytes, modified_at, etag, state, first_seen_at, observations, updated_at
    ) values (?, ?, ?, ?, ?, 'seen', ?, 1, ?)
    on conflict do update set
        observations = observations + 1,
        -- A clock that was set back must not keep a file waiting.
        first_seen_at = min(first_seen_at, excluded.first_seen_at)
    returning {_STATUS}
"""
_RECORD: Final = """
    insert into file_versions (
        source, path, size_bytes, modified_at, etag, state, first_seen_at, version, batch_id,
        file_sha256, commit_id, records_read, accepted, quarantined, skipped,
        first_error_line, first_error_rule, first_error_message, updated_at
    ) values (?, ?, ?, ?, ?, 'committed', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    on conflict do update set
        state = 'committed', error = null, begun_at = null, file_group = null, attempts = 0,
        -- Commits are indexed in the order of their names, not of the versions they hold.
        commit_id = case when excluded.version < version or excluded.commit_id is null
            then commit_id else excluded.commit_id end,
        version = max(version, excluded.version),
        batch_id = excluded.batch_id,
        file_sha256 = excluded.file_sha256,
        records_read = excluded.records_read,
        accepted = excluded.accepted,
        quarantined = excluded.quarantined,
        skipped = excluded.skipped,
        first_error_line = excluded.first_error_line,
        first_error_rule = excluded.first_error_rule,
        first_error_message = excluded.first_error_message,
        updated_at = excluded.updated_at
"""


@dataclass(frozen=True)
class FileStatus:
    """What is known of a file that is not committed as it lies there.

    Attributes:
        file: the file as listed.
        state: `seen`, `stable`, `failed` or `dead_lettered`; `committed` where an older version
            returned.
        first_seen_at: when it was first seen looking like this.
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


@dataclass(frozen=True)
class UnreadFile:
    """A file whose current version could not be read as a whole.

    Attributes:
        source: name of the source.
        path: path under the exports place.
        rule: the rule code, such as `unsupported_format`.
        message: what the file is, and what to do; empty in homes of older releases.
    """

    source: str
    path: str
    rule: str
    message: str

    def __str__(self) -> str:
        why = f"{self.rule}: {self.message}" if self.message else self.rule
        return f"{quoted(self.path)}: {why}"


class Ledger:
    """What is known of every version of every file of a home.

    Args:
        home: the home; the ledger is its `ledger.sqlite`.

    Raises:
        HomeError: the ledger is damaged, or was made by a newer release.
    """

    def __init__(self, home: Path) -> None:
        self._lake = home / "lake"
        self._path = ledger_path(home)
        prepare(self._path)

    def sync(self) -> int:
        """Index the commits that are not indexed yet; return how many these were.

        Raises:
            HomeError: commits that were indexed are gone from the lake.
        """
        with connect(self._path) as connection:
            known = {row[0] for row in connection.execute("select commit_id from commits")}
        missing = list(read_commits(self._lake, known=known))
        for commit in missing:
            self.record_commit(commit)
        self.check_lake()
        return len(missing)

    def check_lake(self) -> None:
        """Stop where commits that were indexed are gone.

        Raises:
            HomeError: they are.
        """
        with connect(self._path) as connection:
            known = [row[0] for row in connection.execute("select commit_id from commits")]
        present = {commit_id_of(name) for name in commit_names(self._lake)}
        lost = [name for name in known if commit_id_of(name) not in present]
        if lost:
            message = (
                f"The lake in {str(self._lake)!r} has lost {len(lost)} of its commits, so files "
                "would be read again as if they were new. Restore the folder from a backup; or, if "
                "that is meant, run `sequen-dagster doctor --rebuild`."
            )
            raise HomeError(message)

    def pending(self, files: Iterable[ExportFile]) -> list[ExportFile]:
        """Return the `files` that are neither committed as they are now nor dead-lettered.

        A file is compared with the newest version of its path, not with a time: one that becomes
        visible late, or goes back to an older content, is pending like any other.
        """
        with connect(self._path) as connection:
            dead_lettered = {
                tuple(row)[:5] for row in connection.execute(_select("state = 'dead_lettered'"))
            }
            return [
                file for file in _changed(connection, files) if file_key(file) not in dead_lettered
            ]

    def observe(self, files: Iterable[ExportFile]) -> list[FileStatus]:
        """Note one look at the exports places; writes only of what is not committed yet.

        Args:
            files: all files as listed now.

        Returns:
            The status of each that is not committed as it lies there, in the order given.
        """
        now = _now()
        with connect(self._path) as connection:
            return [
                _status(file, connection.execute(_OBSERVE, (*file_key(file), now, now)).fetchone())
                for file in _changed(connection, files)
            ]

    def statuses(self, files: Sequence[ExportFile]) -> list[FileStatus]:
        """What is known of files; those that were never observed are left out."""
        with connect(self._path) as connection:
            statement = _select(_KEY)
            rows = [
                (file, connection.execute(statement, file_key(file)).fetchone()) for file in files
            ]
        return [_status(file, row) for file, row in rows if row]

    def mark_stable(self, files: Iterable[ExportFile]) -> None:
        """Note that files are whole."""
        self._update("state = 'stable'", files, where="state = 'seen'")

    def request(self, file_group: str, files: Iterable[ExportFile]) -> None:
        """Note that a run was asked to take in files; asking twice is asking once."""
        self._update("file_group = ?", files, file_group)

    def conclude(self, file_group: str, *, retry_seconds: int) -> None:
        """Note that such a run has ended, whatever came of it.

        What it had begun to read, and did not bring to an end, has cost it its life, maybe.
        """
        with connect(self._path) as connection:
            begun = connection.execute(
                _select("file_group = ? and begun_at is not null"), (file_group,)
            ).fetchall()
            for row in begun:
                attempts = row["attempts"] + 1
                connection.execute(
                    "update file_versions set attempts = ?, retry_at = ?,"
                    f" error = 'the run that read it has died' where {_KEY}",
                    (attempts, _retry_at(attempts, retry_seconds), *row[:5]),
                )
            connection.execute(
                "update file_versions set file_group = null, requests = requests + 1,"
                " updated_at = ? where file_group = ?",
                (_now(), file_group),
            )

    def requested(self, file_group: str) -> set[tuple[str, str, int, str, str]]:
        """Keys of the files that a run was asked to take in: source, path, size, time, etag."""
        with connect(self._path) as connection:
            rows = connection.execute(_select("file_group = ?"), (file_group,))
            return {tuple(row)[:5] for row in rows}

    def begin(self, files: Sequence[ExportFile]) -> bool:
        """Note that files are about to be read; return whether a run died reading one of them."""
        suspects = any(status.is_begun for status in self.statuses(files))
        with connect(self._path) as connection:
            now = _now()
            connection.executemany(
                "insert into file_versions (source, path, size_bytes, modified_at, etag, state,"
                " first_seen_at, begun_at, updated_at) values (?, ?, ?, ?, ?, 'seen', ?, ?, ?)"
                " on conflict do update set begun_at = excluded.begun_at",
                [(*file_key(file), now, now, now) for file in files],
            )
        return suspects

    def record_failure(
        self, file: ExportFile, error: str, *, max_attempts: int, retry_seconds: int = 0
    ) -> int:
        """Note a failure; return how often this version has failed now.

        Args:
            file: the file as listed.
            error: why, without values of events.
            max_attempts: with as many failures it is dead-lettered, and not tried again.
            retry_seconds: the first wait; it doubles with every failure.
        """
        self.begin([file])
        with connect(self._path) as connection:
            (before,) = connection.execute(
                f"select attempts from file_versions where {_KEY}", file_key(file)
            ).fetchone()
            attempts = int(before) + 1
            connection.execute(
                "update file_versions set state = ?, attempts = ?, error = ?, retry_at = ?,"
                f" begun_at = null, file_group = null, updated_at = ? where {_KEY}",
                (
                    "dead_lettered" if attempts >= max_attempts else "failed",
                    attempts,
                    error,
                    _retry_at(attempts, retry_seconds),
                    _now(),
                    *file_key(file),
                ),
            )
        return attempts

    def record_left(self, file: ExportFile) -> None:
        """Note that a file was left alone after all: gone, or not what it was when listed."""
        self._update("begun_at = null", [file])

    def release(self, files: Iterable[ExportFile]) -> None:
        """Have dead-lettered files tried again."""
        self._update(
            "state = 'seen', attempts = 0, retry_at = ''", files, where="state = 'dead_lettered'"
        )

    def current(self, source: str, path: str) -> tuple[int, str | None]:
        """The newest committed version of a path and its batch; (0, None) where there is none."""
        with connect(self._path) as connection:
            row = connection.execute(
                "select version, batch_id from file_versions"
                " where source = ? and path = ? and state = 'committed'"
                " order by version desc, updated_at desc limit 1",
                (source, path),
            ).fetchone()
        return (row[0], row[1]) if row else (0, None)

    def unread_files(self) -> list[UnreadFile]:
        """The files whose current version could not be read as a whole, in order of their paths."""
        with connect(self._path) as connection:
            return [UnreadFile(*row) for row in connection.execute(_UNREAD)]

    def newest_received_at(self) -> datetime | None:
        """The latest receipt of all committed files; None where there is none."""
        with connect(self._path) as connection:
            newest = connection.execute(
                "select max(min(modified_at, first_seen_at)) from file_versions"
                " where state = 'committed'"
            ).fetchone()[0]
        return datetime.fromisoformat(newest) if newest else None

    def record_commit(self, commit: Commit) -> None:
        """Index a commit, in place of an older form of it."""
        with connect(self._path) as connection:
            for batch in commit.batches:
                self._record(connection, batch, commit.commit_id)
            connection.execute(
                "delete from commits where commit_id = ? or commit_id like ? || '.%'",
                (commit.commit_id, commit.commit_id),
            )
            connection.execute(
                "insert into commits values (?, ?)", (commit.name, commit.committed_at.isoformat())
            )

    def record_unchanged(self, batch: Batch) -> None:
        """Note that a file was touched but holds what its newest version holds."""
        with connect(self._path) as connection:
            self._record(connection, batch, None)

    def _record(self, connection: sqlite3.Connection, batch: Batch, commit_id: str | None) -> None:
        first = batch.first_error
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
                batch.batch_id,
                batch.file_sha256,
                commit_id,
                batch.record_counts.records_read,
                batch.record_counts.accepted,
                batch.record_counts.quarantined,
                batch.record_counts.skipped,
                first.line if first else None,
                first.rule if first else None,
                first.message if first else None,
                _now(),
            ),
        )

    def _update(
        self, assignment: str, files: Iterable[ExportFile], *values: str, where: str = "true"
    ) -> None:
        statement = f"update file_versions set {assignment} where {where} and {_KEY}"
        with connect(self._path) as connection:
            connection.executemany(statement, [(*values, *file_key(file)) for file in files])


def _changed(connection: sqlite3.Connection, files: Iterable[ExportFile]) -> list[ExportFile]:
    # In order of the versions, so that the newest stays.
    current = {(row[0], row[1]): tuple(row) for row in connection.execute(_CURRENT)}

    def is_current(file: ExportFile) -> bool:
        held = current.get((file.source, file.path))
        if held is None:
            return False
        key = file_key(file)
        # Commits of the first release say nothing of an etag.
        return held == key or held == (*key[:4], "")

    return [file for file in files if not is_current(file)]


def _select(where: str) -> str:
    key = "source, path, size_bytes, modified_at, etag"
    return f"select {key}, {_STATUS} from file_versions where {where}"


def _status(file: ExportFile, row: sqlite3.Row) -> FileStatus:
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


def file_key(file: ExportFile) -> tuple[str, str, int, str, str]:
    """What names a version of a file before it is read: source, path, size, time and etag."""
    return (
        file.source, file.path, file.size_bytes, file.modified_at.isoformat(), file.etag
    )  # fmt: skip


def _retry_at(attempts: int, retry_seconds: int) -> str:
    wait: timedelta = retry_seconds * _SECOND * 2 ** min(attempts - 1, 16)
    return (utc_now() + min(wait, _MAX_BACKOFF)).isoformat()


def _now() -> str:
    return utc_now().isoformat()


def is_due(moment: str, now: datetime) -> bool:
    """Whether a moment of the ledger has come."""
    return not moment or moment <= now.isoformat()
