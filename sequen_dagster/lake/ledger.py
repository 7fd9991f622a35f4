"""Lake: the ledger, an index of the commits plus the state of files that are not committed yet.

The commits are the truth: `sync` brings the ledger up to them, and an empty ledger fills itself.
To ask about a file, query the view `files` of `ledger.sqlite`, one row a version.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

from sequen_dagster.contract.scalars import utc_now
from sequen_dagster.errors import HomeError
from sequen_dagster.exports.files import ExportFile
from sequen_dagster.home.layout import Home
from sequen_dagster.lake.commits import (
    Batch,
    Commit,
    commit_id_of,
    list_commit_names,
    read_commits,
)
from sequen_dagster.lake.current_files import (
    CurrentFiles,
    FailedFile,
    NewestFile,
    UnreadFile,
    select_failed,
    select_newest,
    select_unread,
    sum_current,
)
from sequen_dagster.lake.ledger_file import connect_ledger, prepare_ledger
from sequen_dagster.lake.ledger_rows import (
    IS_FILE,
    OBSERVE,
    FileKey,
    FileState,
    FileStatus,
    file_key,
    find_uncommitted,
    key_of,
    parse_status,
    record_batch,
    select_where,
)

_SECOND: Final = timedelta(seconds=1)
_MAX_BACKOFF: Final = timedelta(days=1)


class Ledger:
    """What is known of every version of every file of a home.

    Open it once for an operation, and hand it down.

    Args:
        home: the home; made if it is not there.

    Raises:
        HomeError: the ledger is damaged, or was made by a newer release.
    """

    def __init__(self, home: Home) -> None:
        self._lake = home.make().lake
        self._path = home.ledger
        prepare_ledger(self._path)

    def sync(self) -> int:
        """Index the commits that are not indexed yet; return how many these were.

        Raises:
            HomeError: commits that were indexed are gone from the lake.
        """
        missing = list(read_commits(self._lake, known=self.commit_names()))
        for commit in missing:
            self.record_commit(commit)
        self.check_lake()
        return len(missing)

    def commit_names(self) -> set[str]:
        """The names of the commits that are indexed."""
        with connect_ledger(self._path) as connection:
            return {row[0] for row in connection.execute("select commit_id from commits")}

    def check_lake(self) -> None:
        """Stop where commits that were indexed are gone.

        Raises:
            HomeError: they are.
        """
        present = {commit_id_of(name) for name in list_commit_names(self._lake)}
        lost = [name for name in self.commit_names() if commit_id_of(name) not in present]
        if lost:
            message = (
                f"The lake in {str(self._lake.root)!r} has lost {len(lost)} of its commits, so "
                "files would be read again as if they were new. Restore the folder from a backup; "
                "or, if that is meant, run `sequen-dagster doctor --rebuild`."
            )
            raise HomeError(message)

    def find_pending(self, files: Iterable[ExportFile]) -> list[ExportFile]:
        """Return the `files` that are neither committed as they are now nor dead-lettered.

        A file is compared with the newest version of its path, not with a time: one that becomes
        visible late, or goes back to an older content, is pending like any other.
        """
        with connect_ledger(self._path) as connection:
            rows = connection.execute(select_where("state = 'dead_lettered'"))
            dead_lettered = {key_of(row) for row in rows}
            uncommitted = find_uncommitted(connection, files)
        return [file for file in uncommitted if file_key(file) not in dead_lettered]

    def observe(self, files: Iterable[ExportFile]) -> list[FileStatus]:
        """Note one poll of the locations; writes only of what is not committed yet.

        Args:
            files: all files as listed now.

        Returns:
            The status of each that is not committed as it lies there, in the order given.
        """
        now = _now()
        with connect_ledger(self._path) as connection:
            return [
                parse_status(
                    file, connection.execute(OBSERVE, (*file_key(file), now, now)).fetchone()
                )
                for file in find_uncommitted(connection, files)
            ]

    def statuses(self, files: Sequence[ExportFile]) -> list[FileStatus]:
        """What is known of files; those that were never observed are left out."""
        with connect_ledger(self._path) as connection:
            statement = select_where(IS_FILE)
            rows = [
                (file, connection.execute(statement, file_key(file)).fetchone()) for file in files
            ]
        return [parse_status(file, row) for file, row in rows if row]

    def paths_in_state(self, state: FileState) -> list[str]:
        """The paths of the versions in a state, in order."""
        with connect_ledger(self._path) as connection:
            rows = connection.execute(
                "select path from file_versions where state = ? order by path", (state,)
            )
            return [path for (path,) in rows]

    def mark_stable(self, files: Iterable[ExportFile]) -> None:
        """Note that files are whole."""
        self._update("state = 'stable'", files, where="state = 'seen'")

    def mark_requested(self, file_group: str, files: Iterable[ExportFile]) -> None:
        """Note that a run was asked to take in files; asking twice is asking once."""
        self._update("file_group = ?", files, file_group)

    def conclude_group(self, file_group: str, *, retry_seconds: int) -> None:
        """Note that such a run has ended, whatever came of it.

        What it had begun to read, and did not bring to an end, may have killed it: that counts as
        a failed attempt.
        """
        with connect_ledger(self._path) as connection:
            begun = connection.execute(
                select_where("file_group = ? and begun_at is not null"), (file_group,)
            ).fetchall()
            for row in begun:
                attempts = row["attempts"] + 1
                connection.execute(
                    "update file_versions set attempts = ?, retry_at = ?,"
                    f" error = 'the run that read it has died' where {IS_FILE}",
                    (attempts, _retry_at(attempts, retry_seconds), *key_of(row)),
                )
            connection.execute(
                "update file_versions set file_group = null, requests = requests + 1,"
                " updated_at = ? where file_group = ?",
                (_now(), file_group),
            )

    def requested_keys(self, file_group: str) -> set[FileKey]:
        """Keys of the files that a run was asked to take in."""
        with connect_ledger(self._path) as connection:
            rows = connection.execute(select_where("file_group = ?"), (file_group,))
            return {key_of(row) for row in rows}

    def mark_begun(self, files: Sequence[ExportFile]) -> bool:
        """Note that files are about to be read; return whether a run died reading one of them."""
        suspects = any(status.is_begun for status in self.statuses(files))
        with connect_ledger(self._path) as connection:
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
        self.mark_begun([file])
        with connect_ledger(self._path) as connection:
            (before,) = connection.execute(
                f"select attempts from file_versions where {IS_FILE}", file_key(file)
            ).fetchone()
            attempts = int(before) + 1
            connection.execute(
                "update file_versions set state = ?, attempts = ?, error = ?, retry_at = ?,"
                f" begun_at = null, file_group = null, updated_at = ? where {IS_FILE}",
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

    def retry_dead_lettered(self, files: Iterable[ExportFile]) -> None:
        """Have dead-lettered files tried again."""
        self._update(
            "state = 'seen', attempts = 0, retry_at = ''", files, where="state = 'dead_lettered'"
        )

    def current_version(self, source: str, path: str) -> tuple[int, str | None]:
        """The newest committed version of a path and its batch; (0, None) where there is none."""
        with connect_ledger(self._path) as connection:
            row = connection.execute(
                "select version, batch_id from file_versions"
                " where source = ? and path = ? and state = 'committed'"
                " order by version desc, updated_at desc limit 1",
                (source, path),
            ).fetchone()
        return (row[0], row[1]) if row else (0, None)

    def current_files(self) -> CurrentFiles:
        """What the commits say of the current versions of all paths together."""
        with connect_ledger(self._path) as connection:
            return sum_current(connection)

    def unread_files(self) -> list[UnreadFile]:
        """The files whose current version could not be read as a whole, in order of their paths."""
        with connect_ledger(self._path) as connection:
            return select_unread(connection)

    def failed_files(self, files: Iterable[ExportFile]) -> list[FailedFile]:
        """Those of `files`, as listed now, that failed when they were read last, in order."""
        listed = {file_key(file) for file in files}
        with connect_ledger(self._path) as connection:
            return [one for one in select_failed(connection) if one.key in listed]

    def newest_files(self) -> list[NewestFile]:
        """Of each source the committed file that arrived last, by name of the source."""
        with connect_ledger(self._path) as connection:
            return select_newest(connection)

    def record_commit(self, commit: Commit) -> None:
        """Index a commit, in place of an older form of it."""
        with connect_ledger(self._path) as connection:
            for batch in commit.batches:
                record_batch(connection, batch, commit.commit_id)
            connection.execute(
                "delete from commits where commit_id = ? or commit_id like ? || '.%'",
                (commit.commit_id, commit.commit_id),
            )
            connection.execute(
                "insert into commits values (?, ?)", (commit.name, commit.committed_at.isoformat())
            )

    def record_unchanged(self, batch: Batch) -> None:
        """Note that a file holds what its newest version holds; only its metadata has changed."""
        with connect_ledger(self._path) as connection:
            record_batch(connection, batch, None)

    def _update(
        self, assignment: str, files: Iterable[ExportFile], *values: str, where: str = "true"
    ) -> None:
        statement = f"update file_versions set {assignment} where {where} and {IS_FILE}"
        with connect_ledger(self._path) as connection:
            connection.executemany(statement, [(*values, *file_key(file)) for file in files])


def _retry_at(attempts: int, retry_seconds: int) -> str:
    wait: timedelta = retry_seconds * _SECOND * 2 ** min(attempts - 1, 16)
    return (utc_now() + min(wait, _MAX_BACKOFF)).isoformat()


def _now() -> str:
    return utc_now().isoformat()
