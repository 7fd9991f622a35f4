"""Lake: the ledger, an index of the commits plus the state of files that are not committed yet.

The commits are the truth: `sync` brings the ledger up to them, and an empty ledger fills itself.
"""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Final, Literal

from sequen_dagster.contract.scalars import utc_now
from sequen_dagster.exports.files import ExportFile
from sequen_dagster.lake.commits import Batch, Commit, read_commits

FileState = Literal["seen", "committed", "failed", "parked"]

_SCHEMA: Final = """
create table if not exists commits (
    commit_id text primary key,
    committed_at text not null
);
create table if not exists file_versions (
    source text not null,
    path text not null,
    size_bytes integer not null,
    modified_at text not null,
    state text not null check (state in ('seen', 'committed', 'failed', 'parked')),
    attempts integer not null default 0,
    version integer not null default 0,
    batch_id text,
    commit_id text,
    error text,
    updated_at text not null,
    primary key (source, path, size_bytes, modified_at)
) without rowid;
create index if not exists file_versions_by_batch on file_versions (batch_id);
"""
_FIND_CURRENT: Final = """
    select size_bytes, modified_at, version, batch_id
    from file_versions
    where source = ? and path = ? and state = 'committed'
    order by version desc, updated_at desc
    limit 1
"""


class Ledger:
    """What is known of every version of every file of a home.

    Args:
        home: the home; the ledger is its `ledger.sqlite`.
    """

    def __init__(self, home: Path) -> None:
        self._lake = home / "lake"
        self._path = home / "ledger.sqlite"
        with self._connect() as connection:
            connection.executescript(_SCHEMA)

    def sync(self) -> int:
        """Index the commits that are not indexed yet; return how many these were."""
        with self._connect() as connection:
            known = [row[0] for row in connection.execute("select commit_id from commits")]
        missing = list(read_commits(self._lake, known=known))
        for commit in missing:
            self.record_commit(commit)
        return len(missing)

    def pending(self, files: Iterable[ExportFile], *, max_attempts: int) -> list[ExportFile]:
        """Those of `files` that are not committed as they lie there now.

        A file is compared with the newest version of its path, not with a time: one that becomes
        visible late, or goes back to an older content, is pending like any other.

        Args:
            files: the files as listed now.
            max_attempts: failures after which a version is left alone.

        Returns:
            The files to take in, in the order given.
        """
        with self._connect() as connection:
            current = {
                (source, path): (size, modified_at)
                for source, path, size, modified_at, _ in connection.execute(
                    "select source, path, size_bytes, modified_at, row_number() over ("
                    " partition by source, path order by version desc, updated_at desc) as place"
                    " from file_versions where state = 'committed' order by place desc"
                )
            }
            given_up = set(
                connection.execute(
                    "select source, path, size_bytes, modified_at from file_versions"
                    " where state = 'parked' or (state = 'failed' and attempts >= ?)",
                    (max_attempts,),
                )
            )
        return [
            file
            for file in files
            if current.get((file.source, file.path)) != _stamp(file)
            and (file.source, file.path, *_stamp(file)) not in given_up
        ]

    def see(self, files: Iterable[ExportFile]) -> list[ExportFile]:
        """Note files that were seen; return those that had been seen the same way before."""
        with self._connect() as connection:
            return [file for file in files if not self._insert_seen(connection, file)]

    def current(self, source: str, path: str) -> tuple[int, str | None]:
        """The newest committed version of a path and its batch; (0, None) where there is none."""
        with self._connect() as connection:
            row = connection.execute(_FIND_CURRENT, (source, path)).fetchone()
        return (row[2], row[3]) if row else (0, None)

    def record_commit(self, commit: Commit) -> None:
        """Index a commit."""
        with self._connect() as connection:
            for batch in commit.batches:
                self._record(connection, batch, commit.commit_id)
            connection.execute(
                "insert or ignore into commits values (?, ?)",
                (commit.commit_id, commit.committed_at.isoformat()),
            )

    def record_unchanged(self, batch: Batch) -> None:
        """Note that a file was touched but holds what its newest version holds."""
        with self._connect() as connection:
            self._record(connection, batch, None)

    def record_failure(self, file: ExportFile, error: str) -> int:
        """Note a failure; return how often this version has failed now."""
        with self._connect() as connection:
            self._insert_seen(connection, file)
            key = (file.source, file.path, *_stamp(file))
            connection.execute(
                "update file_versions set state = 'failed', attempts = attempts + 1, error = ?,"
                " updated_at = ? where (source, path, size_bytes, modified_at) = (?, ?, ?, ?)",
                (error, _now(), *key),
            )
            row = connection.execute(
                "select attempts from file_versions"
                " where (source, path, size_bytes, modified_at) = (?, ?, ?, ?)",
                key,
            ).fetchone()
        return int(row[0])

    def _insert_seen(self, connection: sqlite3.Connection, file: ExportFile) -> bool:
        """Whether the version is new."""
        cursor = connection.execute(
            "insert or ignore into file_versions"
            " (source, path, size_bytes, modified_at, state, updated_at)"
            " values (?, ?, ?, ?, 'seen', ?)",
            (file.source, file.path, *_stamp(file), _now()),
        )
        return cursor.rowcount > 0

    def _record(self, connection: sqlite3.Connection, batch: Batch, commit_id: str | None) -> None:
        connection.execute(
            "insert into file_versions (source, path, size_bytes, modified_at, state, version,"
            " batch_id, commit_id, updated_at) values (?, ?, ?, ?, 'committed', ?, ?, ?, ?)"
            " on conflict do update set state = 'committed', error = null,"
            # Commits are indexed in the order of their names, not of the versions they hold.
            " version = max(version, excluded.version), batch_id = excluded.batch_id,"
            " commit_id = case when excluded.version < version or excluded.commit_id is null"
            "   then commit_id else excluded.commit_id end,"
            " updated_at = excluded.updated_at",
            (
                batch.source,
                batch.path,
                batch.file_bytes,
                batch.modified_at.isoformat(),
                batch.version,
                batch.batch_id,
                commit_id,
                _now(),
            ),
        )

    def _connect(self) -> "_Transaction":
        return _Transaction(self._path)


class _Transaction:
    """A connection that commits when its block ends well, and is always closed."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, timeout=60)

    def __enter__(self) -> sqlite3.Connection:
        self._connection.execute("pragma journal_mode = wal")
        return self._connection.__enter__()

    def __exit__(self, *error: object) -> None:
        with closing(self._connection):
            self._connection.__exit__(*error)  # type: ignore[arg-type]  # the three of __exit__


def _stamp(file: ExportFile) -> tuple[int, str]:
    return file.size_bytes, file.modified_at.isoformat()


def _now() -> str:
    return utc_now().isoformat()
